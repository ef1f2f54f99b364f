/* SPDX-License-Identifier: MIT
 *
 * dom0 on real Xen, without it: the initramfs that is written for it is read back here member by
 * member, and its reports become verdicts.
 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/pvctl/dom0.h"
#include "tools/pvctl/say.h"

static char work[] = "/tmp/dom0-test-XXXXXX";

static char *in_work(const char *name)
{
    return xasprintf("%s/%s", work, name);
}

static void put(const char *name, const char *text)
{
    char *path = in_work(name);
    FILE *f = fopen(path, "w");

    cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
    free(path);
}

static char *get(const char *name, size_t *size)
{
    char *path = in_work(name), *text = xcalloc(1, 1 << 16);
    FILE *f = fopen(path, "r");

    cr_assert_not_null(f);
    *size = fread(text, 1, 1 << 16, f);
    fclose(f);
    free(path);
    return text;
}

static void begin(void)
{
    cr_assert_not_null(mkdtemp(work));
    setenv("PVCTL_DOM0", work, 1);
    put("dom0.cpio", "HOST"); /* four bytes: a whole word, as any archive is */
    put("kernel", "an ELF file, say");
    put("ramdisk", "12345");
}

static void end(void)
{
    char *command = xasprintf("rm -rf %s", work);

    cr_assert_eq(system(command), 0);
    free(command);
}

/* The bytes of a member, ended by a zero, or NULL; every header up to it is checked. */
static char *member(const char *at, const char *limit, const char *name)
{
    while (at + 110 <= limit) {
        unsigned size, mode, length;
        const char *data;

        cr_assert_eq(strncmp(at, "070701", 6), 0);
        cr_assert_eq(sscanf(at + 14, "%8x", &mode), 1);
        cr_assert_eq(sscanf(at + 54, "%8x", &size), 1);
        cr_assert_eq(sscanf(at + 94, "%8x", &length), 1);
        cr_assert_eq(strlen(at + 110) + 1, length);
        data = at + (110 + length + 3) / 4 * 4;
        cr_assert(data + size <= limit);
        if (!strcmp(at + 110, name))
            return strndup(data, size);
        if (!strcmp(at + 110, "TRAILER!!!"))
            cr_assert_leq(limit, data + 4);
        at = data + (size + 3) / 4 * 4;
    }
    return NULL;
}

static struct plan plan_of_two(void)
{
    struct plan p = {.on = ON_XEN, .as = AS_DOMU, .guests = 2};

    for (size_t i = 0; i < 2; i++)
        p.guest[i] = (struct guest){.name = xasprintf("g%zu", i),
                                    .kernel = in_work("kernel"),
                                    .cmdline = xstrdup(i ? "" : "say=\"a\\b\""),
                                    .ramdisk = i ? in_work("ramdisk") : NULL,
                                    .mem = 48 * MIB,
                                    .vcpus = 2};
    p.guest[1].disk[0] = (struct disk){.drive = 0};
    p.guest[1].disk[1] = (struct disk){.drive = 1, .part = 2, .readonly = true};
    p.guest[1].disk[2] = (struct disk){.drive = 1, .first = 4096, .sectors = 8192};
    p.guest[1].disks = 3;
    p.guest[0].net = NET_SWITCH;
    p.guest[0].mac = xstrdup("00:16:3e:12:34:56");
    p.guest[0].rate = 1000;
    p.guest[1].net = NET_SWITCH;
    return p;
}

Test(dom0, initramfs, .init = begin, .fini = end)
{
    struct plan p = plan_of_two();
    char *path = in_work("out"), *all, *text;
    size_t n;

    cr_assert_eq(dom0_initramfs(&p, path), 0);
    all = get("out", &n);
    cr_assert_eq(strncmp(all, "HOST", 4), 0, "the host's archive comes first");
    text = member(all + 4, all + n, "job/guests/01/domu.cfg");
    cr_assert_not_null(text);
    cr_assert(strstr(text, "name = \"g0\"\ntype = \"pv\"\nkernel = \"/job/guests/01/kernel\"\n"),
              "%s", text);
    cr_assert(strstr(text, "\nmemory = 48\nvcpus = 2\n"), "%s", text);
    cr_assert(strstr(text, "\ncmdline = \"say=\\\"a\\\\b\\\"\"\n"), "quotes: %s", text);
    cr_assert(!strstr(text, "ramdisk"), "%s", text);
    cr_assert(strstr(text, "\nvif = [ \"mac=00:16:3e:12:34:56,bridge=xenbr0,rate=1000B/s\" ]\n"),
              "%s", text);
    free(text);
    text = member(all + 4, all + n, "job/guests/02/domu.cfg");
    cr_assert(strstr(text, "ramdisk = \"/job/guests/02/ramdisk\"\n") && !strstr(text, "cmdline"),
              "%s", text);
    cr_assert(strstr(text, "\ndisk = [ \"format=raw,vdev=xvda,access=rw,backendtype=phy,"
                           "target=/dev/vda\", \"format=raw,vdev=xvdb,access=ro,backendtype=phy,"
                           "target=/dev/vdb2\", \"format=raw,vdev=xvdc,access=rw,backendtype=phy,"
                           "target=/dev/vdb129\" ]\n"),
              "%s", text);
    cr_assert(strstr(text, "\nvif = [ \"mac=00:16:3e:00:00:02,bridge=xenbr0\" ]\n"), "%s", text);
    free(text);
    text = member(all + 4, all + n, "job/guests/02/slices");
    cr_assert_str_eq(text, "/dev/vdb 129 4096 8192\n");
    free(text);
    text = member(all + 4, all + n, "job/guests/01/slices");
    cr_assert_str_eq(text, "");
    free(text);
    text = member(all + 4, all + n, "job/guests/01/kernel");
    cr_assert_str_eq(text, "an ELF file, say");
    free(text);
    text = member(all + 4, all + n, "job/guests/02/ramdisk");
    cr_assert_str_eq(text, "12345");
    free(text);
    cr_assert_null(member(all + 4, all + n, "job/guests/01/ramdisk"));
    free(all);
    free(path);
    plan_free(&p);
}

static void initramfs_refused(struct plan *p, const char *path, const char *words)
{
    char said[1024] = "";
    FILE *f = fmemopen(said, sizeof(said), "w");

    setvbuf(f, NULL, _IONBF, 0);
    say_to(f);
    cr_assert_eq(dom0_initramfs(p, path), EXIT_USAGE);
    say_to(NULL);
    fclose(f);
    cr_assert(strstr(said, words), "%s", said);
}

Test(dom0, initramfs_refusals, .init = begin, .fini = end)
{
    struct plan p = plan_of_two();
    char *path = in_work("out"), *file = in_work("ramdisk");

    initramfs_refused(&p, "/nonexistent/out", "cannot be written");
    initramfs_refused(&p, "/dev/full", "cannot be written");
    unlink(file);
    initramfs_refused(&p, path, "ramdisk: cannot be read");
    setenv("PVCTL_DOM0", "/nonexistent", 1);
    initramfs_refused(&p, path, "/nonexistent/dom0.cpio cannot be read");
    free(file);
    free(path);
    plan_free(&p);
}

static int verdict_after(const char *const *lines, const char *words)
{
    struct plan p = plan_of_two();
    struct dom0 d = {0};
    char said[1024] = "";
    FILE *f = fmemopen(said, sizeof(said), "w");
    int rc;

    setvbuf(f, NULL, _IONBF, 0);
    for (; *lines; lines++)
        cr_assert(dom0_report(&d, *lines), "%s", *lines);
    say_to(f);
    rc = dom0_verdict(&d, &p);
    say_to(NULL);
    fclose(f);
    cr_assert(words ? strstr(said, words) != NULL : !*said, "%s", said);
    free(d.failure);
    plan_free(&p);
    return rc;
}
#define VERDICT(words, ...) verdict_after((const char *const[]){__VA_ARGS__, NULL}, words)

Test(dom0, verdicts)
{
    struct dom0 d = {0};

    cr_assert_not(dom0_report(&d, "[    1.0] a line of Linux's"));
    cr_assert_not(dom0_report(&d, "@@"));
    cr_assert_eq(VERDICT(NULL, "@@ ready", "@@ guest 1 ended 0", "@@ guest 2 ended 0", "@@ done"),
                 EXIT_OK);
    cr_assert_eq(VERDICT("guest g1 crashed", "@@ ready", "@@ guest 2 ended 3", "@@ guest 1 ended 0",
                         "@@ done"),
                 EXIT_CRASHED);
    cr_assert_eq(VERDICT("guest g0 asked for a reboot", "@@ ready", "@@ guest 1 ended 1",
                         "@@ guest 2 ended 0", "@@ done"),
                 EXIT_CRASHED);
    cr_assert_eq(
        VERDICT("unusual", "@@ ready", "@@ guest 1 ended 77", "@@ guest 2 ended 0", "@@ done"),
        EXIT_CRASHED);
    cr_assert_eq(VERDICT("did not build guest g1", "@@ ready", "@@ guest 1 ended 0",
                         "@@ guest 2 refused", "@@ done"),
                 EXIT_MACHINE);
    cr_assert_eq(VERDICT("before guest g1 did", "@@ ready", "@@ guest 1 ended 0"), EXIT_MACHINE);
    cr_assert_eq(VERDICT("dom0 failed: xenstored", "@@ failed xenstored"), EXIT_MACHINE);
    cr_assert_eq(VERDICT("dom0 failed;", "@@ something new"), EXIT_MACHINE);
    /* Numbers that name no guest, and words cut short, are not believed. */
    cr_assert_eq(VERDICT("before guest g0 did", "@@ ready", "@@ guest 0 ended 0",
                         "@@ guest 65 ended 0", "@@ guest 4294967295 refused", "@@ guest 1 en",
                         "@@ guest 2 ended 0", "@@ guest 1 ended unknown", "@@ done"),
                 EXIT_MACHINE);
}
