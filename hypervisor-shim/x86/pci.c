/* SPDX-License-Identifier: MIT
 *
 * pci.c - PCI configuration space by its two ports (mechanism 1: every PC has it).
 */
#include "x86.h"

enum { ADDRESS = 0xcf8, DATA = 0xcfc };

static void select(uint32_t bdf, unsigned reg)
{
    outl(ADDRESS, 1u << 31 | bdf << 8 | (reg & 0xfc));
}

uint32_t pci_config_read(uint32_t bdf, unsigned reg)
{
    select(bdf, reg);
    return inl(DATA);
}

void pci_config_write(uint32_t bdf, unsigned reg, uint32_t value)
{
    select(bdf, reg);
    outl(DATA, value);
}
