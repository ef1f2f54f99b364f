/* SPDX-License-Identifier: MIT
 *
 * boot.c - what the boot loader left, multiboot 1 (QEMU, GRUB) or 2 (GRUB, BIOS and UEFI), read
 * into one struct boot_info; and the guests that the modules' strings describe.
 *
 * Invariants: everything that is kept is copied, because the loader's memory is given away; what
 * does not fit the tables is a panic with a sentence, never cut off silently. The modules'
 * contents stay where they are until memory_release_modules().
 */
#include "x86.h"
#include "../core/domain.h"

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

/* The value of `key=` among the words of s before "--"; 0: not there. */
static const char *word_value(const char *s, const char *key, size_t *length)
{
    size_t k = strlen(key);

    while (*s) {
        const char *end;

        while (*s == ' ')
            s++;
        for (end = s; *end && *end != ' ';)
            end++;
        if (end - s == 2 && s[0] == '-' && s[1] == '-')
            return NULL;
        if ((size_t)(end - s) >= k && memcmp(s, key, k) == 0) {
            *length = (size_t)(end - s) - k;
            return s + k;
        }
        s = end;
    }
    return NULL;
}

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
    const char *v = word_value(boot_info.cmdline, word, &n);

    return v && n == 0;
}

/* A number with an optional K, M or G; 0: it is none. */
static uint64_t size_value(const char *s, size_t length)
{
    uint64_t v = 0;
    size_t i = 0;

    for (; i < length && s[i] >= '0' && s[i] <= '9' && v < 1ul << 44; i++)
        v = v * 10 + (uint64_t)(s[i] - '0');
    if (i == 0 || i + 1 < length)
        return 0;
    if (i == length)
        return v;
    switch (s[i] | 0x20) {
    case 'k':
        return v << 10;
    case 'm':
        return v << 20;
    case 'g':
        return v << 30;
    }
    return 0;
}

static void parse_kernel(struct boot_guest *g, const struct boot_module *m, unsigned domid)
{
    const char *v, *dash = strstr(m->string, " -- ");
    size_t n;

    if ((v = word_value(m->string, "mem=", &n)) != NULL && (g->mem = size_value(v, n)) == 0)
        hv_panic("guest %u: mem=%s is not a size such as 64M", domid, shown(v, n));
    if ((v = word_value(m->string, "vcpus=", &n)) != NULL) {
        uint64_t count = size_value(v, n);

        if (count == 0 || count > MAX_VCPUS)
            hv_panic("guest %u: vcpus=%s is not between 1 and %u", domid, shown(v, n), MAX_VCPUS);
        g->vcpus = (unsigned)count;
    }
    if ((v = word_value(m->string, "name=", &n)) != NULL && n > 0) {
        n = n < sizeof(g->name) ? n : sizeof(g->name) - 1;
        memcpy(g->name, v, n);
        g->name[n] = 0;
    }
    g->cmdline = dash ? dash + 4 : "";
}

static void default_name(struct boot_guest *g, unsigned domid)
{
    char *s = g->name;

    if (domid >= 10)
        *s++ = (char)('0' + domid / 10);
    *s++ = (char)('0' + domid % 10);
    *s = 0;
}

unsigned boot_guests(struct boot_guest *guest, unsigned max)
{
    unsigned count = 0;

    for (unsigned i = 0; i < boot_info.modules; i++) {
        const struct boot_module *m = &boot_info.module[i];
        size_t n = 0;
        const char *role = word_value(m->string, "role=", &n);
        struct boot_guest *g = &guest[count];

        if (value_is(role, n, "ramdisk")) {
            if (count == 0)
                hv_panic("boot module %u is a ramdisk with no kernel before it", i + 1);
            g[-1].ramdisk = phys_to_virt(m->start);
            g[-1].ramdisk_size = m->end - m->start;
            continue;
        }
        if (role && !value_is(role, n, "kernel"))
            hv_panic("boot module %u: role=%s is neither kernel nor ramdisk", i + 1,
                     shown(role, n));
        if (count == max)
            hv_panic("more than %u guests", max);
        *g = (struct boot_guest){.kernel = phys_to_virt(m->start),
                                 .kernel_size = m->end - m->start,
                                 .mem = 64ul << 20,
                                 .vcpus = 1,
                                 .cmdline = m->string};
        default_name(g, ++count);
        if (role)
            parse_kernel(g, m, count);
    }
    return count;
}
