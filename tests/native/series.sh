#!/bin/sh
# SPDX-License-Identifier: MIT
# series.sh - the series: it applies, in both ways; it is what the scripts write back; and what
# does not apply is named, with the tree left as it was before.
# shellcheck source=tests/native/lib.sh
. "$srcdir/tests/native/lib.sh"
: >"$work/out"
src=$(cd "$srcdir" && pwd)
apply() { "$copy/guest-port/apply-patches" "$@" >"$work/out" 2>&1; }
refused() { ! apply "$@"; }
copy=$work/copy
mkdir -p "$copy/guest-port"
cp -R "$src/guest-port/kernel" "$src/guest-port/patches" "$src/guest-port/apply-patches" \
    "$src/guest-port/refresh-patches" "$copy/guest-port"
n=$(find "$copy/guest-port/patches" -name '*.patch' | wc -l)

ok 'the series applies' apply "$work/tree"
ok 'all of it' test -f "$work/tree/pv/mmu.c"
ok 'no patch is the native tree' apply -n 0 "$work/none"
ok 'as it is' diff -r "$work/none" "$copy/guest-port/kernel"
if command -v git >/dev/null; then
    export GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@localhost
    ok 'as commits, too' apply -g "$work/repo"
    ok 'which make the same tree' diff -r -x .git "$work/repo" "$work/tree"
    ok 'one for each patch' same "$(git -C "$work/repo" rev-list --count HEAD)" $((n + 1))
    cp -R "$copy/guest-port/patches" "$work/before"
    ok 'the series is written back' "$copy/guest-port/refresh-patches" "$work/repo"
    ok 'and is the same' diff -r "$work/before" "$copy/guest-port/patches"
    echo x >>"$work/repo/Makefile"
    # shellcheck disable=SC2016
    ok 'not with changes in no commit' sh -c '! "$1" "$2" 2>/dev/null' - "$copy/guest-port/refresh-patches" "$work/repo"
    # shellcheck disable=SC2016
    ok 'nor from what is no repository' sh -c '! "$1" "$2" 2>/dev/null' - "$copy/guest-port/refresh-patches" "$work/tree"
fi
ok 'bad usage' refused
ok 'a number that is none' refused -n x "$work/t"
mkdir "$work/other" && : >"$work/other/file"
ok 'a directory of something else is left alone' refused "$work/other"
ok 'with what is in it' test -f "$work/other/file"
sed -i 's/start_kernel/start_the_kernel/; s/higher_half/upper_half/; s/#define DIRECT_BASE/#define  DIRECT_BASE/' "$copy/guest-port/kernel/include/page.h"
ok 'a patch that does not apply any more' refused "$work/bad"
ok 'is named' out_has '0001-.*does not apply any more'
rm "$copy"/guest-port/patches/*
ok 'no series' refused "$work/bad"
finish
