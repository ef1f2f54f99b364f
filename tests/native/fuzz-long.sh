#!/bin/sh
# SPDX-License-Identifier: MIT
# fuzz-long.sh - fuzz.sh for 1800 seconds.
FUZZ=${FUZZ:-1800} exec sh "$srcdir/tests/native/fuzz.sh"
