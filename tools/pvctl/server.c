/* SPDX-License-Identifier: MIT
 *
 * server.c - see server.h.
 *
 * Invariants: a client number is in use from the connection's beginning until the shim has answered
 * the BYE that follows its end, so that nothing of one client's ever reaches the next; nothing
 * here waits for a client, and writing to the shim cannot block for long, as each client has
 * one request there at most.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../hypervisor-shim/control.h"
#include "say.h"

enum { OUT_MAX = 256 * sizeof(struct control_message) };

struct client {
    int fd;       /* -1: none */
    bool busy;    /* its request is with the shim */
    bool leaving; /* has gone; its number is free when the shim has forgotten it */
    bool bye;     /* which it was asked to */
    uint32_t events;
    size_t have, out_size, out_done;
    struct control_request in;
    uint8_t out[OUT_MAX];
};

struct server {
    int listener, shim;
    bool up, ends;
    size_t have;
    struct control_message in;
    struct client client[CONTROL_CLIENTS];
};
_Static_assert(SERVER_FDS == 2 + CONTROL_CLIENTS, "one for each");

/* Whatever the directory's name is as long as. */
static struct sockaddr_un address_in(int dirfd)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/control", dirfd);
    return a;
}

struct server *server_open(const char *dir, int shim)
{
    int dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct sockaddr_un a = address_in(dirfd);
    struct server *s = xcalloc(1, sizeof(*s));

    for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
        s->client[i].fd = -1;
    s->shim = shim;
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(a.sun_path);
    if (dirfd < 0 || s->listener < 0 || bind(s->listener, (struct sockaddr *)&a, sizeof(a)) < 0 ||
        listen(s->listener, CONTROL_CLIENTS) < 0) {
        say_bad("%s/control: cannot be listened to (%s).", dir, strerror(errno));
        server_close(s);
        s = NULL;
    }
    if (dirfd >= 0)
        close(dirfd);
    return s;
}

void server_close(struct server *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
        if (s->client[i].fd >= 0)
            close(s->client[i].fd);
    if (s->listener >= 0)
        close(s->listener);
    free(s);
}

bool server_is_up(const struct server *s)
{
    return s->up;
}

bool server_ends(const struct server *s)
{
    return s->ends;
}

/* -- to the shim ---------------------------------------------------------------------------- */

static void to_shim(struct server *s, const void *bytes, size_t n)
{
    const char *b = bytes;

    while (n) {
        ssize_t w = send(s->shim, b, n, MSG_NOSIGNAL);

        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return; /* the machine ends, which is noticed elsewhere */
        b += w;
        n -= (size_t)w;
    }
}

static void say_bye(struct server *s, struct client *c)
{
    struct control_request r = {.magic = CONTROL_REQUEST,
                                .version = CONTROL_VERSION,
                                .op = CONTROL_BYE,
                                .client = (uint32_t)(c - s->client),
                                .end = CONTROL_END};

    to_shim(s, &r, sizeof(r));
    c->busy = c->bye = true;
}

/* The client has gone, or has to. */
static void drop(struct server *s, struct client *c)
{
    close(c->fd);
    c->fd = -1;
    c->events = 0;
    c->leaving = true;
    if (!c->busy)
        say_bye(s, c);
}

/* -- to clients ------------------------------------------------------------------------------ */

static void flush_client(struct server *s, struct client *c)
{
    while (c->out_done < c->out_size) {
        ssize_t w = send(c->fd, c->out + c->out_done, c->out_size - c->out_done,
                         MSG_NOSIGNAL | MSG_DONTWAIT);

        if (w < 0 && errno == EAGAIN)
            return;
        if (w < 0 && errno != EINTR) {
            drop(s, c);
            return;
        }
        c->out_done += w > 0 ? (size_t)w : 0;
    }
    c->out_done = c->out_size = 0;
}

static void deliver(struct server *s, struct client *c, const struct control_message *m)
{
    if (c->out_done) {
        memmove(c->out, c->out + c->out_done, c->out_size - c->out_done);
        c->out_size -= c->out_done;
        c->out_done = 0;
    }
    if (c->out_size + sizeof(*m) > OUT_MAX) {
        drop(s, c); /* it does not read */
        return;
    }
    memcpy(c->out + c->out_size, m, sizeof(*m));
    c->out_size += sizeof(*m);
    flush_client(s, c);
}

static void take_message(struct server *s, const struct control_message *m)
{
    struct client *c = &s->client[m->client % CONTROL_CLIENTS];

    if (m->event) {
        for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
            if (s->client[i].fd >= 0 && m->event < 32 && s->client[i].events >> m->event & 1)
                deliver(s, &s->client[i], m);
        return;
    }
    s->up = true;
    c->busy = false;
    if (c->fd >= 0)
        deliver(s, c, m);
    else if (c->bye)
        c->leaving = c->bye = false;
    else if (c->leaving)
        say_bye(s, c);
}

/* False: it has closed its end. */
static bool take_from_shim(struct server *s)
{
    ssize_t n;

    while ((n = recv(s->shim, (char *)&s->in + s->have, sizeof(s->in) - s->have, MSG_DONTWAIT)) >
           0) {
        s->have += (size_t)n;
        while (s->have == sizeof(s->in) &&
               (s->in.magic != CONTROL_MESSAGE || s->in.end != CONTROL_END))
            memmove(&s->in, (char *)&s->in + 1, --s->have);
        if (s->have == sizeof(s->in)) {
            s->have = 0;
            take_message(s, &s->in);
        }
    }
    return n < 0;
}

/* -- from clients --------------------------------------------------------------------------------
 */

static void take_client(struct server *s)
{
    int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return;
    for (unsigned i = 0; i < CONTROL_CLIENTS; i++) {
        struct client *c = &s->client[i];

        if (c->fd >= 0 || c->leaving)
            continue;
        c->fd = fd;
        c->events = 0;
        c->have = c->out_size = c->out_done = 0;
        return;
    }
    close(fd); /* too many; the client says so */
}

static void take_request(struct server *s, struct client *c)
{
    ssize_t n = recv(c->fd, (char *)&c->in + c->have, sizeof(c->in) - c->have, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        drop(s, c);
        return;
    }
    c->have += (size_t)n;
    if (c->have >= sizeof(c->in.magic) && c->in.magic != CONTROL_REQUEST) {
        drop(s, c);
        return;
    }
    if (c->have < sizeof(c->in))
        return;
    c->have = 0;
    if (c->in.end != CONTROL_END) {
        drop(s, c);
        return;
    }
    if (c->in.op == CONTROL_EVENTS)
        c->events = (uint32_t)c->in.arg[0];
    else if (c->in.op == CONTROL_HELLO || c->in.op == CONTROL_BYE)
        c->events = 0;
    s->ends |= c->in.op == CONTROL_POWER_OFF;
    c->in.client = (uint32_t)(c - s->client);
    c->busy = true;
    to_shim(s, &c->in, sizeof(c->in));
}

void server_wait(const struct server *s, struct pollfd *p)
{
    p[0] = (struct pollfd){.fd = s->shim, .events = POLLIN};
    p[1] = (struct pollfd){.fd = s->listener, .events = POLLIN};
    for (unsigned i = 0; i < CONTROL_CLIENTS; i++) {
        const struct client *c = &s->client[i];

        /* One whose request is with the shim is not read, but heard when it hangs up. */
        p[2 + i] = (struct pollfd){
            .fd = c->fd, .events = (short)((c->busy ? 0 : POLLIN) | (c->out_size ? POLLOUT : 0))};
    }
}

void server_attend(struct server *s, const struct pollfd *p)
{
    if (p[0].revents && !take_from_shim(s))
        s->shim = -1;
    if (p[0].fd < 0)
        return; /* the machine has ended */
    for (unsigned i = 0; i < CONTROL_CLIENTS; i++) {
        struct client *c = &s->client[i];

        if (c->fd < 0 || c->fd != p[2 + i].fd)
            continue;
        if (p[2 + i].revents & POLLOUT)
            flush_client(s, c);
        if (c->fd >= 0 && p[2 + i].revents & POLLIN && !c->busy)
            take_request(s, c);
        else if (c->fd >= 0 && p[2 + i].revents & (POLLHUP | POLLERR))
            drop(s, c);
    }
    if (p[1].revents)
        take_client(s);
}
