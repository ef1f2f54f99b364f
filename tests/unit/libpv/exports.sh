#!/bin/sh
# SPDX-License-Identifier: MIT
#
# exports.sh - what libpv.a and libpv-small.a look like from outside: names that they define, names
# that they want, size. TAP.
: "${srcdir:=.}" "${builddir:=.}"
n=0 status=0
verdict() { # STATUS WHAT
    n=$((n + 1))
    if [ "$1" = 0 ]; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2"
        status=1
    fi
}
# Each line in $tmp is a complaint. (Not read from a pipe: a subshell's verdict would be lost.)
none() { # WHAT
    sed 's/^/# /' "$tmp"
    [ ! -s "$tmp" ]
    verdict $? "$1"
}
tmp=$(mktemp) || exit 1
trap 'rm -f "$tmp" "$tmp.defined" "$tmp.hooks"' EXIT

grep -o 'pv_host_[a-z_]*(' "$srcdir/include/pv/host.h" | tr -d '(' | sort -u >"$tmp.hooks"
hooks=$(grep -c . "$tmp.hooks")
[ "$hooks" -gt 0 ] && [ "$hooks" -le 20 ]
verdict $? "host.h has $hooks hooks, at most 20"

for lib in libpv libpv-small; do
    a=$builddir/libpv/$lib.a
    if [ ! -f "$a" ]; then
        verdict 1 "$a is not built"
        continue
    fi
    nm -g --defined-only "$a" | awk 'NF == 3 { print $3 }' | sort -u >"$tmp.defined"

    grep -v '^pv_' "$tmp.defined" >"$tmp"
    none "$lib.a defines nothing but pv_*"
    nm -u "$a" | awk 'NF == 2 { print $2 }' | sort -u | grep -vxF -f "$tmp.defined" |
        grep -vxE 'mem(cpy|move|set|cmp)|pv_virt_base' >"$tmp"
    none "$lib.a wants nothing but mem* and, for its entry point, pv_virt_base"
    nm -g "$a" | awk 'NF == 3 && $2 == "W" { print $3 }' | grep -vxF -f "$tmp.hooks" >"$tmp"
    none "weak in $lib.a are hooks of host.h alone"
    while read -r hook; do
        nm "$a" | grep -q " W $hook\$" || echo "$hook"
    done <"$tmp.hooks" >"$tmp"
    none "each hook has a weak default in $lib.a"

    text=$(size -t "$a" | awk 'END { print $1 }')
    [ "$text" -gt 8192 ] && [ "$text" -le 65536 ]
    verdict $? "$lib.a: $text bytes of text, at most 65536"
done

# Position independent: no absolute address, but for the notes and the first instruction; nor a
# detour by a GOT, which the linker can't always undo.
objdump -r "$builddir/libpv/libpv-small.a" | awk '
    /file format/ { file = $1 }
    /RELOCATION RECORDS/ { section = $4 }
    /R_X86_64_(32|32S|(REX_)?GOTPCRELX?) / && section !~ /debug/ { print file, section, $0 }' >"$tmp"
none "libpv-small.a has no 32-bit absolute address and no GOT"
echo "1..$n"
exit $status
