/* SPDX-License-Identifier: MIT */
/* procpid.h - between the tree of /proc (procfs.c) and its processes (procpid.c). */
#ifndef KERN_PROCPID_H
#define KERN_PROCPID_H

#include "fs.h"
#include "procfs.h"

#define PROC_SELF_INO 0xffff

static inline ino_t proc_pid_ino(int pid)
{
    return (ino_t)pid << 16;
}

int proc_parse_number(const char *s, u32 len);                 /* -1: not a number */
struct inode *proc_pid_inode(struct super_block *sb, int pid); /* NULL: no such process */
struct inode *proc_self_inode(struct super_block *sb);

void proc_evict(struct inode *i);

/* Text files: `made` becomes the open file's (or is freed). */
int proc_text_open(struct file *f, struct seq *made);
void proc_text_release(struct inode *i, struct file *f);
ssize_t proc_text_read(struct file *f, struct uio *u, s64 *pos);

#endif
