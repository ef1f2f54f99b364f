/* SPDX-License-Identifier: MIT
 *
 * diskspec.c - reading disk=, and that no two guests get in each other's way.
 *
 * Invariant: of two parts that were given to living guests and overlap, both are read-only.
 */
#include "diskspec.h"
#include "partition.h"
#include "../core/domain.h"
#include "../core/guest_text.h"
#include "../core/text.h"

enum { GIVEN = 256 };

/* What was given away; free again when its guest is buried and the last of its pages is back (until
 * then the disk may be writing for it), or gone and another has its number. */
static struct given {
    uint16_t domid;
    uint64_t created_at;
    struct block_slice slice;
} given[GIVEN];

static char sentence[160];
#define BECAUSE(...) (text_format(sentence, sizeof(sentence), __VA_ARGS__), sentence)

static bool lives(const struct given *g)
{
    const struct domain *d = g->slice.dev ? domain_by_id(g->domid) : NULL;

    return d && d->created_at == g->created_at && !(d->buried && d->pages == 0);
}

/* A decimal number that ends at `end` or at `stop`; false: it is none. Moves *at behind it. */
static bool number(const char **at, const char *end, uint64_t *v)
{
    const char *s = *at;

    for (*v = 0; s < end && *s >= '0' && *s <= '9' && *v < 1ull << 54; s++)
        *v = *v * 10 + (uint64_t)(*s - '0');
    if (s == *at)
        return false;
    *at = s;
    return true;
}

static const char *parse_part(struct block_slice *s, const char *at, const char *end, bool boot)
{
    uint64_t n;

    if (!number(&at, end, &n))
        return "behind its : is neither a partition's number nor FIRST+SECTORS";
    if (at == end) {
        if (boot)
            partition_wait(s->dev);
        if (n > PARTITIONS || !partition_find(s->dev, (unsigned)n, &s->first, &s->sectors))
            return BECAUSE("%s has no partition %lu%s", s->dev->name, n,
                           boot ? "" : ", or its table is not read yet");
        return NULL;
    }
    s->first = n;
    if (*at++ != '+' || !number(&at, end, &s->sectors) || at != end)
        return "behind its : is neither a partition's number nor FIRST+SECTORS";
    if (s->sectors == 0 || s->first >= s->dev->sectors || s->sectors > s->dev->sectors - s->first)
        return BECAUSE("%s has %lu sectors", s->dev->name, s->dev->sectors);
    return NULL;
}

static const char *parse(struct block_slice *s, const char *spec, size_t n, bool boot)
{
    const char *end = spec + n, *colon = spec;
    char name[sizeof(s->dev->name)];
    const char *why = NULL;
    size_t length;

    *s = (struct block_slice){0};
    if (n >= 3 && __builtin_memcmp(end - 3, ",ro", 3) == 0) {
        s->readonly = true;
        end -= 3;
    }
    while (colon < end && *colon != ':')
        colon++;
    length = (size_t)(colon - spec);
    if (length >= sizeof(name))
        return "there is no such disk";
    __builtin_memcpy(name, spec, length);
    name[length] = 0;
    s->dev = blockdev_by_name(name);
    if (s->dev == NULL)
        return "there is no such disk";
    s->sectors = s->dev->sectors;
    if (colon < end)
        why = parse_part(s, colon + 1, end, boot);
    if (why == NULL && s->dev->readonly)
        s->readonly = true;
    if (why == NULL && ((s->first | s->sectors) << SECTOR_SHIFT) % s->dev->sector_size != 0)
        why = BECAUSE("%s has sectors of %u bytes, which the slice divides", s->dev->name,
                      s->dev->sector_size);
    return why;
}

static const struct given *conflict(const struct block_slice *s)
{
    for (unsigned i = 0; i < GIVEN; i++) {
        const struct block_slice *o = &given[i].slice;

        if (lives(&given[i]) && o->dev == s->dev && s->first < o->first + o->sectors &&
            o->first < s->first + s->sectors && !(o->readonly && s->readonly))
            return &given[i];
    }
    return NULL;
}

static const char *give(struct domain *d, unsigned index, const char *spec, size_t n, bool boot)
{
    struct block_slice s;
    const char *why = parse(&s, spec, n, boot);
    const struct given *other;
    unsigned i = 0;
    char name[64];

    if (why)
        return why;
    other = conflict(&s);
    if (other)
        return BECAUSE("d%u (%s) has sectors of it, and one of the two writes; give both ,ro or "
                       "slices that do not overlap",
                       other->domid, domain_by_id(other->domid)->name);
    while (i < GIVEN && lives(&given[i]))
        i++;
    if (index >= DISKS_OF_GUEST || i == GIVEN)
        return "there are too many disks";
    text_copy(name, spec, n + 1 < sizeof(name) ? n + 1 : sizeof(name));
    if (!block_attach(d, BLOCK_XVDA + index * BLOCK_VDEV_STEP, &s, name))
        return "the guest's store does not take it";
    given[i] = (struct given){.domid = d->id, .created_at = d->created_at, .slice = s};
    return NULL;
}

bool disks_give(struct domain *d, const char *text, bool boot, char *why, size_t why_size)
{
    const char *spec = text;
    unsigned index = 0;
    size_t n;

    while ((spec = text_word(spec, "disk=", &n)) != NULL) {
        const char *wrong = give(d, index++, spec, n, boot);
        char shown[64];

        if (wrong) {
            text_copy(shown, spec, n + 1 < sizeof(shown) ? n + 1 : sizeof(shown));
            text_format(why, why_size, "disk=%s: %s", shown, wrong);
            return false;
        }
        spec += n;
    }
    return true;
}
