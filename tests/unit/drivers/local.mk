# SPDX-License-Identifier: MIT
#
# Unit tests of the drivers, with a device that the test plays.
if HAVE_CRITERION
check_PROGRAMS += tests/unit/drivers/drivers
HOST_TESTS += tests/unit/drivers/drivers
tests_unit_drivers_drivers_SOURCES = tests/unit/drivers/fake.c tests/unit/drivers/fake.h \
	tests/unit/drivers/virtio_test.c tests/unit/drivers/blk_test.c
tests_unit_drivers_drivers_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_drivers_drivers_CFLAGS = $(TEST_CFLAGS)
tests_unit_drivers_drivers_LDFLAGS = $(TEST_LDFLAGS)
tests_unit_drivers_drivers_LDADD = tests/support/libhosted.a $(TEST_LIBS)
endif
