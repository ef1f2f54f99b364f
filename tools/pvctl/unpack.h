/* SPDX-License-Identifier: MIT
 *
 * unpack.h - the kernel inside a Linux bzImage.
 *
 * A bzImage is a small program for bare PCs around a compressed ELF file. A PV kernel is entered
 * within that ELF file, so it is taken out here, on the host: the setup header says where it lies
 * (boot protocol 2.08), its first bytes how it is compressed, and its last four how large it will
 * be. Nothing of the file is trusted: at most UNPACK_LARGEST bytes are made, and not one more than
 * the file says.
 */
#ifndef PVCTL_UNPACK_H
#define PVCTL_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNPACK_LARGEST (512ull << 20)

struct unpacked {
    uint8_t *bytes; /* from malloc; NULL: the file is not packed */
    size_t size;
};

/* Does it begin as a bzImage does? */
bool unpack_is_bzimage(const uint8_t *data, size_t size);

/* 0: *out holds the ELF file. Else -1, and *why is the end of a sentence about the file ("a
 * bzImage whose ..."), to be freed by the caller. */
int unpack_bzimage(const uint8_t *data, size_t size, struct unpacked *out, char **why);

#endif
