# SPDX-License-Identifier: MIT
#
# The native kernel under test: each script boots it by guest-port/run.
check_PROGRAMS += tests/native/diskhurt
tests_native_diskhurt_SOURCES = tests/native/diskhurt.c
tests_native_diskhurt_CPPFLAGS = $(HOST_CPPFLAGS)
tests_native_diskhurt_CFLAGS = $(HOST_CFLAGS)

NATIVE_TESTS += tests/native/run.sh tests/native/usertests.sh tests/native/usertests-ext2.sh \
	tests/native/small.sh tests/native/net.sh tests/native/applets.sh tests/native/lmb.sh tests/native/fuzz.sh \
	tests/native/soak.sh tests/native/disk.sh tests/native/series.sh tests/native/series-boot.sh \
	tests/native/pv.sh tests/native/xen.sh

# SOAK and FUZZ are seconds; check-native runs 20 and 30 of them.
NATIVE_SOAK_TESTS += tests/native/soak-long.sh tests/native/fuzz-long.sh tests/native/xen-long.sh
