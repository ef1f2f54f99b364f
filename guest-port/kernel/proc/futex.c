/* SPDX-License-Identifier: MIT */
/*
 * futex.c - sleeping on a word of user memory.
 *
 * A futex is known by what its word is: (address space, address) for private memory, (mapping,
 * offset) for memory shared between processes. Waiters are in one hash table. The word is
 * read while the waiter is already queued, and nothing else runs in between, so a wake-up that
 * comes after the test finds it.
 */
#include "futex.h"
#include "errno.h"
#include "irq.h"
#include "mm.h"
#include "pagecache.h"
#include "proc_internal.h"
#include "uaccess.h"

#define BUCKETS 64

#define FUTEX_WAIT        0
#define FUTEX_WAKE        1
#define FUTEX_REQUEUE     3
#define FUTEX_CMP_REQUEUE 4
#define FUTEX_WAKE_OP     5
#define FUTEX_WAIT_BITSET 9
#define FUTEX_WAKE_BITSET 10
#define FUTEX_PRIVATE     128
#define FUTEX_CLOCK_REAL  256

struct futex_key {
    void *space; /* mm or mapping */
    u64 where;   /* address, or offset in the mapping */
};

struct futex_waiter {
    struct list link;
    struct futex_key key;
    struct wait_queue q;
    u32 mask;
    bool woken;
};

static struct list buckets[BUCKETS];

extern bool raw_cmpxchg_user(u32 *p, u32 *expected, u32 desired, int *fault);

static struct list *bucket(const struct futex_key *k)
{
    struct list *b = &buckets[((u64)k->space >> 6 ^ k->where >> 2 ^ k->where >> 12) % BUCKETS];

    if (!b->next)
        list_init(b);
    return b;
}

static int get_key(u64 addr, bool private, struct futex_key *k)
{
    struct mm *mm = current->mm;
    struct vma *v;

    if (addr & 3)
        return -EINVAL;
    if (addr >= USER_END)
        return -EFAULT;
    k->space = mm;
    k->where = addr;
    if (private)
        return 0;
    v = vma_find(mm, addr);
    if (!v || v->start > addr)
        return -EFAULT;
    if (v->flags & VM_SHARED) {
        struct page *p = mm_get_page(mm, addr, false);

        if (IS_ERR(p))
            return -EFAULT;
        if (p->mapping) {
            k->space = p->mapping;
            k->where = p->index << PAGE_SHIFT | (addr & ~PAGE_MASK);
        }
        page_put(p);
    }
    return 0;
}

static bool key_equal(const struct futex_key *a, const struct futex_key *b)
{
    return a->space == b->space && a->where == b->where;
}

static int wake_key(const struct futex_key *k, u32 n, u32 mask)
{
    struct list *b = bucket(k);
    struct futex_waiter *w, *next;
    int woken = 0;

    list_for_each_safe (w, next, b, link) {
        if ((u32)woken >= n)
            break;
        if (!key_equal(&w->key, k) || !(w->mask & mask))
            continue;
        list_del(&w->link);
        w->woken = true;
        wake_up(&w->q);
        woken++;
    }
    return woken;
}

static long futex_wait(u64 addr, bool private, u32 val, u64 deadline, u32 mask)
{
    struct futex_waiter w = {.mask = mask};
    u32 now;
    int r = get_key(addr, private, &w.key);

    if (r)
        return r;
    if (!mask)
        return -EINVAL;
    list_init(&w.link);
    wait_queue_init(&w.q);
    if (get_user(now, (u32 __user *)addr)) /* bring the page in first: that may sleep */
        return -EFAULT;
    list_add_tail(bucket(&w.key), &w.link);
    if (get_user(now, (u32 __user *)addr))
        r = -EFAULT;
    else if (now != val)
        r = -EAGAIN;
    else
        r = wait_event_timeout(&w.q, w.woken, deadline);
    list_del(&w.link);
    return w.woken ? 0 : r;
}

static long requeue(u64 from, u64 to, bool private, u32 wake, u32 move, bool cmp, u32 val)
{
    struct futex_key a, b;
    struct futex_waiter *w, *n;
    u32 now, done = 0;
    long woken;
    int r = get_key(from, private, &a);

    if (!r)
        r = get_key(to, private, &b);
    if (r)
        return r;
    if (cmp) {
        if (get_user(now, (u32 __user *)from))
            return -EFAULT;
        if (now != val)
            return -EAGAIN;
    }
    woken = wake_key(&a, wake, ~0u);
    list_for_each_safe (w, n, bucket(&a), link) {
        if (done >= move)
            break;
        if (!key_equal(&w->key, &a))
            continue;
        list_del(&w->link);
        w->key = b;
        list_add_tail(bucket(&b), &w->link);
        done++;
        if (bucket(&a) == bucket(&b) && key_equal(&a, &b))
            break;
    }
    return woken + (cmp ? done : 0);
}

static int op_result(u32 op, u32 old, u32 arg, u32 *new)
{
    switch (op) {
    case 0:
        *new = arg;
        return 0;
    case 1:
        *new = old + arg;
        return 0;
    case 2:
        *new = old | arg;
        return 0;
    case 3:
        *new = old & ~arg;
        return 0;
    case 4:
        *new = old ^ arg;
        return 0;
    }
    return -ENOSYS;
}

static bool op_compare(u32 cmp, u32 old, u32 arg)
{
    s32 a = (s32)old, b = (s32)arg;

    switch (cmp) {
    case 0:
        return a == b;
    case 1:
        return a != b;
    case 2:
        return a < b;
    case 3:
        return a <= b;
    case 4:
        return a > b;
    default:
        return a >= b;
    }
}

static long wake_op(u64 a1, u64 a2, bool private, u32 n1, u32 n2, u32 code)
{
    struct futex_key k1, k2;
    u32 old, new, op = code >> 28 & 7, arg = (u32)((s32)(code << 8) >> 20);
    long woken;
    int r = get_key(a1, private, &k1);

    if (!r)
        r = get_key(a2, private, &k2);
    if (r)
        return r;
    if (code >> 31)
        arg = 1u << (arg & 31);
    if (get_user(old, (u32 __user *)a2))
        return -EFAULT;
    r = op_result(op, old, arg, &new);
    if (r)
        return r;
    if (put_user(new, (u32 __user *)a2)) /* nobody runs in between */
        return -EFAULT;
    woken = wake_key(&k1, n1, ~0u);
    if (op_compare(code >> 24 & 15, old, (u32)((s32)(code << 20) >> 20)))
        woken += wake_key(&k2, n2, ~0u);
    return woken;
}

int futex_wake_addr(u64 addr, u32 n)
{
    struct futex_key k;
    int woken = 0;

    if (!get_key(addr, true, &k))
        woken = wake_key(&k, n, ~0u);
    if (!woken && !get_key(addr, false, &k))
        woken = wake_key(&k, n, ~0u);
    return woken;
}

long sys_futex(u64 addr, int op, u32 val, u64 timeout, u64 addr2, u32 val3)
{
    bool private = op & FUTEX_PRIVATE;
    int cmd = op & ~(FUTEX_PRIVATE | FUTEX_CLOCK_REAL);
    u64 deadline = TIMEOUT_NEVER;
    struct futex_key k;
    int r;

    if ((cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET) && timeout) {
        struct timespec ts;

        if (copy_from_user(&ts, (void __user *)timeout, sizeof(ts)))
            return -EFAULT;
        if (ts.tv_sec < 0 || (u64)ts.tv_nsec >= NSEC_PER_SEC)
            return -EINVAL;
        deadline = timespec_ns(ts);
        if (cmd == FUTEX_WAIT)
            deadline += clock_mono_ns();
        else if (op & FUTEX_CLOCK_REAL)
            deadline -= MIN(deadline, clock_real_ns() - clock_mono_ns());
    }
    switch (cmd) {
    case FUTEX_WAIT:
        val3 = ~0u;
        /* fall through */
    case FUTEX_WAIT_BITSET:
        return futex_wait(addr, private, val, deadline, val3);
    case FUTEX_WAKE:
        val3 = ~0u;
        /* fall through */
    case FUTEX_WAKE_BITSET:
        r = get_key(addr, private, &k);
        return r ? r : val3 ? wake_key(&k, val, val3) : -EINVAL;
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
        return requeue(addr, addr2, private, val, (u32)timeout, cmd == FUTEX_CMP_REQUEUE, val3);
    case FUTEX_WAKE_OP:
        return wake_op(addr, addr2, private, val, (u32)timeout, val3);
    }
    return -ENOSYS;
}

/* --- robust lists: locks whose owner has died ------------------------------------------------- */

#define OWNER_DIED 0x40000000u
#define TID_MASK   0x3fffffffu

struct robust_head {
    u64 first;
    s64 offset;
    u64 pending;
};

long sys_set_robust_list(void __user *head, size_t len)
{
    if (len != sizeof(struct robust_head))
        return -EINVAL;
    current->robust_list = head;
    return 0;
}

long sys_get_robust_list(pid_t tid, u64 __user *head, size_t __user *len)
{
    struct thread *t = tid ? thread_find(tid) : current;

    if (!t)
        return -ESRCH;
    if (t->proc != current->proc && !capable())
        return -EPERM;
    if (put_user((u64)t->robust_list, head) || put_user(sizeof(struct robust_head), len))
        return -EFAULT;
    return 0;
}

static void lock_died(u64 addr)
{
    u32 v;

    if (addr & 3 || get_user(v, (u32 __user *)addr) || (v & TID_MASK) != (u32)current->tid)
        return;
    v = (v & ~TID_MASK) | OWNER_DIED;
    if (!put_user(v, (u32 __user *)addr))
        futex_wake_addr(addr, 1);
}

void futex_thread_exit(struct thread *t)
{
    struct robust_head h;
    u64 at, head = (u64)t->robust_list;

    if (!head)
        return;
    t->robust_list = NULL;
    if (copy_from_user(&h, (void __user *)head, sizeof(h)))
        return;
    at = h.first;
    for (int n = 0; n < 2048 && at != head; n++) {
        if (at != h.pending)
            lock_died((at & ~1UL) + h.offset);
        if (get_user(at, (u64 __user *)(at & ~1UL)))
            break;
    }
    if (h.pending)
        lock_died((h.pending & ~1UL) + h.offset);
}
