/* SPDX-License-Identifier: MIT */
/*
 * echo: says each line that is typed at its console, until that is "quit".
 *
 * For tests/guests/input.sh: input, and who gets it when several guests run. Told to "tick", it says
 * a number a hundred times a second as well (tests/guests/control.sh: a guest that is paused does not).
 */
#include <pv/pv.h>

int pv_host_main(const char *cmdline)
{
    char line[80];
    size_t n = 0;
    unsigned ticks = 0;

    pv_printf("%s: listening\n", cmdline);
    for (;;) {
        char c;

        if (pv_console_read(&c, 1) == 0) {
            pv_time_sleep(10000000);
            if (cmdline[0] == 't')
                pv_printf("tick %u\n", ++ticks);
        } else if (c != '\n' && c != '\r') {
            if (n < sizeof(line) - 1)
                line[n++] = c;
        } else if (n) {
            line[n] = 0;
            n = 0;
            pv_printf("%s: heard %s\n", cmdline, line);
            if (line[0] == 'q')
                return 0;
        }
    }
}
