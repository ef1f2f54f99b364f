/* SPDX-License-Identifier: MIT
 *
 * Many clients on one control channel: each gets what is its own, and no client, however it stops,
 * floods or lies, is in the way of another. The shim is played by the test.
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "hypervisor-shim/control.h"
#include "tools/pvctl/say.h"
#include "tools/pvctl/server.h"

struct world {
    char dir[32];
    struct server *server;
    int shim; /* the shim's end */
};

/* Until nothing is left to do. */
static void pump(struct world *w)
{
    struct pollfd p[SERVER_FDS];

    for (;;) {
        server_wait(w->server, p);
        if (poll(p, SERVER_FDS, 0) <= 0)
            return;
        server_attend(w->server, p);
    }
}

static void open_world(struct world *w)
{
    int pair[2];

    strcpy(w->dir, "/tmp/pv-server-XXXXXX");
    cr_assert(mkdtemp(w->dir));
    cr_assert(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    w->shim = pair[1];
    w->server = server_open(w->dir, pair[0]);
    cr_assert(w->server);
}

static void close_world(struct world *w)
{
    char path[64];

    server_close(w->server);
    close(w->shim);
    snprintf(path, sizeof(path), "%s/control", w->dir);
    unlink(path);
    rmdir(w->dir);
}

static int client(struct world *w)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(a.sun_path, sizeof(a.sun_path), "%s/control", w->dir);
    cr_assert(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
    pump(w);
    return fd;
}

static void say(struct world *w, int fd, uint16_t op, uint32_t id, uint64_t arg)
{
    struct control_request r = {.magic = CONTROL_REQUEST,
                                .version = CONTROL_VERSION,
                                .op = op,
                                .client = 77, /* what clients say of themselves is not believed */
                                .id = id,
                                .arg = {arg},
                                .end = CONTROL_END};

    cr_assert_eq(send(fd, &r, sizeof(r), MSG_NOSIGNAL), sizeof(r));
    pump(w);
}

/* The next request that has reached the shim; op 0: none. */
static struct control_request heard(struct world *w)
{
    struct control_request r = {0};

    pump(w);
    if (recv(w->shim, &r, sizeof(r), MSG_DONTWAIT) < 0)
        return (struct control_request){0};
    cr_assert_eq(r.magic, CONTROL_REQUEST);
    return r;
}

static void answer(struct world *w, uint16_t event, uint32_t to, uint32_t id)
{
    struct control_message m = {.magic = CONTROL_MESSAGE,
                                .version = CONTROL_VERSION,
                                .event = event,
                                .client = to,
                                .id = id,
                                .end = CONTROL_END};

    cr_assert_eq(send(w->shim, &m, sizeof(m), MSG_NOSIGNAL), sizeof(m));
    pump(w);
}

/* 1: a message has come, 0: none, -1: the connection is closed. */
static int got(int fd, struct control_message *m)
{
    ssize_t n = recv(fd, m, sizeof(*m), MSG_DONTWAIT);

    return n == sizeof(*m) ? 1 : n < 0 && errno == EAGAIN ? 0 : -1;
}

Test(server, each_gets_its_own_answer)
{
    struct control_message m;
    struct control_request a, b;
    struct world w;
    int one, two;

    open_world(&w);
    one = client(&w), two = client(&w);
    cr_assert_not(server_is_up(w.server));
    say(&w, one, CONTROL_HELLO, 5, 0);
    say(&w, two, CONTROL_HELLO, 5, 0);
    a = heard(&w), b = heard(&w);
    cr_assert_neq(a.client, b.client);
    cr_assert_lt(a.client, CONTROL_CLIENTS);
    answer(&w, 0, b.client, 5);
    cr_assert_eq(got(one, &m), 0);
    cr_assert_eq(got(two, &m), 1);
    answer(&w, 0, a.client, 5);
    cr_assert_eq(got(one, &m), 1);
    cr_assert(server_is_up(w.server));
    close(one), close(two);
    close_world(&w);
}

Test(server, one_request_at_a_time)
{
    struct control_request r;
    struct world w;
    int one;

    open_world(&w);
    one = client(&w);
    say(&w, one, CONTROL_HELLO, 1, 0);
    say(&w, one, CONTROL_HELLO, 2, 0);
    r = heard(&w);
    cr_assert_eq(r.id, 1);
    cr_assert_eq(heard(&w).op, 0);
    answer(&w, 0, r.client, 1);
    cr_assert_eq(heard(&w).id, 2);
    close(one);
    close_world(&w);
}

Test(server, rubbish_ends_the_connection)
{
    struct control_request bad = {.magic = CONTROL_REQUEST, .op = CONTROL_HELLO}; /* has no end */
    struct control_message m;
    struct world w;
    int one, two, good;

    open_world(&w);
    good = client(&w), one = client(&w), two = client(&w);
    cr_assert_eq(send(one, "what is this?", 13, 0), 13);
    cr_assert_eq(send(two, &bad, sizeof(bad), 0), sizeof(bad));
    pump(&w);
    cr_assert_eq(got(one, &m), -1);
    cr_assert_eq(got(two, &m), -1);
    cr_assert_eq(heard(&w).op, CONTROL_BYE);
    cr_assert_eq(heard(&w).op, CONTROL_BYE);
    say(&w, good, CONTROL_HELLO, 1, 0);
    cr_assert_eq(heard(&w).op, CONTROL_HELLO);
    close(one), close(two), close(good);
    close_world(&w);
}

Test(server, half_a_request_reaches_nobody)
{
    struct control_request r = {.magic = CONTROL_REQUEST, .op = CONTROL_PAUSE, .end = CONTROL_END};
    struct world w;
    int one, two;

    open_world(&w);
    one = client(&w), two = client(&w);
    cr_assert_eq(send(one, &r, 50, 0), 50);
    say(&w, two, CONTROL_HELLO, 9, 0);
    cr_assert_eq(heard(&w).id, 9);
    close(one);
    cr_assert_eq(heard(&w).op, CONTROL_BYE);
    cr_assert_eq(heard(&w).op, 0);
    close(two);
    close_world(&w);
}

/* Its number belongs to the dead until the shim has forgotten it. */
Test(server, a_client_dies_with_its_request_on_the_way)
{
    struct control_message m;
    struct control_request r, next;
    struct world w;
    int one, two;

    open_world(&w);
    one = client(&w);
    say(&w, one, CONTROL_CREATE, 1, 0);
    r = heard(&w);
    close(one);
    pump(&w);
    two = client(&w);
    say(&w, two, CONTROL_HELLO, 2, 0);
    next = heard(&w);
    cr_assert_neq(next.client, r.client);
    answer(&w, 0, r.client, 1);
    cr_assert_eq(got(two, &m), 0, "the answer is not another's");
    next = heard(&w);
    cr_assert_eq(next.op, CONTROL_BYE);
    cr_assert_eq(next.client, r.client);
    answer(&w, 0, r.client, 0);
    one = client(&w);
    say(&w, one, CONTROL_HELLO, 3, 0);
    cr_assert_eq(heard(&w).client, r.client, "now it is free");
    close(one), close(two);
    close_world(&w);
}

Test(server, events_for_those_who_asked)
{
    struct control_message m;
    struct control_request r;
    struct world w;
    int one, two;

    open_world(&w);
    one = client(&w), two = client(&w);
    say(&w, two, CONTROL_EVENTS, 1, 1 << CONTROL_EVENT_CONSOLE);
    r = heard(&w);
    cr_assert_eq(r.op, CONTROL_EVENTS);
    answer(&w, 0, r.client, 1);
    cr_assert_eq(got(two, &m), 1);
    answer(&w, CONTROL_EVENT_CONSOLE, 0, 0);
    answer(&w, CONTROL_EVENT_DOMAIN, 0, 0);
    answer(&w, 60000, 0, 0);
    cr_assert_eq(got(one, &m), 0);
    cr_assert_eq(got(two, &m), 1);
    cr_assert_eq(m.event, CONTROL_EVENT_CONSOLE);
    cr_assert_eq(got(two, &m), 0);
    say(&w, two, CONTROL_HELLO, 2, 0);
    answer(&w, CONTROL_EVENT_CONSOLE, 0, 0);
    cr_assert_eq(got(two, &m), 0, "hello has made it forget");
    close(one), close(two);
    close_world(&w);
}

Test(server, who_does_not_read_is_left_behind)
{
    struct control_message m;
    struct control_request r;
    struct world w;
    int deaf, other, n = 0, state;

    open_world(&w);
    deaf = client(&w), other = client(&w);
    say(&w, deaf, CONTROL_EVENTS, 1, 1 << CONTROL_EVENT_CONSOLE);
    r = heard(&w);
    answer(&w, 0, r.client, 1);
    for (int i = 0; i < 20000; i++)
        answer(&w, CONTROL_EVENT_CONSOLE, 0, 0);
    r = heard(&w);
    cr_assert_eq(r.op, CONTROL_BYE, "the shim is told");
    while ((state = got(deaf, &m)) == 1)
        n++;
    cr_assert_eq(state, -1);
    cr_assert_lt(n, 20000);
    say(&w, other, CONTROL_HELLO, 4, 0);
    cr_assert_eq(heard(&w).id, 4);
    close(deaf), close(other);
    close_world(&w);
}

Test(server, no_more_clients_than_numbers)
{
    struct control_message m;
    struct world w;
    int fd[CONTROL_CLIENTS + 1];

    open_world(&w);
    for (unsigned i = 0; i <= CONTROL_CLIENTS; i++)
        fd[i] = client(&w);
    cr_assert_eq(got(fd[CONTROL_CLIENTS - 1], &m), 0);
    cr_assert_eq(got(fd[CONTROL_CLIENTS], &m), -1);
    close(fd[3]);
    cr_assert_eq(heard(&w).client, 3);
    answer(&w, 0, 3, 0);
    close(fd[CONTROL_CLIENTS]);
    fd[3] = client(&w);
    say(&w, fd[3], CONTROL_HELLO, 1, 0);
    cr_assert_eq(heard(&w).client, 3);
    for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
        close(fd[i]);
    close_world(&w);
}

Test(server, a_shim_that_talks_nonsense)
{
    struct control_message m;
    struct world w;
    int one;

    open_world(&w);
    one = client(&w);
    say(&w, one, CONTROL_HELLO, 1, 0);
    heard(&w);
    cr_assert_eq(send(w.shim, "nonsense", 8, 0), 8);
    answer(&w, 0, 12345678, 1); /* to a client that there cannot be */
    answer(&w, 0, 0, 1);
    while (got(one, &m) == 1)
        cr_assert_eq(m.magic, CONTROL_MESSAGE);
    say(&w, one, CONTROL_POWER_OFF, 2, 0);
    cr_assert_eq(heard(&w).op, CONTROL_POWER_OFF);
    cr_assert(server_ends(w.server));
    close(one);
    close_world(&w);
}

Test(server, a_directory_that_is_not_there)
{
    FILE *quiet = fopen("/dev/null", "w");

    say_to(quiet);
    cr_assert_null(server_open("/tmp/pv-no-such-directory", -1));
    say_to(NULL);
    fclose(quiet);
}
