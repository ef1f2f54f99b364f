#!/bin/sh
# SPDX-License-Identifier: MIT
#
# linux-count's method, by a Linux of a few lines with a known answer. TAP.
cd "${srcdir:?}" || exit 1
top=$PWD
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
command -v unifdef >/dev/null || { echo '1..0 # SKIP unifdef is not installed'; exit 0; }
t=linux
mkdir -p $t/arch/x86/xen $t/arch/x86/kvm $t/kernel $t/drivers/xen $t/drivers/net $t/drivers/block $t/mm
printf 'int a;\nint b;\n/* xen */\n' >$t/arch/x86/xen/setup.c
echo 'int hvm;' >$t/arch/x86/xen/enlighten_hvm.c
echo 'int back;' >$t/drivers/xen/xen-pciback.c
printf 'int n;\nint m;\nint o;\n' >$t/drivers/net/xen-netfront.c
echo 'int k;' >$t/drivers/block/xen-blkfront.c
echo 'int xen;' >$t/arch/x86/kvm/xen.c
cat >$t/kernel/main.c <<'E'
/* Doesn't know xen. */
int plain;
#ifdef CONFIG_XEN
int only;
#else
int otherwise;
#endif
int maxentries; /* no Xenix */
void f(void)
{
    if (xen_domain())
        g();
}
E
cat >$t/arch/x86/pv.h <<'E'
#if defined(CONFIG_PARAVIRT_XXL) || defined(CONFIG_SMP)
int both;
#endif
#ifdef CONFIG_PARAVIRT_XXL
int xxl;
#endif
E
printf 'obj-y += a.o\nobj-$(CONFIG_XEN) += b.o\n' >$t/mm/Makefile
find $t -type f -exec cksum {} + | sort >before
LINUX_TREE=$t LINUX_COUNT_OPTIONS=--json "$top/scripts/linux-count" build >out 2>err
rc=$?
. "$top/tests/tap.sh"
[ $rc = 0 ] && [ ! -s err ]
verdict 'it counts'
grep -q '"network": 3, "block": 1' out
verdict 'drivers'
grep -q 'arch/x86/xen/setup.c", "subsystem": "pv", "state": "new", "touched": 2,' out && ! grep -q hvm out && ! grep -q back.c out
verdict "Xen's own files, for PV guests only"
grep -q 'arch/x86/pv.h", "subsystem": "pv", "state": "changed", "touched": 3,' out
verdict 'code that only CONFIG_PARAVIRT_XXL compiles'
# #ifdef CONFIG_XEN, only, #else, #endif; and the line that names xen.
grep -q 'kernel/main.c", "subsystem": "independent", "state": "changed", "touched": 5,' out
verdict 'conditional code, and lines that name xen'
grep -q 'mm/Makefile", "subsystem": "independent", "state": "changed", "touched": 1,' out
verdict 'makefiles'
find $t -type f -exec cksum {} + | sort | cmp -s - before
verdict 'the tree stays as it is'
LINUX_TREE=nowhere "$top/scripts/linux-count" build >out 2>err
[ $? = 2 ] && grep -q '^linux-count: .*nowhere: is no Linux tree' err
verdict 'a tree that is not there'
echo "1..$n"
