# SPDX-License-Identifier: MIT
#
# What several kinds of test share: libraries and stand-ins for the host.
#
# libhosted.a: the shim's portable rooms on a machine made of an array, sanitized.
check_LIBRARIES += tests/support/libhosted.a
tests_support_libhosted_a_SOURCES = $(SHIM_CORE_SOURCES) \
	tests/support/hosted.c tests/support/hosted_guest.c tests/support/hosted.h
tests_support_libhosted_a_CPPFLAGS = $(TEST_CPPFLAGS)
tests_support_libhosted_a_CFLAGS = $(TEST_CFLAGS)
