/* SPDX-License-Identifier: MIT
 *
 * elf_image.h - a small good kernel image, made in memory, for tests that damage it.
 */
#ifndef TESTS_ELF_IMAGE_H
#define TESTS_ELF_IMAGE_H

#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 0x3000, PHDRS = 64, NOTES = 0x400, TEXT = 0x1000 };
#define BASE 0xffffffff80000000ull

struct good {
    uint8_t bytes[SIZE];
    size_t notes_end;
};

static inline Elf64_Ehdr *header(struct good *g)
{
    return (Elf64_Ehdr *)(void *)g->bytes;
}

static inline Elf64_Phdr *phdr(struct good *g, unsigned i)
{
    return (Elf64_Phdr *)(void *)(g->bytes + PHDRS) + i;
}

static inline void note(struct good *g, uint32_t type, const void *desc, uint32_t size)
{
    Elf64_Nhdr n = {4, size, type};
    uint8_t *at = g->bytes + NOTES + g->notes_end;

    memcpy(at, &n, sizeof(n));
    memcpy(at + sizeof(n), "Xen", 4);
    memcpy(at + sizeof(n) + 4, desc, size);
    g->notes_end += sizeof(n) + 4 + ((size + 3) & ~3u);
    phdr(g, 1)->p_filesz = phdr(g, 1)->p_memsz = g->notes_end;
}

static inline void number(struct good *g, uint32_t type, uint64_t v)
{
    note(g, type, &v, sizeof(v));
}

/* Without notes 1 (ENTRY), 2 (HYPERCALL_PAGE): tests add what they are about. */
static inline struct good *bare_image(void)
{
    struct good *g = calloc(1, sizeof(*g));

    if (!g)
        abort();

    *header(g) = (Elf64_Ehdr){.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                              .e_type = ET_EXEC,
                              .e_machine = EM_X86_64,
                              .e_version = EV_CURRENT,
                              .e_entry = BASE + 0x1000,
                              .e_phoff = PHDRS,
                              .e_ehsize = sizeof(Elf64_Ehdr),
                              .e_phentsize = sizeof(Elf64_Phdr),
                              .e_phnum = 3};
    *phdr(g, 0) = (Elf64_Phdr){.p_type = PT_LOAD,
                               .p_offset = TEXT,
                               .p_vaddr = BASE + 0x1000,
                               .p_paddr = 0x1000,
                               .p_filesz = 0x1000,
                               .p_memsz = 0x1000};
    *phdr(g, 1) = (Elf64_Phdr){.p_type = PT_NOTE, .p_offset = NOTES, .p_align = 4};
    *phdr(g, 2) = (Elf64_Phdr){.p_type = PT_LOAD,
                               .p_offset = TEXT + 0x1000,
                               .p_vaddr = BASE + 0x2000,
                               .p_paddr = 0x2000,
                               .p_filesz = 0x1000,
                               .p_memsz = 0x5000};
    return g;
}

static inline struct good *good_image(void)
{
    struct good *g = bare_image();

    note(g, 8, "generic", 8);
    note(g, 5, "xen-3.0", 8);
    note(g, 6, "test", 5);
    number(g, 3, BASE);
    number(g, 1, BASE + 0x1000);
    number(g, 2, BASE + 0x2000);
    return g;
}

/* Some bytes of it changed, most of them where the headers and notes are. */
static inline void damage(struct good *g, unsigned *seed)
{
    for (int k = rand_r(seed) % 4; k >= 0; k--) {
        size_t at = (size_t)rand_r(seed) % (rand_r(seed) % 2 ? 0x100 : NOTES + 0x100);

        g->bytes[at] = rand_r(seed) % 3 ? (uint8_t)rand_r(seed) : 0xff;
    }
}

#endif
