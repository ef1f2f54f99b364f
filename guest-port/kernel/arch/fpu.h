/* SPDX-License-Identifier: MIT */
/* fpu.h - saving and loading FPU, SSE and AVX registers (arch/fpu.c); for arch/ only. */
#ifndef ARCH_FPU_H
#define ARCH_FPU_H

#include "types.h"

struct thread;
extern u64 fpu_area_size;

void *fpu_new(void);
void fpu_free(void *p);
void fpu_sync(struct thread *t);
void fpu_reset(struct thread *t);
void fpu_reload(struct thread *t);
void fpu_switch(struct thread *prev, struct thread *next);

#endif
