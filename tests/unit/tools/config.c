/* SPDX-License-Identifier: MIT
 *
 * Configurations and flags: what is meant is understood, and each mistake is answered by
 * one sentence that names the file or option and the place, with EXIT_USAGE.
 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/pvctl/config.h"
#include "tools/pvctl/disk.h"
#include "tools/pvctl/net.h"
#include "tools/pvctl/say.h"

static char said[4096];

static FILE *listen_said(void)
{
    FILE *f;

    memset(said, 0, sizeof(said));
    f = fmemopen(said, sizeof(said), "w");
    setvbuf(f, NULL, _IONBF, 0);
    say_to(f);
    return f;
}

static void one_sentence(int rc, const char *words)
{
    cr_assert_eq(rc, EXIT_USAGE, "accepted, and should say: %s", words);
    cr_assert(strstr(said, words), "\"%s\" does not hold \"%s\"", said, words);
    cr_assert_eq(strncmp(said, "pvctl: ", 7), 0);
    cr_assert_eq(strchr(said, '\n'), said + strlen(said) - 1, "more than a line: %s", said);
}

static void json_refused(const char *text, const char *words)
{
    struct plan p = {0};
    FILE *f = listen_said();
    int rc = plan_from_json(&p, "c.json", text, strlen(text), "dir");

    fclose(f);
    say_to(NULL);
    one_sentence(rc, words);
    cr_assert(strstr(said, "c.json"), "%s", said);
    plan_free(&p);
}

Test(config, disks_understood)
{
    static const char text[] = "{ \"guests\": [ { \"kernel\": \"k\", \"disks\": [ \"a,b,ro\", "
                               "\"/c,part=3\", \"d,ro,slice=8+16\" ] } ] }";
    struct plan p = {0};
    const struct disk *d = p.guest[0].disk;
    char *words;

    cr_assert_eq(plan_from_json(&p, "c.json", text, strlen(text), "dir"), 0);
    cr_assert_eq(p.guest[0].disks, 3);
    cr_assert_str_eq(d[0].file, "dir/a,b");
    cr_assert(d[0].readonly && !d[0].part && !d[0].sectors);
    cr_assert_str_eq(d[1].file, "/c");
    cr_assert(!d[1].readonly && d[1].part == 3);
    cr_assert_str_eq(d[2].file, "dir/d");
    cr_assert(d[2].readonly && d[2].first == 8 && d[2].sectors == 16);
    p.guest[0].disk[1].drive = 1;
    words = disk_words(&p.guest[0]);
    cr_assert_str_eq(words, " disk=vda,ro disk=vdb:3 disk=vda:8+16,ro");
    free(words);
    plan_free(&p);
}

Test(config, net_understood)
{
    static const char text[] =
        "{ \"guests\": [ { \"kernel\": \"k\", \"net\": "
        "\"user,hostfwd=18087:80,rate=2M,hostfwd=18088:443\" }, { \"kernel\": \"k\", \"net\": "
        "\"switch,mac=00:16:3e:00:00:07\" }, { \"kernel\": \"k\", \"net\": \"none\" } ] }";
    static const char *const words[] = {" net=on,rate=2097152", " net=00:16:3e:00:00:07", ""};
    struct plan p = {0};
    char *all;

    cr_assert_eq(plan_from_json(&p, "c.json", text, strlen(text), "dir"), 0);
    cr_assert_eq(nets_check(&p), 0);
    cr_assert(p.uplink && p.networked);
    for (unsigned i = 0; i < 3; i++) {
        all = net_words(&p.guest[i]);
        cr_assert_str_eq(all, words[i]);
        free(all);
    }
    all = net_backend(&p);
    cr_assert_str_eq(
        all, "user,id=net,hostfwd=tcp:127.0.0.1:18087-:80,hostfwd=tcp:127.0.0.1:18088-:443");
    free(all);
    plan_free(&p);
}

Test(config, net_port_in_use)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    char text[64], words[64];
    struct plan p = {.guests = 1};
    FILE *f;
    int rc;

    cr_assert_eq(bind(s, (struct sockaddr *)&a, n), 0);
    cr_assert_eq(listen(s, 1), 0);
    getsockname(s, (struct sockaddr *)&a, &n);
    snprintf(text, sizeof(text), "user,hostfwd=%u:80", ntohs(a.sin_port));
    snprintf(words, sizeof(words), "the host's port %u cannot be forwarded", ntohs(a.sin_port));
    cr_assert_eq(net_take(&p, &p.guest[0], "--net", text), 0);
    f = listen_said();
    rc = nets_check(&p);
    fclose(f);
    say_to(NULL);
    one_sentence(rc, words);
    close(s);
    cr_assert_eq(nets_check(&p), 0);
}

/* Two guests, one file: three parts of it that do not meet, and one read by both. */
Test(config, disks_shared)
{
    char file[] = "/tmp/pvctl-disk-XXXXXX", text[512];
    int fd = mkstemp(file);
    struct plan p = {0};

    cr_assert_eq(ftruncate(fd, 1 << 20), 0);
    close(fd);
    snprintf(text, sizeof(text),
             "{ \"guests\": [ { \"kernel\": \"k\", \"disks\": [ \"%s,slice=0+8\", "
             "\"%s,ro,slice=16+8\" ] }, { \"kernel\": \"k\", \"disks\": [ \"%s,slice=8+8\", "
             "\"%s,slice=20+1,ro\" ] } ] }",
             file, file, file, file);
    cr_assert_eq(plan_from_json(&p, "c.json", text, strlen(text), "dir"), 0);
    cr_assert_eq(disks_check(&p), 0);
    cr_assert_eq(p.drives, 1);
    cr_assert(p.drive[0].writable);
    cr_assert_eq(p.drive[0].sectors, 2048);
    plan_free(&p);
    unlink(file);
}

Test(config, understood)
{
    static const char text[] =
        "{ \"on\": \"shim\", \"timeout\": 5, \"memory\": \"1G\", \"icount\": true, \"cpu\": "
        "\"qemu64\","
        "  \"guests\": [ { \"name\": \"a\", \"kernel\": \"k\", \"ramdisk\": \"/r\", \"cmdline\": "
        "\"x y\","
        "                  \"mem\": \"96M\", \"vcpus\": 2 }, { \"kernel\": \"k2\" } ] }";
    struct plan p = {0};

    cr_assert_eq(plan_from_json(&p, "c.json", text, strlen(text), "dir"), 0);
    cr_assert_eq(p.guests, 2);
    cr_assert_str_eq(p.guest[0].kernel, "dir/k");
    cr_assert_str_eq(p.guest[0].ramdisk, "/r");
    cr_assert_str_eq(p.guest[0].cmdline, "x y");
    cr_assert_eq(p.guest[0].mem, 96 * MIB);
    cr_assert_eq(p.guest[0].vcpus, 2);
    cr_assert_eq(p.timeout, 5);
    cr_assert_eq(p.memory, 1024 * MIB);
    cr_assert(p.icount);
    cr_assert_eq(p.on, ON_SHIM);
    plan_free(&p);
}

Test(config, json_mistakes)
{
    json_refused("{ \"guests\": [ ", "c.json:1:");
    json_refused("[]", "holds an array");
    json_refused("{}", "no \"guests\"");
    json_refused("{\"guests\": []}", "\"guests\" is empty");
    json_refused("{\"guests\": {}}", "\"guests\" is an object; it must be an array");
    json_refused("{\"guests\": [1]}", "\"guests[0]\" is a number");
    json_refused("{\"guests\": [{}]}", "\"guests[0]\" has no \"kernel\"");
    json_refused("{\"guests\": [{\"kernel\": \"k\"}, {\"kernel\": \"k\", \"mme\": \"1M\"}]}",
                 "\"guests[1]\" has the unknown key \"mme\"");
    json_refused("{\"gests\": []}", "unknown key \"gests\"");
    json_refused("{\"guests\": [{\"kernel\": \"k\", \"kernel\": \"k\"}]}", "duplicate");
    json_refused("{\"guests\": [{\"kernel\": 5}]}", "\"guests[0].kernel\" is a number; it must be");
    json_refused("{\"guests\": [{\"kernel\": \"k\", \"mem\": \"banana\"}]}",
                 "\"guests[0].mem\": \"banana\" is not a size");
    json_refused("{\"guests\": [{\"kernel\": \"k\", \"mem\": \"64\"}]}", "has no unit");
    json_refused("{\"guests\": [{\"kernel\": \"k\", \"mem\": 64}]}", "without a unit");
    json_refused("{\"guests\": [{\"kernel\": \"k\", \"mem\": true}]}", "is true or false");
    json_refused("{\"guests\": [{\"kernel\": \"k\", \"vcpus\": 0}]}", "between 1 and 32");
    json_refused("{\"guests\": [{\"kernel\": \"k\", \"vcpus\": 1.5}]}", "with a fraction");
    json_refused("{\"guests\": [{\"kernel\": \"k\", \"vcpus\": \"1\"}]}", "is a string");
    json_refused("{\"as\": \"x\", \"guests\": [{\"kernel\": \"k\"}]}", "\"dom0\" or \"domu\"");
    json_refused("{\"as\": 0, \"guests\": [{\"kernel\": \"k\"}]}", "\"dom0\" or \"domu\"");
    json_refused("{\"on\": \"kvm\", \"guests\": [{\"kernel\": \"k\"}]}", "\"shim\" or \"xen\"");
    json_refused("{\"on\": null, \"guests\": [{\"kernel\": \"k\"}]}", "is null");
    json_refused("{\"icount\": 1, \"guests\": [{\"kernel\": \"k\"}]}", "must be true or false");
    json_refused("{\"timeout\": -3, \"guests\": [{\"kernel\": \"k\"}]}", "\"timeout\" is -3");
}

Test(config, sizes)
{
    cr_assert_eq(size_parse("64M"), 64 * MIB);
    cr_assert_eq(size_parse("2g"), 2048 * MIB);
    cr_assert_eq(size_parse("4096K"), 4 * MIB);
    for (const char *const *bad =
             (const char *const[]){"", "M", "banana", "64", "-1M", "+1M", " 1M", "1MB", "0x10M",
                                   "1.5G", "99999999999999G", "18446744073709551617K", "0M", NULL};
         *bad; bad++)
        cr_assert_eq(size_parse(*bad), 0, "%s", *bad);
}

static void args_refused(const char *line, const char *words)
{
    char copy[512], *argv[32], *save = NULL;
    struct plan p = {0};
    int argc = 0, rc;
    FILE *f = listen_said();

    snprintf(copy, sizeof(copy), "%s", line);
    for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    rc = plan_from_args(&p, argc, argv);
    if (!rc)
        rc = plan_check(&p);
    fclose(f);
    say_to(NULL);
    one_sentence(rc, words);
    plan_free(&p);
}

Test(config, argument_mistakes)
{
    args_refused("", "nothing to run");
    args_refused("--bogus", "--bogus is not an option");
    args_refused("--kernel", "wants a file name");
    args_refused("--mem 64M", "comes before any --kernel");
    args_refused("--kernel k --mem banana", "--mem: \"banana\" is not a size");
    args_refused("--kernel k --mem=64", "has no unit");
    args_refused("--kernel k --mem 64M --mem 32M", "--mem is given twice");
    args_refused("--kernel k --vcpus 33", "--vcpus: \"33\" is not a number between 1 and 32");
    args_refused("--kernel k --vcpus 1x", "\"1x\"");
    args_refused("--kernel k --timeout 0", "--timeout");
    args_refused("--kernel k --on kvm", "neither shim nor xen");
    args_refused("--kernel k --on xen --on xen", "--on is given twice");
    args_refused("--kernel k --icount=yes", "takes no value");
    args_refused("a.json b.json", "two configurations");
    args_refused("a.json --kernel k", "use one of them");
    args_refused("/nonexistent.json", "/nonexistent.json: cannot be read");
    args_refused("--kernel /nonexistent", "/nonexistent: cannot be read");
    args_refused("--on xen --as dom0 --kernel a --kernel b", "--as dom0 runs one guest");
    args_refused("--as domu --kernel a", "--as is about real Xen");
    args_refused("--on xen --as host --kernel a", "neither dom0 nor domu");
    args_refused("--on xen --as domu --as domu --kernel a", "--as is given twice");
    args_refused("--kernel k --mem 1k", "too little");
    args_refused("--kernel k --mem 65537K", "multiple of 4K");
    args_refused("--kernel k --name a/b", "cannot be used");
    args_refused("--kernel k --name aaaaaaaaaabbbbbbbbbbccccccccccdd", "cannot be used");
}

Test(config, arguments_understood)
{
    char *argv[] = {"--kernel", "a",         "--mem=8M", "--name",    "x", "--kernel=b", "--vcpus",
                    "3",        "--cmdline", "a=b --c",  "--timeout", "9", "--on",       "shim"};
    struct plan p = {0};

    cr_assert_eq(plan_from_args(&p, sizeof(argv) / sizeof(argv[0]), argv), 0);
    cr_assert_eq(p.guests, 2);
    cr_assert_str_eq(p.guest[0].kernel, "a");
    cr_assert_eq(p.guest[0].mem, 8 * MIB);
    cr_assert_str_eq(p.guest[0].name, "x");
    cr_assert_str_eq(p.guest[1].kernel, "b");
    cr_assert_eq(p.guest[1].vcpus, 3);
    cr_assert_str_eq(p.guest[1].cmdline, "a=b --c");
    cr_assert_eq(p.timeout, 9);
    plan_free(&p);
}
