/* SPDX-License-Identifier: MIT
 *
 * store.h - xenstore as the shim keeps it: the tree in force, transactions, watches, quotas; and
 * how back ends use it.
 *
 *   a guest's ring ─► xenstore.c (the wire) ─► store.c ─► store_tree.c
 *                                                │
 *                     back ends, control path ───┘ store_write(), store_watch_host() ...
 *
 * A transaction works on a root of its own and remembers what it did. It commits when everything
 * that it touched still has the generation it had at the start, else the answer is EAGAIN, as xenstored
 * gives it.
 */
#ifndef HV_STORE_H
#define HV_STORE_H

#include "store_tree.h"

enum {
    STORE_QUOTA_NODES = 1000,        /* owned by a guest */
    STORE_QUOTA_VALUE = 2048,        /* bytes a guest may put into one node */
    STORE_QUOTA_WATCHES = 128,
    STORE_QUOTA_TRANSACTIONS = 10,   /* open at a time */
    STORE_QUOTA_OPS = 1024,          /* in one transaction */
    STORE_QUOTA_PERMS = 5,
};

enum store_op_kind { STORE_OP_LOOK, STORE_OP_SET, STORE_OP_PERMS, STORE_OP_REMOVE };

struct store_op {                    /* one thing that a transaction did */
    struct store_op *next;
    uint16_t path_length;
    uint8_t kind;                    /* enum store_op_kind */
    char path[];                     /* with its 0 */
};

struct store_tx {
    struct store_tx *next;
    uint32_t id;
    uint32_t ops;
    struct store_node *base, *root;  /* what it began with, and what it made of that */
    struct store_op *first, **last;
};

/* Who asks. A guest's connection has it inside (xenstore.c); the host's is store_host. */
struct store_user {
    uint16_t domid;                  /* 0: the host, who may do anything */
    uint32_t next_tx;
    struct store_tx *tx;             /* open transactions */
};

bool store_init(void);

/* All of them: 0, or a positive XEN_E errno. tx NULL: outside of a transaction. Paths are valid. */
int store_do_find(struct store_user *u, struct store_tx *tx, const char *path,
                  const struct store_node **n);                /* and may be read */
int store_do_write(struct store_user *u, struct store_tx *tx, const char *path, const void *value,
                   size_t length);
int store_do_mkdir(struct store_user *u, struct store_tx *tx, const char *path);
int store_do_rm(struct store_user *u, struct store_tx *tx, const char *path);
int store_do_set_perms(struct store_user *u, struct store_tx *tx, const char *path,
                       const struct store_perm *p, unsigned count);

int store_tx_start(struct store_user *u, uint32_t *id);
struct store_tx *store_tx_find(struct store_user *u, uint32_t id);
int store_tx_end(struct store_user *u, struct store_tx *tx, bool commit);
void store_user_exit(struct store_user *u);

/* What has changed goes to whoever watches: xenstore.c's connections, and back ends. */
void store_changed(const char *path, bool removed);

/* -- back ends (as the host) ------------------------------------------------------------- */

bool store_write(const char *path, const char *value);
bool store_writef(const char *path, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Let domid read (and write) what is at and below path from now on. */
bool store_grant(const char *path, uint16_t owner, uint16_t domid, uint8_t access);
/* Value as a 0-ended text; its length, or -1 when there is none. */
int store_read(const char *path, char *buf, size_t size);
void store_rm(const char *path);

/* fn is called for each change at or below prefix (a string that stays). */
typedef void (*store_watch_fn)(const char *path, bool removed);
bool store_watch_host(const char *prefix, store_watch_fn fn);

#endif
