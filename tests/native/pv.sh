#!/bin/sh
# SPDX-License-Identifier: MIT
# pv.sh - the ported kernel on the shim: every usertest from a disk, and from a ramdisk; the network;
# what is written to a disk is there; input on the console.
# shellcheck source=tests/native/lib.sh
. "$srcdir/tests/native/lib.sh"
target=pv
guest --timeout 400 -- 'usertests -t 40'
grep -v '^[0-9]* passed, ' "$work/out"
ok 'usertests on the shim' same "$status" 0
guest --timeout 400 --ramdisk --memory 192 -- 'usertests -t 40; uname -r; ls /dev/vda'
ok 'usertests on the shim, from a ramdisk' out_has ' 0 failed$'
guest --timeout 100 --net --keep "$work/kept" -- 'ping -c 2 10.0.2.2; dd if=/dev/urandom of=/root/f bs=64k count=40; md5sum </root/f; sync'
ok 'ping over the card' out_has '2 packets received'
sum=$(grep ' -$' "$work/out")
guest --timeout 100 --image "$work/kept" -- 'md5sum </root/f'
ok 'what was written is on the disk' out_has "$sum"
finish
