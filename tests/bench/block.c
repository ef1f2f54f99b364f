/* SPDX-License-Identifier: MIT */
/*
 * The block benchmark: random reads of 4 KiB, always DEPTH of them under way, by libpv's front-end.
 *
 * Output, for tests/bench/report-block:
 *     BLOCK requests=N notified=N told=N ns=T
 * notified: events that the front-end sent; told: times that it was woken. What the machine did
 * between the two marks is counted by the plugin (count.c), apart for hypervisor and others.
 */
#include <pv/pv.h>

#define DEPTH    32
#define REQUESTS 4096

uint8_t bench_marks[128 * 64]; /* see bench.h */

static struct pv_block disk;
static struct pv_block_request request[DEPTH];
static struct pv_block_segment segment[DEPTH];
static unsigned asked, ended, failed;
static uint64_t seed = 88172645463325252;

static inline void mark(uint64_t end)
{
    __asm__ volatile("movb $0x5b, bench_marks(%%rax)" ::"a"(end) : "memory");
}

static void ask(struct pv_block_request *r)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    r->sector = seed % (disk.info.sectors / 8) * 8;
    asked++;
    if (pv_block_queue(&disk, r))
        failed++;
}

static void one_ended(struct pv_block_request *r, int status)
{
    ended++;
    failed += status != 0;
    if (asked < REQUESTS)
        ask(r);
}

int pv_host_main(const char *cmdline __attribute__((unused)))
{
    unsigned told = 0;
    uint64_t start;

    if (pv_grant_init(4) || pv_block_open(&disk, 0)) {
        pv_printf("no disk: %s\n", pv_xenbus_why(&disk.bus));
        return 1;
    }
    for (unsigned i = 0; i < DEPTH; i++) {
        segment[i] = (struct pv_block_segment){pv_host_page_alloc(), 0, PV_PAGE_SIZE};
        request[i] = (struct pv_block_request){
            .op = PV_BLOCK_READ, .segs = &segment[i], .nr_segs = 1, .done = one_ended};
    }
    disk.notifications = 0;
    start = pv_time_now();
    mark(0);
    for (unsigned i = 0; i < DEPTH; i++)
        ask(&request[i]);
    pv_block_kick(&disk);
    while (ended < REQUESTS && !failed) {
        pv_sched_poll(&disk.port, 1, 0);
        told++;
        pv_block_poll(&disk);
        pv_block_kick(&disk);
    }
    mark(1);
    pv_printf("BLOCK requests=%u notified=%lu told=%u ns=%lu\n", ended, disk.notifications, told,
              pv_time_now() - start);
    pv_block_close(&disk);
    return failed != 0;
}
