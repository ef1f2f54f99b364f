#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's Linux on real Xen: the same files as on the shim.
PEER=xen
export PEER
exec sh "${srcdir:?}/tests/guests/linux.sh"
