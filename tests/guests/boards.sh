#!/bin/sh
# SPDX-License-Identifier: MIT
#
# boards.sh - the same disk on other boards: on an older one, behind a bridge, with short queues of
# chained descriptors and plain notifications; and without the messages that the driver
# needs, which is said and not guessed around. TAP.
image=${builddir:?}/tests/guests/disks
out=$(mktemp) disk=$(mktemp) || exit 1
trap 'rm -f "$out" "$disk"' EXIT
truncate -s 600K "$disk"
n=0

# board WHAT WORDS QEMU-ARGUMENTS...: the machine prints WORDS.
board() {
    what=$1 words=$2
    shift 2
    timeout 100 "${QEMU:-qemu-system-x86_64}" -accel tcg,thread=single -nodefaults -display none -no-reboot \
        -serial stdio -cpu max,-smap -device isa-debug-exit,iobase=0xf4,iosize=4 \
        -drive "if=none,id=d0,format=raw,file=$disk" -kernel "$builddir/hypervisor-shim/shim" \
        -initrd "$image role=kernel mem=32M disk=vda -- fill=B" "$@" </dev/null >"$out" 2>&1
    n=$((n + 1))
    if grep -q "$words" "$out"; then
        echo "ok $n - $what"
    else
        echo "not ok $n - $what"
        tail -n 10 "$out" | sed 's/^/# /'
    fi
}
works='xvda: 1200 sectors of 512, filled, 0 failed, 0 bytes are not B, flush 0'

board 'i440FX, a device that also speaks the older dialect' "$works" -m 256M -machine pc \
    -device virtio-blk-pci,drive=d0
board 'behind a bridge' "$works" -m 256M -machine q35 -device pcie-root-port,id=bridge,chassis=1 \
    -device virtio-blk-pci,bus=bridge,drive=d0
board 'chains in 16 slots, every notification' "$works" -m 256M -machine q35 \
    -device virtio-blk-pci,disable-legacy=on,drive=d0,indirect_desc=off,event_idx=off,queue-size=16
board 'no message for its queue' 'vda (pci 00:01.0) is not used: it has too few messages' -m 256M \
    -machine q35 -device virtio-blk-pci,drive=d0,vectors=1
board 'no messages at all' 'pci 00:01.0: no MSI-X' -m 256M -machine q35 \
    -device virtio-blk-pci,drive=d0,vectors=0
echo "1..$n"
