/* SPDX-License-Identifier: MIT
 *
 * verdict.c - see verdict.h.
 *
 * Xen's lines are matched by what 4.17 prints when its hardware domain ends; the number of
 * the domain is not part of the match.
 */
#include "verdict.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "say.h"
#include "view.h"

enum ending verdict_of_xen_line(const char *line)
{
    static const struct {
        const char *begins, *holds;
        enum ending ending;
    } table[] = {
        {"Hardware Dom", " halted: ", POWERED_OFF},
        {"Entering ACPI S5", "", POWERED_OFF}, /* dom0 has switched the machine off */
        {"Hardware Dom", " crashed: ", CRASHED},
        {"Hardware Dom", " shutdown: watchdog", CRASHED},
        {"Hardware Dom", " shutdown: rebooting", REBOOTED},
        {"Hardware Dom", " shutdown (unknown", ENDED_OTHERWISE},
        {"Hardware domain ", "soft reset", ENDED_OTHERWISE},
        {"Panic on CPU ", ":", HYPERVISOR_DIED},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (!strncmp(line, table[i].begins, strlen(table[i].begins)) &&
            strstr(line, table[i].holds))
            return table[i].ending;
    return STILL_RUNNING;
}

static const char *const codes[] = {
    "powered off",
    "asked for a reboot, and pvctl does not start it again",
    "suspended itself, and nothing resumes it",
    "crashed",
    "was ended by its watchdog",
};

const char *verdict_words(unsigned code)
{
    return code < sizeof(codes) / sizeof(codes[0]) ? codes[code]
                                                   : "ended with an unusual shutdown code";
}

/* The guest's end as a sentence; false when it simply powered off, or has not ended. */
static bool tell_end(const struct view *v, unsigned i)
{
    const struct hostview_domain *d = &v->page.domain[i];
    struct reason r[REASON_RING + 1];
    char name[HOSTVIEW_NAME], sentence[512];
    size_t n;

    memcpy(name, d->name, sizeof(name));
    name[sizeof(name) - 1] = 0;
    if (d->state == HV_DOM_PAUSED || d->state == HV_DOM_RUNNING ||
        (d->state == HV_DOM_SHUTDOWN && d->shutdown_code == 0))
        return false;
    if (d->state == HV_DOM_SHUTDOWN && d->shutdown_code < sizeof(codes) / sizeof(codes[0])) {
        say_bad("guest %s %s.", name, codes[d->shutdown_code]);
        return true;
    }
    n = view_reasons(v, i, r, REASON_RING + 1);
    /* Killed guests end with a reason that has no errno; it is the newest such. */
    while (n && r[n - 1].err)
        n--;
    if (!n) {
        say_bad("guest %s crashed.", name);
        return true;
    }
    reason_format(sentence, sizeof(sentence), &r[n - 1]);
    say_bad("guest %s crashed: %s.", name, sentence);
    return true;
}

int verdict_of_shim(const struct plan *p, const char *dir, int wait_status)
{
    bool bad = false;
    struct view v;
    char *why;

    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == HOSTVIEW_EXIT_PANIC * 2 + 1) {
        say_bad("the shim itself stopped; its last lines are above.");
        return EXIT_MACHINE;
    }
    if (view_open(&v, dir, &why)) {
        say_bad("QEMU ended and the shim did not say how: %s", why);
        free(why);
        return EXIT_MACHINE;
    }
    for (unsigned i = 0; i < v.page.domains; i++) {
        if (v.page.domain[i].state == HV_DOM_NONE)
            continue;
        bad |= tell_end(&v, i);
    }
    if (!v.page.ended || v.page.created < p->guests) {
        say_bad("QEMU ended before the guests did.");
        view_close(&v);
        return EXIT_MACHINE;
    }
    view_close(&v);
    return bad ? EXIT_CRASHED : EXIT_OK;
}
