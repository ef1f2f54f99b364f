#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A kernel may be linked anywhere that the ABI allows: 04-events with libpv-small.a at the bottom
# of memory, in the middle, right below and right above the hypervisor's range, at the top; and with
# libpv.a in the top 2 GiB. Each boots and says the same. TAP. ADDRESSES_PEER: shim (default) or xen.
: "${srcdir:?}" "${builddir:?}" "${CC:=gcc}"
peer=${ADDRESSES_PEER:-shim}
pvctl=${PVCTL:-$builddir/tools/pvctl/pvctl}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
n=0 status=0
var() { # NAME: of the pkg-config file
    sed -n "s/^$1=//p" "$builddir/libpv/libpv.pc" |
        sed "s|\${freestanding_cflags}|$(sed -n 's/^freestanding_cflags=//p' "$builddir/libpv/libpv.pc")|
             s|\${ldscript}|$srcdir/libpv/pv.ld|"
}
try() { # LIBRARY MODEL ADDRESS
    n=$((n + 1))
    # shellcheck disable=SC2046
    if $CC $(var "$2_cflags") -O2 -I"$srcdir/include" $(var "$2_ldflags") \
        -Wl,--defsym=pv_virt_base="$3" -o "$work/kernel" "$srcdir/examples/04-events.c" \
        "$builddir/libpv/$1.a" >"$work/log" 2>&1 &&
        "$pvctl" run --on "$peer" --quiet --machine "address-$$" --kernel "$work/kernel" \
            --timeout 120 >"$work/log" 2>&1 </dev/null &&
        grep -q '^blocked until the timer' "$work/log"; then
        echo "ok $n - $1 at $3 on $peer"
    else
        echo "not ok $n - $1 at $3 on $peer"
        tail -n 20 "$work/log" | sed 's/^/# /'
        status=1
    fi
}
try libpv kernel 0xffffffff80000000
try libpv kernel 0xffffffffc0000000
try libpv-small small 0xffffffff80000000
try libpv-small small 0
try libpv-small small 0x40000000
try libpv-small small 0x7fff00000000
try libpv-small small 0xffff880000000000
try libpv-small small 0xffffc00000000000
echo "1..$n"
exit $status
