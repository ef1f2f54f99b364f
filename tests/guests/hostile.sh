#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guests that misbehave (hostile.c): each is killed or refused, alone and with a reason, and
# its neighbour, which keeps time, notices nothing. TAP.
pvctl=${PVCTL:?} hostile=${builddir:?}/tests/guests/hostile neighbour=$builddir/examples/06-time
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
n=0
"$pvctl" run --quiet --machine "alone-$$" --timeout 60 --kernel "$neighbour" >alone 2>err </dev/null

# misbehave HOW STATUS REASON... - REASONs are rules that must be named, or lines that it prints.
misbehave() {
    how=$1 wanted=$2 limit=60 problem=
    shift 2
    [ "$wanted" = 124 ] && limit=5
    "$pvctl" run --machine "hostile-$$" --timeout $limit --kernel "$neighbour" \
        --kernel "$hostile" --name bad --cmdline "do=$how" >out 2>err </dev/null
    rc=$?
    case " $wanted " in *" $rc "*) ;; *) problem="status $rc instead of $wanted; " ;; esac
    grep -v '^(d2) ' out | cmp -s alone - || problem="${problem}its neighbour noticed; "
    for reason; do
        grep -q -- "$reason" out err || problem="${problem}no $reason; "
    done
    n=$((n + 1))
    if [ -z "$problem" ]; then
        echo "ok $n - $how"
    else
        echo "not ok $n - $how: $problem"
        sed 's/^/# /' out err | cut -c1-300 | tail -n 25
    fi
}

misbehave jump 3 TRAP_UNHANDLED 'guest bad crashed: '
misbehave fault-in-fault 3 BOUNCE_STACK 'guest bad crashed: '
misbehave exhaust-stack 3 BOUNCE_STACK
misbehave no-stack 3 BOUNCE_STACK
misbehave hypervisor-stack 3 BOUNCE_STACK
misbehave bad-iret 3 IRET_FRAME
misbehave privileged 3 TRAP_UNHANDLED
misbehave read-hypervisor 3 TRAP_UNHANDLED
misbehave write-m2p 3 TRAP_UNHANDLED
misbehave loop 124 'time limit'
misbehave crash 3 'guest bad crashed'
misbehave reboot 3 'asked for a reboot'
misbehave pin-garbage 0 'pin L4 -22' 'pin nothing -22' 'unpin -22' 'survived' 'refused PIN_FRAME'
misbehave addresses 0 'multicall -14 memory_op 0 event_channel_op -14 map -22' survived 'refused GUEST_POINTER'
misbehave noise '0 3'
misbehave flood 0 '^(d2) 1999: ' survived
echo "1..$n"
