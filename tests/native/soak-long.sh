#!/bin/sh
# SPDX-License-Identifier: MIT
# soak-long.sh - soak.sh for 600 seconds.
SOAK=${SOAK:-600} exec sh "$srcdir/tests/native/soak.sh"
