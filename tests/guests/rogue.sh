#!/bin/sh
# SPDX-License-Identifier: MIT
#
# rogue.sh - guests that misbehave, each beside a witness that must notice nothing (shim), or alone
# (Xen: PEER=xen).
#
# Each line of the table: how the guest breaks the rules, what becomes of it (killed, with the rule
# in its reason; borne to an ordinary power-off; or either), and the rule.
: "${PVCTL:=tools/pvctl/pvctl}" "${builddir:=.}" "${PEER:=shim}"
image=$builddir/tests/guests/rogue
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT

table='
jump               killed TRAP_UNHANDLED
jump-noncanonical  killed TRAP_UNHANDLED
jump-hypervisor    killed TRAP_UNHANDLED
undefined          killed TRAP_UNHANDLED
stack              killed BOUNCE_STACK
stack-null         killed BOUNCE_STACK
stack-hypervisor   killed BOUNCE_STACK
stack-readonly     killed BOUNCE_STACK
handler-nowhere    killed BOUNCE_STACK
callback-nowhere   killed TRAP_UNHANDLED
iret-null          killed IRET_FRAME
iret-user          killed IRET_NO_USER_ROOT
unmap-code         killed TRAP_UNHANDLED
empty-root         killed -
crash              crash  -
masked-loop        borne  -
pin-garbage        borne  -
bad-addresses      borne  -
random-updates     borne  -
console-flood      borne  -
event-flood        borne  -
give-all-memory    borne  -
fault-storm        borne  -
timer-storm        borne  -
fuzz,seed=1        either -
fuzz,seed=2        either -
fuzz,seed=3        either -
fuzz,seed=9        either -
'

say() { # ok|not ok, mode, why
    echo "$1 - rogue $2${3:+: $3}"
    if [ "$1" = "not ok" ]; then
        sed 's/^/# /' "$out" | tail -n 12
    fi
}

run_shim() {
    "$PVCTL" run --on shim --quiet --machine "rogue-$$" --timeout 60 \
        --kernel "$image" --name witness --mem 32M --cmdline 'mode=witness rounds=20' \
        --kernel "$image" --name rogue --mem 48M --cmdline "mode=$(echo "$1" | tr , ' ')" >"$out" 2>&1 </dev/null
}

run_xen() {
    "$PVCTL" run --on xen --quiet --machine "rogue-$$" --timeout 60 \
        --kernel "$image" --cmdline "mode=$1" >"$out" 2>&1 </dev/null
}

echo "$table" | while read -r mode fate rule; do
    [ -n "$mode" ] || continue
    # Random calls of a privileged domain may do anything to Xen, and rightly.
    [ "$PEER" = xen ] && [ "$fate" = either ] && continue
    [ -z "$ROGUE" ] || [ "$ROGUE" = "$mode" ] || continue
    "run_$PEER" "$mode"
    rc=$?
    want=3
    [ "$fate" = borne ] && want=0
    [ "$fate" = either ] && [ $rc = 0 ] && want=0
    if [ $rc != $want ]; then
        say "not ok" "$mode" "status $rc, wanted $want"
    elif [ "$PEER" = shim ] && ! grep -q 'witness: noticed nothing' "$out"; then
        say "not ok" "$mode" "the witness did not come to its end"
    elif [ "$PEER" = shim ] && [ "$rule" != - ] && ! grep -q "$rule" "$out"; then
        say "not ok" "$mode" "no reason $rule"
    elif [ "$fate" = borne ] && ! grep -q "rogue: $mode done" "$out"; then
        say "not ok" "$mode" "it did not come to its end"
    else
        say ok "$mode" "$fate $rule"
    fi
done
