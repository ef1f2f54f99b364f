#!/bin/sh
# SPDX-License-Identifier: MIT
# pv.sh - the ported kernel on the shim: every usertest from a disk with swap, and from a ramdisk; the
# network; what is written to a disk is there.
# shellcheck source=tests/native/lib.sh
. "$srcdir/tests/native/lib.sh"
target=pv
guest --timeout 400 -- 'usertests -t 40'
grep -v '^[0-9]* passed, ' "$work/out"
ok 'usertests on the shim' same "$status" 0
guest --timeout 400 --ramdisk --memory 192 -- 'usertests -t 40; uname -r; ls /dev/vda'
ok 'usertests on the shim, from a ramdisk' out_has ' 0 failed$'
guest --timeout 200 --net --keep "$work/kept" -- '
    for i in 1 2 3 4 5 6 7 8 9; do ifconfig eth0 | grep -q 10.0.2.15 && break; sleep 3; done
    ping -c 2 10.0.2.2; dd if=/dev/urandom of=/root/f bs=64k count=40; md5sum </root/f; sync'
ok 'the network and the disk' same "$status" 0
ok 'ping over the card' out_has '2 packets received'
sum=$(grep '^[0-9a-f]\{32\}  -$' "$work/out") || sum='no sum'
PATH=$PATH:/sbin:/usr/sbin debugfs -R "dump /root/f $work/f" "$work/kept?offset=1048576" 2>/dev/null
ok 'what was written is on the disk' same "$(md5sum <"$work/f")" "$sum"
finish
