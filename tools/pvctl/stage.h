/* SPDX-License-Identifier: MIT
 *
 * stage.h - how far a guest has come, shown.
 */
#ifndef PVCTL_STAGE_H
#define PVCTL_STAGE_H

#include "view.h"

/* All guests' stages on stderr, at the end of a run. */
void stages_print(const struct view *v);
int command_stage(int argc, char **argv);

#endif
