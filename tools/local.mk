# SPDX-License-Identifier: MIT
#
# The host tools' build: pvctl, and the library of its parts that the tests link too
# (compiled once for the tool, and once more sanitized, from the same sources).

PVCTL_SOURCES = \
	tools/pvctl/args.c \
	tools/pvctl/channel.c tools/pvctl/channel.h \
	tools/pvctl/config.c tools/pvctl/config.h \
	tools/pvctl/console.c \
	tools/pvctl/demux.c tools/pvctl/demux.h \
	tools/pvctl/disk.c tools/pvctl/disk.h \
	tools/pvctl/dom0.c tools/pvctl/dom0.h \
	tools/pvctl/gdb.c tools/pvctl/gdb.h \
	tools/pvctl/guests.c tools/pvctl/guests.h \
	tools/pvctl/image.c tools/pvctl/image.h \
	tools/pvctl/machine.c tools/pvctl/machine.h \
	tools/pvctl/net.c tools/pvctl/net.h \
	tools/pvctl/run.c tools/pvctl/run.h \
	tools/pvctl/say.c tools/pvctl/say.h \
	tools/pvctl/server.c tools/pvctl/server.h \
	tools/pvctl/show.c tools/pvctl/show.h \
	tools/pvctl/stage.c tools/pvctl/stage.h \
	tools/pvctl/top.c \
	tools/pvctl/trace.c \
	tools/pvctl/unpack.c tools/pvctl/unpack.h \
	tools/pvctl/store.c tools/pvctl/store.h \
	tools/pvctl/verdict.c tools/pvctl/verdict.h \
	tools/pvctl/view.c tools/pvctl/view.h \
	hypervisor-shim/core/reason_text.c hypervisor-shim/core/text.c

PVCTL_CPPFLAGS = -I$(top_srcdir)/hypervisor-shim -DPVCTL_VERSION='"$(VERSION)"' \
	-DPVCTL_LIBDIR='"$(shimdir)"' $(JANSSON_CFLAGS) $(UNPACK_CPPFLAGS)
PVCTL_LIBS = $(JANSSON_LIBS) $(UNPACK_LIBS)

# With it a user of the installed pvctl makes a dom0.
xenhostdir = $(shimdir)
dist_xenhost_SCRIPTS = scripts/xenhost scripts/xenhost-init

if HAVE_TOOLS
bin_PROGRAMS += tools/pvctl/pvctl
tools_pvctl_pvctl_SOURCES = tools/pvctl/main.c $(PVCTL_SOURCES)
tools_pvctl_pvctl_CPPFLAGS = $(HOST_CPPFLAGS) $(PVCTL_CPPFLAGS)
tools_pvctl_pvctl_CFLAGS = $(HOST_CFLAGS)
tools_pvctl_pvctl_LDADD = $(PVCTL_LIBS)
endif
