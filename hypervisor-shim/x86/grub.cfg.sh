#!/bin/sh
# SPDX-License-Identifier: MIT
#
# grub.cfg.sh GUEST... - writes the boot menu of the ISO: one entry for each guest image, by its
# name, and first one that starts them all. Serial line and screen both show it.

cat <<'END'
serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
set timeout=2
set default=0
END

# A guest about disks has one, in memory.
module() {
    name=$(basename "$1")
    disk=
    case $name in
    *-block)
        echo "    module2 /boot/disk.img disk.img role=disk"
        disk=' disk=ram0'
        ;;
    esac
    echo "    module2 /boot/guests/$name $name role=kernel name=$name mem=32M vcpus=1$disk --"
}

entry() {
    title=$1
    shift
    echo "menuentry '$title' {"
    echo "    multiboot2 /boot/shim"
    for g do module "$g"; done
    echo "}"
}

entry 'all example guests' "$@"
for g do entry "$(basename "$g")" "$g"; done
