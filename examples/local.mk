# SPDX-License-Identifier: MIT
#
# The examples' build: examples/NAME, one guest image each, from one file each.

EXAMPLES = \
	examples/01-hello

noinst_PROGRAMS += $(EXAMPLES)

EXAMPLE_CFLAGS = $(FREESTANDING_CFLAGS) $(KERNEL_MODEL_CFLAGS)
EXAMPLE_LDFLAGS = $(FREESTANDING_LDFLAGS) -Wl,-T,$(top_srcdir)/libpv/pv.ld
EXAMPLE_DEPS = libpv/libpv.a $(top_srcdir)/libpv/pv.ld

examples_01_hello_SOURCES = examples/01-hello.c
examples_01_hello_CPPFLAGS = $(FREESTANDING_CPPFLAGS)
examples_01_hello_CFLAGS = $(EXAMPLE_CFLAGS)
examples_01_hello_LDFLAGS = $(EXAMPLE_LDFLAGS)
examples_01_hello_LDADD = libpv/libpv.a
examples_01_hello_DEPENDENCIES = $(EXAMPLE_DEPS)
