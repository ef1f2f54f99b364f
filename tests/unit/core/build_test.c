/* SPDX-License-Identifier: MIT
 *
 * build_test.c - images, good and bad, and the guests that the builder makes of them.
 *
 * Images are written here, byte by byte, so that each test can spoil just what it is about.
 */
#include <criterion/criterion.h>
#include <string.h>
#include <stdio.h>
#include <stdlib.h>
#include <pv/abi/console.h>
#include <pv/abi/elfnote.h>
#include <pv/abi/start_info.h>
#include "core/elf.h"
#include "core/event.h"
#include "core/guest_mem.h"
#include "core/hostview_publish.h"
#include "core/sched.h"
#include "backend/console.h"
#include "tests/support/hosted.h"

/* -- images --------------------------------------------------------------------------------- */

enum { IMAGE = 64 * 1024, NOTES = 0x400, TEXT = 0x1000, PHDRS = 64, SHDRS = 0x800 };

struct ehdr {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct phdr {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
struct shdr {
    uint32_t name, type;
    uint64_t flags, addr, offset, size;
    uint32_t link, info;
    uint64_t align, entsize;
};

static uint8_t image[IMAGE];
static size_t notes_used;
static const uint64_t BASE = 0xffffffff80000000ull;

static struct ehdr *eh(void)
{
    return (struct ehdr *)image;
}
static struct phdr *ph(unsigned n)
{
    return (struct phdr *)(image + PHDRS) + n;
}

static void note(uint32_t type, const void *desc, uint32_t n)
{
    uint32_t head[3] = {4, n, type};
    uint8_t *to = image + NOTES + notes_used;

    memcpy(to, head, 12);
    memcpy(to + 12, "Xen", 4);
    memcpy(to + 16, desc, n);
    notes_used += 16 + ((n + 3) & ~3u);
    ph(0)->filesz = ph(0)->memsz = notes_used;
}

static void number(uint32_t type, uint64_t value)
{
    note(type, &value, 8);
}
static void string(uint32_t type, const char *s)
{
    note(type, s, (uint32_t)strlen(s) + 1);
}

/* Two segments: text at 1 MiB, data and bss behind it; the kernel maps itself at BASE. */
static void make_image(void)
{
    memset(image, 0, sizeof(image));
    notes_used = 0;
    *eh() = (struct ehdr){.ident = {0x7f, 'E', 'L', 'F', 2, 1, 1},
                          .type = 2,
                          .machine = 62,
                          .version = 1,
                          .entry = BASE + 0x100000,
                          .phoff = PHDRS,
                          .ehsize = 64,
                          .phentsize = 56,
                          .phnum = 3};
    *ph(0) = (struct phdr){.type = 4, .offset = NOTES};
    *ph(1) = (struct phdr){1, 5, TEXT, BASE + 0x100000, 0x100000, 0x2000, 0x2000, 4096};
    *ph(2) = (struct phdr){1, 6, TEXT + 0x2000, BASE + 0x102000, 0x102000, 0x800, 0x3000, 4096};
    for (unsigned i = 0; i < 0x2800; i++)
        image[TEXT + i] = (uint8_t)(i * 7 + 1);
    string(XEN_ELFNOTE_XEN_VERSION, "xen-3.0");
    string(XEN_ELFNOTE_LOADER, "generic");
    string(XEN_ELFNOTE_GUEST_OS, "test");
    string(XEN_ELFNOTE_FEATURES, "!writable_page_tables|pae_pgdir_above_4gb");
    number(XEN_ELFNOTE_VIRT_BASE, BASE);
    number(XEN_ELFNOTE_ENTRY, BASE + 0x100010);
    number(XEN_ELFNOTE_HYPERCALL_PAGE, BASE + 0x101000);
}

static struct elf_image parsed;
static struct reason why;

static enum rule parse_n(uint64_t n)
{
    memset(&why, 0, sizeof(why));
    return elf_parse(&parsed, image, n, &why);
}
static enum rule parse(void)
{
    return parse_n(sizeof(image));
}

TestSuite(elf, .init = make_image);

Test(elf, a_good_image)
{
    cr_assert_eq(parse(), RULE_NONE);
    cr_assert_eq(parsed.segments, 2);
    cr_assert_eq(parsed.start, BASE + 0x100000);
    cr_assert_eq(parsed.end, BASE + 0x105000);
    cr_assert_eq(parsed.entry, BASE + 0x100010);
    cr_assert_eq(parsed.hypercall_page, BASE + 0x101000);
    cr_assert_eq(parsed.init_p2m, ELF_UNSET);
    cr_assert_not(parsed.ramdisk_by_frame);
    number(XEN_ELFNOTE_MOD_START_PFN, 1);
    number(XEN_ELFNOTE_INIT_P2M, 0xfffffe0000000000);
    number(XEN_ELFNOTE_SUSPEND_CANCEL, 1);
    cr_assert_eq(parse(), RULE_NONE);
    cr_assert(parsed.ramdisk_by_frame);
    cr_assert_eq(parsed.init_p2m, 0xfffffe0000000000);
}

#define assert_bad(rule_)                                         \
    do {                                                          \
        enum rule got_ = parse();                                 \
        cr_assert_eq(got_, rule_, "rule is %s", rule_name(got_)); \
        cr_assert_eq(why.rule, rule_);                            \
    } while (0)

Test(elf, not_an_image)
{
    cr_assert_eq(parse_n(10), RULE_IMAGE_SMALL);
    cr_assert_eq(why.value, 10);
    cr_assert_eq(parse_n(0), RULE_IMAGE_SMALL);
    for (unsigned i = 0; i < 4; i++) {
        make_image();
        image[i] = 'x';
        assert_bad(RULE_IMAGE_NOT_ELF);
    }
    make_image(), image[4] = 1;
    assert_bad(RULE_IMAGE_CLASS);
    make_image(), image[5] = 2;
    assert_bad(RULE_IMAGE_CLASS);
    make_image(), eh()->machine = 3;
    assert_bad(RULE_IMAGE_CLASS);
    make_image(), eh()->type = 1;
    assert_bad(RULE_IMAGE_CLASS);
    make_image(), eh()->phentsize = 8;
    assert_bad(RULE_IMAGE_CLASS);
    make_image(), eh()->phoff = ~0ull - 8;
    assert_bad(RULE_IMAGE_TRUNCATED);
    make_image(), eh()->phnum = 0xffff;
    assert_bad(RULE_IMAGE_TRUNCATED);
}

Test(elf, every_truncation_is_refused_or_harmless)
{
    for (uint64_t n = 0; n < TEXT + 0x2800; n++)
        cr_assert_neq(parse_n(n), RULE_NONE, "%lu bytes", n);
    cr_assert_eq(parse_n(TEXT + 0x2800), RULE_NONE);
}

Test(elf, notes)
{
    ph(0)->type = 0;
    assert_bad(RULE_IMAGE_NO_NOTES);
    make_image(), memcpy(image + NOTES + 12, "GNU", 4),
        notes_used = 0; /* another's note is skipped */
    cr_assert_neq(parse(), RULE_NONE);
    make_image(), ph(0)->offset = IMAGE - 4;
    assert_bad(RULE_IMAGE_TRUNCATED);
    make_image(), ((uint32_t *)(image + NOTES))[1] = 0x7fffffff;
    assert_bad(RULE_IMAGE_NOTE);
    make_image(), ((uint32_t *)(image + NOTES))[0] = 0xffffffff;
    assert_bad(RULE_IMAGE_NOTE);
    make_image(), memcpy(image + NOTES + 16, "xen-2", 5);
    assert_bad(RULE_IMAGE_VERSION);
    make_image(), string(XEN_ELFNOTE_LOADER, "mine");
    assert_bad(RULE_IMAGE_LOADER);
    make_image(), string(XEN_ELFNOTE_FEATURES, "pae_pgdir_above_4gb|!auto_translated_physmap");
    assert_bad(RULE_IMAGE_FEATURE);
    make_image(), string(XEN_ELFNOTE_FEATURES, "!dom0");
    assert_bad(RULE_IMAGE_FEATURE);
    make_image(), string(XEN_ELFNOTE_FEATURES, "auto_translated_physmap|dom0");
    cr_assert_eq(parse(), RULE_NONE, "what it can, but need not have");
}

Test(elf, too_many_notes)
{
    notes_used = 0;
    for (unsigned i = 0; i < 600; i++)
        note(XEN_ELFNOTE_INFO, "", 0);
    ph(0)->offset = 0x4000;
    memmove(image + 0x4000, image + NOTES, notes_used);
    assert_bad(RULE_IMAGE_NOTE);
}

Test(elf, notes_by_section)
{
    struct shdr s = {.type = 7, .offset = NOTES, .size = notes_used};

    ph(0)->type = 0;
    memcpy(image + SHDRS, &s, sizeof(s));
    eh()->shoff = SHDRS, eh()->shnum = 1, eh()->shentsize = sizeof(s);
    cr_assert_eq(parse(), RULE_NONE);
    eh()->shoff = ~0ull - 10;
    assert_bad(RULE_IMAGE_NO_NOTES);
}

Test(elf, segments)
{
    ph(1)->type = ph(2)->type = 0;
    assert_bad(RULE_IMAGE_NOTHING);
    make_image(), ph(1)->filesz = 0x3000, ph(1)->memsz = 0x2000;
    assert_bad(RULE_IMAGE_SEGMENT);
    make_image(), ph(1)->memsz = 1ull << 41;
    assert_bad(RULE_IMAGE_SEGMENT);
    make_image(), ph(1)->paddr = ~0ull - 0x100;
    assert_bad(RULE_IMAGE_SEGMENT);
    make_image(), ph(2)->paddr = 0x101000;
    assert_bad(RULE_IMAGE_OVERLAP);
    make_image(), ph(2)->offset = IMAGE;
    assert_bad(RULE_IMAGE_TRUNCATED);
    make_image(), ph(2)->paddr = 0x1000; /* in any order */
    cr_assert_eq(parse(), RULE_NONE);
    cr_assert_eq(parsed.segment[0].paddr, 0x1000);
    make_image();
    eh()->phoff = 0x2000, eh()->phnum = 20;
    memcpy(image + 0x2000, ph(0), 56);
    for (unsigned i = 1; i < 20; i++) {
        struct phdr p = {1, 5, TEXT, 0, 0x100000 + i * 0x1000, 16, 16, 4096};

        memcpy(image + 0x2000 + i * 56, &p, 56);
    }
    assert_bad(RULE_IMAGE_SEGMENT); /* more than there is room for */
}

Test(elf, addresses)
{
    number(XEN_ELFNOTE_ENTRY, BASE);
    assert_bad(RULE_IMAGE_BOUNDS);
    make_image(), number(XEN_ELFNOTE_ENTRY, BASE + 0x105000);
    assert_bad(RULE_IMAGE_BOUNDS);
    make_image(), number(XEN_ELFNOTE_VIRT_BASE, BASE + 1);
    assert_bad(RULE_IMAGE_BOUNDS);
    make_image(), number(XEN_ELFNOTE_HYPERCALL_PAGE, BASE + 0x101001);
    assert_bad(RULE_IMAGE_BOUNDS);
    make_image(), number(XEN_ELFNOTE_HYPERCALL_PAGE, BASE + 0x105000);
    assert_bad(RULE_IMAGE_BOUNDS);
    make_image(), number(XEN_ELFNOTE_HYPERCALL_PAGE, BASE - 0x1000);
    assert_bad(RULE_IMAGE_BOUNDS);
    make_image(), number(XEN_ELFNOTE_INIT_P2M, BASE + 0x101000);
    assert_bad(RULE_IMAGE_P2M);
    make_image(),
        number(XEN_ELFNOTE_PADDR_OFFSET, 0x100000); /* the base is above the kernel's start */
    number(XEN_ELFNOTE_ENTRY, BASE + 16);
    number(XEN_ELFNOTE_HYPERCALL_PAGE, BASE + 0x1000);
    cr_assert_eq(parse(), RULE_NONE);
    cr_assert_eq(parsed.start, BASE);
    make_image(), number(XEN_ELFNOTE_PADDR_OFFSET, 0x101000);
    number(XEN_ELFNOTE_ENTRY, BASE + 16);
    assert_bad(RULE_IMAGE_BOUNDS);
}

/* Without a base, addresses in the file are those of the kernel. */
Test(elf, without_a_base)
{
    memset(image + NOTES, 0, 512);
    notes_used = 0;
    string(XEN_ELFNOTE_XEN_VERSION, "xen-3.0");
    eh()->entry = 0x100020;
    cr_assert_eq(parse(), RULE_NONE);
    cr_assert_eq(parsed.virt_base, 0);
    cr_assert_eq(parsed.entry, 0x100020);
    cr_assert_eq(parsed.hypercall_page, 0);
    number(XEN_ELFNOTE_PADDR_OFFSET, 0);
    assert_bad(RULE_IMAGE_NOTE);
}

Test(elf, noise)
{
    srand(3);
    for (unsigned n = 0; n < 5000; n++) {
        make_image();
        for (unsigned i = 0; i < 4; i++)
            image[(unsigned)rand() % 0x600] = (uint8_t)rand();
        if (parse() == RULE_NONE)
            cr_assert_leq(parsed.start, parsed.end);
    }
}

/* -- guests
 * ---------------------------------------------------------------------------------------- */

static void machine(void)
{
    hosted_init(16384);
    hosted.quiet = true;
    hv.noexit = 1;
    make_image();
}

static void machine_off(void)
{
    hosted.quiet = false;
    cr_assert_eq(frame_audit(), 0);
    hosted_exit();
}

TestSuite(build, .init = machine, .fini = machine_off);

static struct boot_guest guest(uint64_t pages)
{
    return (struct boot_guest){.name = "t",
                               .kernel = image,
                               .kernel_size = sizeof(image),
                               .cmdline = "a b=c",
                               .mem = pages << 12,
                               .vcpus = 2};
}

static struct vcpu *start_one(struct boot_guest g)
{
    return hv_start(&g, 1);
}

/* The guest reads 8 bytes of its own. */
static uint64_t peek(uint64_t va)
{
    uint64_t x = 0xbad;

    cr_assert_eq(plat_guest_read(&x, va, 8), 0, "%lx is not mapped", va);
    return x;
}

static struct xen_start_info start_info(struct vcpu *v)
{
    struct xen_start_info s;

    cr_assert_eq(plat_guest_read(&s, v->regs.rsi, sizeof(s)), 0);
    return s;
}

static void check_p2m(const struct xen_start_info *s)
{
    for (uint64_t i = 0; i < s->nr_pages; i++) {
        uint64_t m = peek(s->mfn_list + i * 8);

        cr_assert_eq(frame_of(mfn(m))->owner, 1);
        cr_assert_eq(frame_m2p[m], i);
    }
}

/* Everything from the base to the 4 MiB boundary shows pfn 0, 1, 2 ... */
static void check_mapping(const struct xen_start_info *s, uint64_t base, uint64_t to)
{
    for (uint64_t va = base; va < to; va += 4096) {
        uint64_t m = peek(s->mfn_list + ((va - base) >> 12) * 8);
        bool table = va >= s->pt_base && va < s->pt_base + (s->nr_pt_frames << 12);
        uint64_t mark;

        cr_assert_eq(hosted_touch(va, true), !table, "%lx", va);
        memcpy(&mark, plat_map(mfn(m)), 8);
        cr_assert_eq(peek(va), mark);
    }
    cr_assert_not(hosted_touch(to, false));
}

Test(build, a_domu_as_libxc_builds_it)
{
    struct vcpu *v = start_one(guest(4096));
    struct domain *d = v->domain;
    struct xen_start_info s = start_info(v);
    uint64_t stack = (v->regs.rsp - BASE) >> 12;

    cr_assert_eq(v->regs.rip, BASE + 0x100010);
    cr_assert_eq(v->regs.cs, XEN_FLAT_KERNEL_CS);
    cr_assert_eq(v->info->evtchn_upcall_mask, 1);
    cr_assert_str_eq(s.magic, "xen-3.0-x86_64");
    cr_assert_eq(s.nr_pages, 4096);
    cr_assert_eq(s.shared_info, plat_maddr(d->shared));
    cr_assert_eq(s.flags, 0);
    cr_assert_str_eq((char *)s.cmd_line, "a b=c");
    cr_assert_eq(s.mod_len, 0);
    /* kernel | p2m | start_info store console | tables | stack */
    cr_assert_eq(s.mfn_list, BASE + 0x105000);
    cr_assert_eq(v->regs.rsi, BASE + 0x105000 + 4096 * 8);
    cr_assert_eq(s.store_mfn, peek(s.mfn_list + ((v->regs.rsi - BASE) / 4096 + 1) * 8));
    cr_assert_eq(s.console.domU.mfn, peek(s.mfn_list + ((v->regs.rsi - BASE) / 4096 + 2) * 8));
    cr_assert_eq(s.pt_base, v->regs.rsi + 3 * 4096);
    cr_assert_eq(s.nr_pt_frames, 5, "L4, L3, L2, 2 L1 for 4 MiB");
    cr_assert_eq(stack, (s.pt_base - BASE) / 4096 + 5 + 1);
    cr_assert_eq(d->ports[s.console.domU.evtchn].state, EVTCHN_BACKEND);
    cr_assert_eq(d->ports[s.store_evtchn].state, EVTCHN_BACKEND);
    cr_assert_eq(v->root[1].n, peek(s.mfn_list + (s.pt_base - BASE) / 4096 * 8));
    check_p2m(&s);
    check_mapping(&s, BASE, BASE + 0x400000);
    /* What is loaded, and what is cleared. */
    cr_assert_eq(memcmp(plat_map(mfn(peek(s.mfn_list + 0x100 * 8))), image + TEXT, 4096), 0);
    cr_assert_eq(peek(BASE + 0x102000), *(uint64_t *)(image + TEXT + 0x2000));
    cr_assert_eq(peek(BASE + 0x102800), 0);
    cr_assert_eq(peek(BASE + 0x104ff8), 0);
    cr_assert_eq(d->vcpus, 2);
    cr_assert_eq(d->vcpu[1]->state, VCPU_DOWN);
}

/* The rings of console and store are the shim's to write until the guest's end: they can be given
 * up, but not become anything else. */
Test(build, its_rings_stay_what_they_are)
{
    struct vcpu *v = start_one(guest(4096));
    struct domain *d = v->domain;
    const struct pt c = {.d = d, .v = v, .owner = d->id};
    mfn_t ring[2] = {d->store_mfn, d->console_mfn};
    uint64_t info = v->regs.rsi;

    for (unsigned i = 0; i < 2; i++) {
        struct frame *f = frame_of(ring[i]);
        uint64_t va = info + (i + 1) * 4096;

        cr_assert_eq(hosted_call(v, XEN_HYPERVISOR_update_va_mapping, va, 0, 0, 0), 0);
        memset(plat_map(ring[i]), 0, 1024); /* no entry of a table is wrong in it */
        cr_assert_lt(table_get(&c, f, 1), 0);
        cr_assert_eq(d->reasons.entry[(d->reasons.count - 1) % REASON_RING].rule,
                     RULE_PT_TABLE_WRITABLE);
        cr_assert(frame_domain_free(d, ring[i]));
        cr_assert_eq(f->owner, d->id);
        cr_assert_eq(f->refs, 1);
    }
    cr_assert_eq(frame_audit(), 0);
    domain_crash(d);
    for (unsigned i = 0; i < 1000 && !d->buried; i++)
        domain_bury();
    cr_assert(frame_of(ring[0])->flags & FRAME_FREE && frame_of(ring[1])->flags & FRAME_FREE);
}

Test(build, the_hypercall_page)
{
    uint8_t page[4096];

    start_one(guest(4096));
    cr_assert_eq(plat_guest_read(page, BASE + 0x101000, 4096), 0);
    for (unsigned n = 0; n < 128; n++) {
        const uint8_t *p = page + 32 * n;

        cr_assert_eq(p[0], 0x51);
        cr_assert_eq(p[31], 0xcc);
        if (n != XEN_HYPERVISOR_iret)
            cr_assert(p[3] == 0xb8 && p[4] == n && p[8] == 0x0f && p[13] == 0xc3);
        else
            cr_assert(p[3] == 0x50 && p[5] == n && p[11] == 0xcc);
    }
}

Test(build, any_base_that_the_abi_allows)
{
    const uint64_t bases[] = {0,
                              0x400000,
                              0x7fff00000000,
                              0xffff880000000000,
                              0xffffc00000003000,
                              0xffffffff80000000,
                              0x3fe00000,
                              0x7fc0000000};

    for (unsigned i = 0; i < PV_ARRAY_SIZE(bases); i++) {
        struct vcpu *v;
        struct xen_start_info s;
        uint64_t end =
            (bases[i] + 0x105000 + 4096 * 8 + 4096 * 20 + 0x80000 + 0x3fffff) & ~0x3fffffull;

        machine();
        number(XEN_ELFNOTE_VIRT_BASE, bases[i]);
        number(XEN_ELFNOTE_ENTRY, bases[i] + 0x100010);
        number(XEN_ELFNOTE_HYPERCALL_PAGE, bases[i] + 0x101000);
        v = start_one(guest(4096));
        s = start_info(v);
        cr_assert_eq(v->regs.rip, bases[i] + 0x100010);
        check_p2m(&s);
        check_mapping(&s, bases[i], end);
    }
}

Test(build, ramdisks)
{
    static char disk[10000];
    struct boot_guest g = guest(4096);
    struct vcpu *v;
    struct xen_start_info s;

    memset(disk, 'd', sizeof(disk));
    g.ramdisk = disk, g.ramdisk_size = sizeof(disk);
    v = start_one(g);
    s = start_info(v);
    cr_assert_eq(s.mod_start, BASE + 0x105000);
    cr_assert_eq(s.mod_len, sizeof(disk));
    cr_assert_eq(s.mfn_list, BASE + 0x108000);
    cr_assert_eq(peek(s.mod_start + 9992), 0x6464646464646464);
    machine();
    number(XEN_ELFNOTE_MOD_START_PFN, 1);
    v = start_one(g);
    s = start_info(v);
    cr_assert_eq(s.flags, XEN_SIF_MOD_START_PFN);
    cr_assert_eq(s.mod_start, 1024, "behind the 4 MiB that are mapped");
    cr_assert_eq(memcmp(plat_map(mfn(peek(s.mfn_list + 8 * 1024))), disk, 4096), 0);
}

Test(build, a_p2m_somewhere_else)
{
    const uint64_t places[] = {0x7f0000000000, 0xffffff0000000000, 0xffffffff00000000,
                               0xffffffff7fe00000};

    for (unsigned i = 0; i < PV_ARRAY_SIZE(places); i++) {
        struct vcpu *v;
        struct xen_start_info s;

        machine();
        number(XEN_ELFNOTE_INIT_P2M, places[i]);
        v = start_one(guest(4096));
        s = start_info(v);
        cr_assert_eq(s.mfn_list, places[i]);
        cr_assert_eq(s.first_p2m_pfn, 1024);
        cr_assert_geq(s.nr_p2m_frames, 8);
        check_p2m(&s);
        check_mapping(&s, BASE, BASE + 0x400000);
    }
    machine();
    number(XEN_ELFNOTE_INIT_P2M, BASE + 0x40000000); /* above the base: as if it were not given */
    cr_assert_eq(start_info(start_one(guest(4096))).mfn_list, BASE + 0x105000);
}

/* -- guests that cannot be, beside one that can
 * ------------------------------------------------------ */

static void refused_beside_a_good_one(struct boot_guest bad, enum rule rule)
{
    static uint8_t good[IMAGE];
    static uint8_t spoilt[IMAGE];
    struct boot_guest two[2] = {bad, guest(4096)};
    struct vcpu *v;

    memcpy(spoilt, image, IMAGE);
    make_image();
    memcpy(good, image, IMAGE);
    if (bad.kernel == image)
        two[0].kernel = spoilt;
    two[1].kernel = good;
    v = hv_start(two, 2);
    cr_assert_eq(hv.domain[1]->state, DOMAIN_CRASHED);
    cr_assert_eq(hv.domain[1]->reasons.first.rule, rule, "rule is %s",
                 rule_name(hv.domain[1]->reasons.first.rule));
    cr_assert_eq(v->domain->id, 2);
    cr_assert(hv.domain[1]->buried);
    cr_assert_eq(hv.domain[1]->pages, 0);
}

Test(build, not_an_elf)
{
    image[0] = 0;
    refused_beside_a_good_one(guest(4096), RULE_IMAGE_NOT_ELF);
}
Test(build, too_little_memory)
{
    refused_beside_a_good_one(guest(200), RULE_IMAGE_MEMORY);
}
Test(build, too_little_for_the_mapping)
{
    refused_beside_a_good_one(guest(900), RULE_IMAGE_MEMORY);
}
Test(build, more_than_the_machine_has)
{
    refused_beside_a_good_one(guest(40000), RULE_MACHINE_MEMORY);
}

Test(build, no_vcpus)
{
    struct boot_guest g = guest(4096);

    g.vcpus = 0;
    refused_beside_a_good_one(g, RULE_IMAGE_VCPUS);
}

Test(build, too_many_vcpus)
{
    struct boot_guest g = guest(4096);

    g.vcpus = 33;
    refused_beside_a_good_one(g, RULE_IMAGE_VCPUS);
}

static void at_base(uint64_t base)
{
    number(XEN_ELFNOTE_VIRT_BASE, base);
    number(XEN_ELFNOTE_ENTRY, base + 0x100010);
    number(XEN_ELFNOTE_HYPERCALL_PAGE, base + 0x101000);
}

Test(build, in_the_hypervisors_range)
{
    at_base(0xffff800000000000);
    refused_beside_a_good_one(guest(4096), RULE_IMAGE_ADDRESS);
}

Test(build, across_the_end_of_addresses)
{
    at_base(0x7fffffe00000);
    refused_beside_a_good_one(guest(4096), RULE_IMAGE_ADDRESS);
}

Test(build, a_p2m_in_the_hypervisors_range)
{
    number(XEN_ELFNOTE_INIT_P2M, 0xffff810000000000);
    refused_beside_a_good_one(guest(4096), RULE_IMAGE_P2M);
}

Test(build, sixty_four_guests)
{
    static struct boot_guest all[64];
    unsigned up = 0;

    hosted_init(65536 + 8192 * 6);
    hosted.quiet = true;
    hv.noexit = 1;
    for (unsigned i = 0; i < 64; i++) {
        all[i] = guest(1024 + 16);
        all[i].vcpus = 1;
        snprintf(all[i].name, sizeof(all[i].name), "g%u", i + 1);
    }
    cr_assert_eq(hv_start(all, 64)->domain->id, 1);
    for (unsigned i = 1; i <= 64; i++)
        up += hv.domain[i]->state == DOMAIN_RUNNING;
    cr_assert_eq(up, 64);
    cr_assert_eq(hostview.domains, 64);
    cr_assert_str_eq(hostview.domain[63].name, "g64");
    for (unsigned i = 1; i <= 64; i++)
        domain_shutdown(hv.domain[i], 0);
    domain_bury();
    cr_assert_eq(hv.ended, 64);
    cr_assert_eq(hostview.ended, 1);
}

/* Free memory in crumbs: frames come one by one, and the guest is the same. */
Test(build, fragmented_memory)
{
    struct domain *d = domain_create(2, "crumbs", 9000, 1);
    static mfn_t m[9000];
    unsigned n = 0;
    struct vcpu *v;
    struct xen_start_info s;

    while (n < 9000 && frame_domain_alloc(d, 0, &m[n]))
        n++;
    for (unsigned i = 0; i < n; i += 2)
        frame_domain_free(d, m[i]);
    v = start_one(guest(4096));
    s = start_info(v);
    check_p2m(&s);
    check_mapping(&s, BASE, BASE + 0x400000);
}

Test(build, without_what_is_optional)
{
    struct boot_guest g = guest(4096);
    struct vcpu *v;

    memset(image + NOTES, 0, 512);
    notes_used = 0;
    string(XEN_ELFNOTE_XEN_VERSION, "xen-3.0");
    number(XEN_ELFNOTE_VIRT_BASE, BASE);
    number(XEN_ELFNOTE_INIT_P2M,
           0x7f0000000800); /* not a page's address: as if it were not given */
    g.cmdline = NULL;
    v = start_one(g);
    cr_assert_eq(v->regs.rip, BASE + 0x100000);
    cr_assert_eq(start_info(v).cmd_line[0], 0);
    cr_assert_eq(start_info(v).mfn_list, BASE + 0x105000);
}

/* A machine that is nearly full: wherever memory ends, the domain is refused, or the boot stops. */
Test(build, memory_may_end_anywhere)
{
    for (uint64_t frames = 40; frames < 200; frames += 3) {
        struct boot_guest g = guest(20);
        struct domain *d;

        hosted_init(frames);
        hosted.quiet = true;
        hv.noexit = 1;
        d = domain_create(1, "small", 20, 32);
        if (!d)
            continue;
        if (d->state == DOMAIN_PAUSED)
            for (unsigned i = 0; i < 32 && vcpu_create(d, i); i++)
                ;
        else
            cr_assert_eq(d->reasons.first.rule, RULE_MACHINE_MEMORY);
        domain_crash(d);
        domain_bury();
        cr_assert(d->buried);
        cr_assert_eq(frame_audit(), 0);
        (void)g;
    }
}

Test(build, a_burial_that_takes_long)
{
    struct vcpu *v = start_one(guest(4096));
    struct domain *d = v->domain;

    hosted.interrupt_every = 1;
    domain_shutdown(d, 0);
    domain_bury();
    cr_assert_not(d->buried);
    cr_assert(hv.cpu[0].work & CPU_WORK_EXIT);
    hosted.interrupt_every = 0;
    domain_bury();
    cr_assert(d->buried);
}

Test(build, no_room_for_the_domain_is_a_panic, .exit_code = HOSTVIEW_EXIT_PANIC)
{
    struct boot_guest g = guest(4096);

    hosted_init(6);
    hosted.quiet = true;
    hv_start(&g, 1);
}

Test(build, no_room_for_its_vcpus)
{
    struct boot_guest two[2] = {guest(1100), guest(1100)};

    hosted_init(1100 + 200);
    hosted.quiet = true;
    hv.noexit = 1;
    two[1].vcpus = 32;
    hv_start(two, 2);
    cr_assert_eq(hv.domain[1]->state, DOMAIN_RUNNING);
    cr_assert_eq(hv.domain[2]->state, DOMAIN_CRASHED);
    cr_assert_eq(hv.domain[2]->reasons.first.rule, RULE_MACHINE_MEMORY);
}

Test(build, no_guest_is_a_panic, .exit_code = HOSTVIEW_EXIT_PANIC)
{
    hv.noexit = 0;
    hv_start(NULL, 0);
}

Test(build, too_many_guests_are_a_panic, .exit_code = HOSTVIEW_EXIT_PANIC)
{
    static struct boot_guest all[65];

    hv_start(all, 65);
}

Test(build, when_all_have_ended_the_machine_ends, .exit_code = HOSTVIEW_EXIT_OK)
{
    struct vcpu *v;

    hv.noexit = 0;
    v = start_one(guest(4096));
    domain_shutdown(v->domain, 0);
    hv_interrupt(v);
}

Test(build, with_a_crash_it_says_so, .exit_code = HOSTVIEW_EXIT_CRASHED)
{
    struct vcpu *v;

    hv.noexit = 0;
    v = start_one(guest(4096));
    domain_crash(v->domain);
    hv_interrupt(v);
}
