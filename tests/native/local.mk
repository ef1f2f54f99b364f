# SPDX-License-Identifier: MIT
#
# The native kernel under test: each script boots it by guest-port/run.
check_PROGRAMS += tests/native/diskhurt
tests_native_diskhurt_SOURCES = tests/native/diskhurt.c
tests_native_diskhurt_CPPFLAGS = $(HOST_CPPFLAGS)
tests_native_diskhurt_CFLAGS = $(HOST_CFLAGS)

NATIVE_TESTS += tests/native/disk.sh
