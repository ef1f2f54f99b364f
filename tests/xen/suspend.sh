#!/bin/sh
# SPDX-License-Identifier: MIT
#
# xl save and xl restore on real Xen: a guest of libpv goes into a file and comes out of it as another
# domain, with its memory, page tables, timer, grants, watches and console; then the ported Unix, with
# its disk. TAP.
pvctl=${PVCTL:?} built=${builddir:?}
if [ ! -s "${PVCTL_DOM0:=$built/dom0}/dom0.cpio" ]; then
    echo "1..0 # SKIP no dom0; ./quickstart build makes it"
    exit 0
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
. "${srcdir:?}/tests/tap.sh"

"$pvctl" run --on xen --as domu --machine "suspend-$$" --timeout 180 --console line \
    --kernel "$built/tests/guests/sleeper" --cmdline saved-by-host >out 2>err </dev/null
verdict 'the guest ends well'
grep -q '^awake: 0$' out && grep -q '^guest 1 is restored' line
verdict 'it was saved, and woke up in a new domain'
[ "$(grep -c ': yes$' out)" = 9 ] && ! grep ': NO$' out >>err && grep -q '^done$' out
verdict 'it finds all as it should be'

"${srcdir:?}/guest-port/run" xen --verbose --timeout 240 --memory 64 --append saved-by-host -- '
    (while sleep 0.1; do :; done) & child=$!
    dd if=/dev/urandom of=/root/big bs=1M count=8 2>/dev/null; sum=$(md5sum </root/big); date=$(date +%s)
    echo "save me"
    until dmesg | grep -q "saved and restored"; do sleep 0.2; done
    [ "$(md5sum </root/big)" = "$sum" ] && echo "the file is the same"
    sync; echo 3 >/proc/sys/vm/drop_caches; [ "$(md5sum </root/big)" = "$sum" ] && echo "so it is on the disk"
    kill $child && echo "the process lives"
    [ $(($(date +%s) - date)) -lt 240 ] && sh -c "echo a new process runs"' >out 2>err </dev/null
verdict 'the ported Unix ends well'
grep -q '^saved and restored' out && ! grep -q '^not saved' out
verdict 'it was saved, and woke up in a new domain'
[ "$(grep -c '^the file is the same\|^so it is on the disk\|^the process lives\|^a new process runs' out)" = 4 ]
verdict 'files, disk and processes are as they were'
echo "1..$n"
