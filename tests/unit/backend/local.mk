# SPDX-License-Identifier: MIT
#
# Unit tests of the back ends, on the hosted machine.
if HAVE_CRITERION
check_PROGRAMS += tests/unit/backend/store
HOST_TESTS += tests/unit/backend/store
tests_unit_backend_store_SOURCES = tests/unit/backend/store_test.c
tests_unit_backend_store_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_backend_store_CFLAGS = $(TEST_CFLAGS) -Wno-unused-function -Wno-unused-variable
tests_unit_backend_store_LDFLAGS = $(TEST_LDFLAGS)
tests_unit_backend_store_LDADD = tests/support/libhosted.a $(TEST_LIBS)
endif

# Policies, and the back ends above them.
if HAVE_CRITERION
check_PROGRAMS += tests/unit/policy/disk
HOST_TESTS += tests/unit/policy/disk
tests_unit_policy_disk_SOURCES = tests/unit/policy/disk_test.c
tests_unit_policy_disk_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_policy_disk_CFLAGS = $(TEST_CFLAGS)
tests_unit_policy_disk_LDFLAGS = $(TEST_LDFLAGS)
tests_unit_policy_disk_LDADD = tests/support/libhosted.a $(TEST_LIBS)
endif

if HAVE_CRITERION
check_PROGRAMS += tests/unit/backend/block
HOST_TESTS += tests/unit/backend/block
SOAK_TESTS += tests/unit/backend/soak.sh
tests_unit_backend_block_SOURCES = tests/unit/backend/block_fixture.h tests/unit/backend/block_test.c \
	tests/unit/backend/block_life_test.c tests/unit/backend/crash_test.c
tests_unit_backend_block_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_backend_block_CFLAGS = $(TEST_CFLAGS) -Wno-unused-function -Wno-unused-variable
tests_unit_backend_block_LDFLAGS = $(TEST_LDFLAGS)
tests_unit_backend_block_LDADD = tests/support/libhosted.a $(TEST_LIBS)
endif

if HAVE_CRITERION
check_PROGRAMS += tests/unit/backend/net
HOST_TESTS += tests/unit/backend/net
tests_unit_backend_net_SOURCES = tests/unit/backend/net_test.c tests/unit/backend/net_uplink_test.c \
	tests/unit/backend/net_share_test.c \
	tests/unit/backend/net_fixture.h tests/unit/backend/switch_test.c tests/unit/policy/packet_test.c
tests_unit_backend_net_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_backend_net_CFLAGS = $(TEST_CFLAGS) -Wno-unused-function -Wno-unused-variable \
	-Wno-unused-parameter
tests_unit_backend_net_LDFLAGS = $(TEST_LDFLAGS)
tests_unit_backend_net_LDADD = tests/support/libhosted.a $(TEST_LIBS)
endif

# Plain, as the hypervisor is compiled: sanitizers would be counted.
check_PROGRAMS += tests/unit/backend/switch_count
HOST_TESTS += tests/unit/backend/switch_count
tests_unit_backend_switch_count_SOURCES = tests/unit/backend/switch_count.c hypervisor-shim/backend/switch.c
tests_unit_backend_switch_count_CPPFLAGS = $(HOST_CPPFLAGS) -I$(top_srcdir)/hypervisor-shim
tests_unit_backend_switch_count_CFLAGS = $(HOST_CFLAGS)
