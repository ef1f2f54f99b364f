/* SPDX-License-Identifier: MIT
 *
 * store.c - see store.h.
 *
 * Every operation has one shape: find the root in force (the transaction's or the store's), ask
 * whether the user may, make a new root, put it in force. Watches fire when the store's root
 * changes, never inside a transaction.
 */
#include "store.h"
#include "../core/domain.h"
#include "../core/heap.h"
#include "../core/text.h"
#include <pv/abi/errno.h>
#include <stdarg.h>

static struct store_user host;

enum { HOST_WATCHES = 8 };
static struct {
    const char *prefix;
    store_watch_fn fn;
} host_watch[HOST_WATCHES];

bool store_init(void)
{
    if (!hv.store)
        hv.store = store_root_new();
    return hv.store != NULL;
}

/* -- transactions ------------------------------------------------------------------------ */

/* False: too much, or no memory. */
static bool tx_note(struct store_tx *tx, const char *path, enum store_op_kind kind)
{
    size_t length = text_length(path);
    struct store_op *op;

    if (!tx)
        return true;
    if (tx->ops >= STORE_QUOTA_OPS)
        return false;
    op = heap_alloc(sizeof(*op) + length + 1);
    if (!op)
        return false;
    op->path_length = (uint16_t)length;
    op->kind = (uint8_t)kind;
    __builtin_memcpy(op->path, path, length + 1);
    *tx->last = op;
    tx->last = &op->next;
    tx->ops++;
    return true;
}

static void tx_free(struct store_user *u, struct store_tx *tx)
{
    struct store_tx **link = &u->tx;
    struct store_op *op;

    while (*link != tx)
        link = &(*link)->next;
    *link = tx->next;
    while ((op = tx->first)) {
        tx->first = op->next;
        heap_free(op, sizeof(*op) + op->path_length + 1u);
    }
    store_unref(tx->base);
    store_unref(tx->root);
    heap_free(tx, sizeof(*tx));
}

int store_tx_start(struct store_user *u, uint32_t *id)
{
    struct store_tx *tx;
    unsigned open = 0;

    for (tx = u->tx; tx; tx = tx->next)
        open++;
    if (u->domid && open >= STORE_QUOTA_TRANSACTIONS)
        return XEN_ENOSPC;
    tx = heap_alloc(sizeof(*tx));
    if (!tx)
        return XEN_ENOMEM;
    do
        tx->id = ++u->next_tx;
    while (!tx->id || store_tx_find(u, tx->id));
    tx->base = store_ref(hv.store);
    tx->root = store_ref(hv.store);
    tx->last = &tx->first;
    tx->next = u->tx;
    u->tx = tx;
    *id = tx->id;
    return 0;
}

struct store_tx *store_tx_find(struct store_user *u, uint32_t id)
{
    struct store_tx *tx = u->tx;

    while (tx && tx->id != id)
        tx = tx->next;
    return tx;
}

static uint64_t generation_of(struct store_node *root, const char *path)
{
    const struct store_node *n = store_find(root, path);

    return n ? n->generation : 0;
}

/* One operation again, on another root: with the value that the transaction came to in the end. */
static struct store_node *redo(struct store_node *root, const struct store_tx *tx,
                               const struct store_op *op)
{
    const struct store_node *n = store_find(tx->root, op->path);
    struct store_node *set, *done;

    if (op->kind == STORE_OP_REMOVE)
        return store_remove(root, op->path);
    if (op->kind == STORE_OP_LOOK || !n)
        return store_ref(root);
    set = store_set(root, op->path, store_perms(n)[0].domid, store_value(n), n->value_length);
    if (!set)
        return NULL;
    done = store_set_perms(set, op->path, store_perms(n), n->perms);
    store_unref(set);
    return done;
}

static int tx_commit(struct store_tx *tx)
{
    struct store_node *root = store_ref(hv.store == tx->base ? tx->root : hv.store);
    struct store_op *op;

    if (hv.store != tx->base) {
        for (op = tx->first; op && root; op = op->next) {
            struct store_node *next;

            if (generation_of(hv.store, op->path) != generation_of(tx->base, op->path)) {
                store_unref(root);
                return XEN_EAGAIN;
            }
            next = redo(root, tx, op);
            store_unref(root);
            root = next;
        }
        if (!root)
            return XEN_ENOMEM;
    }
    store_unref(hv.store);
    hv.store = root;
    for (op = tx->first; op; op = op->next)
        if (op->kind != STORE_OP_LOOK)
            store_changed(op->path, op->kind == STORE_OP_REMOVE);
    return 0;
}

int store_tx_end(struct store_user *u, struct store_tx *tx, bool commit)
{
    int err = commit ? tx_commit(tx) : 0;

    tx_free(u, tx);
    return err;
}

void store_user_exit(struct store_user *u)
{
    while (u->tx)
        tx_free(u, u->tx);
}

/* -- operations ----------------------------------------------------------------------------------
 */

static struct store_node *root_of(struct store_tx *tx)
{
    return tx ? tx->root : hv.store;
}

/* Put a new root in force, and tell of the change. */
static int put(struct store_tx *tx, struct store_node *root, const char *path, bool removed)
{
    if (!root)
        return XEN_ENOMEM;
    store_unref(root_of(tx));
    if (tx) {
        tx->root = root;
    } else {
        hv.store = root;
        store_changed(path, removed);
    }
    return 0;
}

int store_do_find(struct store_user *u, struct store_tx *tx, const char *path,
                  const struct store_node **n)
{
    unsigned missing;

    if (!tx_note(tx, path, STORE_OP_LOOK))
        return XEN_ENOSPC;
    *n = store_nearest(root_of(tx), path, &missing);
    if (!(store_access(*n, u->domid) & STORE_READ))
        return XEN_EACCES;
    return missing ? XEN_ENOENT : 0;
}

static int may_write(struct store_user *u, struct store_tx *tx, const char *path, bool may_make)
{
    unsigned missing; /* each of these names becomes a node */
    const struct store_node *n = store_nearest(root_of(tx), path, &missing);

    if (!(store_access(n, u->domid) & STORE_WRITE))
        return XEN_EACCES;
    if (!missing)
        return 0;
    if (!may_make)
        return XEN_ENOENT;
    if (u->domid && store_owned(root_of(tx), u->domid) + missing > STORE_QUOTA_NODES)
        return XEN_ENOSPC;
    return 0;
}

static int set(struct store_user *u, struct store_tx *tx, const char *path, const void *value,
               size_t length)
{
    int err = may_write(u, tx, path, true);

    if (err)
        return err;
    if (u->domid && length > STORE_QUOTA_VALUE)
        return XEN_ENOSPC;
    if (!tx_note(tx, path, STORE_OP_SET))
        return XEN_ENOSPC;
    return put(tx, store_set(root_of(tx), path, u->domid, value, length), path, false);
}

int store_do_write(struct store_user *u, struct store_tx *tx, const char *path, const void *value,
                   size_t length)
{
    return set(u, tx, path, value, length);
}

int store_do_mkdir(struct store_user *u, struct store_tx *tx, const char *path)
{
    if (store_find(root_of(tx), path))
        return may_write(u, tx, path, false);
    return set(u, tx, path, "", 0);
}

int store_do_rm(struct store_user *u, struct store_tx *tx, const char *path)
{
    unsigned missing;
    int err;

    if (!path[1])
        return XEN_EINVAL;
    store_nearest(root_of(tx), path, &missing);
    if (missing) /* what never was is as good as removed, where it could have been */
        return missing == 1 ? 0 : XEN_ENOENT;
    err = may_write(u, tx, path, false);
    if (err)
        return err;
    if (!tx_note(tx, path, STORE_OP_REMOVE))
        return XEN_ENOSPC;
    return put(tx, store_remove(root_of(tx), path), path, true);
}

int store_do_set_perms(struct store_user *u, struct store_tx *tx, const char *path,
                       const struct store_perm *p, unsigned count)
{
    const struct store_node *n = store_find(root_of(tx), path);
    int err = may_write(u, tx, path, false);

    if (err)
        return err;
    if (u->domid && (count > STORE_QUOTA_PERMS))
        return XEN_ENOSPC;
    if (u->domid && (store_perms(n)[0].domid != u->domid || p[0].domid != u->domid))
        return XEN_EPERM; /* only the owner, and nothing is given away */
    if (!tx_note(tx, path, STORE_OP_PERMS))
        return XEN_ENOSPC;
    return put(tx, store_set_perms(root_of(tx), path, p, count), path, false);
}

/* -- back ends
 * --------------------------------------------------------------------------------------- */

bool store_write(const char *path, const char *value)
{
    return store_do_write(&host, NULL, path, value, text_length(value)) == 0;
}

bool store_writef(const char *path, const char *fmt, ...)
{
    char value[256];
    va_list ap;

    va_start(ap, fmt);
    text_vformat(value, sizeof(value), fmt, ap);
    va_end(ap);
    return store_write(path, value);
}

bool store_grant(const char *path, uint16_t owner, uint16_t domid, uint8_t access)
{
    const struct store_perm p[2] = {{.domid = owner}, {.domid = domid, .access = access}};

    return store_do_set_perms(&host, NULL, path, p, owner == domid ? 1 : 2) == 0;
}

int store_read(const char *path, char *buf, size_t size)
{
    const struct store_node *n = store_find(hv.store, path);
    size_t length;

    if (!n)
        return -1;
    length = n->value_length < size ? n->value_length : size - 1;
    __builtin_memcpy(buf, store_value(n), length);
    buf[length] = 0;
    return (int)length;
}

void store_rm(const char *path)
{
    (void)store_do_rm(&host, NULL, path);
}

bool store_watch_host(const char *prefix, store_watch_fn fn)
{
    for (unsigned i = 0; i < HOST_WATCHES; i++) {
        if (!host_watch[i].fn) {
            host_watch[i].prefix = prefix;
            host_watch[i].fn = fn;
            return true;
        }
    }
    return false;
}

static bool below(const char *prefix, const char *path)
{
    while (*prefix && *prefix == *path)
        prefix++, path++;
    return !*prefix && (!*path || *path == '/');
}

void xenstore_changed(const char *path, bool removed);

void store_changed(const char *path, bool removed)
{
    xenstore_changed(path, removed);
    for (unsigned i = 0; i < HOST_WATCHES; i++)
        if (host_watch[i].fn && below(host_watch[i].prefix, path))
            host_watch[i].fn(path, removed);
}
