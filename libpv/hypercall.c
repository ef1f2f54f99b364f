/* SPDX-License-Identifier: MIT */
/*
 * hypercall.c - names for error numbers, and numbers for names.
 *
 * The hypercalls themselves are inline functions in the header, over pv_trap(), which is in
 * x86_64/hypercall.S and nowhere else. What is left for C is to say in words what a hypervisor
 * answered. Must never allocate or fail: it is used where things have gone wrong already.
 */
#include <pv/hypercall.h>

static const struct {
    uint8_t number;
    char name[13];
} names[] = {
    {XEN_EPERM, "EPERM"},           {XEN_ENOENT, "ENOENT"},
    {XEN_ESRCH, "ESRCH"},           {XEN_EIO, "EIO"},
    {XEN_ENXIO, "ENXIO"},           {XEN_E2BIG, "E2BIG"},
    {XEN_ENOEXEC, "ENOEXEC"},       {XEN_EBADF, "EBADF"},
    {XEN_ECHILD, "ECHILD"},         {XEN_EAGAIN, "EAGAIN"},
    {XEN_ENOMEM, "ENOMEM"},         {XEN_EACCES, "EACCES"},
    {XEN_EFAULT, "EFAULT"},         {XEN_EBUSY, "EBUSY"},
    {XEN_EEXIST, "EEXIST"},         {XEN_EXDEV, "EXDEV"},
    {XEN_ENODEV, "ENODEV"},         {XEN_EISDIR, "EISDIR"},
    {XEN_EINVAL, "EINVAL"},         {XEN_ENFILE, "ENFILE"},
    {XEN_EMFILE, "EMFILE"},         {XEN_ENOSPC, "ENOSPC"},
    {XEN_EROFS, "EROFS"},           {XEN_EDOM, "EDOM"},
    {XEN_ERANGE, "ERANGE"},         {XEN_EDEADLK, "EDEADLK"},
    {XEN_ENOSYS, "ENOSYS"},         {XEN_ENOTEMPTY, "ENOTEMPTY"},
    {XEN_ENODATA, "ENODATA"},       {XEN_ETIME, "ETIME"},
    {XEN_EBADMSG, "EBADMSG"},       {XEN_EOVERFLOW, "EOVERFLOW"},
    {XEN_EILSEQ, "EILSEQ"},         {XEN_EMSGSIZE, "EMSGSIZE"},
    {XEN_EOPNOTSUPP, "EOPNOTSUPP"}, {XEN_ENOBUFS, "ENOBUFS"},
    {XEN_EISCONN, "EISCONN"},       {XEN_ENOTCONN, "ENOTCONN"},
    {XEN_ETIMEDOUT, "ETIMEDOUT"},   {XEN_ECONNREFUSED, "ECONNREFUSED"},
};

const char *pv_error_name(int64_t error)
{
    int64_t number = error < 0 ? -error : error;

    if (number == 0)
        return "ok";
    for (unsigned i = 0; i < PV_ARRAY_SIZE(names); i++)
        if (names[i].number == number)
            return names[i].name;
    return "unknown error";
}

int pv_error_number(const char *name)
{
    for (unsigned i = 0; i < PV_ARRAY_SIZE(names); i++) {
        const char *a = names[i].name, *b = name;

        while (*a && *a == *b)
            a++, b++;
        if (*a == *b)
            return names[i].number;
    }
    return XEN_EINVAL;
}
