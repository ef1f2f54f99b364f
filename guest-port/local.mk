# SPDX-License-Identifier: MIT
#
# The native kernel's build, and its port.
#
# The kernel has a makefile of its own (guest-port/kernel/Makefile) and is always asked: it knows
# its sources by wildcard. Here are the programs that run on it (musl, static), the root image, and
# what `guest-port/run` needs on the host.

guest_build = guest-port
guest_kernel = $(guest_build)/kernel/kernel.elf
guest_programs = $(guest_build)/usertests $(guest_build)/lmb $(guest_build)/sysfuzz $(guest_build)/soak
GUEST_USER_CFLAGS = -std=gnu11 -O2 -g -Wall -Wextra -Werror -static

noinst_PROGRAMS += guest-port/conwatch
guest_port_conwatch_SOURCES = guest-port/conwatch.c
guest_port_conwatch_CPPFLAGS = $(HOST_CPPFLAGS)
guest_port_conwatch_CFLAGS = $(HOST_CFLAGS)
