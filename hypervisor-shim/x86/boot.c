/* SPDX-License-Identifier: MIT
 *
 * boot.c - what the boot loader left, multiboot 1 (QEMU, GRUB) or 2 (GRUB, BIOS and UEFI), read
 * into one struct boot_info; and the guests that the modules' strings describe.
 *
 * Invariants: everything that is kept is copied, because the loader's memory is given away; what
 * does not fit the tables is a panic with a sentence, never cut off silently. The modules'
 * contents stay where they are until memory_release_modules(), those of disks for good.
 */
#include "x86.h"
#include "../core/domain.h"
#include "../core/guest_text.h"
#include "../core/text.h"
#include "../drivers/ramdisk.h"

struct boot_info boot_info;
static char strings[96 * 1024];
static size_t strings_used;

struct mb1_info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4];
    uint32_t mmap_length, mmap_addr, drives[2], config, loader;
};
struct mb1_module {
    uint32_t start, end, string, pad;
};
struct mb1_mmap {
    uint32_t size;
    uint64_t base, length;
    uint32_t type;
} __attribute__((packed));

struct mb2_tag {
    uint32_t type, size;
};
struct mb2_module {
    struct mb2_tag tag;
    uint32_t start, end;
    char string[];
};
struct mb2_mmap {
    struct mb2_tag tag;
    uint32_t entry_size, version;
    struct {
        uint64_t base, length;
        uint32_t type, zero;
    } entry[];
};

static const char *keep(const char *s)
{
    size_t n = strlen(s) + 1;
    char *to = strings + strings_used;

    if (n > sizeof(strings) - strings_used)
        hv_panic("the boot modules' strings exceed %zu bytes", sizeof(strings));
    strings_used += n;
    return memcpy(to, s, n);
}

static void add_ram(uint64_t base, uint64_t length)
{
    uint64_t start = (base + PV_PAGE_MASK) & ~(uint64_t)PV_PAGE_MASK;
    uint64_t end = (base + length) & ~(uint64_t)PV_PAGE_MASK;

    if (start >= end)
        return;
    if (boot_info.ranges == BOOT_RANGES)
        hv_panic("the memory map has more than %u ranges of RAM", BOOT_RANGES);
    boot_info.ram[boot_info.ranges++] = (struct boot_range){start, end};
}

static void add_module(uint64_t start, uint64_t end, const char *string)
{
    if (boot_info.modules == BOOT_MODULES)
        hv_panic("more than %u boot modules", BOOT_MODULES);
    boot_info.module[boot_info.modules++] = (struct boot_module){start, end, keep(string)};
}

static bool parse1(const struct mb1_info *info)
{
    const struct mb1_module *m = phys_to_virt(info->mods_addr);

    boot_info.loader = "multiboot 1";
    boot_info.cmdline = info->flags & 4 ? keep(phys_to_virt(info->cmdline)) : "";
    for (uint32_t i = 0; info->flags & 8 && i < info->mods_count; i++)
        add_module(m[i].start, m[i].end, phys_to_virt(m[i].string));
    if (!(info->flags & 64)) {
        add_ram(0x100000, (uint64_t)info->mem_upper << 10);
        return true;
    }
    for (uint32_t at = 0; at < info->mmap_length;) {
        const struct mb1_mmap *e = phys_to_virt(info->mmap_addr + at);

        if (e->type == 1)
            add_ram(e->base, e->length);
        at += e->size + 4;
    }
    return true;
}

static void parse2_mmap(const struct mb2_mmap *m)
{
    uint32_t n = (m->tag.size - sizeof(*m)) / m->entry_size;

    for (uint32_t i = 0; i < n; i++)
        if (m->entry[i].type == 1)
            add_ram(m->entry[i].base, m->entry[i].length);
}

static bool parse2(const uint8_t *info)
{
    uint32_t total = *(const uint32_t *)info;

    boot_info.loader = "multiboot 2";
    boot_info.cmdline = "";
    for (uint32_t at = 8; at + 8 <= total;) {
        const struct mb2_tag *t = (const void *)(info + at);

        switch (t->type) {
        case 0:
            return true;
        case 1:
            boot_info.cmdline = keep((const char *)(t + 1));
            break;
        case 3: {
            const struct mb2_module *m = (const void *)t;

            add_module(m->start, m->end, m->string);
            break;
        }
        case 6:
            parse2_mmap((const void *)t);
            break;
        case 14: /* a copy of ACPI's root, first edition or second */
            if (boot_info.rsdp == 0)
                boot_info.rsdp = virt_to_phys(t + 1);
            break;
        case 15:
            boot_info.rsdp = virt_to_phys(t + 1);
            break;
        }
        at += (t->size + 7) & ~7u;
    }
    return true;
}

bool boot_parse(uint32_t magic, uint64_t info)
{
    if (magic == 0x2badb002)
        return parse1(phys_to_virt(info));
    if (magic == 0x36d76289)
        return parse2(phys_to_virt(info));
    return false;
}

/* -- guests --------------------------------------------------------------- */

/* The value as a string of its own, for a sentence; the latest one only. */
static const char *shown(const char *value, size_t length)
{
    static char s[64];

    length = length < sizeof(s) ? length : sizeof(s) - 1;
    memcpy(s, value, length);
    s[length] = 0;
    return s;
}

static bool value_is(const char *value, size_t length, const char *want)
{
    return value && length == strlen(want) && memcmp(value, want, length) == 0;
}

bool boot_option(const char *word)
{
    size_t n;
    const char *v = text_word(boot_info.cmdline, word, &n);

    return v && n == 0;
}

unsigned boot_guests(struct boot_guest *guest, unsigned max)
{
    unsigned count = 0;

    for (unsigned i = 0; i < boot_info.modules; i++) {
        const struct boot_module *m = &boot_info.module[i];
        size_t n = 0;
        const char *role = text_word(m->string, "role=", &n);
        struct boot_guest *g = &guest[count];
        char why[128];

        if (value_is(role, n, "ramdisk")) {
            if (count == 0)
                hv_panic("boot module %u is a ramdisk with no kernel before it", i + 1);
            g[-1].ramdisk = phys_to_virt(m->start);
            g[-1].ramdisk_size = m->end - m->start;
            continue;
        }
        if (value_is(role, n, "disk")) {
            if (!ramdisk_add(phys_to_virt(m->start), m->end - m->start))
                hv_panic("boot module %u cannot be a disk: it is empty, or there are too many",
                         i + 1);
            boot_info.module[i].end = m->start; /* not to be given back */
            continue;
        }
        if (role && !value_is(role, n, "kernel"))
            hv_panic("boot module %u: role=%s is none of kernel, ramdisk and disk", i + 1,
                     shown(role, n));
        if (count == max)
            hv_panic("more than %u guests", max);
        *g = (struct boot_guest){.kernel = phys_to_virt(m->start),
                                 .kernel_size = m->end - m->start};
        count++;
        if (!guest_text_parse(g, m->string, why, sizeof(why)))
            hv_panic("guest %u: %s", count, why);
        if (!g->name[0])
            text_format(g->name, sizeof(g->name), "%u", count);
    }
    return count;
}
