# SPDX-License-Identifier: MIT
#
# The benchmark: instructions for each operation, shim against Xen.
# `make bench` runs one image on both and writes tests/bench/report.json and a plot.

BENCH_IMAGE = tests/bench/bench
EXTRA_PROGRAMS += $(BENCH_IMAGE)

tests_bench_bench_SOURCES = tests/bench/bench.c tests/bench/bench.h tests/bench/handlers.S \
	tests/bench/rows_call.c tests/bench/rows_event.c tests/bench/rows_grant.c \
	tests/bench/rows_mmu.c tests/bench/rows_ring.c libpv/ring.c tests/bench/rows_space.c tests/bench/rows_trap.c
tests_bench_bench_CPPFLAGS = $(GUEST_RT_CPPFLAGS) -I$(top_srcdir)/tests/bench
tests_bench_bench_CFLAGS = $(GUEST_RT_CFLAGS)
tests_bench_bench_CCASFLAGS = $(GUEST_RT_CFLAGS)
tests_bench_bench_LDFLAGS = $(GUEST_RT_LDFLAGS)
tests_bench_bench_LDADD = $(GUEST_RT_LDADD)
tests_bench_bench_DEPENDENCIES = $(GUEST_RT_DEPS)

# The block benchmark, on libpv.
BENCH_BLOCK = tests/bench/block
EXTRA_PROGRAMS += $(BENCH_BLOCK)
tests_bench_block_SOURCES = tests/bench/block.c
tests_bench_block_CPPFLAGS = $(FREESTANDING_CPPFLAGS)
tests_bench_block_CFLAGS = $(EXAMPLE_CFLAGS)
tests_bench_block_LDFLAGS = $(EXAMPLE_LDFLAGS)
tests_bench_block_LDADD = libpv/libpv.a
tests_bench_block_DEPENDENCIES = $(EXAMPLE_DEPS)

# The counting plugin for QEMU: plain C with no header of QEMU's.
BENCH_PLUGIN = tests/bench/count.so
$(BENCH_PLUGIN): tests/bench/count.c
	$(AM_V_CCLD)$(MKDIR_P) tests/bench && $(CC) $(HOST_CPPFLAGS) $(HOST_CFLAGS) -fPIC -shared -o $@ \
	  $(srcdir)/tests/bench/count.c
CLEANFILES += $(BENCH_PLUGIN)

bench: all $(BENCH_IMAGE) $(BENCH_PLUGIN) tests/guests/netload $(BENCH_BLOCK)
	$(AM_V_at)$(TEST_ENV) BENCH_IMAGE=$(BENCH_IMAGE) BENCH_PLUGIN=$(BENCH_PLUGIN) sh $(top_srcdir)/tests/bench/report tests/bench
	@echo 'block: instructions for a request'
	$(AM_V_at)$(TEST_ENV) BENCH_BLOCK=$(BENCH_BLOCK) BENCH_PLUGIN=$(BENCH_PLUGIN) sh $(top_srcdir)/tests/bench/report-block tests/bench
	@echo 'Linux'
	$(AM_V_at)$(TEST_ENV) BENCH_PLUGIN=$(BENCH_PLUGIN) sh $(top_srcdir)/tests/bench/report-linux tests/bench
	@echo 'lmb of the small Unix: instructions for an operation'
	$(AM_V_at)$(TEST_ENV) sh $(top_srcdir)/tests/bench/report-unix tests/bench
	@echo 'network: instructions for a packet'
	$(AM_V_at)$(TEST_ENV) BENCH_NET=tests/guests/netload BENCH_PLUGIN=$(BENCH_PLUGIN) sh $(top_srcdir)/tests/bench/report-net tests/bench
	$(AM_V_at)$(TEST_ENV) sh $(top_srcdir)/tests/guests/netload.sh figures
.PHONY: bench
