#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guests on real Xen beside a dom0: their lines alone on stdout, none lost, their ends as the exit
# status, input, several guests that talk to each other. TAP.
pvctl=${PVCTL:?} built=${builddir:?}
if [ ! -s "${PVCTL_DOM0:=$built/dom0}/dom0.cpio" ]; then
    echo "1..0 # SKIP no dom0; ./quickstart build makes it"
    exit 0
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
. "${srcdir:?}/tests/tap.sh"
run() { "$pvctl" run --on xen --machine "domu-$$" --timeout 180 "$@" >out 2>err </dev/null; }

run --as domu --kernel "$built/tests/guests/rogue" --cmdline mode=console-flood --vcpus 2 --console line
verdict 'a guest that powers off is status 0'
[ "$(grep -c '^flood [0-9]*: the quick brown fox jumps over the lazy dog$' out)" = 300 ] && [ ! -s err ]
verdict 'all its lines arrive, and nothing else does'
grep -q '^(XEN) ' line && grep -q '^@@ done' line &&
    [ "$(grep -c '^flood [0-9]*: the quick brown fox jumps over the lazy dog$' line)" = 300 ]
verdict 'Xen, dom0 and the guest are in --console, each line whole'

run --as domu --kernel "$built/tests/guests/rogue" --cmdline mode=jump
[ $? = 3 ] && grep -q '(XEN) domain_crash' err && grep -q 'guest rogue crashed' err
verdict 'a guest that Xen kills is status 3, and its lines are shown'

# The note of PV_NEEDS and the number of guests choose dom0; both configurations talk.
run "$built/examples/05-ring.json" && grep -q '^front: 1001 answers, 1001 of them right$' out && [ ! -s err ]
verdict 'two guests with grants and events between them'

run --kernel "$built/tests/guests/netload" --cmdline role=sink --net switch \
    --kernel "$built/tests/guests/netload" --cmdline role=source --net switch &&
    grep -q '^sink: 2560 packets, 0 of them wrong' out && grep -q '^(d2) source: 2560 packets.* 0 lost' out && [ ! -s err ]
verdict 'two guests on the bridge, the lines of both, and both power off'

# shellcheck disable=SC2094
echo=$built/tests/guests/echo
: >out
{
    i=0
    until grep -q listening out || [ $((i += 1)) -gt 600 ]; do sleep 0.2; done
    printf 'one\nquit\n'
    sleep 1
} | "$pvctl" run --on xen --as domu --machine "domu-$$" --timeout 180 --kernel "$echo" --cmdline left >out 2>err &&
    grep -q 'left: heard one' out
verdict 'what is typed reaches the guest'

run --kernel "$built/examples/09-net" --net switch --console line && grep -q '^1 pages served' out &&
    grep -q '^a page of [1-9][0-9]* bytes from 10.0.2' line
verdict 'a guest on the bridge gets an address and serves its page to dom0'

truncate -s 4M disk && head -c 1M /dev/zero | tr '\0' x | dd of=disk bs=1M seek=1 conv=notrunc 2>err && cp disk before
run --kernel "$built/examples/08-block" --disk disk,slice=4096+2048 &&
    grep -q '^xvda: 2048 sectors, read and write$' out && grep -q 'read back: the same$' out && cmp disk before >err
verdict 'a slice of a disk, by blkback'
echo "1..$n"
