#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The misbehaving guests on real Xen: what the shim kills, Xen must kill; what it bears, likewise.
: "${srcdir:=.}"
PEER=xen
export PEER
exec sh "$srcdir/tests/guests/rogue.sh"
