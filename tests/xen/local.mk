# SPDX-License-Identifier: MIT
#
# The guests' tests on real Xen.
