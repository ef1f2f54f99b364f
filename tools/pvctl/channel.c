/* SPDX-License-Identifier: MIT
 *
 * channel.c - see channel.h.
 */
#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "machine.h"
#include "say.h"
#include "show.h"

enum { PATIENCE_MS = 60000 }; /* for an answer; a machine under load may need some */

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

/* -- machines ------------------------------------------------------------------------------- */

static int choose_machine(const char *name, char **dir)
{
    struct machine_entry *list, *found = NULL;
    size_t n = machine_list(&list), live = 0;
    int rc = 0;

    for (size_t i = 0; i < n; i++) {
        if (name ? strcmp(list[i].name, name) : !list[i].live)
            continue;
        live++;
        if (!found || list[i].live)
            found = &list[i];
    }
    if (name && !found)
        rc = say_bad("there is no machine \"%s\"; see pvctl list.", name);
    else if (!found)
        rc = say_bad("no machine is running; start one with pvctl up, or with pvctl run.");
    else if (!found->live)
        rc = say_bad(
            "the machine \"%s\" has ended; only list, why, dmesg and console can look at it.",
            name);
    else if (!name && live > 1)
        rc = say_bad("%zu machines are running, %s and others; say which with --machine NAME.",
                     live, found->name);
    else
        *dir = xstrdup(found->dir);
    machine_list_free(list, n);
    return rc;
}

static int connect_to(const char *dir)
{
    int dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/control", dirfd);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
        close(fd);
        fd = -1;
    }
    if (dirfd >= 0)
        close(dirfd);
    return fd;
}

static int map_memory(struct channel *c)
{
    char *path = xasprintf("%s/ram", c->dir);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *map = MAP_FAILED;

    if (fd >= 0)
        map = mmap(NULL, c->view.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    if (map == MAP_FAILED)
        say_bad("%s: cannot be written to (%s).", path, strerror(errno));
    else
        c->ram = map;
    free(path);
    return map == MAP_FAILED ? EXIT_MACHINE : 0;
}

int channel_look(struct channel *c)
{
    char *why;

    if (c->view.ram && view_refresh(&c->view) == 0)
        return 0;
    view_close(&c->view);
    if (view_open(&c->view, c->dir, &why) == 0)
        return 0;
    say_bad("%s", why);
    free(why);
    return EXIT_USAGE;
}

int channel_open_dir(struct channel *c, const char *dir)
{
    const char *slash = strrchr(dir, '/');
    int rc;

    memset(c, 0, sizeof(*c));
    c->dir = xstrdup(dir);
    c->machine = xstrdup(slash ? slash + 1 : dir);
    c->fd = connect_to(dir);
    if (c->fd < 0) {
        rc = say_bad("the machine \"%s\" has no control channel (%s); is it one of Xen's?",
                     c->machine, strerror(errno));
    } else if (CHANNEL_ASK(c, CONTROL_HELLO) < 0) {
        rc = EXIT_MACHINE;
    } else {
        rc = channel_look(c);
        if (!rc)
            rc = map_memory(c);
    }
    if (rc)
        channel_close(c);
    return rc;
}

int channel_open(struct channel *c, const char *machine)
{
    char *dir = NULL, *why;
    int rc = choose_machine(machine, &dir);
    struct view v;

    memset(c, 0, sizeof(*c));
    c->fd = -1;
    if (rc)
        return rc;
    /* Before anything is asked: a shim of another version might not understand. */
    if (view_open(&v, dir, &why)) {
        rc = say_bad("%s", why);
        free(why);
    } else {
        view_close(&v);
        rc = channel_open_dir(c, dir);
    }
    free(dir);
    return rc;
}

void channel_close(struct channel *c)
{
    if (c->ram)
        munmap(c->ram, c->view.size);
    view_close(&c->view);
    if (c->fd >= 0)
        close(c->fd);
    free(c->events);
    free(c->machine);
    free(c->dir);
    memset(c, 0, sizeof(*c));
    c->fd = -1;
}

/* -- messages -------------------------------------------------------------------------------- */

static void keep_event(struct channel *c, const struct control_message *m)
{
    c->events = realloc(c->events, (c->nr_events + 1) * sizeof(*m));
    if (!c->events)
        abort();
    c->events[c->nr_events++] = *m;
}

/* One whole message; -1: the other end has gone, or says nothing, or rubbish. */
static int take_message(struct channel *c, struct control_message *m, int64_t deadline)
{
    size_t have = 0;

    while (have < sizeof(*m)) {
        int64_t left = deadline - now_ms();
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        ssize_t n;

        if (left <= 0 || poll(&p, 1, (int)left) == 0) {
            errno = ETIMEDOUT;
            return -1;
        }
        n = recv(c->fd, (char *)m + have, sizeof(*m) - have, MSG_DONTWAIT);
        if (n == 0) {
            errno = ECONNRESET;
            return -1;
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -1;
        have += n > 0 ? (size_t)n : 0;
    }
    errno = EPROTO;
    return m->magic == CONTROL_MESSAGE && m->end == CONTROL_END ? 0 : -1;
}

static bool send_all(int fd, const void *bytes, size_t n)
{
    const char *b = bytes;

    while (n) {
        ssize_t w = send(fd, b, n, MSG_NOSIGNAL);

        if (w < 0 && errno != EINTR)
            return false;
        if (w > 0)
            b += w, n -= (size_t)w;
    }
    return true;
}

static int64_t tell_dead(const struct channel *c)
{
    if (errno == ETIMEDOUT)
        say_bad("the shim of machine \"%s\" does not answer.", c->machine);
    else if (errno == ECONNRESET || errno == EPIPE)
        say_bad("the machine \"%s\" has ended, or has as many clients as it can have.", c->machine);
    else
        say_bad("the machine \"%s\" cannot be reached (%s).", c->machine, strerror(errno));
    return -1;
}

int64_t channel_ask(struct channel *c, struct control_request r)
{
    struct control_message *m = &c->reply;
    int64_t deadline = now_ms() + PATIENCE_MS;
    char sentence[512];

    memset(m, 0, sizeof(*m));
    r.magic = CONTROL_REQUEST;
    r.version = CONTROL_VERSION;
    r.end = CONTROL_END;
    r.id = ++c->id;
    if (!send_all(c->fd, &r, sizeof(r)))
        return tell_dead(c);
    for (;;) {
        if (take_message(c, m, deadline))
            return tell_dead(c);
        if (m->event)
            keep_event(c, m);
        else if (m->id == r.id)
            break;
    }
    if (m->value < 0 && !c->quiet) {
        reason_format(sentence, sizeof(sentence), &m->reason);
        say_bad("the shim refused: %s.", sentence);
    }
    return m->value < 0 ? -1 : m->value;
}

void *channel_buffer(struct channel *c, uint64_t n, uint64_t *address)
{
    int64_t at = CHANNEL_ASK(c, CONTROL_BUFFER, .arg = {n});
    const uint8_t *p;

    if (at < 0)
        return NULL;
    *address = (uint64_t)at;
    p = view_at(&c->view, *address, n);
    if (!p) {
        say_bad("the machine \"%s\" gave a buffer outside of its memory.", c->machine);
        return NULL;
    }
    return c->ram + (p - c->view.ram);
}

int channel_event(struct channel *c, struct control_message *m, int also, int timeout)
{
    struct pollfd p[2] = {{.fd = c->fd, .events = POLLIN}, {.fd = also, .events = POLLIN}};

    if (c->nr_events) {
        *m = c->events[0];
        memmove(c->events, c->events + 1, --c->nr_events * sizeof(*m));
        return 1;
    }
    if (poll(p, 2, timeout) < 0)
        return -1;
    if (!p[0].revents)
        return 0;
    return take_message(c, m, now_ms() + PATIENCE_MS) ? -1 : 1;
}

/* -- guests ---------------------------------------------------------------------------------------
 */

int channel_guest(struct channel *c, const char *guest, bool ended)
{
    int found = -1;

    for (unsigned i = 0; i < c->view.page.domains; i++) {
        const struct hostview_domain *d = &c->view.page.domain[i];
        bool alive = d->state == HV_DOM_RUNNING || d->state == HV_DOM_PAUSED;

        if (d->state != HV_DOM_NONE && d->state != HV_DOM_DYING && is_guest(d, guest) &&
            (found < 0 || alive))
            found = (int)i;
    }
    if (found < 0)
        say_bad("there is no guest \"%s\" in the machine \"%s\"; see pvctl list.", guest,
                c->machine);
    else if (!ended && c->view.page.domain[found].state != HV_DOM_RUNNING &&
             c->view.page.domain[found].state != HV_DOM_PAUSED) {
        say_bad("the guest \"%s\" has ended; pvctl destroy removes what is left of it.", guest);
        found = -1;
    }
    return found;
}
