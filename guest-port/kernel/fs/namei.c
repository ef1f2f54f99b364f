/* SPDX-License-Identifier: MIT */
/*
 * namei.c - from a path to a dentry.
 *
 * The walk holds one reference, on where it stands. Mount points are crossed on the way down after
 * each component and on the way up at "..". A symbolic link is walked by recursion with its own
 * copy of the text; the number of links in a whole walk is bounded.
 */
#include "errno.h"
#include "fs.h"
#include "proc.h"
#include "slab.h"
#include "string.h"
#include "uaccess.h"
#include "vfs.h"

#define MAX_LINKS 40
#define MAX_DEPTH 8

struct walk {
    struct dentry *cur;
    int links, depth;
    struct name_end *end; /* LOOKUP_PARENT */
};

int permission(struct inode *i, int mask)
{
    mode_t m = i->mode;

    if ((mask & MAY_WRITE) && (i->sb->flags & MS_RDONLY) &&
        (S_ISREG(m) || S_ISDIR(m) || S_ISLNK(m)))
        return -EROFS;
    if (current->cred.fsuid == 0) {
        if ((mask & MAY_EXEC) && !S_ISDIR(m) && !(m & 0111))
            return -EACCES;
        return 0;
    }
    if (current->cred.fsuid == i->uid)
        m >>= 6;
    else if (in_group(i->gid))
        m >>= 3;
    return (mask & ~m & 7) ? -EACCES : 0;
}

/* In a sticky directory only the owners may remove or rename. */
bool sticky_denies(struct inode *dir, struct inode *i)
{
    uid_t u = current->cred.fsuid;

    return (dir->mode & S_ISVTX) && u != 0 && u != i->uid && u != dir->uid;
}

/* The dentry of one name, perhaps negative. The parent directory's lock is held. */
struct dentry *lookup_one(struct dentry *parent, const char *name, u32 len)
{
    struct inode *dir = parent->inode;
    struct dentry *d = dentry_lookup(parent, name, len);
    int err;

    if (d)
        return d;
    if (len > NAME_MAX)
        return ERR_PTR(-ENAMETOOLONG);
    if (dir->nlink == 0)
        return ERR_PTR(-ENOENT);
    d = dentry_alloc(parent, name, len);
    if (!d)
        return ERR_PTR(-ENOMEM);
    err = dir->ops->lookup ? dir->ops->lookup(dir, d) : 0;
    if (err) {
        dentry_put(d);
        return ERR_PTR(err);
    }
    /* Only now may lookups without the directory's lock find it: it would look like no file. */
    dentry_hash(d);
    return d;
}

static struct dentry *lookup_name(struct dentry *parent, const char *name, u32 len)
{
    struct dentry *d = dentry_lookup(parent, name, len);

    if (d)
        return d;
    mutex_lock(&parent->inode->lock);
    d = lookup_one(parent, name, len);
    mutex_unlock(&parent->inode->lock);
    return d;
}

static struct dentry *down(struct dentry *d)
{
    while (d->mounted) {
        struct dentry *m = dentry_get(d->mounted);

        dentry_put(d);
        d = m;
    }
    return d;
}

static void go_up(struct walk *w)
{
    struct dentry *d = w->cur, *root = current->proc->fs->root, *up;

    while (d != root && d->parent == d && d->covers)
        d = d->covers;
    if (d == root || d->parent == d)
        up = dentry_get(d);
    else
        up = down(dentry_get(d->parent));
    dentry_put(w->cur);
    w->cur = up;
}

static int walk(struct walk *w, const char *path, unsigned flags);

static int follow_link(struct walk *w, struct dentry *link)
{
    struct inode *i = link->inode;
    char *text;
    ssize_t n;
    int err;

    if (++w->links > MAX_LINKS || w->depth >= MAX_DEPTH)
        return -ELOOP;
    if (i->ops->follow) {
        struct dentry *d = i->ops->follow(i);

        if (IS_ERR(d))
            return (int)PTR_ERR(d);
        dentry_put(w->cur);
        w->cur = d;
        return 0;
    }
    text = kmalloc(PATH_MAX, GFP_KERNEL);
    if (!text)
        return -ENOMEM;
    n = i->ops->readlink(i, text, PATH_MAX - 1);
    if (n > 0) {
        struct name_end *end = w->end;

        text[n] = 0;
        w->depth++;
        w->end = NULL;
        err = walk(w, text, LOOKUP_FOLLOW);
        w->end = end;
        w->depth--;
    } else {
        err = n < 0 ? (int)n : -ENOENT;
    }
    kfree(text);
    return err;
}

static int step(struct walk *w, const char *name, u32 len, bool last, unsigned flags)
{
    struct dentry *d;
    int err;

    if (len == 1 && name[0] == '.')
        return 0;
    if (len == 2 && name[0] == '.' && name[1] == '.') {
        go_up(w);
        return 0;
    }
    d = lookup_name(w->cur, name, len);
    if (IS_ERR(d))
        return (int)PTR_ERR(d);
    d = down(d);
    if (!d->inode) {
        dentry_put(d);
        return -ENOENT;
    }
    if (S_ISLNK(d->inode->mode) && (!last || (flags & LOOKUP_FOLLOW))) {
        err = follow_link(w, d);
        dentry_put(d);
        return err;
    }
    dentry_put(w->cur);
    w->cur = d;
    return 0;
}

static bool is_dir(const struct dentry *d)
{
    return d->inode && S_ISDIR(d->inode->mode);
}

/* From w->cur along path; on failure w->cur is still a referenced dentry. */
static int walk(struct walk *w, const char *path, unsigned flags)
{
    int err;

    if (!*path)
        return -ENOENT;
    if (*path == '/') {
        dentry_put(w->cur);
        w->cur = dentry_get(current->proc->fs->root);
    }
    for (;;) {
        const char *name;
        u32 len = 0;
        bool slash;

        while (*path == '/')
            path++;
        if (!*path)
            return 0;
        name = path;
        while (*path && *path != '/')
            path++, len++;
        slash = *path == '/';
        while (*path == '/')
            path++;
        if (!is_dir(w->cur))
            return -ENOTDIR;
        err = permission(w->cur->inode, MAY_EXEC);
        if (err)
            return err;
        if (!*path && w->end) {
            if (len > NAME_MAX)
                return -ENAMETOOLONG;
            memcpy(w->end->name, name, len);
            w->end->name[len] = 0;
            w->end->len = len;
            w->end->trailing_slash = slash;
            return 0;
        }
        err = step(w, name, len, !*path, slash ? flags | LOOKUP_FOLLOW : flags);
        if (err)
            return err;
        if (!*path)
            return (slash || (flags & LOOKUP_DIR)) && !is_dir(w->cur) ? -ENOTDIR : 0;
    }
}

static int walk_from(struct walk *w, struct dentry *base, const char *path, unsigned flags)
{
    int err;

    w->cur = dentry_get(base ? base : current->proc->fs->cwd);
    err = walk(w, path, flags);
    if (!err && (flags & LOOKUP_DIR) && !is_dir(w->cur))
        err = -ENOTDIR;
    if (err)
        dentry_put(w->cur);
    return err;
}

struct dentry *path_lookup(struct dentry *base, const char *path, unsigned flags)
{
    struct walk w = {0};
    int err = walk_from(&w, base, path, flags);

    return err ? ERR_PTR(err) : w.cur;
}

/* The directory that holds the last component. "/" and "" have none: an empty name. */
int path_parent(struct dentry *base, const char *path, struct name_end *e)
{
    struct walk w = {.end = e};
    int err;

    e->len = 0;
    e->name[0] = 0;
    e->trailing_slash = false;
    err = walk_from(&w, base, path, 0);
    if (!err)
        e->parent = w.cur;
    return err;
}

/* --- from user space -------------------------------------------------------------------------- */

char *getname(const char __user *path)
{
    char *s = kmalloc(PATH_MAX, GFP_KERNEL);
    ssize_t n;

    if (!s)
        return ERR_PTR(-ENOMEM);
    n = strncpy_from_user(s, path, PATH_MAX);
    if (n < 0) {
        kfree(s);
        return ERR_PTR(n);
    }
    return s;
}

void putname(char *s)
{
    kfree(s);
}

struct dentry *dir_base(int dirfd)
{
    struct file *f;
    struct dentry *d;

    if (dirfd == AT_FDCWD)
        return dentry_get(current->proc->fs->cwd);
    f = fd_get(dirfd);
    if (!f)
        return ERR_PTR(-EBADF);
    d = dentry_get(f->dentry);
    file_put(f);
    return d;
}

struct dentry *path_lookup_user(int dirfd, const char __user *path, unsigned flags)
{
    char *name = getname(path);
    struct dentry *base, *d;

    if (IS_ERR(name))
        return ERR_PTR(PTR_ERR(name));
    if (name[0] == '/') { /* dirfd is not looked at */
        d = path_lookup(NULL, name, flags);
        putname(name);
        return d;
    }
    base = dir_base(dirfd);
    if (IS_ERR(base)) {
        d = base;
    } else if (!*name && (flags & AT_EMPTY_PATH)) {
        putname(name);
        return base;
    } else {
        d = path_lookup(base, name, flags);
        dentry_put(base);
    }
    putname(name);
    return d;
}

int path_parent_user(int dirfd, const char __user *path, struct name_end *e)
{
    char *name = getname(path);
    struct dentry *base = NULL;
    int err;

    if (IS_ERR(name))
        return (int)PTR_ERR(name);
    if (name[0] != '/') {
        base = dir_base(dirfd);
        if (IS_ERR(base)) {
            putname(name);
            return (int)PTR_ERR(base);
        }
    }
    err = path_parent(base, name, e);
    if (base)
        dentry_put(base);
    putname(name);
    return err;
}

/* --- open ------------------------------------------------------------------------------------- */

static int create_in(struct dentry *parent, struct dentry *d, mode_t mode)
{
    struct inode *dir = parent->inode;
    int err = permission(dir, MAY_WRITE | MAY_EXEC);

    if (err)
        return err;
    if (!dir->ops->create)
        return -EPERM;
    return dir->ops->create(dir, d, S_IFREG | (mode & 07777 & ~current->proc->fs->umask));
}

/* Looks up, or with O_CREAT makes, the last component of e. */
static struct dentry *open_last(struct name_end *e, u32 flags, mode_t mode, bool *created)
{
    struct dentry *d;
    int err = 0;

    if (!e->len || !strcmp(e->name, ".") || !strcmp(e->name, ".."))
        return ERR_PTR(flags & O_EXCL ? -EEXIST : -EISDIR);
    mutex_lock(&e->parent->inode->lock);
    d = lookup_one(e->parent, e->name, e->len);
    if (!IS_ERR(d) && !d->inode) {
        err = e->trailing_slash ? -EISDIR : create_in(e->parent, d, mode);
        *created = !err;
    } else if (!IS_ERR(d) && (flags & O_EXCL)) {
        err = -EEXIST;
    }
    mutex_unlock(&e->parent->inode->lock);
    if (err) {
        dentry_put(d);
        return ERR_PTR(err);
    }
    return IS_ERR(d) ? d : down(d);
}

/* The object of an open: referenced dentry with an inode. base NULL: cwd. */
struct dentry *open_lookup(struct dentry *base, const char *path, u32 flags, mode_t mode,
                           bool *created)
{
    struct name_end *e;
    struct dentry *d;
    char *text = NULL;
    int err;

    *created = false;
    if (!(flags & O_CREAT))
        return path_lookup(base, path,
                           (flags & O_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
                               (flags & O_DIRECTORY ? LOOKUP_DIR : 0));
    e = kmalloc(sizeof(*e), GFP_KERNEL);
    if (!e)
        return ERR_PTR(-ENOMEM);
    d = base ? dentry_get(base) : NULL;
    for (int links = 0;; links++) {
        err = links > MAX_LINKS ? -ELOOP : path_parent(d, path, e);
        if (d)
            dentry_put(d);
        if (err) {
            d = ERR_PTR(err);
            break;
        }
        d = open_last(e, flags, mode, created);
        if (IS_ERR(d) || !S_ISLNK(d->inode->mode) || (flags & O_NOFOLLOW) || d->inode->ops->follow) {
            dentry_put(e->parent);
            break;
        }
        /* A final link: its target is opened, or made, relative to the link's directory. */
        if (!text)
            text = kmalloc(PATH_MAX, GFP_KERNEL);
        ssize_t n = text ? d->inode->ops->readlink(d->inode, text, PATH_MAX - 1) : -ENOMEM;
        dentry_put(d);
        d = e->parent;
        if (n <= 0) {
            dentry_put(d);
            d = ERR_PTR(n ? n : -ENOENT);
            break;
        }
        text[n] = 0;
        path = text;
    }
    kfree(text);
    kfree(e);
    if (!IS_ERR(d) && S_ISLNK(d->inode->mode) && d->inode->ops->follow && !(flags & O_NOFOLLOW)) {
        struct dentry *target = d->inode->ops->follow(d->inode);

        dentry_put(d);
        d = target;
    }
    return d;
}
