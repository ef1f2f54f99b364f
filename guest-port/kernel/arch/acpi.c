/* SPDX-License-Identifier: MIT */
/*
 * acpi.c - the few static ACPI tables this kernel needs: MADT (interrupt controllers), HPET, and
 * FADT (power off, reset). There is no AML interpreter; the sleep type of S5 is found by its
 * name in the DSDT's bytes. Without tables the PC's usual addresses are assumed.
 */
#include "cpu.h"
#include "page.h"
#include "printk.h"
#include "string.h"

struct acpi_info acpi = {
    .lapic = 0xfee00000,
    .ioapic = 0xfec00000,
    .isa_gsi = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
};

struct sdt {
    char sig[4];
    u32 length;
    u8 revision, checksum;
    char oem[6], table[8];
    u32 oem_rev, creator, creator_rev;
} __packed;

struct rsdp {
    char sig[8];
    u8 checksum;
    char oem[6];
    u8 revision;
    u32 rsdt;
    u32 length;
    u64 xsdt;
} __packed;

static const struct sdt *map_table(phys_t pa)
{
    const struct sdt *t = ioremap(pa, sizeof(*t));

    return t ? ioremap(pa, t->length) : NULL;
}

static void read_madt(const struct sdt *t)
{
    const u8 *at = (const u8 *)t + 44, *end = (const u8 *)t + t->length;

    memcpy(&acpi.lapic, (const u8 *)t + 36, 4);
    for (; at + 2 <= end && at[1]; at += at[1]) {
        if (at[0] == 1) { /* I/O APIC */
            u32 addr, base;

            memcpy(&addr, at + 4, 4);
            memcpy(&base, at + 8, 4);
            if (base == 0)
                acpi.ioapic = addr;
        } else if (at[0] == 2 && at[3] < 16) { /* source override */
            memcpy(&acpi.isa_gsi[at[3]], at + 4, 4);
            memcpy(&acpi.isa_flags[at[3]], at + 8, 2);
        }
    }
}

static void read_fadt(const struct sdt *t)
{
    const u8 *f = (const u8 *)t;
    const struct sdt *dsdt;
    u32 v;

    memcpy(&v, f + 64, 4);
    acpi.pm1a_cnt = v;
    if (t->length >= 129) {
        u64 reset;

        memcpy(&reset, f + 120, 8);
        if (f[116] == 1) { /* in port space */
            acpi.reset_port = reset;
            acpi.reset_value = f[128];
        }
    }
    memcpy(&v, f + 40, 4);
    dsdt = map_table(v);
    for (const u8 *s = (const u8 *)dsdt + 36; dsdt && s + 8 < (const u8 *)dsdt + dsdt->length; s++)
        if (!memcmp(s, "_S5_", 4) && s[4] == 0x12) { /* Package: length, count, first element */
            const u8 *e = s + 5 + (s[5] >> 6) + 2;

            acpi.slp_typ_s5 = *e == 0x0a ? e[1] : *e <= 1 ? *e : 0;
            break;
        }
}

static void read_table(phys_t pa)
{
    const struct sdt *t = map_table(pa);

    if (!t)
        return;
    if (!memcmp(t->sig, "APIC", 4))
        read_madt(t);
    else if (!memcmp(t->sig, "FACP", 4))
        read_fadt(t);
    else if (!memcmp(t->sig, "HPET", 4))
        memcpy(&acpi.hpet, (const u8 *)t + 44, 8);
}

static const struct rsdp *find_rsdp(void)
{
    if (boot_rsdp)
        return phys_virt(boot_rsdp);
    for (phys_t pa = 0xe0000; pa < 0x100000; pa += 16)
        if (!memcmp(phys_virt(pa), "RSD PTR ", 8))
            return phys_virt(pa);
    return NULL;
}

void acpi_init(void)
{
    const struct rsdp *r = find_rsdp();
    bool wide = r && r->revision >= 2 && r->xsdt;
    const struct sdt *root;

    if (!r) {
        printk("acpi: no tables\n");
        return;
    }
    root = map_table(wide ? r->xsdt : r->rsdt);
    for (u32 off = sizeof(*root); root && off + (wide ? 8 : 4) <= root->length;
         off += wide ? 8 : 4) {
        u64 pa = 0;

        memcpy(&pa, (const u8 *)root + off, wide ? 8 : 4);
        read_table(pa);
    }
}

void machine_poweroff(void)
{
    irq_disable();
    if (acpi.pm1a_cnt)
        outw(acpi.pm1a_cnt, acpi.slp_typ_s5 << 10 | 1 << 13);
    machine_halt();
}

void machine_reboot(void)
{
    irq_disable();
    if (acpi.reset_port)
        outb(acpi.reset_port, acpi.reset_value);
    outb(0x64, 0xfe); /* keyboard controller */
    machine_halt();
}

void machine_halt(void)
{
    irq_disable();
    for (;;)
        __asm__ volatile("hlt");
}
