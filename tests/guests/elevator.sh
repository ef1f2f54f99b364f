#!/bin/sh
# SPDX-License-Identifier: MIT
#
# elevator.sh - guests ask for sectors all over their slices of one virtio disk, more than the disk
# takes at a time (disks.c, "seek"). The trace shows that requests overtake each other, that the way
# of the head gets shorter by it, and that all guests are served; and that of a guest with barriers
# no request crosses one. TAP.
pvctl=${PVCTL:?} image=${builddir:?}/tests/guests/disks
work=$(mktemp -d) || exit 1
cd "$work" || exit 1
export PVCTL_RUN="$work/run"
trap '"$pvctl" down e >/dev/null 2>&1; rm -rf "$work"' EXIT
. "${srcdir:?}/tests/tap.sh"
# As many records as there is room for, all of them later than those of the last time, in the file
# trace: what was recorded before it was switched off is still there, and between is a gap.
last=0
full() { awk -v last="$last" 'NR == 1 { later = $1 > last } END { exit !(NR >= 1000 && later) }' out; }
traced() {
    tries=0
    pv trace --machine e on disk || return
    until pv trace --machine e && full || [ $((tries += 1)) -gt 300 ]; do sleep 0.1; done
    pv trace --machine e off && pv trace --machine e && full && cp out trace && last=$(awk 'END { print $1 }' trace)
}

# A request is "asks", "goes", "done", each with its sector; no two that are under way have the same.
# Of those that came before the trace began there is no "asks": they are left out. Barriers are
# what d3 asks for in the first 64 sectors of its slice.
cat >order.awk <<'EOF'
function distance(a, b) { return a > b ? a - b : b - a }
$3 != "disk" { next }
{ sector = $(NF - 1) + 0; guest = substr($2, 1, 2); is_barrier = sector >= 32768 && sector < 32768 + 64 }
$4 == "asks" {
    id[sector] = ++asked; at[asked] = sector; owner[asked] = guest
    if (is_barrier) barriers[++fences] = asked
    next
}
!(sector in id) { next }
{ s = id[sector] }
$4 == "goes" {
    went++; came[went] = s; served[guest]++
    if (went > 1) way += distance(sector, last)
    last = sector
    if (s > newest) newest = s
    else overtaken++
    if (is_barrier) {
        checked++
        for (k = 1; k < s; k++) if (owner[k] == "d3" && !(k in finished)) crossed++
    } else if (guest == "d3")
        for (k = 1; k <= fences; k++) if (barriers[k] < s && !(barriers[k] in finished)) crossed++
}
$4 == "done" { finished[s] = 1; delete id[sector] }
END {
    # The same requests, in the order in which they came.
    for (i = 1; i <= went; i++) is[came[i]] = 1
    for (s = 1; s <= asked; s++) if (s in is) {
        if (before != "") naive += distance(at[s], before)
        before = at[s]
    }
    printf "%d %d %d %d %d %d %d %d\n", went, overtaken, way, naive, served["d1"], served["d2"], checked, crossed
}
EOF
ordered() {
    awk -f order.awk trace >numbers && read -r went overtaken way naive first second checked crossed <numbers
    echo "$went went, $overtaken overtaken; the head moved $way sectors, in order of arrival $naive; of the guests $first and $second; $checked barriers, $crossed crossed" >out
    : >err
}

truncate -s 24M disk
pv up --machine e --kernel "$image" --name a --mem 16M --cmdline seek --disk disk,slice=0+16384 &&
    pv create --machine e --kernel "$image" --name b --mem 16M --cmdline seek --disk disk,slice=16384+16384 &&
    until_says seeking console --dump --machine e a && until_says seeking console --dump --machine e b
verdict 'two guests ask for sectors here and there'
traced
verdict 'what the disk does is traced'
# On a host so busy that requests wait for longer than their deadline, they go in order of arrival:
# then the next records are looked at. Without an elevator none ever overtakes another.
rounds=0
until ordered && [ "$went" -gt 150 ] && [ "$overtaken" -gt $((went / 4)) ] && [ $((way * 4)) -lt $((naive * 3)) ]; do
    [ $((rounds += 1)) -le 60 ] && traced || break
done
[ "$overtaken" -gt $((went / 4)) ] && [ $((way * 4)) -lt $((naive * 3)) ]
verdict "of $went requests $overtaken are overtaken, and the head moves $way sectors instead of $naive"
[ "$first" -gt $((went / 4)) ] && [ "$second" -gt $((went / 4)) ]
verdict 'both guests are served'

pv create --machine e --kernel "$image" --name c --mem 16M --cmdline 'seek barriers' --disk disk,slice=32768+16384 &&
    until_says seeking console --dump --machine e c
verdict 'a third one has barriers'
sum=0 broken=0 rounds=0
while [ $sum -lt 10 ] && [ $((rounds += 1)) -le 60 ] && traced; do
    ordered
    sum=$((sum + checked)) broken=$((broken + crossed))
    [ "$broken" = 0 ] || break
done
[ $sum -ge 10 ] && [ $broken = 0 ]
verdict 'none of its requests crosses one'
echo "1..$n"
