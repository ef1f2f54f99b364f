/* SPDX-License-Identifier: MIT */
/*
 * uaccess.c - range checks around the raw copies of arch/uaccess.S, and scatter lists.
 */
#include "uaccess.h"
#include "string.h"

extern size_t raw_copy_user(void *dst, const void *src, size_t n);
extern size_t raw_clear_user(void *dst, size_t n);
extern ssize_t raw_strncpy_user(char *dst, const char *src, size_t max);

size_t copy_from_user_left(void *dst, const void __user *src, size_t n)
{
    return user_range_ok(src, n) ? raw_copy_user(dst, src, n) : n;
}

size_t copy_to_user_left(void __user *dst, const void *src, size_t n)
{
    return user_range_ok(dst, n) ? raw_copy_user(dst, src, n) : n;
}

int copy_from_user(void *dst, const void __user *src, size_t n)
{
    return copy_from_user_left(dst, src, n) ? -EFAULT : 0;
}

int copy_to_user(void __user *dst, const void *src, size_t n)
{
    return copy_to_user_left(dst, src, n) ? -EFAULT : 0;
}

int clear_user(void __user *dst, size_t n)
{
    return user_range_ok(dst, n) && !raw_clear_user(dst, n) ? 0 : -EFAULT;
}

ssize_t strncpy_from_user(char *dst, const char __user *src, size_t size)
{
    u64 a = (u64)src;
    size_t max = size;
    ssize_t n;

    if (a >= USER_END)
        return -EFAULT;
    if (max > USER_END - a)
        max = USER_END - a;
    n = raw_strncpy_user(dst, src, max);
    if (n < 0 || ((size_t)n == max && max < size))
        return -EFAULT;
    return (size_t)n == size ? -ENAMETOOLONG : n;
}

enum uio_way { TO_UIO, FROM_UIO, ZERO_UIO };

static size_t copy_piece(struct uio *u, void *at, void *buf, size_t n, enum uio_way way)
{
    if (u->kernel) {
        if (way == TO_UIO)
            memcpy(at, buf, n);
        else if (way == FROM_UIO)
            memcpy(buf, at, n);
        else
            memset(at, 0, n);
        return 0;
    }
    if (way == TO_UIO)
        return copy_to_user_left(at, buf, n);
    if (way == FROM_UIO)
        return copy_from_user_left(buf, at, n);
    return user_range_ok(at, n) ? raw_clear_user(at, n) : n;
}

static size_t uio_move(struct uio *u, void *buf, size_t n, enum uio_way way)
{
    size_t done = 0;

    n = MIN(n, u->left);
    while (done < n) {
        size_t piece = MIN(n - done, u->iov->len - u->off), left;

        if (!piece) {
            u->iov++;
            u->cnt--;
            u->off = 0;
            continue;
        }
        left = copy_piece(u, (u8 *)u->iov->base + u->off, (u8 *)buf + done, piece, way);
        piece -= left;
        u->off += piece;
        u->left -= piece;
        done += piece;
        if (left)
            break;
    }
    return done;
}

size_t uio_write(struct uio *u, const void *src, size_t n)
{
    return uio_move(u, (void *)src, n, TO_UIO);
}

size_t uio_read(struct uio *u, void *dst, size_t n)
{
    return uio_move(u, dst, n, FROM_UIO);
}

size_t uio_zero(struct uio *u, size_t n)
{
    return uio_move(u, NULL, n, ZERO_UIO);
}

int uio_fault_in(struct uio *u, size_t n, bool for_write)
{
    u8 *p, *end, c;

    while (u->cnt && u->off == u->iov->len && u->left) {
        u->iov++;
        u->cnt--;
        u->off = 0;
    }
    if (u->kernel || !u->left)
        return 0;
    p = (u8 *)u->iov->base + u->off;
    end = p + MIN(n, u->iov->len - u->off);
    for (;;) {
        if (copy_from_user(&c, p, 1) || (for_write && copy_to_user(p, &c, 1)))
            return -EFAULT;
        if (p == end - 1)
            return 0;
        p = MIN((u8 *)ALIGN_UP((u64)p + 1, PAGE_SIZE), end - 1);
    }
}

void uio_rewind(struct uio *u, size_t n)
{
    while (n > u->off) {
        n -= u->off;
        u->left += u->off;
        u->iov--;
        u->cnt++;
        u->off = u->iov->len;
    }
    u->off -= n;
    u->left += n;
}
