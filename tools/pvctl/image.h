/* SPDX-License-Identifier: MIT
 *
 * image.h - is this file a kernel that a Xen PV host would start?
 *
 * The preflight: the same questions that a domain builder asks (ELF form, segments,
 * Xen's notes, addresses), asked before a machine is started, and answered in a
 * sentence that names the file, the place in it and the cure. Reads bytes only within the
 * file's bounds; trusts no field.
 */
#ifndef PVCTL_IMAGE_H
#define PVCTL_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "unpack.h"

#define IMAGE_UNSET UINT64_MAX

struct image_info {
    uint64_t file_size;
    uint64_t pstart, pend; /* as linked (physical addresses of the program headers) */
    uint64_t kstart, kend; /* virtual: where the builder puts it */
    uint64_t virt_base, paddr_offset, entry, hypercall_page, init_p2m;
    char guest_os[32], guest_version[32], loader[16], xen_version[16], features[128];
    char needs[32]; /* libpv's own note (pv/start.h): what it needs beyond the hypervisor */
};

/* Judge the bytes of an image called `name`. 0: *info is filled in. Else -1, and *why is
 * one sentence (to be freed by the caller) that begins with the name. */
int image_check(const char *name, const uint8_t *data, size_t size, struct image_info *info,
                char **why);

/* The same for a file on disk. A bzImage is unpacked and its kernel judged; where `unpacked` is not
 * NULL the caller gets that (bytes NULL: it was no bzImage), and frees it. */
int image_check_file(const char *path, struct image_info *info, struct unpacked *unpacked,
                     char **why);

/* Does it fit into `mem` bytes together with a ramdisk of `ramdisk` bytes? */
int image_check_fit(const char *path, const struct image_info *info, uint64_t mem, uint64_t ramdisk,
                    char **why);

#endif
