# SPDX-License-Identifier: MIT
#
# The shim's build: one multiboot image, hypervisor-shim/shim, and the ISO around it.
