/* SPDX-License-Identifier: MIT */
/*
 * 07-store - xenstore: who am I, what has changed, and several changes at once.
 *
 * A guest finds everything that is not memory or events here: its name, its devices, what its host
 * asks of it. "data" is the one directory of a guest's home that is its own to write in.
 */
#include <pv/pv.h>

PV_NEEDS("xenstore");

static bool seen;

static void changed(struct pv_xenstore_watch *w)
{
    char text[64];

    if (pv_xenstore_read(0, w->path, text, sizeof(text)) < 0)
        return; /* the first call tells how things are, and there is nothing yet */
    pv_printf("watch: %s is now \"%s\"\n", w->path, text);
    seen = true;
}

static struct pv_xenstore_watch watch = {.path = "data/greeting", .changed = changed};

/* Moves one from "left" to "right". Nobody ever sees the one gone and not yet there. */
static int move_one(uint32_t tx, void *arg)
{
    uint64_t left, right;

    (void)arg;
    if (pv_xenstore_read_number(tx, "data/left", &left) ||
        pv_xenstore_read_number(tx, "data/right", &right))
        return -XEN_EINVAL;
    pv_xenstore_printf(tx, "data", "left", "%lu", left - 1);
    return pv_xenstore_printf(tx, "data", "right", "%lu", right + 1);
}

int pv_host_main(const char *cmdline __attribute__((unused)))
{
    char text[512];
    uint64_t left = 0, right = 0;
    uint32_t tx;
    int n;

    if (!pv_xenstore_port()) { /* the first domain of a machine may be alone with it */
        pv_printf("there is no store\n");
        return 0;
    }
    n = pv_xenstore_read(0, "name", text, sizeof(text));
    pv_printf("my name has %s characters\n", n > 0 ? "some" : "no");
    n = pv_xenstore_read(0, "data/nothing", text, sizeof(text));
    pv_printf("what is not there: %s\n", pv_error_name(n));
    n = pv_xenstore_write(0, "/local/domain/0/mine", "x", 1);
    pv_printf("what is not mine to write: %s\n", pv_error_name(n));

    if (pv_xenstore_watch(&watch))
        return 1;
    if (pv_xenstore_printf(0, "data", "greeting", "hello, %s", "store"))
        return 1;
    while (!seen) {
        pv_sched_poll((uint32_t[]){pv_xenstore_port()}, 1, 0);
        pv_xenstore_poll();
    }
    pv_xenstore_unwatch(&watch);

    pv_xenstore_printf(0, "data", "left", "%u", 10);
    pv_xenstore_printf(0, "data", "right", "%u", 0);
    n = pv_xenstore_transaction(move_one, NULL);
    pv_xenstore_read_number(0, "data/left", &left);
    pv_xenstore_read_number(0, "data/right", &right);
    pv_printf("transaction: %s, %lu left and %lu right\n", pv_error_name(n), left, right);

    pv_xenstore_begin(&tx);
    pv_xenstore_printf(tx, "data", "left", "%u", 99);
    pv_xenstore_printf(0, "data", "left", "%u", 50); /* somebody else, meanwhile */
    pv_printf("a transaction that was interfered with: %s\n",
              pv_error_name(pv_xenstore_end(tx, true)));

    n = pv_xenstore_directory(0, "data", text, sizeof(text));
    for (int i = 0; i < n; i++)
        if (i == 0 || !text[i - 1])
            pv_printf("data holds %s\n", text + i);
    pv_xenstore_rm(0, "data/greeting");
    pv_xenstore_rm(0, "data/left");
    pv_xenstore_rm(0, "data/right");
    return 0;
}
