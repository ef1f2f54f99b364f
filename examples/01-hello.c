/* SPDX-License-Identifier: MIT */
/*
 * 01-hello - the smallest kernel: it prints, and powers itself off.
 *
 * libpv brings the entry point and the ELF notes, so that a kernel is one function. The hypervisor
 * answers its first hypercall with its version.
 */
#include <pv/pv.h>

int pv_host_main(const char *cmdline)
{
    int64_t version = pv_hypercall_xen_version(XENVER_version, NULL);

    (void)cmdline;
    pv_printf("hello from a paravirtualized kernel\n");
    pv_printf("the hypervisor speaks the ABI of Xen %d.%d\n", (int)(version >> 16),
              (int)(version & 0xffff));
    pv_printf("memory: %s, traps: none yet, privileges: none\n",
              pv_start_pages() > 1024 ? "more than 4 MiB" : "4 MiB or less");
    return 0;
}
