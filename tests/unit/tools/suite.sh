#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The counter counts: tests/run-suite over tests that pass, fail, skip, crash, hang, stop
# half way, or are not there. TAP.
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
suite=${srcdir:?}/tests/run-suite
cd "$work" || exit 1
unset SUITE_RUNNER V
n=0
# counts WHAT WANTED SCRIPT: the last line for a test with these contents.
counts() {
    printf '%s\n' "$3" >one.sh
    got=$(srcdir=. builddir=. SUITE_TIMEOUT=2 SUITE_LOGS="$work/logs" sh "$suite" s one.sh)
    rc=$?
    last=$(printf '%s\n' "$got" | tail -n 1)
    case $2 in *' 0 failed'*) right=0 ;; *) right=1 ;; esac
    n=$((n + 1))
    if [ "$last" = "$2" ] && [ $rc = $right ]; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1: $last, status $rc"
    fi
}
counts 'exit status 0' '1 passed, 0 failed, 0 skipped' 'exit 0'
counts 'exit status 1' '0 passed, 1 failed, 0 skipped' 'exit 1'
counts 'exit status 77' '0 passed, 0 failed, 1 skipped' 'exit 77'
counts 'TAP' '1 passed, 1 failed, 1 skipped' 'echo "ok 1 - a"; echo "not ok 2 - b"; echo "ok 3 # SKIP c"; exit 1'
counts 'TAP that announces more' '1 passed, 2 failed, 0 skipped' 'echo "ok 1"; echo "1..3"'
counts 'TAP that announces less' '10 passed, 1 failed, 0 skipped' 'for i in 1 2 3 4 5 6 7 8 9 10; do echo "ok $i"; done; echo "not ok 11"; echo "1..4"; exit 1'
counts 'TAP that skips all' '0 passed, 0 failed, 1 skipped' 'echo "1..0 # SKIP"'
counts 'a crash behind good verdicts' '2 passed, 1 failed, 0 skipped' 'echo "ok 1"; echo "ok 2"; kill -SEGV $$'
counts 'a count of its own' '7 passed, 2 failed, 1 skipped' 'echo "ok 1"; echo "7 passed, 2 failed, 1 skipped"; exit 1'
counts 'Criterion' '5 passed, 1 failed, 0 skipped' 'echo "[====] Synthesis: Tested: 6 | Passing: 5 | Failing: 1 | Crashing: 0"; exit 1'
counts 'Criterion that crashes' '5 passed, 1 failed, 0 skipped' 'echo "[====] Synthesis: Tested: 6 | Passing: 5 | Failing: 0 | Crashing: 1"; exit 1'
counts 'no end' '0 passed, 1 failed, 0 skipped' 'sleep 30'
rm -f one.sh
got=$(srcdir=. builddir=. SUITE_LOGS="$work/logs" sh "$suite" s gone.sh | tail -n 1)
n=$((n + 1))
[ "$got" = '0 passed, 1 failed, 0 skipped' ] && echo "ok $n - not there" || echo "not ok $n - not there: $got"
echo "1..$n"
