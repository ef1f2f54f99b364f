/* SPDX-License-Identifier: MIT */
/*
 * multiboot.c - reads what the boot loader left (multiboot 1 or 2) into the kernel's own variables.
 *
 * Runs on the boot tables, before anything is allocated, and copies all it needs, since the
 * loader's memory becomes ordinary memory afterwards. Only the modules' contents stay reserved.
 */
#include "arch.h"
#include "initcall.h"
#include "page.h"
#include "printk.h"
#include "string.h"

struct mb1_info {
    u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4],
        mmap_length, mmap_addr;
};
struct mb1_module {
    u32 start, end, string, reserved;
};
struct mb1_mmap {
    u32 size;
    u64 addr, len;
    u32 type;
} __packed;

struct mb2_tag {
    u32 type, size;
};
struct mb2_mmap {
    u32 type, size, entry_size, version;
};
struct mb2_mmap_entry {
    u64 addr, len;
    u32 type, reserved;
};

static void add_ram(u64 addr, u64 len)
{
    u64 start = ALIGN_UP(addr, PAGE_SIZE), end = ALIGN_DOWN(addr + len, PAGE_SIZE);

    if (end <= start || boot_ram_count == (int)ARRAY_SIZE(boot_ram))
        return;
    boot_ram[boot_ram_count++] = (struct mem_range){start, end};
}

static void add_module(u64 start, u64 end, const char *name)
{
    struct boot_module *m;

    if (boot_module_count == (int)ARRAY_SIZE(boot_modules))
        return;
    m = &boot_modules[boot_module_count++];
    m->start = start;
    m->end = end;
    strlcpy(m->name, name, sizeof(m->name));
}

static void read_mb1(const struct mb1_info *info)
{
    if (info->flags & 4)
        strlcpy(boot_cmdline, phys_virt(info->cmdline), sizeof(boot_cmdline));
    if (info->flags & 8) {
        const struct mb1_module *m = phys_virt(info->mods_addr);

        for (u32 i = 0; i < info->mods_count; i++)
            add_module(m[i].start, m[i].end, m[i].string ? phys_virt(m[i].string) : "");
    }
    if (info->flags & 64) {
        u64 at = info->mmap_addr, end = at + info->mmap_length;

        while (at < end) {
            const struct mb1_mmap *e = phys_virt(at);

            if (e->type == 1)
                add_ram(e->addr, e->len);
            at += e->size + 4;
        }
    } else {
        add_ram(0x100000, (u64)info->mem_upper << 10);
    }
}

static void read_mb2(const u8 *info)
{
    const u8 *end = info + *(const u32 *)info;

    for (const u8 *at = info + 8; at < end;) {
        const struct mb2_tag *t = (const void *)at;
        const u32 *w = (const void *)(at + 8);

        if (t->type == 0)
            break;
        if (t->type == 1) {
            strlcpy(boot_cmdline, (const char *)w, sizeof(boot_cmdline));
        } else if (t->type == 3) {
            add_module(w[0], w[1], (const char *)(w + 2));
        } else if (t->type == 6) {
            const struct mb2_mmap *m = (const void *)at;

            for (u32 off = sizeof(*m); off + m->entry_size <= t->size; off += m->entry_size) {
                const struct mb2_mmap_entry *e = (const void *)(at + off);

                if (e->type == 1)
                    add_ram(e->addr, e->len);
            }
        } else if (t->type == 14 || t->type == 15) { /* copy of the RSDP */
            static u8 copy[36];

            memcpy(copy, w, MIN((size_t)t->size - 8, sizeof(copy)));
            boot_rsdp = virt_phys(copy);
        }
        at += ALIGN_UP(t->size, 8u);
    }
}

void boot_info_read(u64 info_phys, u32 magic)
{
    if (magic == 0x2badb002)
        read_mb1(phys_virt(info_phys));
    else if (magic == 0x36d76289)
        read_mb2(phys_virt(info_phys));
    else
        panic("unknown boot protocol %x", magic);
}
