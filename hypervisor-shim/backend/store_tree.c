/* SPDX-License-Identifier: MIT
 *
 * store_tree.c - see store_tree.h.
 *
 * All changes go through rebuild(), which copies one node with one thing different. The depth of
 * recursion is that of a path, which DEPTH_MAX bounds: the stack is small.
 */
#include "store_tree.h"
#include "../core/heap.h"

enum { DEPTH_MAX = 32 };

static uint64_t generation;

/* -- nodes ------------------------------------------------------------------------------- */

struct parts {
    const char *name, *value;
    const struct store_perm *perms;
    size_t name_length, value_length;
    unsigned nr_perms;
};

static struct store_node *make(const struct parts *p, unsigned children)
{
    size_t size = sizeof(struct store_node) + children * sizeof(struct store_node *) +
                  p->nr_perms * sizeof(struct store_perm) + p->name_length + p->value_length;
    struct store_node *n = children <= STORE_CHILDREN_MAX ? heap_alloc(size) : NULL;

    if (!n)
        return NULL;
    n->refs = 1;
    n->size = (uint32_t)size;
    n->generation = ++generation;
    n->name_length = (uint16_t)p->name_length;
    n->value_length = (uint16_t)p->value_length;
    n->perms = (uint16_t)p->nr_perms;
    n->children = (uint16_t)children;
    __builtin_memcpy((void *)store_perms(n), p->perms, p->nr_perms * sizeof(struct store_perm));
    __builtin_memcpy((void *)store_name(n), p->name, p->name_length);
    if (p->value_length)
        __builtin_memcpy((void *)store_value(n), p->value, p->value_length);
    return n;
}

static struct parts parts_of(const struct store_node *n)
{
    return (struct parts){.name = store_name(n),
                          .value = store_value(n),
                          .perms = store_perms(n),
                          .name_length = n->name_length,
                          .value_length = n->value_length,
                          .nr_perms = n->perms};
}

struct store_node *store_root_new(void)
{
    static const struct store_perm all_read = {.domid = 0, .access = STORE_READ};

    return make(&(struct parts){.perms = &all_read, .nr_perms = 1, .name = "", .value = ""}, 0);
}

void store_unref(struct store_node *n)
{
    if (!n || --n->refs)
        return;
    for (unsigned i = 0; i < n->children; i++)
        store_unref(n->child[i]);
    heap_free(n, n->size);
}

/* -- paths ----------------------------------------------------------------------------------- */

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '@' || c == '.' || c == ':' || c == '+' || c == ',' || c == '=';
}

bool store_path_valid(const char *path, size_t length)
{
    unsigned depth = 0;

    if (length == 0 || length > STORE_PATH_MAX || path[0] != '/')
        return false;
    if (length == 1)
        return true;
    if (path[length - 1] == '/')
        return false;
    for (size_t i = 0; i < length; i++) {
        if (path[i] == '/') {
            if (path[i + 1] == '/' || ++depth > DEPTH_MAX)
                return false;
        } else if (!name_char(path[i])) {
            return false;
        }
    }
    return true;
}

/* Length of the first name of a path that begins with '/'. */
static size_t first_name(const char *path)
{
    size_t n = 1;

    while (path[n] && path[n] != '/')
        n++;
    return n - 1;
}

/* Index of the child with this name, or n->children. */
static unsigned child_index(const struct store_node *n, const char *name, size_t length)
{
    unsigned i;

    for (i = 0; i < n->children; i++)
        if (n->child[i]->name_length == length &&
            !__builtin_memcmp(store_name(n->child[i]), name, length))
            break;
    return i;
}

struct store_node *store_nearest(struct store_node *root, const char *path, unsigned *missing)
{
    struct store_node *n = root;

    *missing = 0;
    while (path[0] == '/' && path[1]) {
        size_t length = first_name(path);
        unsigned i = *missing ? n->children : child_index(n, path + 1, length);

        if (i < n->children)
            n = n->child[i];
        else
            ++*missing;
        path += 1 + length;
    }
    return n;
}

struct store_node *store_find(struct store_node *root, const char *path)
{
    unsigned missing;
    struct store_node *n = store_nearest(root, path, &missing);

    return missing ? NULL : n;
}

/* -- changes ------------------------------------------------------------------------------------
 */

/* A copy of n whose child i is `child` (taken over): i == n->children adds it, NULL removes child
 * i. The list of names changes with both. */
static struct store_node *with_child(const struct store_node *n, unsigned i,
                                     struct store_node *child)
{
    struct parts p = parts_of(n);
    unsigned count = n->children + (i == n->children) - !child, to = 0;
    struct store_node *copy = make(&p, count);

    if (!copy) {
        store_unref(child);
        return NULL;
    }
    for (unsigned from = 0; from < n->children; from++) {
        if (from != i)
            copy->child[to++] = store_ref(n->child[from]);
        else if (child)
            copy->child[to++] = child;
    }
    if (i == n->children)
        copy->child[to] = child;
    if (count == n->children)
        copy->generation = n->generation;
    return copy;
}

/* A copy of n itself, with other parts. */
static struct store_node *with_parts(const struct store_node *n, const struct parts *p)
{
    struct store_node *copy = make(p, n->children);

    for (unsigned i = 0; copy && i < n->children; i++)
        copy->child[i] = store_ref(n->child[i]);
    return copy;
}

struct change {
    uint16_t owner;
    bool value, perms, remove;
    struct parts parts;
};

static struct store_node *apply(const struct store_node *n, const struct change *c)
{
    struct parts p = parts_of(n);

    if (c->value) {
        p.value = c->parts.value;
        p.value_length = c->parts.value_length;
    }
    if (c->perms) {
        p.perms = c->parts.perms;
        p.nr_perms = c->parts.nr_perms;
    }
    return with_parts(n, &p);
}

/* A new node below n, with its permissions. */
static __attribute__((noinline)) struct store_node *
heir(const struct store_node *n, const char *name, size_t length, uint16_t owner)
{
    struct store_perm perms[STORE_PERMS_MAX];
    struct parts p = {
        .name = name, .name_length = length, .value = "", .perms = perms, .nr_perms = n->perms};

    __builtin_memcpy(perms, store_perms(n), n->perms * sizeof(perms[0]));
    if (owner)
        perms[0].domid = owner;
    return make(&p, 0);
}

static struct store_node *rebuild(const struct store_node *n, const char *path,
                                  const struct change *c)
{
    struct store_node *child, *changed;
    size_t length;
    unsigned i;

    if (path[0] != '/' || !path[1])
        return apply(n, c);
    length = first_name(path);
    i = child_index(n, path + 1, length);
    if (c->remove && !path[1 + length])
        return with_child(n, i, NULL);
    if (i < n->children) {
        changed = rebuild(n->child[i], path + 1 + length, c);
    } else {
        child = heir(n, path + 1, length, c->owner);
        if (!child)
            return NULL;
        changed = rebuild(child, path + 1 + length, c);
        store_unref(child);
    }
    return changed ? with_child(n, i, changed) : NULL;
}

struct store_node *store_set(struct store_node *root, const char *path, uint16_t owner,
                             const void *value, size_t length)
{
    struct change c = {
        .owner = owner, .value = true, .parts = {.value = value, .value_length = length}};

    return length <= STORE_VALUE_MAX ? rebuild(root, path, &c) : NULL;
}

struct store_node *store_set_perms(struct store_node *root, const char *path,
                                   const struct store_perm *p, unsigned count)
{
    struct change c = {.perms = true, .parts = {.perms = p, .nr_perms = count}};

    return count && count <= STORE_PERMS_MAX ? rebuild(root, path, &c) : NULL;
}

struct store_node *store_remove(struct store_node *root, const char *path)
{
    struct change c = {.remove = true};

    return store_find(root, path) && path[1] ? rebuild(root, path, &c) : store_ref(root);
}

/* -- rights
 * ---------------------------------------------------------------------------------------- */

unsigned store_access(const struct store_node *n, uint16_t domid)
{
    const struct store_perm *p = store_perms(n);

    if (domid == 0 || p[0].domid == domid)
        return STORE_READ | STORE_WRITE;
    for (unsigned i = 1; i < n->perms; i++)
        if (p[i].domid == domid)
            return p[i].access;
    return p[0].access;
}

uint32_t store_owned(const struct store_node *n, uint16_t domid)
{
    uint32_t count = store_perms(n)[0].domid == domid;

    for (unsigned i = 0; i < n->children; i++)
        count += store_owned(n->child[i], domid);
    return count;
}
