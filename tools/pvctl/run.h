/* SPDX-License-Identifier: MIT
 *
 * run.h - boots a plan and stays with it to the end.
 */
#ifndef PVCTL_RUN_H
#define PVCTL_RUN_H

#include "config.h"

/* Boot p (checked), attach the terminal, and return pvctl's exit status: the guests' own
 * verdict, EXIT_TIMEOUT, EXIT_STOPPED or EXIT_MACHINE. */
int run_plan(const struct plan *p);
/* The same for a plan that the arguments complete, checked in here. */
int run_arguments(struct plan p, int argc, char **argv);

#endif
