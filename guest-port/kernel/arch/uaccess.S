/* SPDX-License-Identifier: MIT */
/*
 * uaccess.S - raw copies to and from user memory, and the exception table that makes them safe.
 *
 * A fault at an instruction listed in .extable that the page fault code cannot satisfy continues at
 * the listed fix-up. Range checks are the callers' (lib/uaccess.c).
 */
    .macro ex insn, fix
    .pushsection .extable, "a"
    .quad \insn, \fix
    .popsection
    .endm

    .text
/* size_t raw_copy_user(void *dst, const void *src, size_t n): bytes not copied */
    .globl raw_copy_user
raw_copy_user:
    mov %rdx, %rcx
    shr $3, %rcx
    mov %edx, %eax
    and $7, %eax
1:  rep movsq
    mov %eax, %ecx
2:  rep movsb
    xor %eax, %eax
    ret
3:  /* rcx words and eax bytes are left; words may hold a readable beginning */
    lea (%rax,%rcx,8), %rcx
4:  rep movsb
5:  mov %rcx, %rax
    ret
    ex 1b, 3b
    ex 2b, 5b
    ex 4b, 5b

/* size_t raw_clear_user(void *dst, size_t n): bytes not cleared */
    .globl raw_clear_user
raw_clear_user:
    mov %rsi, %rcx
    shr $3, %rcx
    mov %esi, %edx
    and $7, %edx
    xor %eax, %eax
6:  rep stosq
    mov %edx, %ecx
7:  rep stosb
    xor %eax, %eax
    ret
14: lea (%rdx,%rcx,8), %rcx
15: rep stosb
16: mov %rcx, %rax
    ret
    ex 6b, 14b
    ex 7b, 16b
    ex 15b, 16b

/* ssize_t raw_strncpy_user(char *dst, const char *src, size_t max): length, max if no NUL, -1 */
    .globl raw_strncpy_user
raw_strncpy_user:
    xor %eax, %eax
8:  cmp %rdx, %rax
    je 10f
9:  movb (%rsi,%rax), %cl
    movb %cl, (%rdi,%rax)
    test %cl, %cl
    jz 10f
    inc %rax
    jmp 8b
10: ret
11: mov $-1, %rax
    ret
    ex 9b, 11b

/* bool raw_cmpxchg_user(u32 *p, u32 *expected, u32 desired, int *fault): futex operations */
    .globl raw_cmpxchg_user
raw_cmpxchg_user:
    mov (%rsi), %eax
12: lock cmpxchg %edx, (%rdi)
    sete %dl
    mov %eax, (%rsi)
    movzbl %dl, %eax
    ret
13: movl $1, (%rcx)
    xor %eax, %eax
    ret
    ex 12b, 13b
