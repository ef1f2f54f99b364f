/* SPDX-License-Identifier: MIT
 *
 * guest_text.c - see guest_text.h. One table of words; a word that nobody knows is passed over,
 * as boot loaders add some of their own.
 */
#include "guest_text.h"
#include "domain.h"
#include "text.h"

static const uint64_t DEFAULT_MEMORY = 64 << 20;

/* The end of the word that begins at s. */
static const char *word_end(const char *s)
{
    while (*s && *s != ' ')
        s++;
    return s;
}

static const char *word_begin(const char *s)
{
    while (*s == ' ')
        s++;
    return s;
}

static bool is_dashes(const char *s, const char *end)
{
    return end - s == 2 && s[0] == '-' && s[1] == '-';
}

const char *text_word(const char *s, const char *key, size_t *length)
{
    size_t k = text_length(key);

    for (s = word_begin(s); *s; s = word_begin(word_end(s))) {
        const char *end = word_end(s);

        if (is_dashes(s, end))
            return NULL;
        if ((size_t)(end - s) >= k && __builtin_memcmp(s, key, k) == 0) {
            *length = (size_t)(end - s) - k;
            return s + k;
        }
    }
    return NULL;
}

/* What comes behind "-- "; "" if that is not there. */
static const char *command_line(const char *s)
{
    for (s = word_begin(s); *s; s = word_begin(word_end(s)))
        if (is_dashes(s, word_end(s)))
            return s[2] ? s + 3 : s + 2;
    return s;
}

/* A number with an optional K, M or G; 0: it is none. */
static uint64_t size_value(const char *s, size_t length)
{
    static const char units[] = "kmg";
    uint64_t v = 0;
    size_t i = 0;

    for (; i < length && s[i] >= '0' && s[i] <= '9' && v < 1ul << 44; i++)
        v = v * 10 + (uint64_t)(s[i] - '0');
    if (i == 0 || i + 1 < length)
        return 0;
    if (i == length)
        return v;
    for (unsigned u = 0; u < 3; u++)
        if ((s[i] | 0x20) == units[u])
            return v << (10 * (u + 1));
    return 0;
}

static bool text_is(const char *value, size_t length, const char *word)
{
    return text_length(word) == length && __builtin_memcmp(value, word, length) == 0;
}

static bool take_memory(struct boot_guest *g, const char *value, size_t length)
{
    return (g->mem = size_value(value, length)) != 0;
}

static bool take_vcpus(struct boot_guest *g, const char *value, size_t length)
{
    uint64_t count = size_value(value, length);

    g->vcpus = (unsigned)count;
    return count > 0 && count <= MAX_VCPUS;
}

static bool take_name(struct boot_guest *g, const char *value, size_t length)
{
    length = length < sizeof(g->name) ? length : sizeof(g->name) - 1;
    __builtin_memcpy(g->name, value, length);
    g->name[length] = 0;
    return true;
}

/* The machine decides whether there is an uplink: the guest's card is the same. */
static bool take_net(struct boot_guest *g, const char *value, size_t length)
{
    g->net = text_is(value, length, "user") || text_is(value, length, "switch");
    return g->net || text_is(value, length, "none");
}

static bool take_rate(struct boot_guest *g, const char *value, size_t length)
{
    return (g->net_rate = size_value(value, length)) != 0;
}

static const struct {
    const char *key, *wants;
    bool (*take)(struct boot_guest *g, const char *value, size_t length);
} words[] = {
    {"mem=", "a size such as 64M", take_memory},
    {"vcpus=", "between 1 and 32", take_vcpus},
    {"name=", "a name", take_name},
    {"net=", "user, switch or none", take_net},
    {"net_rate=", "bytes a second, such as 10M", take_rate},
};
_Static_assert(MAX_VCPUS == 32, "the words say so");

bool guest_text_parse(struct boot_guest *g, const char *text, char *why, size_t why_size)
{
    size_t n;

    g->mem = DEFAULT_MEMORY;
    g->vcpus = 1;
    g->name[0] = 0;
    g->net = 0;
    g->net_rate = 0;
    g->cmdline = text;
    if (!text_word(text, "role=", &n))
        return true;
    g->cmdline = command_line(text);
    g->text = text;
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        const char *v = text_word(text, words[i].key, &n);
        char shown[64];

        if (!v || words[i].take(g, v, n))
            continue;
        n = n < sizeof(shown) ? n : sizeof(shown) - 1;
        __builtin_memcpy(shown, v, n);
        shown[n] = 0;
        text_format(why, why_size, "%s%s is not %s", words[i].key, shown, words[i].wants);
        return false;
    }
    return true;
}
