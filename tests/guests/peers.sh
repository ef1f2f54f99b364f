#!/bin/sh
# SPDX-License-Identifier: MIT
#
# peers.sh - two guests that share pages and events (peers.c), and sixty-four side by side.
: "${PVCTL:=tools/pvctl/pvctl}" "${builddir:=.}"
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT

image=$builddir/tests/guests/peers
"$PVCTL" run --on shim --quiet --machine "peers-$$" --timeout 100 \
    --kernel "$image" --name a --cmdline 'role=a peer=2' \
    --kernel "$image" --name b --cmdline 'role=b peer=1' >"$out" 2>&1 </dev/null
rc=$?
# Lines of all guests but the first carry their name.
sed 's/^([^)]*) //' "$out" | awk -v rc=$rc '
/^TEST / { n++; print ($3 == "FAIL" ? "not ok" : "ok") " - " $2 ($3 == "FAIL" ? ": " $0 : "") }
!/^TEST / { rest = rest "# " $0 "\n" }
END { if (rc || n != 14) printf "not ok - peers: status %d, %d verdicts of 14\n%s", rc, n, rest }'

set --
for n in $(seq 64); do
    set -- "$@" --kernel "$builddir/tests/guests/smoke" --mem 12M --cmdline "guest $n"
done
"$PVCTL" run --on shim --quiet --machine "many-$$" --memory 2G --timeout 100 "$@" >"$out" 2>&1 </dev/null
rc=$?
done=$(grep -c 'smoke: done$' "$out")
if [ $rc = 0 ] && [ "$done" = 64 ]; then
    echo "ok - 64 guests side by side"
else
    echo "not ok - 64 guests side by side: status $rc, $done came to their end"
    tail -n 5 "$out" | sed 's/^/# /'
fi
