/* SPDX-License-Identifier: MIT */
/*
 * machine.h - all that the kernel knows of the machine it runs on.
 *
 * native/ is the machine with its hardware, pv/ the one that a hypervisor gives. Each build links
 * one of them with the same kernel.c and user.S; no file is compiled differently.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE  4096UL
#define USER_CODE  0x10000000000UL /* user programs live here and above */
#define USER_STACK 0x10000800000UL

/* The kernel's half. */
void kernel_main(const char *machine);
bool kernel_fault(uint64_t va); /* a page fault: was it dealt with? */
void kernel_breakpoint(void);
void kernel_tick(void);
uint64_t kernel_syscall(uint64_t nr, uint64_t a, uint64_t b);

/* The machine's half. Frames are numbers that only it understands. */
void console_write(const char *text, size_t n);
uint64_t frame_alloc(void);
void *frame_va(uint64_t frame); /* where the kernel sees it */
bool page_map(uint64_t va, uint64_t frame, bool writable);
void timer_start(unsigned hz);
void machine_wait(void); /* until something happens */
__attribute__((noreturn)) void user_enter(uint64_t rip, uint64_t rsp);
__attribute__((noreturn)) void machine_off(void);

#endif
