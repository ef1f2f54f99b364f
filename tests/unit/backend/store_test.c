/* SPDX-License-Identifier: MIT
 *
 * store_test.c - xenstore: the tree, rights, transactions, watches, quotas; and the wire as a guest
 * sees it, with guests that break its rules.
 */
#include "tests/unit/core/exec_fixture.h"
#include "backend/store.h"
#include "backend/xenstore.h"
#include <pv/abi/xenstore.h>
#include <stdio.h>
#include <stdlib.h>

enum { PAGE = 7 };

/* -- a guest's end of the wire --------------------------------------------------------------- */

struct answer {
    struct xen_xsd_sockmsg h;
    char text[XENSTORE_PAYLOAD_MAX + 1];
};

enum { EVENTS = 4 };

struct client {
    struct hosted_guest *guest;
    struct xenstore_domain_interface *ring;
    uint32_t next_id;
    struct answer event[EVENTS]; /* those that came before a reply */
    unsigned events, taken;
};

static struct client one, two;

static void connect_client(struct client *c, struct hosted_guest *who)
{
    c->guest = who;
    c->ring = hosted_page(who, PAGE);
    memset(c->ring, 0, sizeof(*c->ring));
    who->d->store_port = evtchn_bind_backend(who->d, BACKEND_STORE);
    xenstore_attach(who->d, c->ring);
}

static void setup(void)
{
    exec_setup();
    connect_client(&one, g);
    connect_client(&two, other);
}
TestSuite(store, .init = setup, .fini = exec_teardown);

static void put_bytes(struct client *c, const void *from, size_t n)
{
    const char *s = from;

    while (n--) {
        if (c->ring->req_prod - c->ring->req_cons == XENSTORE_RING_SIZE)
            xenstore_notified(c->guest->d);
        c->ring->req[c->ring->req_prod++ % XENSTORE_RING_SIZE] = *s++;
    }
}

static void put_message(struct client *c, uint32_t type, uint32_t tx, const void *data, size_t n)
{
    struct xen_xsd_sockmsg h = {type, ++c->next_id, tx, (uint32_t)n};

    put_bytes(c, &h, sizeof(h));
    put_bytes(c, data, n);
    xenstore_notified(c->guest->d);
}

static bool get_bytes(struct client *c, void *to, size_t n)
{
    char *s = to;

    while (n--) {
        if (c->ring->rsp_prod == c->ring->rsp_cons)
            xenstore_notified(c->guest->d);
        if (c->ring->rsp_prod == c->ring->rsp_cons)
            return false;
        *s++ = c->ring->rsp[c->ring->rsp_cons++ % XENSTORE_RING_SIZE];
    }
    return true;
}

/* The next message, or none. */
static bool get_message(struct client *c, struct answer *a)
{
    if (c->taken < c->events) {
        *a = c->event[c->taken++];
        return true;
    }
    if (!get_bytes(c, &a->h, sizeof(a->h)))
        return false;
    cr_assert_leq(a->h.len, XENSTORE_PAYLOAD_MAX);
    cr_assert(get_bytes(c, a->text, a->h.len));
    a->text[a->h.len] = 0;
    return true;
}

/* A request of n bytes and its reply; events that come before it are kept. */
static struct answer *ask_bytes(struct client *c, uint32_t type, uint32_t tx, const void *data,
                                size_t n)
{
    static struct answer a;

    cr_assert_eq(c->taken, c->events);
    c->taken = c->events = 0;
    put_message(c, type, tx, data, n);
    for (;;) {
        cr_assert(get_message(c, &a), "no answer");
        if (a.h.type != XEN_XS_WATCH_EVENT)
            break;
        cr_assert_lt(c->events, EVENTS);
        c->event[c->events++] = a;
        c->taken = c->events;
    }
    c->taken = 0;
    cr_assert_eq(a.h.req_id, c->next_id);
    cr_assert(a.h.type == type || a.h.type == XEN_XS_ERROR);
    return &a;
}

static struct answer *ask(struct client *c, uint32_t type, uint32_t tx, const char *text)
{
    return ask_bytes(c, type, tx, text, strlen(text) + 1);
}

#define assert_answer(a_, text_)                                                     \
    do {                                                                             \
        struct answer *an_ = (a_);                                                   \
        cr_assert_neq(an_->h.type, XEN_XS_ERROR, "%s: %s", #a_, an_->text);          \
        cr_assert_str_eq(an_->text, text_);                                          \
    } while (0)
#define assert_error(a_, name_)                                                      \
    do {                                                                             \
        struct answer *an_ = (a_);                                                   \
        cr_assert_eq(an_->h.type, XEN_XS_ERROR, "%s: %s", #a_, an_->text);           \
        cr_assert_str_eq(an_->text, name_);                                          \
    } while (0)

static struct answer *write_value(struct client *c, uint32_t tx, const char *path, const char *v_)
{
    char data[XENSTORE_PAYLOAD_MAX];
    size_t n = strlen(path) + 1;

    memcpy(data, path, n);
    memcpy(data + n, v_, strlen(v_));
    return ask_bytes(c, XEN_XS_WRITE, tx, data, n + strlen(v_));
}

static uint32_t begin(struct client *c)
{
    return (uint32_t)atoi(ask(c, XEN_XS_TRANSACTION_START, 0, "")->text);
}

static struct answer *end(struct client *c, uint32_t tx, const char *how)
{
    return ask(c, XEN_XS_TRANSACTION_END, tx, how);
}

/* "path\0token" */
static struct answer *watch(struct client *c, uint32_t type, const char *path, const char *token)
{
    char data[256];
    int n = snprintf(data, sizeof(data), "%s%c%s", path, 0, token);

    return ask_bytes(c, type, 0, data, (size_t)n + 1);
}

#define assert_event(c_, path_, token_)                                              \
    do {                                                                             \
        struct answer ev_;                                                           \
        cr_assert(get_message(c_, &ev_), "no event");                                \
        cr_assert_eq(ev_.h.type, XEN_XS_WATCH_EVENT);                                \
        cr_assert_str_eq(ev_.text, path_);                                           \
        cr_assert_str_eq(ev_.text + strlen(path_) + 1, token_);                      \
    } while (0)
#define assert_quiet(c_)                                                             \
    do {                                                                             \
        struct answer ev_;                                                           \
        cr_assert(!get_message(c_, &ev_), "event %s", ev_.text);                     \
    } while (0)

/* -- reading and writing --------------------------------------------------------------------------- */

Test(store, a_new_guest_finds_its_home)
{
    assert_answer(ask(&one, XEN_XS_READ, 0, "domid"), "1");
    assert_answer(ask(&one, XEN_XS_READ, 0, "/local/domain/1/domid"), "1");
    assert_answer(ask(&one, XEN_XS_GET_DOMAIN_PATH, 0, "2"), "/local/domain/2");
    assert_answer(ask(&one, XEN_XS_IS_DOMAIN_INTRODUCED, 0, "2"), "T");
    assert_answer(ask(&one, XEN_XS_IS_DOMAIN_INTRODUCED, 0, "9"), "F");
    cr_assert(bit(g->d->shared->evtchn_pending, g->d->store_port), "it is told of the answer");
}

Test(store, what_is_written_is_read_and_listed)
{
    assert_answer(write_value(&one, 0, "data/a/b", "hello"), "OK");
    assert_answer(ask(&one, XEN_XS_READ, 0, "data/a/b"), "hello");
    assert_answer(ask(&one, XEN_XS_READ, 0, "data/a"), "");
    assert_answer(ask(&one, XEN_XS_MKDIR, 0, "data/c"), "OK");
    assert_answer(ask(&one, XEN_XS_MKDIR, 0, "data/c"), "OK");
    struct answer *a = ask(&one, XEN_XS_DIRECTORY, 0, "data");
    cr_assert_eq(a->h.len, 4);
    cr_assert_eq(memcmp(a->text, "a\0c", 4), 0);
    assert_answer(ask(&one, XEN_XS_RM, 0, "data/a"), "OK");
    assert_error(ask(&one, XEN_XS_READ, 0, "data/a/b"), "ENOENT");
    assert_answer(ask(&one, XEN_XS_RM, 0, "data/a"), "OK"); /* as good as removed */
    assert_error(ask(&one, XEN_XS_RM, 0, "data/x/y"), "ENOENT");
    assert_error(ask(&one, XEN_XS_RM, 0, "/"), "EINVAL");
}

Test(store, values_are_bytes_of_any_kind)
{
    static const char data[] = "data/x\0\0\1\2\xff";
    assert_answer(ask_bytes(&one, XEN_XS_WRITE, 0, data, 11), "OK");
    struct answer *a = ask(&one, XEN_XS_READ, 0, "data/x");
    cr_assert_eq(a->h.len, 4);
    cr_assert_eq(memcmp(a->text, "\0\1\2\xff", 4), 0);
    assert_answer(write_value(&one, 0, "data/x", ""), "OK");
    cr_assert_eq(ask(&one, XEN_XS_READ, 0, "data/x")->h.len, 0);
}

Test(store, bad_paths_are_refused)
{
    static const char *const bad[] = {"", "data/", "data//x", "/", "data/a b", "data/\x80", "data/x*"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (strcmp(bad[i], "/") && bad[i][0])
            assert_error(write_value(&one, 0, bad[i], "x"), "EINVAL");
    char deep[200] = "data";
    for (int i = 0; i < 40; i++)
        strcat(deep, "/x");
    assert_error(write_value(&one, 0, deep, "x"), "EINVAL");
    char longer[2100];
    memset(longer, 'a', sizeof(longer));
    longer[2099] = 0;
    assert_error(ask(&one, XEN_XS_READ, 0, longer), "EINVAL");
    assert_error(ask(&one, 99, 0, ""), "ENOSYS");
    assert_error(ask(&one, XEN_XS_CONTROL, 0, "help"), "EACCES");
    assert_error(ask(&one, XEN_XS_GET_DOMAIN_PATH, 0, "banana"), "EINVAL");
}

Test(store, long_directories_come_in_parts)
{
    char path[64], names[8192];
    size_t used = 0;
    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof(path), "/many/name-number-%03d", i);
        cr_assert(store_write(path, "x"));
    }
    assert_error(ask(&one, XEN_XS_DIRECTORY, 0, "/many"), "E2BIG");
    for (;;) {
        int n = snprintf(path, sizeof(path), "/many%c%zu", 0, used);
        struct answer *a = ask_bytes(&one, XEN_XS_DIRECTORY_PART, 0, path, (size_t)n + 1);
        cr_assert_neq(a->h.type, XEN_XS_ERROR);
        size_t head = strlen(a->text) + 1, got = a->h.len - head;
        memcpy(names + used, a->text + head, got);
        used += got;
        if (names[used - 1] == 0 && names[used - 2] == 0)
            break;
    }
    cr_assert_eq(used, 300 * strlen("name-number-000") + 300 + 1);
}

/* -- rights ---------------------------------------------------------------------------------------- */

Test(store, guests_cannot_touch_what_is_not_theirs)
{
    assert_answer(write_value(&one, 0, "data/secret", "x"), "OK");
    assert_error(ask(&two, XEN_XS_READ, 0, "/local/domain/1/data/secret"), "EACCES");
    assert_error(write_value(&two, 0, "/local/domain/1/data/new", "x"), "EACCES");
    assert_error(ask(&two, XEN_XS_RM, 0, "/local/domain/1/data/secret"), "EACCES");
    assert_error(write_value(&one, 0, "domid", "7"), "EACCES");
    assert_error(write_value(&one, 0, "/mine", "7"), "EACCES");
    static const char give[] = "data/secret\0n1\0r2";
    assert_answer(ask_bytes(&one, XEN_XS_SET_PERMS, 0, give, sizeof(give)), "OK");
    assert_answer(ask(&two, XEN_XS_READ, 0, "/local/domain/1/data/secret"), "x");
    assert_error(write_value(&two, 0, "/local/domain/1/data/secret", "y"), "EACCES");
    struct answer *a = ask(&one, XEN_XS_GET_PERMS, 0, "data/secret");
    cr_assert_eq(a->h.len, 6);
    cr_assert_eq(memcmp(a->text, "n1\0r2", 6), 0);
    static const char away[] = "data/secret\0n2";
    assert_error(ask_bytes(&one, XEN_XS_SET_PERMS, 0, away, sizeof(away)), "EPERM");
    static const char bad[] = "data/secret\0q2";
    assert_error(ask_bytes(&one, XEN_XS_SET_PERMS, 0, bad, sizeof(bad)), "EINVAL");
}

Test(store, quotas_bound_what_a_guest_can_store)
{
    char path[32], big[STORE_QUOTA_VALUE + 2];
    memset(big, 'x', sizeof(big));
    big[STORE_QUOTA_VALUE + 1] = 0;
    assert_error(write_value(&one, 0, "data/big", big), "ENOSPC");
    big[STORE_QUOTA_VALUE] = 0;
    assert_answer(write_value(&one, 0, "data/big", big), "OK");
    int n = 0;
    for (; n < STORE_QUOTA_NODES + 10; n++) {
        snprintf(path, sizeof(path), "data/n%d", n);
        if (write_value(&one, 0, path, "x")->h.type == XEN_XS_ERROR)
            break;
    }
    cr_assert_lt(n, STORE_QUOTA_NODES);
    cr_assert_gt(n, STORE_QUOTA_NODES - 50);
    assert_error(write_value(&one, 0, "data/one-more", "x"), "ENOSPC");
    assert_answer(write_value(&one, 0, "data/n0", "still"), "OK");
    assert_answer(write_value(&two, 0, "data/others", "x"), "OK");
}

/* -- transactions ------------------------------------------------------------------------------------ */

Test(store, a_transaction_is_seen_whole_or_not_at_all)
{
    uint32_t tx = begin(&one);
    assert_answer(write_value(&one, tx, "data/t", "1"), "OK");
    assert_answer(ask(&one, XEN_XS_READ, tx, "data/t"), "1");
    assert_error(ask(&one, XEN_XS_READ, 0, "data/t"), "ENOENT");
    assert_answer(end(&one, tx, "T"), "OK");
    assert_answer(ask(&one, XEN_XS_READ, 0, "data/t"), "1");
    tx = begin(&one);
    assert_answer(ask(&one, XEN_XS_RM, tx, "data/t"), "OK");
    assert_answer(end(&one, tx, "F"), "OK");
    assert_answer(ask(&one, XEN_XS_READ, 0, "data/t"), "1");
    assert_error(end(&one, tx, "T"), "ENOENT");
    assert_error(end(&one, 0, "T"), "ENOENT");
}

/* Guest 1 reads data/c and writes data/d in a transaction; meanwhile somebody writes `path`. */
static struct answer *after(struct client *who, bool in_transaction, const char *path)
{
    uint32_t a, b;

    assert_answer(write_value(&one, 0, "data/c", "0"), "OK");
    a = begin(&one);
    b = in_transaction ? begin(who) : 0;
    assert_answer(ask(&one, XEN_XS_READ, a, "data/c"), "0");
    assert_answer(write_value(&one, a, "data/d", "from a"), "OK");
    assert_answer(write_value(who, b, path, "from b"), "OK");
    if (in_transaction)
        assert_answer(end(who, b, "T"), "OK");
    return end(&one, a, "T");
}

Test(store, a_conflict_is_told_and_changes_nothing)
{
    for (int in_transaction = 0; in_transaction < 2; in_transaction++) {
        assert_error(after(&one, in_transaction, "data/c"), "EAGAIN");
        assert_error(ask(&one, XEN_XS_READ, 0, "data/d"), "ENOENT");
        assert_answer(ask(&one, XEN_XS_READ, 0, "data/c"), "from b");
    }
}

Test(store, transactions_that_do_not_meet_both_commit)
{
    assert_answer(after(&two, true, "data/z"), "OK");
    assert_answer(ask(&one, XEN_XS_READ, 0, "data/d"), "from a");
    assert_answer(ask(&two, XEN_XS_READ, 0, "data/z"), "from b");
    assert_answer(after(&one, true, "data/e"), "OK");
    assert_answer(ask(&one, XEN_XS_READ, 0, "data/e"), "from b");
}

Test(store, a_transaction_removes_and_makes_anew)
{
    assert_answer(write_value(&one, 0, "data/dir/old", "x"), "OK");
    uint32_t tx = begin(&one);
    assert_answer(ask(&one, XEN_XS_RM, tx, "data/dir"), "OK");
    assert_answer(write_value(&one, tx, "data/dir/new", "1"), "OK");
    assert_answer(end(&one, tx, "T"), "OK");
    assert_answer(ask(&one, XEN_XS_READ, 0, "data/dir/new"), "1");
    assert_error(ask(&one, XEN_XS_READ, 0, "data/dir/old"), "ENOENT");
}

Test(store, open_transactions_are_few)
{
    for (int i = 0; i < STORE_QUOTA_TRANSACTIONS; i++)
        cr_assert_gt(begin(&one), 0);
    assert_error(ask(&one, XEN_XS_TRANSACTION_START, 0, ""), "ENOSPC");
    xenstore_detach(g->d); /* its end drops them all: the audit of memory is the teardown's */
}

/* -- watches --------------------------------------------------------------------------------------------- */

Test(store, watches_fire_at_once_and_at_changes)
{
    assert_answer(watch(&one, XEN_XS_WATCH, "data", "tok"), "OK");
    assert_event(&one, "data", "tok");
    assert_answer(write_value(&one, 0, "data/x", "1"), "OK");
    assert_event(&one, "data/x", "tok");
    assert_quiet(&one);
    assert_error(watch(&one, XEN_XS_WATCH, "data", "tok"), "EEXIST");
    assert_answer(watch(&one, XEN_XS_WATCH, "data", "tok2"), "OK");
    assert_event(&one, "data", "tok2");
    assert_answer(watch(&one, XEN_XS_UNWATCH, "data", "tok"), "OK");
    assert_error(watch(&one, XEN_XS_UNWATCH, "data", "tok"), "ENOENT");
    assert_answer(write_value(&one, 0, "data/x", "2"), "OK");
    assert_event(&one, "data/x", "tok2");
    assert_quiet(&one);
    assert_answer(ask(&one, XEN_XS_RESET_WATCHES, 0, ""), "OK");
    assert_answer(write_value(&one, 0, "data/x", "3"), "OK");
    assert_quiet(&one);
}

Test(store, a_watch_sees_others_and_what_went_with_a_parent)
{
    cr_assert(store_write("/local/domain/1/device/vbd/0/state", "1"));
    assert_answer(watch(&one, XEN_XS_WATCH, "device/vbd/0/state", "t"), "OK");
    assert_event(&one, "device/vbd/0/state", "t");
    cr_assert(store_write("/local/domain/1/device/vbd/0/state", "4"));
    assert_event(&one, "device/vbd/0/state", "t");
    store_rm("/local/domain/1/device/vbd");
    assert_event(&one, "device/vbd/0/state", "t");
    uint32_t tx = begin(&one);
    assert_answer(watch(&one, XEN_XS_WATCH, "/local/domain/1/data", "abs"), "OK");
    assert_event(&one, "/local/domain/1/data", "abs");
    assert_answer(write_value(&one, tx, "data/q", "1"), "OK");
    assert_quiet(&one); /* not before the commit */
    assert_answer(end(&one, tx, "T"), "OK");
    assert_event(&one, "/local/domain/1/data/q", "abs");
}

Test(store, special_watches_tell_of_guests)
{
    assert_answer(watch(&one, XEN_XS_WATCH, "@releaseDomain", "r"), "OK");
    assert_event(&one, "@releaseDomain", "r");
    xenstore_detach(other->d);
    xenstore_destroy(other->d);
    assert_event(&one, "@releaseDomain", "r");
    assert_error(ask(&one, XEN_XS_READ, 0, "/local/domain/2/name"), "ENOENT");
}

static char host_saw[64];
static void host_watch(const char *path, bool removed)
{
    snprintf(host_saw, sizeof(host_saw), "%s%s", removed ? "-" : "+", path);
}

Test(store, back_ends_watch_too)
{
    char value[16];
    cr_assert(store_watch_host("/local/domain/1/data", host_watch));
    assert_answer(write_value(&one, 0, "data/f", "42"), "OK");
    cr_assert_str_eq(host_saw, "+/local/domain/1/data/f");
    cr_assert_eq(store_read("/local/domain/1/data/f", value, sizeof(value)), 2);
    cr_assert_str_eq(value, "42");
    cr_assert_eq(store_read("/local/domain/1/data/none", value, sizeof(value)), -1);
    assert_answer(ask(&one, XEN_XS_RM, 0, "data/f"), "OK");
    cr_assert_str_eq(host_saw, "-/local/domain/1/data/f");
}

Test(store, a_guest_that_reads_no_events_loses_them_alone)
{
    uint64_t before = reason_counts[RULE_STORE_EVENT_LOST];
    assert_answer(watch(&one, XEN_XS_WATCH, "data", "a-token"), "OK");
    for (int i = 0; i < 1000; i++)
        cr_assert(store_write("/local/domain/1/data/spam", "x"));
    cr_assert_gt(reason_counts[RULE_STORE_EVENT_LOST], before);
    assert_answer(ask(&two, XEN_XS_READ, 0, "domid"), "2");
    struct answer a;
    int events = 0;
    while (get_message(&one, &a))
        events++;
    cr_assert_gt(events, 200);
    assert_answer(ask(&one, XEN_XS_READ, 0, "domid"), "1");
}

/* -- hostile rings ------------------------------------------------------------------------------------------ */

Test(store, impossible_indices_break_the_connection_alone)
{
    uint64_t before = reason_counts[RULE_STORE_CONNECTION];
    one.ring->req_prod = one.ring->req_cons + XENSTORE_RING_SIZE + 1;
    xenstore_notified(g->d);
    cr_assert_eq(reason_counts[RULE_STORE_CONNECTION], before + 1);
    cr_assert_eq(one.ring->error, XENSTORE_ERROR_RINGIDX);
    xenstore_notified(g->d);
    cr_assert_eq(reason_counts[RULE_STORE_CONNECTION], before + 1, "told once");
    assert_answer(ask(&two, XEN_XS_READ, 0, "domid"), "2");
}

Test(store, the_other_index_too)
{
    one.ring->rsp_cons = one.ring->rsp_prod + 1;
    put_message(&one, XEN_XS_READ, 0, "domid", 6);
    cr_assert_eq(one.ring->error, XENSTORE_ERROR_RINGIDX);
}

Test(store, a_message_that_is_too_long_breaks_it)
{
    struct xen_xsd_sockmsg h = {XEN_XS_READ, 1, 0, XENSTORE_PAYLOAD_MAX + 1};
    put_bytes(&one, &h, sizeof(h));
    xenstore_notified(g->d);
    cr_assert_eq(one.ring->error, XENSTORE_ERROR_PROTO);
}

Test(store, a_guest_begins_anew)
{
    struct answer a;

    assert_answer(watch(&one, XEN_XS_WATCH, "data", "a-token"), "OK");
    cr_assert(get_message(&one, &a), "the watch fires once at once");
    one.ring->req_prod = one.ring->req_cons + XENSTORE_RING_SIZE + 1;
    xenstore_notified(g->d);
    cr_assert_eq(one.ring->error, XENSTORE_ERROR_RINGIDX);
    one.ring->connection = XENSTORE_RECONNECT;
    xenstore_notified(g->d);
    cr_assert_eq(one.ring->connection, XENSTORE_CONNECTED);
    cr_assert_eq(one.ring->error, XENSTORE_ERROR_NONE);
    cr_assert_eq(one.ring->req_cons | one.ring->req_prod | one.ring->rsp_cons | one.ring->rsp_prod,
                 0);
    assert_answer(ask(&one, XEN_XS_READ, 0, "domid"), "1");
    cr_assert(store_write("/local/domain/1/data/x", "y"));
    cr_assert_not(get_message(&one, &a), "its watches are gone");
}

Test(store, random_bytes_hurt_nobody)
{
    srand(1);
    for (int round = 0; round < 300; round++) {
        char junk[64];
        struct xen_xsd_sockmsg h = {(uint32_t)rand() % 24, 1, (uint32_t)rand() % 3,
                                    (uint32_t)rand() % sizeof(junk)};
        struct answer a;
        for (size_t i = 0; i < sizeof(junk); i++)
            junk[i] = "/ab0\0@nrwbTF12"[rand() % 14];
        put_bytes(&one, &h, sizeof(h));
        put_bytes(&one, junk, h.len);
        xenstore_notified(g->d);
        while (get_message(&one, &a))
            ;
    }
    cr_assert_eq(one.ring->error, XENSTORE_ERROR_NONE);
    assert_answer(ask(&two, XEN_XS_READ, 0, "domid"), "2");
}

/* -- against a slow model: what a plain list of paths would hold ----------------------------------------------- */

enum { NAMES = 40, STEPS = 3000 };

Test(store, random_operations_agree_with_a_list)
{
    static char value[NAMES][8];
    static bool there[NAMES];
    char path[32], text[8];
    srand(7);
    for (int step = 0; step < STEPS; step++) {
        int k = rand() % NAMES;
        snprintf(path, sizeof(path), "/model/%d/%d", k % 5, k);
        if (rand() % 3) {
            snprintf(value[k], sizeof(value[k]), "%d", rand() % 100000);
            there[k] = true;
            cr_assert(store_write(path, value[k]));
        } else {
            there[k] = false;
            store_rm(path);
        }
        k = rand() % NAMES;
        snprintf(path, sizeof(path), "/model/%d/%d", k % 5, k);
        int n = store_read(path, text, sizeof(text));
        cr_assert_eq(n >= 0, there[k]);
        if (there[k])
            cr_assert_str_eq(text, value[k]);
    }
}
