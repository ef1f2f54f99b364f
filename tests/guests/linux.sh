#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Debian's Linux as a guest, with one and two vCPUs: it boots, runs processes, copies and compares
# files on an ext2 disk, sleeps and powers off, and finds nothing to complain about. On real Xen
# (PEER=xen) the same files run as Xen's only domain, without a disk. TAP.
pvctl=${PVCTL:?} built=${builddir:?} source=${srcdir:?} peer=${PEER:-shim}
host=${PVCTL_DOM0:-$built/dom0}
if [ ! -s "$host/vmlinuz" ]; then
    echo "1..0 # SKIP no Linux; ./quickstart build unpacks Debian's"
    exit 0
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
. "${srcdir:?}/tests/tap.sh"
sh "$source/tests/linux/image" "$work" "$host" || exit 1

linux() { # ARGUMENTS of pvctl
    "$pvctl" run --on "$peer" --quiet --machine "linux-$$" --kernel "$work/vmlinuz" --ramdisk "$work/initramfs" \
        --timeout 280 "$@" >"$work/out" 2>"$work/err" </dev/null
}
said() { grep -q "^linux: $1" "$work/out"; }

for cpus in 1 2; do
    if [ "$peer" = xen ]; then
        linux --vcpus $cpus --mem 256M --cmdline 'console=hvc0 short'
        verdict "with $cpus vCPUs it boots as Xen's only domain and powers off"
        said 'processes ok'
        verdict 'its processes run'
        said 'no complaints: ok' && no_complaint
        verdict 'and it complains about nothing'
        continue
    fi
    rm -f "$work/disk" && truncate -s 96M "$work/disk" && mke2fs -q -t ext2 "$work/disk"
    linux --vcpus $cpus --disk "$work/disk"
    verdict "with $cpus vCPUs it boots and powers off"
    said ".* with $cpus CPUs" && said 'processes ok' && said 'sleep ok' && said 'mount ok' &&
        said '32 MiB of files copied and compared, .*: ok' && said 'unmount ok'
    verdict 'its processes, its sleep, and 32 MiB of files on its disk'
    said 'no complaints: ok' && no_complaint
    verdict 'and it complains about nothing'
    e2fsck -fn "$work/disk" >"$work/fsck" 2>&1
    verdict 'what it left on the disk is a good file system'
done
echo "1..$n"
