/* SPDX-License-Identifier: MIT */
/*
 * procpid.c - /proc/N: what is shown of one process.
 *
 * A directory or file of a process keeps only the pid and start time, never a pointer: each use
 * looks the process up again, and answers -ESRCH when it is gone. Inode numbers are
 * pid << 16 | directory << 12 | index in the table, or descriptor.
 */
#include "procpid.h"
#include "errno.h"
#include "fs.h"
#include "mm.h"
#include "proc.h"
#include "slab.h"
#include "string.h"
#include "tty.h"
#include "vfs.h"

enum { DIR_PID, DIR_FD, DIR_TASK };

struct owner {
    int pid;
    u64 start_time;
};

static struct proc *owner_proc(struct inode *i)
{
    struct owner *o = i->priv;
    struct proc *p = proc_find(o->pid);

    return p && p->start_time == o->start_time ? p : NULL;
}

int proc_parse_number(const char *s, u32 len)
{
    int n = 0;

    if (len == 0 || len > 9 || (s[0] == '0' && len > 1))
        return -1;
    for (u32 k = 0; k < len; k++) {
        if (s[k] < '0' || s[k] > '9')
            return -1;
        n = n * 10 + (s[k] - '0');
    }
    return n;
}

/* --- the texts -------------------------------------------------------------------------------- */

static const char state_letters[] = {
    [T_RUNNABLE] = 'R', [T_SLEEP_INTR] = 'S', [T_SLEEP_UNINTR] = 'D', [T_SLEEP_KILL] = 'D',
    [T_STOPPED] = 'T',  [T_ZOMBIE] = 'Z',     [T_DEAD] = 'X',
};

static char state_of(struct proc *p)
{
    return p->zombie ? 'Z' : p->leader ? state_letters[p->leader->state] : 'Z';
}

static struct thread *main_thread(struct proc *p)
{
    return p->leader                 ? p->leader
           : list_empty(&p->threads) ? NULL
                                     : list_first(&p->threads, struct thread, proc_link);
}

static u64 ticks(u64 ns)
{
    return ns / (NSEC_PER_SEC / 100);
}

static void cpu_times(struct proc *p, u64 *user, u64 *sys)
{
    struct thread *t;

    *user = p->utime;
    *sys = p->stime;
    list_for_each (t, &p->threads, proc_link) {
        *user += t->utime;
        *sys += t->stime;
    }
}

static void show_stat(struct seq *s, struct proc *p)
{
    struct thread *t = main_thread(p);
    struct mm *mm = p->mm;
    u64 user, sys;

    cpu_times(p, &user, &sys);
    seq_printf(s, "%d (%s) %c %d %d %d %d %d 0 ", p->pid, t ? t->comm : p->comm, state_of(p),
               p->parent ? p->parent->pid : 0, p->pgid, p->sid, p->tty ? (int)tty_dev(p->tty) : 0,
               p->tty ? tty_pgrp(p->tty) : -1);
    seq_printf(s, "%llu %llu %llu %llu ", (unsigned long long)p->min_flt,
               (unsigned long long)p->cmin_flt, (unsigned long long)p->maj_flt,
               (unsigned long long)p->cmaj_flt);
    seq_printf(s, "%llu %llu %llu %llu ", (unsigned long long)ticks(user),
               (unsigned long long)ticks(sys), (unsigned long long)ticks(p->cutime),
               (unsigned long long)ticks(p->cstime));
    seq_printf(s, "%d %d %d 0 %llu ", 20 + (t ? t->nice : 0), t ? t->nice : 0, p->nthreads,
               (unsigned long long)ticks(p->start_time));
    seq_printf(s, "%llu %llu %llu ", (unsigned long long)(mm ? mm->total_vm * PAGE_SIZE : 0),
               (unsigned long long)(mm ? mm->rss : 0), (unsigned long long)p->rlim[RLIMIT_RSS].cur);
    seq_printf(s, "0 0 0 0 0 0 0 0 0 0 0 0 %d 0 0 0 0 0 0 0 0 0 0 0 0 0 0 %d\n", p->exit_signal,
               p->exit_status);
}

static void show_statm(struct seq *s, struct proc *p)
{
    struct mm *mm = p->mm;

    if (mm)
        seq_printf(s, "%llu %llu 0 %llu 0 %llu 0\n", (unsigned long long)mm->total_vm,
                   (unsigned long long)mm->rss,
                   (unsigned long long)(DIV_ROUND_UP(mm->end_code - mm->start_code, PAGE_SIZE)),
                   (unsigned long long)(mm->data_vm + mm->stack_vm));
    else
        seq_printf(s, "0 0 0 0 0 0 0\n");
}

static const char *state_name(char c)
{
    switch (c) {
    case 'R':
        return "running";
    case 'S':
        return "sleeping";
    case 'D':
        return "disk sleep";
    case 'T':
        return "stopped";
    case 'Z':
        return "zombie";
    }
    return "dead";
}

static void show_status(struct seq *s, struct proc *p)
{
    struct thread *t = main_thread(p);
    struct mm *mm = p->mm;
    const struct cred *c = t ? &t->cred : &p->cred;
    char state = state_of(p);

    seq_printf(s, "Name:\t%s\nUmask:\t%04o\nState:\t%c (%s)\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\n",
               t ? t->comm : p->comm, p->fs ? p->fs->umask : 0, state, state_name(state), p->pid,
               p->pid, p->parent ? p->parent->pid : 0);
    seq_printf(s, "TracerPid:\t0\nUid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", c->uid, c->euid,
               c->suid, c->fsuid, c->gid, c->egid, c->sgid, c->fsgid);
    seq_printf(s, "FDSize:\t%d\nGroups:\t", p->files ? p->files->size : 0);
    for (int k = 0; k < c->ngroups; k++)
        seq_printf(s, "%u ", c->groups[k]);
    seq_printf(s, "\n");
    if (mm)
        seq_printf(s,
                   "VmSize:\t%8llu kB\nVmLck:\t%8llu kB\nVmRSS:\t%8llu kB\nVmData:\t%8llu "
                   "kB\nVmStk:\t%8llu kB\n",
                   (unsigned long long)mm->total_vm * 4, (unsigned long long)mm->locked_vm * 4,
                   (unsigned long long)mm->rss * 4, (unsigned long long)mm->data_vm * 4,
                   (unsigned long long)mm->stack_vm * 4);
    seq_printf(s, "Threads:\t%d\nSigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\n",
               p->nthreads, (unsigned long long)(t ? t->sig.pending.set : 0),
               (unsigned long long)p->pending.set, (unsigned long long)(t ? t->sig.blocked : 0));
    seq_printf(s, "voluntary_ctxt_switches:\t%llu\nnonvoluntary_ctxt_switches:\t%llu\n",
               (unsigned long long)(t ? t->nvcsw : 0), (unsigned long long)(t ? t->nivcsw : 0));
}

/* A stretch of the process's own memory (arguments, environment). */
static void show_range(struct seq *s, struct mm *mm, u64 from, u64 to)
{
    char *buf;
    ssize_t n;

    if (!mm || to <= from || to - from > 128 * PAGE_SIZE || !(buf = kmalloc(PAGE_SIZE, GFP_KERNEL)))
        return;
    while (from < to) {
        n = mm_access(mm, from, buf, MIN(PAGE_SIZE, to - from), false);
        if (n <= 0)
            break;
        seq_write(s, buf, (size_t)n);
        from += (u64)n;
    }
    kfree(buf);
}

static void show_cmdline(struct seq *s, struct proc *p)
{
    if (p->mm)
        show_range(s, p->mm, p->mm->arg_start, p->mm->arg_end);
}

static void show_environ(struct seq *s, struct proc *p)
{
    if (p->mm)
        show_range(s, p->mm, p->mm->env_start, p->mm->env_end);
}

static void show_comm(struct seq *s, struct proc *p)
{
    struct thread *t = main_thread(p);

    seq_printf(s, "%s\n", t ? t->comm : "");
}

static void show_wchan(struct seq *s, struct proc *p)
{
    struct thread *t = main_thread(p);

    seq_printf(s, "%s", t && t->wchan ? t->wchan : "0");
}

static void show_maps(struct seq *s, struct proc *p)
{
    char *path = kmalloc(PATH_MAX, GFP_KERNEL), *name;
    struct vma *v;

    if (!p->mm || !path) {
        kfree(path);
        return;
    }
    list_for_each (v, &p->mm->vmas, link) {
        struct inode *i = v->file ? v->file->inode : NULL;

        seq_printf(s, "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu", (unsigned long long)v->start,
                   (unsigned long long)v->end, v->flags & VM_READ ? 'r' : '-',
                   v->flags & VM_WRITE ? 'w' : '-', v->flags & VM_EXEC ? 'x' : '-',
                   v->flags & VM_SHARED ? 's' : 'p', (unsigned long long)v->pgoff * PAGE_SIZE,
                   i ? MAJOR(i->sb->dev) : 0, i ? MINOR(i->sb->dev) : 0,
                   (unsigned long long)(i ? i->ino : 0));
        name = v->file ? dentry_path(v->file->dentry, path, PATH_MAX) : NULL;
        if (name && !IS_ERR(name))
            seq_printf(s, "\t%s", name);
        else if (v->flags & VM_GROWSDOWN)
            seq_printf(s, "\t[stack]");
        else if (v->start <= p->mm->brk && v->end > p->mm->brk_start)
            seq_printf(s, "\t[heap]");
        seq_printf(s, "\n");
    }
    kfree(path);
}

static void show_limits(struct seq *s, struct proc *p)
{
    static const char *const names[RLIM_NLIMITS] = {
        "Max cpu time",       "Max file size",     "Max data size",         "Max stack size",
        "Max core file size", "Max resident set",  "Max processes",         "Max open files",
        "Max locked memory",  "Max address space", "Max file locks",        "Max pending signals",
        "Max msgqueue size",  "Max nice priority", "Max realtime priority", "Max realtime timeout"};

    seq_printf(s, "%-25s %-20s %-20s\n", "Limit", "Soft Limit", "Hard Limit");
    for (int k = 0; k < RLIM_NLIMITS; k++) {
        seq_printf(s, "%-25s ", names[k]);
        for (int h = 0; h < 2; h++) {
            u64 v = h ? p->rlim[k].max : p->rlim[k].cur;

            if (v == RLIM_INFINITY)
                seq_printf(s, "%-20s ", "unlimited");
            else
                seq_printf(s, "%-20llu ", (unsigned long long)v);
        }
        seq_printf(s, "\n");
    }
}

void proc_show_mounts(struct seq *s);

static void show_mounts(struct seq *s, struct proc *p)
{
    proc_show_mounts(s);
}

/* --- links ------------------------------------------------------------------------------------ */

static struct dentry *exe_of(struct proc *p)
{
    return p->mm && p->mm->exe ? p->mm->exe->dentry : NULL;
}

static struct dentry *cwd_of(struct proc *p)
{
    return p->fs ? p->fs->cwd : NULL;
}

static struct dentry *root_of(struct proc *p)
{
    return p->fs ? p->fs->root : NULL;
}

/* --- the table -------------------------------------------------------------------------------- */

static const struct proc_file {
    const char *name;
    mode_t mode;
    void (*show)(struct seq *s, struct proc *p);
    struct dentry *(*link)(struct proc *p);
    int dir; /* DIR_ of a directory */
} files[] = {
    {"stat", S_IFREG | 0444, .show = show_stat},
    {"statm", S_IFREG | 0444, .show = show_statm},
    {"status", S_IFREG | 0444, .show = show_status},
    {"cmdline", S_IFREG | 0444, .show = show_cmdline},
    {"environ", S_IFREG | 0400, .show = show_environ},
    {"comm", S_IFREG | 0444, .show = show_comm},
    {"wchan", S_IFREG | 0444, .show = show_wchan},
    {"maps", S_IFREG | 0444, .show = show_maps},
    {"limits", S_IFREG | 0444, .show = show_limits},
    {"mounts", S_IFREG | 0444, .show = show_mounts},
    {"exe", S_IFLNK | 0777, .link = exe_of},
    {"cwd", S_IFLNK | 0777, .link = cwd_of},
    {"root", S_IFLNK | 0777, .link = root_of},
    {"fd", S_IFDIR | 0500, .dir = DIR_FD},
    {"task", S_IFDIR | 0555, .dir = DIR_TASK},
};

static unsigned index_of(const struct inode *i)
{
    return i->ino & 0xfff;
}

/* --- opening ---------------------------------------------------------------------------------- */

static int file_open_text(struct inode *i, struct file *f)
{
    struct proc *p = owner_proc(i);
    struct seq s = {0};

    if (!p)
        return -ESRCH;
    if (file_writable(f))
        return -EACCES;
    files[index_of(i)].show(&s, p);
    return proc_text_open(f, &s);
}

static const struct file_ops text_fops = {
    .open = file_open_text,
    .release = proc_text_release,
    .read = proc_text_read,
};

static struct dentry *link_target(struct inode *i)
{
    struct proc *p = owner_proc(i);
    unsigned dir = i->ino >> 12 & 0xf;

    if (!p)
        return NULL;
    if (dir == DIR_FD) {
        unsigned fd = index_of(i);

        return p->files && fd < (unsigned)p->files->size && p->files->slots[fd]
                   ? p->files->slots[fd]->dentry
                   : NULL;
    }
    return files[index_of(i)].link(p);
}

static struct dentry *link_follow(struct inode *i)
{
    struct dentry *d = link_target(i);

    return d ? dentry_get(d) : ERR_PTR(-ENOENT);
}

static ssize_t link_readlink(struct inode *i, char *buf, size_t size)
{
    struct dentry *d = link_target(i);
    char *text, *p;
    ssize_t n;

    if (!d)
        return -ENOENT;
    text = kmalloc(PATH_MAX, GFP_KERNEL);
    if (!text)
        return -ENOMEM;
    p = dentry_path(d, text, PATH_MAX);
    if (IS_ERR(p)) { /* unlinked: its last name, marked */
        p = text;
        snprintf(text, PATH_MAX, "/%s (deleted)", d->name);
    }
    n = (ssize_t)MIN(strlen(p), size);
    memcpy(buf, p, (size_t)n);
    kfree(text);
    return n;
}

static const struct inode_ops link_iops = {.follow = link_follow, .readlink = link_readlink};
static const struct inode_ops text_iops;

/* --- directories ------------------------------------------------------------------------------ */

static const struct inode_ops pid_iops, fd_iops, task_iops;
static const struct file_ops pid_fops, fd_fops, task_fops;

static void evict_owner(struct inode *i)
{
    kfree(i->priv);
}

static struct inode *make(struct super_block *sb, struct proc *p, ino_t ino, mode_t mode)
{
    struct owner *o = kmalloc(sizeof(*o), GFP_KERNEL);
    struct thread *t = main_thread(p);
    struct inode *i;

    if (!o)
        return ERR_PTR(-ENOMEM);
    *o = (struct owner){p->pid, p->start_time};
    if (t) {
        uid_t uid = t->cred.euid;
        gid_t gid = t->cred.egid;

        i = inode_new(sb);
        if (!IS_ERR(i)) {
            i->uid = uid;
            i->gid = gid;
        }
    } else {
        i = inode_new(sb);
    }
    if (IS_ERR(i)) {
        kfree(o);
        return i;
    }
    i->ino = ino;
    i->mode = mode;
    i->nlink = S_ISDIR(mode) ? 2 : 1;
    i->priv = o;
    i->ops = S_ISLNK(mode) ? &link_iops : &text_iops;
    i->fops = &text_fops;
    return i;
}

static struct inode *make_dir(struct super_block *sb, struct proc *p, int dir)
{
    struct inode *i = make(sb, p, proc_pid_ino(p->pid) | (ino_t)dir << 12 | 0xfff,
                           S_IFDIR | (dir == DIR_FD ? 0500 : 0555));

    if (!IS_ERR(i)) {
        i->ops = dir == DIR_FD ? &fd_iops : dir == DIR_TASK ? &task_iops : &pid_iops;
        i->fops = dir == DIR_FD ? &fd_fops : dir == DIR_TASK ? &task_fops : &pid_fops;
    }
    return i;
}

struct inode *proc_pid_inode(struct super_block *sb, int pid)
{
    struct proc *p = proc_find(pid);

    return p ? make_dir(sb, p, DIR_PID) : NULL;
}

static int instantiate(struct dentry *d, struct inode *i)
{
    if (IS_ERR(i))
        return (int)PTR_ERR(i);
    dentry_instantiate(d, i);
    return 0;
}

static int pid_lookup(struct inode *dir, struct dentry *d)
{
    struct proc *p = owner_proc(dir);

    if (!p)
        return -ESRCH;
    for (unsigned k = 0; k < ARRAY_SIZE(files); k++) {
        if (strcmp(files[k].name, d->name) != 0)
            continue;
        if (files[k].dir)
            return instantiate(d, make_dir(dir->sb, p, files[k].dir));
        return instantiate(d, make(dir->sb, p, proc_pid_ino(p->pid) | k, files[k].mode));
    }
    return instantiate(d, NULL);
}

static bool emit_dots(struct file *f, struct dir_ctx *c)
{
    if (f->pos == 0 && dir_emit(c, ".", 1, f->inode->ino, 4, 1))
        f->pos = 1;
    if (f->pos == 1 && dir_emit(c, "..", 2, f->dentry->parent->inode->ino, 4, 2))
        f->pos = 2;
    return f->pos >= 2;
}

static int pid_readdir(struct file *f, struct dir_ctx *c)
{
    struct proc *p = owner_proc(f->inode);

    if (!p)
        return -ESRCH;
    if (!emit_dots(f, c))
        return 1;
    for (unsigned k = (unsigned)f->pos - 2; k < ARRAY_SIZE(files); k++) {
        if (!dir_emit(c, files[k].name, strlen(files[k].name), proc_pid_ino(p->pid) | k,
                      files[k].mode >> 12, k + 3))
            return 1;
        f->pos = k + 3;
    }
    return 0;
}

static int fd_lookup(struct inode *dir, struct dentry *d)
{
    struct proc *p = owner_proc(dir);
    int fd = proc_parse_number(d->name, d->len);

    if (!p)
        return -ESRCH;
    if (fd < 0 || fd > 0xffe || !p->files || fd >= p->files->size || !p->files->slots[fd])
        return instantiate(d, NULL);
    return instantiate(
        d, make(dir->sb, p, proc_pid_ino(p->pid) | DIR_FD << 12 | (ino_t)fd, S_IFLNK | 0700));
}

static int fd_readdir(struct file *f, struct dir_ctx *c)
{
    struct proc *p = owner_proc(f->inode);
    char name[12];

    if (!p)
        return -ESRCH;
    if (!emit_dots(f, c))
        return 1;
    for (int fd = (int)f->pos - 2; p->files && fd < p->files->size; fd++) {
        if (p->files->slots[fd]) {
            int len = snprintf(name, sizeof(name), "%d", fd);

            if (!dir_emit(c, name, (size_t)len, proc_pid_ino(p->pid) | DIR_FD << 12 | (ino_t)fd, 10,
                          fd + 3))
                return 1;
        }
        f->pos = fd + 3;
    }
    return 0;
}

/* A thread's directory shows the process's files. */
static int task_lookup(struct inode *dir, struct dentry *d)
{
    struct proc *p = owner_proc(dir);
    int tid = proc_parse_number(d->name, d->len);
    struct thread *t;

    if (!p)
        return -ESRCH;
    list_for_each (t, &p->threads, proc_link)
        if (t->tid == tid)
            return instantiate(d, make_dir(dir->sb, p, DIR_PID));
    return instantiate(d, NULL);
}

static int task_readdir(struct file *f, struct dir_ctx *c)
{
    struct proc *p = owner_proc(f->inode);
    struct thread *t;
    char name[12];
    s64 at = 2;

    if (!p)
        return -ESRCH;
    if (!emit_dots(f, c))
        return 1;
    list_for_each (t, &p->threads, proc_link) {
        int len = snprintf(name, sizeof(name), "%d", t->tid);

        if (at++ < f->pos)
            continue;
        if (!dir_emit(c, name, (size_t)len, proc_pid_ino(t->tid), 4, at))
            return 1;
        f->pos = at;
    }
    return 0;
}

static const struct inode_ops pid_iops = {.lookup = pid_lookup};
static const struct inode_ops fd_iops = {.lookup = fd_lookup};
static const struct inode_ops task_iops = {.lookup = task_lookup};
static const struct file_ops pid_fops = {.readdir = pid_readdir};
static const struct file_ops fd_fops = {.readdir = fd_readdir};
static const struct file_ops task_fops = {.readdir = task_readdir};

/* --- self ------------------------------------------------------------------------------------- */

static ssize_t self_readlink(struct inode *i, char *buf, size_t size)
{
    char text[12];
    int n = snprintf(text, sizeof(text), "%d", current->proc->pid);

    memcpy(buf, text, MIN((size_t)n, size));
    return n;
}

static const struct inode_ops self_iops = {.readlink = self_readlink};

struct inode *proc_self_inode(struct super_block *sb)
{
    struct inode *i = inode_new(sb);

    if (IS_ERR(i))
        return i;
    i->ino = PROC_SELF_INO;
    i->mode = S_IFLNK | 0777;
    i->ops = &self_iops;
    return i;
}

/* Only inodes of processes carry an owner; those of the fixed tree point to their node. */
void proc_evict(struct inode *i)
{
    if (i->ino > 0xffff)
        evict_owner(i);
}
