/* SPDX-License-Identifier: MIT */
/*
 * blockload.c - random reads of 4 KiB with 32 of them under way, through libpv's block front-end.
 *
 * Each block of the disk is first written with its own number. Then READS blocks are read in a
 * random order, each looked at, between two marks that the counting plugin knows (count.c): row 0,
 * part 1. The same file runs on the shim and on real Xen, so what differs is what the back-end
 * costs.
 */
#include <pv/pv.h>

PV_NEEDS("xenstore");

enum { DEPTH = 32, READS = 4096 };

uint8_t bench_marks[64];

static struct pv_block disk;
static struct slot {
    struct pv_block_request r;
    struct pv_block_segment seg;
    uint64_t block;
    bool busy;
} slot[DEPTH];
static unsigned ended, wrong;
static uint64_t random = 88172645463325252ull;

static void mark(unsigned which)
{
    __asm__ volatile("movb $0x5b, bench_marks(%%rax)" ::"a"((uint64_t)which) : "memory");
}

static void done(struct pv_block_request *r, int status)
{
    struct slot *s = r->arg;
    uint64_t *word = pv_host_page_va(s->seg.frame);

    s->busy = false;
    ended++;
    wrong += status != 0 || *word != s->block;
}

static uint64_t next_block(enum pv_block_op op, unsigned n, uint64_t blocks)
{
    if (op == PV_BLOCK_WRITE)
        return n;
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return random % blocks;
}

/* `n` requests, as many at a time as there are slots; one notification for all that are new. */
static void run(enum pv_block_op op, unsigned n, uint64_t blocks)
{
    unsigned begun = 0;

    ended = 0;
    while (ended < n) {
        unsigned before = begun;

        for (unsigned i = 0; i < DEPTH && begun < n; i++) {
            struct slot *s = &slot[i];

            if (s->busy)
                continue;
            s->busy = true;
            s->block = next_block(op, begun++, blocks);
            *(uint64_t *)pv_host_page_va(s->seg.frame) = op == PV_BLOCK_WRITE ? s->block : ~0ull;
            s->r = (struct pv_block_request){.op = op,
                                             .sector = s->block * 8,
                                             .segs = &s->seg,
                                             .nr_segs = 1,
                                             .done = done,
                                             .arg = s};
            if (pv_block_queue(&disk, &s->r))
                done(&s->r, -1);
        }
        if (begun != before)
            pv_block_kick(&disk);
        if (!pv_block_poll(&disk) && ended < n)
            pv_sched_poll(&disk.port, 1, 0);
    }
}

int pv_host_main(const char *cmdline __attribute__((unused)))
{
    uint64_t blocks;
    int err = pv_grant_init(4);

    pv_events_disable();
    if (!err)
        err = pv_block_open(&disk, 0);
    if (err) {
        pv_printf("blockload: %s: %s\n", pv_error_name(err), pv_xenbus_why(&disk.bus));
        return 1;
    }
    for (unsigned i = 0; i < DEPTH; i++)
        slot[i].seg = (struct pv_block_segment){pv_host_page_alloc(), 0, PV_PAGE_SIZE};
    blocks = disk.info.sectors / 8;
    run(PV_BLOCK_WRITE, (unsigned)blocks, blocks);
    run(PV_BLOCK_READ, 64, blocks);
    uint64_t told = disk.notifications;
    mark(2);
    run(PV_BLOCK_READ, READS, blocks);
    mark(3);
    pv_printf("blockload: %u reads of 4 KiB, %u wrong, %lu notifications\n", READS, wrong,
              disk.notifications - told);
    pv_block_close(&disk);
    return wrong != 0;
}
