#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What docs, comments and makefiles say of files is true: every path of ours that they mention
# exists, every link of a document leads somewhere, every file's opening line that
# names a file names itself, and files stay within their bounds. TAP.
cd "${srcdir:?}" || exit 1
files=$(mktemp) || exit 1
out=$(mktemp) || exit 1
trap 'rm -f "$files" "$out"' EXIT
find README.md HACKING.md quickstart Makefile.am configure.ac .ci docs examples guest-port \
    hypervisor-shim include libpv scripts tests tools -type f \
    ! -name '*.[oa]' ! -name '*~' | sort >"$files"

say() {
    if [ -s "$out" ]; then
        echo "not ok - $1:"
        sed 's/^/# /' "$out"
    else
        echo "ok - $1"
    fi
}

# Paths from the top: ROOM/...NAME.EXT, not after build/ or another path. A path may also
# be meant from the mentioning file's own directory, or from one of the include directories.
rooms='include|libpv|hypervisor-shim|guest-port|tools|scripts|examples|docs|tests'
ends='c|h|S|md|sh|mk|def|lds|ld|am|ac'
xargs grep -EnoH "(^|[^A-Za-z0-9_./\$){}-])($rooms)/[A-Za-z0-9_./-]*\.($ends)([^A-Za-z0-9_]|\$)" <"$files" |
    sed -E "s#^([^:]*:[0-9]*):.*(^|[^A-Za-z0-9_./-])(($rooms)/[A-Za-z0-9_./-]*\.($ends)).?\$#\1 \3#" |
    grep -v "[ /]NAME\." | sort -u | while read -r where path; do
        from=${where%%:*}
        [ -e "$path" ] || [ -e "${from%/*}/$path" ] || [ -e "include/$path" ] || echo "$where: $path"
    done >"$out"
say 'every path that is mentioned exists'

grep -Eo 'pv_[a-z0-9_]+\(\)' README.md HACKING.md docs/*.md | sort -u | while IFS=: read -r md call; do
    grep -rqw "${call%()}" include/pv || echo "$md: $call"
done >"$out"
say 'every call of libpv that a document names exists'

for md in README.md HACKING.md docs/*.md; do
    grep -Eo '\]\([^)#: ]+\)' "$md" | sed 's/^](//; s/)$//' | while read -r link; do
        [ -e "$(dirname "$md")/$link" ] || echo "$md: $link"
    done
done >"$out"
say 'every link of a document leads somewhere'

grep -E '\.[chS]$' "$files" | while read -r f; do
    said=$(sed -n '1,4s/^[ /*#;]*\([A-Za-z0-9_-]*\.[chS]\) - .*/\1/p' "$f" | head -n 1)
    [ -z "$said" ] || [ "$said" = "${f##*/}" ] || echo "$f opens as $said"
done >"$out"
say 'a file that opens with its name has it right'

xargs grep -L 'SPDX-License-Identifier: MIT' <"$files" |
    grep -E '\.([chS]|sh|mk|def|lds|ld|ac|am)$' >"$out"
say 'every source file names its licence'

grep -E '\.([chS]|sh|def)$' "$files" | xargs wc -l | awk '$1 > 800 && $2 != "total" { print $2 ": " $1 " lines" }' >"$out"
say 'no source file is longer than 800 lines'
