# SPDX-License-Identifier: MIT
#
# libpv as kernels use it: linked at all kinds of addresses. (Built from an installed prefix:
# tests/guests/install.sh.)
GUEST_TESTS += tests/install/addresses.sh
XEN_TESTS += tests/install/addresses_xen.sh
