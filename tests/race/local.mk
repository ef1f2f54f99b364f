# SPDX-License-Identifier: MIT
#
# Race tests: plain main(), under ThreadSanitizer.
TSAN_CFLAGS = $(HOST_CFLAGS) -O1 -fno-omit-frame-pointer -fsanitize=thread -Wno-tsan

# Rings and grants of libpv, each end in a thread.
check_PROGRAMS += tests/race/libpv
HOST_TESTS += tests/race/libpv
tests_race_libpv_SOURCES = tests/race/libpv.c tests/unit/libpv/fake.c tests/unit/libpv/fake.h \
	tests/unit/libpv/noasm.c $(LIBPV_C)
tests_race_libpv_CPPFLAGS = $(TEST_CPPFLAGS)
tests_race_libpv_CFLAGS = $(TSAN_CFLAGS)
tests_race_libpv_LDFLAGS = -fsanitize=thread
tests_race_libpv_LDADD = -lpthread
