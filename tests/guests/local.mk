# SPDX-License-Identifier: MIT
#
# Guest tests: images that boot on the shim, and on Xen.
#
# Each image is its own sources and the runtime of tests/guests/rt: no libpv, so
# that what they say of the hypervisor does not lean on the library.

GUEST_RT_CPPFLAGS = $(FREESTANDING_CPPFLAGS) -I$(top_srcdir)/tests/guests/rt \
	-I$(top_srcdir)/tests/guests
GUEST_RT_CFLAGS = $(FREESTANDING_CFLAGS) $(KERNEL_MODEL_CFLAGS) -fno-tree-loop-distribute-patterns
GUEST_RT_LDFLAGS = $(FREESTANDING_LDFLAGS) -Wl,-T,$(top_srcdir)/tests/guests/rt/guest.lds
GUEST_RT_LDADD = tests/guests/librt.a
GUEST_RT_DEPS = tests/guests/librt.a $(top_srcdir)/tests/guests/rt/guest.lds

EXTRA_LIBRARIES += tests/guests/librt.a
tests_guests_librt_a_SOURCES = tests/guests/rt/start.S tests/guests/rt/rt.c \
	tests/guests/rt/rt_console.c tests/guests/rt/rt.h
tests_guests_librt_a_CPPFLAGS = $(GUEST_RT_CPPFLAGS)
tests_guests_librt_a_CFLAGS = $(GUEST_RT_CFLAGS)
tests_guests_librt_a_CCASFLAGS = $(GUEST_RT_CFLAGS)

# The images, and for each its sources.
TEST_IMAGES = tests/guests/smoke tests/guests/calls tests/guests/mmu tests/guests/traps tests/guests/events tests/guests/rogue
JUDGED_IMAGES = tests/guests/calls tests/guests/mmu tests/guests/traps tests/guests/events
EXTRA_PROGRAMS += $(TEST_IMAGES)
GUEST_TEST_DEPS += $(TEST_IMAGES)
GUEST_T_SOURCES = tests/guests/t.c tests/guests/t.h

tests_guests_smoke_SOURCES = tests/guests/smoke.c
tests_guests_smoke_CPPFLAGS = $(GUEST_RT_CPPFLAGS)
tests_guests_smoke_CFLAGS = $(GUEST_RT_CFLAGS)
tests_guests_smoke_CCASFLAGS = $(GUEST_RT_CFLAGS)
tests_guests_smoke_LDFLAGS = $(GUEST_RT_LDFLAGS)
tests_guests_smoke_LDADD = $(GUEST_RT_LDADD)
tests_guests_smoke_DEPENDENCIES = $(GUEST_RT_DEPS)

tests_guests_calls_SOURCES = tests/guests/calls.c $(GUEST_T_SOURCES)
tests_guests_calls_CPPFLAGS = $(GUEST_RT_CPPFLAGS)
tests_guests_calls_CFLAGS = $(GUEST_RT_CFLAGS)
tests_guests_calls_CCASFLAGS = $(GUEST_RT_CFLAGS)
tests_guests_calls_LDFLAGS = $(GUEST_RT_LDFLAGS)
tests_guests_calls_LDADD = $(GUEST_RT_LDADD)
tests_guests_calls_DEPENDENCIES = $(GUEST_RT_DEPS)

tests_guests_mmu_SOURCES = tests/guests/mmu.c tests/guests/mmu.h tests/guests/mmu_ext.c \
	tests/guests/mmu_types.c tests/guests/mmu_long.c $(GUEST_T_SOURCES)
tests_guests_mmu_CPPFLAGS = $(GUEST_RT_CPPFLAGS)
tests_guests_mmu_CFLAGS = $(GUEST_RT_CFLAGS)
tests_guests_mmu_CCASFLAGS = $(GUEST_RT_CFLAGS)
tests_guests_mmu_LDFLAGS = $(GUEST_RT_LDFLAGS)
tests_guests_mmu_LDADD = $(GUEST_RT_LDADD)
tests_guests_mmu_DEPENDENCIES = $(GUEST_RT_DEPS)

tests_guests_traps_SOURCES = tests/guests/traps.c tests/guests/traps.h tests/guests/traps_emul.c \
	tests/guests/traps_user.c tests/guests/traps_fpu.c tests/guests/traps_asm.S tests/guests/traps_switch.c $(GUEST_T_SOURCES)
tests_guests_traps_CPPFLAGS = $(GUEST_RT_CPPFLAGS)
tests_guests_traps_CFLAGS = $(GUEST_RT_CFLAGS)
tests_guests_traps_CCASFLAGS = $(GUEST_RT_CFLAGS)
tests_guests_traps_LDFLAGS = $(GUEST_RT_LDFLAGS)
tests_guests_traps_LDADD = $(GUEST_RT_LDADD)
tests_guests_traps_DEPENDENCIES = $(GUEST_RT_DEPS)

tests_guests_events_SOURCES = tests/guests/events.c tests/guests/events.h tests/guests/events_time.c \
	tests/guests/events_vcpu.c tests/guests/events_grant.c $(GUEST_T_SOURCES)
tests_guests_events_CPPFLAGS = $(GUEST_RT_CPPFLAGS)
tests_guests_events_CFLAGS = $(GUEST_RT_CFLAGS)
tests_guests_events_CCASFLAGS = $(GUEST_RT_CFLAGS)
tests_guests_events_LDFLAGS = $(GUEST_RT_LDFLAGS)
tests_guests_events_LDADD = $(GUEST_RT_LDADD)
tests_guests_events_DEPENDENCIES = $(GUEST_RT_DEPS)

tests_guests_rogue_SOURCES = tests/guests/rogue.c $(GUEST_T_SOURCES)
tests_guests_rogue_CPPFLAGS = $(GUEST_RT_CPPFLAGS)
tests_guests_rogue_CFLAGS = $(GUEST_RT_CFLAGS)
tests_guests_rogue_CCASFLAGS = $(GUEST_RT_CFLAGS)
tests_guests_rogue_LDFLAGS = $(GUEST_RT_LDFLAGS)
tests_guests_rogue_LDADD = $(GUEST_RT_LDADD)
tests_guests_rogue_DEPENDENCIES = $(GUEST_RT_DEPS)

# The one image that is about libpv, and so linked with it.
EXTRA_PROGRAMS += tests/guests/libpv
GUEST_TEST_DEPS += tests/guests/libpv
JUDGED_IMAGES += tests/guests/libpv
tests_guests_libpv_SOURCES = tests/guests/libpv.c
tests_guests_libpv_CPPFLAGS = $(FREESTANDING_CPPFLAGS)
tests_guests_libpv_CFLAGS = $(EXAMPLE_CFLAGS)
tests_guests_libpv_LDFLAGS = $(EXAMPLE_LDFLAGS)
tests_guests_libpv_LDADD = libpv/libpv.a
tests_guests_libpv_DEPENDENCIES = $(EXAMPLE_DEPS)

# Each judged image, run by tests/run-guest on either hypervisor.
GUEST_TESTS += $(JUDGED_IMAGES)
XEN_TESTS += $(JUDGED_IMAGES)
GUEST_TESTS += tests/guests/grub.sh tests/guests/linux.sh
GUEST_TESTS += tests/guests/pvctl.sh tests/guests/examples.sh tests/guests/template.sh tests/guests/stage.sh tests/guests/demo.sh tests/guests/install.sh

# Guests that misbehave, each beside one that does not.
EXTRA_PROGRAMS += tests/guests/hostile
GUEST_TEST_DEPS += tests/guests/hostile
GUEST_TESTS += tests/guests/hostile.sh
tests_guests_hostile_SOURCES = tests/guests/hostile.c
tests_guests_hostile_CPPFLAGS = $(GUEST_RT_CPPFLAGS)
tests_guests_hostile_CFLAGS = $(GUEST_RT_CFLAGS)
tests_guests_hostile_CCASFLAGS = $(GUEST_RT_CFLAGS)
tests_guests_hostile_LDFLAGS = $(GUEST_RT_LDFLAGS)
tests_guests_hostile_LDADD = $(GUEST_RT_LDADD)
tests_guests_hostile_DEPENDENCIES = $(GUEST_RT_DEPS)
GUEST_TESTS += tests/guests/rogue.sh tests/guests/skylake.sh

# The start of day: one source, three places in the address space.
BOOT_SOURCES = tests/guests/boot.c tests/guests/rt/start.S tests/guests/rt/rt.c \
	tests/guests/rt/rt_console.c tests/guests/rt/rt.h $(GUEST_T_SOURCES)
BOOT_IMAGES = tests/guests/boot tests/guests/boot-low tests/guests/boot-p2m
EXTRA_PROGRAMS += $(BOOT_IMAGES)
GUEST_TEST_DEPS += $(BOOT_IMAGES)
GUEST_TESTS += tests/guests/boot.sh

tests_guests_boot_SOURCES = $(BOOT_SOURCES)
tests_guests_boot_CPPFLAGS = $(GUEST_RT_CPPFLAGS)
tests_guests_boot_CFLAGS = $(GUEST_RT_CFLAGS)
tests_guests_boot_CCASFLAGS = $(GUEST_RT_CFLAGS)
tests_guests_boot_LDFLAGS = $(GUEST_RT_LDFLAGS)

tests_guests_boot_low_SOURCES = $(BOOT_SOURCES)
tests_guests_boot_low_CPPFLAGS = $(GUEST_RT_CPPFLAGS) -DRT_BASE=0x40000000 \
	-DBOOT_NAME='"boot-low"'
tests_guests_boot_low_CFLAGS = $(FREESTANDING_CFLAGS) -fno-pic -fno-pie -mcmodel=small \
	-fno-tree-loop-distribute-patterns
tests_guests_boot_low_CCASFLAGS = $(tests_guests_boot_low_CFLAGS)
tests_guests_boot_low_LDFLAGS = -Wl,--defsym=RT_BASE=0x40000000 $(GUEST_RT_LDFLAGS)

tests_guests_boot_p2m_SOURCES = $(BOOT_SOURCES)
tests_guests_boot_p2m_CPPFLAGS = $(GUEST_RT_CPPFLAGS) -DRT_INIT_P2M=0xffff900000000000 \
	-DRT_MOD_START_PFN -DBOOT_NAME='"boot-p2m"'
tests_guests_boot_p2m_CFLAGS = $(GUEST_RT_CFLAGS)
tests_guests_boot_p2m_CCASFLAGS = $(GUEST_RT_CFLAGS)
tests_guests_boot_p2m_LDFLAGS = $(GUEST_RT_LDFLAGS)

# Input, and who gets it.
EXTRA_PROGRAMS += tests/guests/echo tests/guests/sleeper
GUEST_TEST_DEPS += tests/guests/echo tests/guests/sleeper
GUEST_TESTS += tests/guests/input.sh tests/guests/control.sh
SOAK_TESTS += tests/guests/control-soak.sh
tests_guests_sleeper_SOURCES = tests/guests/sleeper.c
tests_guests_sleeper_CPPFLAGS = $(FREESTANDING_CPPFLAGS)
tests_guests_sleeper_CFLAGS = $(EXAMPLE_CFLAGS)
tests_guests_sleeper_LDFLAGS = $(EXAMPLE_LDFLAGS)
tests_guests_sleeper_LDADD = libpv/libpv.a
tests_guests_sleeper_DEPENDENCIES = $(EXAMPLE_DEPS)
tests_guests_echo_SOURCES = tests/guests/echo.c
tests_guests_echo_CPPFLAGS = $(FREESTANDING_CPPFLAGS)
tests_guests_echo_CFLAGS = $(EXAMPLE_CFLAGS)
tests_guests_echo_LDFLAGS = $(EXAMPLE_LDFLAGS)
tests_guests_echo_LDADD = libpv/libpv.a
tests_guests_echo_DEPENDENCIES = $(EXAMPLE_DEPS)

# Two guests with shared pages and events; and as many guests as there may be.
EXTRA_PROGRAMS += tests/guests/peers
GUEST_TEST_DEPS += tests/guests/peers
GUEST_TESTS += tests/guests/peers.sh
tests_guests_peers_SOURCES = tests/guests/peers.c $(GUEST_T_SOURCES)
tests_guests_peers_CPPFLAGS = $(GUEST_RT_CPPFLAGS)
tests_guests_peers_CFLAGS = $(GUEST_RT_CFLAGS)
tests_guests_peers_CCASFLAGS = $(GUEST_RT_CFLAGS)
tests_guests_peers_LDFLAGS = $(GUEST_RT_LDFLAGS)
tests_guests_peers_LDADD = $(GUEST_RT_LDADD)
tests_guests_peers_DEPENDENCIES = $(GUEST_RT_DEPS)

# Files as disks, whole, in slices and by partitions.
EXTRA_PROGRAMS += tests/guests/disks
GUEST_TEST_DEPS += tests/guests/disks
GUEST_TESTS += tests/guests/disks.sh tests/guests/elevator.sh tests/guests/boards.sh
tests_guests_disks_SOURCES = tests/guests/disks.c
tests_guests_disks_CPPFLAGS = $(FREESTANDING_CPPFLAGS)
tests_guests_disks_CFLAGS = $(EXAMPLE_CFLAGS)
tests_guests_disks_LDFLAGS = $(EXAMPLE_LDFLAGS)
tests_guests_disks_LDADD = libpv/libpv.a
tests_guests_disks_DEPENDENCIES = $(EXAMPLE_DEPS)

# A front-end that lies to the block back-end, beside one that does not.
EXTRA_PROGRAMS += tests/guests/badfront
GUEST_TEST_DEPS += tests/guests/badfront
GUEST_TESTS += tests/guests/badfront.sh
tests_guests_badfront_SOURCES = tests/guests/badfront.c
tests_guests_badfront_CPPFLAGS = $(FREESTANDING_CPPFLAGS)
tests_guests_badfront_CFLAGS = $(EXAMPLE_CFLAGS)
tests_guests_badfront_LDFLAGS = $(EXAMPLE_LDFLAGS)
tests_guests_badfront_LDADD = libpv/libpv.a
tests_guests_badfront_DEPENDENCIES = $(EXAMPLE_DEPS)

# The usual mistakes of a port, as the porting guide has them.
EXTRA_PROGRAMS += tests/guests/mistakes
GUEST_TEST_DEPS += tests/guests/mistakes
GUEST_TESTS += tests/guests/mistakes.sh
tests_guests_mistakes_SOURCES = tests/guests/mistakes.c
tests_guests_mistakes_CPPFLAGS = $(FREESTANDING_CPPFLAGS)
tests_guests_mistakes_CFLAGS = $(EXAMPLE_CFLAGS)
tests_guests_mistakes_LDFLAGS = $(EXAMPLE_LDFLAGS)
tests_guests_mistakes_LDADD = libpv/libpv.a
tests_guests_mistakes_DEPENDENCIES = $(EXAMPLE_DEPS)

# Packets from one guest to another.
EXTRA_PROGRAMS += tests/guests/netload
GUEST_TEST_DEPS += tests/guests/netload
GUEST_TESTS += tests/guests/netload.sh
GUEST_TESTS += tests/guests/linux-net.sh
tests_guests_netload_SOURCES = tests/guests/netload.c
tests_guests_netload_CPPFLAGS = $(FREESTANDING_CPPFLAGS)
tests_guests_netload_CFLAGS = $(EXAMPLE_CFLAGS)
tests_guests_netload_LDFLAGS = $(EXAMPLE_LDFLAGS)
tests_guests_netload_LDADD = libpv/libpv.a
tests_guests_netload_DEPENDENCIES = $(EXAMPLE_DEPS)
