#!/bin/sh
# SPDX-License-Identifier: MIT
#
# xl save and xl restore on real Xen: a guest of libpv goes into a file and comes out of it as another
# domain, with its memory, page tables, timer, grants, watches and console. TAP.
pvctl=${PVCTL:?} built=${builddir:?}
if [ ! -s "${PVCTL_DOM0:=$built/dom0}/dom0.cpio" ]; then
    echo "1..0 # SKIP no dom0; ./quickstart build makes it"
    exit 0
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
. "${srcdir:?}/tests/tap.sh"

"$pvctl" run --on xen --as domu --machine "suspend-$$" --timeout 180 --console line \
    --kernel "$built/tests/guests/sleeper" --cmdline saved-by-host >out 2>err </dev/null
verdict 'the guest ends well'
grep -q '^awake: 0$' out && grep -q '^guest 1 is restored' line
verdict 'it was saved, and woke up in a new domain'
[ "$(grep -c ': yes$' out)" = 9 ] && ! grep ': NO$' out >>err && grep -q '^done$' out
verdict 'it finds all as it should be'
echo "1..$n"
