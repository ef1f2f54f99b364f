/* SPDX-License-Identifier: MIT */
/*
 * procfs.c - /proc: the tree, its inodes, and opening a text.
 *
 * Nothing is stored. Fixed files are nodes of a small tree; a process is a directory looked up by
 * its number, whose files are one table (proc_files, procpid.c). An inode's number tells what it is:
 * node index for the fixed part, (pid << 16 | kind << 12 | file or fd) for processes. The name
 * cache keeps nothing that nobody uses here (sb->no_dcache), since processes come and go.
 */
#include "procfs.h"
#include "errno.h"
#include "fs.h"
#include "initcall.h"
#include "procpid.h"
#include "proc.h"
#include "slab.h"
#include "string.h"
#include "vfs.h"

/* --- growing text ----------------------------------------------------------------------------- */

static bool make_room(struct seq *s, size_t n)
{
    size_t size = s->size ? s->size : 1024;
    char *buf;

    if (s->failed)
        return false;
    while (size - s->used < n)
        size *= 2;
    if (size == s->size)
        return true;
    buf = krealloc(s->buf, size, GFP_KERNEL);
    if (!buf) {
        s->failed = true;
        return false;
    }
    s->buf = buf;
    s->size = size;
    return true;
}

void seq_write(struct seq *s, const void *data, size_t n)
{
    if (!make_room(s, n))
        return;
    memcpy(s->buf + s->used, data, n);
    s->used += n;
}

void seq_printf(struct seq *s, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !make_room(s, (size_t)n + 1))
        return;
    va_start(ap, fmt);
    vsnprintf(s->buf + s->used, (size_t)n + 1, fmt, ap);
    va_end(ap);
    s->used += (size_t)n;
}

/* --- the fixed tree --------------------------------------------------------------------------- */

struct node {
    struct node *next;   /* sibling */
    struct node *child;  /* directories */
    struct node *parent;
    ino_t ino;
    bool dir;
    void (*show)(struct seq *s);
    int (*write)(char *text, size_t n);
    char name[24];
};

static struct node root = {.ino = 1, .dir = true, .name = "/"};
static ino_t next_ino = 2;

static struct node *node_find(struct node *dir, const char *name, size_t len)
{
    struct node *n;

    for (n = dir->child; n; n = n->next)
        if (strlen(n->name) == len && !memcmp(n->name, name, len))
            return n;
    return NULL;
}

static struct node *node_add(struct node *dir, const char *name, size_t len, bool is_dir)
{
    struct node *n = kzalloc(sizeof(*n), GFP_KERNEL), **pp;

    if (!n)
        return NULL;
    memcpy(n->name, name, MIN(len, sizeof(n->name) - 1));
    n->dir = is_dir;
    n->ino = next_ino++;
    n->parent = dir;
    for (pp = &dir->child; *pp; pp = &(*pp)->next)
        ;
    *pp = n;
    return n;
}

int procfs_add(const char *name, void (*show)(struct seq *s), int (*write)(char *text, size_t n))
{
    struct node *dir = &root, *n;
    const char *slash;

    while ((slash = strchr(name, '/'))) {
        n = node_find(dir, name, (size_t)(slash - name));
        if (!n)
            n = node_add(dir, name, (size_t)(slash - name), true);
        if (!n)
            return -ENOMEM;
        dir = n;
        name = slash + 1;
    }
    n = node_add(dir, name, strlen(name), false);
    if (!n)
        return -ENOMEM;
    n->show = show;
    n->write = write;
    return 0;
}

/* --- text files ------------------------------------------------------------------------------- */

int proc_text_open(struct file *f, struct seq *made)
{
    struct seq *s = kmalloc(sizeof(*s), GFP_KERNEL);

    if (!s || made->failed) {
        kfree(s);
        kfree(made->buf);
        return -ENOMEM;
    }
    *s = *made;
    f->priv = s;
    return 0;
}

void proc_text_release(struct inode *i, struct file *f)
{
    struct seq *s = f->priv;

    if (s)
        kfree(s->buf);
    kfree(s);
}

ssize_t proc_text_read(struct file *f, struct uio *u, s64 *pos)
{
    struct seq *s = f->priv;
    size_t n, k;

    if (!s || (u64)*pos >= s->used || !u->left)
        return 0;
    n = MIN(u->left, s->used - (size_t)*pos);
    k = uio_write(u, s->buf + *pos, n);
    *pos += (s64)k;
    return k ? (ssize_t)k : -EFAULT;
}

static int text_open(struct inode *i, struct file *f)
{
    struct node *n = i->priv;
    struct seq s = {0};

    if (file_readable(f))
        n->show(&s);
    return proc_text_open(f, &s);
}

static ssize_t text_write(struct file *f, struct uio *u, s64 *pos)
{
    struct node *n = f->inode->priv;
    char text[128];
    size_t len = MIN(u->left, sizeof(text) - 1), whole = u->left;
    int err;

    if (!n->write)
        return -EACCES;
    if (uio_read(u, text, len) != len)
        return -EFAULT;
    while (len && (text[len - 1] == '\n' || text[len - 1] == ' '))
        len--;
    text[len] = 0;
    err = n->write(text, len);
    return err ? err : (ssize_t)whole;
}

/* `echo x > /proc/...` truncates first. */
static int text_truncate(struct inode *i, u64 size)
{
    return 0;
}

static const struct file_ops text_fops = {
    .open = text_open,
    .release = proc_text_release,
    .read = proc_text_read,
    .write = text_write,
};

/* --- directories ------------------------------------------------------------------------------ */

static const struct inode_ops dir_iops, root_iops, text_iops;
static const struct file_ops dir_fops;

static struct inode *node_inode(struct super_block *sb, struct node *n)
{
    struct inode *i = inode_new(sb);

    if (IS_ERR(i))
        return i;
    i->ino = n->ino;
    i->priv = n;
    i->mode = n->dir ? S_IFDIR | 0555 : S_IFREG | 0444 | (n->write ? 0200 : 0);
    i->nlink = n->dir ? 2 : 1;
    i->ops = n->dir ? n == &root ? &root_iops : &dir_iops : &text_iops;
    i->fops = n->dir ? &dir_fops : &text_fops;
    return i;
}

static int instantiate(struct dentry *d, struct inode *i)
{
    if (i && IS_ERR(i))
        return (int)PTR_ERR(i);
    dentry_instantiate(d, i);
    return 0;
}

static int dir_lookup(struct inode *dir, struct dentry *d)
{
    struct node *n = node_find(dir->priv, d->name, d->len);

    return instantiate(d, n ? node_inode(dir->sb, n) : NULL);
}

static int root_lookup(struct inode *dir, struct dentry *d)
{
    int pid = proc_parse_number(d->name, d->len);

    if (pid > 0)
        return instantiate(d, proc_pid_inode(dir->sb, pid));
    if (d->len == 4 && !memcmp(d->name, "self", 4))
        return instantiate(d, proc_self_inode(dir->sb));
    return dir_lookup(dir, d);
}

#define FIRST_PID_POS 0x10000

static int next_process(int after)
{
    struct proc *p;
    int best = 0;

    list_for_each(p, &all_procs, all_link)
        if (p->pid > after && (!best || p->pid < best))
            best = p->pid;
    return best;
}

static int emit_processes(struct file *f, struct dir_ctx *c)
{
    char name[12];
    int pid;

    while ((pid = next_process((int)(f->pos - FIRST_PID_POS)))) {
        int len = snprintf(name, sizeof(name), "%d", pid);

        if (!dir_emit(c, name, (size_t)len, proc_pid_ino(pid), 4, FIRST_PID_POS + pid))
            return 1;
        f->pos = FIRST_PID_POS + pid;
    }
    return 0;
}

static int dir_readdir(struct file *f, struct dir_ctx *c)
{
    struct node *dir = f->inode->priv, *n;
    s64 at = 0;

    if (f->pos == 0 && dir_emit(c, ".", 1, dir->ino, 4, 1))
        f->pos = 1;
    if (f->pos == 1 && dir_emit(c, "..", 2, dir->parent ? dir->parent->ino : dir->ino, 4, 2))
        f->pos = 2;
    if (f->pos < 2)
        return 1;
    for (n = dir->child, at = 2; n; n = n->next, at++) {
        if (at < f->pos)
            continue;
        if (!dir_emit(c, n->name, strlen(n->name), n->ino, n->dir ? 4 : 8, at + 1))
            return 1;
        f->pos = at + 1;
    }
    if (dir != &root)
        return 0;
    if (f->pos == at) {
        if (!dir_emit(c, "self", 4, PROC_SELF_INO, 10, FIRST_PID_POS))
            return 1;
        f->pos = FIRST_PID_POS;
    }
    return emit_processes(f, c);
}

static const struct inode_ops dir_iops = {.lookup = dir_lookup};
static const struct inode_ops root_iops = {.lookup = root_lookup};
static const struct inode_ops text_iops = {.truncate = text_truncate};
static const struct file_ops dir_fops = {.readdir = dir_readdir};

/* --- mounting --------------------------------------------------------------------------------- */

static int statfs(struct super_block *sb, struct kstatfs *st)
{
    st->f_type = 0x9fa0;
    return 0;
}

static const struct super_ops super_ops = {.statfs = statfs, .evict_inode = proc_evict};

static int mount(struct super_block *sb, const char *data)
{
    struct inode *i;

    sb->ops = &super_ops;
    sb->no_dcache = true;
    i = node_inode(sb, &root);
    if (IS_ERR(i))
        return (int)PTR_ERR(i);
    sb->root = dentry_root(sb, i);
    return sb->root ? 0 : -ENOMEM;
}

static struct fs_type type = {.name = "proc", .mount = mount};

static int procfs_init(void)
{
    fs_register(&type);
    return 0;
}
fs_initcall(procfs_init);
