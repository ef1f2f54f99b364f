#!/bin/sh
# SPDX-License-Identifier: MIT
# fuzz.sh - random system calls, FUZZ seconds of them; then the machine must still work.
# shellcheck source=tests/native/lib.sh
. "$srcdir/tests/native/lib.sh"
seconds=${FUZZ:-30} seed=${SEED:-$(date +%s)}
echo "# SEED=$seed"
guest --timeout $((seconds * 2 + 100)) -- "sysfuzz -t $seconds -s $seed && usertests fork_cow pipe tcp_echo big_file swap_pressure"
ok "the kernel survives $seconds s of random calls (SEED=$seed)" same "$status" 0
finish
