/* SPDX-License-Identifier: MIT
 *
 * start.c - the order in which the machine comes up, from boot.S to the first guest.
 */
#include "x86.h"
#include "../core/entry.h"
#include "../core/hostview_publish.h"
#include "../core/platform.h"
#include "../core/trace.h"
#include "../drivers/pci.h"

enum { MAX_GUESTS = MAX_DOMAINS - 1 };

static void trace_options(void)
{
    static const struct {
        const char *word;
        uint32_t mask;
    } options[] = {{"trace=hypercall", TRACE_HYPERCALL},
                   {"trace=trap", TRACE_TRAP},
                   {"trace=switch", TRACE_SWITCH},
                   {"trace=bounce", TRACE_BOUNCE},
                   {"trace=disk", TRACE_DISK}};

    for (unsigned i = 0; i < PV_ARRAY_SIZE(options); i++)
        if (boot_option(options[i].word))
            hv.trace_mask |= options[i].mask;
}

_Noreturn void x86_start(uint32_t magic, uint32_t info);
_Noreturn void x86_start(uint32_t magic, uint32_t info)
{
    static struct boot_guest guest[MAX_GUESTS];
    struct vcpu *v;
    unsigned n;

    uart_init();
    if (!boot_parse(magic, info))
        hv_panic("not started by a multiboot loader (magic 0x%x)", magic);
    cpu_init();
    memory_init();
    acpi_init();
    intr_init();
    time_init();
    cpuid_init();
    hv.noexit = boot_option("noexit");
    hv.quiet = boot_option("loglvl=0");
    trace_options();
    hv_log("shim: %s, %lu MiB of RAM, TSC %lu.%03lu MHz, %u boot modules\n", boot_info.loader,
           memory_size() >> 20, hv.tsc_khz / 1000, hv.tsc_khz % 1000, boot_info.modules);
    hostview_init(memory_low(), memory_size());
    intr_route(4, VECTOR_SERIAL);
    uart_interrupt_enable();
    pci_init();
    n = boot_guests(guest, MAX_GUESTS);
    v = hv_start(guest, n);
    memory_release_modules();
    hostview.first_guest_tsc = rdtsc();
    asm volatile("jmp hv_exit" : : "a"(v));
    __builtin_unreachable();
}
