#!/bin/sh
# SPDX-License-Identifier: MIT
#
# models.sh - SPIN explores each model: nothing is found wrong with it, and something is with each of
# its mutants, which have one thing left out. TAP; skipped where there is no spin.
src=$(cd "${srcdir:-.}" && pwd)
: "${CC:=cc}"
if ! command -v spin >/dev/null; then
    echo '1..0 # SKIP there is no spin'
    exit 77
fi
work=$(mktemp -d) && cd "$work" || exit 1
trap 'rm -rf "$work"' EXIT
. "$src/tests/tap.sh"

# MODEL, words for the compiler of the model: "errors: N" of a search of all states.
explore() {
    model=$1
    shift
    rm -f pan*
    cpp -P -I"$src" "$@" "$src/tests/models/$model.pml" >model.pml &&
        spin -a model.pml >out 2>&1 &&
        $CC -O0 -w -o pan pan.c >>out 2>&1 || return 1
    # With a property: runs that violate it. Without: ends that are no ends.
    if grep -q '^ltl' model.pml; then set -- -a; else set --; fi
    timeout 300 ./pan -m1000000 "$@" >>out 2>&1
    ! grep -q 'max search depth too small\|out of memory' out && grep -q 'errors: ' out
}
right() { # WHAT MODEL FLAGS...
    what=$1
    shift
    explore "$@" && grep -q 'errors: 0$' out
    verdict "$what"
}
wrong() { # WHAT MODEL FLAGS...
    what=$1
    shift
    explore "$@" && grep -q 'errors: [1-9]' out
    verdict "found out: $what"
}

right 'ring: nobody sleeps while there is something to do' ring
wrong 'the back-end does not look once more' ring -DMUTANT=1
wrong 'no fence after publishing' ring -DMUTANT=2
wrong 'no fence after the wish to be woken' ring -DMUTANT=3
wrong 'a batch that goes beyond the index waited for' ring -DMUTANT=4
wrong 'the front-end does not look once more' ring -DMUTANT=5
right 'xenbus: opens from whatever was left behind' xenbus
right 'xenbus: closes at whatever moment' xenbus -DCLOSING
right 'xenbus: survives a back-end that leaves' xenbus -DLEAVING
wrong 'a new beginning before the old end' xenbus -DMUTANT=1
wrong 'an event acknowledged too late' xenbus -DMUTANT=2
wrong 'somebody else'"'"'s Connected believed' xenbus -DMUTANT=3
echo "1..$n"
