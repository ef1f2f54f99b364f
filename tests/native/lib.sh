# SPDX-License-Identifier: MIT
#
# lib.sh - what the drivers of the native kernel's tests share. Sourced; a driver speaks TAP.
# shellcheck shell=sh
: "${srcdir:=.}" "${builddir:=build}"
export builddir
tests=0 failures=0
work=$(mktemp -d "${TMPDIR:-/tmp}/native-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

[ -f "$builddir/guest-port/disk.img" ] || {
    echo "1..0 # SKIP no root image in $builddir/guest-port (musl-tools, busybox-static, e2fsprogs?)"
    exit 0
}

# guest [options] -- COMMANDS: output in $work/out, status in $status.
guest()
{
    status=0
    "$srcdir/guest-port/run" "${target:-native}" "$@" >"$work/out" 2>"$work/err" || status=$?
    cat "$work/err"
}

# ok WHAT COMMAND...: one verdict.
ok()
{
    tests=$((tests + 1))
    what=$1
    shift
    if "$@"; then
        echo "ok $tests - $what"
    else
        echo "not ok $tests - $what"
        failures=$((failures + 1))
        tail -n 30 "$work/out" | sed 's/^/# /'
    fi
}
same() { [ "$1" = "$2" ] || { printf '# wanted: %s\n# got:    %s\n' "$2" "$1"; false; }; }
out_has() { grep -q -- "$1" "$work/out"; }
finish()
{
    echo "1..$tests"
    [ "$failures" = 0 ]
    exit
}
