/* SPDX-License-Identifier: MIT
 *
 * fake.h - a board with one virtio device that does what a test tells it: io.h, implemented.
 *
 * 00:00.0 is a host bridge, 00:03.0 the device, 00:1c.0 a bridge to bus 1, where 01:00.0 is a
 * card that nobody drives. "Registers" are numbers: nobody dereferences
 * them. The device acts when a test calls fake_take() and fake_end(); what it finds in a ring it
 * checks as a strict device would.
 */
#ifndef TESTS_FAKE_H
#define TESTS_FAKE_H

#include <stdbool.h>
#include <stdint.h>
#include "drivers/virtio.h"

enum { FAKE_QUEUES = 3, FAKE_SEGMENTS = 80, FAKE_MESSAGES = 4 };
enum { FAKE_MSIX_BAR = 1, FAKE_BAR = 4, FAKE_CAPS = 0x40 };
enum { FAKE_BDF = 3 << 3, FAKE_BRIDGE = 0x1c << 3, FAKE_BEHIND = 1 << 8 };

struct fake_queue {
    uint16_t size, message, enabled, notify_offset;
    uint64_t desc, avail, used;
    uint16_t taken, ended; /* indices of ours */
    unsigned notified;
};

struct fake_function {
    uint32_t bdf;
    uint32_t config[64];
    uint64_t bar_size[6];
    unsigned seen; /* by the walk */
};

struct fake {
    struct fake_function function[4];
    uint64_t features, agreed;
    uint8_t status, device[64]; /* its status; its configuration */
    bool stubborn;              /* never says FEATURES_OK */
    uint16_t config_message, selected, queues;
    uint32_t feature_select, driver_select;
    struct fake_queue queue[FAKE_QUEUES];
    uint32_t msix[FAKE_MESSAGES][4];
    unsigned interrupts, resets;
};
extern struct fake fake;

/* A device of this PCI number, in order; queues of 16 slots. */
void fake_init(uint16_t device, uint64_t features);
struct fake_function *fake_pci(void); /* 00:03.0 */

struct fake_chain {
    uint16_t id;
    unsigned out, in;
    bool indirect;
    struct virtq_segment segment[FAKE_SEGMENTS];
};
/* The next request of queue n; false: there is none. */
bool fake_take(unsigned n, struct fake_chain *c);
/* Tell that request `id` has ended, and interrupt if that is wanted. */
void fake_end(unsigned n, uint32_t id, uint32_t length);
void fake_work(void); /* the work loop's part */
/* Set the used ring's index, whatever is in it, and interrupt. */
void fake_used_index(unsigned n, uint16_t index);
void fake_interrupt(uint16_t message);
/* What queue n wants before it is notified again (event index). */
void fake_want(unsigned n, uint16_t avail_event);

#endif
