#!/bin/sh
# SPDX-License-Identifier: MIT
# lmb.sh - the lean baseline, counted in instructions (-icount): limits on three operations.
# shellcheck source=tests/native/lib.sh
. "$srcdir/tests/native/lib.sh"
guest --timeout 200 --icount -- 'lmb'
cat "$work/out"
ok 'lmb runs' same "$status" 0
limit() # ROW LIMIT WHAT
{
    got=$(awk -v row="$1" '$1 == row { print $3 }' "$work/out")
    ok "$3: ${got:-none} instructions, at most $2" [ "${got:-999999999}" -le "$2" ]
}
limit null_call 120 'null system call'
limit fork_exit 60000 'fork, exit, wait of a small process'
limit fault_anon 2500 'page fault on anonymous memory'
finish
