/* SPDX-License-Identifier: MIT */
/*
 * kernel.c - the kernel itself: it knows machine.h, and nothing of hardware or hypervisor.
 *
 * It shows that traps arrive, that a page can be mapped while a fault waits for it, that time
 * passes, and that a user program can run and call back.
 */
#include "machine.h"

extern const char user_begin[], user_end[];
static volatile unsigned ticks;

static void print(const char *text)
{
    size_t n = 0;

    while (text[n])
        n++;
    console_write(text, n);
}

bool kernel_fault(uint64_t va)
{
    if (va < USER_CODE || va >= USER_STACK)
        return false;
    print("page fault: a page is put there\n");
    return page_map(va & -PAGE_SIZE, frame_alloc(), true);
}

void kernel_breakpoint(void)
{
    print("breakpoint\n");
}

void kernel_tick(void)
{
    ticks++;
}

uint64_t kernel_syscall(uint64_t nr, uint64_t a, uint64_t b)
{
    if (nr == 1 && b <= PAGE_SIZE && a >= USER_CODE && a <= USER_STACK - b) {
        console_write((const char *)a, b);
        return b;
    }
    if (nr == 2) {
        print("the program has ended\n");
        machine_off();
    }
    return -1;
}

void kernel_main(const char *machine)
{
    volatile unsigned *touched = (unsigned *)(USER_CODE + 16 * PAGE_SIZE);
    uint64_t frame = frame_alloc();

    print("template kernel on ");
    print(machine);
    print("\n");
    __asm__ volatile("int3");
    *touched = 42;
    print(*touched == 42 ? "and keeps what is written\n" : "LOST\n");

    timer_start(100);
    while (ticks < 3)
        machine_wait();
    print("three ticks\n");

    for (size_t i = 0; &user_begin[i] < user_end; i++)
        ((volatile char *)frame_va(frame))[i] = user_begin[i];
    if (!page_map(USER_CODE, frame, false) ||
        !page_map(USER_STACK - PAGE_SIZE, frame_alloc(), true))
        print("no memory for a program\n");
    else
        user_enter(USER_CODE, USER_STACK);
    machine_off();
}
