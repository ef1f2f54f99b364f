# SPDX-License-Identifier: MIT
#
# Pair tests: libpv and the core meet in one process.
PAIR_SOURCES = tests/pair/pair.c tests/pair/pair.h
PAIR_LIBS = tests/unit/libpv/libpv-hosted.a tests/support/libhosted.a

check_PROGRAMS += tests/pair/libpv tests/pair/devices
HOST_TESTS += tests/pair/libpv tests/pair/devices
tests_pair_libpv_SOURCES = tests/pair/libpv.c $(PAIR_SOURCES)
tests_pair_libpv_CPPFLAGS = $(TEST_CPPFLAGS)
tests_pair_libpv_CFLAGS = $(TEST_CFLAGS)
tests_pair_libpv_LDFLAGS = $(TEST_LDFLAGS)
tests_pair_libpv_LDADD = $(PAIR_LIBS)
tests_pair_devices_SOURCES = tests/pair/devices.c $(PAIR_SOURCES)
tests_pair_devices_CPPFLAGS = $(TEST_CPPFLAGS)
tests_pair_devices_CFLAGS = $(TEST_CFLAGS)
tests_pair_devices_LDFLAGS = $(TEST_LDFLAGS)
tests_pair_devices_LDADD = $(PAIR_LIBS)
