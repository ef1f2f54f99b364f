# SPDX-License-Identifier: MIT
#
# The native kernel on a bare PC. Sourced by guest-port/run, which has set: build, root (the image),
# words (the kernel's command line), memory, ramdisk, extra, net, icount, qemu_more, QEMU.
#
# target_kernel prints the kernel's file; target_command prints the command that boots the machine,
# quoted for eval, without the console: run adds that.
# shellcheck shell=sh disable=SC2154

target_kernel()
{
    echo "$build/guest-port/kernel/kernel.elf"
}

quoted()
{
    for a; do
        printf "'%s' " "$(printf '%s' "$a" | sed "s/'/'\\\\''/g")"
    done
}

target_command()
{
    quoted "$QEMU" -accel tcg -machine q35 -cpu max -m "$memory" -display none -nodefaults \
        -vga std -no-reboot -kernel "$kernel" -append "$words"
    if [ -n "$ramdisk" ]; then
        quoted -initrd "$root"
    else
        quoted -drive "file=$root,if=none,id=root,format=raw" \
            -device virtio-blk-pci,drive=root,disable-legacy=on
    fi
    if [ -n "$extra" ]; then
        quoted -drive "file=$extra,if=none,id=extra,format=raw" \
            -device virtio-blk-pci,drive=extra,disable-legacy=on
    fi
    if [ -n "$net" ]; then
        quoted -netdev user,id=net -device virtio-net-pci,netdev=net,disable-legacy=on
    fi
    if [ -n "$icount" ]; then
        quoted -icount shift=0,sleep=off -rtc base=2024-01-01T00:00:00,clock=vm
    fi
    printf '%s' "$qemu_more"
}
