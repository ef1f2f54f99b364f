#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The porting guide's table of usual mistakes, against a guest that makes them (mistakes.c): each
# is answered by the error and the rule that the table says, in the table's order. TAP.
#
# mistakes.sh xen: real Xen answers by the same errors (and says no more). There the guest is the
# first domain, which may map what is nobody's and choose how memory is cached.
peer=${1-shim}
pvctl=${PVCTL:?} mistakes=${builddir:?}/tests/guests/mistakes guide=${srcdir:?}/docs/porting.md
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
export PVCTL_RUN="$work/run"
. "$srcdir/tests/tap.sh"
run() { "$pvctl" run --on $peer --quiet --timeout 60 --machine mistakes --keep --kernel "$mistakes" "$@" >"$work/out" 2>"$work/err" </dev/null; }

run && cp "$work/out" "$work/names"
verdict 'the guest lists its mistakes'
# The table: answer and rule of each row.
sed -n 's/^| [^|]* | \([A-Za-z]*\) | `\([A-Z0-9_]*\)` | .*/\1 \2/p' "$guide" >"$work/table"
[ "$(wc -l <"$work/table")" = "$(wc -l <"$work/names")" ] && [ -s "$work/table" ]
verdict 'the guide has a row for each'
paste -d ' ' "$work/names" "$work/table" >"$work/both"
while read -r name answer rule; do
    if [ $peer = xen ]; then
        case $name-$answer in
        *-ends) continue ;;
        pfn-in-entry-* | memory-type-*) answer="\\($answer\\|ok\\)" ;;
        esac
        run --cmdline "do=$name" && grep -q "^$name: $answer$" "$work/out"
        verdict "$name: $answer"
        continue
    fi
    run --cmdline "do=$name"
    status=$?
    "$pvctl" why --machine mistakes --json >"$work/why" 2>>"$work/err"
    if [ "$answer" = ends ]; then
        [ $status = 3 ] && grep -q "crashed: $rule: " "$work/err"
    else
        [ $status = 0 ] && grep -q "^$name: $answer$" "$work/out"
    fi && grep -q "\"rule\": \"$rule\"" "$work/why" && [ "$(grep -c '"rule"' "$work/why")" = 1 ]
    verdict "$name: $answer, $rule"
done <"$work/both"
echo "1..$n"
