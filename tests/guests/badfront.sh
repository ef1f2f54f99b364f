#!/bin/sh
# SPDX-License-Identifier: MIT
#
# badfront.sh - a front-end that lies to the block back-end (badfront.c), on a virtio disk that it
# shares with one that does not: each lie is refused or harmless, the last one is a death with writes
# under way, and the other front-end and the rest of the disk notice nothing. TAP.
pvctl=${PVCTL:?} image=${builddir:?}/tests/guests/badfront
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export PVCTL_RUN="$work/run"
. "${srcdir:?}/tests/tap.sh"
letters() { head -c $(($1 * 512)) /dev/zero | tr '\000' "$2"; } # SECTORS LETTER

letters 2048 . >disk
"$pvctl" run --keep --machine m --timeout 240 \
    --kernel "$image" --name good --cmdline 'role=good peer=2' --disk disk,slice=64+256 \
    --kernel "$image" --name bad --cmdline 'role=bad peer=1' --disk disk,slice=512+1024 >out 2>err </dev/null
[ $? = 3 ] && grep -q 'guest bad crashed' err && ! grep -q 'guest good' err
verdict 'one of two guests on a disk dies of its own will, after its last lie'
for lie in references frames requests ids changes revocations indices 'ring as a buffer'; do
    grep -q "^(d2) bad: $lie: 0 wrong, 0 afterwards$" out
    verdict "$lie: refused or harmless, and it is served afterwards"
done
"$pvctl" why --machine m bad >why 2>&1 # the last reasons; the first ones are in the log
for rule in GRANT_REF GRANT_TYPE GRANT_DOMAIN GRANT_READONLY GRANT_FRAME GRANT_NOT_WRITABLE BLOCK_OPERATION \
    BLOCK_SEGMENTS BLOCK_SEGMENT BLOCK_RANGE BLOCK_RING; do
    grep -qw "$rule" err why || echo "no $rule" >>missing
done
! cat missing 2>/dev/null
verdict 'each refusal has its rule'
grep -q '^good: outlived the other, 0 requests failed, 0 bytes were wrong$' out
verdict 'the other front-end works on, before, during and after'
{ letters 64 . && letters 256 G && letters 192 .; } | cmp -n $((512 * 512)) - disk >>err &&
    letters 512 . | cmp -i 0:$((1536 * 512)) - disk >>err
verdict 'its slice is as it left it, and what is nobody'"'"'s has not changed'
echo "1..$n"
