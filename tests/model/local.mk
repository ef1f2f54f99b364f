# SPDX-License-Identifier: MIT
#
# Model tests: random operations against a model, with audits.
check_PROGRAMS += tests/model/memory
HOST_TESTS += tests/model/memory
tests_model_memory_SOURCES = tests/model/main.c tests/model/model.c tests/model/compare.c tests/model/model.h \
	tests/model/ops.c tests/model/ops_memory.c tests/model/ops_rare.c tests/model/ops_grant.c \
	tests/model/ops.h tests/model/pick.c tests/model/chaos.c tests/model/chaos.h
tests_model_memory_CPPFLAGS = $(TEST_CPPFLAGS)
tests_model_memory_CFLAGS = $(TEST_CFLAGS)
tests_model_memory_LDFLAGS = $(TEST_LDFLAGS)
tests_model_memory_LDADD = tests/support/libhosted.a
