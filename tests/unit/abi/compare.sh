#!/bin/sh
# SPDX-License-Identifier: MIT
#
# compare.sh - every constant, size and offset of include/pv/abi against libxen-dev's headers.
#
# rows.awk lists what our headers say, without knowing what Xen's say. From that list tables.awk
# makes two translation units that never meet in one compiler run: one includes ours, one Xen's;
# each prints the same table with its own values, and the tables must be equal. A name that Xen's
# headers lack is an error, not a gap. The last checks plant mistakes in a copy of our headers and
# expect to be told of each.
#
# TAP on stdout; skipped where libxen-dev is not installed.
: "${srcdir:=.}" "${CC:=cc}"
here=$srcdir/tests/unit/abi
xen=/usr/include/xen
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

if [ ! -f $xen/xen.h ]; then
    echo "1..0 # SKIP Xen's headers are not installed (libxen-dev)"
    exit 77
fi

prologue() { # HEADER...: the common beginning of both programs
    echo '#include <stdint.h>'
    echo '#include <stddef.h>'
    echo '#include <stdio.h>'
    for h; do echo "#include <$h>"; done
}
{
    # The interface as of 4.17, without the names that older ones had.
    echo '#define __XEN_INTERFACE_VERSION__ 0x00040e00'
    prologue xen/xen.h xen/arch-x86/cpuid.h xen/elfnote.h xen/features.h xen/version.h \
        xen/memory.h xen/event_channel.h xen/sched.h xen/vcpu.h xen/grant_table.h \
        xen/physdev.h xen/callback.h xen/errno.h xen/io/console.h xen/io/xs_wire.h xen/nmi.h xen/io/netif.h \
        xen/io/xenbus.h xen/io/blkif.h
} >"$tmp/their-head.c"
$CC -std=gnu11 -E -dM "$tmp/their-head.c" |
    sed -n 's/^#define \([A-Za-z_0-9]*\).*/\1/p' >"$tmp/macros" || exit 1
$CC -std=gnu11 -E -P "$tmp/their-head.c" >"$tmp/their-text" || exit 1

# table INCLUDE-DIR WORK: compares one set of headers; leaves ours.out and theirs.out in WORK.
table() {
    mkdir -p "$2"
    : >"$2/rows"
    for h in "$1"/pv/abi/*.h; do
        awk -f "$here/rows.awk" "$h" >>"$2/rows" || return 1
    done
    # shellcheck disable=SC2046
    prologue $(cd "$1" && echo pv/abi/*.h) >"$2/ours.c"
    cp "$tmp/their-head.c" "$2/theirs.c"
    for f in ours theirs; do
        printf '%s\n' '#define P(n, v) printf("%s = %#llx\n", n, (unsigned long long)(v));' \
            'int main(void) {' >>"$2/$f.c"
    done
    awk -v ours="$2/ours.c" -v theirs="$2/theirs.c" -f "$here/tables.awk" \
        "$tmp/macros" "$tmp/their-text" "$2/rows" || return 1
    for f in ours theirs; do
        echo 'return 0; }' >>"$2/$f.c"
        $CC -std=gnu11 -w -fmax-errors=5 -I"$1" -o "$2/$f" "$2/$f.c" || return 1
        "$2/$f" >"$2/$f.out" || return 1
    done
    cmp -s "$2/ours.out" "$2/theirs.out"
}

n=0
status=0
verdict() { # STATUS WHAT
    n=$((n + 1))
    if [ "$1" = 0 ]; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2"
        status=1
    fi
}

table "$srcdir/include" "$tmp/real" 2>"$tmp/errors"
same=$?
sed 's/^/# /' "$tmp/errors"
if [ $same != 0 ] && [ -s "$tmp/real/theirs.out" ]; then
    diff "$tmp/real/ours.out" "$tmp/real/theirs.out" | sed 's/^/# /'
fi
verdict $same "all $(grep -c . "$tmp/real/ours.out") values, sizes and offsets are Xen's"

# The list is complete: as many names as a plain search of the headers finds.
have=$(grep -Ec '^(const|call) ' "$tmp/real/rows")
want=$(cat "$srcdir"/include/pv/abi/*.h | grep -Ec '^#define[[:space:]]+(XEN|xen_)')
[ "$have" = "$want" ]
verdict $? "all $want macros of our headers are in the list ($have)"
have=$(grep -c '^type ' "$tmp/real/rows")
want=$(cat "$srcdir"/include/pv/abi/*.h | grep -Ec '^(struct|union) xen[A-Za-z_0-9]* \{')
[ "$have" = "$want" ]
verdict $? "all $want structures of our headers are in the list ($have)"

# plant WHAT FILE SED-COMMAND: a mistake that the comparison must notice.
plant() {
    rm -rf "$tmp/bad" "$tmp/badwork"
    mkdir -p "$tmp/bad"
    cp -r "$srcdir/include/pv" "$tmp/bad/"
    sed "$3" "$srcdir/include/pv/abi/$2" >"$tmp/bad/pv/abi/$2"
    if cmp -s "$srcdir/include/pv/abi/$2" "$tmp/bad/pv/abi/$2"; then
        verdict 1 "the mistake '$1' could not be planted"
        return
    fi
    # Our own assertions must not be what finds it.
    sed 's/_Static_assert(cond, text)/_Static_assert(1, "")/' "$srcdir/include/pv/types.h" \
        >"$tmp/bad/pv/types.h"
    table "$tmp/bad" "$tmp/badwork" 2>/dev/null
    [ $? != 0 ]
    verdict $? "notices $1"
}
plant 'a wrong constant' xen.h 's/^\(#define XEN_MMUEXT_PIN_L2_TABLE *\)1/\12/'
plant 'a wrong error number' errno.h 's/^\(#define XEN_EINVAL *\)22/\123/'
plant 'a field of another width' sched.h 's/uint64_t timeout/uint32_t timeout/'
plant 'two fields exchanged' vcpu.h \
    's/uint32_t offset;/uint32_t swap;/; s/uint32_t rsvd;/uint32_t offset;/; s/swap;/rsvd;/'
plant 'a macro that Xen does not have' sched.h 's/^#define XEN_SCHEDOP_block/&_or_not/'
plant 'a field that Xen does not have' callback.h 's/_unused;/unused_;/'

echo "1..$n"
exit $status
