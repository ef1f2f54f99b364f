/* SPDX-License-Identifier: MIT
 *
 * io.h - the drivers' door to the board: device registers, PCI configuration space, interrupts.
 *
 * The drivers themselves are portable. On the machine the accesses below are single volatile
 * instructions; in the tests they are functions of a pretended device (tests/unit), and
 * "registers" are whatever address that device gave to mmio_map()'s caller.
 */
#ifndef DRIVERS_IO_H
#define DRIVERS_IO_H

#include <stddef.h>
#include <stdint.h>

/* Uncached registers at a machine address, for good. */
void *mmio_map(uint64_t phys, size_t bytes);

/* A dword of the configuration space of bus << 8 | device << 3 | function. */
uint32_t pci_config_read(uint32_t bdf, unsigned reg);
void pci_config_write(uint32_t bdf, unsigned reg, uint32_t value);

/* What a device is to write, and where, to interrupt on a line of core/device.h. */
void io_message(unsigned line, uint64_t *address, uint32_t *data);

#ifdef PLAT_ACCESS
#define IO_ACCESS(bits)                                                     \
    static inline uint##bits##_t io_read##bits(const volatile void *reg)    \
    {                                                                       \
        return *(const volatile uint##bits##_t *)reg;                       \
    }                                                                       \
    static inline void io_write##bits(volatile void *reg, uint##bits##_t v) \
    {                                                                       \
        *(volatile uint##bits##_t *)reg = v;                                \
    }
#else
#define IO_ACCESS(bits)                                     \
    uint##bits##_t io_read##bits(const volatile void *reg); \
    void io_write##bits(volatile void *reg, uint##bits##_t v);
#endif
IO_ACCESS(8)
IO_ACCESS(16)
IO_ACCESS(32)

#endif
