/* SPDX-License-Identifier: MIT */
/*
 * memfs.c - a tree of files that exists only in memory; with tmpfs on top.
 *
 * A directory's entries are a list in inode->priv; each holds one reference on its inode, so nodes
 * live exactly as long as they have a name or a user. File contents are page-cache pages that are
 * never clean: the mapping is memory_only, and reclaim may only swap them.
 * An entry's position for readdir is a number that grows and never repeats.
 */
#include "memfs.h"
#include "errno.h"
#include "initcall.h"
#include "proc.h"
#include "slab.h"
#include "string.h"

struct entry {
    struct list link;
    struct inode *inode;
    s64 pos;
    u32 len;
    char name[];
};

struct dir {
    struct list entries;
    s64 next_pos;
    struct inode *parent; /* not referenced: the parent outlives us */
};

struct memfs {
    u64 max_pages, nodes;
};

/* --- entries ---------------------------------------------------------------------------------- */

static struct entry *find(struct inode *dir, const char *name, u32 len)
{
    struct dir *d = dir->priv;
    struct entry *e;

    list_for_each(e, &d->entries, link)
        if (e->len == len && !memcmp(e->name, name, len))
            return e;
    return NULL;
}

static void touch(struct inode *i)
{
    i->mtime = i->ctime = clock_real_ns();
}

int memfs_enter(struct inode *dir, const char *name, u32 len, struct inode *i)
{
    struct dir *d = dir->priv;
    struct entry *e = kmalloc(sizeof(*e) + len, GFP_KERNEL);

    if (!e)
        return -ENOMEM;
    inode_ref(i);
    *e = (struct entry){.inode = i, .pos = d->next_pos++, .len = len};
    memcpy(e->name, name, len);
    list_add_tail(&d->entries, &e->link);
    dir->size += len + sizeof(*e);
    touch(dir);
    if (S_ISDIR(i->mode)) {
        ((struct dir *)i->priv)->parent = dir;
        dir->nlink++;
    }
    return 0;
}

static void remove_entry(struct inode *dir, struct entry *e)
{
    struct inode *i = e->inode;

    list_del(&e->link);
    dir->size -= e->len + sizeof(*e);
    touch(dir);
    if (S_ISDIR(i->mode))
        dir->nlink--;
    kfree(e);
    inode_put(i);
}

int memfs_remove(struct inode *dir, const char *name, u32 len)
{
    struct entry *e = find(dir, name, len);

    if (!e)
        return -ENOENT;
    e->inode->nlink = 0;
    remove_entry(dir, e);
    return 0;
}

/* --- directory operations --------------------------------------------------------------------- */

static int dir_lookup(struct inode *dir, struct dentry *d)
{
    struct entry *e = find(dir, d->name, d->len);

    if (e)
        inode_ref(e->inode);
    dentry_instantiate(d, e ? e->inode : NULL);
    return 0;
}

static int add_node(struct inode *dir, struct dentry *d, struct inode *i)
{
    int err;

    if (IS_ERR(i))
        return (int)PTR_ERR(i);
    if (dir->mode & S_ISGID) {
        i->gid = dir->gid;
        if (S_ISDIR(i->mode))
            i->mode |= S_ISGID;
    }
    err = memfs_enter(dir, d->name, d->len, i);
    if (err) {
        i->nlink = 0;
        inode_put(i);
    } else {
        dentry_instantiate(d, i);
    }
    return err;
}

static int dir_create(struct inode *dir, struct dentry *d, mode_t mode)
{
    return add_node(dir, d, memfs_node(dir->sb, mode, 0));
}

static int dir_mknod(struct inode *dir, struct dentry *d, mode_t mode, dev_t dev)
{
    return add_node(dir, d, memfs_node(dir->sb, mode, dev));
}

static int dir_symlink(struct inode *dir, struct dentry *d, const char *target)
{
    struct inode *i = memfs_node(dir->sb, S_IFLNK | 0777, 0);

    if (!IS_ERR(i)) {
        i->priv = kstrdup(target);
        i->size = strlen(target);
        if (!i->priv) {
            i->nlink = 0;
            inode_put(i);
            i = ERR_PTR(-ENOMEM);
        }
    }
    return add_node(dir, d, i);
}

static int dir_link(struct inode *dir, struct dentry *d, struct inode *old)
{
    int err = memfs_enter(dir, d->name, d->len, old);

    if (err)
        return err;
    old->nlink++;
    old->ctime = clock_real_ns();
    inode_ref(old);
    dentry_instantiate(d, old);
    return 0;
}

static int dir_unlink(struct inode *dir, struct dentry *d)
{
    d->inode->nlink--;
    d->inode->ctime = clock_real_ns();
    remove_entry(dir, find(dir, d->name, d->len));
    return 0;
}

static bool dir_empty(struct inode *i)
{
    return list_empty(&((struct dir *)i->priv)->entries);
}

static int dir_rmdir(struct inode *dir, struct dentry *d)
{
    if (!dir_empty(d->inode))
        return -ENOTEMPTY;
    d->inode->nlink = 0;
    remove_entry(dir, find(dir, d->name, d->len));
    return 0;
}

static int dir_rename(struct inode *od, struct dentry *old, struct inode *nd, struct dentry *d)
{
    struct inode *i = old->inode, *victim = d->inode;
    int err;

    if (victim && S_ISDIR(victim->mode) && !dir_empty(victim))
        return -ENOTEMPTY;
    err = memfs_enter(nd, d->name, d->len, i);
    if (err)
        return err;
    /* The new entry is the list's last, so the search below meets the victim's first. */
    if (victim) {
        victim->nlink = S_ISDIR(victim->mode) ? 0 : victim->nlink - 1;
        remove_entry(nd, find(nd, d->name, d->len));
    }
    remove_entry(od, find(od, old->name, old->len));
    i->ctime = clock_real_ns();
    return 0;
}

static unsigned dtype(mode_t mode)
{
    return (mode & S_IFMT) >> 12;
}

static int dir_readdir(struct file *f, struct dir_ctx *c)
{
    struct dir *d = f->inode->priv;
    struct entry *e;

    if (f->pos == 0) {
        if (!dir_emit(c, ".", 1, f->inode->ino, dtype(S_IFDIR), 1))
            return 1;
        f->pos = 1;
    }
    if (f->pos == 1) {
        struct inode *up = d->parent ? d->parent : f->inode;

        if (!dir_emit(c, "..", 2, up->ino, dtype(S_IFDIR), 2))
            return 1;
        f->pos = 2;
    }
    list_for_each(e, &d->entries, link) {
        if (e->pos < f->pos)
            continue;
        if (!dir_emit(c, e->name, e->len, e->inode->ino, dtype(e->inode->mode), e->pos + 1))
            return 1;
        f->pos = e->pos + 1;
    }
    return 0;
}

const struct inode_ops memfs_dir_ops = {
    .lookup = dir_lookup,
    .create = dir_create,
    .mknod = dir_mknod,
    .mkdir = dir_create,
    .symlink = dir_symlink,
    .link = dir_link,
    .unlink = dir_unlink,
    .rmdir = dir_rmdir,
    .rename = dir_rename,
};

static int no_fsync(struct file *f, bool datasync)
{
    return 0;
}

const struct file_ops memfs_dir_fops = {.readdir = dir_readdir, .fsync = no_fsync};

/* --- files and links -------------------------------------------------------------------------- */

static ssize_t link_readlink(struct inode *i, char *buf, size_t size)
{
    size_t n = MIN((size_t)i->size, size);

    memcpy(buf, i->priv, n);
    return (ssize_t)n;
}

static const struct inode_ops link_ops = {.readlink = link_readlink};

static int file_truncate(struct inode *i, u64 size)
{
    if (size < i->size)
        mapping_truncate(&i->mapping, size);
    i->size = size;
    return 0;
}

static int file_getattr(struct inode *i, struct kstat *st)
{
    st->st_blocks = (s64)(i->mapping.nr_pages * (PAGE_SIZE / 512));
    return 0;
}

static const struct inode_ops file_ops_i = {.truncate = file_truncate, .getattr = file_getattr};

static const struct file_ops file_fops = {
    .read = generic_file_read,
    .write = generic_file_write,
    .mmap = generic_file_mmap,
    .fsync = no_fsync,
};

/* Each page counts against the size of the file system, once, when it comes into being. */
static int file_write_begin(struct mapping *m, struct page *p, u32 from, u32 to)
{
    struct memfs *fs = m->host->sb->priv;
    struct inode *i;
    u64 used = 0;

    if (page_uptodate(p))
        return 0;
    list_for_each(i, &m->host->sb->inodes, sb_link)
        used += i->mapping.nr_pages;
    if (fs->max_pages && used > fs->max_pages)
        return -ENOSPC;
    memset(page_addr(p), 0, PAGE_SIZE);
    p->flags |= PG_UPTODATE;
    return 0;
}

static int file_readpage(struct mapping *m, struct page *p)
{
    memset(page_addr(p), 0, PAGE_SIZE);
    page_read_done(p, 0);
    return 0;
}

static const struct mapping_ops file_mapping_ops = {
    .readpage = file_readpage,
    .write_begin = file_write_begin,
    .memory_only = true,
};

struct inode *memfs_node(struct super_block *sb, mode_t mode, dev_t rdev)
{
    struct inode *i = inode_new(sb);
    struct memfs *fs = sb->priv;
    struct dir *d;

    if (IS_ERR(i))
        return i;
    i->mode = mode;
    i->uid = current->cred.fsuid;
    i->gid = current->cred.fsgid;
    fs->nodes++;
    if (S_ISDIR(mode)) {
        d = kzalloc(sizeof(*d), GFP_KERNEL);
        if (!d) {
            i->mode = S_IFREG;
            i->nlink = 0;
            inode_put(i);
            return ERR_PTR(-ENOMEM);
        }
        list_init(&d->entries);
        d->next_pos = 2;
        i->priv = d;
        i->nlink = 2;
        i->ops = &memfs_dir_ops;
        i->fops = &memfs_dir_fops;
    } else if (S_ISREG(mode)) {
        i->ops = &file_ops_i;
        i->fops = &file_fops;
        i->mapping.ops = &file_mapping_ops;
    } else if (S_ISLNK(mode)) {
        i->ops = &link_ops;
    } else {
        static const struct inode_ops none;

        i->ops = &none;
        inode_init_special(i, mode, rdev);
    }
    return i;
}

/* --- super block ------------------------------------------------------------------------------ */

static void evict(struct inode *i)
{
    struct memfs *fs = i->sb->priv;
    struct entry *e, *n;

    if (S_ISDIR(i->mode) && i->priv) {
        struct dir *d = i->priv;

        list_for_each_safe(e, n, &d->entries, link) { /* unmounting */
            e->inode->nlink = 0;
            remove_entry(i, e);
        }
    }
    kfree(i->priv);
    fs->nodes--;
}

static int statfs(struct super_block *sb, struct kstatfs *st)
{
    struct memfs *fs = sb->priv;
    struct inode *i;
    u64 used = 0;

    list_for_each(i, &sb->inodes, sb_link)
        used += i->mapping.nr_pages;
    st->f_type = 0x01021994;
    st->f_blocks = fs->max_pages;
    st->f_bfree = st->f_bavail = used < fs->max_pages ? fs->max_pages - used : 0;
    st->f_files = st->f_ffree = fs->max_pages;
    return 0;
}

static void unmount(struct super_block *sb)
{
    kfree(sb->priv);
}

const struct super_ops memfs_super_ops = {
    .evict_inode = evict,
    .statfs = statfs,
    .unmount = unmount,
};

int memfs_fill(struct super_block *sb, mode_t root_mode, u64 max_bytes)
{
    struct memfs *fs = kzalloc(sizeof(*fs), GFP_KERNEL);
    struct inode *root;

    if (!fs)
        return -ENOMEM;
    fs->max_pages = max_bytes >> PAGE_SHIFT;
    sb->priv = fs;
    sb->ops = &memfs_super_ops;
    root = memfs_node(sb, S_IFDIR | root_mode, 0);
    if (!IS_ERR(root))
        sb->root = dentry_root(sb, root);
    if (IS_ERR(root) || !sb->root) {
        kfree(fs);
        return -ENOMEM;
    }
    return 0;
}

static u64 parse_size(const char *s)
{
    char *end;
    u64 n = strtoul(s, &end, 10);

    switch (*end) {
    case 'g':
    case 'G':
        return n << 30;
    case 'm':
    case 'M':
        return n << 20;
    case 'k':
    case 'K':
        return n << 10;
    case '%':
        return page_count * PAGE_SIZE / 100 * n;
    }
    return n;
}

/* Options: size=N[kmg%] (half of memory by default), mode=OCTAL. */
static int tmpfs_mount(struct super_block *sb, const char *data)
{
    u64 size = page_count * PAGE_SIZE / 2;
    mode_t mode = 01777;
    const char *o;

    if ((o = strstr(data, "size=")))
        size = parse_size(o + 5);
    if ((o = strstr(data, "mode=")))
        mode = (mode_t)strtoul(o + 5, NULL, 8) & 07777;
    return memfs_fill(sb, mode, size);
}

static struct fs_type tmpfs = {.name = "tmpfs", .mount = tmpfs_mount};

static int tmpfs_init(void)
{
    fs_register(&tmpfs);
    return 0;
}
fs_initcall(tmpfs_init);
