#!/bin/sh
# SPDX-License-Identifier: MIT
# usertests.sh - every usertest, on tmpfs.
# shellcheck source=tests/native/lib.sh
. "$srcdir/tests/native/lib.sh"
guest --timeout 400 -- 'usertests -t 40'
grep -v '^[0-9]* passed, ' "$work/out"
ok 'usertests ends well' same "$status" 0
finish
