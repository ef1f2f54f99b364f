#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A running machine is controlled: guests are created, watched, paused, typed to, destroyed; the
# machine outlives them, and clients that misbehave. TAP. CYCLES: how many guests come and go.
pvctl=${PVCTL:?} echo=${builddir:?}/tests/guests/echo hello=$builddir/examples/01-hello disks=$builddir/tests/guests/disks
cycles=${CYCLES:-12}
work=$(mktemp -d) || exit 1
cd "$work" || exit 1
export PVCTL_RUN="$work/run"
trap 'for m in m r d raw; do "$pvctl" down $m >/dev/null 2>&1; done; rm -rf "$work"' EXIT
. "${srcdir:?}/tests/tap.sh"
free_memory() { "$pvctl" list --json "$1" | sed -n 's/.*"free_memory": \([0-9]*\).*/\1/p'; }
tick() { "$pvctl" console --dump ticker | sed -n 's/^tick //p' | tail -n 1; }

# -- a machine, and guests in it -----------------------------------------------------------
pv up --json --machine m --memory 512M && grep -q '"machine": "m"' out && grep -q '"live": true' out
verdict 'a machine without guests comes up'
pv list m && grep -q '^m .*no guests' out
verdict 'and is listed'
pv up --machine m
[ $? = 2 ] && grep -q 'running already' err
verdict 'there is one of that name only'
pv create --kernel "$echo" --name ticker --cmdline tick --mem 16M && [ "$(cat out)" = 'ticker: domain 1' ] &&
    pv create --json --kernel "$echo" --name left --cmdline left --mem 16M --vcpus 2 && grep -q '"domid": 2' out
verdict 'two guests are created'
pv list && grep -q '^m  *1  *ticker .*running' out && grep -q '^m  *2  *left  *16M  *2 .*running' out
verdict 'and run'
pv create --kernel "$echo" --name left
[ $? = 2 ] && grep -q 'CONTROL_NAME' err
verdict 'a name is taken once'
pv create --kernel "$echo" --name talker --net user
[ $? = 2 ] && grep -q 'has no way out' err
verdict 'and no network is promised that there is not'
pv create --kernel "$hello" --name big --mem 4G
[ $? = 2 ] && grep -q 'MACHINE_MEMORY' err && pv list && ! grep -q big out
verdict 'one that does not fit is refused with its rule, and nothing is left of it'

# -- pause ---------------------------------------------------------------------------------------
until_says 'tick [1-9][0-9]' console --dump ticker
verdict 'a guest prints'
pv pause ticker && a=$(tick) && sleep 0.5 && b=$(tick) && [ "$a" = "$b" ]
verdict 'and stops when it is paused'
pv list && grep -q 'ticker .*paused' out && grep -q 'left .*running' out
verdict 'which is listed, and concerns nobody else'
pv unpause ticker && until_says "tick $((a + 20))" console --dump ticker
verdict 'and goes on where it was'
pv unpause ticker
[ $? = 2 ] && grep -q 'CONTROL_NOT_PAUSED' err && pv why host && grep -q 'CONTROL_NOT_PAUSED' out
verdict 'what the host is refused has a reason, too'

pv trace --machine m on switch --json disk && tr -d ' \n' <out | grep -q '"classes":\["switch","disk"\]' && until_says 'd2v0 *switch  *runs' trace --machine m && pv trace --machine m off && pv trace --json --machine m && grep -q '"class": "switch"' out
verdict 'the trace is switched on, shown, and off'

# -- console and store -----------------------------------------------------------------------------
pv store ls /local/domain/2 && grep -q '^name = "left"$' out && grep -q '^  availability = "online"$\|^    availability = "online"$' out
verdict 'the store is shown'
pv store write /tool/test 'a value' && pv store read /tool/test && [ "$(cat out)" = 'a value' ] &&
    pv store ls /tool --json && grep -q '"/tool/test": "a value"' out && pv store rm /tool/test && ! pv store read /tool/test &&
    pv store write --json /tool/test other && grep -q '"value": "other"' out && pv store rm --json /tool/test && grep -q '"value": null' out
verdict 'and changed'
pv shutdown left && pv store read /local/domain/2/control/shutdown && [ "$(cat out)" = poweroff ]
verdict 'a guest is asked to end'
printf 'one\nquit\n' | timeout 120 "$pvctl" console left >out 2>err && grep -q '^left: heard one$' out && grep -q '^left: heard quit$' out
verdict 'a guest is typed to until it ends'
pv console left && grep -q '^left: heard quit$' out && pv list && grep -q 'left .*powered off' out
verdict 'and what it printed is kept'
pv pause left
[ $? = 2 ] && grep -q 'has ended' err
verdict 'but it is over'
pv create --kernel "$builddir/examples/02-pagetables" --name pt && until_says 'pt .*powered off' list && pv why pt && grep -q 'PT_' out
verdict 'why a request of its was refused is told'
pv dmesg m && grep -q 'pt) powered off' out
verdict 'and the hypervisor spoke'

# -- guests come and go ----------------------------------------------------------------------------------
pv destroy pt && pv destroy left && pv list && ! grep -q 'left\|pt' out && grep -q 'ticker .*running' out
verdict 'what is destroyed is gone, and the machine goes on'
cycle() { pv create --kernel "$hello" --name x --mem 8M "$@" && pv destroy x; }
cycle && cycle --paused && before=$(free_memory m) && i=0
while [ "$i" -lt "$cycles" ] && cycle && cycle --paused; do i=$((i + 1)); done
after=$(free_memory m)
echo "free: $before, $after; cycles: $i" >out
# The store moves its nodes as it changes: they may be spread over a few pages more, or less.
[ $((before - after)) -le 16384 ] && [ "$i" = "$cycles" ]
verdict 'guests that come and go take nothing with them'

# -- clients that misbehave ---------------------------------------------------------------------------------
socket=$work/run/m/control
head -c 100000 /dev/urandom | timeout 10 socat -u - "UNIX-CONNECT:$socket" 2>/dev/null
printf 'pvrq\001\000\001\000' | timeout 10 socat -u - "UNIX-CONNECT:$socket" 2>/dev/null
pv pause ticker && pv unpause ticker
verdict 'rubbish and half a request are in nobody'\''s way'
stalled=
for _ in 1 2 3; do
    printf 'pvrq\001\000' | timeout 60 socat -u STDIN,ignoreeof "UNIX-CONNECT:$socket" 2>/dev/null &
    stalled="$stalled $!"
done
pv pause ticker && pv unpause ticker
verdict 'nor are clients that stop in the middle'
timeout 60 "$pvctl" console ticker >/dev/null 2>&1 </dev/null &
console=$!
kill -STOP $console
a=$(tick)
until_says "tick $((a + 20))" console --dump ticker && pv pause ticker && pv unpause ticker
verdict 'nor one that does not read'
kill -CONT $console
# shellcheck disable=SC2086
kill $console $stalled 2>/dev/null
i=0
while [ "$i" -lt 25 ] && pv store ls /tool; do i=$((i + 1)); done
[ "$i" = 25 ]
verdict 'more clients than there are numbers, one after the other'

# -- the end, and machines of run ------------------------------------------------------------------------------
pv down m && ! [ -e run/m ] && pv list && ! grep -q '^m ' out
verdict 'the machine is ended, and nothing is left of it'
pv pause ticker
[ $? = 2 ] && grep -q 'no machine is running; start one with pvctl up' err
verdict 'without a machine there is a cure'
timeout 120 "$pvctl" run --quiet --machine r --kernel "$echo" --name first --mem 16M --cmdline first >run.out 2>run.err </dev/null &
run=$!
until_says 'first .*running' list && pv create --kernel "$echo" --name second --cmdline second --mem 16M && pv destroy first &&
    pv list && grep -q 'second .*running' out && ! grep -q first out
verdict 'a guest joins those of pvctl run, and outlives them'
printf 'quit\n' | timeout 120 "$pvctl" console second >out 2>err && wait $run
verdict 'and the machine ends with its last guest, well'

# -- the end of a guest whose requests are on their way to a disk ------------------------------------------------
truncate -s 24M disk && truncate -s 1M another
pv up --machine d --kernel "$echo" --name keeper --mem 16M --disk disk,slice=0+8 && pv create --machine d --kernel "$disks" --name w --disk another
[ $? = 2 ] && grep -q 'is no disk of the machine "d"' err
verdict 'a machine has the disks that it was started with'
writer() { pv create --machine d --kernel "$disks" --name w --mem 16M --cmdline "fill=$1" --disk disk,slice=8+49144; }
pv trace --machine d on disk && i=0
while [ "$i" -lt 6 ] && writer Z && until_says 'goes to sector' trace --machine d && pv destroy --machine d w; do i=$((i + 1)); done
[ "$i" = 6 ] && pv list d && ! grep -q ' w ' out && grep -q 'keeper .*running' out
verdict 'guests are destroyed while they write'
writer Q && timeout 120 "$pvctl" console --machine d w >out 2>err </dev/null && grep -q 'filled, 0 failed, 0 bytes are not Q' out
verdict 'and the next one finds the disk in order'
pv top d && awk '$2 == "w" && $7 > 100 { ok = 1 } $2 == "keeper" && $7 != 0 { ok = 0 } END { exit !ok }' out &&
    pv top --json d && grep -q '"disk_requests": 0' out && grep -q '"cpu_share": [0-9]' out
verdict 'who used it is shown'
pv down d

# -- a channel without pvctl between: the shim itself is told rubbish ------------------------------------------
mkdir -p run/raw && : >run/raw/lock
timeout 120 flock run/raw/lock qemu-system-x86_64 -accel tcg -nodefaults -no-user-config -display none -no-reboot \
    -machine q35,memory-backend=ram -cpu max,-smap -m 256M \
    -object memory-backend-file,id=ram,size=256M,mem-path=run/raw/ram,share=on -serial file:raw.log \
    -chardev socket,id=control,path=run/raw/control,server=on,wait=off -device isa-debug-exit,iobase=0xf4,iosize=4 \
    -device virtio-serial-pci,disable-legacy=on,max_ports=1,vectors=4 -device virtconsole,chardev=control \
    -kernel "$builddir/hypervisor-shim/shim" -append noexit >raw.err 2>&1 &
raw=$!
until_says '^raw .*no guests' list raw
pv create --machine raw --kernel "$echo" --name ticker --cmdline tick --mem 16M
verdict 'pvctl speaks to the shim directly'
for bytes in 1 40 87 88 89 5000; do
    head -c $bytes /dev/urandom | timeout 10 socat -u - UNIX-CONNECT:run/raw/control 2>/dev/null
    printf 'pvrq\001\000\001\000' | timeout 10 socat -u - UNIX-CONNECT:run/raw/control 2>/dev/null
    pv pause --machine raw ticker && pv unpause --machine raw ticker || break
done
[ "$bytes" = 5000 ] && pv list raw && grep -q 'ticker .*running' out
verdict 'the shim finds the next request behind rubbish'
pv why --machine raw host && grep -q CONTROL_FRAME out
verdict 'and records it'
pv down raw && wait $raw
[ $? = 1 ]
verdict 'and powers off when it is told to'
echo "1..$n"
