/* SPDX-License-Identifier: MIT
 *
 * view.c - reads the page that a shim publishes (hostview.h), and what it points to.
 *
 * The shim writes while we read: its sequence is odd during a change, so the page is
 * copied until two looks agree. Rings are copied and then judged; a record that was
 * overwritten meanwhile is dropped, not shown wrongly.
 */
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "say.h"

enum { LOOKS = 1000 };

const void *view_at(const struct view *v, uint64_t a, uint64_t n)
{
    uint64_t low = v->page.low_size, offset = a;

    if (low && a >= low) {
        if (a < (4ull << 30))
            return NULL;
        offset = a - (4ull << 30) + low;
    }
    if (offset > v->size || n > v->size - offset)
        return NULL;
    return v->ram + offset;
}

/* A copy of the page that did not change while it was made. */
static int copy_page(struct view *v)
{
    const volatile struct hostview *live = view_at(v, HOSTVIEW_ADDRESS, sizeof(v->page));

    for (int i = 0; live && i < LOOKS; i++) {
        uint64_t before = live->sequence;

        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        memcpy(&v->page, (const void *)live, sizeof(v->page));
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (!(before & 1) && live->sequence == before)
            return 0;
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    return -1;
}

static char *judge_page(const struct view *v, const char *dir)
{
    const struct hostview *p = &v->page;

    if (p->magic != HOSTVIEW_MAGIC)
        return xasprintf("%s: no shim is to be seen in its memory (yet); it is booting, or runs "
                         "Xen.",
                         dir);
    if (p->version != HOSTVIEW_VERSION || p->size != sizeof(*p) || p->rules != RULES)
        return xasprintf(
            "%s: its shim is of another version than this pvctl; use the pvctl that was "
            "built with it.",
            dir);
    if (p->domains > HOSTVIEW_DOMAINS)
        return xasprintf("%s: its page is damaged (%u domains).", dir, p->domains);
    return NULL;
}

int view_open(struct view *v, const char *dir, char **why)
{
    char *path = xasprintf("%s/ram", dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    void *map = MAP_FAILED;

    memset(v, 0, sizeof(*v));
    *why = NULL;
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0)
        map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        *why = xasprintf("%s: cannot be read (%s).", path, strerror(errno));
    } else {
        v->ram = map;
        v->size = (uint64_t)st.st_size;
        *why = copy_page(v) ? xasprintf("%s: its page does not come to rest; try again.", dir)
                            : judge_page(v, dir);
    }
    if (fd >= 0)
        close(fd);
    free(path);
    if (*why)
        view_close(v);
    return *why ? -1 : 0;
}

int view_refresh(struct view *v)
{
    return copy_page(v);
}

void view_close(struct view *v)
{
    if (v->ram)
        munmap((void *)v->ram, v->size);
    memset(v, 0, sizeof(*v));
}

size_t view_reasons(const struct view *v, unsigned i, struct reason *out, size_t room)
{
    return view_ring(v, v->page.domain[i].reasons, out, room);
}

size_t view_ring(const struct view *v, uint64_t address, struct reason *out, size_t room)
{
    const struct reason_ring *live = view_at(v, address, sizeof(*live));
    struct reason_ring *ring;
    uint64_t after, first;
    size_t n = 0;

    if (!live || address == 0 || address % 8)
        return 0;
    ring = xcalloc(1, sizeof(*ring));
    memcpy(ring, live, sizeof(*ring));
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    after = ((const volatile struct reason_ring *)live)->count;
    first = after > REASON_RING ? after - REASON_RING : 0;
    if (first > 0 && n < room)
        out[n++] = ring->first;
    for (uint64_t k = first; k < ring->count && n < room; k++)
        out[n++] = ring->entry[k % REASON_RING];
    free(ring);
    return n;
}

size_t view_trace(const struct view *v, struct trace_record *out)
{
    const volatile uint64_t *count = view_at(v, v->page.trace_count, sizeof(*count));
    const struct trace_record *ring = view_at(v, v->page.trace, TRACE_RECORDS * sizeof(*ring));
    uint64_t before, after, first;
    size_t n = 0;

    if (!count || !ring || v->page.trace % 8 || v->page.trace_count % 8)
        return 0;
    before = *count;
    first = before > TRACE_RECORDS ? before - TRACE_RECORDS : 0;
    for (uint64_t i = first; i < before; i++)
        out[n++] = ring[i % TRACE_RECORDS];
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    after = *count;
    if (after - first > TRACE_RECORDS) { /* the first ones may be new already */
        size_t lost = after - first - TRACE_RECORDS < n ? after - first - TRACE_RECORDS : n;

        memmove(out, out + lost, (n - lost) * sizeof(*out));
        n -= lost;
    }
    return n;
}
