#!/bin/sh
# SPDX-License-Identifier: MIT
# small.sh - a machine with 32 MiB: the shell, swap, the OOM killer.
# shellcheck source=tests/native/lib.sh
. "$srcdir/tests/native/lib.sh"
guest --timeout 200 --memory 32 -- 'free; usertests -t 60 swap_pressure memory_returns fork_* mmap_* cow_chain big_file'
ok 'memory tests in 32 MiB' same "$status" 0

# One process takes all memory (without swap, to be quick about it): it dies, the others do not.
guest --timeout 200 --memory 32 -- '
    swapoff -a
    sleep 300 & keep=$!
    sh -c "x=0123456789abcdef; while :; do x=\$x\$x; done" 2>/dev/null
    echo "hog: $?"
    kill -0 $keep && echo "the other one lives"
    usertests memory_returns'
ok 'the hog dies' out_has '^hog: \(137\|2\|1\)$'
ok 'the other process lives' out_has '^the other one lives$'
ok 'the machine works on' same "$status" 0
finish
