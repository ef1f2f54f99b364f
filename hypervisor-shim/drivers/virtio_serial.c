/* SPDX-License-Identifier: MIT
 *
 * virtio_serial.c - see virtio_serial.h: bytes in, messages out.
 *
 *   host ─► in[] buffers ─► filled, in order ─► read()      one page, given to the
 *   host ◄─ out[] slots  ◄──────────────────── write()      device piece by piece
 *
 * The port is number 0 and the device is not asked for more, so that there are two queues and
 * nothing to agree on. It interrupts when bytes have come or a message has gone; nothing is polled.
 * A host that sends and never reads fills the slots, and is then not heard either.
 */
#include "virtio_serial.h"
#include "virtio.h"
#include "../control.h"
#include "../core/control.h"
#include "../core/domain.h"
#include "../core/platform.h"
#include "../core/sched.h"

enum { RECEIVE, TRANSMIT, QUEUE_SIZE = 16, IN_BUFFERS = 4, IN_BYTES = 512, OUT_SLOTS = 8 };

struct page {
    uint8_t in[IN_BUFFERS][IN_BYTES];
    struct out {
        struct control_message message;
        uint64_t busy;
    } out[OUT_SLOTS];
};
_Static_assert(sizeof(struct page) <= PV_PAGE_SIZE, "one page");

static struct {
    struct virtio device;
    struct virtq queue[2];
    struct page *page;
    struct { /* filled buffers, oldest first; the first one is partly read */
        uint8_t *bytes;
        uint32_t length;
    } filled[IN_BUFFERS];
    uint32_t first, count, taken;
} port;

static void offer(uint8_t *buffer)
{
    struct virtq_segment s = {.address = plat_maddr(buffer), .length = IN_BYTES};

    virtq_add(&port.queue[RECEIVE], &s, 0, 1, buffer);
}

static void received(struct virtq *q, void *cookie, long written)
{
    uint32_t at = (port.first + port.count) % IN_BUFFERS;

    (void)q;
    if (written < 0)
        return; /* broken, and the log says so */
    if (written == 0) {
        offer(cookie);
        return;
    }
    port.filled[at].bytes = cookie;
    port.filled[at].length = (uint32_t)written;
    port.count++;
    cpu_work_set(CPU_WORK_CONTROL);
}

static void transmitted(struct virtq *q, void *cookie, long written)
{
    struct out *o = cookie;

    (void)q, (void)written;
    o->busy = 0;
    cpu_work_set(CPU_WORK_CONTROL);
}

static size_t serial_read(void *to, size_t n)
{
    size_t done = 0;

    while (done < n && port.count) {
        size_t have = port.filled[port.first].length - port.taken;
        size_t chunk = have < n - done ? have : n - done;

        __builtin_memcpy((uint8_t *)to + done, port.filled[port.first].bytes + port.taken, chunk);
        done += chunk;
        port.taken += (uint32_t)chunk;
        if (chunk < have)
            break;
        offer(port.filled[port.first].bytes);
        port.first = (port.first + 1) % IN_BUFFERS;
        port.count--;
        port.taken = 0;
        virtq_kick(&port.queue[RECEIVE]);
    }
    return done;
}

static bool serial_write(const void *from, size_t n)
{
    struct virtq_segment s = {.length = (uint32_t)n};
    struct out *o = NULL;

    for (unsigned i = 0; i < OUT_SLOTS && !o; i++)
        if (!port.page->out[i].busy)
            o = &port.page->out[i];
    if (!o)
        return false;
    __builtin_memcpy(&o->message, from, n);
    s.address = plat_maddr(&o->message);
    o->busy = virtq_add(&port.queue[TRANSMIT], &s, 1, 0, o);
    if (o->busy)
        virtq_kick(&port.queue[TRANSMIT]);
    return true; /* a broken device takes everything, and nothing comes of it */
}

static const struct control_channel channel = {serial_read, serial_write};

void virtio_serial_probe(const struct pci_device *p)
{
    if (port.page) {
        hv_log("%s: a second console, not used\n", pci_name(p));
        return;
    }
    if (!virtio_open(&port.device, p, "control channel", 0) ||
        !virtq_init(&port.queue[RECEIVE], &port.device, RECEIVE, QUEUE_SIZE, 1, received) ||
        !virtq_init(&port.queue[TRANSMIT], &port.device, TRANSMIT, QUEUE_SIZE, 1, transmitted))
        return;
    port.page = frame_hv_alloc(0);
    if (!port.page)
        return;
    virtio_ready(&port.device);
    for (unsigned i = 0; i < IN_BUFFERS; i++)
        offer(port.page->in[i]);
    virtq_kick(&port.queue[RECEIVE]);
    control_attach(&channel);
}
