/* SPDX-License-Identifier: MIT */
/*
 * thread.c - making and unmaking threads and processes, and finding them by number.
 *
 * Numbers of threads, processes, groups and sessions come from one counter; a number is taken
 * while any thread, process, group or session has it. A dead thread frees its kernel stack only
 * after the switch away from it (thread_reap).
 */
#include "errno.h"
#include "fs.h"
#include "irq.h"
#include "mm.h"
#include "printk.h"
#include "proc_internal.h"
#include "slab.h"
#include "string.h"

#define TID_HASH    256
#define TID_MAX     32768
#define MAX_THREADS (TID_MAX / 2)

struct thread *current;
struct proc kernel_proc;
struct proc *init_proc;
struct list all_procs = LIST_INIT(all_procs);

static struct thread boot_thread;
static struct thread *tid_hash[TID_HASH];
static struct kmem_cache *thread_cache, *proc_cache;
static pid_t last_tid;
static u32 nr_procs, nr_threads;
static void *stack_pool[8]; /* a few free kernel stacks at hand */
static int stack_pool_count;

struct thread *thread_find(pid_t tid)
{
    struct thread *t = tid_hash[(u32)tid % TID_HASH];

    while (t && t->tid != tid)
        t = t->tid_next;
    return t;
}

struct proc *proc_find(pid_t pid)
{
    struct thread *t = thread_find(pid);
    struct proc *p;

    if (t && t->proc->pid == pid)
        return t->proc;
    /* The first thread may have ended before the others. */
    if (!t)
        list_for_each (p, &all_procs, all_link)
            if (p->pid == pid)
                return p;
    return NULL;
}

static bool number_taken(pid_t n)
{
    struct proc *p;

    if (thread_find(n))
        return true;
    list_for_each (p, &all_procs, all_link)
        if (p->pid == n || p->pgid == n || p->sid == n)
            return true;
    return false;
}

/* Once the counter has wrapped, numbers have to be looked for. */
pid_t tid_alloc(void)
{
    static bool wrapped;

    do {
        if (++last_tid >= TID_MAX) {
            last_tid = 2;
            wrapped = true;
        }
    } while (wrapped && number_taken(last_tid));
    return last_tid;
}

void thread_link(struct thread *t)
{
    struct thread **head = &tid_hash[(u32)t->tid % TID_HASH];

    t->tid_next = *head;
    *head = t;
    list_add_tail(&t->proc->threads, &t->proc_link);
    t->proc->nthreads++;
}

void thread_unlink(struct thread *t)
{
    struct thread **pp = &tid_hash[(u32)t->tid % TID_HASH];

    while (*pp != t)
        pp = &(*pp)->tid_next;
    *pp = t->tid_next;
    list_del(&t->proc_link);
    t->proc->nthreads--;
}

static void *stack_alloc(void)
{
    u64 f = irq_save();
    void *s = stack_pool_count ? stack_pool[--stack_pool_count] : NULL;

    irq_restore(f);
    if (!s) {
        struct page *p = alloc_pages(KSTACK_ORDER, GFP_KERNEL);

        s = p ? page_addr(p) : NULL;
    }
    return s;
}

static void stack_free(void *s)
{
    u64 f = irq_save();

    if (stack_pool_count < (int)ARRAY_SIZE(stack_pool)) {
        stack_pool[stack_pool_count++] = s;
        s = NULL;
    }
    irq_restore(f);
    if (s)
        free_pages(virt_page(s), KSTACK_ORDER);
}

static void thread_setup(struct thread *t, struct proc *p, const char *name)
{
    t->proc = p;
    strlcpy(t->comm, name, sizeof(t->comm));
    t->prio = 20;
    t->start_time = clock_mono_ns();
    list_init(&t->run_link);
    list_init(&t->proc_link);
    list_init(&t->futex_link);
    sigqueue_init(&t->sig.pending);
    timer_init(&t->sleep_timer, NULL);
}

struct thread *thread_alloc(struct proc *p, const char *name)
{
    struct thread *t =
        nr_threads < MAX_THREADS ? kmem_cache_alloc(thread_cache, GFP_KERNEL | GFP_ZERO) : NULL;

    if (!t)
        return NULL;
    t->kstack = stack_alloc();
    if (!t->kstack) {
        kmem_cache_free(thread_cache, t);
        return NULL;
    }
    thread_setup(t, p, name);
    nr_threads++;
    return t;
}

void thread_reap(struct thread *t)
{
    nr_threads--;
    arch_thread_free(t);
    stack_free(t->kstack);
    kmem_cache_free(thread_cache, t);
}

static void proc_setup(struct proc *p)
{
    list_init(&p->children);
    list_init(&p->sibling);
    list_init(&p->threads);
    list_init(&p->all_link);
    sigqueue_init(&p->pending);
    wait_queue_init(&p->child_wait);
    p->exit_signal = SIGCHLD;
    p->start_time = clock_mono_ns();
    p->real_timer.proc = p;
    itimer_init(p);
}

struct proc *proc_alloc(void)
{
    struct proc *p = kmem_cache_alloc(proc_cache, GFP_KERNEL | GFP_ZERO);

    if (p) {
        proc_setup(p);
        nr_procs++;
    }
    return p;
}

void proc_free(struct proc *p)
{
    nr_procs--;
    kmem_cache_free(proc_cache, p);
}

u32 proc_count(void)
{
    return nr_procs;
}

u32 proc_count_user(uid_t uid)
{
    struct proc *p;
    u32 n = 0;

    list_for_each (p, &all_procs, all_link)
        if (!p->zombie && p->leader && p->leader->cred.uid == uid)
            n++;
    return n;
}

struct thread *kthread_start(const char *name, void (*fn)(void *), void *arg)
{
    struct thread *t = thread_alloc(&kernel_proc, name);

    if (!t)
        return NULL;
    t->tid = tid_alloc();
    arch_thread_setup_kernel(t, fn, arg);
    thread_link(t);
    sched_add(t);
    return t;
}

/* The current kernel thread becomes process 1; mount_root gives it a root directory. */
int proc_make_init(void)
{
    struct proc *p = proc_alloc();
    struct thread *t = current;

    if (!p)
        return -ENOMEM;
    p->files = files_new();
    p->sighand = sighand_new();
    if (!p->files || !p->sighand || arch_thread_user_init(t))
        return -ENOMEM;
    for (int i = 0; i < RLIM_NLIMITS; i++)
        p->rlim[i] = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
    p->rlim[RLIMIT_STACK].cur = 8 << 20;
    p->rlim[RLIMIT_NOFILE] = (struct rlimit){1024, 4096};
    p->rlim[RLIMIT_CORE].cur = 0;
    p->rlim[RLIMIT_NPROC] = (struct rlimit){4096, 4096};
    thread_unlink(t);
    t->tid = p->pid = p->pgid = p->sid = 1;
    t->proc = p;
    p->leader = t;
    p->parent = &kernel_proc;
    list_add_tail(&kernel_proc.children, &p->sibling);
    list_add_tail(&all_procs, &p->all_link);
    thread_link(t);
    init_proc = p;
    return 0;
}

void proc_init(void)
{
    thread_cache = kmem_cache_create("thread", sizeof(struct thread), 64);
    proc_cache = kmem_cache_create("proc", sizeof(struct proc), 64);
    proc_setup(&kernel_proc);
    thread_setup(&boot_thread, &kernel_proc, "idle");
    boot_thread.prio = 39;
    current = &boot_thread;
    last_tid = 1;
    sched_init(&boot_thread);
}
