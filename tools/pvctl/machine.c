/* SPDX-License-Identifier: MIT
 *
 * machine.c - directories, images, and QEMU's command line.
 *
 * The machine is the same for both hypervisors (q35, one CPU, TCG, no default devices, one
 * serial line), so that what they print can be compared. Nothing is written
 * outside of the machine's own directory.
 */
#include "machine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "disk.h"
#include "net.h"
#include "dom0.h"
#include "say.h"

#ifndef PVCTL_LIBDIR
#define PVCTL_LIBDIR "/usr/local/lib/libpv"
#endif

/* -- images --------------------------------------------------------------- */

static char *beside_us(const char *relative)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash, *path;

    if (n <= 0)
        return NULL;
    self[n] = 0;
    slash = strrchr(self, '/');
    *slash = 0;
    path = xasprintf("%s/%s", self, relative);
    if (access(path, R_OK) == 0)
        return path;
    free(path);
    return NULL;
}

char *machine_file(const char *variable, const char *directory, const char *name)
{
    const char *said = getenv(variable), *base = strrchr(directory, '/');
    char *near = xasprintf("%s/%s", directory, name), *path;

    if (said && *said)
        path = xasprintf("%s/%s", said, name);
    else if (!(path = beside_us(near)))
        path = xasprintf("%s/%s/%s", PVCTL_LIBDIR, base ? base + 1 : directory, name);
    free(near);
    return path;
}

static bool is_compressed(const char *path)
{
    unsigned char b[2] = {0};
    FILE *f = fopen(path, "r");
    bool yes = f && fread(b, 1, 2, f) == 2 && b[0] == 0x1f && b[1] == 0x8b;

    if (f)
        fclose(f);
    return yes;
}

char *machine_image(enum peer on)
{
    const char *variable = on == ON_XEN ? "PVCTL_XEN" : "PVCTL_SHIM";
    const char *said = getenv(variable);
    char *path;

    if (said && *said) {
        path = xstrdup(said);
    } else {
        path = beside_us(on == ON_XEN ? "../../xen/xen" : "../../hypervisor-shim/shim");
        if (!path)
            path = xstrdup(on == ON_XEN ? PVCTL_LIBDIR "/xen" : PVCTL_LIBDIR "/shim");
    }
    if (access(path, R_OK) == 0 && !is_compressed(path))
        return path;
    if (access(path, R_OK) == 0)
        say_bad("%s: compressed; unpack it with gunzip.", path);
    else if (on == ON_XEN)
        say_bad(
            "%s: Xen's image cannot be read (%s); run ./quickstart build, which fetches it, or set "
            "PVCTL_XEN to an unpacked xen-4.17-amd64.",
            path, strerror(errno));
    else
        say_bad("%s: the shim's image cannot be read (%s); run make, or set PVCTL_SHIM to it.",
                path, strerror(errno));
    free(path);
    return NULL;
}

/* -- directories ------------------------------------------------------------ */

static size_t bases(char *out[3])
{
    const char *said = getenv("PVCTL_RUN");
    size_t n = 0;

    if (said && *said) {
        out[n++] = xstrdup(said);
        return n;
    }
    out[n++] = xasprintf("/dev/shm/pvctl-%u", (unsigned)getuid());
    out[n++] = xasprintf("/tmp/pvctl-%u", (unsigned)getuid());
    return n;
}

/* Ours alone: a directory that somebody else made beforehand is not used. */
static bool own_directory(const char *path)
{
    struct stat st;

    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return false;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == getuid();
}

static bool has_room(const char *path, uint64_t bytes)
{
    struct statvfs s;

    return statvfs(path, &s) == 0 && (uint64_t)s.f_bavail * s.f_frsize >= bytes;
}

static char *choose_base(uint64_t bytes)
{
    char *base[3], *chosen = NULL;
    size_t n = bases(base);

    for (size_t i = 0; i < n; i++) {
        if (!chosen && own_directory(base[i]) && has_room(base[i], bytes))
            chosen = base[i];
        else
            free(base[i]);
    }
    if (!chosen)
        say_bad("no room for a machine of %llu MiB in /dev/shm or /tmp; set PVCTL_RUN to a "
                "directory that has it, or make the guests smaller.",
                (unsigned long long)(bytes >> 20));
    return chosen;
}

static void remove_files(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    while (d && (e = readdir(d)))
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
}

/* Take dir's lock: the descriptor, or -1 if a live pvctl has it. One that only lists machines has
 * it for a moment, which is what more than one try is for. */
static int take_lock(const char *dir, int tries)
{
    char *path = xasprintf("%s/lock", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    free(path);
    while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (--tries > 0) {
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
            continue;
        }
        close(fd);
        return -1;
    }
    return fd;
}

static int make_directory(struct machine *m, const struct plan *p)
{
    uint64_t files = p->as == AS_DOMU ? 64 * MIB : 0;
    char *base;

    for (size_t i = 0; i < p->guests; i++)
        files += p->guest[i].unpacked.size;
    base = choose_base(p->memory + files);
    if (!base)
        return EXIT_MACHINE;
    for (int try = 0; m->lock < 0 && try < 2; try++) {
        if (p->machine || try == 0)
            m->dir = xasprintf("%s/%s", base, p->machine ? p->machine : p->guest[0].name);
        else
            m->dir = xasprintf("%s/%s-%d", base, p->guest[0].name, (int)getpid());
        if (own_directory(m->dir))
            m->lock = take_lock(m->dir, 20);
        if (m->lock < 0) {
            free(m->dir);
            m->dir = NULL;
        }
    }
    free(base);
    if (m->lock < 0)
        return say_bad("the machine \"%s\" is running already; give another --machine NAME.",
                       p->machine ? p->machine : p->guest[0].name);
    /* What an earlier run left there, the lock excepted. */
    for (const char *const *f = (const char *const[]){"ram", "keep", "uplink", NULL}; *f; f++) {
        char *path = xasprintf("%s/%s", m->dir, *f);

        unlink(path);
        free(path);
    }
    return 0;
}

void machine_close(struct machine *m, bool keep)
{
    if (m->dir && m->lock >= 0) {
        if (keep) {
            char *path = xasprintf("%s/keep", m->dir);
            int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

            if (fd >= 0)
                close(fd);
            free(path);
        } else {
            remove_files(m->dir);
            rmdir(m->dir);
        }
        close(m->lock);
    }
    for (size_t i = 0; i < 2; i++)
        if (m->guests[i] >= 0)
            close(m->guests[i]);
    for (size_t i = 0; i < m->args; i++)
        free(m->argv[i]);
    free(m->argv);
    free(m->dir);
    free(m->image);
    free(m->gdb_port);
}

static int newest_first(const void *a, const void *b)
{
    const struct machine_entry *x = a, *y = b;

    return (x->born < y->born) - (x->born > y->born);
}

static void list_base(const char *base, struct machine_entry **list, size_t *n)
{
    DIR *d = opendir(base);
    struct dirent *e;

    while (d && (e = readdir(d))) {
        char *dir = xasprintf("%s/%s", base, e->d_name), *keep = xasprintf("%s/keep", dir);
        char *ram = xasprintf("%s/ram", dir);
        struct stat st;
        int lock = -1;

        if (e->d_name[0] != '.' && stat(ram, &st) == 0) {
            lock = take_lock(dir, 1);
            if (lock < 0 || access(keep, F_OK) == 0) {
                struct machine_entry *bigger = realloc(*list, (*n + 1) * sizeof(**list));

                if (!bigger)
                    abort();
                *list = bigger;
                bigger[(*n)++] = (struct machine_entry){.dir = xstrdup(dir),
                                                        .name = xstrdup(e->d_name),
                                                        .live = lock < 0,
                                                        .born = st.st_mtim.tv_sec};
            }
            if (lock >= 0)
                close(lock);
        }
        free(ram);
        free(keep);
        free(dir);
    }
    if (d)
        closedir(d);
}

size_t machine_list(struct machine_entry **out)
{
    char *base[3];
    size_t n = bases(base), found = 0;

    *out = NULL;
    for (size_t i = 0; i < n; i++) {
        list_base(base[i], out, &found);
        free(base[i]);
    }
    if (found)
        qsort(*out, found, sizeof(**out), newest_first);
    return found;
}

void machine_list_free(struct machine_entry *e, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(e[i].dir);
        free(e[i].name);
    }
    free(e);
}

/* -- QEMU's command line ---------------------------------------------------- */

static void arg(struct machine *m, char *owned)
{
    m->argv = realloc(m->argv, (m->args + 2) * sizeof(*m->argv));
    if (!m->argv)
        abort();
    m->argv[m->args++] = owned;
    m->argv[m->args] = NULL;
}

static void args(struct machine *m, const char *const *list)
{
    for (; *list; list++)
        arg(m, xstrdup(*list));
}
#define ARGS(m, ...) args((m), (const char *const[]){__VA_ARGS__, NULL})

/* A boot module's text for -initrd, where a comma ends a module unless doubled. */
static char *double_commas(const char *text)
{
    char *out = xcalloc(2, strlen(text) + 1), *o = out;

    for (; *text; text++) {
        if (*text == ',')
            *o++ = ',';
        *o++ = *text;
    }
    return out;
}

/* A link to a guest's file, under a name without spaces and commas. */
static char *link_file(const struct machine *m, char kind, size_t n, const char *file)
{
    char *path = xasprintf("%s/%c%zu", m->dir, kind, n), *full = realpath(file, NULL);

    unlink(path);
    if (!full || symlink(full, path) < 0)
        say_note("%s: cannot be linked into %s (%s).", file, m->dir, strerror(errno));
    free(full);
    return path;
}

/* A guest's kernel: its file, or what was unpacked from it. */
static char *kernel_file(const struct machine *m, const struct guest *g, size_t n)
{
    char *path;
    FILE *f;

    if (!g->unpacked.bytes)
        return link_file(m, 'k', n, g->kernel);
    path = xasprintf("%s/k%zu", m->dir, n);
    unlink(path);
    f = fopen(path, "w");
    if (!f || fwrite(g->unpacked.bytes, 1, g->unpacked.size, f) != g->unpacked.size || fclose(f))
        say_note("%s: cannot be unpacked to %s (%s).", g->kernel, path, strerror(errno));
    return path;
}

char *machine_guest_text(const struct guest *g)
{
    char *disks = disk_words(g), *net = net_words(g);
    char *text = xasprintf("role=kernel name=%s mem=%lluK vcpus=%u%s%s -- %s", g->name,
                           (unsigned long long)(g->mem >> 10), g->vcpus, disks, net, g->cmdline);

    free(net);
    free(disks);
    return text;
}

static char *modules(const struct machine *m, const struct plan *p)
{
    char *all = xstrdup("");

    for (size_t i = 0; i < p->guests; i++) {
        const struct guest *g = &p->guest[i];
        char *k = kernel_file(m, g, i + 1), *text, *doubled, *longer;

        if (p->on == ON_XEN) {
            text = xasprintf("%s%s%s", k, *g->cmdline ? " " : "", g->cmdline);
        } else {
            char *words = machine_guest_text(g);

            text = xasprintf("%s %s", k, words);
            free(words);
        }
        doubled = double_commas(text);
        longer = xasprintf("%s%s%s", all, *all ? "," : "", doubled);
        free(all);
        all = longer;
        if (g->ramdisk) {
            char *r = link_file(m, 'r', i + 1, g->ramdisk);

            longer = xasprintf("%s,%s%s", all, r, p->on == ON_XEN ? "" : " role=ramdisk");
            free(all);
            all = longer;
            free(r);
        }
        free(doubled);
        free(text);
        free(k);
    }
    return all;
}

/* dom0's kernel and initramfs, as boot modules; NULL after a sentence. */
static char *dom0_modules(const struct machine *m, const struct plan *p)
{
    char *kernel = dom0_file("vmlinux"), *link, *initramfs, *text;

    if (!kernel)
        return NULL;
    initramfs = xasprintf("%s/dom0", m->dir);
    if (dom0_initramfs(p, initramfs)) {
        free(initramfs);
        free(kernel);
        return NULL;
    }
    link = link_file(m, 'k', 0, kernel);
    text = xasprintf("%s console=hvc0 rdinit=/init quiet panic=1,%s", link, initramfs);
    free(link);
    free(initramfs);
    free(kernel);
    return text;
}

static char *hypervisor_options(const struct plan *p)
{
    const char *more = p->hv_args ? p->hv_args : "";
    const struct guest *g = &p->guest[0];

    /* Between vCPUs Xen leaves one's FPU registers to another behind CR0.TS, unless told to be
     * eager; QEMU's TCG lets XSAVE and XRSTOR of a guest's kernel pass, and its programs get those
     * of others. A vCPU that is alone needs it not, and is measured with Xen as it comes. */
    if (p->as == AS_DOMU)
        return xasprintf(
            "com1=115200,8n1 console=com1 dom0_mem=%dM,max:%dM dom0_max_vcpus=1 "
            "spec-ctrl=eager-fpu bootscrub=0 noreboot=1 loglvl=all guest_loglvl=all %s",
            DOM0_MIB, DOM0_MIB, more);
    if (p->on == ON_XEN)
        return xasprintf("com1=115200,8n1 console=com1 dom0_mem=%lluK,max:%lluK dom0_max_vcpus=%u "
                         "%snoreboot=1 loglvl=all guest_loglvl=all %s",
                         (unsigned long long)(g->mem >> 10), (unsigned long long)(g->mem >> 10),
                         g->vcpus, g->vcpus > 1 ? "spec-ctrl=eager-fpu " : "", more);
    return xasprintf("%s%s", p->up ? "noexit " : "", more);
}

/* The drives, in the plan's order. Host caches are used, and a guest's flush empties them. */
static void drives(struct machine *m, const struct plan *p)
{
    for (unsigned i = 0; i < p->drives; i++) {
        char *file = link_file(m, 'd', i + 1, p->drive[i].file);

        ARGS(m, "-drive");
        arg(m, xasprintf("if=none,id=d%u,format=raw,cache=writeback,discard=unmap,werror=report,"
                         "rerror=report,readonly=%s,"
                         "file=%s",
                         i, p->drive[i].writable ? "off" : "on", file));
        ARGS(m, "-device");
        arg(m, xasprintf("virtio-blk-pci,disable-legacy=on,drive=d%u", i));
        free(file);
    }
}

/* The machine's network card. It needs no program of its own to boot from. */
static void uplink(struct machine *m, const struct plan *p)
{
    char *mark = xasprintf("%s/uplink", m->dir);
    int fd = p->uplink ? open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;

    if (fd >= 0)
        close(fd);
    free(mark);
    if (!p->uplink)
        return;
    ARGS(m, "-netdev");
    arg(m, net_backend(p));
    ARGS(m, "-device", "virtio-net-pci,disable-legacy=on,netdev=net,romfile=");
}

/* A port that is free now; QEMU takes it a moment later. */
static char *free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    unsigned port = 1234;

    if (s >= 0 && bind(s, (struct sockaddr *)&a, n) == 0 &&
        getsockname(s, (struct sockaddr *)&a, &n) == 0)
        port = ntohs(a.sin_port);
    if (s >= 0)
        close(s);
    return xasprintf("%u", port);
}

/* A serial line of the guests' own, where the first is Xen's and dom0's. */
static int guests_line(struct machine *m)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, m->guests) < 0)
        return say_bad("no line for the guests: %s.", strerror(errno));
    ARGS(m, "-chardev");
    arg(m, xasprintf("socket,id=guests,fd=%d", m->guests[1]));
    ARGS(m, "-serial", "chardev:guests");
    return 0;
}

/* Messages, not polling; and QEMU has sent what the shim wrote when the shim goes on. */
static int control_line(struct machine *m)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, m->control) < 0)
        return say_bad("no line to control the shim: %s.", strerror(errno));
    ARGS(m, "-chardev");
    arg(m, xasprintf("socket,id=control,fd=%d", m->control[1]));
    ARGS(m, "-device", "virtio-serial-pci,disable-legacy=on,max_ports=1,vectors=4,ioeventfd=off",
         "-device", "virtconsole,chardev=control");
    return 0;
}

int machine_make(struct machine *m, const struct plan *p)
{
    const char *qemu = getenv("PVCTL_QEMU");
    unsigned long long mib = p->memory / MIB;
    char *list;
    int rc;

    memset(m, 0, sizeof(*m));
    m->lock = m->guests[0] = m->guests[1] = m->control[0] = m->control[1] = -1;
    m->image = machine_image(p->on);
    if (!m->image)
        return EXIT_USAGE;
    rc = make_directory(m, p);
    if (rc)
        return rc;

    arg(m, xstrdup(qemu && *qemu ? qemu : "qemu-system-x86_64"));
    /* One processor; but only where there could be a second one does QEMU 7.2 translate memory
     * barriers, and its devices, which have threads of their own, need those of the drivers. */
    if (p->icount)
        ARGS(m, "-accel", "tcg,thread=single");
    else
        ARGS(m, "-accel", "tcg,thread=multi", "-smp", "1,maxcpus=2");
    ARGS(m, "-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-no-reboot",
         "-chardev", "stdio,id=con,signal=off", "-serial", "chardev:con", "-machine",
         "q35,memory-backend=ram", "-cpu", p->cpu, "-m");
    arg(m, xasprintf("%lluM", mib));
    ARGS(m, "-object");
    arg(m,
        xasprintf("memory-backend-file,id=ram,size=%lluM,mem-path=%s/ram,share=on", mib, m->dir));
    if (p->on == ON_SHIM)
        ARGS(m, "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04");
    if (p->as == AS_DOMU && guests_line(m))
        return EXIT_MACHINE;
    /* At 1 ns an instruction a Linux with timers of its own would not get far. */
    if (p->icount)
        ARGS(m, "-icount", p->as == AS_DOMU ? "shift=4,sleep=off" : "shift=0,sleep=off", "-rtc",
             "base=2024-01-01T00:00:00,clock=vm", "-seed", "1");
    if (p->gdb) {
        m->gdb_port = free_port();
        ARGS(m, "-S", "-gdb");
        arg(m, xasprintf("tcp:127.0.0.1:%s", m->gdb_port));
    }
    drives(m, p);
    uplink(m, p);
    if (p->on == ON_SHIM && control_line(m))
        return EXIT_MACHINE;
    for (size_t i = 0; i < p->nr_qemu_args; i++)
        arg(m, xstrdup(p->qemu_args[i]));
    ARGS(m, "-kernel", m->image, "-append");
    arg(m, hypervisor_options(p));
    if (p->guests == 0)
        return 0;
    list = p->as == AS_DOMU ? dom0_modules(m, p) : modules(m, p);
    if (!list)
        return EXIT_USAGE;
    ARGS(m, "-initrd");
    arg(m, list);
    return 0;
}
