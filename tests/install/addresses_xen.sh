#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The same kernels at the same addresses, on real Xen.
ADDRESSES_PEER=xen exec sh "${srcdir:?}/tests/install/addresses.sh"
