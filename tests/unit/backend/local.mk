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
