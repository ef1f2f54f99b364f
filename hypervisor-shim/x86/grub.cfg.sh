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

module() {
    name=$(basename "$1")
    echo "    module2 /boot/guests/$name $name role=kernel name=$name mem=32M vcpus=1 --"
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
