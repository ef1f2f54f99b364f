#!/bin/sh
# SPDX-License-Identifier: MIT
#
# pv-lint: every instruction that a kernel must give up is found, in assembly, in inline assembly
# and in a linked image; habits with page tables are; ordinary code is not; excuses hold where
# they stand and nowhere else; odd input is survived. TAP.
cd "${srcdir:?}" || exit 1
top=$PWD
lint=$top/scripts/pv-lint
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
. "$top/tests/tap.sh"

# found NAME EXPECTED [WHAT] <TEXT - the findings of one file, as "LINE RULE" words.
found() {
    rm -rf t && mkdir t
    cat >"t/$1"
    "$lint" t >out 2>err
    rc=$?
    got=$(sed -n 's/^[^ :]*:\([0-9]*\): \([a-z0-9-]*\)\( (fails silently)\)\{0,1\}: .*/\1 \2/p' out | tr '\n' ',')
    got=${got%,}
    case $2 in '') want=0 ;; *) want=1 ;; esac
    [ $rc = $want ] && [ "$got" = "$2" ] && [ ! -s err ]
    verdict "${3-$1}"
    [ "$got" = "$2" ] || echo "# found: $got"
}

# Every rule with an instruction that breaks it; ! marks those that fail silently.
cat >all <<'E'
cr0 mov %cr0, %rax
cr0 mov %rax, %cr0
cr2 mov %cr2, %rax
cr3 mov %rbx, %cr3
cr4 mov %cr4, %rcx
cr8 mov %rax, %cr8
debug-register mov %rax, %db7
lgdt lgdt (%rax)
lidt lidt (%rax)
lldt lldt %ax
ltr ltr %ax
cli cli
sti sti
!pushf pushfq
!popf popfq
!sgdt sgdt (%rax)
!sidt sidt (%rax)
!sldt sldt %ax
!str str %ax
!smsw smsw %ax
!lar lar %ax, %bx
!lsl lsl %ax, %bx
!verr verr %ax
!verw verw %ax
!read-cs mov %cs, %ax
!cpuid cpuid
clts clts
lmsw lmsw %ax
swapgs swapgs
wbinvd wbinvd
wbinvd invd
xsetbv xsetbv
port-io in $0x80, %al
port-io inl %dx, %eax
port-io out %al, %dx
port-io outw %ax, $0x10
port-io rep insb
port-io rep outsl
hlt hlt
mwait monitor
mwait mwait
invlpg invlpg (%rax)
invpcid invpcid (%rax), %rbx
rdmsr rdmsr
wrmsr wrmsr
rdpmc rdpmc
iret iretq
sysret sysretq
sysret sysexit
E
words=$(awk '{ sub(/^!/, "", $1); printf "%s%d %s", c, NR, $1; c = "," }' all)
sed 's/^[^ ]* /        /' all >all.S
found all.S "$words" 'every instruction, in assembly' <all.S
grep -c 'fails silently)' out | grep -qx "$(grep -c '^!' all)"
verdict 'those that fail silently are marked, and no others'
sed 's/^[^ ]* \(.*\)/\1/; s/%/%%/g; s/.*/__asm__ volatile("&" ::: "memory");/' all >all.c
found all.c "$words" 'every instruction, in inline assembly' <all.c
{ echo '.globl _start'; echo '_start:'; cat all.S; } >image.S
if ${CC:-cc} -c -g -o image.o image.S 2>err && ld -o image image.o 2>>err; then
    "$lint" --json image >out 2>>err
    sed -n 's/.*"rule": "\([a-z0-9-]*\)".*/\1/p' out | sort >got
    sed 's/^!//; s/ .*//' all | sort | diff - got >>err
    verdict 'every instruction, in a linked image'
    grep -q '"file": ".*image.S", "line": 3, "rule": "cr0"' out && grep -q "\"silent\": $(grep -c '^!' all)," out
    verdict 'an image names the source line'
    strip -o bare image && "$lint" bare >out 2>err
    [ $? = 1 ] && grep -q '^bare: cr0: mov %cr0,%rax (at 0x401000' out
    verdict 'an image without debug information names addresses'
else
    false
    verdict 'the image links'
fi
"$lint" --rules >rules
sed 's/^!//; s/ .*//' all | sort -u >tested
grep -v '^pte-' rules | sed 's/ .*//' | sort | diff - tested >out
verdict 'every rule about instructions is tested here'
grep -o 'pv_[a-z0-9_]*()' rules | sort -u | tr -d '()' | while read -r call; do
    cat "$top"/include/pv/*.h | grep -qE "[ *]$call\(" || echo "$call"
done >out
[ ! -s out ] && [ "$(grep -c 'pv_[a-z_]*()' rules)" = "$(grep -c . rules)" ]
verdict 'every replacement is a call of libpv'

# -- assembly -----------------------------------------------------------------------
found more.S '2 cli,3 cli,3 hlt,5 sti,7 cr3,10 hlt' <<'E'
/* cli */  # sti
a:      b: lock cli
        cli; hlt; nop // wbinvd
#define BODY(x) nop; \
        sti
        .ascii "cli; hlt"
        MOVQ %RAX, %CR3
        mov %ds, %ax
        call invlpg
4:      hlt
E
found intel.nasm '1 cr0,2 port-io,3 read-cs,5 lidt' <<'E'
  mov eax, cr0 ; cli
  in al, dx
  mov ax, cs
  mov cr, ds
  lidt [idtr]
E
found fine.S '' 'assembly without findings' <<'E'
        mov 8(%rsp), %rax
        mov %rax, cr0_copy
        str_copy: ret
        call in
        jmp out
        .globl cli
        syscall
        rdtsc
        mov %es, %ax
E

# -- C ------------------------------------------------------------------------------
found asm.c '3 cr3,9 pushf,10 cli,14 hlt' <<'E'
static inline void flush(void)
{
    __asm__ volatile("mov %%cr3, %%rax\n\t" /* cli */
                     "nop" ::: "rax");
}
static long save(void)
{
    long f;
    asm volatile ("pushfq; popq %0\n"
        "cli" : "=r"(f) : "i"("hlt") : "memory");
    puts("asm(\"cli\")"); // asm("cli")
    return f;
}
void stop(void) { asm("hl" "t"); }
E
found tables.c '3 pte-store,4 pte-store,5 pte-store,6 pte-store,7 pte-store,8 pte-store,9 pte-phys,10 pte-decode,11 pte-store,13 pte-store,14 pte-store,15 pte-decode' <<'E'
void f(pte_t *slot, u64 *pml4, u64 *pte)
{
    *pte = 0;
    pml4[511] = e;
    *pte |= 2;
    slot->bits = 1;
    *(volatile u64 *)&slot->bits = 1;
    WRITE_ONCE(*pte, 0);
    map(virt_to_phys(page) | PTE_PRESENT | PTE_W);
    frame = (pte_of(va) & ~0xfff) >> 12;
    if (x) kernel_l4[0] = 0;
}
#define set_pte(pte, v) (*(pte) = (v))
static inline void store(u64 *slot, u64 v) { *(volatile u64 *)slot = v; }
static inline u64 frame(u64 v) { return (v & ENTRY_FRAME) >> 12; }
E
found fine.c '' 'C without findings' <<'E'
pte_t *pte = walk(va);
static u64 pml4[512] = {0};
void f(pte_t *slot)
{
    if (*slot == 3 || pml4[3] == 4)
        list->next = 0;
    n = count << 12 | 3;
    pte_set(slot, make(frame, PTE_W));
    const char *s = "*pte = 0; mov %cr3, %rax";
    asm volatile("pause; rdtsc; mfence" : "=a"(cli));
}
E

# -- excuses ------------------------------------------------------------------------
found ok.c '4 sti,10 cli' 'a comment excuses its line, or the next; without a reason it does not' <<'E'
void f(void)
{
    asm("cli"); // pv-lint: ok only the native build has this
    asm("sti");
    /* pv-lint: ok a reason */

    asm("sti"); asm("hlt");
    nop();
}
void g(void) { asm("cli"); } /* pv-lint: ok */
E
grep -q '^excused: 2 by .a reason.$' out && grep -q '^excused: 1 by .only the native build has this.$' out
verdict 'excuses are counted'
mkdir -p a/native a/pv && echo 'cli; hlt' | tee a/native/x.S a/pv/y.S >a/z.S
cat >a/.pv-lint <<'E'
# what is fine
native/* : the native half
pv/* hlt,cr3 : a test
E
"$lint" a >out 2>err
[ $? = 1 ] && [ "$(grep -c -- ' -- use' out)" = 3 ] && grep -q '^pv/y.S:1: cli' out &&
    grep -q "^excused: 2 by 'the native half'" out && grep -q "^excused: 1 by 'a test'" out
verdict "the tree's .pv-lint"
echo '* : all of it' >all.allow
"$lint" --allow all.allow a >out 2>err
verdict '--allow'
# A tree that is built in two ways: only what the image was compiled from, with PV defined.
mkdir -p a/build/sub
cat >a/main.c <<'X'
#include "h.h"
#ifdef PV
void _start(void) { asm("nop"); }
#else
void _start(void) { asm("cli"); }
#endif
#if !defined(PV)
void g(void) { asm("sti"); }
#elif OTHER
void g(void) { asm("hlt"); }
#endif
#ifdef OTHER
void h(void) { asm("cld"); asm("clts"); }
#endif
X
echo 'static inline void wait(void) { asm("hlt"); }' >a/h.h
(cd a && ${CC:-cc} -MMD -MF build/sub/main.d -MT main.o -DPV -g -c -o build/main.o main.c && ld -o build/image build/main.o) 2>err
echo 'old.o: z.S' >a/build/old.d
printf 'built build/image\ndefine PV\n' >a/.pv-lint
"$lint" a >out 2>err
[ $? = 1 ] && grep -q '^h.h:1: hlt' out && grep -q '^main.c:10: hlt' out && grep -q '^main.c:13: clts' out &&
    grep -q '^3 findings, 0 of which fail silently, in 2 source files; 3 files are not part' out
verdict 'only what was built'

# -- odd input ----------------------------------------------------------------------
refuse() { # WORDS WHAT ARGUMENTS...
    words=$1 what=$2
    shift 2
    "$lint" "$@" >out 2>err </dev/null
    rc=$?
    [ $rc = 2 ] && [ ! -s out ] && grep -q "$words" err
    verdict "refused: $what"
}
refuse 'no such tree' 'what is not there' nowhere
refuse 'neither a tree nor an ELF image' 'a text' all
refuse 'neither a directory nor a file' 'a device' /dev/null
refuse 'TREE|IMAGE' 'nothing at all'
refuse 'TREE|IMAGE' 'two of them' t a
refuse 'Unknown option: nope' 'an unknown option' --nope t
mkdir empty && refuse 'has no C or assembly' 'a tree without sources' empty
printf '\177ELF and no more' >notelf && refuse 'not an ELF image for x86-64' 'a damaged image' notelf
head -c 2000 image >cut && refuse 'not an ELF image for x86-64' 'an image that is cut' cut
allow() { # WORDS TEXT
    printf '%s\n' "$2" >bad
    refuse "$1" "allow: $2" --allow bad a
}
allow 'bad:1: a reason is wanted' '*.c'
allow 'bad:1: a reason is wanted' '*.c : '
allow "bad:1: there is no rule 'nope'" '*.c nope : x'
allow "bad:1: 'b' is too much" '*.c cli b : x'
allow 'there is no such image; build it' 'built nowhere'
allow 'has no debug information' 'built ../bare'
allow 'no depfiles' 'built ../image'
refuse 'cannot be read' 'an allow file that is not there' --allow gone a

rm -rf odd && mkdir odd
head -c 200000 /dev/urandom >odd/random.c
head -c 200000 /dev/urandom >odd/random.S
head -c 3000000 /dev/zero | tr '\0' 'a' >odd/wide.c
awk 'BEGIN { for (i = 0; i < 200000; i++) printf "pte | phys << ( \" " }' >odd/wide2.c
awk 'BEGIN { for (i = 0; i < 100000; i++) printf "asm(\"" }' >odd/open.c
printf 'asm("c\0li");\0' >odd/nul.c
printf 'cl\0i\r\nhlt' >odd/nul.S
: >odd/none.c
ln -s loop.c odd/loop.c
ln -s . odd/circle
ln -s /dev/zero odd/zero.c
mkfifo odd/fifo.c
mkdir odd/dir.c
printf 'asm("hlt");' >"$(printf 'odd/new\nline "name".c')"
timeout 60 "$lint" --json odd >out 2>err
rc=$?
[ $rc = 1 ] && [ ! -s err ] && grep -q '"nul.c", "line": 1, "rule": "cli"' out && grep -q '"nul.S", "line": 1, "rule": "cli"' out &&
    grep -q '"new\\u000aline \\"name\\".c", "line": 1, "rule": "hlt"' out
verdict 'random bytes, NULs, long lines, odd names'
[ "$(grep -cE '"(loop|zero|fifo).c", "line": 0, "rule": "unreadable"' out)" = 3 ]
verdict 'what cannot be read is a finding'

# -- this tree ----------------------------------------------------------------------
echo 'template-kernel/native/* : the machine with its hardware' >native.allow
cd "$top" || exit 1
"$lint" guest-port/kernel >"$work/out" 2>"$work/err"
[ $? = 1 ] && grep -q '^arch/boot.S:[0-9]*: lgdt' "$work/out" && grep -q '^arch/[a-z]*.[ch]:[0-9]*: pte-store' "$work/out"
verdict 'the native kernel has much to give up'
grep -qE '^(fs|proc|tty|net|mm|block)/.*: pte-' "$work/out"
[ $? = 1 ]
verdict 'and nothing outside of its arch directory looks like page tables'
"$lint" --allow "$work/native.allow" examples >"$work/out" 2>"$work/err"
verdict 'the examples are clean, but for the template'"'"'s native half'
for image in "${builddir:?}"/examples/0*; do
    [ -x "$image" ] && [ -f "$image" ] || continue
    "$lint" "$image" >"$work/out" 2>"$work/err"
    verdict "$(basename "$image") is clean when linked"
done
pv=$builddir/guest-port
if [ -f "$pv/pv/kernel.elf" ]; then
    "$lint" "$pv/pv-tree" >"$work/out" 2>"$work/err"
    verdict 'the ported kernel: nothing to give up in what the PV build compiles'
    "$lint" "$pv/pv/kernel.elf" >"$work/out" 2>"$work/err"
    verdict 'nor in what it links'
fi
echo "1..$n"
