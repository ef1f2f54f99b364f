# SPDX-License-Identifier: MIT
#
# lwIP 2.1 (its sources stay outside the repository, in $(LWIP)) and net/inet/, the sockets on it.
# lwIP is compiled as it is, with our flags less -Werror; only net/inet/ knows its headers.

LWIP_SRCS := $(addprefix $(LWIP)/src/core/, init.c def.c dns.c inet_chksum.c ip.c mem.c memp.c netif.c \
	pbuf.c raw.c stats.c sys.c tcp.c tcp_in.c tcp_out.c timeouts.c udp.c \
	ipv4/autoip.c ipv4/dhcp.c ipv4/etharp.c ipv4/icmp.c ipv4/igmp.c ipv4/ip4.c ipv4/ip4_addr.c \
	ipv4/ip4_frag.c) $(LWIP)/src/netif/ethernet.c
INET_SRCS := $(wildcard net/inet/*.c)
LWIP_OBJS := $(patsubst $(LWIP)/src/%.c,$(O)/lwip/%.o,$(LWIP_SRCS)) \
	$(patsubst %.c,$(O)/%.o,$(INET_SRCS))
# mem_init is also the name of our own: theirs is renamed on the way in.
LWIP_FLAGS := -I$(LWIP)/src/include -Inet/inet -Dmem_init=lwip_mem_init

$(O)/lwip/%.o: $(LWIP)/src/%.c net/inet/lwipopts.h net/inet/arch/cc.h
	@mkdir -p $(@D)
	@echo "  CC lwip/$*"
	@$(CC) $(CFLAGS) -Wno-error -w -nostdinc -isystem $(shell $(CC) -print-file-name=include) $(LWIP_FLAGS) -c -o $@ $<

$(O)/net/inet/%.o: net/inet/%.c net/inet/lwipopts.h
	@mkdir -p $(@D)
	@echo "  CC net/inet/$*"
	@$(CC) $(CFLAGS) $(LWIP_FLAGS) -c -o $@ $<

-include $(patsubst %.o,%.d,$(LWIP_OBJS))
