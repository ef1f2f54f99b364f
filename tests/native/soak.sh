#!/bin/sh
# SPDX-License-Identifier: MIT
# soak.sh - SOAK seconds of everything at once in 48 MiB; then nothing may have leaked, and the file
# system must be clean.
# shellcheck source=tests/native/lib.sh
. "$srcdir/tests/native/lib.sh"
seconds=${SOAK:-20} seed=${SEED:-1}
guest --timeout $((seconds * 3 + 100)) --memory 48 --keep "$work/kept" -- "cd /root && soak -t $seconds -s $seed"
cat "$work/out"
ok "$seconds s of soak: the accounts balance" same "$status" 0
dd if="$work/kept" of="$work/fs" bs=1M skip=1 count=64 status=none conv=sparse
ok 'e2fsck finds the image clean' sh -c 'PATH=$PATH:/sbin:/usr/sbin; e2fsck -fn "$1" >"$2" 2>&1' - "$work/fs" "$work/out"
finish
