/* SPDX-License-Identifier: MIT */
/*
 * store.c - xenstore's client against a store that is honest, slow, or lies.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include "world.h"

static void setup(void)
{
    world_reset();
    world_write(HOME "name", "straw");
}

TestSuite(store, .init = setup);

Test(store, reads_writes_removes)
{
    char text[16];
    uint64_t n;

    cr_assert_eq(pv_xenstore_read(0, "name", text, sizeof(text)), 5);
    cr_assert_str_eq(text, "straw");
    cr_assert_eq(pv_xenstore_read(0, HOME "name", text, 6), 5, "just fits");
    cr_assert_eq(pv_xenstore_read(0, "name", text, 5), -XEN_ERANGE);
    cr_assert_eq(pv_xenstore_read(0, "nothing", text, sizeof(text)), -XEN_ENOENT);
    cr_assert_eq(pv_xenstore_write(0, "data/x", "17", 2), 0);
    cr_assert_str_eq(world_read(HOME "data/x"), "17");
    cr_assert_eq(pv_xenstore_read_number(0, "data/x", &n), 0);
    cr_assert_eq(n, 17);
    cr_assert_eq(pv_xenstore_read_number(0, "name", &n), -XEN_EINVAL);
    cr_assert_eq(pv_xenstore_printf(0, "data", "y", "%u-%s", 3, "z"), 0);
    cr_assert_str_eq(world_read(HOME "data/y"), "3-z");
    cr_assert_eq(pv_xenstore_printf(0, "", "top", "%u", 1), 0);
    cr_assert_str_eq(world_read(HOME "top"), "1");
    cr_assert_eq(pv_xenstore_mkdir(0, "data/dir"), 0);
    cr_assert(world_exists(HOME "data/dir"));
    cr_assert_eq(pv_xenstore_rm(0, "data"), 0);
    cr_assert_not(world_exists(HOME "data/dir"));
    cr_assert_eq(pv_xenstore_rm(0, "data"), -XEN_ENOENT);
    cr_assert_eq(pv_xenstore_write(0, "/local/domain/0/x", "", 0), -XEN_EACCES);
    cr_assert_eq(pv_xenstore_domain_path(3, text, sizeof(text)), 15);
    cr_assert_str_eq(text, "/local/domain/3");
}

/* A store that moves few bytes at a time: messages go around the ring in pieces, both ways. */
Test(store, a_slow_store_is_waited_for)
{
    static char big[600], back[700];

    memset(big, 'q', sizeof(big));
    for (world.chunk = 1; world.chunk < 40; world.chunk += 7) {
        big[0] = (char)('a' + world.chunk % 26);
        cr_assert_eq(pv_xenstore_write(0, "big", big, 500), 0);
        cr_assert_eq(pv_xenstore_read(0, "big", back, sizeof(back)), 500);
        cr_assert_arr_eq(big, back, 500);
    }
}

Test(store, requests_that_are_too_long_are_not_sent)
{
    static char path[5000], value[4100];
    unsigned before;

    pv_xenstore_port();
    before = world.requests;
    memset(path, 'p', sizeof(path) - 1);
    cr_assert_eq(pv_xenstore_rm(0, path), -XEN_ENAMETOOLONG);
    cr_assert_eq(pv_xenstore_write(0, "v", value, sizeof(value)), -XEN_ENAMETOOLONG);
    cr_assert_eq(world.requests, before);
    cr_assert_eq(pv_xenstore_mkdir(0, "still-works"), 0);
}

Test(store, lists_of_any_length)
{
    static char names[8192], small[64];
    unsigned n = 0;
    int length;

    cr_assert_eq(pv_xenstore_directory(0, "nothing", names, sizeof(names)), -XEN_ENOENT);
    length = pv_xenstore_directory(0, "/local/domain/7", names, sizeof(names));
    cr_assert_eq(length, 5);
    cr_assert_str_eq(names, "name");
    for (unsigned i = 0; i < 700; i++) {
        char path[64];

        snprintf(path, sizeof(path), "/long/entry-%03u", i);
        world_write(path, "%u", i);
    }
    length = pv_xenstore_directory(0, "/long", names, sizeof(names));
    cr_assert_eq(length, 700 * 10);
    for (int at = 0; at < length; at += (int)strlen(names + at) + 1, n++)
        cr_assert_eq(strlen(names + at), 9);
    cr_assert_eq(n, 700);
    cr_assert_eq(pv_xenstore_directory(0, "/long", small, sizeof(small)), -XEN_ERANGE);
}

/* The list changes between its parts: it is fetched anew, and is then one that existed. */
static unsigned parts;
static void grow(struct xen_xsd_sockmsg *h, char *payload)
{
    (void)payload;
    if (h->type == XEN_XS_DIRECTORY_PART && ++parts == 5)
        world_rm("/long/entry-000");
}

Test(store, a_list_that_changes_is_fetched_again)
{
    static char names[8192];

    for (unsigned i = 0; i < 700; i++) {
        char path[64];

        snprintf(path, sizeof(path), "/long/entry-%03u", i);
        world_write(path, "%u", i);
    }
    world.mangle = grow;
    cr_assert_eq(pv_xenstore_directory(0, "/long", names, sizeof(names)), 699 * 10);
}

Test(store, permissions)
{
    struct pv_xenstore_perm set[] = {{'n', 7}, {'r', 0}, {'b', 65535}}, got[4];
    struct pv_xenstore_perm many[17];

    cr_assert_eq(pv_xenstore_set_perms(0, "name", set, 3), 0);
    cr_assert_eq(pv_xenstore_get_perms(0, "name", got, 4), 3);
    for (unsigned i = 0; i < 3; i++)
        cr_assert(got[i].access == set[i].access && got[i].dom == set[i].dom);
    cr_assert_eq(pv_xenstore_get_perms(0, "name", got, 1), 3, "more than there is room for");
    cr_assert_eq(pv_xenstore_set_perms(0, "name", many, 17), -XEN_E2BIG);
    cr_assert_eq(pv_xenstore_get_perms(0, "nothing", got, 4), -XEN_ENOENT);
}

/* Transactions ------------------------------------------------------------------------------ */

static unsigned bodies;
static int body(uint32_t tx, void *arg)
{
    bodies++;
    if (arg)
        return -XEN_EPERM;
    return pv_xenstore_printf(tx, "data", "n", "%u", bodies);
}

Test(store, a_transaction_is_repeated_while_others_interfere)
{
    world.conflicts = 3;
    cr_assert_eq(pv_xenstore_transaction(body, NULL), 0);
    cr_assert_eq(bodies, 4);
    cr_assert_str_eq(world_read(HOME "data/n"), "4");
    cr_assert_eq(pv_xenstore_transaction(body, &bodies), -XEN_EPERM, "the body's own error");
    cr_assert_eq(bodies, 5);
    world.conflicts = ~0u;
    cr_assert_eq(pv_xenstore_transaction(body, NULL), -XEN_EAGAIN, "not for ever");
}

/* Watches ----------------------------------------------------------------------------------- */

static unsigned calls[2];
static char last[16];
static void changed(struct pv_xenstore_watch *w)
{
    calls[(uintptr_t)w->arg]++;
    /* A callback may ask, too. */
    if (pv_xenstore_read(0, w->path, last, sizeof(last)) < 0)
        last[0] = 0;
}
static struct pv_xenstore_watch a = {.path = "data/a", .changed = changed, .arg = (void *)0};
static struct pv_xenstore_watch b = {.path = "data", .changed = changed, .arg = (void *)1};

Test(store, watches_by_event)
{
    cr_assert_eq(pv_xenstore_watch(&a), 0);
    cr_assert_eq(pv_xenstore_watch(&b), 0);
    pv_xenstore_poll();
    cr_assert_eq(calls[0], 1, "once at the beginning");
    cr_assert_eq(calls[1], 1);
    /* Somebody else writes; the store's event is what runs the callback. */
    world_write(HOME "data/a", "new");
    pv_event_send(STORE_PORT); /* the world's turn */
    cr_assert_eq(calls[0], 2);
    cr_assert_eq(calls[1], 2);
    cr_assert_eq(pv_xenstore_unwatch(&b), 0);
    world_write(HOME "data/a", "newer");
    pv_event_send(STORE_PORT);
    cr_assert_eq(calls[0], 3);
    cr_assert_eq(calls[1], 2);
    cr_assert_str_eq(last, "newer");
    cr_assert_eq(pv_xenstore_unwatch(&b), -XEN_ENOENT);
}

Test(store, watches_by_polling_and_none_lost)
{
    pv_events_disable();
    cr_assert_eq(pv_xenstore_watch(&a), 0);
    for (unsigned i = 0; i < 1000; i++) {
        world_write(HOME "data/a", "%u", i);
        if (i % 100 == 99) {
            pv_sched_poll((uint32_t[]){STORE_PORT}, 1, 0);
            pv_xenstore_poll();
        }
    }
    for (unsigned i = 0; i < 100; i++) {
        pv_sched_poll((uint32_t[]){STORE_PORT}, 1, 0);
        pv_xenstore_poll();
    }
    cr_assert_str_eq(last, "999");
    cr_assert_gt(calls[0], 1);
}

Test(store, more_watches_than_there_are)
{
    static struct pv_xenstore_watch w[PV_XENSTORE_WATCHES + 1];

    for (unsigned i = 0; i <= PV_XENSTORE_WATCHES; i++) {
        w[i] = (struct pv_xenstore_watch){.path = "w", .changed = changed};
        cr_assert_eq(pv_xenstore_watch(&w[i]), i < PV_XENSTORE_WATCHES ? 0 : -XEN_ENOSPC);
    }
    cr_assert_eq(pv_xenstore_unwatch(&w[3]), 0);
    cr_assert_eq(pv_xenstore_watch(&w[PV_XENSTORE_WATCHES]), 0);
}

Test(store, reconnecting_sets_watches_again)
{
    pv_xenstore_watch(&a);
    pv_xenstore_poll();
    cr_assert_eq(calls[0], 1);
    cr_assert_eq(pv_xenstore_reconnect(), 0);
    cr_assert_eq(calls[0], 2, "it may have changed meanwhile");
    world_write(HOME "data/a", "after");
    pv_event_send(STORE_PORT);
    cr_assert_str_eq(last, "after");

    /* A store that keeps its watches over a reconnection that it doesn't know. */
    world_page()->server_features = 0;
    cr_assert_eq(pv_xenstore_reconnect(), 0);
    world_write(HOME "data/a", "again");
    pv_event_send(STORE_PORT);
    cr_assert_str_eq(last, "again");
}

/* Liars ------------------------------------------------------------------------------------- */

static int lie; /* which one */
static void liar(struct xen_xsd_sockmsg *h, char *payload)
{
    switch (lie) {
    case 0: /* an answer to what was not asked yet */
        h->req_id++;
        break;
    case 1: /* to another request */
        h->type = h->type == XEN_XS_READ ? XEN_XS_WRITE : XEN_XS_READ;
        break;
    case 2: /* longer than a message */
        h->len = XENSTORE_PAYLOAD_MAX + 1;
        break;
    case 3:
        h->len = UINT32_MAX;
        break;
    case 4: /* a watch event without a token */
        h->type = XEN_XS_WATCH_EVENT;
        memset(payload, 'x', h->len);
        break;
    case 5: /* the same in no bytes at all */
        h->type = XEN_XS_WATCH_EVENT;
        h->len = 0;
        break;
    default: /* an error that nobody knows */
        h->type = XEN_XS_ERROR;
        strcpy(payload, "ELEPHANT");
        h->len = 9;
    }
}

Test(store, what_a_store_cannot_say_breaks_the_connection_and_nothing_more)
{
    char text[16];

    for (lie = 0; lie < 6; lie++) {
        world.mangle = liar;
        cr_assert_eq(pv_xenstore_read(0, "name", text, sizeof(text)), -XEN_EIO, "lie %d", lie);
        world.mangle = NULL;
        cr_assert_eq(pv_xenstore_read(0, "name", text, sizeof(text)), -XEN_EIO, "and stays so");
        cr_assert_eq(pv_xenstore_reconnect(), 0);
        cr_assert_eq(pv_xenstore_read(0, "name", text, sizeof(text)), 5, "lie %d", lie);
    }
    world.mangle = liar;
    cr_assert_eq(pv_xenstore_read(0, "name", text, sizeof(text)), -XEN_EINVAL, "just an error");
}

Test(store, impossible_indices)
{
    struct xenstore_domain_interface *p = world_page();
    char text[16];

    cr_assert_eq(pv_xenstore_read(0, "name", text, sizeof(text)), 5);
    p->rsp_prod += XENSTORE_RING_SIZE + 1;
    cr_assert_eq(pv_xenstore_read(0, "name", text, sizeof(text)), -XEN_EIO);
    cr_assert_eq(pv_xenstore_reconnect(), 0);
    p->req_cons += 1;
    cr_assert_eq(pv_xenstore_mkdir(0, "x"), -XEN_EIO, "it has read what was not written");
    cr_assert_eq(pv_xenstore_reconnect(), 0);
    /* Our own indices in the page are for the store: what it writes there does not matter. */
    p->rsp_cons = 0x1234;
    p->rsp_prod = 0;
    cr_assert_eq(pv_xenstore_reconnect(), 0);
    cr_assert_eq(pv_xenstore_read(0, "name", text, sizeof(text)), 5);
}

Test(store, a_store_that_does_not_answer)
{
    char text[16];
    uint64_t before = pv_time_now();

    pv_xenstore_port();
    world.mute = true;
    cr_assert_eq(pv_xenstore_read(0, "name", text, sizeof(text)), -XEN_ETIMEDOUT);
    cr_assert_geq(pv_time_now() - before, PV_XENSTORE_PATIENCE);
    /* It answers after all: the late reply is nobody's, the next one is ours. */
    world.mute = false;
    cr_assert_eq(pv_xenstore_read(0, "nothing", text, sizeof(text)), -XEN_ENOENT);
    cr_assert_eq(pv_xenstore_read(0, "name", text, sizeof(text)), 5);
}

Test(store, no_store)
{
    char text[16];

    fake_start.store_evtchn = 0;
    cr_assert_eq(pv_xenstore_port(), 0);
    cr_assert_eq(pv_xenstore_read(0, "name", text, sizeof(text)), -XEN_ENODEV);
    cr_assert_eq(pv_xenstore_watch(&a), -XEN_ENODEV);
    pv_xenstore_poll();
}
