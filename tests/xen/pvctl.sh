#!/bin/sh
# SPDX-License-Identifier: MIT
#
# pvctl and real Xen: the guest's lines alone on stdout, its end as the exit status, the
# time limit, the whole line in --console. TAP.
pvctl=${PVCTL:?} image=${builddir:?}/tests/guests/smoke
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export PVCTL_RUN="$work/run"
. "${srcdir:?}/tests/tap.sh"

"$pvctl" run --on xen --kernel "$image" --cmdline 'a,b  c=d' --timeout 120 --console line >out 2>err </dev/null
verdict 'a guest that powers off is status 0'
grep -q "^smoke: magic xen-3.0-x86_64p, command line 'a,b  c=d'\$" out
verdict 'its command line arrives, commas and spaces and all'
[ "$(grep -vc '^smoke: ' out)" = 0 ] && ! grep -q "$(printf '\r')" out
verdict 'nothing but its own lines is on stdout'
[ ! -s err ]
verdict 'and nothing on stderr'
grep -q '^(XEN) .*Dom0 halted' line && grep -q '^smoke: done' line
verdict 'the whole serial line is in --console'

"$pvctl" run --on xen --kernel "$image" --timeout 1 --gdb >out 2>err </dev/null
[ $? = 124 ] && grep -q 'time limit of 1 s' err && grep -q 'gdb -x' err
verdict 'a machine that waits for gdb ends at the time limit with 124'

"$pvctl" run --on xen --kernel "$image" --timeout 120 --cpu Skylake-Client-v3,-smap >out 2>err </dev/null
verdict 'the other CPU model'
echo "1..$n"
