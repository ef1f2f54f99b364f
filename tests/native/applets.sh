#!/bin/sh
# SPDX-License-Identifier: MIT
# applets.sh - busybox's applets, guest against host, with the native kernel and with the ported one on
# the shim: at least 200 work, none fails, and docs/applets.md says what is so. xen.sh has Xen's column.
# shellcheck source=tests/native/lib.sh
. "$srcdir/tests/native/lib.sh"
status=0
"$srcdir/guest-port/applets" -t 'native pv' -c >"$work/out" 2>&1 || status=$?
cat "$work/out"
ok 'no applet fails, and docs/applets.md is the table of today' same "$status" 0
works=$(sed -n 's/^\([0-9]*\) work, .*/\1/p' "$work/out" | tail -n 1)
ok "${works:-0} applets work, at least 200" [ "${works:-0}" -ge 200 ]
finish
