/* SPDX-License-Identifier: MIT
 *
 * Two readers of the same files: what pvctl's preflight lets through, the shim's parser accepts
 * too, and both read the same addresses in it. (The preflight asks for more: it has real
 * Xen in mind as well, which wants a LOADER note.)
 */
#include <criterion/criterion.h>

#include "core/elf.h"
#include "elf_image.h"
#include "tools/pvctl/image.h"

static unsigned both_accept, both_refuse;

static void compare(struct good *g, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    struct image_info info;
    struct elf_image image;
    struct reason r = {0};
    char *why;
    int ours;
    enum rule theirs;

    memcpy(exact, g->bytes, size);
    ours = image_check("image", exact, size, &info, &why);
    theirs = elf_parse(&image, exact, size, &r);
    if (ours == 0) {
        cr_assert_eq(theirs, RULE_NONE, "the shim says %s", rule_name(theirs));
        cr_assert_eq(info.kstart, image.start);
        cr_assert_eq(info.kend, image.end);
        cr_assert_eq(info.entry, image.entry);
        cr_assert_eq(info.virt_base, image.virt_base);
        both_accept++;
    } else {
        both_refuse++;
    }
    free(why);
    free(exact);
    free(g);
}

Test(agree, good_and_cut)
{
    for (size_t size = 0; size <= SIZE; size += size < 0x600 ? 1 : 64)
        compare(good_image(), size);
    compare(good_image(), SIZE);
    cr_assert(both_accept > 0 && both_refuse > 1000);
}

Test(agree, damaged)
{
    unsigned seed = 7;

    for (int i = 0; i < 60000; i++) {
        struct good *g = good_image();

        damage(g, &seed);
        compare(g, rand_r(&seed) % 4 ? SIZE : (size_t)rand_r(&seed) % SIZE);
    }
    cr_assert(both_accept > 2000 && both_refuse > 2000, "%u %u", both_accept, both_refuse);
}
