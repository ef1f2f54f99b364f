# SPDX-License-Identifier: MIT
#
# The library's build: libpv.a (for kernels in the top 2 GiB) and libpv-small.a (position
# independent, for any address), headers, linker script, pkg-config and CMake files.
# Amalgamation: `make amalgamation` writes amalgamation/pv.h and amalgamation/pv.c.

# Headers are installed as <pv/...>.
pvincludedir = $(includedir)/pv
pvinclude_HEADERS = \
	include/pv/batch.h \
	include/pv/console.h \
	include/pv/cpu.h \
	include/pv/event.h \
	include/pv/host.h \
	include/pv/hypercall.h \
	include/pv/pagetable.h \
	include/pv/pv.h \
	include/pv/sched.h \
	include/pv/start.h \
	include/pv/trap.h \
	include/pv/fpu.h \
	include/pv/grant.h \
	include/pv/memory.h \
	include/pv/ring.h \
	include/pv/space.h \
	include/pv/time.h \
	include/pv/vcpu.h \
	include/pv/types.h
pvabiincludedir = $(includedir)/pv/abi
pvabiinclude_HEADERS = \
	include/pv/abi/arch-x86_64.h \
	include/pv/abi/callback.h \
	include/pv/abi/console.h \
	include/pv/abi/cpuid.h \
	include/pv/abi/elfnote.h \
	include/pv/abi/errno.h \
	include/pv/abi/event_channel.h \
	include/pv/abi/features.h \
	include/pv/abi/grant_table.h \
	include/pv/abi/memory.h \
	include/pv/abi/nmi.h \
	include/pv/abi/physdev.h \
	include/pv/abi/sched.h \
	include/pv/abi/start_info.h \
	include/pv/abi/vcpu.h \
	include/pv/abi/version.h \
	include/pv/abi/xen.h

LIBPV_C = \
	libpv/batch.c \
	libpv/console.c \
	libpv/cpu.c \
	libpv/event.c \
	libpv/host.c \
	libpv/hypercall.c \
	libpv/pagetable.c \
	libpv/sched.c \
	libpv/start.c \
	libpv/fpu.c \
	libpv/grant.c \
	libpv/memory.c \
	libpv/ring.c \
	libpv/space.c \
	libpv/time.c \
	libpv/vcpu.c \
	libpv/trap.c

LIBPV_ASM = \
	libpv/x86_64/cpu.S \
	libpv/x86_64/hypercall.S \
	libpv/x86_64/mem.S \
	libpv/x86_64/start.S \
	libpv/x86_64/trap.S

lib_LIBRARIES += libpv/libpv.a libpv/libpv-small.a

libpv_libpv_a_SOURCES = $(LIBPV_C) $(LIBPV_ASM) libpv/internal.h
libpv_libpv_a_CPPFLAGS = $(FREESTANDING_CPPFLAGS)
libpv_libpv_a_CFLAGS = $(FREESTANDING_CFLAGS) $(KERNEL_MODEL_CFLAGS)
libpv_libpv_a_CCASFLAGS = $(FREESTANDING_CPPFLAGS) -g

libpv_libpv_small_a_SOURCES = $(libpv_libpv_a_SOURCES)
libpv_libpv_small_a_CPPFLAGS = $(FREESTANDING_CPPFLAGS)
libpv_libpv_small_a_CFLAGS = $(FREESTANDING_CFLAGS) $(SMALL_MODEL_CFLAGS) -fvisibility=hidden
libpv_libpv_small_a_CCASFLAGS = $(FREESTANDING_CPPFLAGS) -g

# The linker script of small kernels.
pvlddir = $(libdir)/libpv
pvld_DATA = libpv/pv.ld
EXTRA_DIST += libpv/pv.ld

# What build systems of others find us by. Directories are filled in here, where they are known.
pkgconfig_DATA += libpv/libpv.pc
cmakeconfig_DATA += libpv/libpv-config.cmake libpv/libpv-config-version.cmake
CLEANFILES += $(pkgconfig_DATA) $(cmakeconfig_DATA)
PV_FILL_IN = $(SED) -e 's|@prefix[@]|$(prefix)|' -e 's|@exec_prefix[@]|$(exec_prefix)|' \
	-e 's|@libdir[@]|$(libdir)|' -e 's|@includedir[@]|$(includedir)|' \
	-e 's|@PACKAGE_VERSION[@]|$(PACKAGE_VERSION)|' -e 's|@VERSION[@]|$(VERSION)|' \
	-e 's|@PV_PC_CFLAGS[@]|$(PV_PC_CFLAGS)|'

libpv/libpv.pc libpv/libpv-config.cmake libpv/libpv-config-version.cmake: libpv/%: $(top_srcdir)/libpv/%.in Makefile
	$(AM_V_GEN)$(MKDIR_P) libpv && $(PV_FILL_IN) $< >$@
