/* SPDX-License-Identifier: MIT
 *
 * elf.h - what a paravirtual kernel's ELF file says of itself. Nothing is loaded here.
 */
#ifndef HV_ELF_H
#define HV_ELF_H

#include "reason.h"
#include <stdbool.h>
#include <stdint.h>

enum { ELF_SEGMENTS = 16 };

struct elf_segment {
    uint64_t paddr, file_offset, file_size, mem_size;
};

/* All addresses are virtual ones, as the notes' VIRT_BASE and PADDR_OFFSET make them. */
struct elf_image {
    const uint8_t *file;
    uint64_t size;
    struct elf_segment segment[ELF_SEGMENTS]; /* sorted, apart from each other */
    unsigned segments;
    uint64_t virt_base;  /* where frame 0 is mapped */
    uint64_t start, end; /* of the kernel, [start, end) */
    uint64_t entry;
    uint64_t hypercall_page; /* 0: none */
    uint64_t init_p2m;       /* ELF_UNSET: none */
    uint64_t offset;         /* virtual minus physical address */
    bool ramdisk_by_frame;   /* MOD_START_PFN */
};

#define ELF_UNSET (~0ull)

/* Read `file`. 0, or the rule that it breaks, with *r filled in. */
enum rule elf_parse(struct elf_image *image, const void *file, uint64_t size, struct reason *r);

#endif
