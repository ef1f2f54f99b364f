#!/bin/sh
# SPDX-License-Identifier: MIT
#
# xen.sh - the ported kernel on real Xen beside Debian's dom0, its disk and its swap by blkback, its
# card by netback. By default usertests that need all of these and some of each other kind; with
# WHOLE=yes all of them, and busybox's applets: the verdicts are native's (docs/applets.md).
# shellcheck source=tests/native/lib.sh
. "$srcdir/tests/native/lib.sh"
[ -s "$builddir/dom0/dom0.cpio" ] || {
    echo "1..0 # SKIP no dom0 in $builddir/dom0; ./quickstart build makes it"
    exit 0
}
target=xen
some='fork_cow exec_args vfork_order preempt sig_handler sig_segv mmap_file_shared mmap_shared_fork cow_chain \
    swap_pressure memory_returns big_file sync pipe_big epoll pty_control thread_many futex_shared fpu_switch avx_switch \
    tcp_big udp ping bad_pointers privileged syscall_registers'
limit=400
[ -z "$WHOLE" ] || some='' limit=3600
# -t: what hangs does so for minutes, on a busy host
guest --timeout $limit --net --keep "$work/kept" -- "
    usertests -t 300 $some
    for i in 1 2 3 4 5 6 7 8 9; do ifconfig eth0 | grep -q 10.0.2.15 && break; sleep 3; done
    ping -c 2 10.0.2.2; dd if=/dev/urandom of=/root/f bs=64k count=40; md5sum </root/f; sync"
grep '^not ok' "$work/out" | sed 's/^/# /'
ok 'it runs to its end' same "$status" 0
ok 'usertests' out_has '^[1-9][0-9]* passed, 0 failed$'
ok 'ping over netback' out_has '2 packets received'
sum=$(grep '^[0-9a-f]\{32\}  -$' "$work/out") || sum='no sum'
PATH=$PATH:/sbin:/usr/sbin debugfs -R "dump /root/f $work/f" "$work/kept?offset=1048576" 2>/dev/null
ok 'what was written by blkback is on the disk' same "$(md5sum <"$work/f")" "$sum"
if [ -n "$WHOLE" ]; then
    status=0
    "$srcdir/guest-port/applets" -t xen -c >"$work/out" 2>&1 || status=$?
    cat "$work/out"
    ok "busybox's applets, as in docs/applets.md" same "$status" 0
fi
finish
