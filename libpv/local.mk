# SPDX-License-Identifier: MIT
#
# The library's build: libpv.a (for kernels in the top 2 GiB) and libpv-small.a (position
# independent, for any address), headers, linker script, pkg-config and CMake files.
# Amalgamation: `make amalgamation` writes amalgamation/pv.h and amalgamation/pv.c.

# Headers are installed as <pv/...>.
pvincludedir = $(includedir)/pv
pvinclude_HEADERS = \
	include/pv/batch.h \
	include/pv/block.h \
	include/pv/console.h \
	include/pv/cpu.h \
	include/pv/event.h \
	include/pv/host.h \
	include/pv/hypercall.h \
	include/pv/net.h \
	include/pv/pagetable.h \
	include/pv/pv.h \
	include/pv/sched.h \
	include/pv/start.h \
	include/pv/trap.h \
	include/pv/fpu.h \
	include/pv/grant.h \
	include/pv/memory.h \
	include/pv/netflip.h \
	include/pv/ring.h \
	include/pv/space.h \
	include/pv/suspend.h \
	include/pv/time.h \
	include/pv/tree.h \
	include/pv/vcpu.h \
	include/pv/xenbus.h \
	include/pv/xenstore.h \
	include/pv/types.h
pvabiincludedir = $(includedir)/pv/abi
pvabiinclude_HEADERS = \
	include/pv/abi/arch-x86_64.h \
	include/pv/abi/blkif.h \
	include/pv/abi/callback.h \
	include/pv/abi/console.h \
	include/pv/abi/cpuid.h \
	include/pv/abi/elfnote.h \
	include/pv/abi/errno.h \
	include/pv/abi/event_channel.h \
	include/pv/abi/features.h \
	include/pv/abi/grant_table.h \
	include/pv/abi/memory.h \
	include/pv/abi/netif.h \
	include/pv/abi/nmi.h \
	include/pv/abi/physdev.h \
	include/pv/abi/sched.h \
	include/pv/abi/start_info.h \
	include/pv/abi/vcpu.h \
	include/pv/abi/version.h \
	include/pv/abi/xen.h \
	include/pv/abi/xenbus.h \
	include/pv/abi/xenstore.h

LIBPV_C = \
	libpv/batch.c \
	libpv/block.c \
	libpv/block_connect.c \
	libpv/console.c \
	libpv/cpu.c \
	libpv/event.c \
	libpv/host.c \
	libpv/hypercall.c \
	libpv/pagetable.c \
	libpv/sched.c \
	libpv/suspend.c \
	libpv/start.c \
	libpv/fpu.c \
	libpv/grant.c \
	libpv/memory.c \
	libpv/net.c \
	libpv/net_connect.c \
	libpv/ring.c \
	libpv/space.c \
	libpv/tree.c \
	libpv/time.c \
	libpv/vcpu.c \
	libpv/xenbus.c \
	libpv/xenstore.c \
	libpv/trap.c

LIBPV_ASM = \
	libpv/x86_64/cpu.S \
	libpv/x86_64/hypercall.S \
	libpv/x86_64/mem.S \
	libpv/x86_64/start.S \
	libpv/x86_64/trap.S

# No padding before functions and branches: a tenth of the library would be that.
LIBPV_DENSE = -falign-functions=4 -fno-align-loops -fno-align-jumps -fno-align-labels

lib_LIBRARIES += libpv/libpv.a libpv/libpv-small.a

libpv_libpv_a_SOURCES = $(LIBPV_C) $(LIBPV_ASM) libpv/internal.h libpv/xenbus.def
libpv_libpv_a_CPPFLAGS = $(FREESTANDING_CPPFLAGS)
libpv_libpv_a_CFLAGS = $(FREESTANDING_CFLAGS) $(KERNEL_MODEL_CFLAGS) $(LIBPV_DENSE)
libpv_libpv_a_CCASFLAGS = $(FREESTANDING_CPPFLAGS) -g

libpv_libpv_small_a_SOURCES = $(libpv_libpv_a_SOURCES)
libpv_libpv_small_a_CPPFLAGS = $(FREESTANDING_CPPFLAGS)
libpv_libpv_small_a_CFLAGS = $(FREESTANDING_CFLAGS) $(SMALL_MODEL_CFLAGS) $(LIBPV_DENSE) \
	-fvisibility=hidden
libpv_libpv_small_a_CCASFLAGS = $(FREESTANDING_CPPFLAGS) -g

# The linker script of small kernels.
pvlddir = $(libdir)/libpv
pvld_DATA = libpv/pv.ld
EXTRA_DIST += libpv/pv.ld

# What a kernel's compiler and linker are told, by pkg-config and by CMake.
PV_CFLAGS = -std=gnu11 -ffreestanding -mno-red-zone -mgeneral-regs-only -fno-stack-protector \
	-fcf-protection=none -fno-asynchronous-unwind-tables
PV_LDFLAGS = $(FREESTANDING_LDFLAGS)
PV_SUBST = sed -e 's|%prefix%|$(prefix)|g' -e 's|%exec_prefix%|$(exec_prefix)|g' \
	-e 's|%libdir%|$(libdir)|g' -e 's|%includedir%|$(includedir)|g' \
	-e 's|%version%|$(VERSION)|g' -e 's|%freestanding%|$(PV_CFLAGS)|g' \
	-e 's|%kernel%|$(KERNEL_MODEL_CFLAGS)|g' -e 's|%small%|$(SMALL_MODEL_CFLAGS)|g' \
	-e 's|%ldflags%|$(PV_LDFLAGS)|g'

pkgconfig_DATA += libpv/libpv.pc
cmakeconfig_DATA += libpv/libpv-config.cmake libpv/libpv-config-version.cmake
CLEANFILES += $(pkgconfig_DATA) $(cmakeconfig_DATA)
EXTRA_DIST += libpv/libpv.pc.in libpv/libpv-config.cmake.in libpv/libpv-config-version.cmake.in

libpv/libpv.pc: libpv/libpv.pc.in Makefile
	$(AM_V_GEN)$(MKDIR_P) libpv && $(PV_SUBST) $< >$@
libpv/libpv-config.cmake: libpv/libpv-config.cmake.in Makefile
	$(AM_V_GEN)$(MKDIR_P) libpv && $(PV_SUBST) $< >$@
libpv/libpv-config-version.cmake: libpv/libpv-config-version.cmake.in Makefile
	$(AM_V_GEN)$(MKDIR_P) libpv && $(PV_SUBST) $< >$@

# All of libpv in two files.
amalgamation:
	$(AM_V_GEN)CC='$(CC)' sh $(top_srcdir)/libpv/amalgamate.sh $(top_srcdir) amalgamation
.PHONY: amalgamation
EXTRA_DIST += libpv/amalgamate.sh
CLEAN_DIRS += amalgamation
