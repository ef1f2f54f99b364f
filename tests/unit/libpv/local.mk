# SPDX-License-Identifier: MIT
#
# libpv by itself: its bookkeeping against a hypervisor of straw, what its types refuse, and what
# the library looks like from outside.
HOST_TESTS += tests/unit/libpv/exports.sh tests/unit/libpv/mustnot.sh
check_DATA += libpv/libpv.a libpv/libpv-small.a

# The library's C, sanitized. Whoever links it has pv_trap() and the processor's few instructions.
check_LIBRARIES += tests/unit/libpv/libpv-hosted.a
tests_unit_libpv_libpv_hosted_a_SOURCES = $(LIBPV_C) tests/unit/libpv/noasm.c
tests_unit_libpv_libpv_hosted_a_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_libpv_libpv_hosted_a_CFLAGS = $(TEST_CFLAGS)

if HAVE_CRITERION
check_PROGRAMS += tests/unit/libpv/libpv
HOST_TESTS += tests/unit/libpv/libpv
tests_unit_libpv_libpv_SOURCES = tests/unit/libpv/block.c tests/unit/libpv/disk.c \
	tests/unit/libpv/disk.h tests/unit/libpv/events.c tests/unit/libpv/fake.c \
	tests/unit/libpv/fake.h tests/unit/libpv/memory.c tests/unit/libpv/net.c tests/unit/libpv/ring.c \
	tests/unit/libpv/store.c tests/unit/libpv/text.c tests/unit/libpv/world.c \
	tests/unit/libpv/world.h
tests_unit_libpv_libpv_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_libpv_libpv_CFLAGS = $(TEST_CFLAGS)
tests_unit_libpv_libpv_LDFLAGS = $(TEST_LDFLAGS)
tests_unit_libpv_libpv_LDADD = tests/unit/libpv/libpv-hosted.a $(TEST_LIBS)
endif
