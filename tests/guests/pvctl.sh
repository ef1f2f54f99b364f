#!/bin/sh
# SPDX-License-Identifier: MIT
#
# pvctl and the shim: guests' lines, exit statuses, several guests, the machine seen from
# outside while it runs and after its end. TAP.
pvctl=${PVCTL:?} hello=${builddir:?}/examples/01-hello
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export PVCTL_RUN="$work/run"
. "${srcdir:?}/tests/tap.sh"
run() { "$pvctl" run --timeout 60 "$@" >out 2>err </dev/null; }

run --kernel "$hello" --console line
verdict 'a guest that powers off is status 0'
grep -q '^hello from' out && ! grep -q '(shim)\|(d1)' out && ! grep -q "$(printf '\r')" out
verdict 'its lines alone are on stdout'
grep -q '^(shim) ' err && grep -q '^(shim) ' line && grep -q '^hello from' line
verdict 'the shim speaks on stderr, and all is in --console'
[ ! -e run/01-hello ]
verdict 'nothing is left of the machine'

run --quiet --kernel "$hello" --name a --kernel "$hello" --name b --mem 32M --kernel "$hello" --name c
rc=$?
[ $rc = 0 ] && [ "$(grep -c '^hello from' out)" = 1 ] && grep -q '^(d2) hello from' out &&
    grep -q '^(d3) hello from' out && [ ! -s err ]
verdict 'three guests: the first plain, the others prefixed'

cat >c.json <<END
{ "timeout": 60, "guests": [ { "kernel": "01-hello", "name": "j1" }, { "kernel": "$hello", "mem": "16M" } ] }
END
ln -s "$hello" 01-hello
"$pvctl" run c.json >out 2>err </dev/null && grep -q '^hello from' out && grep -q '^(d2) hello from' out
verdict 'a configuration file'

run --kernel "$builddir/tests/guests/sleeper" --cmdline unasked
[ $? = 3 ] && grep -q 'sleeper suspended itself' err && ! grep -q '^awake' out
verdict 'a guest that suspends itself ends, and it is said'

run --cpu Skylake-Client-v3,-smap --kernel "$hello" && grep -q '^hello from' out
verdict 'the other CPU model'

run --icount --kernel "$hello" --keep && "$pvctl" list --json >first 2>err && run --icount --kernel "$hello" --keep &&
    "$pvctl" list --json >second 2>err && cmp first second >out 2>&1
verdict 'two runs under --icount are the same to the nanosecond'

run --kernel "$hello" --keep --machine kept && "$pvctl" list >out 2>err && grep -q '^kept (kept)  *1  *01-hello .*powered off$' out
verdict 'a kept machine is listed'
"$pvctl" dmesg kept >out 2>err && grep -q 'powered off' out
verdict 'its messages can be read'
"$pvctl" console --machine kept 01-hello >out 2>err && grep -q '^hello from' out
verdict 'and what the guest printed'
"$pvctl" why --machine kept --json >out 2>err && [ "$(cat out)" = '[]' ]
verdict 'and that nothing was refused'

"$pvctl" run --kernel "$hello" --gdb --timeout 1 >out 2>err </dev/null
[ $? = 124 ] && grep -q 'time limit of 1 s' err
verdict 'the time limit is status 124'

"$pvctl" run --kernel "$hello" --gdb --timeout 30 --machine live >out 2>err </dev/null &
for _ in 1 2 3 4 5 6 7 8 9 10; do
    "$pvctl" list >out 2>err && grep -q '^live ' out && break
    sleep 0.2
done
grep -q '^live ' out
verdict 'a running machine is listed'
"$pvctl" run --kernel "$hello" --machine live >out 2>err </dev/null
[ $? = 2 ] && grep -q 'running already' err
verdict 'its name is taken while it runs'
kill $! && wait $!
[ $? = 130 ]
verdict 'a signal ends the run with 130'
"$pvctl" list live >out 2>err
[ $? = 2 ]
verdict 'and its machine'

# Where there are no pseudo-terminals (a bare chroot), there is nothing to look at.
if script -qec true typescript >/dev/null 2>&1 </dev/null; then
    shows() { # WORDS: until the terminal does, half a minute at most
        i=0
        until grep -q "$1" typescript || [ $((i += 1)) -gt 150 ]; do sleep 0.2; done
    }
    : >typescript
    { shows 'attached to'; printf '\035'; shows 'ended by the user'; } |
        TERM=xterm script -qfec "$pvctl run --kernel $hello --gdb --timeout 60" typescript >out 2>err
    [ $? = 130 ] && grep -q 'attached to 01-hello' typescript && grep -q 'ended by the user' typescript
    verdict 'on a terminal, Ctrl-] ends the run'
    TERM=xterm script -qec "$pvctl run --kernel $hello --timeout 30" typescript </dev/null >out 2>err
    grep -q "$(printf '^hello from a paravirtualized kernel\r$')" typescript && grep -q "$(printf '\033\\[')" typescript
    verdict 'on a terminal there are whole line ends, and colour'
    NO_COLOR=1 TERM=xterm script -qec "$pvctl run --kernel $hello --timeout 30" typescript </dev/null >out 2>err
    ! grep -q "$(printf '\033\\[')" typescript
    verdict 'but none with NO_COLOR'
else
    n=$((n + 1))
    echo "ok $n - # SKIP no pseudo-terminals here"
fi
echo "1..$n"
