/* SPDX-License-Identifier: MIT
 *
 * stage.h - how far a guest has come, as a set of bits; the table is stages.def.
 *
 * For the people who port, not for the hypervisor: nothing here decides by it. Recording is
 * one instruction, and never in a path that guests take often where something else tells
 * as well (hostview.c).
 */
#ifndef HV_STAGE_H
#define HV_STAGE_H

enum stage {
#define STAGE(name, what, how) STAGE_##name,
#include "stages.def"
#undef STAGE
    STAGES
};

_Static_assert(STAGES <= 32, "struct domain has 32 bits for them");

#define stage_reached(d, stage) ((void)((d)->stages |= 1u << (stage)))

#endif
