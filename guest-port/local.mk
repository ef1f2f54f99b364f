# SPDX-License-Identifier: MIT
#
# The native kernel's build, and its port.
#
# The kernel has a makefile of its own (guest-port/kernel/Makefile) and is always asked: it knows
# its sources by wildcard. Here are the programs that run on it (musl, static), the root image, and
# what `guest-port/run` needs on the host.
#
#   NATIVE_TESTS       make check-native   the native kernel in QEMU
#   NATIVE_SOAK_TESTS  make soak-native    long runs

guest_build = guest-port
guest_kernel = $(guest_build)/kernel/kernel.elf
guest_pv_tree = $(guest_build)/pv-tree
guest_pv_kernel = $(guest_build)/pv/kernel.elf
guest_tools = $(guest_build)/lmb $(guest_build)/sysfuzz $(guest_build)/soak $(guest_build)/ptyrun
guest_programs = $(guest_build)/usertests $(guest_tools)
guest_image = $(guest_build)/disk.img
GUEST_USER_CFLAGS = -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -static

noinst_PROGRAMS += guest-port/conwatch
guest_port_conwatch_SOURCES = guest-port/conwatch.c
guest_port_conwatch_CPPFLAGS = $(HOST_CPPFLAGS)
guest_port_conwatch_CFLAGS = $(HOST_CFLAGS)

noinst_DATA += $(guest_kernel) $(guest_pv_kernel)
if HAVE_MUSL
noinst_DATA += $(guest_image)
endif

# Without lwIP's sources the kernel is built all the same, with AF_UNIX sockets only.
$(guest_kernel): native-kernel
native-kernel:
	$(AM_V_at)lwip='$(LWIP_DIR)'; test -d "$$lwip/src/core" || lwip=; \
	  $(MAKE) -s -C $(srcdir)/guest-port/kernel O='$(abs_builddir)/$(guest_build)/kernel' LWIP="$$lwip" CC='$(CC)'
.PHONY: native-kernel

# The port: a copy of the native tree with the series on it, and the kernel that it makes with libpv.
guest_port_files = $(wildcard $(srcdir)/guest-port/patches/*.patch) $(srcdir)/guest-port/apply-patches \
	$(shell find $(srcdir)/guest-port/kernel -type f)

$(guest_build)/pv-tree.stamp: $(guest_port_files) $(srcdir)/guest-port/port.lint
	$(AM_V_GEN)$(srcdir)/guest-port/apply-patches $(guest_pv_tree) && \
	  cp $(srcdir)/guest-port/port.lint $(guest_pv_tree)/.pv-lint && touch $@

$(guest_pv_kernel): $(guest_build)/pv-tree.stamp libpv/libpv.a pv-kernel
pv-kernel: $(guest_build)/pv-tree.stamp libpv/libpv.a
	$(AM_V_at)lwip='$(LWIP_DIR)'; test -d "$$lwip/src/core" || lwip=; \
	  $(MAKE) -s -C $(guest_pv_tree) O='$(abs_builddir)/$(guest_build)/pv' LWIP="$$lwip" CC='$(CC)' \
	    PV='$(abs_builddir)/libpv/libpv.a' PV_INCLUDE="$$(cd $(srcdir) && pwd)/include"
.PHONY: pv-kernel

usertests_sources = $(wildcard $(srcdir)/guest-port/user/ut/*.c)

$(guest_build)/usertests: $(usertests_sources) $(wildcard $(srcdir)/guest-port/user/ut/*.h $(srcdir)/guest-port/user/ut/*.def)
	$(AM_V_CCLD)$(MKDIR_P) $(guest_build) && $(MUSL_GCC) $(GUEST_USER_CFLAGS) -o $@ $(usertests_sources)

$(guest_tools): $(guest_build)/%: $(srcdir)/guest-port/user/%.c
	$(AM_V_CCLD)$(MKDIR_P) $(guest_build) && $(MUSL_GCC) $(GUEST_USER_CFLAGS) -o $@ $<

guest_files = $(wildcard $(srcdir)/guest-port/etc/*) $(srcdir)/guest-port/mkroot

$(guest_image): $(guest_programs) $(guest_files)
	$(AM_V_GEN)$(srcdir)/guest-port/mkroot $(guest_build) $(guest_programs)

CLEAN_DIRS += $(guest_build)/kernel $(guest_build)/pv $(guest_pv_tree) $(guest_build)/root.tree
CLEANFILES += $(guest_build)/pv-tree.stamp $(guest_programs) $(guest_image) $(guest_build)/root.ext2 $(guest_build)/debugfs.log

NATIVE_TESTS =
NATIVE_SOAK_TESTS =

check-native: all $(check_PROGRAMS)
	$(AM_V_at)$(RUN_SUITE) check-native $(NATIVE_TESTS)

soak-native: all $(check_PROGRAMS)
	$(AM_V_at)SUITE_TIMEOUT=14400 $(RUN_SUITE) soak-native $(NATIVE_SOAK_TESTS)

# Both kernels, built and tested after each patch of the series.
check-series: all
	$(AM_V_at)LWIP='$(LWIP_DIR)' builddir='$(abs_builddir)' sh $(srcdir)/guest-port/check-series
.PHONY: check-native soak-native check-series
