/* SPDX-License-Identifier: MIT */
/* kbd.h - the PS/2 keyboard (dev/kbd.c), which types into a terminal. */
#ifndef KERN_KBD_H
#define KERN_KBD_H

struct tty;

void kbd_init(struct tty *t);

#endif
