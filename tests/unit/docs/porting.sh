#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The porting guide has the stages that the shim records, in their order, and each says what is
# given up, what is called instead, and how to check; the calls that pvctl names exist. TAP.
cd "${srcdir:?}" || exit 1
n=0
say() { # WHAT, after the last command's status
    rc=$?
    n=$((n + 1))
    [ $rc = 0 ] && echo "ok $n - $1" || echo "not ok $n - $1"
}
stages=$(sed -n 's/^STAGE(\([a-z]*\),.*/\1/p' hypervisor-shim/core/stages.def)
told=$(sed -n 's/^### [0-9]*\. `\([a-z]*\)`: .*/\1/p' docs/porting.md)
[ -n "$stages" ] && [ "$stages" = "$told" ]
say 'the stages of the guide are those of stages.def'
numbers=$(sed -n 's/^### \([0-9]*\)\. .*/\1/p' docs/porting.md | tr '\n' ' ')
[ "$numbers" = "$(seq -s ' ' "$(echo "$stages" | wc -l)") " ]
say 'they are numbered in order'
awk '/^### [0-9]/ { n++ } /^\*Given up:\*/ { g[n]++ } /^\*Instead:\*/ { i[n]++ } /^\*Check:\*/ { c[n]++ }
    END { for (k = 1; k <= n; k++) if (g[k] != 1 || i[k] != 1 || c[k] != 1) bad = 1; exit bad || !n }' docs/porting.md
say 'each says what is given up, what instead, and how to check'
missing=$(sed -n 's/^STAGE([^"]*"[^"]*", \(".*"\))$/\1/p' hypervisor-shim/core/stages.def | grep -o 'pv_[a-z0-9_]*(' | sort -u |
    while read -r call; do grep -rqF "$call" include/pv || echo "$call"; done)
[ -z "$missing" ]
say "the calls of stages.def exist $missing"
# The figures of the small Unix are what is counted, and each patch has its line.
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
guest-port/apply-patches "$tree/port" && scripts/pv-diffcount guest-port/kernel "$tree/port" >"$tree/count"
sed -n 's/^[A-Z%].*  *\([0-9.][0-9.]*\)  *[0-9.][0-9.]*  *[0-9.][0-9.]*$/\1/p' "$tree/count" >"$tree/counted"
sed -n '/^| subsystem | small Unix /,/^$/s/^| [^|]* | *\([0-9.]*\) | .*/\1/p' docs/porting.md >"$tree/told"
[ "$(wc -l <"$tree/counted")" = 6 ] && diff "$tree/counted" "$tree/told"
say 'the table of the port is what pv-diffcount counts'
sed -n 's/^| \(00[0-9]*\) | .* \([0-9]*\) |$/\1 \2/p' docs/porting.md >"$tree/lines"
[ "$(cut -d' ' -f1 "$tree/lines")" = "$(find guest-port/patches -name '*.patch' | sed 's|.*/||; s|-.*||' | sort)" ] &&
    [ "$(awk '{ n += $2 } END { print n }' "$tree/lines")" = "$(sed -n 5p "$tree/counted")" ]
say 'each patch is there, and their lines are the total'
echo "1..$n"
