/* SPDX-License-Identifier: MIT
 *
 * The preflight of kernel images: a good image passes, and each way of being bad is told
 * apart, in a sentence that names the image and a cure. Then thousands of images with
 * random damage: whatever the answer, no byte outside of the image is read (ASan).
 */
#include <criterion/criterion.h>

#include "elf_image.h"
#include "tools/pvctl/image.h"

/* The answer for the first `size` bytes, from a heap block of just that size. */
static char *answer(struct good *g, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    struct image_info info;
    char *why;
    int rc;

    memcpy(exact, g->bytes, size);
    rc = image_check("k.elf", exact, size, &info, &why);
    cr_assert_eq(rc, why ? -1 : 0);
    free(exact);
    return why;
}

static void refused(struct good *g, size_t size, const char *words)
{
    char *why = answer(g, size);

    cr_assert(why, "accepted, and should say: %s", words);
    cr_assert(strstr(why, words), "\"%s\" does not hold \"%s\"", why, words);
    cr_assert_eq(strncmp(why, "k.elf: ", 7), 0, "%s", why);
    cr_assert_eq(why[strlen(why) - 1], '.', "%s", why);
    cr_assert(!strchr(why, '\n'));
    free(why);
    free(g);
}

static void accepted(struct good *g)
{
    char *why = answer(g, SIZE);

    cr_assert(!why, "%s", why);
    free(g);
}

Test(image, good)
{
    accepted(good_image());
}

Test(image, layout_is_told)
{
    struct good *g = good_image();
    struct image_info f;
    char *why;

    cr_assert_eq(image_check("k", g->bytes, SIZE, &f, &why), 0);
    cr_assert_eq(f.kstart, BASE + 0x1000);
    cr_assert_eq(f.kend, BASE + 0x7000);
    cr_assert_eq(f.entry, BASE + 0x1000);
    cr_assert_str_eq(f.guest_os, "test");
    cr_assert_eq(image_check_fit("k", &f, 4 << 20, 0, &why), 0);
    cr_assert_eq(image_check_fit("k", &f, 4 << 20, 4 << 20, &why), -1);
    cr_assert(strstr(why, "--mem"));
    free(why);
    free(g);
}

Test(image, not_elf)
{
    struct good *g = good_image();

    refused(good_image(), 0, "empty");
    g->bytes[1] = 'F';
    refused(g, SIZE, "not an ELF file (it does not begin");
    g = good_image();
    memcpy(g->bytes, "\x1f\x8b", 2);
    refused(g, SIZE, "gunzip");
    g = good_image();
    memcpy(g->bytes, "MZ", 2);
    refused(g, SIZE, "EFI program");
    g = good_image();
    memcpy(g->bytes, "#!/b", 4);
    refused(g, SIZE, "a script");
}

Test(image, header)
{
    struct good *g = good_image();

    header(g)->e_ident[EI_CLASS] = ELFCLASS32;
    refused(g, SIZE, "64-bit");
    g = good_image();
    header(g)->e_machine = EM_AARCH64;
    refused(g, SIZE, "another machine");
    g = good_image();
    header(g)->e_type = ET_REL;
    refused(g, SIZE, "not linked");
    g = good_image();
    header(g)->e_type = ET_CORE;
    refused(g, SIZE, "of type 4");
    g = good_image();
    header(g)->e_phnum = 0;
    refused(g, SIZE, "program headers");
    g = good_image();
    header(g)->e_phnum = 2000;
    refused(g, SIZE, "2000 program headers");
    g = good_image();
    header(g)->e_phoff = UINT64_MAX - 8;
    refused(g, SIZE, "beyond its end");
    refused(good_image(), 20, "truncated within the ELF header");
    refused(good_image(), 70, "program headers at offset 0x40");
}

Test(image, segments)
{
    struct good *g = good_image();

    refused(good_image(), 0x2fff, "truncated: segment 2 wants 4096 bytes at offset 0x2000");
    phdr(g, 2)->p_paddr = 0x1800;
    refused(g, SIZE, "segments 0 and 2 overlap at physical address 0x1800");
    g = good_image();
    phdr(g, 0)->p_memsz = 0x800;
    refused(g, SIZE, "larger in the file");
    g = good_image();
    phdr(g, 0)->p_paddr = UINT64_MAX - 0x100;
    refused(g, SIZE, "over the end of the address space");
    g = good_image();
    phdr(g, 0)->p_type = phdr(g, 2)->p_type = PT_NULL;
    refused(g, SIZE, "no segment to load");
}

Test(image, notes)
{
    struct good *g = bare_image();

    refused(g, SIZE, "without Xen notes");
    g = good_image();
    memcpy(g->bytes + NOTES, &(uint32_t){0x7fffffff}, 4);
    refused(g, SIZE, "note at offset 0x400 runs over");
    g = good_image();
    phdr(g, 1)->p_offset = 0x100000;
    refused(g, SIZE, "its notes");
    g = bare_image();
    note(g, 5, "xen-3.0", 8);
    refused(g, SIZE, "LOADER");
    g = bare_image();
    note(g, 8, "generic", 8);
    refused(g, SIZE, "XEN_VERSION");
    g = good_image();
    note(g, 10, "!auto_translated_physmap|writable_page_tables", 46);
    refused(g, SIZE, "requires the feature \"auto_translated_physmap\"");
    g = good_image();
    note(g, 10, "auto_translated_physmap|!writable_page_tables", 46);
    accepted(g);
    g = good_image();
    note(g, 1, "abc", 3);
    refused(g, SIZE, "holds 3 bytes where an address has 8");
}

/* Later notes win, so each test appends the one that it is about. */
Test(image, addresses)
{
    static const struct {
        uint32_t type;
        uint64_t value;
        const char *words;
    } t[] = {
        {1, 0x5000, "entry point 0x5000 is outside"},
        {1, BASE + 0x7000, "entry point"},
        {2, BASE + 0x2010, "HYPERCALL_PAGE"},
        {2, BASE + 0x100000, "HYPERCALL_PAGE"},
        {3, 0xffff800000000000ull, "where no guest may be"},
        {3, 0x0000800000000000ull, "where no guest may be"},
        {3, UINT64_MAX - 0x1fff, "below its VIRT_BASE"},
        {4, 0x100000, "below its VIRT_BASE"},
        {15, BASE + 0x3000, "INIT_P2M"},
        {15, 0xffff810000000000ull, "INIT_P2M"},
    };

    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct good *g = good_image();

        number(g, t[i].type, t[i].value);
        refused(g, SIZE, t[i].words);
    }
}

Test(image, offset_without_base)
{
    struct good *g = bare_image();

    note(g, 8, "generic", 8);
    note(g, 5, "xen-3.0", 8);
    number(g, 4, 0);
    refused(g, SIZE, "no VIRT_BASE note");
}

Test(image, random_damage)
{
    unsigned seed = 1, yes = 0;

    for (int i = 0; i < 30000; i++) {
        struct good *g = good_image();
        size_t size = rand_r(&seed) % 4 ? SIZE : (size_t)rand_r(&seed) % SIZE;
        char *why;

        damage(g, &seed);
        why = answer(g, size);
        yes += !why;
        free(why);
        free(g);
    }
    /* Damage that does not matter is there too, or the loop would test only the first check. */
    cr_assert(yes > 1000 && yes < 29000, "%u accepted", yes);
}
