/* SPDX-License-Identifier: MIT */
/*
 * dcache.c - the cache of names.
 *
 * A dentry references its parent and its inode; the cache can be reached from any dentry up to the
 * root. Hashed dentries without references stay on an LRU list, negative ones too. A dentry that
 * was unlinked is unhashed: those who hold it keep it, nobody finds it again.
 */
#include "errno.h"
#include "fs.h"
#include "initcall.h"
#include "printk.h"
#include "proc.h"
#include "slab.h"
#include "string.h"
#include "vfs.h"

#define HASH_BITS 10
#define HASH_SIZE (1u << HASH_BITS)

static struct dentry *hash[HASH_SIZE];
static struct list lru = LIST_INIT(lru);
static struct kmem_cache *dentry_cache;
static u64 dentry_total;

static u32 name_hash(const struct dentry *parent, const char *name, u32 len)
{
    u64 h = (u64)parent >> 6;

    for (u32 i = 0; i < len; i++)
        h = (h ^ (u8)name[i]) * 0x100000001b3UL;
    return (u32)(h ^ h >> 32);
}

static struct dentry **hash_slot(u32 h)
{
    return &hash[h & (HASH_SIZE - 1)];
}

void dentry_hash(struct dentry *d)
{
    d->hash = name_hash(d->parent, d->name, d->len);
    d->hash_next = *hash_slot(d->hash);
    *hash_slot(d->hash) = d;
    d->hashed = true;
}

void dentry_unhash(struct dentry *d)
{
    struct dentry **pp = hash_slot(d->hash);

    if (!d->hashed)
        return;
    while (*pp != d)
        pp = &(*pp)->hash_next;
    *pp = d->hash_next;
    d->hashed = false;
}

static struct dentry *alloc(struct super_block *sb, const char *name, u32 len)
{
    struct dentry *d = kmem_cache_alloc(dentry_cache, GFP_KERNEL);

    if (!d)
        return NULL;
    *d = (struct dentry){.refs = 1, .sb = sb, .len = len};
    d->name = len < sizeof(d->inline_name) ? d->inline_name : kmalloc(len + 1, GFP_KERNEL);
    if (!d->name) {
        kmem_cache_free(dentry_cache, d);
        return NULL;
    }
    memcpy(d->name, name, len);
    d->name[len] = 0;
    d->parent = d;
    list_init(&d->children);
    list_init(&d->sibling);
    list_init(&d->lru);
    dentry_total++;
    return d;
}

static void free_name(struct dentry *d)
{
    if (d->name != d->inline_name)
        kfree(d->name);
}

/* Frees d and returns its parent, whose reference the caller drops next (no recursion). */
static struct dentry *destroy(struct dentry *d)
{
    struct dentry *parent = d->parent == d ? NULL : d->parent;

    list_del(&d->lru);
    dentry_unhash(d);
    list_del(&d->sibling);
    if (d->inode)
        inode_put(d->inode);
    free_name(d);
    kmem_cache_free(dentry_cache, d);
    dentry_total--;
    return parent;
}

void dentry_put(struct dentry *d)
{
    while (d) {
        BUG_ON(d->refs <= 0);
        if (--d->refs > 0)
            return;
        if (d->hashed && !d->sb->no_dcache) {
            list_add_tail(&lru, &d->lru);
            return;
        }
        d = destroy(d);
    }
}

struct dentry *dentry_lookup(struct dentry *parent, const char *name, u32 len)
{
    u32 h = name_hash(parent, name, len);
    struct dentry *d;

    for (d = *hash_slot(h); d; d = d->hash_next) {
        if (d->hash == h && d->parent == parent && d->len == len && !memcmp(d->name, name, len)) {
            if (d->sb->no_dcache && d->inode && d->inode->nlink == 0) {
                dentry_unhash(d); /* the name went away behind our back */
                return NULL;
            }
            if (d->refs++ == 0)
                list_del(&d->lru);
            return d;
        }
    }
    return NULL;
}

struct dentry *dentry_alloc(struct dentry *parent, const char *name, u32 len)
{
    struct dentry *d = alloc(parent->sb, name, len);

    if (!d)
        return NULL;
    d->parent = dentry_get(parent);
    list_add_tail(&parent->children, &d->sibling);
    return d;
}

struct dentry *dentry_root(struct super_block *sb, struct inode *root)
{
    struct dentry *d = alloc(sb, "/", 1);

    if (!d)
        inode_put(root);
    else
        d->inode = root;
    return d;
}

struct dentry *dentry_anon(struct inode *i, const char *name)
{
    struct dentry *d = alloc(i->sb, name, strlen(name));

    if (d)
        d->inode = i;
    return d;
}

void dentry_instantiate(struct dentry *d, struct inode *i)
{
    if (d->inode)
        inode_put(d->inode);
    d->inode = i;
}

void dentry_prune(struct dentry *d)
{
    struct dentry *c, *n;

    list_for_each_safe(c, n, &d->children, sibling) {
        if (c->refs)
            continue;
        destroy(c);
        d->refs--; /* the caller's reference keeps d */
    }
}

/* After a rename on disk: d gets target's name and parent; target's inode was replaced. */
void dentry_move(struct dentry *d, struct dentry *target)
{
    struct dentry *old_parent = d->parent;
    char *name = target->name, old_inline[sizeof(d->inline_name)];

    dentry_unhash(d);
    dentry_unhash(target);
    /* Exchange the names, long or inline. */
    memcpy(old_inline, d->inline_name, sizeof(old_inline));
    memcpy(d->inline_name, target->inline_name, sizeof(old_inline));
    memcpy(target->inline_name, old_inline, sizeof(old_inline));
    target->name = d->name == d->inline_name ? target->inline_name : d->name;
    d->name = name == target->inline_name ? d->inline_name : name;
    u16 len = d->len;
    d->len = target->len;
    target->len = len;

    list_del(&d->sibling);
    d->parent = dentry_get(target->parent);
    list_add_tail(&d->parent->children, &d->sibling);
    dentry_hash(d);
    dentry_put(old_parent);
}

/* --- paths ------------------------------------------------------------------------------------ */

char *dentry_path(struct dentry *d, char *buf, size_t size)
{
    struct dentry *root = current->proc->fs ? current->proc->fs->root : NULL;
    char *p = buf + size;

    if (size < 2)
        return ERR_PTR(-ENAMETOOLONG);
    *--p = 0;
    if (d->parent == d && !d->covers && d != root && d->name[0] != '/') { /* anonymous */
        p -= d->len;
        if (p < buf)
            return ERR_PTR(-ENAMETOOLONG);
        return memcpy(p, d->name, d->len);
    }
    while (d != root) {
        if (d->parent == d) {
            if (!d->covers)
                break; /* outside of root: as seen from the top */
            d = d->covers;
            continue;
        }
        if (!d->hashed)
            return ERR_PTR(-ENOENT);
        if ((size_t)(p - buf) < (size_t)d->len + 1)
            return ERR_PTR(-ENAMETOOLONG);
        p -= d->len;
        memcpy(p, d->name, d->len);
        *--p = '/';
        d = d->parent;
    }
    if (!*p)
        *--p = '/';
    return p;
}

/* --- ending ----------------------------------------------------------------------------------- */

static bool drop_one(struct super_block *sb)
{
    struct dentry *d;

    list_for_each(d, &lru, lru) {
        if (sb && d->sb != sb)
            continue;
        d = destroy(d);
        dentry_put(d);
        return true;
    }
    return false;
}

bool dentry_drop_all(struct super_block *sb)
{
    while (drop_one(sb))
        ;
    return list_empty(&sb->root->children) && sb->root->refs == 1;
}

static unsigned long shrink(unsigned long want)
{
    unsigned long n = 0;

    while (n < want && drop_one(NULL))
        n++;
    return n;
}

u64 dentry_count(void)
{
    return dentry_total;
}

static int dcache_init(void)
{
    dentry_cache = kmem_cache_create("dentry", sizeof(struct dentry), 0);
    shrinker_register(shrink);
    return 0;
}
core_initcall(dcache_init);
