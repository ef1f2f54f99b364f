# SPDX-License-Identifier: MIT
#
# Fuzzers and their seeds.

# The decoder against Zydis, and against the processor at hand.
check_PROGRAMS += tests/fuzz/decode_exec
HOST_TESTS += tests/fuzz/decode_exec
tests_fuzz_decode_exec_SOURCES = tests/fuzz/decode_exec.c hypervisor-shim/core/decode.c \
	hypervisor-shim/core/insn.c
tests_fuzz_decode_exec_CPPFLAGS = $(TEST_CPPFLAGS)
tests_fuzz_decode_exec_CFLAGS = $(TEST_CFLAGS)
tests_fuzz_decode_exec_LDFLAGS = $(TEST_LDFLAGS)

if HAVE_ZYDIS
check_PROGRAMS += tests/fuzz/decode_zydis
HOST_TESTS += tests/fuzz/decode_zydis
tests_fuzz_decode_zydis_SOURCES = tests/fuzz/decode_zydis.c hypervisor-shim/core/decode.c \
	hypervisor-shim/core/insn.c
tests_fuzz_decode_zydis_CPPFLAGS = $(TEST_CPPFLAGS)
tests_fuzz_decode_zydis_CFLAGS = $(TEST_CFLAGS)
tests_fuzz_decode_zydis_LDFLAGS = $(TEST_LDFLAGS)
tests_fuzz_decode_zydis_LDADD = -lZydis
endif
