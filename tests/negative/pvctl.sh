#!/bin/sh
# SPDX-License-Identifier: MIT
#
# pvctl against bad input, from outside: each case must end with status 2 before any
# machine is started, and with exactly one sentence that names the thing and its cure. TAP.

pvctl=${PVCTL:?} builddir=${builddir:?}
image=$builddir/tests/guests/smoke
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export PVCTL_RUN="$work/run" PVCTL_QEMU=/bin/false
n=0

# refuse WHAT WORDS ARGUMENTS... - WORDS is a basic regular expression.
refuse() {
    what=$1 words=$2
    shift 2
    n=$((n + 1))
    "$pvctl" "$@" >out 2>err </dev/null
    rc=$?
    if [ $rc = 2 ] && [ "$(wc -l <err)" = 1 ] && grep -q "^pvctl: .*$words" err && [ ! -s out ]; then
        echo "ok $n - $what"
    else
        echo "not ok $n - $what: status $rc, and it said:"
        sed 's/^/# /' out err
    fi
}

image() { refuse "image: $1" "$3" run --kernel "$2"; }
config() {
    printf '%s' "$2" >c.json
    refuse "config: $1" "$3" run c.json
}
patch() { # FILE OFFSET BYTES: a copy of the good image with some bytes changed
    cp "$image" "$1"
    # shellcheck disable=SC2059  # octal escapes
    printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# -- images ---------------------------------------------------------------------
: >empty
echo 'hello, world, this is not a kernel' >text
head -c 40 "$image" >cut-header
head -c 5000 "$image" >cut-segment
head -c $(($(wc -c <"$image") - 1)) "$image" >nearly-whole
gzip -c "$image" >packed
patch elf32 4 '\001'
patch arm 18 '\267\000'
patch object 16 '\001\000'
mkdir dir
echo 'int main(void) { return 0; }' >plain.c
${CC:-cc} -o no-notes plain.c

image 'is not there' nowhere 'nowhere: cannot be read (No such file'
image 'is a directory' dir 'dir: is a directory'
image 'is empty' empty 'empty: the file is empty'
image 'is not ELF' text 'text: not an ELF file'
image 'is compressed' packed 'packed: .*gunzip'
image 'is cut within the header' cut-header 'cut-header: truncated within the ELF header'
image 'is cut within a segment' cut-segment 'cut-segment: truncated: '
image 'is 32-bit' elf32 'elf32: not a 64-bit ELF file'
image 'is for another machine' arm 'arm: an ELF file for another machine'
image 'is not linked' object 'object: an object file'
image 'has no Xen notes' no-notes 'no-notes: .*without Xen notes'
refuse 'image: does not fit' 'needs [0-9]* MiB .* the guest has 2 MiB.*--mem' run --kernel "$image" --mem 2M
refuse 'ramdisk: is not there' 'nowhere: cannot be read' run --kernel "$image" --ramdisk nowhere
refuse 'check tells the same' 'elf32: not a 64-bit ELF file' check elf32
# A file whose loaded part is whole boots, though a tail of debug information is missing.
n=$((n + 1))
if "$pvctl" check nearly-whole >/dev/null 2>&1; then
    echo "ok $n - image: only its debug information is cut"
else
    echo "not ok $n - image: only its debug information is cut"
fi

# -- configurations -----------------------------------------------------------------
config 'is not JSON' '{ "guests": [' 'c.json:1:[0-9]*: '
config 'is empty' '' 'c.json:'
config 'has an unknown key' '{"guests":[{"kernel":"k"}],"color":1}' 'unknown key "color"'
config 'has an unknown guest key' '{"guests":[{"kernel":"k","disc":"d"}]}' 'guests\[0\]" has the unknown key "disc"'
config 'has a wrong type' '{"guests":[{"kernel":["k"]}]}' 'guests\[0\].kernel" is an array'
config 'has a double key' '{"guests":[{"kernel":"k","mem":"64M","mem":"32M"}]}' 'duplicate.*remove one'
config 'has two guests of one name' \
    '{"guests":[{"kernel":"'"$image"'","name":"a"},{"kernel":"'"$image"'","name":"a"}]}' 'both named "a"'
config 'has a size of banana' '{"guests":[{"kernel":"k","mem":"banana"}]}' '"banana" is not a size'
config 'has a size of 1k' '{"guests":[{"kernel":"'"$image"'","mem":"1k"}]}' 'too little'
config 'has no guests' '{"guests":[]}' '"guests" is empty'
config 'has too many guests' \
    "{\"guests\":[$(yes '{"kernel":"k"},' | head -64 | tr -d '\n'){\"kernel\":\"k\"}]}" 'up to 64'
config 'wants more memory than there is' \
    '{"memory":"64M","guests":[{"kernel":"'"$image"'","mem":"128M"}]}' 'the machine has 64 MiB'
refuse 'config: is a kernel' 'write --kernel' run "$image"
refuse 'config: is not there' 'none.json: cannot be read' run none.json

# -- disks -------------------------------------------------------------------------------
disk() { # WHAT WORDS VALUE...: one guest with these disks
    what=$1 words=$2
    shift 2
    for value; do
        set -- "$@" --disk "$value"
        shift
    done
    refuse "disk: $what" "$words" run --kernel "$image" "$@"
}
truncate -s 1M d.img
ln d.img same.img
ln -s d.img link.img
mkfifo pipe
head -c 1000 /dev/zero >odd
disk 'is not there' 'nowhere: cannot be read (No such file' nowhere
disk 'is a directory' 'dir: is a directory; give a disk image' dir
disk 'is a directory, to be read' 'dir: is a directory; give a disk image' dir,ro
disk 'is a pipe' 'pipe: is neither a file nor a disk' pipe
disk 'is a terminal' 'null: is neither a file nor a disk' /dev/null
disk 'is empty' 'empty: the file is empty; .*truncate' empty
disk 'has part of a sector' 'odd: its 1000 bytes are not whole sectors.*truncate -s %512 odd' odd
disk 'has no name' 'names no file' ,ro
disk 'has a comma too many' 'd.img,rw: cannot be read' d.img,rw
disk 'has no such partition number' '"part=0" does not name a partition' d.img,part=0
disk 'has half a slice' '"slice=8" is not a slice' d.img,slice=8
disk 'has an empty slice' '"slice=8+0" is not a slice' d.img,slice=8+0
disk 'has a slice beyond its end' 'has 2048 sectors, and slice=2047+2 ends beyond' d.img,slice=2047+2
disk 'has a slice and a partition' 'both a partition and a slice' d.img,slice=8+8,part=1
disk 'is twice the same' 'guests smoke and smoke both have it, and one of them writes; add ,ro' d.img d.img
disk 'is the same by another name' 'one of them writes' d.img same.img,ro
disk 'is the same through a link' 'one of them writes' link.img,ro d.img
disk 'has slices that overlap' 'one of them writes' d.img,slice=0+9 d.img,ro,slice=8+8
disk 'has one partition twice' 'one of them writes' d.img,part=1,ro d.img,part=1
disk 'are too many' '--disk: more than 16 disks' d.img,ro d.img,ro d.img,ro d.img,ro d.img,ro d.img,ro \
    d.img,ro d.img,ro d.img,ro d.img,ro d.img,ro d.img,ro d.img,ro d.img,ro d.img,ro d.img,ro d.img,ro
refuse 'disk: belongs to no guest' 'comes before any --kernel' run --disk d.img --kernel "$image"
refuse 'disk: two guests write it' 'guests left and right both have it' run --kernel "$image" --name left \
    --disk d.img --kernel "$image" --name right --disk same.img
refuse 'disk: on Xen alone' 'nobody serves a disk' run --on xen --as dom0 --kernel "$image" --disk d.img
config 'has a disk that is a number' '{"guests":[{"kernel":"'"$image"'","disks":[1]}]}' '"guests\[0\].disks" is a number'
config 'has a disk that is no list' '{"guests":[{"kernel":"'"$image"'","disks":"d.img"}]}' '"guests\[0\].disks" is a string; it must be an array'
config 'has a disk that is not there' '{"guests":[{"kernel":"'"$image"'","disks":["no.img"]}]}' '/no.img: cannot be read'
# Rights can be missing only for somebody who is not root; whoever that is may read what is here.
chmod 755 .
cp "$pvctl" pvctl && cp "$image" image && chmod 755 pvctl image
if [ "$(id -u)" = 0 ]; then
    as='setpriv --reuid 65534 --clear-groups'
else
    as=''
fi
# rights WHAT MODE WORDS VALUE
rights() {
    n=$((n + 1))
    chmod "$2" d.img
    if $as ./pvctl run --kernel image --disk "$4" >out 2>err </dev/null; then
        echo "not ok $n - $1"
    elif [ "$(wc -l <err)" = 1 ] && grep -q "^pvctl: .*$3" err; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1:"
        sed 's/^/# /' err
    fi
}
rights 'disk: may not be written' 444 'd.img: cannot be written (Permission denied); add ,ro' "$work/d.img"
rights 'disk: may not be read' 000 'd.img: cannot be read (Permission denied)' "$work/d.img,ro"
chmod 644 d.img

# -- networks ------------------------------------------------------------------------------
net() { refuse "net: $1" "$2" run --kernel "$image" --net "$3"; }
net 'of no kind' '--net: "tap" is none of user, switch and none' tap
net 'of no kind, but close' '"users" is none of' users
net 'none with an address' '"mac=00:16:3e:00:00:01" has no meaning there' none,mac=00:16:3e:00:00:01
net 'forwards from a switch' '"hostfwd=8080:80" has no meaning there' switch,hostfwd=8080:80
net 'forwards half' '"hostfwd=8080" is not a pair of ports' user,hostfwd=8080
net 'forwards from nowhere' 'is not a pair of ports' user,hostfwd=0:80
net 'forwards too high' 'is not a pair of ports' user,hostfwd=8080:65536
net 'forwards from another address' 'is not a pair of ports' user,hostfwd=0.0.0.0:8080:80
net 'forwards one port twice' 'port 18089 is forwarded twice' user,hostfwd=18089:80,hostfwd=18089:81
net 'has a group for an address' 'is no card.s address' switch,mac=01:16:3e:00:00:01
net 'has half an address' 'is no card.s address' switch,mac=00:16:3e
net 'has an address with dashes' 'is no card.s address' switch,mac=00-16-3e-00-00-01
net 'has a rate of banana' '"rate=banana" is not a size' switch,rate=banana
net 'has a word too many' '"fast" has no meaning there' switch,fast
refuse 'net: twice' '--net is given twice' run --kernel "$image" --net switch --net user
refuse 'net: two of one address' 'both have the address 00:16:3E:00:00:01' run \
    --kernel "$image" --name left --net switch,mac=00:16:3e:00:00:01 \
    --kernel "$image" --name right --net switch,mac=00:16:3E:00:00:01
refuse 'net: on Xen alone' 'nobody serves a network card' run --on xen --as dom0 --kernel "$image" --net switch
config 'has a network that is an object' '{"guests":[{"kernel":"'"$image"'","net":{}}]}' '"net" is an object\|net" is an object'

# -- usage -----------------------------------------------------------------------------
refuse 'unknown command' 'fly is not a command' fly
refuse 'unknown option' '--fly is not an option' run --fly
refuse 'size of banana' '--mem: "banana" is not a size' run --kernel "$image" --mem banana
refuse 'size of 1k' 'too little' run --kernel "$image" --mem 1k
refuse 'nothing to run' 'nothing to run' run
refuse 'two guests as dom0' 'one guest' run --on xen --as dom0 --kernel "$image" --kernel "$image"
refuse 'no such machine' 'no machine "m"' list m
refuse 'nothing to look at' 'no machine is running' why
refuse 'log of nothing' 'no machine is running' dmesg
PVCTL_XEN=$work/none refuse 'no Xen' 'run ./quickstart build' run --on xen --kernel "$image"
PVCTL_SHIM=$work/none refuse 'no shim' 'the shim.s image cannot be read' run --kernel "$image"
PVCTL_XEN=$work/packed refuse 'packed Xen' 'unpack it with gunzip' run --on xen --kernel "$image"
PVCTL_XEN=$image refuse 'console cannot be written' '--console: dir: cannot be written\|--console: dir cannot be written' \
    run --on xen --kernel "$image" --console dir

# -- a running machine, where there is none, and what it is not asked for --------------------------
for c in 'create --kernel '"$image" 'destroy g' 'pause g' 'unpause g' 'shutdown g' 'store ls' down; do
    # shellcheck disable=SC2086  # a command and its arguments
    refuse "${c%% *}: no machine" 'no machine is running; start one with pvctl up' $c
done
refuse 'create: no such machine' 'no machine "m"' create --machine m --kernel "$image"
refuse 'create: nothing' 'nothing to create' create
refuse 'create: a machine.s option' '--cpu is about a machine' create --kernel "$image" --cpu max
refuse 'create: a forwarded port' 'hostfwd= is about a machine' create --kernel "$image" --net user,hostfwd=8080:80
refuse 'create: no such file' 'nowhere: cannot be read' create --kernel nowhere
for c in destroy pause unpause shutdown; do
    refuse "$c: whom?" "$c wants a guest" $c
    refuse "$c: two" "$c: b is one too many" $c a b
    refuse "$c: an option" '--now is not an option' $c --now a
done
refuse 'store: what?' 'store wants ls' store
refuse 'store: read what?' 'store wants ls' store read
refuse 'store: write what?' 'store wants ls' store write /a
refuse 'store: which machine?' 'machine wants a name' store ls --machine
refuse 'store: no such thing' 'store wants ls' store eat /a
refuse 'trace: no such class' 'no class banana' trace on banana
refuse 'trace: on what?' 'trace on wants a class' trace on
refuse 'trace: off what?' 'takes nothing behind it' trace off disk
refuse 'up: on Xen' 'up is about the shim' up --on xen
refuse 'up: an option' '--fly is not an option' up --fly
echo "1..$n"
