#!/bin/sh
# SPDX-License-Identifier: MIT
#
# soak.sh - the block back-end's exhaustive and random tests at full length.
CRASH_LENGTH=6 CRASH_ROUNDS=5000 BLOCK_STEPS=400000 exec "${builddir:-.}/tests/unit/backend/block"
