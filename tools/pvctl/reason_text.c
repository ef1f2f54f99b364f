/* SPDX-License-Identifier: MIT
 *
 * reason_text.c - reasons as sentences, from the shim's own table of rules.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"

static const struct {
    const char *name, *sentence;
} rules[RULES] = {
    [RULE_NONE] = {"NONE", "no rule"},
#define RULE(name, err, sentence) [RULE_##name] = {#name, sentence},
#include "core/rules.def"
#undef RULE
};

const char *rule_name(unsigned rule)
{
    return rule < RULES ? rules[rule].name : "UNKNOWN";
}

static int field(char *buf, size_t n, const char *name, size_t len, const struct reason *r)
{
#define IS(s) (len == strlen(s) && !memcmp(name, s, len))
    uint64_t v = IS("va")          ? r->va
                 : IS("mfn")       ? r->mfn
                 : IS("old_entry") ? r->old_entry
                 : IS("new_entry") ? r->new_entry
                 : IS("rip")       ? r->rip
                                   : r->value;

    if (IS("va") || IS("mfn") || IS("old_entry") || IS("new_entry") || IS("rip"))
        return snprintf(buf, n, "%#" PRIx64, v);
    v = IS("limit")       ? r->limit
        : IS("owner")     ? r->owner
        : IS("type")      ? r->frame_type
        : IS("refs")      ? r->refs
        : IS("type_refs") ? r->type_refs
        : IS("level")     ? r->level
        : IS("vector")    ? r->vector
        : IS("port")      ? r->port
        : IS("domid")     ? r->domid
                          : r->value;
    return snprintf(buf, n, v < 65536 ? "%" PRIu64 : "%#" PRIx64, v);
#undef IS
}

int reason_format(char *buf, size_t n, const struct reason *r)
{
    const char *s =
        r->rule < RULES ? rules[r->rule].sentence : "of a rule that this pvctl does not know";
    size_t used = 0;

    while (*s) {
        const char *close = *s == '{' ? strchr(s, '}') : NULL;
        char word[32] = {*s, 0};
        int len = 1;

        if (close)
            len = field(word, sizeof(word), s + 1, (size_t)(close - s - 1), r);
        if (used < n)
            snprintf(buf + used, n - used, "%s", word);
        used += (size_t)len;
        s = close ? close + 1 : s + 1;
    }
    return (int)used;
}
