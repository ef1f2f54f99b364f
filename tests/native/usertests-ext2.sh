#!/bin/sh
# SPDX-License-Identifier: MIT
# usertests-ext2.sh - every usertest on ext2, and the image is clean afterwards.
# shellcheck source=tests/native/lib.sh
. "$srcdir/tests/native/lib.sh"
guest --timeout 400 --keep "$work/kept" -- 'UT_DIR=/root usertests -t 40'
grep -v '^[0-9]* passed, ' "$work/out"
ok 'usertests ends well' same "$status" 0
dd if="$work/kept" of="$work/fs" bs=1M skip=1 count=64 status=none conv=sparse
ok 'e2fsck finds the image clean' sh -c 'PATH=$PATH:/sbin:/usr/sbin; e2fsck -fn "$1" >"$2" 2>&1' - "$work/fs" "$work/out"
finish
