# SPDX-License-Identifier: MIT
#
# The decoder alone.

if HAVE_CRITERION
check_PROGRAMS += tests/unit/core/decode
HOST_TESTS += tests/unit/core/decode
tests_unit_core_decode_SOURCES = tests/unit/core/decode.c hypervisor-shim/core/decode.c \
	hypervisor-shim/core/insn.c
tests_unit_core_decode_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_core_decode_CFLAGS = $(TEST_CFLAGS)
tests_unit_core_decode_LDFLAGS = $(TEST_LDFLAGS)
tests_unit_core_decode_LDADD = $(TEST_LIBS)
endif
