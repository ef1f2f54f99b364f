/* SPDX-License-Identifier: MIT
 *
 * unpack.c - what its header declares.
 *
 * One row for each compression that Linux's build offers; those without a library in Debian, or
 * left out by configure, say so and how else to unpack. A decompressor fills exactly the room that
 * the file announces: it is given no more, and less is an error.
 */
#include "unpack.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"

#ifdef HAVE_LZMA
#include <lzma.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif
#ifdef HAVE_LZ4
#include <lz4.h>
#endif

/* Fill `to` with exactly n bytes from the compressed `from`; false if they do not come out. */
typedef bool filler(const uint8_t *from, size_t size, uint8_t *to, size_t n);

#ifdef HAVE_LZMA
static bool fill_xz(const uint8_t *from, size_t size, uint8_t *to, size_t n)
{
    size_t in = 0, out = 0;
    uint64_t memory = 256 << 20;

    return lzma_stream_buffer_decode(&memory, 0, NULL, from, &in, size, to, &out, n) == LZMA_OK &&
           out == n;
}
#endif

#ifdef HAVE_ZSTD
static bool fill_zstd(const uint8_t *from, size_t size, uint8_t *to, size_t n)
{
    size_t frame = ZSTD_findFrameCompressedSize(from, size);

    return !ZSTD_isError(frame) && ZSTD_decompress(to, n, from, frame) == n;
}
#endif

#ifdef HAVE_ZLIB
static bool fill_gzip(const uint8_t *from, size_t size, uint8_t *to, size_t n)
{
    z_stream z = {.next_in = (uint8_t *)from,
                  .avail_in = (unsigned)size,
                  .next_out = to,
                  .avail_out = (unsigned)n};
    bool good = inflateInit2(&z, 15 + 16) == Z_OK; /* a gzip header, and its checksum */

    if (!good)
        return false;
    good = inflate(&z, Z_FINISH) == Z_STREAM_END && z.total_out == n;
    inflateEnd(&z);
    return good;
}
#endif

#ifdef HAVE_LZ4
/* The "legacy" form: a mark, then blocks of up to 8 MiB, each after its compressed size. */
static bool fill_lz4(const uint8_t *from, size_t size, uint8_t *to, size_t n)
{
    size_t in = 4, out = 0;

    while (out < n) {
        uint32_t block;
        int got;

        if (size - in < sizeof(block))
            return false;
        memcpy(&block, from + in, sizeof(block));
        in += sizeof(block);
        if (block > size - in)
            return false;
        got = LZ4_decompress_safe((const char *)from + in, (char *)to + out, (int)block,
                                  (int)(n - out < 8 << 20 ? n - out : 8 << 20));
        if (got <= 0)
            return false;
        in += block;
        out += (size_t)got;
    }
    return true;
}
#endif

static const struct packing {
    const char *magic;
    size_t length;
    const char *name;
    size_t behind;   /* bytes of the size that Linux's build adds behind it; gzip has its own */
    filler *fill;    /* NULL: not here */
    const char *how; /* to unpack it otherwise */
} packings[] = {
#ifdef HAVE_LZMA
    {"\xfd"
     "7zXZ",
     6, "xz", 4, fill_xz, NULL},
#else
    {"\xfd"
     "7zXZ",
     6, "xz", 4, NULL, "install liblzma-dev and compile pvctl again"},
#endif
#ifdef HAVE_ZSTD
    {"\x28\xb5\x2f\xfd", 4, "zstd", 4, fill_zstd, NULL},
#else
    {"\x28\xb5\x2f\xfd", 4, "zstd", 4, NULL, "install libzstd-dev and compile pvctl again"},
#endif
#ifdef HAVE_ZLIB
    {"\x1f\x8b", 2, "gzip", 0, fill_gzip, NULL},
#else
    {"\x1f\x8b", 2, "gzip", 0, NULL, "install zlib1g-dev and compile pvctl again"},
#endif
#ifdef HAVE_LZ4
    {"\x02\x21\x4c\x18", 4, "lz4", 4, fill_lz4, NULL},
#else
    {"\x02\x21\x4c\x18", 4, "lz4", 4, NULL, "install liblz4-dev and compile pvctl again"},
#endif
    {"BZh", 3, "bzip2", 4, NULL, "unpack it with Linux's scripts/extract-vmlinux"},
    {"\x5d\x00\x00", 3, "lzma", 4, NULL, "unpack it with Linux's scripts/extract-vmlinux"},
    {"\x89LZO", 4, "lzo", 4, NULL, "unpack it with Linux's scripts/extract-vmlinux"},
};

/* The setup header's fields that are wanted here. */
enum {
    SETUP_SECTS = 0x1f1,
    MAGIC = 0x202,
    PROTOCOL = 0x206,
    PAYLOAD_OFFSET = 0x248,
    PAYLOAD_LENGTH = 0x24c,
    HEADER_END = 0x250,
};

static uint32_t word(const uint8_t *data, size_t offset)
{
    uint32_t v;

    memcpy(&v, data + offset, sizeof(v));
    return v;
}

bool unpack_is_bzimage(const uint8_t *data, size_t size)
{
    return size >= HEADER_END && !memcmp(data + MAGIC, "HdrS", 4);
}

static int fill(const struct packing *k, const uint8_t *from, size_t size, struct unpacked *out,
                char **why)
{
    size_t n = word(from, size - 4);

    if (n > UNPACK_LARGEST) {
        *why = xasprintf("a bzImage that says its kernel has %zu MiB, more than the %llu that are "
                         "believed; is the file damaged?",
                         n >> 20, UNPACK_LARGEST >> 20);
        return -1;
    }
    out->bytes = n ? malloc(n) : NULL;
    out->size = n;
    if (out->bytes && k->fill(from, size - k->behind, out->bytes, n))
        return 0;
    free(out->bytes);
    out->bytes = NULL;
    *why = xasprintf("a bzImage whose %s data (%zu bytes) does not unpack to the %zu bytes that it "
                     "promises; copy the file again.",
                     k->name, size, n);
    return -1;
}

int unpack_bzimage(const uint8_t *data, size_t size, struct unpacked *out, char **why)
{
    uint64_t sectors = data[SETUP_SECTS] ? data[SETUP_SECTS] : 4;
    uint64_t offset = (sectors + 1) * 512 + word(data, PAYLOAD_OFFSET);
    uint64_t length = word(data, PAYLOAD_LENGTH);
    unsigned protocol = word(data, PROTOCOL) & 0xffff;

    *out = (struct unpacked){0};
    if (protocol < 0x208) {
        *why = xasprintf("a bzImage of boot protocol %u.%02u, older than 2.08, which does not say "
                         "where its kernel is; unpack it with Linux's scripts/extract-vmlinux.",
                         protocol >> 8, protocol & 0xff);
        return -1;
    }
    if (offset > size || length > size - offset || length < 8) {
        *why = xasprintf("a truncated bzImage: its kernel is %llu bytes at offset %llu, and the "
                         "file has %zu; copy it again.",
                         (unsigned long long)length, (unsigned long long)offset, size);
        return -1;
    }
    for (size_t i = 0; i < sizeof(packings) / sizeof(packings[0]); i++) {
        const struct packing *k = &packings[i];

        if (memcmp(data + offset, k->magic, k->length))
            continue;
        if (k->fill)
            return fill(k, data + offset, length, out, why);
        *why = xasprintf("a bzImage packed with %s, which this pvctl cannot unpack; %s.", k->name,
                         k->how);
        return -1;
    }
    *why = xasprintf("a bzImage whose kernel begins with %02x %02x %02x %02x, the mark of no "
                     "compression that Linux uses; copy the file again.",
                     data[offset], data[offset + 1], data[offset + 2], data[offset + 3]);
    return -1;
}
