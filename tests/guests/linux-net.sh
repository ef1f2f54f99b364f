#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Debian's Linux with its stock netfront (tests/linux/net): one guest pings the gateway and serves a
# page, the other one pings it and fetches the page. TAP.
pvctl=${PVCTL:?} built=${builddir:?}
host=${PVCTL_DOM0:-$built/dom0}
if [ ! -s "$host/vmlinuz" ]; then
    echo "1..0 # SKIP no Linux; ./quickstart build unpacks Debian's"
    exit 0
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
sh "${srcdir:?}/tests/linux/image" "$work" "$host" || exit 1
# A second archive behind the first: the kernel unpacks both.
mkdir "$work/more" && cp "$srcdir/tests/linux/net" "$work/more/" && chmod 755 "$work/more/net" &&
    (cd "$work/more" && echo net | cpio -o -H newc --quiet) >>"$work/initramfs" || exit 1

. "${srcdir:?}/tests/tap.sh"
said() { grep -q "net: $1 ok" "$work/out"; }

"$pvctl" run --machine "linux-net-$$" --timeout 280 \
    --kernel "$work/vmlinuz" --ramdisk "$work/initramfs" --mem 256M --net user \
    --cmdline 'quiet rdinit=/net ip=10.0.2.15' \
    --kernel "$work/vmlinuz" --ramdisk "$work/initramfs" --mem 256M --net user \
    --cmdline 'quiet rdinit=/net ip=10.0.2.16 peer=10.0.2.15' >"$work/out" 2>&1 </dev/null
verdict 'two Linux guests with network cards'
said '10.0.2.15 on eth0' && said '10.0.2.16 on eth0' && said 'ping of the gateway'
verdict 'they get addresses, and the gateway answers'
said 'ping of the other guest' && said 'five long pings without a loss'
verdict 'one pings the other'
said 'fetching a page' && said 'the page as it was sent' && said 'serving the page'
verdict 'one fetches 3 MB from the other, as they were sent'
[ "$(grep -c 'net: no complaints: ok' "$work/out")" = 2 ] && no_complaint
verdict 'and nobody complains'
echo "1..$n"
