/* SPDX-License-Identifier: MIT */
/*
 * 08-block - the first disk: how large it is, what it holds, and, where it may be written, a block
 * written, flushed and read back. The disk is the user's own, so the block is put back as it was.
 */
#include <pv/pv.h>
PV_NEEDS("xenstore");
#define BATCH 16

static struct pv_block disk;
static pfn_t page[BATCH];
static unsigned ended, failed;

static int block_io(enum pv_block_op op, uint64_t sector, pfn_t frame)
{
    int err = pv_block_rw(&disk, op, sector, frame, 0, op == PV_BLOCK_FLUSH ? 0 : PV_PAGE_SIZE);

    if (err)
        pv_printf("operation %d at sector %lu: %s\n", op, sector, pv_error_name(err));
    return err;
}

/* The same pattern for writing and for comparing. */
static bool pattern(uint64_t *words, bool write)
{
    bool same = true;

    for (uint64_t i = 0, x = 0x123456789abcdef; i < PV_PAGE_SIZE / 8; i++) {
        x = x * 6364136223846793005 + 1442695040888963407;
        same &= words[i] == x;
        if (write)
            words[i] = x;
    }
    return same;
}

static void one_ended(struct pv_block_request *r, int status)
{
    (void)r;
    ended++;
    failed += status != 0;
}

/* Many at once: all are under way together, and the back-end is told once. */
static void read_many(unsigned n)
{
    static struct pv_block_segment seg[BATCH];
    static struct pv_block_request r[BATCH];

    for (unsigned i = 0; i < n; i++) {
        seg[i] = (struct pv_block_segment){page[i], 0, PV_PAGE_SIZE};
        r[i] = (struct pv_block_request){
            .op = PV_BLOCK_READ, .sector = i * 8, .segs = &seg[i], .nr_segs = 1, .done = one_ended};
        pv_block_queue(&disk, &r[i]);
    }
    for (pv_block_kick(&disk); ended < n; pv_block_poll(&disk)) {
        pv_sched_poll((uint32_t[]){disk.port, pv_xenstore_port()}, 2, 0);
        pv_xenstore_poll(); /* which tells when the disk has gone */
    }
    pv_printf("%u blocks read at once, %u failed\n", n, failed);
}

int pv_host_main(const char *cmdline __attribute__((unused)))
{
    unsigned blocks;
    uint64_t last;
    bool right;
    int err;

    for (unsigned i = 0; i < BATCH; i++)
        page[i] = pv_host_page_alloc();
    err = pv_block_open(&disk, 0);
    if (err == -XEN_ENODEV) {
        pv_printf("there is no disk\n");
        return 0;
    }
    if (err) {
        pv_printf("%s: %s\n", pv_error_name(err), pv_xenbus_why(&disk.bus));
        return 1;
    }
    blocks = disk.info.sectors / 8 < BATCH ? (unsigned)(disk.info.sectors / 8) : BATCH;
    last = (disk.info.sectors - 8) & ~(uint64_t)7;
    pv_printf("%s: %lu sectors, %s\n", disk.info.name, disk.info.sectors,
              disk.info.readonly ? "read-only" : "read and write");
    read_many(blocks);

    right = !disk.info.readonly && !block_io(PV_BLOCK_READ, last, page[0]);
    if (right) {
        pattern(pv_host_page_va(page[1]), true);
        right = !block_io(PV_BLOCK_WRITE, last, page[1]) &&
                (!disk.info.flush || !block_io(PV_BLOCK_FLUSH, 0, page[1])) &&
                !block_io(PV_BLOCK_READ, last, page[2]) && pattern(pv_host_page_va(page[2]), false);
        pv_printf("written, flushed and read back: %s\n", right ? "the same" : "DIFFERENT");
        right &= !block_io(PV_BLOCK_WRITE, last, page[0]);
    }
    pv_block_close(&disk);
    return !failed && (right || disk.info.readonly) ? 0 : 1;
}
