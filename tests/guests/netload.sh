#!/bin/sh
# SPDX-License-Identifier: MIT
#
# netload.sh - packets between guests, to the outside and from it (netload.c): nothing is lost or
# changed, pages are exchanged where that was agreed, and a packet costs no more instructions of
# the shim's than was promised. Under icount, where a tick is an instruction. TAP.
#
# `netload.sh figures` prints the figures instead, one a line, for the benchmark.
pvctl=${PVCTL:?} image=${builddir:?}/tests/guests/netload
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
out=$work/out
. "${srcdir:?}/tests/tap.sh"
run() { "$pvctl" run --icount --machine "netload-$$" --timeout 90 "$@" >"$out" 2>&1 </dev/null; }
# The number before WORDS; so big that no limit holds, if there is none.
number() { sed -n "s/.*[^0-9]\([0-9][0-9]*\) $1.*/\1/p" "$out" | head -n 1 | grep . || echo 999999; }
between() {
    run --kernel "$image" --cmdline role=sink --net switch \
        --kernel "$image" --cmdline role=source --net switch
}
outside() { run --kernel "$image" --cmdline "role=uplink$1" --net user; }

if [ "$1" = figures ]; then
    between
    echo "guest to guest, 1,500-byte frames: $(number 'ticks a packet')"
    outside ''
    echo "to the uplink: $(number 'ticks a packet sent')"
    echo "from the uplink, page exchange: $(number 'more a packet received')"
    outside copy
    echo "from the uplink, into a buffer: $(number 'more a packet received')"
    exit 0
fi

between
verdict 'two guests and 2,560 packets'
grep -q 'sink: 2560 packets, 0 of them wrong' "$out" && grep -q ' 0 lost' "$out"
verdict 'all of them arrive as they were sent'
[ "$(number 'ticks a packet')" -le 1800 ]
verdict "guest to guest: $(number 'ticks a packet') instructions a packet, of at most 1,800"
[ "$(number times)" -le $((2560 / 16)) ]
verdict "the sink was woken $(number times) times, of at most one in 16 packets"
run --kernel "$image" --cmdline role=sink --net switch \
    --kernel "$image" --cmdline role=source --net switch \
    --kernel "$image" --cmdline role=bad --net switch
verdict 'beside a guest that floods, forges addresses and takes nothing'
grep -q 'sink: 2560 packets, 0 of them wrong' "$out" && grep -q ' 0 lost' "$out" &&
    grep -q 'bad: 0 forged packets were taken' "$out"
verdict 'all packets of the others arrive, and no forged one'
outside ''
verdict 'a guest and the outside'
grep -q ' 161 received, 161 of them by exchange' "$out"
verdict 'every packet from there came by page exchange'
[ "$(number 'ticks a packet sent')" -le 1500 ] && [ "$(number 'more a packet received')" -le 1500 ]
verdict "$(number 'ticks a packet sent') instructions out and $(number 'more a packet received') in, of at most 1,500"
outside copy
grep -q ' 161 received, 0 of them by exchange' "$out" && [ "$(number 'more a packet received')" -le 1500 ]
verdict "without exchange they are copied, $(number 'more a packet received') instructions"
echo "1..$n"
