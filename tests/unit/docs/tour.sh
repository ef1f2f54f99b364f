#!/bin/sh
# SPDX-License-Identifier: MIT
#
# docs/tour.md names every source file, each once, and nothing that is not there. TAP.
cd "${srcdir:?}" || exit 1
list=$(mktemp) || exit 1
named=$(mktemp) || exit 1
trap 'rm -f "$list" "$named"' EXIT

sh scripts/tour --sources >"$list"
[ -s "$list" ] || exit 1
# shellcheck disable=SC2016
sed -n 's/^ *[-*0-9.]* *`\([^`]*\)`.*/\1/p' docs/tour.md | sort >"$named"

say() { # VERDICT-FILE TEXT
    if [ -s "$1" ]; then
        echo "not ok - $2 (scripts/tour adds new files):"
        sed 's/^/# /' "$1"
    else
        echo "ok - $2"
    fi
}
out=$(mktemp) && trap 'rm -f "$list" "$named" "$out"' EXIT
comm -23 "$list" "$named" >"$out"
say "$out" 'every source file is on the tour'
comm -13 "$list" "$named" | while read -r f; do [ -e "$f" ] || echo "$f"; done >"$out"
say "$out" 'every stop of the tour exists'
uniq -d "$named" >"$out"
say "$out" 'no file is visited twice'
