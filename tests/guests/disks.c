/* SPDX-License-Identifier: MIT */
/*
 * disks.c - a kernel that fills its disks: every sector of each that it may write with one letter
 * (that of its command line, fill=X, for the first; the next one for the second ...), many requests
 * at a time; then it reads all of it again. What it may not write it reads only. disks.sh looks at
 * the files afterwards.
 *
 * Told to "seek" it never ends: many requests are under way all over its first disk, each ended one
 * is followed by another; with "seek barriers" every ninth is a barrier, in the first 64
 * sectors, where no others are. elevator.sh looks at the order in which they go to the device.
 */
#include <pv/pv.h>

#define BATCH 24
#define DISKS 4
#define SEEKS 32

static struct pv_block disk[DISKS];
static pfn_t page[BATCH];
static unsigned ended, failed;

static void one_ended(struct pv_block_request *r, int status)
{
    (void)r;
    ended++;
    failed += status != 0;
}

/* n requests of a page each, from `sector` on, the last one maybe shorter. */
static void transfer(struct pv_block *d, enum pv_block_op op, uint64_t sector, unsigned n)
{
    static struct pv_block_segment seg[BATCH];
    static struct pv_block_request r[BATCH];

    ended = 0;
    for (unsigned i = 0; i < n; i++) {
        uint64_t at = sector + i * 8, left = d->info.sectors - at;

        seg[i] =
            (struct pv_block_segment){page[i], 0, left < 8 ? (uint32_t)left * 512 : PV_PAGE_SIZE};
        r[i] = (struct pv_block_request){
            .op = op, .sector = at, .segs = &seg[i], .nr_segs = 1, .done = one_ended};
        if (pv_block_queue(d, &r[i])) {
            ended++;
            failed++;
        }
    }
    for (pv_block_kick(d); ended < n; pv_block_poll(d))
        pv_sched_poll(&d->port, 1, 0);
}

static uint64_t differ(unsigned n, uint64_t bytes, char letter)
{
    uint64_t wrong = 0;

    for (unsigned i = 0; i < n; i++) {
        const char *p = pv_host_page_va(page[i]);

        for (uint64_t b = 0; b < PV_PAGE_SIZE && i * PV_PAGE_SIZE + b < bytes; b++)
            wrong += p[b] != letter;
    }
    return wrong;
}

/* All of it, in one direction. Bytes that are not the letter. */
static uint64_t pass(struct pv_block *d, enum pv_block_op op, char letter)
{
    uint64_t wrong = 0;

    for (uint64_t at = 0; at < d->info.sectors; at += BATCH * 8) {
        uint64_t left = d->info.sectors - at, n = (left + 7) / 8;

        n = n < BATCH ? n : BATCH;
        for (unsigned i = 0; i < n; i++)
            for (unsigned b = 0; b < PV_PAGE_SIZE; b++)
                ((char *)pv_host_page_va(page[i]))[b] = op == PV_BLOCK_WRITE ? letter : '?';
        transfer(d, op, at, (unsigned)n);
        if (op == PV_BLOCK_READ)
            wrong += differ((unsigned)n, left * 512, letter);
    }
    return wrong;
}

static bool one_disk(struct pv_block *d, char letter)
{
    uint64_t wrong;
    int beyond, flush = 0;

    failed = 0;
    if (!d->info.readonly) {
        pass(d, PV_BLOCK_WRITE, letter);
        flush = pv_block_rw(d, PV_BLOCK_FLUSH, 0, page[0], 0, 0);
    }
    wrong = pass(d, PV_BLOCK_READ, letter);
    beyond = pv_block_rw(d, PV_BLOCK_READ, d->info.sectors, page[0], 0, 512);
    pv_printf("%s: %lu sectors of %u, %s, %u failed, %lu bytes are not %c, flush %d, beyond %s\n",
              d->info.name, d->info.sectors, d->info.sector_bytes,
              d->info.readonly ? "read-only" : "filled", failed, wrong, letter, flush,
              beyond ? "refused" : "READ");
    if (d->info.readonly && pv_block_rw(d, PV_BLOCK_WRITE, 0, page[0], 0, 512) == 0)
        pv_printf("%s: WRITTEN\n", d->info.name);
    return failed == 0 && flush == 0 && beyond != 0;
}

static bool barriers;

static void next_place(struct pv_block_request *r, int status)
{
    static uint64_t n;
    struct pv_block *d = r->arg;
    bool barrier = ++n % 9 == 0 && barriers;

    r->op = barrier ? PV_BLOCK_BARRIER : PV_BLOCK_READ;
    r->sector = 8 * (barrier ? n / 9 % 8 : 8 + n * 2531 % (d->info.sectors / 8 - 8));
    if (status || pv_block_submit(d, r))
        pv_host_panic("a request failed");
}

static void seek(struct pv_block *d)
{
    static struct pv_block_segment seg[SEEKS];
    static struct pv_block_request r[SEEKS];

    if (pv_block_open(d, 0))
        pv_host_panic(pv_xenbus_why(&d->bus));
    for (unsigned i = 0; i < SEEKS; i++) {
        seg[i] = (struct pv_block_segment){page[i % BATCH], 0, PV_PAGE_SIZE};
        r[i] =
            (struct pv_block_request){.nr_segs = 1, .segs = &seg[i], .done = next_place, .arg = d};
        next_place(&r[i], 0);
    }
    pv_printf("seeking\n");
    for (;; pv_block_poll(d))
        pv_sched_poll(&d->port, 1, 0);
}

int pv_host_main(const char *cmdline)
{
    char letter = cmdline[0] == 'f' ? cmdline[5] : 'A';
    bool right = true;
    unsigned n = 0;

    for (unsigned i = 0; i < BATCH; i++)
        page[i] = pv_host_page_alloc();
    if (pv_grant_init(4))
        return 1;
    barriers = cmdline[0] == 's' && cmdline[4];
    if (cmdline[0] == 's')
        seek(&disk[0]);
    for (; n < DISKS && pv_block_open(&disk[n], n) == 0; n++)
        right &= one_disk(&disk[n], (char)(letter + n));
    for (unsigned i = 0; i < n; i++)
        pv_block_close(&disk[i]);
    pv_printf("%u disks\n", n);
    return right ? 0 : 1;
}
