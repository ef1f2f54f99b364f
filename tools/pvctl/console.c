/* SPDX-License-Identifier: MIT
 *
 * console.c - pvctl console: a guest's console, live, or what is kept of it.
 *
 *   stdin ─► buffer ─► CONSOLE_INPUT ─► guest
 *   guest ─► its kept ring, in the shim's memory ─► event: so many bytes by now ─► stdout
 *
 * Nothing is polled. What was printed before is shown first. If more is printed than
 * the ring holds before we look, the rest of it is lost, and said so. The terminal is put
 * back in every case.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "channel.h"
#include "guests.h"
#include "machine.h"
#include "say.h"
#include "show.h"

enum { ESCAPE = 0x1d /* Ctrl-] */, INPUT = 4096, RETRY_MS = 200 };

struct attached {
    struct channel *c;
    unsigned domid;
    uint64_t seen;       /* bytes that were shown */
    uint64_t buffer;     /* for input: address, */
    char *input;         /* memory, */
    size_t have;         /* and how many bytes wait in it */
    bool raw, open, end; /* terminal; stdin; it is over */
    char name[HOSTVIEW_NAME];
};

static struct termios cooked;

static void ignore(int s)
{
    (void)s;
}

static void terminal_raw(struct attached *a)
{
    struct sigaction wake = {.sa_handler = ignore}; /* without SA_RESTART: poll() ends */
    struct termios raw;

    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &cooked) < 0)
        return;
    sigaction(SIGTERM, &wake, NULL);
    sigaction(SIGHUP, &wake, NULL);
    say_note("attached to %s; Ctrl-] leaves it.", a->name);
    raw = cooked;
    cfmakeraw(&raw);
    a->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

static const struct hostview_domain *domain_of(const struct attached *a)
{
    for (unsigned i = 0; i < a->c->view.page.domains; i++)
        if (a->c->view.page.domain[i].domid == a->domid)
            return &a->c->view.page.domain[i];
    return NULL;
}

/* -- output ------------------------------------------------------------------------------------ */

static void put_out(const struct attached *a, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a->raw && text[i] == '\n')
            putchar('\r');
        putchar(text[i]);
    }
    fflush(stdout);
}

/* Everything up to byte `produced` of the guest's output. */
static void show_new(struct attached *a, uint64_t produced)
{
    const struct hostview_domain *d = domain_of(a);
    char *text;
    size_t n;

    if (!d || produced <= a->seen)
        return;
    if (produced - a->seen > d->console_size && a->seen)
        say_note("%llu bytes of %s's were not seen in time.%s",
                 (unsigned long long)(produced - a->seen - d->console_size), a->name,
                 a->raw ? "\r" : "");
    text = ring_text(&a->c->view, d->console, d->console_size, produced);
    n = strlen(text);
    if (n > produced - a->seen)
        put_out(a, text + n - (produced - a->seen), produced - a->seen);
    else
        put_out(a, text, n);
    free(text);
    a->seen = produced;
}

/* -- input ------------------------------------------------------------------------------------- */

static void send_input(struct attached *a)
{
    int64_t taken;

    if (!a->have)
        return;
    a->c->quiet = true; /* it may end while we type */
    taken = CHANNEL_ASK(a->c, CONTROL_CONSOLE_INPUT, .number = a->domid, .buffer = a->buffer,
                        .length = a->have);
    a->c->quiet = false;
    if (taken < 0)
        taken = (int64_t)a->have;
    a->have -= (size_t)taken;
    memmove(a->input, a->input + taken, a->have);
}

static void read_input(struct attached *a)
{
    ssize_t n = read(STDIN_FILENO, a->input + a->have, INPUT - a->have);
    const char *escape;

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        a->open = false;
        return;
    }
    escape = a->raw ? memchr(a->input + a->have, ESCAPE, (size_t)n) : NULL;
    if (escape) {
        a->end = true;
        n = escape - (a->input + a->have);
    }
    a->have += (size_t)n;
    send_input(a);
}

/* -- the loop -------------------------------------------------------------------------------------
 */

/* How it ended: 0, or EXIT_CRASHED after a sentence. */
static int verdict(struct attached *a)
{
    const struct hostview_domain *d;

    view_refresh(&a->c->view);
    d = domain_of(a);
    if (d)
        show_new(a, d->console_produced);
    if (a->raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &cooked);
    if (a->end)
        return EXIT_OK;
    if (!d || d->state == HV_DOM_DYING) {
        say_note("the guest %s was destroyed.", a->name);
        return EXIT_OK;
    }
    if (d->state == HV_DOM_RUNNING || d->state == HV_DOM_PAUSED) {
        say_note("the machine \"%s\" has ended.", a->c->machine);
        return EXIT_OK;
    }
    if (d->state == HV_DOM_SHUTDOWN && d->shutdown_code == 0)
        return EXIT_OK;
    say_bad("guest %s has ended, and not by power off; see pvctl why.", a->name);
    return EXIT_CRASHED;
}

static int attend(struct attached *a)
{
    struct control_message m;
    bool alive = true;

    while (alive && !a->end) {
        bool room = a->open && a->have < INPUT;
        int got = channel_event(a->c, &m, room ? STDIN_FILENO : -1, a->have ? RETRY_MS : -1);

        if (got < 0)
            break;
        if (got == 0) {
            struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};

            if (room && poll(&p, 1, 0) > 0)
                read_input(a);
            else
                send_input(a);
            continue;
        }
        if (m.number != a->domid)
            continue;
        if (m.event == CONTROL_EVENT_CONSOLE) {
            show_new(a, (uint64_t)m.value);
            send_input(a);
        }
        if (m.event == CONTROL_EVENT_DOMAIN)
            alive = m.value == HV_DOM_RUNNING || m.value == HV_DOM_PAUSED;
    }
    return verdict(a);
}

static int attach(struct channel *c, const struct hostview_domain *d)
{
    struct attached a = {.c = c, .open = true, .domid = d->domid};

    name_copy(a.name, d);
    a.input = channel_buffer(c, INPUT, &a.buffer);
    if (!a.input)
        return EXIT_MACHINE;
    terminal_raw(&a);
    if (CHANNEL_ASK(c, CONTROL_EVENTS,
                    .arg = {1 << CONTROL_EVENT_CONSOLE | 1 << CONTROL_EVENT_DOMAIN}) < 0)
        a.end = true;
    return attend(&a);
}

/* The guest that is asked for: one that lives rather than one that has ended; -1: none. */
static int find_guest(const struct view *v, const char *guest, bool *alive)
{
    int found = -1;

    *alive = false;
    for (unsigned i = 0; i < v->page.domains; i++) {
        const struct hostview_domain *d = &v->page.domain[i];
        bool lives = d->state == HV_DOM_RUNNING || d->state == HV_DOM_PAUSED;

        if (d->state == HV_DOM_NONE || !is_guest(d, guest) || (found >= 0 && (*alive || !lives)))
            continue;
        found = (int)i;
        *alive = lives;
    }
    return found;
}

static bool is_live(const char *machine)
{
    struct machine_entry *list;
    size_t n = machine_list(&list);
    bool live = false;

    for (size_t i = 0; i < n; i++)
        live |= !strcmp(list[i].name, machine) && list[i].live;
    machine_list_free(list, n);
    return live;
}

int command_console(int argc, char **argv)
{
    bool dump = false, alive;
    char *machine = NULL, name[HOSTVIEW_NAME];
    struct request q;
    struct channel c;
    struct view v;
    int rc = EXIT_OK, kept = 0, i;

    for (int n = 0; n < argc; n++)
        if (!strcmp(argv[n], "--dump"))
            dump = true;
        else
            argv[kept++] = argv[n];
    if (read_request(&q, "console", true, kept, argv) || open_machine(&v, q.machine, &machine))
        return EXIT_USAGE;
    i = find_guest(&v, q.guest, &alive);
    if (i < 0) {
        rc = say_bad("there is no guest \"%s\"; see pvctl list.", q.guest ? q.guest : "");
    } else if (alive && !dump && !q.json && is_live(machine)) {
        rc = channel_open(&c, q.machine);
        if (!rc) {
            rc = attach(&c, &v.page.domain[i]);
            channel_close(&c);
        }
    } else {
        name_copy(name, &v.page.domain[i]);
        print_text(q.json, "name", name,
                   ring_text(&v, v.page.domain[i].console, v.page.domain[i].console_size,
                             v.page.domain[i].console_produced));
    }
    free(machine);
    view_close(&v);
    return rc;
}
