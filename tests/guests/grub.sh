#!/bin/sh
# SPDX-License-Identifier: MIT
#
# GRUB's PV image from Debian: it lists and reads an ext2 disk that it did not make, and halts. TAP.
pvctl=${PVCTL:?} peer=${PEER:-shim}
if ! [ -d /usr/lib/grub/x86_64-xen ]; then
    echo "1..0 # SKIP no GRUB for Xen: install grub-xen-bin"
    exit 0
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
. "${srcdir:?}/tests/tap.sh"
[ "$peer" = xen ] && set -- --as domu
how=$*
# shellcheck disable=SC2086
run() { "$pvctl" run --on "$peer" $how --machine "grub-$$" --timeout 240 "$@" >out 2>err </dev/null; }

mkdir some && head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n' >some/word && echo >>some/word
mke2fs -q -t ext2 -d some disk 8M 2>/dev/null
printf 'ls (xen/xvda)/\ncat (xen/xvda)/word\nhalt\n' >cfg
grub-mkimage -O x86_64-xen -c cfg -o grub -p / echo halt normal ls cat ext2 part_msdos
cp disk before

run --kernel grub --disk disk
verdict 'GRUB boots and halts'
grep -q "$(cat some/word)" out && grep -q 'word' out && grep -q 'lost+found/' out
verdict 'it lists the disk and shows the file'
cmp disk before >err
verdict 'and changes nothing'
if [ "$peer" = xen ]; then # each run there boots a dom0
    echo "1..$n"
    exit 0
fi
run --kernel grub --disk disk,ro && grep -q "$(cat some/word)" out
verdict 'a disk that is read-only will do'
run --kernel grub && ! grep -q "$(cat some/word)" out
verdict 'without a disk it still halts'
echo "1..$n"
