# SPDX-License-Identifier: MIT
#
# The examples' build: examples/NAME, one guest image each, from one file each.

EXAMPLES = \
	examples/01-hello \
	examples/02-pagetables \
	examples/03-traps-and-user-mode \
	examples/04-events \
	examples/05-ring \
	examples/06-time \
	examples/07-store \
	examples/08-block \
	examples/09-net

noinst_PROGRAMS += $(EXAMPLES)

EXAMPLE_CFLAGS = $(FREESTANDING_CFLAGS) $(KERNEL_MODEL_CFLAGS)
EXAMPLE_LDFLAGS = $(FREESTANDING_LDFLAGS) -Wl,-T,$(top_srcdir)/libpv/pv.ld
EXAMPLE_DEPS = libpv/libpv.a $(top_srcdir)/libpv/pv.ld

examples_01_hello_SOURCES = examples/01-hello.c
examples_01_hello_CPPFLAGS = $(FREESTANDING_CPPFLAGS)
examples_01_hello_CFLAGS = $(EXAMPLE_CFLAGS)
examples_01_hello_LDFLAGS = $(EXAMPLE_LDFLAGS)
examples_01_hello_LDADD = libpv/libpv.a
examples_01_hello_DEPENDENCIES = $(EXAMPLE_DEPS)

examples_02_pagetables_SOURCES = examples/02-pagetables.c
examples_02_pagetables_CPPFLAGS = $(FREESTANDING_CPPFLAGS)
examples_02_pagetables_CFLAGS = $(EXAMPLE_CFLAGS)
examples_02_pagetables_LDFLAGS = $(EXAMPLE_LDFLAGS)
examples_02_pagetables_LDADD = libpv/libpv.a
examples_02_pagetables_DEPENDENCIES = $(EXAMPLE_DEPS)

examples_03_traps_and_user_mode_SOURCES = examples/03-traps-and-user-mode.c
examples_03_traps_and_user_mode_CPPFLAGS = $(FREESTANDING_CPPFLAGS)
examples_03_traps_and_user_mode_CFLAGS = $(EXAMPLE_CFLAGS)
examples_03_traps_and_user_mode_LDFLAGS = $(EXAMPLE_LDFLAGS)
examples_03_traps_and_user_mode_LDADD = libpv/libpv.a
examples_03_traps_and_user_mode_DEPENDENCIES = $(EXAMPLE_DEPS)

examples_04_events_SOURCES = examples/04-events.c
examples_04_events_CPPFLAGS = $(FREESTANDING_CPPFLAGS)
examples_04_events_CFLAGS = $(EXAMPLE_CFLAGS)
examples_04_events_LDFLAGS = $(EXAMPLE_LDFLAGS)
examples_04_events_LDADD = libpv/libpv.a
examples_04_events_DEPENDENCIES = $(EXAMPLE_DEPS)

examples_05_ring_SOURCES = examples/05-ring.c
examples_05_ring_CPPFLAGS = $(FREESTANDING_CPPFLAGS)
examples_05_ring_CFLAGS = $(EXAMPLE_CFLAGS)
examples_05_ring_LDFLAGS = $(EXAMPLE_LDFLAGS)
examples_05_ring_LDADD = libpv/libpv.a
examples_05_ring_DEPENDENCIES = $(EXAMPLE_DEPS)

examples_06_time_SOURCES = examples/06-time.c
examples_06_time_CPPFLAGS = $(FREESTANDING_CPPFLAGS)
examples_06_time_CFLAGS = $(EXAMPLE_CFLAGS)
examples_06_time_LDFLAGS = $(EXAMPLE_LDFLAGS)
examples_06_time_LDADD = libpv/libpv.a
examples_06_time_DEPENDENCIES = $(EXAMPLE_DEPS)

examples_07_store_SOURCES = examples/07-store.c
examples_07_store_CPPFLAGS = $(FREESTANDING_CPPFLAGS)
examples_07_store_CFLAGS = $(EXAMPLE_CFLAGS)
examples_07_store_LDFLAGS = $(EXAMPLE_LDFLAGS)
examples_07_store_LDADD = libpv/libpv.a
examples_07_store_DEPENDENCIES = $(EXAMPLE_DEPS)

examples_08_block_SOURCES = examples/08-block.c
examples_08_block_CPPFLAGS = $(FREESTANDING_CPPFLAGS)
examples_08_block_CFLAGS = $(EXAMPLE_CFLAGS)
examples_08_block_LDFLAGS = $(EXAMPLE_LDFLAGS)
examples_08_block_LDADD = libpv/libpv.a
examples_08_block_DEPENDENCIES = $(EXAMPLE_DEPS)

examples_09_net_SOURCES = examples/09-net.c
examples_09_net_CPPFLAGS = $(FREESTANDING_CPPFLAGS)
examples_09_net_CFLAGS = $(EXAMPLE_CFLAGS)
examples_09_net_LDFLAGS = $(EXAMPLE_LDFLAGS)
examples_09_net_LDADD = libpv/libpv.a
examples_09_net_DEPENDENCIES = $(EXAMPLE_DEPS)

# Two guests that talk: names its kernel relative to itself, so it belongs beside it.
noinst_DATA += examples/05-ring.json
EXTRA_DIST += examples/05-ring.json.in
CLEANFILES += examples/05-ring.json
examples/05-ring.json: examples/05-ring.json.in
	$(AM_V_GEN)$(MKDIR_P) examples && cp $< $@

# The template has a makefile of its own, since it is made to be copied; it is always asked.
template_dir = examples/template-kernel
template_images = $(template_dir)/native.elf $(template_dir)/pv.elf
noinst_DATA += $(template_images)
CLEAN_DIRS += $(template_dir)/native $(template_dir)/pv
CLEANFILES += $(template_images) $(template_dir)/*.[od]
$(template_images): template-kernel
template-kernel: libpv/libpv.a
	$(AM_V_at)$(MAKE) -s -C $(srcdir)/$(template_dir) O='$(abs_builddir)/$(template_dir)' CC='$(CC)' \
	  LIBPV_CFLAGS='-I$(abs_top_srcdir)/include' LIBPV_LIBS='$(abs_builddir)/libpv/libpv.a' \
	  LIBPV_LDS='$(abs_top_srcdir)/libpv/pv.ld'
.PHONY: template-kernel
