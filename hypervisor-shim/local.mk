# SPDX-License-Identifier: MIT
#
# The shim's build: one multiboot image, hypervisor-shim/shim, and the ISO around it.
#
# Every .c of the shim's rooms belongs to it: a new file needs no line here. The image lies in the
# direct map, far from the top 2 GiB: hence position-independent code with hidden visibility, so
# that everything is reached from the instruction pointer.

# The portable rooms, one file to a line: what the tests build.
SHIM_CORE_SOURCES =
# -- memory --
SHIM_CORE_SOURCES += \
	hypervisor-shim/core/frame.c \
	hypervisor-shim/core/pagetable.c \
	hypervisor-shim/core/mmu.c \
	hypervisor-shim/core/mmuext.c \
	hypervisor-shim/core/memory.c \
	hypervisor-shim/core/descriptor.c \
	hypervisor-shim/core/grant.c \
	hypervisor-shim/core/grant_map.c \
	hypervisor-shim/core/grant_copy.c \
	hypervisor-shim/core/grant_transfer.c \
	hypervisor-shim/core/grant_pin.c \
	hypervisor-shim/core/pt_write.c \
	hypervisor-shim/core/audit.c
# -- instructions --
SHIM_CORE_SOURCES += \
	hypervisor-shim/core/decode.c \
	hypervisor-shim/core/insn.c \
	hypervisor-shim/core/emulate.c \
	hypervisor-shim/core/emulate_msr.c
# -- execution --
SHIM_CORE_SOURCES += \
	hypervisor-shim/core/text.c \
	hypervisor-shim/core/log.c \
	hypervisor-shim/core/reason.c \
	hypervisor-shim/core/reason_text.c \
	hypervisor-shim/core/trace.c \
	hypervisor-shim/core/hostview.c \
	hypervisor-shim/core/timer.c \
	hypervisor-shim/core/time.c \
	hypervisor-shim/core/event.c \
	hypervisor-shim/core/sched.c \
	hypervisor-shim/core/domain.c \
	hypervisor-shim/core/vcpu.c \
	hypervisor-shim/core/dispatch.c \
	hypervisor-shim/core/elf.c \
	hypervisor-shim/core/build.c \
	hypervisor-shim/core/guest_text.c \
	hypervisor-shim/core/control.c \
	hypervisor-shim/core/control_ops.c \
	hypervisor-shim/core/misc.c \
	hypervisor-shim/core/trap.c \
	hypervisor-shim/core/iret.c \
	hypervisor-shim/core/leave.c \
	hypervisor-shim/policy/sched_rr.c \
	hypervisor-shim/core/heap.c \
	hypervisor-shim/backend/store_tree.c \
	hypervisor-shim/backend/store.c \
	hypervisor-shim/backend/xenstore.c \
	hypervisor-shim/backend/xenstore_life.c \
	hypervisor-shim/policy/packet.c \
	hypervisor-shim/backend/switch.c \
	hypervisor-shim/backend/net.c \
	hypervisor-shim/backend/net_csum.c \
	hypervisor-shim/backend/net_uplink.c \
	hypervisor-shim/backend/net_vif.c \
	hypervisor-shim/backend/console.c
# -- devices --
SHIM_CORE_SOURCES += \
	hypervisor-shim/backend/xenbus.c
# -- disks --
SHIM_CORE_SOURCES += \
	hypervisor-shim/backend/block.c \
	hypervisor-shim/backend/disk.c \
	hypervisor-shim/policy/disk_fifo.c \
	hypervisor-shim/policy/disk_elevator.c
# -- drivers --
SHIM_CORE_SOURCES += \
	hypervisor-shim/core/device.c \
	hypervisor-shim/drivers/pci.c \
	hypervisor-shim/drivers/virtio.c \
	hypervisor-shim/drivers/virtio_serial.c \
	hypervisor-shim/drivers/virtio_blk.c \
	hypervisor-shim/drivers/virtio_net.c \
	hypervisor-shim/drivers/ramdisk.c \
	hypervisor-shim/backend/partition.c \
	hypervisor-shim/backend/diskspec.c

SHIM_DIR = hypervisor-shim
SHIM_SRC = $(wildcard $(addprefix $(top_srcdir)/$(SHIM_DIR)/,core/*.c policy/*.c backend/*.c \
	drivers/*.c x86/*.c x86/boot.S x86/entry.S))
SHIM_OBJ = $(patsubst $(top_srcdir)/$(SHIM_DIR)/%,$(SHIM_DIR)/obj/%.o,$(SHIM_SRC))
SHIM_FLAGS = $(FREESTANDING_CPPFLAGS) -I$(top_srcdir)/$(SHIM_DIR) $(FREESTANDING_CFLAGS) \
	-include $(top_srcdir)/$(SHIM_DIR)/x86/hidden.h -fpie -mcmodel=small -fomit-frame-pointer \
	-fno-tree-loop-distribute-patterns

shim_DATA += $(SHIM_DIR)/shim
CLEANFILES += $(SHIM_DIR)/shim $(SHIM_DIR)/shim.lds
CLEAN_DIRS += $(SHIM_DIR)/obj

$(SHIM_DIR)/obj/%.c.o: $(top_srcdir)/$(SHIM_DIR)/%.c
	@$(MKDIR_P) $(@D)
	$(AM_V_CC)$(CC) $(SHIM_FLAGS) -MMD -MP -c -o $@ $<

$(SHIM_DIR)/obj/%.S.o: $(top_srcdir)/$(SHIM_DIR)/%.S
	@$(MKDIR_P) $(@D)
	$(AM_V_CC)$(CC) $(FREESTANDING_CPPFLAGS) -MMD -MP -c -o $@ $<

$(SHIM_DIR)/shim.lds: $(top_srcdir)/$(SHIM_DIR)/x86/shim.lds.S $(top_srcdir)/$(SHIM_DIR)/x86/layout.h
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(CC) -E -P -x assembler-with-cpp -D__ASSEMBLER__ -o $@ $<

$(SHIM_DIR)/shim: $(SHIM_OBJ) $(SHIM_DIR)/shim.lds
	$(AM_V_CCLD)$(CC) $(FREESTANDING_LDFLAGS) -Wl,-T,$(SHIM_DIR)/shim.lds -o $@ $(SHIM_OBJ)

-include $(SHIM_OBJ:.o=.d)

# -- the ISO: GRUB for BIOS and UEFI, the shim, example guests ----------------------------------
ISO = $(SHIM_DIR)/shim.iso
ISO_TREE = $(SHIM_DIR)/iso
CLEANFILES += $(ISO) $(SHIM_DIR)/iso.log
CLEAN_DIRS += $(ISO_TREE)
EXTRA_DIST += hypervisor-shim/x86/grub.cfg.sh

iso: $(ISO)
.PHONY: iso

$(ISO): $(SHIM_DIR)/shim $(EXAMPLES) $(top_srcdir)/$(SHIM_DIR)/x86/grub.cfg.sh
	$(AM_V_at)test '$(GRUB_MKRESCUE)' != no || { echo "grub-mkrescue is missing: install grub-pc-bin, grub-efi-amd64-bin, grub-common, xorriso and mtools."; exit 1; }
	$(AM_V_at)rm -rf $(ISO_TREE) && $(MKDIR_P) $(ISO_TREE)/boot/grub $(ISO_TREE)/boot/guests
	$(AM_V_at)cp $(EXAMPLES) $(ISO_TREE)/boot/guests/
	$(AM_V_at)truncate -s 1M $(ISO_TREE)/boot/disk.img
	$(AM_V_at)$(STRIP_TOOL) -o $(ISO_TREE)/boot/shim --strip-debug $(SHIM_DIR)/shim
	$(AM_V_at)sh $(top_srcdir)/$(SHIM_DIR)/x86/grub.cfg.sh $(EXAMPLES) >$(ISO_TREE)/boot/grub/grub.cfg
	$(AM_V_GEN)$(GRUB_MKRESCUE) -o $@ $(ISO_TREE) >$(SHIM_DIR)/iso.log 2>&1 || { cat $(SHIM_DIR)/iso.log; exit 1; }
GUEST_TEST_DEPS += $(ISO)
GUEST_TESTS += tests/guests/iso.sh
