#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The start of day on real Xen: the same three images as on the shim.
: "${srcdir:=.}"
PEER=xen
export PEER
exec sh "$srcdir/tests/guests/boot.sh"
