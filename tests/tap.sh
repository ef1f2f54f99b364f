# SPDX-License-Identifier: MIT
#
# tap.sh - what shell tests share that speak TAP and leave the words of what they ran in
# $work/out and $work/err. Sourced; $n counts.
#
# complaints is what no Linux's words may have in them; a test may set another one. Lines with it are
# what a failure shows first.
# shellcheck shell=sh disable=SC2154
n=0
trap 'exit 130' INT TERM HUP # by way of the script's own trap at EXIT, which cleans up
complaints='WARNING:|BUG:|Oops|Call Trace|segfault|general protection|FAILED|blocked for more'
no_complaint() { ! grep -qE "$complaints" "$work/out"; }

verdict() { # WHAT, after the last command's status
    rc=$?
    n=$((n + 1))
    if [ $rc = 0 ]; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        grep -hE "$complaints" "$work/out" "$work/err" 2>/dev/null | head -n 5 | sed 's/^/# complaint: /' | cut -c 1-300
        cat "$work/out" "$work/err" 2>/dev/null | sed 's/^/# /' | cut -c 1-300 | tail -n 30
    fi
}

# For tests of a machine that runs, in $work: one command of pvctl, and one again and again until
# its output has the words.
pv() { timeout 120 "$pvctl" "$@" >out 2>err </dev/null; }
until_says() { # WORDS COMMAND...
    words=$1 tries=0
    shift
    until pv "$@" && grep -q "$words" out; do
        tries=$((tries + 1))
        [ $tries -lt 300 ] || return 1
        sleep 0.1
    done
}
