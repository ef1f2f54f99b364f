#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh - guest-port/run itself: output, status, time limit, usage, disks, ramdisk; what booting costs.
# shellcheck source=tests/native/lib.sh
. "$srcdir/tests/native/lib.sh"

guest --timeout 60 -- 'uname -s; ls -l /bin | wc -l; echo hello | tr a-z A-Z | sha256sum; ps; free'
ok 'commands end well' same "$status" 0
ok 'uname' out_has '^Linux$'
ok 'sha256sum through a pipe' out_has '^3b09aeb6f5f5336beb205d7f720371bc927cd46c21922e334d47ba264acb5ba4  -$'
ok 'ps shows init' out_has ' init'
ok 'free shows swap' out_has '^Swap:'

guest --timeout 60 -- 'printf "a\\0b\\rc\\nno newline"; exit 7'
ok 'the status of the commands' same "$status" 7
ok 'output byte for byte' same "$(od -An -tx1 <"$work/out" | tr -d ' \n')" \
    6100620d630a6e6f206e65776c696e65

guest --timeout 4 -- 'sleep 100'
ok 'the time limit is 124' same "$status" 124
guest --timeout
ok 'bad usage is 2' same "$status" 2
guest --nonsense -- true
ok 'unknown options are 2' same "$status" 2

truncate -s 1M "$work/extra"
printf 'from the host' | dd of="$work/extra" conv=notrunc status=none
guest --timeout 60 --disk "$work/extra" -- \
    'head -c 13 /dev/vdb; printf "from the guest" | dd of=/dev/vdb bs=512 seek=1 conv=sync 2>/dev/null; sync'
ok 'a second disk is read' same "$(cat "$work/out")" 'from the host'
ok 'and written' same "$(dd if="$work/extra" bs=1 skip=512 count=14 status=none)" 'from the guest'

guest --timeout 60 --ramdisk -- 'grep " / " /proc/mounts; echo x >/root/f && cat /root/f'
ok 'a ramdisk as root' same "$status" 0
ok 'mounted from ram0' out_has 'ram0'

guest --timeout 60 --keep "$work/kept" -- 'dd if=/dev/urandom of=/root/big bs=64k count=40 2>/dev/null; sync; mkdir -p /root/a/b/c; rm -r /root/a'
ok 'a run that writes' same "$status" 0
dd if="$work/kept" of="$work/fs" bs=1M skip=1 count=64 status=none conv=sparse
ok 'e2fsck finds the image clean afterwards' sh -c 'PATH=$PATH:/sbin:/usr/sbin; e2fsck -fn "$1" >"$2" 2>&1' - "$work/fs" "$work/out"

# Counted, where a nanosecond is an instruction; without a disk, whose time is the host's.
guest --timeout 60 --icount --ramdisk --memory 192 -- 'cat /proc/uptime'
took=$(sed -n 's/^\([0-9]*\)\.\([0-9][0-9]\) .*/\1\2/p' "$work/out")
ok "boots to a shell within 50 million instructions" [ "${took:-99}" -le 5 ]
finish
