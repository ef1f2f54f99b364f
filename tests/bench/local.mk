# SPDX-License-Identifier: MIT
#
# The benchmark: instructions for each operation, shim against Xen.
