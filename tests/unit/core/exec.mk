# SPDX-License-Identifier: MIT
#
# Unit tests of the executive, on the hosted machine.
if HAVE_CRITERION
check_PROGRAMS += tests/unit/core/exec
HOST_TESTS += tests/unit/core/exec
tests_unit_core_exec_SOURCES = tests/unit/core/exec_fixture.h tests/unit/core/event_test.c \
	tests/unit/core/timer_test.c tests/unit/core/sched_test.c \
	tests/unit/core/trap_test.c tests/unit/core/emulate_test.c tests/unit/core/calls_test.c \
	tests/unit/core/vcpu_test.c tests/unit/core/console_test.c \
	tests/unit/core/build_test.c tests/unit/core/control_test.c tests/unit/core/guest_text_test.c \
	tests/unit/policy/rr_test.c
tests_unit_core_exec_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_core_exec_CFLAGS = $(TEST_CFLAGS) -Wno-unused-function -Wno-unused-variable
tests_unit_core_exec_LDFLAGS = $(TEST_LDFLAGS)
tests_unit_core_exec_LDADD = tests/support/libhosted.a $(TEST_LIBS)
endif
