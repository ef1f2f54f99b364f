/* SPDX-License-Identifier: MIT */
/*
 * user.S - a user program, copied to USER_CODE. rax is the call (1 write, 2 exit), rdi and rsi
 * its arguments.
 */
        .section .rodata
        .globl  user_begin, user_end
user_begin:
        mov     $1, %eax
        lea     text(%rip), %rdi
        mov     $text_end - text, %esi
        int     $0x80
        push    %rax                    # the stack works
        mov     $2, %eax
        int     $0x80
        ud2
text:   .ascii  "hello from user mode\n"
text_end:
user_end:
