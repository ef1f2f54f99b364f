/* SPDX-License-Identifier: MIT
 *
 * store_tree.h - xenstore's tree: nodes that never change.
 *
 * A change makes a new root that shares all untouched nodes with the old one; so a transaction is
 * a root of its own, and nobody ever sees half of anything. Nodes are counted by how many parents
 * and roots hold them.
 *
 *   root ──► local ──► domain ──► 1 ──► name = "web"
 *              ▲                  ▲
 *   root' ─────┴─► ... copies of the way to what changed ...
 *
 * `generation` changes exactly when a node's value, permissions or list of names does; it is what
 * transactions compare.
 */
#ifndef HV_STORE_TREE_H
#define HV_STORE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STORE_READ = 1, STORE_WRITE = 2 };
enum { STORE_PATH_MAX = 3072, STORE_VALUE_MAX = 4096, STORE_PERMS_MAX = 16, STORE_CHILDREN_MAX = 4096 };

/* perms[0]: the owner, and what everybody else may; the rest: what single domains may. */
struct store_perm {
    uint16_t domid;
    uint8_t access; /* STORE_READ | STORE_WRITE */
    uint8_t pad;
};

struct store_node {
    uint32_t refs;
    uint32_t size;              /* of this block */
    uint64_t generation;
    uint16_t name_length, value_length, perms, children;
    struct store_node *child[]; /* then: struct store_perm[], name, value */
};

static inline const struct store_perm *store_perms(const struct store_node *n)
{
    return (const struct store_perm *)(n->child + n->children);
}
static inline const char *store_name(const struct store_node *n)
{
    return (const char *)(store_perms(n) + n->perms);
}
static inline const char *store_value(const struct store_node *n)
{
    return store_name(n) + n->name_length;
}

/* A tree of one node, the host's, readable by all. NULL: no memory. */
struct store_node *store_root_new(void);
static inline struct store_node *store_ref(struct store_node *n)
{
    n->refs++;
    return n;
}
void store_unref(struct store_node *n); /* NULL is fine */

/* Paths are absolute and valid (store_path_valid); "/" is the root. NULL: no such node. */
struct store_node *store_find(struct store_node *root, const char *path);
/* The deepest node on the way that exists, and how many names are missing below it. */
struct store_node *store_nearest(struct store_node *root, const char *path, unsigned *missing);
bool store_path_valid(const char *path, size_t length);

/* Each returns a new root (one reference) and leaves the old one alone; NULL: no memory, or too
 * much in one place. Missing nodes on the way are made, with their parent's permissions, owned by
 * `owner` unless that is 0. */
struct store_node *store_set(struct store_node *root, const char *path, uint16_t owner,
                             const void *value, size_t length);
struct store_node *store_set_perms(struct store_node *root, const char *path,
                                   const struct store_perm *p, unsigned count);
struct store_node *store_remove(struct store_node *root, const char *path);

/* What domid may do with a node. */
unsigned store_access(const struct store_node *n, uint16_t domid);
/* How many nodes of the tree domid owns. */
uint32_t store_owned(const struct store_node *n, uint16_t domid);

#endif
