/* SPDX-License-Identifier: MIT
 *
 * elf.c - see elf.h.
 *
 * The file comes from a boot module: anything may be in it. Every offset is checked against its
 * size before it is followed, by subtraction, so that no sum can wrap. The answer is plain data
 * in which segments are sorted, disjoint, inside of the file and inside of [start, end).
 */
#include "elf.h"
#include "guest_mem.h"
#include "text.h"
#include <pv/abi/elfnote.h>

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_phdr {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct elf_shdr {
    uint32_t name, type;
    uint64_t flags, addr, offset, size;
    uint32_t link, info;
    uint64_t align, entsize;
};

struct elf_note {
    uint32_t namesz, descsz, type;
};

enum {
    PT_LOAD = 1,
    PT_NOTE = 4,
    SHT_NOTE = 7,
    EM_X86_64 = 62,
    ET_EXEC = 2,
    ET_DYN = 3,
    NOTES_MAX = 512
};

struct parser {
    struct elf_image *i;
    struct elf_header h;
    struct reason *r;
    uint64_t paddr_offset;
    unsigned notes, seen; /* Xen's; all */
    bool version_ok;
};

static enum rule broken(struct parser *p, enum rule rule, uint64_t va, uint64_t value,
                        uint64_t limit)
{
    p->r->rule = (uint16_t)rule;
    p->r->va = va;
    p->r->value = value;
    p->r->limit = limit;
    return rule;
}

static bool inside(const struct elf_image *i, uint64_t offset, uint64_t n)
{
    return offset <= i->size && n <= i->size - offset;
}

static void read_at(const struct elf_image *i, uint64_t offset, void *to, size_t n)
{
    __builtin_memcpy(to, i->file + offset, n);
}

static enum rule check_header(struct parser *p)
{
    const struct elf_header *h = &p->h;

    if (p->i->size < sizeof(*h))
        return broken(p, RULE_IMAGE_SMALL, 0, p->i->size, sizeof(*h));
    read_at(p->i, 0, &p->h, sizeof(*h));
    if (h->ident[0] != 0x7f || h->ident[1] != 'E' || h->ident[2] != 'L' || h->ident[3] != 'F')
        return broken(p, RULE_IMAGE_NOT_ELF, 0, 0, 0);
    if (h->ident[4] != 2 || h->ident[5] != 1 || h->machine != EM_X86_64 ||
        (h->type != ET_EXEC && h->type != ET_DYN) || h->phentsize < sizeof(struct elf_phdr))
        return broken(p, RULE_IMAGE_CLASS, 0, h->ident[4], h->machine);
    if (!inside(p->i, h->phoff, (uint64_t)h->phnum * h->phentsize))
        return broken(p, RULE_IMAGE_TRUNCATED, 0, h->phoff + (uint64_t)h->phnum * h->phentsize,
                      p->i->size);
    return RULE_NONE;
}

static void phdr_at(const struct parser *p, unsigned n, struct elf_phdr *to)
{
    read_at(p->i, p->h.phoff + (uint64_t)n * p->h.phentsize, to, sizeof(*to));
}

/* -- segments ------------------------------------------------------------------------ */

static enum rule add_segment(struct parser *p, const struct elf_phdr *ph)
{
    struct elf_image *i = p->i;
    unsigned at = i->segments;

    if (!inside(i, ph->offset, ph->filesz))
        return broken(p, RULE_IMAGE_TRUNCATED, ph->vaddr, ph->offset + ph->filesz, i->size);
    if (ph->filesz > ph->memsz || ph->memsz > 1ull << 40 || ph->paddr + ph->memsz < ph->paddr ||
        i->segments == ELF_SEGMENTS)
        return broken(p, RULE_IMAGE_SEGMENT, ph->vaddr, ph->memsz, 0);
    for (; at && i->segment[at - 1].paddr > ph->paddr; at--)
        i->segment[at] = i->segment[at - 1];
    i->segment[at] = (struct elf_segment){ph->paddr, ph->offset, ph->filesz, ph->memsz};
    i->segments++;
    return RULE_NONE;
}

static enum rule read_segments(struct parser *p)
{
    struct elf_image *i = p->i;

    for (unsigned n = 0; n < p->h.phnum; n++) {
        struct elf_phdr ph;
        enum rule rule = RULE_NONE;

        phdr_at(p, n, &ph);
        if (ph.type == PT_LOAD && ph.memsz)
            rule = add_segment(p, &ph);
        if (rule)
            return rule;
    }
    if (!i->segments)
        return broken(p, RULE_IMAGE_NOTHING, 0, 0, 0);
    for (unsigned n = 1; n < i->segments; n++)
        if (i->segment[n].paddr < i->segment[n - 1].paddr + i->segment[n - 1].mem_size)
            return broken(p, RULE_IMAGE_OVERLAP, i->segment[n].paddr, 0, 0);
    return RULE_NONE;
}

/* -- notes ------------------------------------------------------------------------------ */

static uint64_t number(const struct elf_image *i, uint64_t offset, uint32_t n)
{
    uint64_t v = 0;

    read_at(i, offset, &v, n < 8 ? n : 8);
    return v;
}

/* Does the description (a string that may lack its end) begin with `want`? */
static bool begins(const struct elf_image *i, uint64_t offset, uint32_t n, const char *want)
{
    size_t len = text_length(want);

    return n >= len && __builtin_memcmp(i->file + offset, want, len) == 0;
}

/* Kernels say "!writable_page_tables" and mean that they can do without: that is the ABI's way.
 * What cannot be done without, and is not here, is refused; so is a name that nobody knows. */
static bool may_be_required(const struct elf_image *i, uint64_t offset, uint32_t n)
{
    static const char *const names[] = {"writable_page_tables", "writable_descriptor_tables",
                                        "pae_pgdir_above_4gb"};

    for (unsigned f = 0; f < PV_ARRAY_SIZE(names); f++)
        if (n == text_length(names[f]) && begins(i, offset, n, names[f]))
            return true;
    return false;
}

/* "name|!name|...": a name behind '!' is required. Which may not be? */
static enum rule check_features(struct parser *p, uint64_t offset, uint32_t n)
{
    const uint8_t *s = p->i->file + offset;

    for (uint32_t at = 0, end; at < n && s[at]; at = end + 1) {
        for (end = at; end < n && s[end] && s[end] != '|'; end++)
            ;
        if (s[at] == '!' && !may_be_required(p->i, offset + at + 1, end - at - 1))
            return broken(p, RULE_IMAGE_FEATURE, 0, at, 0);
    }
    return RULE_NONE;
}

static enum rule xen_note(struct parser *p, uint32_t type, uint64_t offset, uint32_t n)
{
    struct elf_image *i = p->i;
    uint64_t value = number(i, offset, n);

    p->notes++;
    switch (type) {
    case XEN_ELFNOTE_ENTRY:
        i->entry = value;
        break;
    case XEN_ELFNOTE_HYPERCALL_PAGE:
        i->hypercall_page = value;
        break;
    case XEN_ELFNOTE_VIRT_BASE:
        i->virt_base = value;
        break;
    case XEN_ELFNOTE_PADDR_OFFSET:
        p->paddr_offset = value;
        break;
    case XEN_ELFNOTE_INIT_P2M:
        i->init_p2m = value;
        break;
    case XEN_ELFNOTE_MOD_START_PFN:
        i->ramdisk_by_frame = value != 0;
        break;
    case XEN_ELFNOTE_XEN_VERSION:
        p->version_ok = begins(i, offset, n, "xen-3.0");
        break;
    case XEN_ELFNOTE_LOADER:
        if (!begins(i, offset, n, "generic"))
            return broken(p, RULE_IMAGE_LOADER, 0, 0, 0);
        break;
    case XEN_ELFNOTE_FEATURES:
        return check_features(p, offset, n);
    }
    return RULE_NONE;
}

static enum rule read_notes_in(struct parser *p, uint64_t offset, uint64_t n)
{
    struct elf_image *i = p->i;

    if (!inside(i, offset, n))
        return broken(p, RULE_IMAGE_TRUNCATED, 0, offset + n, i->size);
    while (n >= sizeof(struct elf_note)) {
        struct elf_note note;
        uint64_t name, desc, whole;
        enum rule rule = RULE_NONE;

        read_at(i, offset, &note, sizeof(note));
        name = offset + sizeof(note);
        desc = name + ((note.namesz + 3ull) & ~3ull);
        whole = desc + ((note.descsz + 3ull) & ~3ull) - offset;
        if (desc + note.descsz - offset > n || ++p->seen > NOTES_MAX)
            return broken(p, RULE_IMAGE_NOTE, 0, note.type, 0);
        if (note.namesz == 4 && __builtin_memcmp(i->file + name, "Xen", 4) == 0)
            rule = xen_note(p, note.type, desc, note.descsz);
        if (rule)
            return rule;
        if (whole >= n)
            break;
        offset += whole;
        n -= whole;
    }
    return RULE_NONE;
}

/* Notes by program header, else by section, as Xen looks for them. */
static enum rule read_notes(struct parser *p)
{
    enum rule rule = RULE_NONE;

    for (unsigned n = 0; n < p->h.phnum && !rule; n++) {
        struct elf_phdr ph;

        phdr_at(p, n, &ph);
        if (ph.type == PT_NOTE)
            rule = read_notes_in(p, ph.offset, ph.filesz);
    }
    if (rule || p->notes || p->h.shentsize < sizeof(struct elf_shdr) ||
        !inside(p->i, p->h.shoff, (uint64_t)p->h.shnum * p->h.shentsize))
        return rule;
    for (unsigned n = 0; n < p->h.shnum && !rule; n++) {
        struct elf_shdr sh;

        read_at(p->i, p->h.shoff + (uint64_t)n * p->h.shentsize, &sh, sizeof(sh));
        if (sh.type == SHT_NOTE)
            rule = read_notes_in(p, sh.offset, sh.size);
    }
    return rule;
}

/* -- addresses --------------------------------------------------------------------------- */

static enum rule check_addresses(struct parser *p)
{
    struct elf_image *i = p->i;
    const struct elf_segment *last = &i->segment[i->segments - 1];

    if (i->virt_base == ELF_UNSET) {
        if (p->paddr_offset != ELF_UNSET)
            return broken(p, RULE_IMAGE_NOTE, 0, XEN_ELFNOTE_PADDR_OFFSET, 0);
        i->virt_base = 0;
    }
    i->offset = i->virt_base - (p->paddr_offset == ELF_UNSET ? 0 : p->paddr_offset);
    i->start = i->segment[0].paddr + i->offset;
    i->end = last->paddr + last->mem_size + i->offset;
    if (i->entry == ELF_UNSET)
        i->entry = p->h.entry;
    if (i->start > i->end || i->entry < i->start || i->entry >= i->end)
        return broken(p, RULE_IMAGE_BOUNDS, i->entry, 0, i->end);
    if (i->virt_base > i->start || i->virt_base & PV_PAGE_MASK)
        return broken(p, RULE_IMAGE_BOUNDS, i->virt_base, 0, i->end);
    if (i->hypercall_page &&
        (i->hypercall_page & PV_PAGE_MASK || i->hypercall_page < i->virt_base ||
         i->hypercall_page + PV_PAGE_SIZE > ((i->end + PV_PAGE_MASK) & ~(uint64_t)PV_PAGE_MASK)))
        return broken(p, RULE_IMAGE_BOUNDS, i->hypercall_page, 0, i->end);
    if (i->init_p2m != ELF_UNSET && i->init_p2m >= i->start && i->init_p2m < i->end)
        return broken(p, RULE_IMAGE_P2M, i->init_p2m, 0, i->end);
    return RULE_NONE;
}

enum rule elf_parse(struct elf_image *image, const void *file, uint64_t size, struct reason *r)
{
    struct parser p = {.i = image, .r = r, .paddr_offset = ELF_UNSET};
    enum rule rule;

    *image = (struct elf_image){.file = file,
                                .size = size,
                                .virt_base = ELF_UNSET,
                                .entry = ELF_UNSET,
                                .init_p2m = ELF_UNSET};
    rule = check_header(&p);
    if (!rule)
        rule = read_notes(&p);
    if (!rule && !p.notes)
        rule = broken(&p, RULE_IMAGE_NO_NOTES, 0, 0, 0);
    if (!rule && !p.version_ok)
        rule = broken(&p, RULE_IMAGE_VERSION, 0, 0, 0);
    if (!rule)
        rule = read_segments(&p);
    if (!rule)
        rule = check_addresses(&p);
    return rule;
}
