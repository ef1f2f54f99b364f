/* SPDX-License-Identifier: MIT
 *
 * switch_count.c - how many instructions it takes to find out whom a packet is for: the switch, one
 * step at a time, as the processor counts them. TAP.
 */
#include "backend/switch.h"
#include <stdio.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GUESTS = 64, LIMIT = 100 };

static struct vswitch s;
static uint8_t header[GUESTS][SWITCH_HEADER];
static volatile int verdict;

static void prepare(void)
{
    uint8_t mac[6] = {0x00, 0x16, 0x3e, 0, 0, 0}, out[6] = {2, 0, 0, 0, 0, 0};
    uint8_t h[SWITCH_HEADER] = {0};

    for (unsigned i = 1; i <= GUESTS; i++) {
        mac[5] = (uint8_t)i;
        switch_add(&s, i, mac);
        memcpy(header[i % GUESTS], mac, 6);           /* to guest i, */
        memcpy(header[(i + 1) % GUESTS] + 6, mac, 6); /* from it to the next */
    }
    switch_trunk(&s, 0);
    for (unsigned i = 0; i < SWITCH_LEARNED; i++) { /* a table as full as it gets */
        out[4] = (uint8_t)(i >> 8), out[5] = (uint8_t)i;
        memcpy(h, mac, 6);
        memcpy(h + 6, out, 6);
        switch_forward(&s, 0, h);
    }
}

/* The child stops before and behind each packet, and once more with nothing in between: the
 * difference is the packet. */
static int child(void)
{
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    for (unsigned i = 2; i < GUESTS; i++) {
        raise(SIGSTOP);
        verdict = switch_forward(&s, i - 1, header[i]);
        raise(SIGSTOP);
        raise(SIGSTOP);
        if (verdict != (int)i)
            return 1;
    }
    return 0;
}

/* Instructions up to the next stop; 0: there is none. */
static uint64_t steps_to_stop(pid_t pid, int *status)
{
    uint64_t steps = 0;

    do {
        ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL);
        waitpid(pid, status, 0);
        steps++;
    } while (WIFSTOPPED(*status) && WSTOPSIG(*status) == SIGTRAP);
    return WIFSTOPPED(*status) ? steps : 0;
}

int main(void)
{
    uint64_t worst = 0, packets = 0, all, none;
    int status;
    pid_t pid;

    prepare();
    pid = fork();
    if (pid == 0)
        _exit(child());
    waitpid(pid, &status, 0);
    while ((all = steps_to_stop(pid, &status)) != 0 && (none = steps_to_stop(pid, &status)) != 0) {
        packets++;
        worst = all - none > worst ? all - none : worst;
        if (!steps_to_stop(pid, &status)) /* on to the next packet */
            break;
    }
    printf("%sok 1 - %lu packets reached their guests\n",
           packets == GUESTS - 2 && WIFEXITED(status) && !WEXITSTATUS(status) ? "" : "not ",
           packets);
    printf("%sok 2 - a packet takes %lu instructions, of at most %d\n1..2\n",
           worst && worst <= LIMIT ? "" : "not ", worst, LIMIT);
    return packets != GUESTS - 2 || !worst || worst > LIMIT;
}
