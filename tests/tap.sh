# SPDX-License-Identifier: MIT
#
# tap.sh - what shell tests share that speak TAP and leave the words of what they ran in
# $work/out and $work/err. Sourced; $n counts.
# shellcheck shell=sh disable=SC2154
n=0

verdict() { # WHAT, after the last command's status
    rc=$?
    n=$((n + 1))
    if [ $rc = 0 ]; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        cat "$work/out" "$work/err" 2>/dev/null | sed 's/^/# /' | cut -c 1-300 | tail -n 30
    fi
}
