#!/bin/sh
# SPDX-License-Identifier: MIT
# GRUB on real Xen, its disk from a dom0.
PEER=xen
export PEER
exec sh "${srcdir:?}/tests/guests/grub.sh"
