/* SPDX-License-Identifier: MIT */
/*
 * ptyrun COMMAND: runs a shell command on a pseudo-terminal of its own, as its controlling
 * terminal.
 *
 * Our input is its keyboard, typed when it has been silent for half a second; what it shows is our
 * output. Ends as the command ended, or after a minute.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int run(const char *slave, const char *command)
{
    setsid();
    int s = open(slave, O_RDWR);

    if (s < 0 || ioctl(s, TIOCSCTTY, 0) < 0)
        return 126;
    for (int i = 0; i < 3; i++)
        dup2(s, i);
    if (s > 2)
        close(s);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    return 127;
}

int main(int argc, char **argv)
{
    char name[32], buf[1024];
    int m = open("/dev/ptmx", O_RDWR | O_NOCTTY), zero = 0, n, st;
    ssize_t r;

    if (argc != 2 || m < 0 || ioctl(m, TIOCSPTLCK, &zero) < 0 || ioctl(m, TIOCGPTN, &n) < 0) {
        fprintf(stderr, "usage: ptyrun COMMAND\n");
        return 2;
    }
    snprintf(name, sizeof(name), "/dev/pts/%d", n);
    pid_t pid = fork();
    if (pid == 0)
        _exit(run(name, argv[1]));
    alarm(60);
    for (;;) {
        struct pollfd p = {m, POLLIN, 0};
        int k = poll(&p, 1, 500);

        if (k > 0) {
            r = read(m, buf, sizeof(buf));
            if (r <= 0)
                break;
            if (write(1, buf, (size_t)r) != r)
                break;
        } else if (k == 0) {
            r = read(0, buf, sizeof(buf)); /* quiet: type on; at the end of our input nothing */
            if (r > 0 && write(m, buf, (size_t)r) != r)
                break;
            if (waitpid(pid, &st, WNOHANG) == pid)
                return WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
        }
    }
    waitpid(pid, &st, 0);
    return WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
}
