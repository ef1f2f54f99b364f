# SPDX-License-Identifier: MIT
#
# pvctl's parts, sanitized: images, configurations, the serial line, the view of a shim.
HOST_TESTS += tests/unit/tools/suite.sh
if HAVE_TOOLS
if HAVE_CRITERION
check_LIBRARIES += tests/unit/tools/libpvctl.a
tests_unit_tools_libpvctl_a_SOURCES = $(PVCTL_SOURCES)
tests_unit_tools_libpvctl_a_CPPFLAGS = $(TEST_CPPFLAGS) $(PVCTL_CPPFLAGS)
tests_unit_tools_libpvctl_a_CFLAGS = $(TEST_CFLAGS)

check_PROGRAMS += tests/unit/tools/pvctl
HOST_TESTS += tests/unit/tools/pvctl
tests_unit_tools_pvctl_SOURCES = tests/unit/tools/agree.c tests/unit/tools/config.c tests/unit/tools/demux.c tests/unit/tools/dom0.c \
	tests/unit/tools/image.c tests/unit/tools/server.c tests/unit/tools/view.c tests/unit/tools/elf_image.h tests/unit/tools/unpack.c \
	hypervisor-shim/core/elf.c
tests_unit_tools_pvctl_CPPFLAGS = $(TEST_CPPFLAGS) $(PVCTL_CPPFLAGS)
tests_unit_tools_pvctl_CFLAGS = $(TEST_CFLAGS)
tests_unit_tools_pvctl_LDFLAGS = $(TEST_LDFLAGS)
tests_unit_tools_pvctl_LDADD = tests/unit/tools/libpvctl.a $(PVCTL_LIBS) $(TEST_LIBS)
endif
endif
