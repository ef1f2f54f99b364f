# SPDX-License-Identifier: MIT
#
# The shim's build: one multiboot image, hypervisor-shim/shim, and the ISO around it.

# The portable rooms, one file to a line; the shim and the tests build from the same list.
SHIM_CORE_SOURCES =
# -- memory --
SHIM_CORE_SOURCES += \
	hypervisor-shim/core/frame.c \
	hypervisor-shim/core/pagetable.c \
	hypervisor-shim/core/mmu.c \
	hypervisor-shim/core/mmuext.c \
	hypervisor-shim/core/memory.c \
	hypervisor-shim/core/descriptor.c
