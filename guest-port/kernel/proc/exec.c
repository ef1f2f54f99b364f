/* SPDX-License-Identifier: MIT */
/*
 * exec.c - running a program file: arguments, scripts, ELF images, the first stack.
 *
 * The new address space is built completely before the old one is given up, so every error up to
 * then is returned to the caller. Strings are gathered in pages that become the top of the new
 * stack as they are. Nothing in the file is trusted: headers are range-checked, odd ones are
 * ENOEXEC.
 */
#include "errno.h"
#include "exec.h"
#include "fs.h"
#include "mm.h"
#include "printk.h"
#include "proc_internal.h"
#include "slab.h"
#include "string.h"
#include "uaccess.h"
#include "../mm/vm.h"

#define MAX_SCRIPTS 4
#define MAX_PREFIX  (3 * MAX_SCRIPTS)
#define MAX_STRING  (128u * 1024)

/* All strings of argv and envp, one after the other. */
struct strings {
    struct page *pages[ARG_PAGES];
    size_t len;
    int argc, envc;
};

struct exec {
    struct file *file;
    char path[256]; /* of the program that is loaded in the end */
    char *prefix[MAX_PREFIX];
    int nprefix;
    bool script;
    struct strings s;
    struct program prog;
    uid_t euid;
    gid_t egid;
};

/* --- strings ---------------------------------------------------------------------------------- */

static int put_bytes_of(struct strings *s, const char *src, bool kernel)
{
    size_t total = 0;

    for (;;) {
        u32 off = s->len & ~PAGE_MASK, i = s->len >> PAGE_SHIFT;
        size_t room = PAGE_SIZE - off;
        ssize_t n;
        char *to;

        if (i >= ARG_PAGES || total > MAX_STRING)
            return -E2BIG;
        if (!s->pages[i]) {
            s->pages[i] = alloc_page(GFP_USER | GFP_ZERO);
            if (!s->pages[i])
                return -ENOMEM;
        }
        to = (char *)page_addr(s->pages[i]) + off;
        if (kernel) {
            n = (ssize_t)strnlen(src, room);
            memcpy(to, src, n);
        } else {
            n = strncpy_from_user(to, (const char __user *)src, room);
            if (n == -ENAMETOOLONG)
                n = (ssize_t)room;
            if (n < 0)
                return (int)n;
        }
        s->len += n;
        total += n;
        src += n;
        if ((size_t)n < room) {
            to[n] = 0;
            s->len++;
            return 0;
        }
    }
}

static int put_vector(struct strings *s, char *const *v, bool kernel, int skip, int *count)
{
    if (!v)
        return 0;
    for (int i = 0;; i++) {
        char *p;
        int r;

        if (kernel)
            p = v[i];
        else if (get_user(p, (char *__user *)v + i))
            return -EFAULT;
        if (!p)
            return 0;
        if (i < skip)
            continue;
        r = put_bytes_of(s, p, kernel);
        if (r)
            return r;
        ++*count;
        if (!kernel && signal_pending() && current->work & WORK_EXIT)
            return -EINTR;
    }
}

/* --- finding the program ---------------------------------------------------------------------- */

static int open_program(struct exec *x, const char *path)
{
    struct file *f = file_open(path, O_RDONLY, 0);
    struct inode *i;
    int r;

    if (IS_ERR(f))
        return (int)PTR_ERR(f);
    i = f->inode;
    r = S_ISREG(i->mode) ? permission(i, MAY_EXEC) : -EACCES;
    if (!r && !(i->mode & 0111))
        r = -EACCES;
    if (!r && i->sb && i->sb->flags & MS_NOEXEC)
        r = -EACCES;
    if (r) {
        file_put(f);
        return r;
    }
    if (x->file)
        file_put(x->file);
    x->file = f;
    strlcpy(x->path, path, sizeof(x->path));
    return 0;
}

static int push_prefix(struct exec *x, const char *s)
{
    char *p = kstrdup(s);

    if (!p)
        return -ENOMEM;
    for (int i = x->nprefix++; i > 0; i--)
        x->prefix[i] = x->prefix[i - 1];
    x->prefix[0] = p;
    return 0;
}

/* "#!interpreter [argument]": the words go in front of the arguments. */
static int follow_script(struct exec *x, char *line)
{
    char *interp, *arg = NULL, *end = strchr(line, '\n');
    int r;

    if (!end)
        return -ENOEXEC;
    while (end > line && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
        end--;
    *end = 0;
    for (interp = line + 2; *interp == ' ' || *interp == '\t'; interp++)
        ;
    if (!*interp)
        return -ENOEXEC;
    for (char *c = interp; *c; c++)
        if (*c == ' ' || *c == '\t') {
            *c++ = 0;
            while (*c == ' ' || *c == '\t')
                c++;
            arg = c;
            break;
        }
    if (!x->script) { /* the script's own path replaces argv[0] */
        r = push_prefix(x, x->path);
    } else {
        kfree(x->prefix[0]);
        x->prefix[0] = kstrdup(x->path);
        r = x->prefix[0] ? 0 : -ENOMEM;
    }
    x->script = true;
    if (!r && arg)
        r = push_prefix(x, arg);
    if (!r)
        r = push_prefix(x, interp);
    return r ? r : open_program(x, interp);
}

static int find_program(struct exec *x, const char *path)
{
    char *head = kmalloc(260, GFP_KERNEL);
    int r;

    if (!head)
        return -ENOMEM;
    r = open_program(x, path);
    for (int depth = 0; !r; depth++) {
        ssize_t n = file_read_kernel(x->file, head, 256, 0);

        if (n < 0) {
            r = (int)n;
            break;
        }
        head[n] = 0;
        if (n < 2 || head[0] != '#' || head[1] != '!')
            break;
        r = depth < MAX_SCRIPTS ? follow_script(x, head) : -ELOOP;
    }
    kfree(head);
    return r;
}

/* --- the first stack -------------------------------------------------------------------------- */

static int stack_map(struct exec *x, struct mm *mm, u64 *strings_at)
{
    u64 n = DIV_ROUND_UP(x->s.len, PAGE_SIZE);
    u64 base = STACK_TOP - (n + 1) * PAGE_SIZE; /* one page above for AT_RANDOM and names */
    struct vma *v;
    long r;

    r = mm_map(mm, base - 32 * PAGE_SIZE, STACK_TOP - base + 32 * PAGE_SIZE,
               VM_READ | VM_WRITE | VM_MAYWRITE | VM_GROWSDOWN, true, NULL, 0);
    if (r < 0)
        return (int)r;
    v = vma_find(mm, base);
    v->flags |= VM_ANON;
    for (u64 i = 0; i < n; i++) {
        pte_t *slot = pagetable_slot(&mm->pt, base + i * PAGE_SIZE, true);
        struct page *p = x->s.pages[i];

        if (!slot)
            return -ENOMEM;
        p->flags |= PG_ANON | PG_UPTODATE;
        p->maps++;
        mm->rss++;
        pte_set(slot, pte_mark(pte_make(page_frame(p), PTE_USER | PTE_WRITE), true));
        x->s.pages[i] = NULL;
    }
    mm->start_stack = base;
    *strings_at = base;
    return 0;
}

/* Pointers to n strings starting at *at, then NULL. */
static u64 *put_pointers(struct mm *mm, u64 *out, u64 *at, int n, const char *copy)
{
    for (int i = 0; i < n; i++) {
        size_t len = strlen(copy) + 1;

        *out++ = *at;
        *at += len;
        copy += len;
    }
    *out++ = 0;
    return out;
}

#define AUX_WORDS 40

static u64 *put_aux(struct exec *x, u64 *out, u64 extra)
{
    struct cred *c = &current->cred;
    const u64 aux[] = {
        3,  x->prog.phdr,
        4,  56,
        5,  x->prog.phnum,
        6,  PAGE_SIZE,
        7,  0,
        8,  0,
        9,  x->prog.entry,
        11, c->uid,
        12, x->euid,
        13, c->gid,
        14, x->egid,
        16, 0x178bfbff,
        17, 100,
        23, c->uid != x->euid,
        25, extra,
        15, extra + 16,
        31, extra + 32,
        0,  0,
    };

    memcpy(out, aux, sizeof(aux));
    return out + ARRAY_SIZE(aux);
}

/* argc, argv, envp and the auxiliary vector below the strings. Returns the stack pointer, 0: no
 * memory. */
static u64 stack_fill(struct exec *x, struct mm *mm, u64 at)
{
    size_t words = 1 + x->s.argc + 1 + x->s.envc + 1 + AUX_WORDS, len = x->s.len;
    u64 extra = STACK_TOP - PAGE_SIZE, sp = ALIGN_DOWN(at - words * 8, 16UL), *vec, *out;
    char names[48 + 256], *copy;
    bool ok;

    vec = kzalloc(words * 8, GFP_KERNEL);
    copy = kmalloc(len + 1, GFP_KERNEL);
    if (!vec || !copy) {
        kfree(vec);
        kfree(copy);
        return 0;
    }
    copy[len] = 0;
    ok = mm_access(mm, at, copy, len, false) == (ssize_t)len;
    out = vec;
    *out++ = x->s.argc;
    mm->arg_start = at;
    out = put_pointers(mm, out, &at, x->s.argc, copy);
    mm->arg_end = mm->env_start = at;
    out = put_pointers(mm, out, &at, x->s.envc, copy + (at - mm->arg_start));
    mm->env_end = at;
    put_aux(x, out, extra);
    memset(names, 0, sizeof(names));
    random_bytes(names, 16);
    strlcpy(names + 16, "x86_64", 16);
    strlcpy(names + 32, x->path, 256);
    ok = ok && mm_access(mm, extra, names, sizeof(names), true) == (ssize_t)sizeof(names) &&
         mm_access(mm, sp, vec, words * 8, true) == (ssize_t)(words * 8);
    kfree(vec);
    kfree(copy);
    return ok ? sp : 0;
}

/* --- the change-over -------------------------------------------------------------------------- */

/* Ends all other threads; the caller then is the process's only one and has its number. */
static int become_only_thread(void)
{
    struct proc *p = current->proc;
    struct thread *t;

    if (p->group_exit)
        return -EINTR;
    while (p->nthreads > 1) {
        list_for_each (t, &p->threads, proc_link)
            if (t != current) {
                t->work |= WORK_EXIT;
                if (t->state == T_SLEEP_INTR || t->state == T_SLEEP_KILL)
                    sched_wake(t);
                sched_continue(t);
            }
        sleep_ms(1);
        if (current->work & WORK_EXIT)
            return -EINTR;
    }
    if (current->tid != p->pid) {
        thread_unlink(current);
        current->tid = p->pid;
        thread_link(current);
    }
    p->leader = current;
    return 0;
}

static int unshare_parts(struct proc *p)
{
    if (p->sighand->refs > 1) {
        struct sighand *s = sighand_clone(p->sighand);

        if (!s)
            return -ENOMEM;
        sighand_put(p->sighand);
        p->sighand = s;
    }
    if (p->files->refs > 1) {
        struct files *f = files_clone(p->files);

        if (!f)
            return -ENOMEM;
        files_put(p->files);
        p->files = f;
    }
    return 0;
}

static void change_over(struct exec *x, struct mm *mm, u64 sp)
{
    struct thread *t = current;
    struct proc *p = t->proc;
    struct mm *old = t->mm;
    const char *name = strrchr(x->path, '/');

    if (old)
        thread_release_mm(t);
    t->mm = p->mm = mm;
    mm_switch(mm);
    if (old)
        mm_put(old);
    t->clear_tid = NULL;
    t->robust_list = NULL;
    t->cred.euid = t->cred.suid = t->cred.fsuid = x->euid;
    t->cred.egid = t->cred.sgid = t->cred.fsgid = x->egid;
    strlcpy(t->comm, name ? name + 1 : x->path, sizeof(t->comm));
    p->did_exec = true;
    p->exit_signal = SIGCHLD;
    signal_exec_reset(p);
    files_close_on_exec(p->files);
    arch_thread_exec(t, x->prog.entry, sp);
    t->work |= WORK_SIGNAL; /* leave by iret */
}

static int build(struct exec *x)
{
    struct mm *mm = mm_new();
    u64 at = 0, sp = 0;
    int r;

    if (!mm)
        return -ENOMEM;
    r = elf_load(x->file, mm, &x->prog);
    if (!r)
        r = stack_map(x, mm, &at);
    if (!r) {
        sp = stack_fill(x, mm, at);
        r = sp ? 0 : -ENOMEM;
    }
    if (!r)
        r = become_only_thread();
    if (!r)
        r = unshare_parts(current->proc);
    if (r) {
        mm_put(mm);
        return r;
    }
    mm->exe = file_get(x->file);
    change_over(x, mm, sp);
    return 0;
}

static void set_ids(struct exec *x)
{
    struct inode *i = x->file->inode;

    x->euid = current->cred.euid;
    x->egid = current->cred.egid;
    if (i->sb && i->sb->flags & MS_NOSUID)
        return;
    if (i->mode & S_ISUID)
        x->euid = i->uid;
    if ((i->mode & (S_ISGID | 010)) == (S_ISGID | 010))
        x->egid = i->gid;
}

static int do_exec(const char *path, char *const *argv, char *const *envp, bool kernel)
{
    struct exec *x = kzalloc(sizeof(*x), GFP_KERNEL);
    int r;

    if (!x)
        return -ENOMEM;
    r = find_program(x, path);
    for (int i = 0; !r && i < x->nprefix; i++) {
        r = put_bytes_of(&x->s, x->prefix[i], true);
        x->s.argc++;
    }
    if (!r)
        r = put_vector(&x->s, argv, kernel, x->script ? 1 : 0, &x->s.argc);
    if (!r && !x->s.argc) { /* nobody starts without a name */
        r = put_bytes_of(&x->s, "", true);
        x->s.argc = 1;
    }
    if (!r)
        r = put_vector(&x->s, envp, kernel, 0, &x->s.envc);
    if (!r) {
        set_ids(x);
        r = build(x);
    }
    for (int i = 0; i < ARG_PAGES; i++)
        if (x->s.pages[i])
            page_put(x->s.pages[i]);
    for (int i = 0; i < x->nprefix; i++)
        kfree(x->prefix[i]);
    if (x->file)
        file_put(x->file);
    kfree(x);
    return r;
}

int proc_exec(const char *path, char *const *argv, char *const *envp)
{
    return do_exec(path, argv, envp, true);
}

long sys_execve(const char __user *upath, char *const __user *argv, char *const __user *envp)
{
    char *path = kmalloc(PATH_MAX, GFP_KERNEL);
    ssize_t n;

    if (!path)
        return -ENOMEM;
    n = strncpy_from_user(path, upath, PATH_MAX);
    if (n >= 0)
        n = n ? do_exec(path, argv, envp, false) : -ENOENT;
    kfree(path);
    return n;
}
