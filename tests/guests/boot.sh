#!/bin/sh
# SPDX-License-Identifier: MIT
#
# boot.sh - the start of day at other addresses, with a ramdisk and a command line: the images of
# boot.c on one hypervisor (PEER). `boot` is at the usual place, `boot-low` in the lower half,
# `boot-p2m` has its p2m at an address of its own and takes its ramdisk by frame.
: "${PVCTL:=tools/pvctl/pvctl}" "${builddir:=.}" "${PEER:=shim}"
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

# 5,000 words that count up: not a whole number of pages.
i=0
while [ $i -lt 5000 ]; do
    printf '%b' "$(printf '\\0%03o\\0%03o\\0000\\0000' $((i & 255)) $((i >> 8)))"
    i=$((i + 1))
done >"$dir/ramdisk"

passed=0 failed=0 skipped=0
for image in boot boot-low boot-p2m; do
    for with in ramdisk none; do
        set -- --kernel "$builddir/tests/guests/$image" --cmdline 'first word=a,b=c;d last'
        [ $with = ramdisk ] && set -- "$@" --ramdisk "$dir/ramdisk"
        "$PVCTL" run --on "$PEER" --quiet --machine "boot-$$" --timeout 60 "$@" \
            >"$dir/out" 2>&1 </dev/null
        rc=$?
        grep '^TEST' "$dir/out" | grep -v ' PASS$' | sed "s/^/$image, $with: /"
        # shellcheck disable=SC2046
        set -- $(grep -E '^[0-9]+ passed, ' "$dir/out" | tail -n 1)
        if [ $rc = 0 ] && [ $# = 6 ]; then
            passed=$((passed + $1)) failed=$((failed + $3)) skipped=$((skipped + $5))
        else
            echo "$image, $with: status $rc, no count"
            tail -n 8 "$dir/out"
            failed=$((failed + 1))
        fi
    done
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
