/* SPDX-License-Identifier: MIT
 *
 * guests.c - machines and guests come and go: up, down, create, destroy, pause, unpause, shutdown.
 *
 * Silent when all is well, but for what was asked for: a new guest's number, a new machine's name.
 * With --json each prints one object for each guest, with the fields of pvctl list.
 */
#include "guests.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "channel.h"
#include "config.h"
#include "machine.h"
#include "run.h"
#include "say.h"
#include "show.h"
#include "store.h"

/* Take a flag out of the arguments; was it there? */
static bool take_flag(int *argc, char **argv, const char *flag)
{
    int kept = 0;

    for (int i = 0; i < *argc; i++)
        if (strcmp(argv[i], flag))
            argv[kept++] = argv[i];
    if (kept == *argc)
        return false;
    *argc = kept;
    return true;
}

/* What there is of the guest now, as JSON. */
static json_t *guest_json(struct channel *c, unsigned domid)
{
    json_t *j = NULL;

    if (channel_look(c) == 0)
        for (unsigned i = 0; i < c->view.page.domains && !j; i++)
            if (c->view.page.domain[i].domid == domid)
                j = show_domain_json(&c->view, i);
    if (!j)
        j = json_pack("{s:i,s:s}", "domid", (int)domid, "state", "none");
    json_object_set_new(j, "machine", json_string(c->machine));
    return j;
}

/* -- machines -------------------------------------------------------------------------------- */

int command_up(int argc, char **argv)
{
    bool json = take_flag(&argc, argv, "--json");

    return run_arguments((struct plan){.up = true, .quiet = true, .json = json}, argc, argv);
}

int command_down(int argc, char **argv)
{
    struct control_request off = {.magic = CONTROL_REQUEST,
                                  .version = CONTROL_VERSION,
                                  .op = CONTROL_POWER_OFF,
                                  .end = CONTROL_END};
    struct request q;
    struct channel c;
    char *lock;
    int fd;

    if (read_request(&q, "down", false, argc, argv))
        return EXIT_USAGE;
    if (channel_open(&c, q.machine))
        return EXIT_USAGE;
    lock = xasprintf("%s/lock", c.dir);
    fd = open(lock, O_RDWR | O_CLOEXEC);
    if (write(c.fd, &off, sizeof(off)) != sizeof(off))
        say_note("the machine \"%s\" has just ended.", c.machine);
    /* Whoever started it puts everything away, and lets go of the lock. */
    while (fd >= 0 && flock(fd, LOCK_EX) < 0 && errno == EINTR)
        ;
    if (q.json)
        print_json(json_pack("{s:s,s:b}", "machine", c.machine, "live", 0));
    if (fd >= 0)
        close(fd);
    free(lock);
    channel_close(&c);
    return EXIT_OK;
}

/* -- create ------------------------------------------------------------------------------------ */

/* A file's bytes, or those that were unpacked from it, in a buffer of the shim's. */
static int send_file(struct channel *c, const char *path, const struct unpacked *unpacked,
                     uint64_t *address, uint64_t *size)
{
    int fd = unpacked && unpacked->bytes ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    struct stat st = {0};
    char *to;

    if (fd >= 0 && fstat(fd, &st) == 0)
        *size = (uint64_t)st.st_size;
    else if (unpacked && unpacked->bytes)
        *size = unpacked->size;
    else
        return say_bad("%s: cannot be read (%s).", path, strerror(errno));
    to = channel_buffer(c, *size, address);
    if (to && fd < 0)
        memcpy(to, unpacked->bytes, *size);
    for (uint64_t done = 0; to && fd >= 0 && done < *size;) {
        ssize_t n = read(fd, to + done, *size - done);

        if (n <= 0) {
            say_bad("%s: cannot be read to its end (%s).", path, n ? strerror(errno) : "it shrank");
            to = NULL;
        }
        done += n > 0 ? (uint64_t)n : 0;
    }
    if (fd >= 0)
        close(fd);
    return to ? 0 : EXIT_USAGE;
}

/* What an ended guest of that name left behind makes room for the new one. */
static int make_room(struct channel *c, const char *name)
{
    for (unsigned i = 0; i < c->view.page.domains; i++) {
        const struct hostview_domain *d = &c->view.page.domain[i];

        if ((d->state != HV_DOM_SHUTDOWN && d->state != HV_DOM_CRASHED) ||
            strncmp(d->name, name, HOSTVIEW_NAME))
            continue;
        if (CHANNEL_ASK(c, CONTROL_DESTROY, .number = d->domid) < 0)
            return EXIT_USAGE;
    }
    return 0;
}

/* Of which of the machine's disks, known by their links in its directory, g's are. */
static int find_disks(const struct channel *c, struct guest *g)
{
    for (unsigned i = 0; i < g->disks; i++) {
        struct disk *d = &g->disk[i];
        struct stat ours, its;
        bool found = false;

        for (unsigned n = 0; n < MAX_DISKS && !found && stat(d->file, &ours) == 0; n++) {
            char *link = xasprintf("%s/d%u", c->dir, n + 1);

            found = stat(link, &its) == 0 && its.st_dev == ours.st_dev && its.st_ino == ours.st_ino;
            if (found)
                d->drive = n;
            free(link);
        }
        if (!found)
            return say_bad(
                "guest %s: %s is no disk of the machine \"%s\", which has those that its "
                "guests were started with by up or run.",
                g->name, d->file, c->machine);
    }
    return 0;
}

/* Only a machine that was started with a way out has one. */
static int check_net(const struct channel *c, const struct guest *g)
{
    char *uplink = xasprintf("%s/uplink", c->dir);
    bool has = access(uplink, F_OK) == 0;

    free(uplink);
    if (has || g->net != NET_USER)
        return 0;
    return say_bad("guest %s: the machine \"%s\" has no way out, which is for one that is started "
                   "with a guest of --net user; give --net switch.",
                   g->name, c->machine);
}

static int create_guest(struct channel *c, const struct guest *g, bool paused, json_t *all)
{
    char *words = machine_guest_text(g), *text;
    uint64_t kernel = 0, size = 0, ramdisk = 0, ramdisk_size = 0, at = 0;
    size_t n = strlen(words) + 1;
    int64_t domid = -1;

    if (make_room(c, g->name) == 0 && send_file(c, g->kernel, &g->unpacked, &kernel, &size) == 0 &&
        (!g->ramdisk || send_file(c, g->ramdisk, NULL, &ramdisk, &ramdisk_size) == 0) &&
        (text = channel_buffer(c, n, &at))) {
        memcpy(text, words, n);
        domid = CHANNEL_ASK(
            c, CONTROL_CREATE, .buffer = at, .length = n,
            .arg = {kernel, size, ramdisk, ramdisk_size, paused ? CONTROL_CREATE_PAUSED : 0});
    }
    free(words);
    /* All at once: whatever of the buffers there is. */
    if (domid >= 0 && CHANNEL_ASK(c, CONTROL_HELLO) < 0)
        return EXIT_MACHINE;
    if (domid < 0)
        return EXIT_USAGE;
    if (all)
        json_array_append_new(all, guest_json(c, (unsigned)domid));
    else
        printf("%s: domain %d\n", g->name, (int)domid);
    return 0;
}

/* Options that are about a machine that is still to be started. */
static int check_create(const struct plan *p)
{
    const struct {
        bool given;
        const char *name;
    } options[] = {{p->on_said, "--on"},      {p->timeout, "--timeout"},
                   {p->console, "--console"}, {p->cpu, "--cpu"},
                   {p->hv_args, "--hv-args"}, {p->memory, "--memory"},
                   {p->icount, "--icount"},   {p->gdb, "--gdb"},
                   {p->keep, "--keep"},       {p->nr_qemu_args, "--qemu-arg"},
                   {p->stages, "--stages"},   {p->verbose || p->quiet, "--verbose or --quiet"},
                   {p->forwards, "hostfwd="}};

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (options[i].given)
            return say_bad(
                "%s is about a machine, and create adds to one that runs; give it to up or "
                "run.",
                options[i].name);
    if (p->guests == 0)
        return say_bad("nothing to create; give a CONFIG.json or --kernel FILE.");
    return 0;
}

int command_create(int argc, char **argv)
{
    bool json = take_flag(&argc, argv, "--json"), paused = take_flag(&argc, argv, "--paused");
    json_t *all = json ? json_array() : NULL;
    struct plan p = {0};
    struct channel c;
    int rc = plan_from_args(&p, argc, argv);

    if (!rc)
        rc = check_create(&p);
    if (!rc)
        rc = plan_check(&p);
    if (!rc && !(rc = channel_open(&c, p.machine))) {
        for (size_t i = 0; i < p.guests && !rc; i++)
            if (!(rc = check_net(&c, &p.guest[i])))
                rc = find_disks(&c, &p.guest[i]);
        for (size_t i = 0; i < p.guests && !rc; i++)
            rc = create_guest(&c, &p.guest[i], paused, all);
        channel_close(&c);
    }
    if (json && json_array_size(all))
        print_json(json_incref(all));
    json_decref(all);
    plan_free(&p);
    return rc;
}

/* -- what is done to one guest
 * ---------------------------------------------------------------------- */

/* The channel of the guest that the arguments name; its domid, or -1 after a sentence. */
static int open_guest(struct channel *c, struct request *q, const char *command, bool ended,
                      int argc, char **argv)
{
    int i;

    if (read_request(q, command, true, argc, argv))
        return -1;
    if (!q->guest) {
        say_bad("%s wants a guest's name or number; see pvctl list.", command);
        return -1;
    }
    if (channel_open(c, q->machine))
        return -1;
    i = channel_guest(c, q->guest, ended);
    if (i < 0)
        channel_close(c);
    return i < 0 ? -1 : c->view.page.domain[i].domid;
}

static int do_to_guest(const char *command, enum control_op op, int argc, char **argv)
{
    struct request q;
    struct channel c;
    int domid = open_guest(&c, &q, command, op == CONTROL_DESTROY, argc, argv);
    int64_t value;

    if (domid < 0)
        return EXIT_USAGE;
    value =
        channel_ask(&c, (struct control_request){.op = (uint16_t)op, .number = (uint32_t)domid});
    if (value >= 0 && q.json)
        print_json(guest_json(&c, (unsigned)domid));
    channel_close(&c);
    return value < 0 ? EXIT_USAGE : EXIT_OK;
}

int command_destroy(int argc, char **argv)
{
    return do_to_guest("destroy", CONTROL_DESTROY, argc, argv);
}

int command_pause(int argc, char **argv)
{
    return do_to_guest("pause", CONTROL_PAUSE, argc, argv);
}

int command_unpause(int argc, char **argv)
{
    return do_to_guest("unpause", CONTROL_UNPAUSE, argc, argv);
}

/* Until the guest has ended. */
static int wait_for_end(struct channel *c, unsigned domid)
{
    struct control_message m;

    if (CHANNEL_ASK(c, CONTROL_EVENTS, .arg = {1 << CONTROL_EVENT_DOMAIN}) < 0)
        return EXIT_MACHINE;
    while (channel_event(c, &m, -1, -1) == 1)
        if (m.event == CONTROL_EVENT_DOMAIN && m.number == domid && m.value != HV_DOM_RUNNING &&
            m.value != HV_DOM_PAUSED)
            return EXIT_OK;
    return EXIT_OK; /* the machine has ended, and the guest with it */
}

int command_shutdown(int argc, char **argv)
{
    bool wait = take_flag(&argc, argv, "--wait"), reboot = take_flag(&argc, argv, "--reboot");
    struct request q;
    struct channel c;
    int domid = open_guest(&c, &q, "shutdown", false, argc, argv), rc;
    char *path;

    if (domid < 0)
        return EXIT_USAGE;
    path = xasprintf("/local/domain/%d/control/shutdown", domid);
    rc = store_put(&c, path, reboot ? "reboot" : "poweroff");
    if (!rc && wait)
        rc = wait_for_end(&c, (unsigned)domid);
    if (!rc && q.json)
        print_json(guest_json(&c, (unsigned)domid));
    free(path);
    channel_close(&c);
    return rc;
}
