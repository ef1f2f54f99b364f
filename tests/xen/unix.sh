#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What the port costs: lmb, counted in instructions on the native machine, on the shim and on real
# Xen, meets every goal of tests/bench/report-unix; and that report sees a row that does not. TAP.
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
. "${srcdir:?}/tests/tap.sh"
report() { sh "$srcdir/tests/bench/report-unix" "$work" >"$work/out" 2>"$work/err"; }

report
verdict 'lmb runs on the native machine, on the shim and on Xen'
[ "$(grep -cE '^(null_call|fork_exit|ctx_2p|fault_cow|copy_256k|tcp_bandwidth|compute) ' "$work/out")" = 7 ]
verdict 'the table has its rows'
grep -q 'goal 0.35: met); goals of rows missed: 0$' "$work/out"
verdict 'each row meets its goals, and so does the mean'

# One instruction too much for a null call; a fork as dear as on Xen.
awk '$1 == "null_call" { native = $2 } $1 == "fork_exit" { fork = $2 }
    END { print native, fork }' "$work/unix-native.log" >"$work/costs"
read -r null fork <"$work/costs"
awk -v null="$((null + 221))" -v fork="$((fork * 3))" '
    $1 == "null_call" { $2 = null } $1 == "fork_exit" { $2 = fork } 1' "$work/unix-pv.log" >"$work/worse"
mv "$work/worse" "$work/unix-pv.log"
BENCH_REUSE=1 report && grep -q '^null_call .* >native+220$' "$work/out" &&
    grep -q '^fork_exit .* >2.5\*native$' "$work/out" && grep -q 'goals of rows missed: 2$' "$work/out"
verdict 'rows that miss a goal are told'
echo "1..$n"
