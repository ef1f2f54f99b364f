/* SPDX-License-Identifier: MIT
 *
 * run.c - one machine from its start to its verdict.
 *
 *   terminal ──stdin──► QEMU's serial line ──► demux ──► guests' bytes: stdout
 *                                                   └─► hypervisor's lines: stderr, --console
 *
 * With a dom0 on Xen there are two lines: that one is Xen's and dom0's, and the guests have their
 * own.
 *
 * QEMU is our child and dies with us. It ends itself (shim), or is ended by its pid when
 * Xen says that its only guest is gone, when the time is up, or when the user says so
 * (Ctrl-] on a terminal, a signal otherwise). The terminal is put back in every case.
 */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "demux.h"
#include "dom0.h"
#include "gdb.h"
#include "machine.h"
#include "say.h"
#include "server.h"
#include "show.h"
#include "stage.h"
#include "verdict.h"

enum { KEPT_LINES = 48, ESCAPE = 0x1d /* Ctrl-] */ };

/* What a serial line has sent of a line of text. */
struct piece {
    char text[1024];
    size_t len;
};

struct run {
    const struct plan *plan;
    struct machine machine;
    struct demux demux;
    struct demux guests; /* of the guests' own line, if there is one */
    struct demux_sink guest_sink;
    struct dom0 dom0;
    char dom0_line[512];
    size_t dom0_len;
    FILE *log;                         /* --console: in whole lines, for two serial lines may talk at a time */
    struct piece log_line, log_guests; /* of either */
    pid_t qemu;
    int to_qemu, from_qemu, errors;
    struct server *server; /* of the control channel; NULL: there is none */
    bool raw_terminal, stopped, timed_out, input_open;
    bool waited;   /* another process has the machine */
    bool behind;   /* in the background, and on no terminal any more */
    bool mid_line; /* a guest's line on stdout has not ended yet */
    enum ending ending;
    char *kept[KEPT_LINES]; /* the hypervisor's and dom0's last lines, shown when it went wrong */
    size_t lines, crash_line;
    char complaint[4096]; /* what QEMU wrote to its stderr */
    size_t complaint_len;
};

static struct termios cooked;
static volatile sig_atomic_t signalled;
static int wake_pipe[2];

static void on_signal(int s)
{
    int saved = errno;

    if (s != SIGCHLD)
        signalled = s;
    if (write(wake_pipe[1], "", 1) < 0) {
        /* Full: we wake up anyway. */
    }
    errno = saved;
}

/* -- where the demultiplexed line goes ------------------------------------ */

static void write_all(int fd, const char *bytes, size_t n)
{
    while (n) {
        ssize_t w = write(fd, bytes, n);

        if (w < 0 && errno == EAGAIN)
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 100);
        else if (w < 0 && errno != EINTR)
            return;
        else if (w > 0)
            bytes += w, n -= (size_t)w;
    }
}

static void guest_bytes(void *ctx, const char *bytes, size_t n)
{
    struct run *r = ctx;

    r->mid_line = bytes[n - 1] != '\n';
    for (; r->raw_terminal && n; bytes++, n--) {
        if (*bytes == '\n')
            write_all(STDOUT_FILENO, "\r", 1);
        write_all(STDOUT_FILENO, bytes, 1);
    }
    if (n)
        write_all(STDOUT_FILENO, bytes, n);
}

static void show_line(const struct run *r, const char *line)
{
    if (r->mid_line && isatty(STDERR_FILENO))
        fprintf(stderr, "%s\n", r->raw_terminal ? "\r" : "");
    fprintf(stderr, "%s%s%s%s\n", say_color(stderr, SAY_DIM), line, say_color(stderr, SAY_PLAIN),
            r->raw_terminal ? "\r" : "");
}

static void keep_line(struct run *r, const char *who, const char *line)
{
    char **slot = &r->kept[r->lines % KEPT_LINES];

    free(*slot);
    *slot = xasprintf("(%s) %s", who, line);
    r->lines++;
    if (r->plan->verbose || (r->plan->on == ON_SHIM && !r->plan->quiet))
        show_line(r, *slot);
}

/* What is not Xen's on the line that Xen and dom0 share. */
static void dom0_bytes(void *ctx, const char *bytes, size_t n)
{
    struct run *r = ctx;

    for (; n; bytes++, n--) {
        if (*bytes != '\n' && r->dom0_len < sizeof(r->dom0_line) - 1) {
            r->dom0_line[r->dom0_len++] = *bytes;
            continue;
        }
        r->dom0_line[r->dom0_len] = 0;
        r->dom0_len = 0;
        if (!dom0_report(&r->dom0, r->dom0_line))
            keep_line(r, "dom0", r->dom0_line);
        else if ((r->dom0.done || r->dom0.failure) && r->ending == STILL_RUNNING)
            r->ending = POWERED_OFF;
    }
}

static void hypervisor_line(void *ctx, const char *line)
{
    struct run *r = ctx;

    keep_line(r, r->plan->on == ON_XEN ? "XEN" : "shim", line);
    if (r->plan->on == ON_XEN) {
        enum ending e = verdict_of_xen_line(line);

        if (!r->crash_line && strstr(line, "domain_crash"))
            r->crash_line = r->lines;
        if (e != STILL_RUNNING && r->ending == STILL_RUNNING)
            r->ending = e;
    }
}

static void log_piece(struct run *r, struct piece *p)
{
    if (r->log)
        fwrite(p->text, 1, p->len, r->log);
    p->len = 0;
}

static void log_bytes(struct run *r, struct piece *p, const char *bytes, size_t n)
{
    for (; n; bytes++, n--) {
        p->text[p->len++] = *bytes;
        if (*bytes == '\n' || p->len == sizeof(p->text))
            log_piece(r, p);
    }
}

static void raw_bytes(void *ctx, const char *bytes, size_t n)
{
    struct run *r = ctx;

    log_bytes(r, &r->log_line, bytes, n);
}

static void raw_guest_bytes(void *ctx, const char *bytes, size_t n)
{
    struct run *r = ctx;

    log_bytes(r, &r->log_guests, bytes, n);
}

/* -- terminal ---------------------------------------------------------------- */

static void terminal_attach(struct run *r)
{
    struct termios raw;

    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &cooked) < 0)
        return;
    if (!r->plan->quiet)
        say_note("attached to %s; Ctrl-] ends the run, Ctrl-A three times switches the input.",
                 r->plan->guest[0].name);
    raw = cooked;
    cfmakeraw(&raw);
    r->raw_terminal = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

static void terminal_restore(struct run *r)
{
    if (r->raw_terminal)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &cooked);
    r->raw_terminal = false;
}

/* -- the child ------------------------------------------------------------------ */

static int start_qemu(struct run *r)
{
    int in[2], out[2], err[2];

    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
        return -1;
    r->qemu = fork();
    if (r->qemu == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setpgid(0, 0); /* Ctrl-C is for us to handle */
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        dup2(err[1], STDERR_FILENO);
        if (r->machine.guests[1] >= 0)
            fcntl(r->machine.guests[1], F_SETFD, 0);
        if (r->machine.control[1] >= 0)
            fcntl(r->machine.control[1], F_SETFD, 0);
        execvp(r->machine.argv[0], r->machine.argv);
        dprintf(STDERR_FILENO, "%s cannot be started (%s); install Debian's qemu-system-x86",
                r->machine.argv[0], strerror(errno));
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    close(err[1]);
    if (r->machine.control[1] >= 0)
        close(r->machine.control[1]);
    r->to_qemu = r->machine.guests[0] >= 0 ? r->machine.guests[0] : in[1];
    r->from_qemu = out[0];
    r->errors = err[0];
    fcntl(r->to_qemu, F_SETFL, O_NONBLOCK);
    return r->qemu < 0 ? -1 : 0;
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

/* End QEMU by its pid; returns its wait status. */
static int end_qemu(struct run *r, bool kill_it)
{
    int64_t give_up = now_ms() + 3000;
    int status = 0;

    if (kill_it)
        kill(r->qemu, SIGTERM);
    while (waitpid(r->qemu, &status, WNOHANG) == 0) {
        if (now_ms() > give_up) {
            kill(r->qemu, SIGKILL);
            waitpid(r->qemu, &status, 0);
            break;
        }
        poll(NULL, 0, 5);
    }
    return status;
}

/* -- the loop ----------------------------------------------------------------- */

static void take_input(struct run *r)
{
    char buf[256];
    ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));
    const char *escape;

    if (n <= 0) {
        r->input_open = n < 0 && errno == EINTR;
        return;
    }
    escape = r->raw_terminal ? memchr(buf, ESCAPE, (size_t)n) : NULL;
    if (escape) {
        r->stopped = true;
        n = escape - buf;
    }
    write_all(r->to_qemu, buf, (size_t)n);
}

/* Read what QEMU has; false when it has closed its end. */
static bool take_output(struct run *r)
{
    char buf[4096];
    ssize_t n = read(r->from_qemu, buf, sizeof(buf));

    if (n < 0 && errno == EINTR)
        return true;
    if (n <= 0)
        return false;
    demux_feed(&r->demux, buf, (size_t)n);
    return true;
}

/* The same for the guests' own line, as far as bytes are there. */
static bool take_guests(struct run *r)
{
    char buf[4096];
    ssize_t n;

    while ((n = recv(r->machine.guests[0], buf, sizeof(buf), MSG_DONTWAIT)) > 0)
        demux_feed(&r->guests, buf, (size_t)n);
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static bool take_complaint(struct run *r)
{
    char buf[512];
    ssize_t n = read(r->errors, buf, sizeof(buf));
    size_t room = sizeof(r->complaint) - 1 - r->complaint_len;

    if (n <= 0)
        return n < 0 && errno == EINTR;
    n = (size_t)n < room ? n : (ssize_t)room;
    memcpy(r->complaint + r->complaint_len, buf, (size_t)n);
    r->complaint_len += (size_t)n;
    return true;
}

/* Once the shim has answered somebody, nobody waits for what we might say. */
static void go_behind(struct run *r)
{
    int null = open("/dev/null", O_RDWR);

    for (int fd = 0; null >= 0 && fd < 3; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
    r->behind = true;
}

static void attend_server(struct run *r, const struct pollfd *p)
{
    server_attend(r->server, p);
    r->stopped |= server_ends(r->server);
    if (r->plan->up && !r->behind && server_is_up(r->server))
        go_behind(r);
}

/* Until QEMU closes the line, or there is a reason to end it (then true). */
static bool attend(struct run *r)
{
    int64_t deadline = r->plan->timeout ? now_ms() + r->plan->timeout * 1000ll : INT64_MAX;
    bool errors_open = true, guests_open = r->machine.guests[0] >= 0;

    for (;;) {
        struct pollfd p[5 + SERVER_FDS] = {
            {.fd = r->from_qemu, .events = POLLIN},
            {.fd = errors_open ? r->errors : -1, .events = POLLIN},
            {.fd = r->input_open ? STDIN_FILENO : -1, .events = POLLIN},
            {.fd = wake_pipe[0], .events = POLLIN},
            {.fd = guests_open ? r->machine.guests[0] : -1, .events = POLLIN},
        };
        int64_t left = deadline == INT64_MAX ? -1 : deadline - now_ms();

        if (deadline != INT64_MAX && left <= 0) {
            r->timed_out = true;
            return true;
        }
        if (r->ending != STILL_RUNNING || r->stopped || signalled)
            return true;
        if (r->server)
            server_wait(r->server, p + 5);
        if (poll(p, r->server ? 5 + SERVER_FDS : 5, left > 60000 || left < 0 ? 60000 : (int)left) <
                0 &&
            errno != EINTR)
            return true;
        if (p[1].revents)
            errors_open = take_complaint(r);
        if (p[4].revents)
            guests_open = take_guests(r);
        if (r->server)
            attend_server(r, p + 5);
        if (p[0].revents && !take_output(r))
            return false;
        if (p[2].revents)
            take_input(r);
        if (p[3].revents) {
            char drop[16];

            if (read(wake_pipe[0], drop, sizeof(drop)) < 0) {
                /* Nothing to drop. */
            }
        }
    }
}

/* -- verdicts --------------------------------------------------------------------- */

static void show_kept(const struct run *r, size_t from)
{
    size_t oldest = r->lines > KEPT_LINES ? r->lines - KEPT_LINES : 0;

    if (r->plan->verbose)
        return;
    for (size_t i = from > oldest ? from : oldest; i < r->lines; i++)
        show_line(r, r->kept[i % KEPT_LINES]);
}

static int verdict_of_xen(struct run *r)
{
    const char *name = r->plan->guest[0].name;

    switch (r->ending) {
    case POWERED_OFF:
        return EXIT_OK;
    case CRASHED:
        show_kept(r, r->crash_line ? r->crash_line - 1 : r->lines > 12 ? r->lines - 12 : 0);
        say_bad("guest %s crashed; Xen's lines above say where.", name);
        return EXIT_CRASHED;
    case REBOOTED:
        say_bad("guest %s asked for a reboot, and pvctl does not start it again.", name);
        return EXIT_CRASHED;
    case ENDED_OTHERWISE:
        say_bad("guest %s ended with an unusual shutdown code.", name);
        return EXIT_CRASHED;
    default:
        show_kept(r, r->lines > 12 ? r->lines - 12 : 0);
        say_bad("Xen itself stopped; its last lines are above.");
        return EXIT_MACHINE;
    }
}

static int verdict_of_dom0(struct run *r)
{
    bool whole = r->dom0.done && r->ending != HYPERVISOR_DIED;

    for (size_t i = 0; i < r->plan->guests; i++)
        whole &= r->dom0.state[i] == GUEST_ENDED;
    if (r->crash_line)
        show_kept(r, r->crash_line - 1);
    else if (!whole)
        show_kept(r, r->lines > 12 ? r->lines - 12 : 0);
    if (r->ending != HYPERVISOR_DIED)
        return dom0_verdict(&r->dom0, r->plan);
    say_bad("Xen itself stopped; its last lines are above.");
    return EXIT_MACHINE;
}

/* The first line on QEMU's stderr that is more than a warning (a CPU model's missing
 * features, say), or NULL. */
static const char *complaint(struct run *r)
{
    char *line = r->complaint;

    while (*line) {
        size_t n = strcspn(line, "\n");
        char *warning = strstr(line, "warning: ");

        if (!warning || warning > line + n) {
            line[n] = 0;
            return line;
        }
        line += n + (line[n] != 0);
    }
    return NULL;
}

static int verdict(struct run *r, int status)
{
    int rc;

    if (r->timed_out) {
        say_bad("the time limit of %u s is over.", r->plan->timeout);
        return EXIT_TIMEOUT;
    }
    if (r->stopped || signalled) {
        say_note("ended by the user.");
        return EXIT_STOPPED;
    }
    if (r->ending == STILL_RUNNING && complaint(r)) {
        say_bad("QEMU failed: %s.", complaint(r));
        return EXIT_MACHINE;
    }
    if (r->plan->as == AS_DOMU)
        return verdict_of_dom0(r);
    if (r->plan->on == ON_XEN)
        return verdict_of_xen(r);
    rc = verdict_of_shim(r->plan, r->machine.dir, status);
    if (rc == EXIT_MACHINE && r->plan->quiet)
        show_kept(r, r->lines > 12 ? r->lines - 12 : 0);
    return rc;
}

static void catch_signals(void)
{
    struct sigaction a = {.sa_handler = on_signal};

    if (pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
        abort();
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
    sigaction(SIGHUP, &a, NULL);
    sigaction(SIGCHLD, &a, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void show_stages(const char *dir)
{
    struct view v;
    char *why;

    if (view_open(&v, dir, &why)) {
        say_note("%s", why);
        free(why);
        return;
    }
    stages_print(&v);
    view_close(&v);
}

static int run_machine(struct run *r)
{
    static const struct demux_sink shape = {guest_bytes, hypervisor_line, raw_bytes, NULL};
    struct demux_sink sink = shape;
    bool kill_it;
    int status;

    sink.ctx = r;
    r->guest_sink = sink;
    r->guest_sink.raw = raw_guest_bytes;
    /* Nobody but guests writes to their own line, so no mark is looked for. */
    demux_init(&r->guests, &r->guest_sink, "\377\377", false);
    if (r->plan->as == AS_DOMU)
        sink.guest = dom0_bytes;
    demux_init(&r->demux, &sink, r->plan->on == ON_XEN ? "(XEN) " : "(shim) ",
               r->plan->on == ON_XEN);
    catch_signals();
    if (start_qemu(r) < 0)
        return say_bad("QEMU cannot be started: %s.", strerror(errno));
    if (r->plan->gdb)
        gdb_announce(r->plan, &r->machine);
    terminal_attach(r);
    kill_it = attend(r);
    if (r->server) /* its last answers */
        server_attend(r->server, &(struct pollfd){.fd = -1, .revents = POLLIN});
    if (r->machine.guests[0] >= 0)
        take_guests(r);
    status = end_qemu(r, kill_it);
    while (!kill_it && take_complaint(r))
        ;
    demux_end(&r->demux);
    demux_end(&r->guests);
    log_piece(r, &r->log_line);
    log_piece(r, &r->log_guests);
    terminal_restore(r);
    fflush(stderr);
    if (r->plan->stages)
        show_stages(r->machine.dir);
    return verdict(r, status);
}

/* The machine goes on as a process of its own, and this one waits for it to be up. */
static int start_behind(struct run *r)
{
    struct channel c;
    pid_t pid;
    int rc;

    fflush(NULL);
    pid = fork();
    if (pid < 0)
        return say_bad("no process for the machine: %s.", strerror(errno));
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        setsid();
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        return 0;
    }
    server_close(r->server);
    r->server = NULL;
    close(r->machine.control[0]);
    close(r->machine.control[1]);
    close(r->machine.lock);
    r->machine.lock = -1; /* the directory is not ours any more */
    rc = channel_open_dir(&c, r->machine.dir);
    if (rc == 0) {
        if (r->plan->json)
            print_json(show_machine_json(&(struct machine_entry){c.dir, c.machine, true, 0}));
        else
            printf("%s\n", c.machine);
        channel_close(&c);
    }
    r->waited = true;
    return rc ? EXIT_MACHINE : EXIT_OK;
}

int run_plan(const struct plan *p)
{
    struct run r = {.plan = p, .input_open = !p->up};
    int rc = machine_make(&r.machine, p);

    if (rc == 0 && r.machine.control[0] >= 0 &&
        !(r.server = server_open(r.machine.dir, r.machine.control[0])))
        rc = EXIT_MACHINE;
    if (rc == 0 && p->up)
        rc = start_behind(&r);
    if (rc == 0 && !r.waited && p->console && !(r.log = fopen(p->console, "w")))
        rc = say_bad("--console: %s cannot be written (%s).", p->console, strerror(errno));
    if (rc == 0 && !r.waited)
        rc = run_machine(&r);
    if (r.log && fclose(r.log))
        say_note("%s: could not be written to its end (%s).", p->console, strerror(errno));
    server_close(r.server);
    machine_close(&r.machine, p->keep);
    for (size_t i = 0; i < KEPT_LINES; i++)
        free(r.kept[i]);
    free(r.dom0.failure);
    return rc;
}

int run_arguments(struct plan p, int argc, char **argv)
{
    int rc = plan_from_args(&p, argc, argv);

    if (!rc)
        rc = plan_check(&p);
    if (!rc)
        rc = run_plan(&p);
    plan_free(&p);
    return rc;
}
