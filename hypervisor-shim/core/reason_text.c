/* SPDX-License-Identifier: MIT
 *
 * reason_text.c - a reason as a sentence.
 *
 * The names and sentences of rules.def, and the one function that fills a sentence's
 * {fields} from a struct reason. Built into the shim, the tools and the tests alike: it
 * reads the record it is given and nothing else.
 */
#include "reason.h"
#include "text.h"
#include <pv/abi/errno.h>
#include <pv/abi/xen.h>

static const struct {
    const char *name, *sentence;
    int err;
} rules[RULES] = {
    [RULE_NONE] = {"NONE", "no rule", 0},
#define RULE(name, err, sentence) [RULE_##name] = {#name, sentence, err},
#include "rules.def"
#undef RULE
};

const char *rule_name(unsigned rule)
{
    return rule < RULES ? rules[rule].name : "UNKNOWN";
}

const char *rule_sentence(unsigned rule)
{
    return rule < RULES ? rules[rule].sentence : "a rule that this tool does not know";
}

int rule_errno(unsigned rule)
{
    return rule < RULES ? rules[rule].err : 0;
}

static const char *errno_name(int err)
{
    static const struct {
        int err;
        const char *name;
    } names[] = {
#define NAME(e) {XEN_##e, #e}
        NAME(EPERM),  NAME(ENOENT), NAME(ESRCH),  NAME(ENXIO),   NAME(E2BIG),      NAME(EAGAIN),
        NAME(ENOMEM), NAME(EACCES), NAME(EFAULT), NAME(EBUSY),   NAME(EEXIST),     NAME(ENODEV),
        NAME(EINVAL), NAME(ENOSPC), NAME(ENOSYS), NAME(ENODATA), NAME(EOPNOTSUPP),
#undef NAME
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].err == err)
            return names[i].name;
    return "error";
}

static const char *type_name(unsigned type)
{
    static const char *const names[] = {"none",     "L1 table",         "L2 table", "L3 table",
                                        "L4 table", "descriptor table", "writable"};

    return type < sizeof(names) / sizeof(names[0]) ? names[type] : "unknown";
}

static int owner_text(char *buf, size_t n, unsigned owner)
{
    if (owner == XEN_DOMID_XEN)
        return text_format(buf, n, "the hypervisor");
    if (owner == XEN_DOMID_IO)
        return text_format(buf, n, "a device");
    if (owner >= XEN_DOMID_FIRST_RESERVED)
        return text_format(buf, n, "nobody");
    return text_format(buf, n, "domain %u", owner);
}

/* Sizes and counts read best in decimal, everything else in hexadecimal. */
static int number_text(char *buf, size_t n, uint64_t v)
{
    return v < 100000 ? text_format(buf, n, "%lu", (unsigned long)v)
                      : text_format(buf, n, "0x%lx", (unsigned long)v);
}

static int field_text(char *buf, size_t n, const struct reason *r, const char *name)
{
    const struct {
        const char *name;
        uint64_t value;
        int decimal;
    } fields[] = {
        {"va", r->va, 0},
        {"mfn", r->mfn, 0},
        {"old_entry", r->old_entry, 0},
        {"new_entry", r->new_entry, 0},
        {"rip", r->rip, 0},
        {"value", r->value, 2},
        {"limit", r->limit, 2},
        {"refs", r->refs, 1},
        {"type_refs", r->type_refs, 1},
        {"level", r->level, 1},
        {"vector", r->vector, 1},
        {"port", r->port, 1},
        {"domid", r->domid, 1},
        {"vcpu", r->vcpu, 1},
    };

    if (text_equal(name, "owner"))
        return owner_text(buf, n, r->owner);
    if (text_equal(name, "type"))
        return text_format(buf, n, "%s", type_name(r->frame_type));
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (!text_equal(name, fields[i].name))
            continue;
        if (fields[i].decimal == 2)
            return number_text(buf, n, fields[i].value);
        return text_format(buf, n, fields[i].decimal ? "%lu" : "0x%lx",
                           (unsigned long)fields[i].value);
    }
    return text_format(buf, n, "{%s}", name);
}

struct sentence {
    char *buf;
    size_t n, used;
};

static char *rest(struct sentence *s)
{
    return s->buf + (s->used < s->n ? s->used : s->n);
}
static size_t room(struct sentence *s)
{
    return s->used < s->n ? s->n - s->used : 0;
}

int reason_format(char *buf, size_t n, const struct reason *r)
{
    struct sentence s = {buf, n, 0};
    const char *p = rule_sentence(r->rule);

    s.used += (size_t)text_format(buf, n, "%s: ", rule_name(r->rule));
    while (*p) {
        char name[16];
        size_t i = 0;

        if (*p != '{') {
            s.used += (size_t)text_format(rest(&s), room(&s), "%c", *p++);
            continue;
        }
        for (p++; *p && *p != '}'; p++)
            if (i + 1 < sizeof(name))
                name[i++] = *p;
        name[i] = 0;
        p += *p == '}';
        s.used += (size_t)field_text(rest(&s), room(&s), r, name);
    }
    if (r->err)
        s.used += (size_t)text_format(rest(&s), room(&s), " (-%s)", errno_name(-r->err));
    return (int)s.used;
}
