# SPDX-License-Identifier: MIT
#
# Pair tests: libpv and the core meet in one process.
check_PROGRAMS += tests/pair/libpv
HOST_TESTS += tests/pair/libpv
tests_pair_libpv_SOURCES = tests/pair/libpv.c
tests_pair_libpv_CPPFLAGS = $(TEST_CPPFLAGS)
tests_pair_libpv_CFLAGS = $(TEST_CFLAGS)
tests_pair_libpv_LDFLAGS = $(TEST_LDFLAGS)
tests_pair_libpv_LDADD = tests/unit/libpv/libpv-hosted.a tests/support/libhosted.a
