# SPDX-License-Identifier: MIT
#
# Guest tests: images that boot on the shim, and on Xen.
