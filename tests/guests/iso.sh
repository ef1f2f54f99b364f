#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The ISO boots by BIOS and by UEFI, runs every guest on it, and powers the machine off by itself:
# once by QEMU's exit port, once by ACPI.
iso=${builddir:=.}/hypervisor-shim/shim.iso
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
n=0

ok() {
    n=$((n + 1))
    if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; tail -n 20 "$work/log"; fi
}

# boot WHAT WANTED-STATUS QEMU-ARGUMENTS...
boot() {
    what=$1 want=$2
    shift 2
    timeout 150 "${QEMU:-qemu-system-x86_64}" -accel tcg -machine q35 -cpu max,-smap -m 512 \
        -nographic -no-reboot -cdrom "$iso" "$@" </dev/null >"$work/log" 2>&1
    status=$?
    [ $status = "$want" ]
    ok $? "$what: the machine ends with status $want (it was $status)"
    grep -q 'hello from a paravirtualized kernel' "$work/log"
    ok $? "$what: the first guest speaks"
    grep -q 'ram0: disk in memory, 1024 KiB' "$work/log" &&
        grep -q 'xvda: 2048 sectors, read and write' "$work/log" &&
        grep -q 'written, flushed and read back: the same' "$work/log"
    ok $? "$what: a guest has a disk in memory"
    guests=$(find "$builddir/hypervisor-shim/iso/boot/guests" -type f | wc -l)
    ended=$(grep -c 'powered off' "$work/log")
    [ "$ended" = "$guests" ]
    ok $? "$what: all $guests guests power off"
}

[ -f "$iso" ] || { echo "1..0 # SKIP make iso first"; exit 77; }
boot 'BIOS, exit port' 1 -device isa-debug-exit,iobase=0xf4,iosize=4
boot 'BIOS, ACPI' 0
code=/usr/share/OVMF/OVMF_CODE_4M.fd
if [ -r $code ]; then
    cp /usr/share/OVMF/OVMF_VARS_4M.fd "$work/vars"
    truncate -s 2M "$work/disk"
    boot 'UEFI, ACPI' 0 -drive if=pflash,format=raw,unit=0,readonly=on,file=$code \
        -drive if=pflash,format=raw,unit=1,file="$work/vars" \
        -drive if=none,id=d0,format=raw,file="$work/disk" -device virtio-blk-pci,disable-legacy=on,drive=d0
    grep -q 'vda: virtio disk at pci .*, 2048 KiB' "$work/log"
    ok $? "UEFI: a disk is found where this firmware has put it"
else
    echo "ok $((n + 1)) - UEFI # SKIP no OVMF: install ovmf"
    n=$((n + 1))
fi
echo "1..$n"
