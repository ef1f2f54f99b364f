/* SPDX-License-Identifier: MIT */
/* pipe.h - pipes and FIFOs: a ring of pages between writers and readers. */
#ifndef KERN_PIPE_H
#define KERN_PIPE_H

#include "fs.h"

struct pipe;

extern const struct file_ops fifo_fops;
struct pipe *pipe_alloc(void);
void pipe_free(struct pipe *p);

#endif
