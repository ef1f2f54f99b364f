# SPDX-License-Identifier: MIT
#
# What the targets pv and xen share. No target of its own.
# shellcheck shell=sh disable=SC2034,SC2154

console=""

target_kernel()
{
    echo "$build/guest-port/pv/kernel.elf"
}

quoted()
{
    for a; do
        printf "'%s' " "$(printf '%s' "$a" | sed "s/'/'\\\\''/g")"
    done
}

# pvctl gives the machine room for the guest, the hypervisor and, on Xen, a dom0.
target_command()
{
    quoted "$build/tools/pvctl/pvctl" run --on "$peer" --quiet --machine "run-$$" \
        --timeout "${limit:-7200}"
    if [ "$peer" = xen ] && [ -n "$GUEST_XEN_ARGS" ]; then quoted --hv-args "$GUEST_XEN_ARGS"; fi
    if [ -n "$icount" ]; then quoted --icount; fi
    quoted --kernel "$kernel" --mem "${memory}M" --cmdline "$words"
    if [ -n "$ramdisk" ]; then quoted --ramdisk "$root"; else quoted --disk "$root"; fi
    if [ -n "$extra" ]; then quoted --disk "$extra"; fi
    if [ -n "$net" ]; then quoted --net user; fi
}
