#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The demo: two ported Unixes, a page between them, and the table of what the port touched. TAP.
[ -f "${builddir:?}/guest-port/disk.img" ] || {
    echo '1..0 # SKIP no root image (musl-tools, busybox-static, e2fsprogs?)'
    exit 0
}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
. "${srcdir:?}/tests/tap.sh"
DEMO_TIMEOUT=300 "${srcdir:?}/guest-port/demo" "$builddir" >"$work/out" 2>"$work/err"
verdict 'it ends well'
grep -q '^  server: serves 1000000 bytes' "$work/out" && grep -q '^  client: the hash is right$' "$work/out"
verdict 'the page arrives whole'
awk '$1 == "server" && $2 > 0 && $4 > 0 && $5 > 0 && $6 > 100 && $8 > 100 { s = 1 }
    $1 == "client" && $2 > 0 && $4 > 0 && $5 > 0 && $6 > 100 && $8 > 100 { c = 1 } END { exit !(s && c) }' "$work/out"
verdict 'what each guest took: time, pages, disk requests, packets'
grep -q '^Total  *[0-9]* *2995 *4620$' "$work/out" && grep -q '^Beside it: libpv, [0-9]* lines' "$work/out"
verdict "what the port touched, beside the lecture's table"
echo "1..$n"
