/* SPDX-License-Identifier: MIT
 *
 * main.c - pvctl's commands.
 *
 * One table: name, what it does in a line, how it is used, and the function. No state but
 * the arguments; every command returns one of say.h's exit statuses.
 */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "guests.h"
#include "image.h"
#include "run.h"
#include "say.h"
#include "show.h"
#include "stage.h"
#include "view.h"

static int command_run(int argc, char **argv)
{
    return run_arguments((struct plan){0}, argc, argv);
}

/* One image; all: tell it there. */
static int check_image(const char *file, json_t *all)
{
    struct image_info f;
    char *why;
    int rc = image_check_file(file, &f, NULL, &why) ? EXIT_USAGE : 0;

    if (rc && all)
        json_array_append_new(all,
                              json_pack("{s:s,s:b,s:s}", "file", file, "boots", 0, "why", why));
    else if (rc)
        say_bad("%s", why);
    else if (all)
        json_array_append_new(all, json_pack("{s:s,s:b,s:s,s:I,s:I,s:I,s:s}", "file", file, "boots",
                                             1, "guest_os", f.guest_os, "start",
                                             (json_int_t)f.kstart, "end", (json_int_t)f.kend,
                                             "entry", (json_int_t)f.entry, "needs", f.needs));
    else
        printf("%s: a PV kernel%s%s at %#llx-%#llx (%llu KiB), entered at %#llx\n", file,
               *f.guest_os ? " of " : "", f.guest_os, (unsigned long long)f.kstart,
               (unsigned long long)f.kend, (unsigned long long)(f.kend - f.kstart) >> 10,
               (unsigned long long)f.entry);
    free(why);
    return rc;
}

static int command_check(int argc, char **argv)
{
    bool json = argc > 0 && !strcmp(argv[0], "--json");
    json_t *all = json ? json_array() : NULL;
    int rc = argc > json ? 0 : say_bad("check wants one or more kernel images.");

    for (int i = json; i < argc; i++)
        if (check_image(argv[i], all))
            rc = EXIT_USAGE;
    if (json && argc > 1)
        print_json(json_incref(all));
    json_decref(all);
    return rc;
}

static int command_help(int argc, char **argv);

static const struct command {
    const char *name, *what, *usage;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", "boot guests and stay with them to the end",
     "[--on shim|xen] [--as dom0|domu] [--timeout S] [--console FILE] [--icount] [--gdb]\n"
     "    [--keep] [--machine NAME] [--memory SIZE] [--cpu MODEL] [--hv-args STR]\n"
     "    [--qemu-arg ARG] [--stages] [--verbose] [--quiet] CONFIG.json | --kernel FILE [--ramdisk "
     "FILE]\n"
     "    [--disk FILE[,ro]] [--net user|switch|none] [--cmdline STR] [--mem SIZE]\n"
     "    [--vcpus N] [--name NAME] [--kernel ...]",
     command_run},
    {"check", "tell whether a file is a kernel that would boot", "[--json] IMAGE...",
     command_check},
    {"list", "show machines and their guests", "[--json] [MACHINE]", command_list},
    {"why", "show what was refused, and the reason", "[--json] [--machine NAME] [GUEST]",
     command_why},
    {"stage", "show how far a port has come", "[--json] [--machine NAME] [GUEST]", command_stage},
    {"dmesg", "show what the hypervisor said", "[--json] [MACHINE]", command_dmesg},
    {"console", "attach to a guest, or show what it printed last",
     "[--dump] [--json] [--machine NAME] [GUEST]", command_console},
    {"up", "start a machine in the background", "[--json] [OPTIONS and guests as for run]",
     command_up},
    {"down", "end a machine", "[--json] [MACHINE]", command_down},
    {"create", "start a guest in a running machine",
     "[--machine NAME] [--paused] [--json] CONFIG.json | --kernel FILE ...", command_create},
    {"destroy", "end a guest at once, and forget it", "[--json] [--machine NAME] GUEST",
     command_destroy},
    {"pause", "stop a guest for a while", "[--json] [--machine NAME] GUEST", command_pause},
    {"unpause", "let it go on", "[--json] [--machine NAME] GUEST", command_unpause},
    {"shutdown", "ask a guest to end", "[--wait] [--reboot] [--json] [--machine NAME] GUEST",
     command_shutdown},
    {"store", "look at the guests' store, or change it",
     "[--json] [--machine NAME] ls [PATH] | read PATH | write PATH VALUE | rm PATH", command_store},
    {"top", "show what guests use", "[--json] [MACHINE]", command_top},
    {"trace", "record what happens, and show it", "[--json] [--machine NAME] [on CLASS ... | off]",
     command_trace},
    {"help", "show this, or one command's usage", "[COMMAND]", command_help},
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (!strcmp(commands[i].name, name))
            return &commands[i];
    return NULL;
}

static int command_help(int argc, char **argv)
{
    const struct command *c = argc ? find(argv[0]) : NULL;
    struct say_table *t;

    if (argc && !c)
        return say_bad("%s is not a command; see pvctl help.", argv[0]);
    if (c) {
        printf("usage: pvctl %s %s\n", c->name, c->usage);
        return 0;
    }
    printf("usage: pvctl COMMAND ...\n\n");
    t = table_new(2);
    for (size_t i = 0; i < COMMANDS; i++) {
        table_cell(t, "  %s", commands[i].name);
        table_cell(t, "%s", commands[i].what);
    }
    table_print(stdout, t);
    table_free(t);
    printf("\nExit status: 0 all guests powered off, 2 bad usage or input, 3 a guest crashed,\n"
           "4 QEMU or the hypervisor failed, 124 time limit. The manual is pvctl(1).\n");
    return 0;
}

int main(int argc, char **argv)
{
    const struct command *c;

    if (argc < 2) {
        command_help(0, NULL);
        return EXIT_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
        return command_help(0, NULL);
    if (!strcmp(argv[1], "--version")) {
        printf("pvctl %s\n", PVCTL_VERSION);
        return 0;
    }
    c = find(argv[1]);
    if (!c)
        return say_bad("%s is not a command; see pvctl help.", argv[1]);
    if (argc > 2 && (!strcmp(argv[2], "--help") || !strcmp(argv[2], "-h")))
        return command_help(1, argv + 1);
    return c->run(argc - 2, argv + 2);
}
