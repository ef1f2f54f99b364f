#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The native kernel and disks that go wrong: power cuts, damaged file systems, full disks, failing
# disks, also for swap. Whatever happens, the kernel goes on, programs see errors, and what was
# synced is there after e2fsck. TAP. SEEDS says how often the random ones are tried (default 4).
# shellcheck disable=SC2016  # commands are expanded in the guest
srcdir=${srcdir:?} builddir=${builddir:?}
run="$srcdir/guest-port/run" hurt=$builddir/tests/native/diskhurt
seeds=${SEEDS:-4}
PATH=$PATH:/sbin:/usr/sbin
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
n=0

verdict() # STATUS WHAT [LOG...]
{
    n=$((n + 1))
    if [ "$1" = 0 ]; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2"
        shift 2
        [ $# = 0 ] || sed 's/^/# /' "$@" | cut -c1-200 | tail -n 30
    fi
}

fresh() # FILE MIB [mke2fs options]
{
    f=$1 size=$2
    shift 2
    rm -f "$f"
    mke2fs -q -t ext2 -F "$@" "$f" "${size}M" >mke2fs.log 2>&1
}

guest() # LOG COMMANDS [run options]: on a disk vdb
{
    log=$1 commands=$2
    shift 2
    builddir=$builddir "$run" native --timeout 180 "$@" -- "$commands" >"$log" 2>&1 </dev/null
}

# -- a full disk -------------------------------------------------------------------------
fresh full.img 8 -b 1024
guest full.log '
mount -t ext2 /dev/vdb /mnt || exit 10
echo keep > /mnt/keep; sync
dd if=/dev/zero of=/mnt/fill bs=4k 2>&1 | grep -q "No space" || exit 11
i=0; while mkdir /mnt/d$i 2>/dev/null && [ $i -lt 200 ]; do i=$((i+1)); done
touch /mnt/one-more 2>/dev/null
[ "$(cat /mnt/keep)" = keep ] || exit 12
rm /mnt/fill || exit 13
dd if=/dev/urandom of=/mnt/after bs=64k count=16 2>/dev/null || exit 14
umount /mnt || exit 15' --disk full.img
verdict $? "a full disk gives ENOSPC, and has room again" full.log
e2fsck -fn full.img >fsck.log 2>&1
verdict $? "and its file system is clean" fsck.log

fresh inodes.img 4 -N 64
guest inodes.log '
mount -t ext2 /dev/vdb /mnt || exit 10
i=0; while touch /mnt/f$i; do i=$((i+1)); [ $i -lt 100 ] || exit 11; done 2>/dev/null
rm /mnt/f0 && touch /mnt/again && umount /mnt' --disk inodes.img
verdict $? "no inodes left" inodes.log
e2fsck -fn inodes.img >fsck.log 2>&1
verdict $? "and its file system is clean" fsck.log

# -- a failing disk -------------------------------------------------------------------------
fresh bad.img 8
cat >blkdebug.conf <<'EOF'
[inject-error]
event = "read_aio"
errno = "5"
sector = "9000"
once = "off"

[inject-error]
event = "write_aio"
errno = "5"
sector = "9000"
once = "off"
EOF
guest bad.log '
mount -t ext2 /dev/vdb /mnt || exit 10
dd if=/dev/vdb of=/dev/null bs=512 skip=9000 count=1 2>/dev/null && exit 11
dd if=/dev/vdb of=/dev/null bs=512 skip=100 count=1 2>/dev/null || exit 12
dd if=/dev/zero of=/mnt/all bs=64k count=100 conv=fsync 2>/dev/null && exit 13
cat /mnt/all > /dev/null
echo still > /mnt/here; umount /mnt; mount -t ext2 /dev/vdb /mnt && [ "$(cat /mnt/here)" = still ]' \
    --qemu "-drive 'file=blkdebug:$work/blkdebug.conf:$work/bad.img,if=none,id=bad,format=raw' -device virtio-blk-pci,drive=bad,disable-legacy=on"
verdict $? "a bad sector is an error to those who need it, and to nobody else" bad.log

truncate -s 64M swap.img && mkswap swap.img >mkswap.log 2>&1
guest swap.log '
swapoff /dev/vda2 && swapon /dev/vdb && usertests swap_pressure || exit 10
dmesg | grep -q "error of the disk" || exit 11
dirty=$(sed -n "s/^Dirty: *\([0-9]*\) kB/\1/p" /proc/meminfo)
[ "$dirty" -lt 100000 ] || { echo "$dirty KiB are dirty"; exit 12; }
swapoff /dev/vdb' --memory 64 \
    --qemu "-drive 'file=blkdebug:$work/blkdebug.conf:$work/swap.img,if=none,id=bad,format=raw' -device virtio-blk-pci,drive=bad,disable-legacy=on"
verdict $? "what cannot be swapped out stays in memory" swap.log

# -- a damaged file system ------------------------------------------------------------------
seed=1
while [ $seed -le "$seeds" ]; do
    mkdir -p tree/a/b
    i=0
    while [ $i -lt 40 ]; do
        seq 1 $((i * 40)) >"tree/a/b/f$i"
        ln -sf "f$i" "tree/a/b/a-rather-long-symbolic-link-name-$i"
        i=$((i + 1))
    done
    fresh damaged.img 8 -b 1024 -d tree
    "$hurt" damage damaged.img $seed 60 2 400
    guest damaged.log '
mount -t ext2 /dev/vdb /mnt || { echo "not mounted"; exit 0; }
ls -lR /mnt > /dev/null 2>&1
find /mnt -type f | while read -r f; do timeout 10 head -c 1000000 "$f" > /dev/null 2>&1; done
timeout 20 cp -r /mnt/a /mnt/copy > /dev/null 2>&1
timeout 20 rm -rf /mnt/a > /dev/null 2>&1
timeout 20 dd if=/dev/zero of=/mnt/z bs=64k count=40 2>/dev/null
df /mnt > /dev/null; sync; umount /mnt; echo survived; exit 0' --disk damaged.img
    verdict $? "a damaged file system, seed $seed" damaged.log
    seed=$((seed + 1))
done

# -- power cuts -----------------------------------------------------------------------------
# File k+1 comes into being after file k's fsync returned. So whatever the disk looks like, the
# existence of k+1 promises the contents of k.
fresh cut.img 16 -b 1024
truncate -s 64M log
cp cut.img base.img
guest cut.log '
mount -t ext2 /dev/vdb /mnt || exit 10
k=0
while [ $k -lt 40 ]; do
    seq $k $((k * 50 + 20)) > /mnt/noise; mkdir /mnt/dir$k; mv /mnt/noise /mnt/dir$k/
    [ $k -lt 5 ] || rm -r /mnt/dir$((k - 5))
    seq $k $((k * 37 + 100)) | dd of=/mnt/f$k conv=fsync 2>/dev/null || exit 11
    k=$((k + 1))
done
umount /mnt' \
    --qemu "-drive 'driver=blklogwrites,file.driver=file,file.filename=$work/cut.img,log.driver=file,log.filename=$work/log,log-sector-size=512,if=none,id=cut' -device virtio-blk-pci,drive=cut,disable-legacy=on"
verdict $? "a log of all writes" cut.log
entries=$("$hurt" marks log)
verdict "$([ "${entries:-0}" -gt 100 ] && echo 0 || echo 1)" "it holds $entries of them"

check_cut() # ENTRY SEED
{
    "$hurt" cut log base.img after.img "$1" "$2" || return 1
    e2fsck -fy after.img >fsck.log 2>&1
    [ $? -le 2 ] || return 1
    e2fsck -fn after.img >fsck2.log 2>&1 || return 1
    last=$(debugfs -R 'ls -p /' after.img 2>/dev/null | sed -n 's|^/[0-9]*/[0-7]*/[0-9]*/[0-9]*/f\([0-9]*\)/.*|\1|p' | sort -n | tail -n 1)
    k=0
    while [ $k -lt "${last:-0}" ]; do
        seq $k $((k * 37 + 100)) >want
        debugfs -R "cat /f$k" after.img 2>/dev/null >got
        cmp -s want got || {
            echo "f$k was synced before f$last, and is not as it was" >>fsck.log
            return 1
        }
        k=$((k + 1))
    done
}

i=0 failed=0
while [ $i -lt $((seeds * 6)) ]; do
    at=$(((entries * (i * 7919 % 1000) + 500) / 1000))
    check_cut $at $i || {
        failed=1
        break
    }
    i=$((i + 1))
done
verdict $failed "$i power cuts: e2fsck repairs, and nothing that was synced is lost" fsck.log
echo "1..$n"
