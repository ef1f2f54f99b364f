/* SPDX-License-Identifier: MIT
 *
 * acpi.c - the little that is wanted of ACPI: where HPET and IO-APIC are, and how to power off.
 *
 * No interpreter: the sleep type of S5 is found by looking for its package in the DSDT. Tables
 * are read through the direct map's first 4 GiB and are never trusted beyond their length.
 */
#include "x86.h"
#include "../core/platform.h"

uint64_t acpi_ioapic = 0xfec00000, acpi_hpet;
static uint64_t rsdt;
static unsigned rsdt_entry;
static const uint8_t *fadt;

struct acpi_header {
    char signature[4];
    uint32_t length;
    uint8_t rest[28];
} __attribute__((packed));
enum { FADT_DSDT = 40, FADT_SMI = 48, FADT_ENABLE = 52, FADT_PM1A = 64, FADT_PM1B = 68 };
enum { MADT_ENTRIES = 44, MADT_IOAPIC = 1, HPET_ADDRESS = 44 };

static uint32_t get32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, 4);
    return v;
}

static uint64_t find_rsdp(void)
{
    uint64_t ebda = (uint64_t) * (const volatile uint16_t *)phys_to_virt(0x40e) << 4;
    uint64_t areas[2][2] = {{ebda, ebda + 1024}, {0xe0000, 0x100000}};

    for (unsigned a = ebda >= 0x80000 && ebda < 0xa0000 ? 0 : 1; a < 2; a++)
        for (uint64_t p = areas[a][0]; p < areas[a][1]; p += 16)
            if (memcmp(phys_to_virt(p), "RSD PTR ", 8) == 0)
                return p;
    return 0;
}

uint64_t acpi_table(const char *signature)
{
    const struct acpi_header *h = phys_to_virt(rsdt);

    if (rsdt == 0)
        return 0;
    for (uint32_t at = sizeof(*h); at + rsdt_entry <= h->length; at += rsdt_entry) {
        uint64_t p = 0;

        memcpy(&p, (const uint8_t *)h + at, rsdt_entry);
        if (p < 1ul << 32 && memcmp(phys_to_virt(p), signature, 4) == 0)
            return p;
    }
    return 0;
}

void acpi_init(void)
{
    uint64_t rsdp = boot_info.rsdp ? boot_info.rsdp : find_rsdp(), p;
    const uint8_t *r = phys_to_virt(rsdp);

    if (rsdp == 0)
        return;
    rsdt = get32(r + 16);
    rsdt_entry = 4;
    if (r[15] >= 2 && get32(r + 24) != 0 && get32(r + 28) == 0) {
        rsdt = get32(r + 24);
        rsdt_entry = 8;
    }
    if ((p = acpi_table("FACP")) != 0)
        fadt = phys_to_virt(p);
    if ((p = acpi_table("HPET")) != 0)
        acpi_hpet = get32((const uint8_t *)phys_to_virt(p) + HPET_ADDRESS);
    if ((p = acpi_table("APIC")) != 0) {
        const uint8_t *m = phys_to_virt(p), *end = m + get32(m + 4);

        for (m += MADT_ENTRIES; m + 2 <= end && m[1] >= 2; m += m[1])
            if (m[0] == MADT_IOAPIC) {
                acpi_ioapic = get32(m + 4);
                break;
            }
    }
}

/* AML: "_S5_" package(0x12) length count, then the sleep types as bytes (0x0a n), 0 or 1. */
static bool sleep_types(uint16_t type[2])
{
    const uint8_t *d = phys_to_virt(get32(fadt + FADT_DSDT));
    uint32_t length = get32(d + 4);

    for (uint32_t i = 36; i + 16 < length; i++) {
        const uint8_t *p = d + i;

        if (memcmp(p, "_S5_", 4) != 0 || p[4] != 0x12)
            continue;
        p += 5;
        p += (p[0] >> 6) + 2; /* the package's length takes one to four bytes; then the count */
        for (unsigned t = 0; t < 2; t++) {
            p += p[0] == 0x0a;
            type[t] = *p++ & 7;
        }
        return true;
    }
    return false;
}

static void acpi_off(void)
{
    uint16_t type[2], pm1a, pm1b;

    if (fadt == NULL || !sleep_types(type))
        return;
    pm1a = (uint16_t)get32(fadt + FADT_PM1A);
    pm1b = (uint16_t)get32(fadt + FADT_PM1B);
    if (!(inw(pm1a) & 1) && get32(fadt + FADT_SMI) != 0) {
        outb((uint16_t)get32(fadt + FADT_SMI), fadt[FADT_ENABLE]);
        for (unsigned i = 0; i < 1000000 && !(inw(pm1a) & 1); i++)
            cpu_relax();
    }
    outw(pm1a, (uint16_t)((inw(pm1a) & 0xc3ff) | type[0] << 10 | 1 << 13));
    if (pm1b)
        outw(pm1b, (uint16_t)((inw(pm1b) & 0xc3ff) | type[1] << 10 | 1 << 13));
}

static bool on_qemu(void)
{
    char s[4];

    outw(0x510, 0); /* fw_cfg's signature */
    for (unsigned i = 0; i < 4; i++)
        s[i] = (char)inb(0x511);
    return memcmp(s, "QEMU", 4) == 0;
}

_Noreturn void plat_power_off(unsigned status)
{
    if (on_qemu())
        outl(0xf4, status);
    acpi_off();
    for (;;)
        asm volatile("cli; hlt");
}

_Noreturn void plat_reboot(void)
{
    outb(0xcf9, 2);
    outb(0xcf9, 6);
    outb(0x64, 0xfe);
    for (;;)
        asm volatile("cli; hlt");
}
