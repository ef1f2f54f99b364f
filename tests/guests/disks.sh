#!/bin/sh
# SPDX-License-Identifier: MIT
#
# disks.sh - files as guests' disks: each guest fills what it was given (disks.c), and nothing
# else of the file has changed. TAP.
pvctl=${PVCTL:?} image=${builddir:?}/tests/guests/disks
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
. "${srcdir:?}/tests/tap.sh"
run() { "$pvctl" run --machine "disks-$$" --timeout 90 "$@" >out 2>&1 </dev/null; }
# sectors COUNT LETTER: so many sectors of it; of zeros, without a letter
sectors() {
    if [ -n "$2" ]; then
        head -c $(($1 * 512)) /dev/zero | tr '\000' "$2"
    else
        head -c $(($1 * 512)) /dev/zero
    fi
}
# Every line that WORDS match, as often as said.
says() { [ "$(grep -c "$2" out)" = "$1" ]; }

truncate -s 1M a
truncate -s 700K b
run --kernel "$image" --cmdline fill=A --disk a --disk b
verdict 'two disks, filled by many requests at a time'
says 1 'xvda: 2048 sectors of 512, filled, 0 failed, 0 bytes are not A, flush 0, beyond refused' &&
    says 1 'xvdb: 1400 sectors of 512, filled, 0 failed, 0 bytes are not B' && says 1 '^2 disks'
verdict 'they are xvda and xvdb, and read as they were written'
sectors 2048 A | cmp - a && sectors 1400 B | cmp - b
verdict 'the files hold what was written'

run --kernel "$image" --cmdline fill=A --disk a,ro
says 1 'xvda: 2048 sectors of 512, read-only, 0 failed, 0 bytes are not A' && says 0 WRITTEN &&
    sectors 2048 A | cmp - a
verdict 'a disk to be read only is'

truncate -s 0 a && truncate -s 1M a
run --kernel "$image" --cmdline fill=a --disk a,slice=64+100 --disk b,ro \
    --kernel "$image" --cmdline fill=k --disk a,slice=164+65 --disk b,ro \
    --kernel "$image" --cmdline fill=x --disk a,slice=2040+8
says 1 'xvda: 100 sectors.* 0 bytes are not a' && says 1 'xvda: 65 sectors.* 0 bytes are not k' &&
    says 1 'xvda: 8 sectors.* 0 bytes are not x'
verdict 'three guests share a file by slices'
{ sectors 64 && sectors 100 a && sectors 65 k && sectors 1811 && sectors 8 x; } | cmp - a
verdict 'none wrote beyond its slice'
says 2 'xvdb: 1400 sectors of 512, read-only, 0 failed'
verdict 'two of them read another file'

# A table of two partitions: 64+36 and 100+28; types 83, no boot flag.
truncate -s 0 a && truncate -s 1M a
printf '\0\0\0\0\203\0\0\0\100\0\0\0\044\0\0\0\0\0\0\0\203\0\0\0\144\0\0\0\034\0\0\0' |
    dd of=a bs=1 seek=446 conv=notrunc 2>/dev/null
printf '\125\252' | dd of=a bs=1 seek=510 conv=notrunc 2>/dev/null
head -c 512 a >table
run --kernel "$image" --cmdline fill=2 --disk a,part=2 --kernel "$image" --cmdline fill=1 --disk a,part=1
{ cat table && sectors 63 && sectors 36 1 && sectors 28 2 && sectors 1920; } | cmp - a
verdict 'two guests share a file by partitions'

! run --kernel "$image" --disk a,part=3 && says 1 'guest 1: disk=vda:3: vda has no partition 3'
verdict 'a partition that is not there is no guess'
! run --kernel "$image" --disk a,part=1 --kernel "$image" --disk a,slice=99+1,ro && says 1 'guest 2: disk=vda:99+1,ro: d1 (disks) has sectors of it, and one of the two writes'
verdict 'a slice of a partition that another writes is refused'
echo "1..$n"
