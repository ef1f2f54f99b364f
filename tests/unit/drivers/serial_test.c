/* SPDX-License-Identifier: MIT
 *
 * serial_test.c - the host's channel as a virtio console: requests in whatever pieces the device
 * gives them, a host that does not take what is sent, a device that lies, and a second console.
 */
#include "fake.h"
#include "drivers/virtio_serial.h"
#include "control.h"
#include "core/control.h"
#include "core/domain.h"
#include "core/platform.h"
#include "tests/support/hosted.h"
#include <criterion/criterion.h>
#include <string.h>

enum { RECEIVE, TRANSMIT };

static const struct pci_device pci = {.bdf = FAKE_BDF, .vendor = VIRTIO_VENDOR, .device = 0x1043};

static void setup(void)
{
    hosted_init(4096);
    hosted.quiet = true;
    fake_init(0x1043, VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX);
    virtio_serial_probe(&pci);
    cr_assert(control_ready());
    cr_assert_eq(fake.status, 15);
}
TestSuite(serial, .init = setup, .fini = hosted_exit);

/* The device gives n bytes of the host's; false: the driver has given it no buffer for them. */
static bool give(const void *bytes, uint32_t n)
{
    struct fake_chain c;

    if (!fake_take(RECEIVE, &c))
        return false;
    cr_assert_eq(c.out, 0);
    cr_assert_eq(c.in, 1);
    cr_assert_geq(c.segment[0].length, n);
    if (n)
        memcpy(plat_ram + c.segment[0].address, bytes, n);
    fake_end(RECEIVE, c.id, n);
    fake_work();
    return true;
}

/* The device takes a message, if there is one, and says so. */
static bool take(struct control_message *m)
{
    struct fake_chain c;

    if (!fake_take(TRANSMIT, &c))
        return false;
    cr_assert_eq(c.out, 1);
    cr_assert_eq(c.in, 0);
    cr_assert_eq(c.segment[0].length, sizeof(*m));
    memcpy(m, plat_ram + c.segment[0].address, sizeof(*m));
    fake_end(TRANSMIT, c.id, 0);
    fake_work();
    return true;
}

static struct control_request hello(uint32_t id)
{
    return (struct control_request){.magic = CONTROL_REQUEST,
                                    .version = CONTROL_VERSION,
                                    .op = CONTROL_HELLO,
                                    .id = id,
                                    .end = CONTROL_END};
}

Test(serial, requests_come_in_pieces_of_any_size)
{
    for (uint32_t n = 1; n <= sizeof(struct control_request); n++) {
        struct control_request r = hello(n);
        struct control_message m;

        for (uint32_t at = 0; at < sizeof(r); at += n) {
            uint32_t rest = (uint32_t)sizeof(r) - at;

            cr_assert(give((char *)&r + at, rest < n ? rest : n));
            cr_assert(give("", 0), "and nothing at all");
            hv.cpu[0].work = 0;
            control_work();
        }
        cr_assert(take(&m), "in pieces of %u", n);
        cr_assert_eq(m.id, n);
        cr_assert_eq(m.value, CONTROL_VERSION);
        cr_assert_not(take(&m));
    }
}

Test(serial, the_work_loop_is_told)
{
    struct control_request r = hello(1);
    struct control_message m;

    hv.cpu[0].work = 0;
    cr_assert(give(&r, sizeof(r)));
    cr_assert(hv.cpu[0].work & CPU_WORK_CONTROL);
    control_work();
    hv.cpu[0].work = 0;
    cr_assert(take(&m));
    cr_assert(hv.cpu[0].work & CPU_WORK_CONTROL, "there is room again");
}

Test(serial, a_host_that_does_not_read_is_not_heard)
{
    struct control_message m;
    unsigned given = 0, taken = 0;

    for (; given < 100; given++) {
        struct control_request r = hello(given);

        if (!give(&r, sizeof(r)))
            break;
        control_work();
    }
    cr_assert_gt(given, 8);
    cr_assert_lt(given, 20, "some are answered, some wait, and then there are no buffers");
    while (taken < given) {
        cr_assert(take(&m));
        cr_assert_eq(m.id, taken++, "in their order");
        control_work();
    }
    cr_assert_not(take(&m));
}

Test(serial, a_device_that_lies_is_not_used_any_more)
{
    unsigned resets = fake.resets;

    fake_used_index(RECEIVE, 1000);
    fake_work();
    cr_assert_eq(fake.resets, resets + 1);
    cr_assert(strstr(hosted.console, "control channel"), "the log says so");
    control_wanted = 1 << CONTROL_EVENT_VIRQ;
    for (unsigned i = 0; i < 50; i++) { /* what is sent goes nowhere, and nothing waits for it */
        control_virq(i % 4);
        control_work();
    }
}

Test(serial, one_console_is_enough)
{
    virtio_serial_probe(&pci);
    cr_assert(strstr(hosted.console, "a second console, not used"));
}
