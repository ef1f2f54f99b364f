/* SPDX-License-Identifier: MIT */
/*
 * uaccess.h - the only way to touch a user program's memory.
 *
 * Every function may sleep (page faults), so never call one with interrupts off. Bad pointers give
 * -EFAULT, never a crash: the copies in arch/uaccess.S are listed in the exception table. Copy
 * what you check exactly once. Do not hold a lock that the page fault path takes (a locked page
 * of the page cache, mm->lock).
 */
#ifndef KERN_UACCESS_H
#define KERN_UACCESS_H

#include "errno.h"
#include "types.h"

#define USER_END 0x00007ffffffff000UL /* first address that no user mapping reaches */

static inline bool user_range_ok(const void __user *p, size_t n)
{
    unsigned long a = (unsigned long)p;
    return n <= USER_END && a <= USER_END - n;
}

/* 0 or -EFAULT; on -EFAULT a part may have been copied. */
int copy_from_user(void *dst, const void __user *src, size_t n);
int copy_to_user(void __user *dst, const void *src, size_t n);
int clear_user(void __user *dst, size_t n);
/* As above but return how many bytes were NOT copied (for partial reads and writes). */
size_t copy_from_user_left(void *dst, const void __user *src, size_t n);
size_t copy_to_user_left(void __user *dst, const void *src, size_t n);
/* Length without the NUL, -EFAULT, or -ENAMETOOLONG when no NUL within `size` bytes. */
ssize_t strncpy_from_user(char *dst, const char __user *src, size_t size);

#define get_user(x, p)                                         \
    ({                                                         \
        __typeof__(*(p)) _v;                                   \
        int _e = copy_from_user((void *)&_v, (p), sizeof(_v)); \
        if (!_e)                                               \
            (x) = _v;                                          \
        _e;                                                    \
    })
#define put_user(x, p)                      \
    ({                                      \
        __typeof__(*(p)) _v = (x);          \
        copy_to_user((p), &_v, sizeof(_v)); \
    })

struct iovec {
    void *base;
    size_t len;
};

/*
 * A scatter list being consumed: what read, write, readv, sendmsg ... hand to file operations.
 * `kernel` marks bases as kernel pointers (exec, sendfile, procfs).
 */
struct uio {
    const struct iovec *iov; /* kernel copy of the vector, current element first */
    unsigned cnt;            /* elements left, the current one included */
    bool kernel;
    size_t off;  /* bytes of the current element already used */
    size_t left; /* bytes left altogether */
};

static inline void uio_init(struct uio *u, struct iovec *iov, void *base, size_t len, bool kernel)
{
    iov->base = base;
    iov->len = len;
    *u = (struct uio){.iov = iov, .cnt = 1, .kernel = kernel, .left = len};
}
/* Copies min(n, left) bytes and advances; returns bytes copied, short only at a bad pointer. */
size_t uio_write(struct uio *u, const void *src, size_t n); /* kernel -> destination of a read */
size_t uio_read(struct uio *u, void *dst, size_t n);        /* source of a write -> kernel */
size_t uio_zero(struct uio *u, size_t n);
/* Takes back the last n bytes. */
void uio_rewind(struct uio *u, size_t n);
/* Touch up to n bytes of the current element so that a following copy rarely faults. */
int uio_fault_in(struct uio *u, size_t n, bool for_write);

#endif
