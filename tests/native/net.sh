#!/bin/sh
# SPDX-License-Identifier: MIT
# net.sh - programs on the network: httpd, wget, nc, ping, telnetd on loopback; DHCP, ping and TCP
# over the card (QEMU's user network).
# shellcheck source=tests/native/lib.sh
. "$srcdir/tests/native/lib.sh"
guest --timeout 100 -- '
    httpd -p 80 -h /www && wget -qO- http://127.0.0.1/ | grep -c busybox
    ping -c 2 127.0.0.1 | grep "2 packets received"
    echo over nc | nc -l -p 99 &
    sleep 1; nc 127.0.0.1 99 </dev/null
    telnetd -l /bin/sh -p 23
    (sleep 1; echo "echo tel\$((40 + 2))"; sleep 1; echo exit; sleep 1) | telnet 127.0.0.1 | tr -d "\r" | grep -c "^tel42"'
ok 'httpd and wget' same "$(sed -n 1p "$work/out")" 1
ok 'ping' out_has '2 packets received'
ok 'nc' out_has '^over nc$'
ok 'telnetd' same "$(tail -n 1 "$work/out")" 1

guest --timeout 60 --net -- '
    for i in 1 2 3 4 5 6 7 8 9; do ifconfig eth0 | grep -q 10.0.2.15 && break; sleep 1; done
    ifconfig eth0; route -n
    ping -c 2 10.0.2.2 | grep "2 packets received"'
ok 'DHCP gives an address' out_has 'inet addr:10.0.2.15'
ok 'and a default route' out_has '^0.0.0.0 *10.0.2.2'
ok 'ping over the card' out_has '2 packets received'
finish
