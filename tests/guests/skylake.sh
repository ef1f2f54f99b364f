#!/bin/sh
# SPDX-License-Identifier: MIT
#
# skylake.sh - the judged images once more, on QEMU's Intel model: other entry instructions
# (SYSENTER), other features, no vendor tolerance for null selectors.
: "${srcdir:=.}" "${builddir:=.}"
bad=0 passed=0 failed=0 skipped=0
for image in ${SKYLAKE_IMAGES:-calls mmu traps events}; do
    out=$("$srcdir/tests/run-guest" shim "$builddir/tests/guests/$image" \
        --cpu Skylake-Client-v3,-smap) || bad=$((bad + 1))
    echo "$out" | grep -v '^TEST .* PASS$' | grep '^TEST\|^not ok'
    # shellcheck disable=SC2046
    set -- $(echo "$out" | tail -n 1 | tr -d ,)
    case $* in
    *passed*failed*skipped*)
        passed=$((passed + $1)) failed=$((failed + $3)) skipped=$((skipped + $5))
        ;;
    *) failed=$((failed + 1)) ;;
    esac
done
[ $bad -gt 0 ] && [ $failed = 0 ] && failed=$bad
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
