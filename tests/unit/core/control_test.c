/* SPDX-License-Identifier: MIT
 *
 * control_test.c - the host's channel: what a good client gets, and what hostile, broken and dying
 * ones cannot do. The images that it creates guests from are all the same one (build_test.c has bad
 * ones); each test ends with an audit of all frames.
 */
#include "exec_fixture.h"
#include "backend/console.h"
#include "backend/store.h"
#include "core/control_ops.h"
#include "core/hostview_publish.h"
#include "tests/unit/tools/elf_image.h"
#include <pv/abi/console.h>
#include <pv/abi/xenstore.h>
#include <stdlib.h>

static void control_setup(void)
{
    exec_setup();
    hosted.control_room = PV_ARRAY_SIZE(hosted.control_out);
    control_attach(&hosted_channel);
}
TestSuite(control, .init = control_setup, .fini = exec_teardown);

/* -- a client -----------------------------------------------------------------------------------
 */

static void put(const void *bytes, size_t n)
{
    cr_assert_leq(hosted.control_written + n, sizeof(hosted.control_in));
    memcpy(hosted.control_in + hosted.control_written, bytes, n);
    hosted.control_written += n;
}

#define REQUEST(op_, ...)                                 \
    ((struct control_request){.magic = CONTROL_REQUEST,   \
                              .version = CONTROL_VERSION, \
                              .op = (op_),                \
                              .end = CONTROL_END,         \
                              __VA_ARGS__})

/* The reply; the channel's bytes are done with, and so are events. */
static const struct control_message *answer(void)
{
    const struct control_message *m = NULL;
    unsigned replies = 0;

    for (unsigned i = 0; i < 20 && !replies; i++) {
        hv.cpu[0].work |= CPU_WORK_CONTROL;
        hv_interrupt(v);
        for (unsigned n = 0; n < hosted.control_sent; n++)
            if (!hosted.control_out[n].event)
                m = &hosted.control_out[n], replies++;
    }
    hosted.control_written = hosted.control_read = hosted.control_sent = 0;
    cr_assert_eq(replies, 1);
    return m;
}

static long ask(struct control_request r)
{
    static uint32_t id;
    const struct control_message *m;

    r.id = ++id;
    put(&r, sizeof(r));
    m = answer();
    cr_assert_eq(m->magic, CONTROL_MESSAGE);
    cr_assert_eq(m->version, CONTROL_VERSION);
    cr_assert_eq(m->event, 0);
    cr_assert_eq(m->id, id);
    cr_assert_eq(m->client, r.client);
    cr_assert_eq(m->number, r.number);
    cr_assert_eq(m->end, CONTROL_END);
    cr_assert_eq(m->value < 0, m->reason.rule != RULE_NONE);
    return (long)m->value;
}
#define ASK(op, ...) ask(REQUEST(op, __VA_ARGS__))

static const struct reason *last_reason(void)
{
    const struct reason_ring *r = &control_reasons()->reasons;

    return &r->entry[(r->count - 1) % REASON_RING];
}

static enum rule last_rule(void)
{
    return control_reasons()->reasons.count ? last_reason()->rule : RULE_NONE;
}

#define assert_no(ask_, rule_, err_)                                                        \
    do {                                                                                    \
        long rc_ = (ask_);                                                                  \
        cr_assert_eq(rc_, -(long)(err_), "%s gave %ld", #ask_, rc_);                        \
        cr_assert_eq(last_rule(), rule_, "%s: rule was %s", #ask_, rule_name(last_rule())); \
    } while (0)

static uint64_t buffer_of(uint32_t client, uint64_t bytes)
{
    long at = ASK(CONTROL_BUFFER, .client = client, .arg = {bytes});

    cr_assert_gt(at, 0);
    cr_assert_eq(at % PV_PAGE_SIZE, 0);
    return (uint64_t)at;
}

/* -- the channel
 * ----------------------------------------------------------------------------------- */

Test(control, hello)
{
    cr_assert_eq(ASK(CONTROL_HELLO, .client = 3), CONTROL_VERSION);
    cr_assert_eq(hostview.control, CONTROL_VERSION, "tools see that there is a channel");
    cr_assert_eq(ASK(CONTROL_BYE, .client = 3), 0);
}

Test(control, requests_come_in_pieces)
{
    struct control_request r = REQUEST(CONTROL_HELLO, .id = 7);

    for (hosted.control_chunk = 1; hosted.control_chunk < 100; hosted.control_chunk += 13) {
        put(&r, sizeof(r));
        cr_assert_eq(answer()->value, CONTROL_VERSION);
    }
}

Test(control, half_a_request_waits_for_the_rest)
{
    struct control_request r = REQUEST(CONTROL_HELLO);

    put(&r, 40);
    control_work();
    cr_assert_eq(hosted.control_sent, 0);
    put((uint8_t *)&r + 40, sizeof(r) - 40);
    cr_assert_eq(answer()->value, CONTROL_VERSION);
    cr_assert_eq(last_rule(), RULE_NONE);
}

Test(control, rubbish_is_passed_over)
{
    struct control_request r = REQUEST(CONTROL_HELLO);
    uint8_t bytes[300];

    for (size_t n = 1; n < sizeof(bytes); n += 7) {
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)rand();
        put(bytes, n);
        put(&r, sizeof(r));
        cr_assert_eq(answer()->value, CONTROL_VERSION);
        cr_assert_eq(last_rule(), RULE_CONTROL_FRAME);
        cr_assert_eq(last_reason()->value, n);
    }
}

/* A client died; the next one's request comes behind any part of its last one. */
Test(control, the_end_of_a_request_is_missing)
{
    struct control_request r = REQUEST(CONTROL_HELLO, .arg = {CONTROL_REQUEST, CONTROL_REQUEST});

    for (size_t n = 1; n < sizeof(r); n++) {
        hosted.control_chunk = n % 5 * 20;
        put(&r, n);
        control_work();
        put(&r, sizeof(r));
        cr_assert_eq(answer()->value, CONTROL_VERSION, "after %zu bytes", n);
        cr_assert_eq(last_rule(), RULE_CONTROL_FRAME);
    }
}

Test(control, a_client_that_does_not_read_is_not_heard)
{
    struct control_request r = REQUEST(CONTROL_HELLO);

    hosted.control_room = 2;
    for (unsigned i = 0; i < 10; i++)
        put(&r, sizeof(r));
    hv.cpu[0].work = CPU_WORK_CONTROL;
    cr_assert_eq(hv_interrupt(v), v, "guests go on");
    cr_assert_eq(hosted.control_sent, 2);
    cr_assert_lt(hosted.control_read, 5 * sizeof(r));
    hosted.control_room = 64;
    control_work();
    cr_assert_eq(hosted.control_sent, 10, "and is, when it reads");
}

Test(control, without_a_channel_nothing_happens)
{
    control_attach(NULL);
    hv.cpu[0].work = CPU_WORK_CONTROL;
    hv_interrupt(v);
    cr_assert_eq(hostview.control, 0);
}

Test(control, what_makes_no_sense_is_refused)
{
    struct control_request r = REQUEST(CONTROL_HELLO);

    r.version = 9;
    assert_no(ask(r), RULE_CONTROL_VERSION, XEN_EOPNOTSUPP);
    assert_no(ASK(CONTROL_HELLO, .client = CONTROL_CLIENTS), RULE_CONTROL_CLIENT, XEN_EINVAL);
    assert_no(ASK(CONTROL_HELLO, .client = UINT32_MAX), RULE_CONTROL_CLIENT, XEN_EINVAL);
    assert_no(ASK(CONTROL_HELLO, .reserved = 1), RULE_CONTROL_RESERVED, XEN_EINVAL);
    assert_no(ASK(0), RULE_CONTROL_OPERATION, XEN_ENOSYS);
    assert_no(ASK(CONTROL_OPS), RULE_CONTROL_OPERATION, XEN_ENOSYS);
    assert_no(ASK(0xffff), RULE_CONTROL_OPERATION, XEN_ENOSYS);
    assert_no(ASK(CONTROL_XEN, .number = 36), RULE_CONTROL_HYPERCALL, XEN_ENOSYS);
}

Test(control, random_requests_do_no_harm)
{
    srand(4);
    for (unsigned i = 0; i < 20000; i++) {
        struct control_request r = REQUEST((uint16_t)(rand() % (CONTROL_OPS + 2)));
        const uint64_t odd[] = {0, 1, 2, 3, 64, 4096, 1ull << 20, 1ull << 31, UINT64_MAX, 0x1000};
        uint64_t *field = &r.arg[0];

        if (r.op == CONTROL_POWER_OFF)
            continue;
        r.client = rand() % 17;
        r.number = (uint32_t)odd[rand() % 10];
        for (unsigned f = 0; f < 7; f++)
            field[f] = rand() % 3 ? odd[rand() % 10] : (uint64_t)rand();
        if (r.number == 1 || r.number == 2)
            r.number += 7; /* the fixture's own guests stay */
        ask(r);
    }
    for (uint32_t c = 0; c < CONTROL_CLIENTS; c++)
        ASK(CONTROL_BYE, .client = c);
}

/* -- buffers
 * ------------------------------------------------------------------------------------------- */

Test(control, buffers_are_given_and_taken_back)
{
    uint64_t free = frame_free_count(), at[CONTROL_BUFFERS];

    for (unsigned i = 0; i < CONTROL_BUFFERS; i++)
        at[i] = buffer_of(1, 3 * PV_PAGE_SIZE - 5);
    cr_assert_eq(frame_free_count(), free - 3 * CONTROL_BUFFERS, "no page too many");
    assert_no(ASK(CONTROL_BUFFER, .client = 1, .arg = {1}), RULE_CONTROL_BUFFERS, XEN_ENOSPC);
    buffer_of(2, 1); /* others have their own */
    assert_no(ASK(CONTROL_BUFFER_FREE, .client = 2, .buffer = at[3]), RULE_CONTROL_BUFFER,
              XEN_EFAULT);
    assert_no(ASK(CONTROL_BUFFER_FREE, .client = 1, .buffer = at[3] + PV_PAGE_SIZE),
              RULE_CONTROL_BUFFER, XEN_EFAULT);
    assert_no(ASK(CONTROL_BUFFER_FREE, .client = 1, .buffer = 0), RULE_CONTROL_BUFFER, XEN_EFAULT);
    cr_assert_eq(ASK(CONTROL_BUFFER_FREE, .client = 1, .buffer = at[3]), 0);
    at[3] = buffer_of(1, 1);
    ASK(CONTROL_HELLO, .client = 1);
    ASK(CONTROL_BYE, .client = 2);
    cr_assert_eq(frame_free_count(), free);
    assert_no(ASK(CONTROL_BUFFER, .arg = {0}), RULE_CONTROL_BUFFER_SIZE, XEN_EINVAL);
    assert_no(ASK(CONTROL_BUFFER, .arg = {UINT64_MAX}), RULE_CONTROL_BUFFER_SIZE, XEN_EINVAL);
    assert_no(ASK(CONTROL_BUFFER, .arg = {1 << 30}), RULE_CONTROL_MEMORY, XEN_ENOMEM);
}

Test(control, ranges_lie_within_one_buffer)
{
    uint64_t at = buffer_of(1, PV_PAGE_SIZE), next = buffer_of(1, PV_PAGE_SIZE), n = PV_PAGE_SIZE;
    const uint64_t ranges[][2] = {{0, 1},           {at, 0},         {at, n + 1},
                                  {at - 1, 2},      {at + n, 1},     {at + n - 1, 2},
                                  {at, UINT64_MAX}, {1, UINT64_MAX}, {UINT64_MAX, 2},
                                  {hosted.now, 16}, {next, n + 1},   {next + n, 1}};

    for (unsigned i = 0; i < PV_ARRAY_SIZE(ranges); i++) {
        if (ranges[i][0] == next || ranges[i][0] == at + n) /* they may be neighbours */
            continue;
        assert_no(ASK(CONTROL_STORE, .client = 1, .buffer = ranges[i][0], .length = ranges[i][1]),
                  RULE_CONTROL_BUFFER, XEN_EFAULT);
    }
    assert_no(ASK(CONTROL_STORE, .client = 2, .buffer = at, .length = 16), RULE_CONTROL_BUFFER,
              XEN_EFAULT);
    ASK(CONTROL_BYE, .client = 1);
}

/* -- guests
 * -----------------------------------------------------------------------------------------------
 */

static const uint8_t *kernel(void)
{
    static struct good *image;

    if (!image)
        image = good_image();
    return image->bytes;
}

static struct control_request creation(uint32_t client, const char *text, const void *file,
                                       size_t size)
{
    uint64_t image = buffer_of(client, size), words = buffer_of(client, 2100);

    memcpy(plat_ram + image, file, size);
    strcpy((char *)plat_ram + words, text);
    return REQUEST(CONTROL_CREATE, .client = client, .buffer = words, .length = strlen(text) + 1,
                   .arg = {image, size});
}

static long create(const char *text, uint64_t flags)
{
    struct control_request r = creation(5, text, kernel(), SIZE);
    long domid;

    r.arg[4] = flags;
    domid = ask(r);
    ASK(CONTROL_BYE, .client = 5);
    return domid;
}

/* What stays for ever (pages of small allocations) has been taken; how many are free. */
static uint64_t warm(void)
{
    long id = create("role=kernel mem=4M --", 0);

    ASK(CONTROL_DESTROY, .number = (uint32_t)id);
    hv.latest = 2;
    return frame_free_count();
}

Test(control, a_guest_is_created_and_destroyed)
{
    uint64_t free = warm();
    long id = create("role=kernel name=new mem=4M vcpus=2 -- hello", 0);

    cr_assert_eq(id, 3);
    cr_assert_eq(hv.domain[3]->state, DOMAIN_RUNNING);
    cr_assert_eq(hv.domain[3]->vcpus, 2);
    cr_assert_eq(hv.domain[3]->pages, 1024);
    cr_assert_str_eq(hv.domain[3]->name, "new");
    cr_assert_str_eq(hv.domain[3]->cmdline, "hello");
    cr_assert_eq(frame_audit(), 0);
    cr_assert_eq(hostview.domains, 3);
    cr_assert_eq(ASK(CONTROL_DESTROY, .number = 3), 0);
    cr_assert_null(hv.domain[3]);
    cr_assert_eq(hostview.domains, 2);
    cr_assert_eq(frame_free_count(), free, "every frame is back");
    cr_assert_eq(hv.guests - hv.ended, 2);
    assert_no(ASK(CONTROL_DESTROY, .number = 3), RULE_CONTROL_DOMAIN, XEN_ESRCH);
}

Test(control, a_thousand_guests_leak_nothing)
{
    uint64_t free = warm();

    for (unsigned i = 0; i < 1000; i++) {
        long id = create("role=kernel mem=4M --", i & 1);

        cr_assert_eq(id, 3 + i % 62, "ascending, and again from the first");
        cr_assert_eq(ASK(CONTROL_DESTROY, .number = (uint32_t)id), 0);
        cr_assert_eq(frame_free_count(), free, "after %u", i);
    }
}

Test(control, a_burial_that_is_interrupted)
{
    uint64_t free = warm();
    long id = create("role=kernel mem=4M --", 0);

    hosted.interrupt_every = 2;
    cr_assert_eq(ASK(CONTROL_DESTROY, .number = (uint32_t)id), 0,
                 "it is answered when all is done");
    cr_assert_eq(frame_free_count(), free);
}

Test(control, an_ended_guest_is_read_until_it_is_destroyed)
{
    uint64_t free = warm();
    long id = create("role=kernel mem=4M --", 0);

    domain_shutdown(hv.domain[id], 0);
    hv_interrupt(v);
    cr_assert(hv.domain[id]->buried);
    assert_no(ASK(CONTROL_PAUSE, .number = (uint32_t)id), RULE_CONTROL_ENDED, XEN_EINVAL);
    cr_assert_eq(ASK(CONTROL_DESTROY, .number = (uint32_t)id), 0);
    cr_assert_null(hv.domain[id]);
    cr_assert_eq(frame_free_count(), free);
}

/* Building takes long: others run in between, and the next request waits. */
Test(control, a_guest_is_built_step_by_step)
{
    uint64_t free = warm();
    struct control_request r = creation(5, "role=kernel name=slow mem=8M -- x", kernel(), SIZE);
    struct control_request hello = REQUEST(CONTROL_HELLO, .client = 6, .id = 99);
    unsigned steps = 0;
    uint64_t image = buffer_of(5, 5 * PV_PAGE_SIZE * 64);

    memset(plat_ram + image, 'r', 5 * PV_PAGE_SIZE * 64);
    r.arg[2] = image, r.arg[3] = 5 * PV_PAGE_SIZE * 64;
    hosted.interrupt_every = 1;
    put(&r, sizeof(r));
    put(&hello, sizeof(hello));
    hv.cpu[0].work |= CPU_WORK_CONTROL;
    for (; hosted.control_sent == 0 && steps < 100; steps++) {
        const struct vcpu *next = hv_interrupt(v);

        cr_assert(next == v || next == other->v, "who was there runs");
        cr_assert(hosted.control_sent || hosted.timer <= hosted.now + 1000000);
        hosted.now += 1000000;
        hv.cpu[0].work |= CPU_WORK_TIMER;
    }
    cr_assert_gt(steps, 5);
    hosted.interrupt_every = 0;
    cr_assert_eq(hosted.control_out[0].value, 3);
    cr_assert_eq(hv.domain[3]->state, DOMAIN_RUNNING);
    cr_assert_eq(frame_audit(), 0);
    cr_assert_eq(hosted.control_out[1].id, 99);
    hosted.control_sent = hosted.control_written = hosted.control_read = 0;
    ASK(CONTROL_BYE, .client = 5);
    ASK(CONTROL_DESTROY, .number = 3);
    cr_assert_eq(frame_free_count(), free);
}

/* A guest that is ready before its builder has rested: no timer of anybody's is lost by that. */
Test(control, a_guest_is_built_before_the_rest_is_over)
{
    struct control_request r = creation(5, "role=kernel mem=4M --", kernel(), SIZE);
    struct timer later;
    long id;

    put(&r, sizeof(r));
    hosted.interrupt_every = 1;
    for (unsigned steps = 0; hosted.control_sent == 0 && steps < 100; steps++) {
        hv.cpu[0].work |= CPU_WORK_CONTROL;
        hv_interrupt(v);
    }
    hosted.interrupt_every = 0;
    id = hosted.control_out[0].value;
    cr_assert_gt(id, 0);
    cr_assert_eq(hosted.timer, hosted.now + 1000000, "it rests still");
    hosted.control_sent = hosted.control_written = hosted.control_read = 0;
    timer_init(&later, NULL, NULL);
    timer_set(&later, hosted.now + 5000000);
    cr_assert_gt(create("role=kernel mem=4M --", 0), id);
    cr_assert_eq(hosted.timer, hosted.now + 5000000);
    timer_stop(&later);
}

/* Another guest still maps a page of the dead one: its number must not be another's. */
Test(control, a_number_is_not_used_again_while_frames_are)
{
    long id = create("role=kernel mem=4M --", 0);
    struct domain *d = hv.domain[id];
    struct frame *f = NULL;

    for (uint64_t m = 0; m < frame_count && !f; m++)
        if (frame_table[m].owner == id && frame_table[m].type == FRAME_WRITABLE &&
            !(frame_table[m].flags & FRAME_HV))
            f = &frame_table[m];
    cr_assert(f && frame_get(f, (uint16_t)id));
    cr_assert_eq(ASK(CONTROL_DESTROY, .number = (uint32_t)id), 0);
    cr_assert_eq(hv.domain[id], d);
    cr_assert_eq(d->pages, 1);
    assert_no(ASK(CONTROL_UNPAUSE, .number = (uint32_t)id), RULE_CONTROL_ENDED, XEN_EINVAL);
    for (unsigned i = 0; i < 70; i++) {
        long other_id = create("role=kernel mem=4M --", 0);

        cr_assert_neq(other_id, id);
        ASK(CONTROL_DESTROY, .number = (uint32_t)other_id);
    }
    frame_put(f);
    hv_interrupt(v);
    cr_assert_null(hv.domain[id], "with its last frame it is gone");
}

/* The next domain with a number is another one: it sees nothing of what the first one left, be it
 * given up before its end or with it. */
Test(control, a_number_that_is_used_again_brings_no_memory)
{
    uint64_t kept = 0;
    struct domain *d;
    mfn_t m[256];

    warm();
    cr_assert_eq(create("role=kernel mem=4M --", CONTROL_CREATE_PAUSED), 3);
    d = hv.domain[3];
    d->max_pages += 64;
    for (unsigned i = 0; i < 64; i++)
        cr_assert(frame_domain_alloc(d, 0, &m[i]));
    for (uint64_t n = 0; n < frame_count; n++)
        if (frame_table[n].owner == 3 && !(frame_table[n].flags & (FRAME_HV | FRAME_VALIDATED)))
            memset(plat_map(mfn(n)), 0x5a, PV_PAGE_SIZE), kept++;
    cr_assert_gt(kept, 64);
    for (unsigned i = 0; i < 64; i++)
        frame_domain_free(d, m[i]);
    ASK(CONTROL_DESTROY, .number = 3);
    cr_assert_null(hv.domain[3]);
    d = domain_create(3, "another", 1024, 1);
    for (unsigned i = 0; i < 256; i++) {
        cr_assert(frame_domain_alloc(d, 0, &m[i]));
        for (unsigned byte = 0; byte < PV_PAGE_SIZE; byte += 8)
            cr_assert_eq(*(uint64_t *)((uint8_t *)plat_map(m[i]) + byte), 0);
    }
    domain_destroy(d);
    hv_interrupt(v);
    cr_assert_null(hv.domain[3]);
}

Test(control, guests_that_cannot_be)
{
    uint64_t free = warm();
    struct control_request good = creation(1, "role=kernel name=x mem=4M --", kernel(), SIZE);
    struct control_request r;
    char *text = (char *)plat_ram + good.buffer;

    r = good, r.arg[4] = 2;
    assert_no(ask(r), RULE_CONTROL_FLAGS, XEN_EINVAL);
    r = good, r.arg[0] += PV_PAGE_SIZE;
    assert_no(ask(r), RULE_CONTROL_BUFFER, XEN_EFAULT);
    r = good, r.arg[1] = 0;
    assert_no(ask(r), RULE_CONTROL_BUFFER, XEN_EFAULT);
    r = good, r.arg[3] = 1;
    assert_no(ask(r), RULE_CONTROL_BUFFER, XEN_EFAULT);
    r = good, r.length--;
    assert_no(ask(r), RULE_CONTROL_TEXT, XEN_EINVAL);
    r = good, r.length = 2100;
    assert_no(ask(r), RULE_CONTROL_TEXT, XEN_EINVAL);
    strcpy(text, "role=kernel name=x mem=0M --");
    assert_no(ask(good), RULE_CONTROL_TEXT, XEN_EINVAL);
    strcpy(text, "role=kernel name=x mem=9G --");
    assert_no(ask(good), RULE_MACHINE_MEMORY, XEN_EINVAL);
    strcpy(text, "role=kernel name=x mem=8K --");
    assert_no(ask(good), RULE_IMAGE_MEMORY, XEN_EINVAL);
    strcpy(text, "role=kernel name=hosted   --");
    assert_no(ask(good), RULE_CONTROL_NAME, XEN_EEXIST);
    strcpy(text, "role=kernel name=x mem=4M --");
    plat_ram[good.arg[0]] = 0; /* not ELF */
    cr_assert_lt(ask(good), 0);
    hv_interrupt(v);
    cr_assert_eq(hv.guests, 2, "nothing is left of them");
    ASK(CONTROL_BYE, .client = 1);
    cr_assert_eq(frame_free_count(), free);
}

Test(control, as_many_as_there_may_be)
{
    struct control_request r = creation(1, "role=kernel mem=4M --", kernel(), SIZE);

    hosted.quiet = true;
    for (unsigned i = 3; i < MAX_DOMAINS; i++) { /* without memory of their own */
        struct domain *d = domain_create(domain_unused_id(), "", 16, 1);

        cr_assert(d);
    }
    assert_no(ask(r), RULE_CONTROL_FULL, XEN_ENOSPC);
    cr_assert_eq(ASK(CONTROL_DESTROY, .number = 40), 0);
    cr_assert_eq(ask(r), 40);
    ASK(CONTROL_BYE, .client = 1);
}

Test(control, pause_and_unpause)
{
    assert_no(ASK(CONTROL_UNPAUSE, .number = 1), RULE_CONTROL_NOT_PAUSED, XEN_EINVAL);
    assert_no(ASK(CONTROL_PAUSE, .number = 77), RULE_CONTROL_DOMAIN, XEN_ESRCH);
    assert_no(ASK(CONTROL_PAUSE, .number = 0), RULE_CONTROL_DOMAIN, XEN_ESRCH);
    assert_no(ASK(CONTROL_PAUSE, .number = 65537), RULE_CONTROL_DOMAIN, XEN_ESRCH);
    cr_assert_eq(ASK(CONTROL_PAUSE, .number = 1), 0);
    cr_assert_eq(g->d->state, DOMAIN_PAUSED);
    assert_no(ASK(CONTROL_PAUSE, .number = 1), RULE_CONTROL_NOT_RUNNING, XEN_EINVAL);
    cr_assert_eq(hv_idle(), other->v, "the other has the processor for itself");
    sched_wake(v); /* an event comes: it stays where it is */
    cr_assert_eq(hv_idle(), other->v);
    cr_assert_eq(ASK(CONTROL_UNPAUSE, .number = 1), 0);
    cr_assert_eq(ASK(CONTROL_PAUSE, .number = 2), 0);
    cr_assert_eq(hv_idle(), v);
    cr_assert_eq(ASK(CONTROL_UNPAUSE, .number = 2), 0);
}

Test(control, who_slept_when_it_was_paused_sleeps_on)
{
    sched_sleep(v, VCPU_BLOCKED);
    ASK(CONTROL_PAUSE, .number = 1);
    ASK(CONTROL_UNPAUSE, .number = 1);
    cr_assert_eq(v->state, VCPU_BLOCKED);
    ASK(CONTROL_PAUSE, .number = 1);
    sched_wake(v);
    cr_assert_eq(v->state, VCPU_RUNNABLE);
    cr_assert_not(v->queued);
    ASK(CONTROL_UNPAUSE, .number = 1);
    cr_assert(v->queued, "it woke up meanwhile");
}

Test(control, a_disk_that_is_not_there)
{
    struct control_request r = creation(5, "role=kernel mem=4M disk=vdz --", kernel(), SIZE);
    unsigned n = 0;

    assert_no(ask(r), RULE_CONTROL_DISK, XEN_ENODEV);
    cr_assert(strstr(hosted.console, "disk=vdz: there is no such disk"));
    for (unsigned i = 0; i < MAX_DOMAINS; i++)
        n += hv.domain[i] && hv.domain[i]->state == DOMAIN_PAUSED;
    cr_assert_eq(n, 0, "nothing is left of it");
}

Test(control, a_paused_guest_can_be_destroyed)
{
    long id = create("role=kernel mem=4M --", CONTROL_CREATE_PAUSED);

    cr_assert_eq(hv.domain[id]->state, DOMAIN_PAUSED);
    cr_assert_eq(ASK(CONTROL_DESTROY, .number = (uint32_t)id), 0);
    cr_assert_null(hv.domain[id]);
}

/* -- console and store
 * -------------------------------------------------------------------------------------- */

Test(control, console_input)
{
    struct xencons_interface *ring = hosted_page(other, 6);
    uint64_t at = buffer_of(1, PV_PAGE_SIZE);

    memset(ring, 0, sizeof(*ring));
    memset(plat_ram + at, 'x', PV_PAGE_SIZE);
    other->d->console_port = evtchn_bind_backend(other->d, BACKEND_CONSOLE);
    console_attach(other->d, ring);
    cr_assert_eq(ASK(CONTROL_CONSOLE_INPUT, .client = 1, .number = 2, .buffer = at, .length = 5),
                 5);
    cr_assert_eq(ring->in_prod, 5);
    cr_assert(bit(other->d->shared->evtchn_pending, other->d->console_port));
    cr_assert_eq(ASK(CONTROL_CONSOLE_INPUT, .client = 1, .number = 2, .buffer = at, .length = 4096),
                 sizeof(ring->in) - 5 + CONSOLE_INPUT, "as much as there is room");
    cr_assert_eq(ASK(CONTROL_CONSOLE_INPUT, .client = 1, .number = 2, .buffer = at, .length = 9),
                 0);
    ring->in_prod = ring->in_cons + 5000; /* the guest is mad */
    console_notified(other->d);
    ASK(CONTROL_CONSOLE_INPUT, .client = 1, .number = 2, .buffer = at, .length = 9);
    cr_assert_eq(other->d->state, DOMAIN_RUNNING);
    ASK(CONTROL_BYE, .client = 1);
}

static long store(uint32_t client, uint64_t at, uint32_t type, const void *payload, uint32_t n,
                  uint64_t room)
{
    struct xen_xsd_sockmsg h = {.type = type, .len = n};

    memcpy(plat_ram + at, &h, sizeof(h));
    if (payload)
        memcpy(plat_ram + at + sizeof(h), payload, n);
    return ASK(CONTROL_STORE, .client = client, .buffer = at, .length = room);
}

Test(control, the_store_by_its_own_protocol)
{
    uint64_t at = buffer_of(1, 2 * PV_PAGE_SIZE), room = 2 * PV_PAGE_SIZE;
    const struct xen_xsd_sockmsg *h = (void *)(plat_ram + at);
    const char *text = (const char *)(h + 1);
    char value[16];

    cr_assert_eq(store(1, at, XEN_XS_WRITE, "/tool/x\0one", 11, room), 16 + 3);
    cr_assert_eq(h->type, XEN_XS_WRITE);
    cr_assert_str_eq(text, "OK");
    cr_assert_eq(store_read("/tool/x", value, sizeof(value)), 3);
    cr_assert_eq(store(1, at, XEN_XS_READ, "/tool/x", 8, room), 16 + 3);
    cr_assert_eq(memcmp(text, "one", 3), 0);
    store(1, at, XEN_XS_READ, "/nowhere", 9, room);
    cr_assert_eq(h->type, XEN_XS_ERROR);
    cr_assert_str_eq(text, "ENOENT");
    store(1, at, XEN_XS_TRANSACTION_START, "", 1, room);
    cr_assert_eq(h->type, XEN_XS_TRANSACTION_START,
                 "transactions that stay open end with the client");
    ASK(CONTROL_BYE, .client = 1);
}

Test(control, store_requests_that_are_none)
{
    uint64_t at = buffer_of(1, 2 * PV_PAGE_SIZE), room = 2 * PV_PAGE_SIZE;

    assert_no(store(1, at, XEN_XS_READ, "/", 2, 15), RULE_CONTROL_STORE_REQUEST, XEN_EINVAL);
    assert_no(store(1, at, XEN_XS_READ, NULL, 4097, room), RULE_CONTROL_STORE_REQUEST, XEN_EINVAL);
    assert_no(store(1, at, XEN_XS_READ, NULL, UINT32_MAX, room), RULE_CONTROL_STORE_REQUEST,
              XEN_EINVAL);
    assert_no(store(1, at, XEN_XS_READ, NULL, UINT32_MAX - 15, room), RULE_CONTROL_STORE_REQUEST,
              XEN_EINVAL);
    assert_no(store(1, at, XEN_XS_READ, "/", 2, 17), RULE_CONTROL_STORE_REQUEST, XEN_EINVAL);
    assert_no(store(1, at, XEN_XS_WATCH, "/\0t", 4, room), RULE_CONTROL_STORE_TYPE, XEN_EOPNOTSUPP);
    assert_no(store(1, at, XEN_XS_UNWATCH, "/\0t", 4, room), RULE_CONTROL_STORE_TYPE,
              XEN_EOPNOTSUPP);
    assert_no(store(1, at, XEN_XS_RESET_WATCHES, "", 1, room), RULE_CONTROL_STORE_TYPE,
              XEN_EOPNOTSUPP);
    store(1, at, XEN_XS_WRITE, "/tool/x\0a long value", 20, room);
    assert_no(store(1, at, XEN_XS_READ, "/tool/x", 8, 24), RULE_CONTROL_STORE_ROOM, XEN_ENOSPC);
    cr_assert_gt(store(1, at, 12345, "/", 2, room), 0, "the store has its own answer to that");
    ASK(CONTROL_BYE, .client = 1);
}

/* -- events
 * ----------------------------------------------------------------------------------------------------
 */

/* The latest. */
static const struct control_message *event_of(enum control_event event, uint32_t number)
{
    for (unsigned i = hosted.control_sent; i-- > 0;)
        if (hosted.control_out[i].event == event && hosted.control_out[i].number == number)
            return &hosted.control_out[i];
    return NULL;
}

static void listen(uint32_t client, uint64_t events)
{
    struct control_request r = REQUEST(CONTROL_EVENTS, .client = client, .arg = {events});

    put(&r, sizeof(r));
    control_work();
    hosted.control_written = hosted.control_read = 0;
}

Test(control, events_begin_with_how_it_stands)
{
    listen(2, 1 << CONTROL_EVENT_DOMAIN | 1 << CONTROL_EVENT_CONSOLE);
    cr_assert_eq(event_of(CONTROL_EVENT_DOMAIN, 1)->value, HV_DOM_RUNNING);
    cr_assert_eq(event_of(CONTROL_EVENT_DOMAIN, 2)->value, HV_DOM_RUNNING);
    cr_assert_eq(event_of(CONTROL_EVENT_CONSOLE, 2)->value, 0);
    cr_assert_eq(hosted.control_sent, 5, "and the reply");
}

Test(control, what_happens_often_is_told_once)
{
    listen(2, 1 << CONTROL_EVENT_CONSOLE | 1 << CONTROL_EVENT_DOMAIN | 1 << CONTROL_EVENT_VIRQ);
    hosted.control_sent = 0;
    for (unsigned i = 0; i < 1000; i++)
        console_guest_write(g->d, "spam", 4);
    domain_pause(g->d);
    domain_unpause(g->d);
    control_work();
    cr_assert_eq(hosted.control_sent, 2);
    cr_assert_eq(event_of(CONTROL_EVENT_CONSOLE, 1)->value, 4000);
    cr_assert_eq(event_of(CONTROL_EVENT_DOMAIN, 1)->value, HV_DOM_RUNNING);
    hosted.control_sent = 0;
    domain_destroy(other->d);
    hv_interrupt(v);
    control_work();
    cr_assert_eq(event_of(CONTROL_EVENT_DOMAIN, 2)->value, HV_DOM_NONE);
    cr_assert_eq(event_of(CONTROL_EVENT_VIRQ, 0)->value, XEN_VIRQ_DOM_EXC);
}

Test(control, events_wait_for_room)
{
    listen(2, 1 << CONTROL_EVENT_CONSOLE);
    hosted.control_sent = hosted.control_room = 0;
    console_guest_write(g->d, "a", 1);
    control_work();
    console_guest_write(g->d, "b", 1);
    console_guest_write(other->d, "c", 1);
    control_work();
    cr_assert_eq(hosted.control_sent, 0);
    hosted.control_room = 64;
    control_work();
    cr_assert_eq(event_of(CONTROL_EVENT_CONSOLE, 2)->value, 1);
    cr_assert_eq(hosted.control_out[1].value, 2, "the later numbers come, too");
}

Test(control, nobody_listens_any_more)
{
    listen(2, 1 << CONTROL_EVENT_CONSOLE);
    listen(3, 1 << CONTROL_EVENT_DOMAIN);
    cr_assert_eq(control_wanted, 1 << CONTROL_EVENT_CONSOLE | 1 << CONTROL_EVENT_DOMAIN);
    hosted.control_sent = 0;
    ASK(CONTROL_BYE, .client = 2);
    cr_assert_eq(control_wanted, 1 << CONTROL_EVENT_DOMAIN);
    console_guest_write(g->d, "x", 1);
    control_work();
    cr_assert_eq(hosted.control_sent, 0);
    assert_no(ASK(CONTROL_EVENTS, .arg = {1}), RULE_CONTROL_FLAGS, XEN_EINVAL);
    assert_no(ASK(CONTROL_EVENTS, .arg = {1ull << 32}), RULE_CONTROL_FLAGS, XEN_EINVAL);
    control_event_due(CONTROL_EVENT_DOMAIN, 60000); /* no such number: nothing happens */
}

Test(control, the_trace_is_switched)
{
    uint64_t before = trace_count;

    cr_assert_eq(ASK(CONTROL_TRACE, .arg = {TRACE_SWITCH}), 0);
    ASK(CONTROL_PAUSE, .number = 1);
    cr_assert_gt(trace_count, before, "another vCPU runs now");
    cr_assert_eq(ASK(CONTROL_TRACE, .arg = {0}), TRACE_SWITCH);
    ASK(CONTROL_UNPAUSE, .number = 1);
    assert_no(ASK(CONTROL_TRACE, .arg = {TRACE_ALL + 1}), RULE_CONTROL_FLAGS, XEN_EINVAL);
    assert_no(ASK(CONTROL_TRACE, .arg = {1ull << 40}), RULE_CONTROL_FLAGS, XEN_EINVAL);
    cr_assert_eq(hv.trace_mask, 0);
}

Test(control, the_host_ends_the_machine, .exit_code = HOSTVIEW_EXIT_OK)
{
    struct control_request r = REQUEST(CONTROL_POWER_OFF);

    put(&r, sizeof(r));
    control_work();
    abort();
}
