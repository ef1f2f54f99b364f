/* SPDX-License-Identifier: MIT
 *
 * xenstore.c - see xenstore.h. Requests in, replies and watch events out.
 *
 *   ring ─► in[] (one whole message) ─► the table of requests ─► out queue ─► ring
 *                                                    watch events ─┘
 *
 * The page is the guest's: indices are read once, and when they make no sense, or a message is too
 * long, the connection is broken and says so in the page's error field; nothing else follows.
 * A request is taken only while no reply waits, so what a guest can make us keep is one reply and
 * EVENTS_MAX events; what is more is lost, with a reason.
 */
#include "xenstore.h"
#include "xenstore_wire.h"
#include "../core/domain.h"
#include "../core/event.h"
#include "../core/heap.h"
#include "../core/platform.h"
#include "../core/text.h"
#include <pv/abi/errno.h>
#include <pv/abi/xenstore.h>
#include <stdatomic.h>

enum { EVENTS_MAX = 256 };

static const char *watch_token(const struct watch *w)
{
    return w->text + w->path_length + 1;
}

/* -- out ---------------------------------------------------------------------------------- */

/* Queue a message of several parts; false: no memory. */
static bool queue(struct connection *c, struct xen_xsd_sockmsg h, const char *a, size_t a_length,
                  const char *b, size_t b_length)
{
    size_t length = sizeof(h) + a_length + b_length;
    struct message *m = heap_alloc(sizeof(*m) + length), **at = &c->out;

    if (!m)
        return false;
    h.len = (uint32_t)(a_length + b_length);
    m->length = (uint32_t)length;
    __builtin_memcpy(m->bytes, &h, sizeof(h));
    if (a_length)
        __builtin_memcpy(m->bytes + sizeof(h), a, a_length);
    if (b_length)
        __builtin_memcpy(m->bytes + sizeof(h) + a_length, b, b_length);
    while (*at)
        at = &(*at)->next;
    *at = m;
    return true;
}

void connection_drop_first(struct connection *c)
{
    struct message *m = c->out;
    uint32_t type;

    __builtin_memcpy(&type, m->bytes, sizeof(type));
    if (type == XEN_XS_WATCH_EVENT)
        c->nr_events--;
    c->out = m->next;
    c->sent = 0;
    heap_free(m, sizeof(*m) + m->length);
}

static void break_connection(struct connection *c, uint32_t error, uint64_t value, uint64_t limit)
{
    c->broken = true;
    c->page->error = error;
    refuse_domain(c->domain, RULE_STORE_CONNECTION, .value = value, .limit = limit);
}

/* As much as the ring takes. True: something was sent. */
static bool flush(struct connection *c)
{
    struct xenstore_domain_interface *p = c->page;
    uint32_t prod = p->rsp_prod, cons = __atomic_load_n(&p->rsp_cons, __ATOMIC_ACQUIRE);
    bool any = false;

    if (prod - cons > XENSTORE_RING_SIZE) {
        break_connection(c, XENSTORE_ERROR_RINGIDX, prod, cons);
        return true;
    }
    while (c->out && prod - cons < XENSTORE_RING_SIZE) {
        p->rsp[prod++ % XENSTORE_RING_SIZE] = c->out->bytes[c->sent++];
        any = true;
        if (c->sent == c->out->length)
            connection_drop_first(c);
    }
    __atomic_store_n(&p->rsp_prod, prod, __ATOMIC_RELEASE); /* the guest sees the bytes first */
    return any;
}

/* -- watches ------------------------------------------------------------------------------- */

static void fire(struct connection *c, const struct watch *w, const char *path)
{
    const char *shown = w->relative ? path + text_length(c->home) + 1 : path;

    if (c->nr_events >= EVENTS_MAX) {
        refuse_domain(c->domain, RULE_STORE_EVENT_LOST, .limit = EVENTS_MAX);
        return;
    }
    if (queue(c, (struct xen_xsd_sockmsg){.type = XEN_XS_WATCH_EVENT}, shown,
              text_length(shown) + 1, watch_token(w), w->token_length + 1u))
        c->nr_events++;
}

static bool at_or_below(const char *top, const char *path)
{
    size_t n = text_length(top);

    for (size_t i = 0; i < n; i++)
        if (top[i] != path[i])
            return n == 1;
    return n == 1 || !path[n] || path[n] == '/';
}

/* Whoever watches path or something above it; when path went, also what was watched below it. */
static bool wants(const struct watch *w, const char *path, bool removed)
{
    return w->text[0] == '@' || path[0] == '@'
               ? text_equal(w->text, path)
               : at_or_below(w->text, path) || (removed && at_or_below(path, w->text));
}

static void send(struct connection *c)
{
    if (c->page && !c->broken && c->out && flush(c))
        evtchn_notify(c->domain, c->domain->store_port);
}

void xenstore_changed(const char *path, bool removed);

void xenstore_changed(const char *path, bool removed)
{
    for (unsigned id = 1; id < MAX_DOMAINS; id++) {
        struct domain *d = hv.domain[id];
        struct connection *c = d ? d->store : NULL;

        if (!c || !c->page || c->broken)
            continue;
        for (struct watch *w = c->watches; w; w = w->next)
            if (wants(w, path, removed))
                fire(c, w, at_or_below(w->text, path) || path[0] == '@' ? path : w->text);
        send(c);
    }
}

static void watch_free(struct watch *w)
{
    heap_free(w, sizeof(*w) + w->path_length + w->token_length + 2u);
}

static struct watch **watch_find(struct connection *c, const char *path, const char *token)
{
    struct watch **at = &c->watches;

    while (*at && !(text_equal((*at)->text, path) && text_equal(watch_token(*at), token)))
        at = &(*at)->next;
    return at;
}

void connection_watches_reset(struct connection *c)
{
    struct watch *w;

    while ((w = c->watches)) {
        c->watches = w->next;
        watch_free(w);
    }
    c->nr_watches = 0;
}

/* -- requests: each answers 0 when it has queued its reply, or an errno --------------------- */

struct request {
    struct connection *c;
    struct store_tx *tx;
    struct xen_xsd_sockmsg h;
    char *text; /* the payload, with a 0 behind it */
    uint32_t length;
    char path[XENSTORE_ABS_PATH_MAX + 1];
};

static struct request the_request; /* one at a time: all of this is under the one lock */

static int reply(struct request *r, const char *s, size_t n)
{
    return queue(r->c, r->h, s, n, NULL, 0) ? 0 : XEN_ENOMEM;
}

static int reply_text(struct request *r, const char *s)
{
    return reply(r, s, text_length(s) + 1);
}
static int reply_ok(struct request *r, int err)
{
    return err ? err : reply_text(r, "OK");
}

/* The string after this one in the payload; NULL when there is none. */
static char *next_string(const struct request *r, char *s)
{
    char *end = r->text + r->length;

    s += text_length(s) + 1;
    return s < end ? s : NULL;
}

/* The payload's first string as an absolute path in r->path. */
static int take_path(struct request *r)
{
    size_t n = text_length(r->text), home = text_length(r->c->home);

    if (r->text[0] == '/') {
        if (n > XENSTORE_ABS_PATH_MAX)
            return XEN_EINVAL;
        text_copy(r->path, r->text, sizeof(r->path));
    } else {
        if (n > XENSTORE_REL_PATH_MAX)
            return XEN_EINVAL;
        text_copy(r->path, r->c->home, sizeof(r->path));
        if (n) {
            r->path[home] = '/';
            text_copy(r->path + home + 1, r->text, sizeof(r->path) - home - 1);
        }
    }
    return store_path_valid(r->path, text_length(r->path)) ? 0 : XEN_EINVAL;
}

static int do_read(struct request *r)
{
    const struct store_node *n;
    int err = store_do_find(&r->c->user, r->tx, r->path, &n);

    return err ? err : reply(r, store_value(n), n->value_length);
}

/* Names from the `skip`th byte on, as many whole ones as fit behind `head`. */
static int list_names(struct request *r, const struct store_node *n, size_t skip, const char *head,
                      bool part)
{
    static char names[XENSTORE_PAYLOAD_MAX];
    size_t at = 0, used = 0, room = sizeof(names) - (part ? text_length(head) + 2 : 0);
    unsigned i;

    for (i = 0; i < n->children; i++) {
        size_t length = n->child[i]->name_length + 1u;

        if (at >= skip) {
            if (used + length > room)
                break;
            __builtin_memcpy(names + used, store_name(n->child[i]), length - 1);
            names[used + length - 1] = 0;
            used += length;
        }
        at += length;
    }
    if (!part)
        return i < n->children ? XEN_E2BIG : reply(r, names, used);
    if (i == n->children)
        names[used++] = 0; /* an empty name ends the list */
    return queue(r->c, r->h, head, text_length(head) + 1, names, used) ? 0 : XEN_ENOMEM;
}

static int do_directory(struct request *r)
{
    const struct store_node *n;
    int err = store_do_find(&r->c->user, r->tx, r->path, &n);

    return err ? err : list_names(r, n, 0, "", false);
}

static bool parse_number(const char *s, uint64_t *out)
{
    *out = 0;
    if (!*s)
        return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9' || *out > UINT32_MAX)
            return false;
        *out = *out * 10 + (uint64_t)(*s - '0');
    }
    return true;
}

static int do_directory_part(struct request *r)
{
    const struct store_node *n;
    char *offset = next_string(r, r->text), head[24];
    uint64_t skip;
    int err;

    if (!offset || !parse_number(offset, &skip))
        return XEN_EINVAL;
    err = store_do_find(&r->c->user, r->tx, r->path, &n);
    if (err)
        return err;
    text_format(head, sizeof(head), "%lu", (unsigned long)n->generation);
    return list_names(r, n, skip, head, true);
}

static int do_get_perms(struct request *r)
{
    static const char letters[] = "nrwb";
    const struct store_node *n;
    char text[STORE_PERMS_MAX * 8];
    size_t used = 0;
    int err = store_do_find(&r->c->user, r->tx, r->path, &n);

    if (err)
        return err;
    for (unsigned i = 0; i < n->perms; i++)
        used += (size_t)text_format(text + used, sizeof(text) - used, "%c%u",
                                    letters[store_perms(n)[i].access], store_perms(n)[i].domid) +
                1;
    return reply(r, text, used);
}

static int do_write(struct request *r)
{
    size_t n = text_length(r->text) + 1;

    if (n > r->length)
        return XEN_EINVAL;
    return reply_ok(r, store_do_write(&r->c->user, r->tx, r->path, r->text + n, r->length - n));
}

static int do_mkdir(struct request *r)
{
    return reply_ok(r, store_do_mkdir(&r->c->user, r->tx, r->path));
}

static int do_rm(struct request *r)
{
    return reply_ok(r, store_do_rm(&r->c->user, r->tx, r->path));
}

static bool parse_perm(const char *s, struct store_perm *p)
{
    uint64_t domid;
    uint8_t access;

    switch (s[0]) {
    case 'n':
        access = 0;
        break;
    case 'r':
        access = STORE_READ;
        break;
    case 'w':
        access = STORE_WRITE;
        break;
    case 'b':
        access = STORE_READ | STORE_WRITE;
        break;
    default:
        return false;
    }
    if (!parse_number(s + 1, &domid) || domid > UINT16_MAX)
        return false;
    *p = (struct store_perm){.domid = (uint16_t)domid, .access = access};
    return true;
}

static int do_set_perms(struct request *r)
{
    struct store_perm p[STORE_PERMS_MAX];
    unsigned count = 0;

    for (char *s = next_string(r, r->text); s; s = next_string(r, s)) {
        if (count == STORE_PERMS_MAX)
            return XEN_ENOSPC;
        if (!parse_perm(s, &p[count++]))
            return XEN_EINVAL;
    }
    if (!count)
        return XEN_EINVAL;
    return reply_ok(r, store_do_set_perms(&r->c->user, r->tx, r->path, p, count));
}

/* A watch's path may be special; r->path then holds it as it is. */
static int take_watch(struct request *r, char **token)
{
    *token = next_string(r, r->text);
    if (!*token)
        return XEN_EINVAL;
    if (r->text[0] != '@')
        return take_path(r);
    if (text_length(r->text) > XENSTORE_REL_PATH_MAX)
        return XEN_EINVAL;
    text_copy(r->path, r->text, sizeof(r->path));
    return 0;
}

static int do_watch(struct request *r)
{
    struct connection *c = r->c;
    size_t path_length, token_length;
    struct watch *w;
    char *token;
    int err = take_watch(r, &token);

    if (err)
        return err;
    if (*watch_find(c, r->path, token))
        return XEN_EEXIST;
    if (c->nr_watches >= STORE_QUOTA_WATCHES)
        return XEN_E2BIG;
    path_length = text_length(r->path);
    token_length = text_length(token);
    w = heap_alloc(sizeof(*w) + path_length + token_length + 2);
    if (!w)
        return XEN_ENOMEM;
    w->path_length = (uint16_t)path_length;
    w->token_length = (uint16_t)token_length;
    w->relative = r->text[0] != '/' && r->text[0] != '@';
    text_copy(w->text, r->path, path_length + 1);
    text_copy(w->text + path_length + 1, token, token_length + 1);
    w->next = c->watches;
    c->watches = w;
    c->nr_watches++;
    err = reply_ok(r, 0);
    if (!err)
        fire(c, w, w->text); /* once at once: what is there may have come before the watch */
    return err;
}

static int do_unwatch(struct request *r)
{
    struct watch **at, *w;
    char *token;
    int err = take_watch(r, &token);

    if (err)
        return err;
    at = watch_find(r->c, r->path, token);
    w = *at;
    if (!w)
        return XEN_ENOENT;
    *at = w->next;
    watch_free(w);
    r->c->nr_watches--;
    return reply_ok(r, 0);
}

static int do_reset_watches(struct request *r)
{
    connection_watches_reset(r->c);
    return reply_ok(r, 0);
}

static int do_transaction_start(struct request *r)
{
    char text[16];
    uint32_t id;
    int err;

    if (r->tx)
        return XEN_EBUSY;
    err = store_tx_start(&r->c->user, &id);
    if (err)
        return err;
    text_format(text, sizeof(text), "%u", id);
    return reply_text(r, text);
}

static int do_transaction_end(struct request *r)
{
    if (!r->tx)
        return XEN_ENOENT;
    if (!text_equal(r->text, "T") && !text_equal(r->text, "F"))
        return XEN_EINVAL;
    return reply_ok(r, store_tx_end(&r->c->user, r->tx, r->text[0] == 'T'));
}

static int take_domid(struct request *r, uint64_t *domid)
{
    return parse_number(r->text, domid) && *domid < XEN_DOMID_FIRST_RESERVED ? 0 : XEN_EINVAL;
}

static int do_get_domain_path(struct request *r)
{
    char text[HOME_MAX];
    uint64_t domid;
    int err = take_domid(r, &domid);

    if (err)
        return err;
    text_format(text, sizeof(text), "/local/domain/%u", (unsigned)domid);
    return reply_text(r, text);
}

static int do_is_introduced(struct request *r)
{
    uint64_t domid;
    int err = take_domid(r, &domid);

    if (err)
        return err;
    return reply_text(r, domid == 0 || domain_by_id((uint16_t)domid) ? "T" : "F");
}

/* What only the control domain may ask, and that is not at the other end of a ring. */
static int do_control(struct request *r)
{
    (void)r;
    return XEN_EACCES;
}

enum { NEEDS_PATH = 1 };

static const struct {
    int (*fn)(struct request *r);
    unsigned flags;
} requests[] = {
    [XEN_XS_CONTROL] = {do_control, 0},
    [XEN_XS_DIRECTORY] = {do_directory, NEEDS_PATH},
    [XEN_XS_READ] = {do_read, NEEDS_PATH},
    [XEN_XS_GET_PERMS] = {do_get_perms, NEEDS_PATH},
    [XEN_XS_WATCH] = {do_watch, 0},
    [XEN_XS_UNWATCH] = {do_unwatch, 0},
    [XEN_XS_TRANSACTION_START] = {do_transaction_start, 0},
    [XEN_XS_TRANSACTION_END] = {do_transaction_end, 0},
    [XEN_XS_INTRODUCE] = {do_control, 0},
    [XEN_XS_RELEASE] = {do_control, 0},
    [XEN_XS_GET_DOMAIN_PATH] = {do_get_domain_path, 0},
    [XEN_XS_WRITE] = {do_write, NEEDS_PATH},
    [XEN_XS_MKDIR] = {do_mkdir, NEEDS_PATH},
    [XEN_XS_RM] = {do_rm, NEEDS_PATH},
    [XEN_XS_SET_PERMS] = {do_set_perms, NEEDS_PATH},
    [XEN_XS_IS_DOMAIN_INTRODUCED] = {do_is_introduced, 0},
    [XEN_XS_RESUME] = {do_control, 0},
    [XEN_XS_SET_TARGET] = {do_control, 0},
    [XEN_XS_RESET_WATCHES] = {do_reset_watches, 0},
    [XEN_XS_DIRECTORY_PART] = {do_directory_part, NEEDS_PATH},
};

static const char *error_name(int err)
{
    switch (err) {
    case XEN_EACCES:
        return "EACCES";
    case XEN_EAGAIN:
        return "EAGAIN";
    case XEN_EBUSY:
        return "EBUSY";
    case XEN_EEXIST:
        return "EEXIST";
    case XEN_ENOENT:
        return "ENOENT";
    case XEN_ENOMEM:
        return "ENOMEM";
    case XEN_ENOSPC:
        return "ENOSPC";
    case XEN_ENOSYS:
        return "ENOSYS";
    case XEN_EPERM:
        return "EPERM";
    case XEN_E2BIG:
        return "E2BIG";
    default:
        return "EINVAL";
    }
}

static int perform(struct request *r)
{
    int err;

    if (r->h.type >= sizeof(requests) / sizeof(requests[0]) || !requests[r->h.type].fn)
        return XEN_ENOSYS;
    if (r->h.tx_id) {
        r->tx = store_tx_find(&r->c->user, r->h.tx_id);
        if (!r->tx)
            return XEN_ENOENT;
    }
    if (requests[r->h.type].flags & NEEDS_PATH) {
        err = take_path(r);
        if (err)
            return err;
    }
    return requests[r->h.type].fn(r);
}

void connection_handle(struct connection *c)
{
    struct request *r = &the_request;
    int err;

    r->c = c;
    r->tx = NULL;
    __builtin_memcpy(&r->h, c->in, sizeof(r->h));
    r->text = c->in + sizeof(r->h);
    r->length = r->h.len;
    r->text[r->length] = 0;
    if (c->domain)
        stage_reached(c->domain, STAGE_store);
    c->in_length = 0;
    err = perform(r);
    if (err) {
        r->h.type = XEN_XS_ERROR;
        reply_text(r, error_name(err));
    }
}

/* -- in -------------------------------------------------------------------------------------- */

/* Bytes from the ring, up to the end of one message. True: it is whole. */
static bool gather(struct connection *c, bool *any)
{
    struct xenstore_domain_interface *p = c->page;
    uint32_t cons = p->req_cons, prod = __atomic_load_n(&p->req_prod, __ATOMIC_ACQUIRE);
    uint32_t want = sizeof(struct xen_xsd_sockmsg), length;
    bool whole = false;

    if (prod - cons > XENSTORE_RING_SIZE) {
        break_connection(c, XENSTORE_ERROR_RINGIDX, prod, cons);
        return false;
    }
    while (cons != prod && !whole) {
        c->in[c->in_length++] = ((volatile char *)p->req)[cons++ % XENSTORE_RING_SIZE];
        *any = true;
        if (c->in_length >= sizeof(struct xen_xsd_sockmsg)) {
            __builtin_memcpy(&length, c->in + offsetof(struct xen_xsd_sockmsg, len), 4);
            if (length > XENSTORE_PAYLOAD_MAX) {
                break_connection(c, XENSTORE_ERROR_PROTO, length, XENSTORE_PAYLOAD_MAX);
                return false;
            }
            want = (uint32_t)sizeof(struct xen_xsd_sockmsg) + length;
        }
        whole = c->in_length == want;
    }
    __atomic_store_n(&p->req_cons, cons, __ATOMIC_RELEASE); /* the guest may reuse the bytes */
    return whole;
}

void xenstore_notified(struct domain *d)
{
    struct connection *c = d->store;
    bool any = false;

    if (c && c->page &&
        __atomic_load_n(&c->page->connection, __ATOMIC_ACQUIRE) == XENSTORE_RECONNECT) {
        connection_renew(c);
        evtchn_notify(d, d->store_port);
        return;
    }
    if (!c || !c->page || c->broken)
        return;
    do {
        if (c->out && flush(c))
            any = true;
        if (c->broken || c->out)
            break;
        if (!gather(c, &any))
            break;
        connection_handle(c);
    } while (!c->broken);
    if (any)
        evtchn_notify(d, d->store_port);
}
