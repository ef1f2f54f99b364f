#!/bin/sh
# SPDX-License-Identifier: MIT
#
# amalgamate.sh - libpv as two files, pv.h and pv.c, to drop into a kernel's own tree.
#
# pv.h is all headers in the order of their dependencies. pv.c is all sources, and the assembly as
# top-level asm; names that are static in one source get its name in front, so that all may live in
# one translation unit.
#
# usage: amalgamate.sh SOURCE-TREE OUTPUT-DIRECTORY     (CC: a compiler, for its preprocessor)
src=$1 out=$2
: "${CC:=cc}"
mkdir -p "$out" || exit 1

# Headers, each after those that it includes.
seen=
order=
visit() { # HEADER, as in <...>
    case " $seen " in *" $1 "*) return ;; esac
    seen="$seen $1"
    for dep in $(sed -n 's/^#include <\(pv\/[^>]*\)>.*/\1/p' "$src/include/$1"); do
        visit "$dep"
    done
    order="$order $1"
}
visit pv/pv.h
for h in "$src"/include/pv/*.h "$src"/include/pv/abi/*.h; do visit "${h#"$src"/include/}"; done

{
    echo '/* SPDX-License-Identifier: MIT */'
    echo '/* pv.h - all headers of libpv in one; made by `make amalgamation`, not to be edited. */'
    for h in $order; do
        printf '\n/* ---- %s ---- */\n' "$h"
        sed '/^#include <pv\//d; /SPDX-License-Identifier/d' "$src/include/$h"
    done
} >"$out/pv.h" || exit 1

# File-scope static names (which have no prefix) and macros of a source.
statics() {
    awk '/^static / || /^} [a-z_]+(\[|;| =)/ || /^(static )?const struct \{/ {
        line = $0
        sub(/__attribute__\(\([a-z_]+\)\) */, "", line)
        sub(/[=;\[(].*/, "", line)
        n = split(line, w, /[ *]+/)
        name = w[n]
        if (name == "" && n > 1) name = w[n - 1]
        if (name ~ /^[a-z_0-9]+$/ && name != "struct" && name !~ /^pv_/) print name
        if ($0 ~ /^static [a-z_0-9]+ [a-z_0-9]+(, [a-z_0-9]+)+;/) {
            line = $0; sub(/^static [a-z_0-9]+ /, "", line); sub(/;.*/, "", line)
            m = split(line, v, /, */); for (i = 1; i < m; i++) print v[i]
        }
    }' "$1" | sort -u
}
macros() {
    sed -n 's/^#define \([A-Za-z_0-9]*\).*/\1/p' "$1" | sort -u
}

# An assembly source as top-level asm, in a section stack of its own.
assembly() {
    echo '__asm__('
    printf '%s\n' '    ".pushsection .text\n"'
    $CC -E -P -x assembler-with-cpp -I"$src/include" "$1" |
        sed '/\.note\.GNU-stack/d; s/\\/\\\\/g; s/"/\\"/g; s/^\(.*\)$/    "\1\\n"/' || exit 1
    sed -n 's/^\.macro *\([a-z_]*\).*/    ".purgem \1\\n"/p' "$1"
    printf '%s\n' '    ".popsection\n");'
}

{
    echo '/* SPDX-License-Identifier: MIT */'
    echo '/*'
    echo ' * pv.c - all of libpv in one file; made by `make amalgamation`, not to be edited. Define'
    echo ' * PV_NO_ENTRY if the kernel has an entry point and ELF notes of its own.'
    echo ' */'
    echo '#include "pv.h"'
    # A function is known to be weak before its first use.
    alias='__attribute__((weak, alias'
    grep -hF "$alias" "$src"/libpv/*.c
    printf '\n/* ---- internal.h ---- */\n'
    sed '/^#include/d; /SPDX-License-Identifier/d' "$src/libpv/internal.h"
    for c in "$src"/libpv/*.c; do
        base=${c##*/} base=${base%.c}
        printf '\n/* ---- %s.c ---- */\n' "$base"
        for s in $(statics "$c"); do echo "#define $s ${base}_$s"; done
        awk -v dir="$src/libpv/" -v alias="$alias" '
            index($0, alias) { next }
            /^#include "[a-z_]*\.def"/ { gsub(/"/, "", $2); while ((getline l < (dir $2)) > 0) print l }
            !/^#include/' "$c" | sed '/SPDX-License-Identifier/d'
        for s in $(statics "$c") $(macros "$c"); do echo "#undef $s"; done
    done
    for s in "$src"/libpv/x86_64/*.S; do
        printf '\n/* ---- %s ---- */\n' "${s##*/}"
        case $s in *start.S) echo '#ifndef PV_NO_ENTRY' ;; esac
        assembly "$s"
        case $s in *start.S) echo '#endif' ;; esac
    done
} >"$out/pv.c" || exit 1
