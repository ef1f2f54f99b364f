/* SPDX-License-Identifier: MIT
 *
 * image.c - the preflight of kernel images.
 *
 * Order of questions: is it a file at all; is it an ELF for this machine; do its
 * segments lie in the file and apart from each other; does it carry Xen's notes and do
 * they make sense; does the ABI allow its addresses. The first "no" is the answer,
 * because what comes after it cannot be judged.
 *
 * Invariant: bytes are reached through part(), which fails outside the file. Numbers
 * of the file are never added before they are compared.
 */
#include "image.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"

/* Xen's note numbers (public/elfnote.h of the ABI). */
enum {
    NOTE_ENTRY = 1,
    NOTE_HYPERCALL_PAGE = 2,
    NOTE_VIRT_BASE = 3,
    NOTE_PADDR_OFFSET = 4,
    NOTE_XEN_VERSION = 5,
    NOTE_GUEST_OS = 6,
    NOTE_GUEST_VERSION = 7,
    NOTE_LOADER = 8,
    NOTE_FEATURES = 10,
    NOTE_INIT_P2M = 15,
};
enum { NOTE_LIBPV_NEEDS = 1 }; /* of owner "libpv": PV_NOTE_NEEDS (pv/start.h) */

enum { MAX_SEGMENTS = 128, MAX_LOADS = 16, MAX_NOTES = 512, PAGE = 4096 };

/* The hypervisor's own range of addresses, which no guest may be linked into. */
#define HYPERVISOR_START 0xffff800000000000ull
#define HYPERVISOR_END   0xffff880000000000ull

struct judge {
    const char *name;
    const uint8_t *data;
    size_t size;
    char **why;
    struct image_info *info;
    unsigned xen_notes, notes; /* Xen's; all */
};

__attribute__((format(printf, 2, 3))) static int no(struct judge *j, const char *fmt, ...)
{
    char *text;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        abort();
    va_end(ap);
    *j->why = xasprintf("%s: %s", j->name, text);
    free(text);
    return -1;
}

/* n bytes at offset, or NULL where the file has no such bytes. */
static const void *part(const struct judge *j, uint64_t offset, uint64_t n)
{
    if (offset > j->size || n > j->size - offset)
        return NULL;
    return j->data + offset;
}

static int check_foreign(struct judge *j)
{
    static const struct {
        size_t offset, len;
        const char *magic, *what;
    } known[] = {
        {0, 2, "\x1f\x8b", "compressed with gzip; unpack it with gunzip"},
        {0, 6,
         "\xfd"
         "7zXZ",
         "compressed with xz; unpack it with unxz"},
        {0, 4, "\x28\xb5\x2f\xfd", "compressed with zstd; unpack it with unzstd"},
        {0, 2, "#!", "a script; give the kernel's ELF file"},
        {0, 2, "MZ", "a Windows or EFI program; give the kernel's ELF file"},
        {0, 8, "!<arch>\n", "a library archive; link it into a kernel first"},
    };

    if (j->size == 0)
        return no(j, "the file is empty; give an x86-64 ELF kernel.");
    if (part(j, 0, 4) && !memcmp(j->data, ELFMAG, SELFMAG))
        return 0;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        const void *p = part(j, known[i].offset, known[i].len);

        if (p && !memcmp(p, known[i].magic, known[i].len))
            return no(j, "not an ELF file but %s.", known[i].what);
    }
    return no(j, "not an ELF file (it does not begin with 7f 45 4c 46); give a kernel linked "
                 "for x86-64.");
}

static int check_header(struct judge *j, const Elf64_Ehdr **out)
{
    const Elf64_Ehdr *h = part(j, 0, sizeof(*h));

    if (part(j, 0, EI_NIDENT) && j->data[EI_CLASS] != ELFCLASS64)
        return no(j,
                  "not a 64-bit ELF file (byte 4 of the header is %u, not 2); compile with "
                  "gcc -m64 and do not convert it with objcopy -O elf32-i386.",
                  j->data[EI_CLASS]);
    if (!h)
        return no(j, "truncated within the ELF header: %zu bytes of %zu; copy the file again.",
                  j->size, sizeof(*h));
    if (h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_machine != EM_X86_64)
        return no(j,
                  "an ELF file for another machine (e_machine is %u, not 62); compile for "
                  "x86-64.",
                  h->e_machine);
    if (h->e_type == ET_REL)
        return no(j, "an object file that is not linked yet; link it with ld and a linker "
                     "script.");
    if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
        return no(j, "an ELF file of type %u; give an executable kernel (type 2).", h->e_type);
    if (h->e_phnum == 0 || h->e_phentsize != sizeof(Elf64_Phdr))
        return no(j, "no usable program headers (%u of %u bytes); link it as an executable.",
                  h->e_phnum, h->e_phentsize);
    if (h->e_phnum > MAX_SEGMENTS)
        return no(j,
                  "%u program headers, more than the %d that a kernel can need; check the "
                  "linker script.",
                  h->e_phnum, MAX_SEGMENTS);
    if (!part(j, h->e_phoff, (uint64_t)h->e_phnum * sizeof(Elf64_Phdr)))
        return no(j,
                  "truncated: the program headers at offset %#llx are beyond its end "
                  "(%zu bytes); copy the file again.",
                  (unsigned long long)h->e_phoff, j->size);
    *out = h;
    return 0;
}

static void segment(const struct judge *j, const Elf64_Ehdr *h, unsigned i, Elf64_Phdr *out)
{
    memcpy(out, j->data + h->e_phoff + i * sizeof(*out), sizeof(*out));
}

static int check_one_load(struct judge *j, unsigned i, const Elf64_Phdr *p)
{
    if (!part(j, p->p_offset, p->p_filesz))
        return no(j,
                  "truncated: segment %u wants %llu bytes at offset %#llx, and the file has "
                  "%zu; copy it again.",
                  i, (unsigned long long)p->p_filesz, (unsigned long long)p->p_offset, j->size);
    if (p->p_filesz > p->p_memsz)
        return no(j,
                  "segment %u is larger in the file (%llu bytes) than in memory (%llu); "
                  "check the linker script.",
                  i, (unsigned long long)p->p_filesz, (unsigned long long)p->p_memsz);
    if (p->p_paddr > UINT64_MAX - PAGE - p->p_memsz)
        return no(j,
                  "segment %u runs over the end of the address space; check its AT() in the "
                  "linker script.",
                  i);
    return 0;
}

static int check_loads(struct judge *j, const Elf64_Ehdr *h)
{
    uint64_t lowest = UINT64_MAX, highest = 0;
    unsigned loads = 0;
    Elf64_Phdr a, b;

    for (unsigned i = 0; i < h->e_phnum; i++) {
        segment(j, h, i, &a);
        if (a.p_type != PT_LOAD || a.p_memsz == 0)
            continue;
        if (check_one_load(j, i, &a))
            return -1;
        if (++loads > MAX_LOADS)
            return no(j, "more than %d segments to load; merge some in the linker script.",
                      MAX_LOADS);
        for (unsigned k = 0; k < i; k++) {
            segment(j, h, k, &b);
            if (b.p_type == PT_LOAD && a.p_paddr < b.p_paddr + b.p_memsz &&
                b.p_paddr < a.p_paddr + a.p_memsz)
                return no(j,
                          "segments %u and %u overlap at physical address %#llx; give each its "
                          "own place in the linker script.",
                          k, i,
                          (unsigned long long)(a.p_paddr > b.p_paddr ? a.p_paddr : b.p_paddr));
        }
        lowest = a.p_paddr < lowest ? a.p_paddr : lowest;
        highest = a.p_paddr + a.p_memsz > highest ? a.p_paddr + a.p_memsz : highest;
    }
    if (highest == 0)
        return no(j, "no segment to load; check the linker script.");
    j->info->pstart = lowest;
    j->info->pend = highest;
    return 0;
}

static uint64_t note_number(const uint8_t *desc, uint32_t size)
{
    uint64_t v = 0;

    memcpy(&v, desc, size < sizeof(v) ? size : sizeof(v));
    return v;
}

static void note_string(char *to, size_t room, const uint8_t *desc, uint32_t size)
{
    size_t n = strnlen((const char *)desc, size);

    n = n < room - 1 ? n : room - 1;
    memcpy(to, desc, n);
    to[n] = 0;
}

static int take_note(struct judge *j, uint32_t type, const uint8_t *desc, uint32_t size)
{
    struct image_info *f = j->info;
    bool number = type == NOTE_ENTRY || type == NOTE_HYPERCALL_PAGE || type == NOTE_VIRT_BASE ||
                  type == NOTE_PADDR_OFFSET || type == NOTE_INIT_P2M;

    if (number && size != 8 && size != 4)
        return no(j, "Xen note %u holds %u bytes where an address has 8; write it with .quad.",
                  type, size);
    j->xen_notes++;
    switch (type) {
    case NOTE_ENTRY:
        f->entry = note_number(desc, size);
        break;
    case NOTE_HYPERCALL_PAGE:
        f->hypercall_page = note_number(desc, size);
        break;
    case NOTE_VIRT_BASE:
        f->virt_base = note_number(desc, size);
        break;
    case NOTE_PADDR_OFFSET:
        f->paddr_offset = note_number(desc, size);
        break;
    case NOTE_INIT_P2M:
        f->init_p2m = note_number(desc, size);
        break;
    case NOTE_XEN_VERSION:
        note_string(f->xen_version, sizeof(f->xen_version), desc, size);
        break;
    case NOTE_GUEST_OS:
        note_string(f->guest_os, sizeof(f->guest_os), desc, size);
        break;
    case NOTE_GUEST_VERSION:
        note_string(f->guest_version, sizeof(f->guest_version), desc, size);
        break;
    case NOTE_LOADER:
        note_string(f->loader, sizeof(f->loader), desc, size);
        break;
    case NOTE_FEATURES:
        note_string(f->features, sizeof(f->features), desc, size);
        break;
    default:
        break;
    }
    return 0;
}

static int read_notes(struct judge *j, uint64_t offset, uint64_t size)
{
    const uint8_t *p = part(j, offset, size), *end;

    if (!p)
        return no(j,
                  "truncated: its notes (%llu bytes at offset %#llx) are beyond its end; copy "
                  "the file again.",
                  (unsigned long long)size, (unsigned long long)offset);
    end = p + size;
    while ((size_t)(end - p) >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr n;
        uint64_t name_room, desc_room;
        const uint8_t *name;

        if (++j->notes > MAX_NOTES)
            return no(j, "more than %d notes, which no kernel needs; check the note section.",
                      MAX_NOTES);
        memcpy(&n, p, sizeof(n));
        name = p + sizeof(n);
        name_room = ((uint64_t)n.n_namesz + 3) & ~3ull;
        desc_room = ((uint64_t)n.n_descsz + 3) & ~3ull;
        if (name_room > (uint64_t)(end - name) || n.n_descsz > (uint64_t)(end - name) - name_room)
            return no(j,
                      "the note at offset %#llx runs over the end of its segment; check the "
                      "alignment of the note section.",
                      (unsigned long long)(p - j->data));
        if (n.n_namesz == 4 && !memcmp(name, "Xen", 4) &&
            take_note(j, n.n_type, name + name_room, n.n_descsz))
            return -1;
        if (n.n_namesz == 6 && !memcmp(name, "libpv", 6) && n.n_type == NOTE_LIBPV_NEEDS)
            note_string(j->info->needs, sizeof(j->info->needs), name + name_room, n.n_descsz);
        if (desc_room > (uint64_t)(end - name) - name_room)
            break;
        p = name + name_room + desc_room;
    }
    return 0;
}

static int read_all_notes(struct judge *j, const Elf64_Ehdr *h)
{
    Elf64_Phdr p;
    Elf64_Shdr s;

    for (unsigned i = 0; i < h->e_phnum; i++) {
        segment(j, h, i, &p);
        if (p.p_type == PT_NOTE && p.p_offset && read_notes(j, p.p_offset, p.p_filesz))
            return -1;
    }
    if (j->xen_notes)
        return 0;
    for (unsigned i = 0; i < h->e_shnum && h->e_shentsize == sizeof(s); i++) {
        const void *at = part(j, h->e_shoff, (uint64_t)(i + 1) * sizeof(s));

        if (!at)
            break;
        memcpy(&s, (const uint8_t *)at + i * sizeof(s), sizeof(s));
        if (s.sh_type == SHT_NOTE && read_notes(j, s.sh_offset, s.sh_size))
            return -1;
    }
    if (!j->xen_notes)
        return no(j,
                  "an x86-64 ELF file without Xen notes, so no hypervisor knows how to enter it; "
                  "link libpv's start of day (pv/elfnotes.h) into it.");
    return 0;
}

/* Features written as "!name" are required; these are the ones a PV host gives. */
static int check_features(struct judge *j)
{
    static const char *const given[] = {"writable_page_tables", "writable_descriptor_tables",
                                        "pae_pgdir_above_4gb", "dom0"};
    char copy[sizeof(j->info->features)], *save = NULL;

    memcpy(copy, j->info->features, sizeof(copy));
    for (char *f = strtok_r(copy, "|", &save); f; f = strtok_r(NULL, "|", &save)) {
        bool known = *f != '!';

        for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++)
            known |= !strcmp(f + (*f == '!'), given[i]);
        if (!known)
            return no(j,
                      "requires the feature \"%s\", which a PV guest is not given; take the "
                      "exclamation mark from its FEATURES note.",
                      f + 1);
    }
    return 0;
}

static int check_strings(struct judge *j)
{
    const struct image_info *f = j->info;

    if (strncmp(f->loader, "generic", 7) && strncmp(f->guest_os, "linux", 5))
        return no(j,
                  "its LOADER note says \"%s\" where a hypervisor wants \"generic\"; add the note "
                  "(number 8).",
                  f->loader);
    if (strncmp(f->xen_version, "xen-3.0", 7))
        return no(j,
                  "its XEN_VERSION note says \"%s\" where a hypervisor wants \"xen-3.0\"; add the "
                  "note (number 5).",
                  f->xen_version);
    return check_features(j);
}

static bool in_hypervisor(uint64_t from, uint64_t to)
{
    return from < HYPERVISOR_END && to > HYPERVISOR_START;
}

static bool canonical(uint64_t va)
{
    return (va >> 47) == 0 || (va >> 47) == 0x1ffff;
}

static int check_addresses(struct judge *j, const Elf64_Ehdr *h)
{
    struct image_info *f = j->info;
    uint64_t offset;

    if (f->paddr_offset != IMAGE_UNSET && f->virt_base == IMAGE_UNSET)
        return no(j, "has a PADDR_OFFSET note but no VIRT_BASE note; add VIRT_BASE (number 3).");
    if (f->virt_base == IMAGE_UNSET)
        f->virt_base = 0;
    if (f->paddr_offset == IMAGE_UNSET)
        f->paddr_offset = 0;
    offset = f->virt_base - f->paddr_offset;
    f->kstart = f->pstart + offset;
    f->kend = f->pend + offset;
    if (f->entry == IMAGE_UNSET)
        f->entry = h->e_entry;
    if (f->kstart > f->kend || f->virt_base > f->kstart)
        return no(j,
                  "its notes put it at %#llx-%#llx, below its VIRT_BASE of %#llx; make "
                  "PADDR_OFFSET agree with the addresses of the linker script.",
                  (unsigned long long)f->kstart, (unsigned long long)f->kend,
                  (unsigned long long)f->virt_base);
    if (!canonical(f->virt_base) || !canonical(f->kend - 1) || in_hypervisor(f->virt_base, f->kend))
        return no(j,
                  "is linked at %#llx-%#llx, where no guest may be: the hypervisor owns "
                  "0xffff800000000000-0xffff87ffffffffff and the middle does not exist; "
                  "choose another VIRT_BASE.",
                  (unsigned long long)f->virt_base, (unsigned long long)f->kend);
    if (f->entry < f->kstart || f->entry >= f->kend)
        return no(j,
                  "its entry point %#llx is outside of the image (%#llx-%#llx); check the ENTRY "
                  "note.",
                  (unsigned long long)f->entry, (unsigned long long)f->kstart,
                  (unsigned long long)f->kend);
    if (f->hypercall_page != IMAGE_UNSET &&
        (f->hypercall_page % PAGE || f->hypercall_page < f->kstart || f->hypercall_page >= f->kend))
        return no(j,
                  "its HYPERCALL_PAGE note says %#llx, which is not a page within the image "
                  "(%#llx-%#llx); reserve an aligned page for it.",
                  (unsigned long long)f->hypercall_page, (unsigned long long)f->kstart,
                  (unsigned long long)f->kend);
    if (f->init_p2m != IMAGE_UNSET &&
        ((f->init_p2m >= f->kstart && f->init_p2m < f->kend) || !canonical(f->init_p2m) ||
         in_hypervisor(f->init_p2m, f->init_p2m + 1)))
        return no(
            j,
            "its INIT_P2M note says %#llx, which is not free for the guest; choose an address "
            "outside of the image and of the hypervisor's range.",
            (unsigned long long)f->init_p2m);
    return 0;
}

int image_check(const char *name, const uint8_t *data, size_t size, struct image_info *info,
                char **why)
{
    struct judge j = {.name = name, .data = data, .size = size, .why = why, .info = info};
    const Elf64_Ehdr *h = NULL;

    *why = NULL;
    memset(info, 0, sizeof(*info));
    info->file_size = size;
    info->virt_base = info->paddr_offset = info->entry = IMAGE_UNSET;
    info->hypercall_page = info->init_p2m = IMAGE_UNSET;
    if (check_foreign(&j) || check_header(&j, &h) || check_loads(&j, h) || read_all_notes(&j, h) ||
        check_strings(&j))
        return -1;
    return check_addresses(&j, h);
}

/* The bytes of a file, or of the kernel that is packed in them. */
static int check_bytes(struct judge *j, const uint8_t *data, size_t size, struct unpacked *keep)
{
    struct unpacked u;
    char *text;
    int rc;

    if (!unpack_is_bzimage(data, size))
        return image_check(j->name, data, size, j->info, j->why);
    if (unpack_bzimage(data, size, &u, &text)) {
        rc = no(j, "%s", text);
        free(text);
        return rc;
    }
    rc = image_check(j->name, u.bytes, u.size, j->info, j->why);
    if (keep && rc == 0)
        *keep = u;
    else
        free(u.bytes);
    return rc;
}

int image_check_file(const char *path, struct image_info *info, struct unpacked *unpacked,
                     char **why)
{
    struct judge j = {.name = path, .why = why, .info = info};
    struct stat st;
    void *map = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

    if (unpacked)
        *unpacked = (struct unpacked){0};
    if (fd < 0 || fstat(fd, &st) < 0) {
        rc = no(&j, "cannot be read (%s); check the path.", strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        rc = no(&j, "is a %s, not a file; give the kernel's ELF file.",
                S_ISDIR(st.st_mode) ? "directory" : "device or pipe");
    } else if (st.st_size == 0) {
        rc = image_check(path, (const uint8_t *)"", 0, info, why);
    } else if ((map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)) ==
               MAP_FAILED) {
        rc = no(&j, "cannot be read (%s).", strerror(errno));
    } else {
        rc = check_bytes(&j, map, (size_t)st.st_size, unpacked);
        munmap(map, (size_t)st.st_size);
    }
    if (fd >= 0)
        close(fd);
    return rc;
}

int image_check_fit(const char *path, const struct image_info *info, uint64_t mem, uint64_t ramdisk,
                    char **why)
{
    struct judge j = {.name = path, .why = why};
    /* P2M (8 bytes a page), page tables of the start-up mapping, start_info, console, store. */
    uint64_t pages = mem / PAGE, image = info->kend - info->virt_base;
    uint64_t overhead = pages * 8 + (pages / 512 + 16) * PAGE;

    if (image > mem || ramdisk > mem || image + ramdisk + overhead > mem)
        return no(
            &j,
            "needs %llu MiB (image %llu KiB, ramdisk %llu KiB, start-up tables) and the guest has "
            "%llu MiB; give it more with --mem or \"mem\".",
            (unsigned long long)((image + ramdisk + overhead + 0xfffff) >> 20),
            (unsigned long long)(image >> 10), (unsigned long long)(ramdisk >> 10),
            (unsigned long long)(mem >> 20));
    return 0;
}
