# SPDX-License-Identifier: MIT
#
# The native kernel's build, and its port.
