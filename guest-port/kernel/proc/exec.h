/* SPDX-License-Identifier: MIT */
/* exec.h - between exec.c (the change of programs) and elf.c (the format). */
#ifndef PROC_EXEC_H
#define PROC_EXEC_H

#include "types.h"

#define ARG_PAGES 64 /* 256 KiB of strings */

struct file;
struct mm;

struct program {
    u64 entry;
    u64 phdr; /* address of the program headers in memory, for AT_PHDR */
    u64 phnum;
};

/* Maps the file's segments. 0, -ENOEXEC (not for us), -ENOMEM, -EIO. */
int elf_load(struct file *f, struct mm *mm, struct program *prog);

#endif
