# SPDX-License-Identifier: MIT
#
# Unit tests of the drivers, with a device that the test plays.
if HAVE_CRITERION
check_PROGRAMS += tests/unit/drivers/drivers
HOST_TESTS += tests/unit/drivers/drivers
tests_unit_drivers_drivers_SOURCES = tests/unit/drivers/fake.c tests/unit/drivers/fake.h \
	tests/unit/drivers/virtio_test.c tests/unit/drivers/blk_test.c \
	tests/unit/drivers/serial_test.c
tests_unit_drivers_drivers_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_drivers_drivers_CFLAGS = $(TEST_CFLAGS)
tests_unit_drivers_drivers_LDFLAGS = $(TEST_LDFLAGS)
tests_unit_drivers_drivers_LDADD = tests/support/libhosted.a $(TEST_LIBS)

# The test is the back-end: its functions have names of their own.
check_PROGRAMS += tests/unit/drivers/net
HOST_TESTS += tests/unit/drivers/net
tests_unit_drivers_net_SOURCES = tests/unit/drivers/fake.c tests/unit/drivers/fake.h \
	tests/unit/drivers/net_test.c hypervisor-shim/drivers/virtio_net.c
tests_unit_drivers_net_CPPFLAGS = $(TEST_CPPFLAGS) -Dnetdev_attach=test_attach \
	-Dnetdev_sent=test_sent -Dnetdev_received=test_received -Dnetdev_batch_end=test_batch_end
tests_unit_drivers_net_CFLAGS = $(TEST_CFLAGS)
tests_unit_drivers_net_LDFLAGS = $(TEST_LDFLAGS)
tests_unit_drivers_net_LDADD = tests/support/libhosted.a $(TEST_LIBS)
endif
