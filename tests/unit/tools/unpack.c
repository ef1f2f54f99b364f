/* SPDX-License-Identifier: MIT
 *
 * Kernels taken out of bzImages: whole ones of each compression, and every way of being cut short,
 * damaged, or larger than promised. Images live in heap blocks of just their size (ASan).
 */
#include <criterion/criterion.h>

#include <lz4.h>
#include <lzma.h>
#include <stdio.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "elf_image.h"
#include "tools/pvctl/image.h"
#include "tools/pvctl/unpack.h"

enum { SETUP = 3, OFFSET = 64, PAYLOAD = (SETUP + 1) * 512 + OFFSET, ROOM = 1 << 16 };

struct bz {
    uint8_t *bytes;
    size_t size;
};

static void put_word(uint8_t *at, uint32_t v)
{
    memcpy(at, &v, sizeof(v));
}

/* A bzImage around n compressed bytes; `promise`: the size that Linux's build adds. */
static struct bz around(const uint8_t *packed, size_t n, const uint32_t *promise)
{
    struct bz b = {calloc(1, PAYLOAD + n + 4), PAYLOAD + n + (promise ? 4 : 0)};

    memcpy(b.bytes, "MZ", 2);
    b.bytes[0x1f1] = SETUP;
    memcpy(b.bytes + 0x202, "HdrS", 4);
    b.bytes[0x206] = 0x0f;
    b.bytes[0x207] = 2;
    put_word(b.bytes + 0x248, OFFSET);
    put_word(b.bytes + 0x24c, (uint32_t)(n + (promise ? 4 : 0)));
    memcpy(b.bytes + PAYLOAD, packed, n);
    if (promise)
        put_word(b.bytes + PAYLOAD + n, *promise);
    b.bytes = realloc(b.bytes, b.size);
    return b;
}

static size_t pack_xz(const uint8_t *from, size_t n, uint8_t *to)
{
    size_t out = 0;

    cr_assert_eq(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL, from, n, to, &out, ROOM),
                 LZMA_OK);
    return out;
}

static size_t pack_zstd(const uint8_t *from, size_t n, uint8_t *to)
{
    return ZSTD_compress(to, ROOM, from, n, 1);
}

static size_t pack_gzip(const uint8_t *from, size_t n, uint8_t *to)
{
    z_stream z = {
        .next_in = (uint8_t *)from, .avail_in = (unsigned)n, .next_out = to, .avail_out = ROOM};

    cr_assert_eq(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

static size_t pack_lz4(const uint8_t *from, size_t n, uint8_t *to)
{
    int got = LZ4_compress_default((const char *)from, (char *)to + 8, (int)n, ROOM - 8);

    put_word(to, 0x184c2102);
    put_word(to + 4, (uint32_t)got);
    return (size_t)got + 8;
}

static const struct {
    const char *name;
    size_t (*pack)(const uint8_t *from, size_t n, uint8_t *to);
    bool own_size;
} ways[] = {
    {"xz", pack_xz, false},
    {"zstd", pack_zstd, false},
    {"gzip", pack_gzip, true},
    {"lz4", pack_lz4, false},
};
enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

static struct bz packed_image(unsigned way, uint32_t promise)
{
    static uint8_t packed[ROOM];
    struct good *g = good_image();
    size_t n = ways[way].pack(g->bytes, SIZE, packed);
    struct bz b;

    if (ways[way].own_size && promise != SIZE)
        put_word(packed + n - 4, promise);
    b = around(packed, n, ways[way].own_size ? NULL : &promise);
    free(g);
    return b;
}

/* NULL if it unpacks to the good image; else the complaint. */
static char *answer(const struct bz *b)
{
    struct unpacked u = {(void *)1, 1};
    struct good *g = good_image();
    char *why = NULL;
    int rc;

    cr_assert(unpack_is_bzimage(b->bytes, b->size));
    rc = unpack_bzimage(b->bytes, b->size, &u, &why);
    cr_assert_eq(rc, why ? -1 : 0);
    if (why) {
        cr_assert_null(u.bytes);
        cr_assert_eq(why[strlen(why) - 1] == '.' || why[strlen(why) - 1] == '?', 1, "%s", why);
    } else {
        cr_assert(u.size == SIZE && !memcmp(u.bytes, g->bytes, SIZE));
    }
    free(u.bytes);
    free(g);
    return why;
}

static void refused(struct bz b, const char *words)
{
    char *why = answer(&b);

    cr_assert(why && strstr(why, words), "\"%s\" does not hold \"%s\"", why ? why : "accepted",
              words);
    free(why);
    free(b.bytes);
}

Test(unpack, each_compression)
{
    for (unsigned w = 0; w < WAYS; w++) {
        struct bz b = packed_image(w, SIZE);
        char *why = answer(&b);

        cr_assert_null(why, "%s: %s", ways[w].name, why);
        free(b.bytes);
    }
}

/* A promise that is not kept: too little, too much, and a bomb's. */
Test(unpack, sizes_that_lie)
{
    for (unsigned w = 0; w < WAYS; w++) {
        refused(packed_image(w, SIZE - 1), "does not unpack");
        refused(packed_image(w, SIZE + 1), "does not unpack");
        refused(packed_image(w, 0), "does not unpack");
        refused(packed_image(w, 0xfffffff0), "more than the 512");
    }
}

/* Every length that the header may announce, and every file that ends too early. */
Test(unpack, cut_short)
{
    for (unsigned w = 0; w < WAYS; w++) {
        struct bz whole = packed_image(w, SIZE);

        for (size_t n = PAYLOAD - 8; n < whole.size; n += 13) {
            struct bz b = {malloc(n), n};

            memcpy(b.bytes, whole.bytes, n);
            refused(b, "a truncated bzImage");
            if (n < PAYLOAD + 16)
                continue;
            b = (struct bz){malloc(n), n};
            memcpy(b.bytes, whole.bytes, n);
            put_word(b.bytes + 0x24c, (uint32_t)(n - PAYLOAD));
            put_word(b.bytes + n - 4, SIZE);
            refused(b, "does not unpack");
        }
        free(whole.bytes);
    }
}

/* Damage anywhere: either noticed, or the bytes are those of the good image all the same. */
Test(unpack, damage)
{
    for (unsigned w = 0; w < WAYS; w++) {
        struct bz whole = packed_image(w, SIZE);

        for (size_t i = PAYLOAD; i < whole.size; i++) {
            struct unpacked u;
            char *why = NULL;

            whole.bytes[i] ^= 0x41;
            if (unpack_bzimage(whole.bytes, whole.size, &u, &why) == 0)
                cr_assert_eq(u.size, SIZE);
            free(u.bytes);
            free(why);
            whole.bytes[i] ^= 0x41;
        }
        free(whole.bytes);
    }
}

Test(unpack, headers)
{
    struct bz b = packed_image(0, SIZE);

    cr_assert_not(unpack_is_bzimage(b.bytes, 0x24f));
    b.bytes[0x206] = 7;
    refused(b, "boot protocol 2.07");
    b = packed_image(0, SIZE);
    put_word(b.bytes + 0x248, 0xffffffff);
    refused(b, "a truncated bzImage");
    b = packed_image(0, SIZE);
    put_word(b.bytes + 0x24c, 7);
    refused(b, "a truncated bzImage");
    b = packed_image(0, SIZE);
    b.bytes[0x1f1] = 0; /* the old way to say 4 */
    refused(b, "bzImage");
    b = packed_image(0, SIZE);
    memcpy(b.bytes + PAYLOAD, "BZh9", 4);
    refused(b, "packed with bzip2");
    b = packed_image(0, SIZE);
    memcpy(b.bytes + PAYLOAD, "what", 4);
    refused(b, "begins with 77 68 61 74");
}

Test(unpack, judged_as_a_file)
{
    char path[] = "/tmp/unpack-test-XXXXXX";
    struct bz b = packed_image(1, SIZE);
    struct image_info info;
    struct unpacked u;
    int fd = mkstemp(path);
    char *why;

    cr_assert_eq(write(fd, b.bytes, b.size), (ssize_t)b.size);
    cr_assert_eq(image_check_file(path, &info, NULL, &why), 0, "%s", why);
    cr_assert_eq(image_check_file(path, &info, &u, &why), 0, "%s", why);
    cr_assert_eq(u.size, SIZE);
    cr_assert_eq(info.kstart, BASE + 0x1000);
    free(u.bytes);
    cr_assert_eq(pwrite(fd, "\1", 1, (off_t)b.size - 3), 1);
    cr_assert_eq(image_check_file(path, &info, &u, &why), -1);
    cr_assert(strstr(why, path) == why && strstr(why, "does not unpack"), "%s", why);
    cr_assert_null(u.bytes);
    free(why);
    close(fd);
    unlink(path);
    free(b.bytes);
}
