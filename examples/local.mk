# SPDX-License-Identifier: MIT
#
# The examples' build: examples/NAME, one guest image each.
