# SPDX-License-Identifier: MIT
#
# Unit tests of the memory side of core/, on the hosted machine.
if HAVE_CRITERION
check_PROGRAMS += tests/unit/core/mm
HOST_TESTS += tests/unit/core/mm
tests_unit_core_mm_SOURCES = tests/unit/core/mm_fixture.h tests/unit/core/mmu_test.c \
	tests/unit/core/pagetable_test.c tests/unit/core/mmuext_test.c \
	tests/unit/core/memory_test.c tests/unit/core/descriptor_test.c tests/unit/core/frame_test.c \
	tests/unit/core/grant_fixture.h tests/unit/core/grant_test.c \
	tests/unit/core/grant_more_test.c \
	tests/unit/core/pt_write_test.c
tests_unit_core_mm_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_core_mm_CFLAGS = $(TEST_CFLAGS) -Wno-unused-function
tests_unit_core_mm_LDFLAGS = $(TEST_LDFLAGS)
tests_unit_core_mm_LDADD = tests/support/libhosted.a $(TEST_LIBS)
endif
