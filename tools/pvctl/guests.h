/* SPDX-License-Identifier: MIT
 *
 * guests.h - the commands that change a running machine, over its control channel.
 */
#ifndef PVCTL_GUESTS_H
#define PVCTL_GUESTS_H

int command_up(int argc, char **argv);
int command_down(int argc, char **argv);
int command_create(int argc, char **argv);
int command_destroy(int argc, char **argv);
int command_pause(int argc, char **argv);
int command_unpause(int argc, char **argv);
int command_shutdown(int argc, char **argv);
int command_store(int argc, char **argv);
int command_top(int argc, char **argv);     /* top.c */
int command_trace(int argc, char **argv);   /* trace.c */
int command_console(int argc, char **argv); /* console.c */

#endif
