#!/bin/sh
# SPDX-License-Identifier: MIT
#
# mustnot.sh - mistakes that the types must refuse. Each line of the list is a statement; it must
# not compile where it mixes what must not mix, and its right form must. TAP.
: "${srcdir:=.}" "${CC:=cc}"
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0 status=0

compiles() { # STATEMENT
    {
        echo '#include <pv/pv.h>'
        echo 'PV_RING(toy, uint32_t, uint64_t)'
        echo 'void f(pfn_t p, mfn_t m, pv_gptr_t g, pv_pte_t e, struct toy_front *t, void *v);'
        echo 'void f(pfn_t p, mfn_t m, pv_gptr_t g, pv_pte_t e, struct toy_front *t, void *v)'
        echo '{ (void)p; (void)m; (void)g; (void)e; (void)t; (void)v;'
        printf '%s }\n' "$1"
    } >"$tmp/t.c"
    $CC -std=gnu11 -Wall -Wextra -Werror -Wno-unused -fsyntax-only -I"$srcdir/include" "$tmp/t.c" \
        2>"$tmp/log"
}
pair() { # WHAT WRONG RIGHT
    n=$((n + 1))
    if compiles "$2"; then
        echo "not ok $n - $1: '$2' compiles"
        status=1
    elif ! compiles "$3"; then
        echo "not ok $n - $1: '$3' does not compile"
        sed 's/^/# /' "$tmp/log"
        status=1
    else
        echo "ok $n - $1"
    fi
}
pair 'a machine frame is not a guest frame' 'pfn_t x = m;' 'pfn_t x = p;'
pair 'nor the other way round' 'mfn_t x = p;' 'mfn_t x = m;'
pair 'a number is not a frame' 'pfn_t x = 5;' 'pfn_t x = pfn(5);'
pair 'a frame is not a number' 'uint64_t x = p;' 'uint64_t x = p.n;'
pair 'frames are not compared by ==' 'bool x = p == p;' 'bool x = pfn_eq(p, p);'
pair 'frames of two kinds are not compared' 'bool x = pfn_eq(p, m);' 'bool x = mfn_eq(m, m);'
pair 'no arithmetic on frames' 'pfn_t x = p + 1;' 'pfn_t x = pfn_add(p, 1);'
pair 'an entry is made from a guest frame' 'e = pv_pte(m, PV_PRESENT);' 'e = pv_pte(p, PV_PRESENT);'
pair 'an entry is not a number' 'e = 0;' 'e = pv_pte_none();'
pair 'a table is a guest frame' 'pv_pt_set(m, 0, e);' 'pv_pt_set(p, 0, e);'
pair 'a page is granted by guest frame' 'uint32_t r; pv_grant_publish(1, m, false, &r);' \
    'uint32_t r; pv_grant_publish(1, p, false, &r);'
pair 'a guest pointer is not dereferenced' 'char x = *g;' 'uint64_t x = g.va;'
pair 'a guest pointer is not a pointer' 'void *x = g;' 'pv_gptr_t x = pv_gptr(v);'
pair 'a ring takes requests of its own type' 'uint64_t r = 1; toy_front_put(t, &r);' \
    'uint32_t r = 1; toy_front_put(t, &r);'
pair 'and gives responses of its own type' 'uint32_t r; toy_front_get(t, &r);' \
    'uint64_t r; toy_front_get(t, &r);'
echo "1..$n"
exit $status
