#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What is typed reaches the guest that has the input: the first, until Ctrl-A three times
# gives it to the next. TAP.
pvctl=${PVCTL:?} echo=${builddir:?}/tests/guests/echo
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
. "${srcdir:?}/tests/tap.sh"
# wait_for WORDS: until the guests have printed them.
wait_for() {
    i=0
    until grep -q "$1" out || [ $((i += 1)) -gt 150 ]; do sleep 0.2; done
}
: >out
{
    wait_for 'left: listening'
    printf 'one\n'
    wait_for 'left: heard one'
    wait_for 'right: listening'
    printf '\001\001\001two\n'
    wait_for 'right: heard two'
    printf '\001\001\001three\nquit\n'
    wait_for 'left: heard quit'
    sleep 1
    printf '\001\001\001quit\n'
    wait_for 'right: heard quit'
} | "$pvctl" run --machine "input-$$" --timeout 90 --kernel "$echo" --name left --cmdline left \
    --kernel "$echo" --name right --cmdline right >out 2>err
verdict 'both guests end when they are told to'
grep -q '^left: heard one$' out
verdict 'the first guest has the input at first'
grep -q '^right: heard two$' out && ! grep -q 'left: heard two' out
verdict 'Ctrl-A three times gives it to the other, whose lines are plain now'
grep -q '^left: heard three$' out && ! grep -q 'right: heard three' out
verdict 'and back again'
{ wait_for 'solo: listening'; printf 'quit\n'; wait_for 'solo: heard quit'; } |
    "$pvctl" run --on xen --timeout 120 --kernel "$echo" --cmdline solo >out 2>err
[ $? = 0 ] && grep -q '^solo: heard quit$' out
verdict 'a guest on Xen gets its input too'
echo "1..$n"
