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
        if ((s[i] | 0x20) == units[u] && v >> (64 - 10 * (u + 1)) == 0)
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

/* 00:16:3e:12:34:56 */
static bool take_mac(struct boot_guest *g, const char *value, size_t length)
{
    if (length != 17)
        return false;
    for (unsigned i = 0; i < 17; i++) {
        char c = value[i] | 0x20;
        bool letter = c >= 'a' && c <= 'f';

        if (i % 3 == 2 ? c != ':' : !letter && (c < '0' || c > '9'))
            return false;
        if (i % 3 != 2)
            g->mac[i / 3] = (uint8_t)(g->mac[i / 3] << 4 | (letter ? (c - 'a') + 10 : c - '0'));
    }
    return true;
}

/* on[,mac=M][,rate=SIZE], or an address instead of on. The machine decides whether there is an
 * uplink: a guest's card is the same. */
static bool take_net(struct boot_guest *g, const char *value, size_t length)
{
    static const char *const words[] = {"on", "user", "switch"};
    size_t n = 0;

    while (n < length && value[n] != ',')
        n++;
    if (n == length && text_is(value, n, "none"))
        return true;
    g->net = take_mac(g, value, n);
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        g->net |= text_is(value, n, words[i]);
    while (g->net && n < length) {
        const char *word = value + n + 1;
        size_t begin = ++n;

        while (n < length && value[n] != ',')
            n++;
        if (n - begin > 5 && !__builtin_memcmp(word, "rate=", 5))
            g->net = (g->net_rate = size_value(word + 5, n - begin - 5)) != 0;
        else
            g->net = n - begin > 4 && !__builtin_memcmp(word, "mac=", 4) &&
                     take_mac(g, word + 4, n - begin - 4);
    }
    return g->net;
}

static const struct {
    const char *key, *wants;
    bool (*take)(struct boot_guest *g, const char *value, size_t length);
} words[] = {
    {"mem=", "a size such as 64M", take_memory},
    {"vcpus=", "between 1 and 32", take_vcpus},
    {"name=", "a name", take_name},
    {"net=", "on[,mac=ADDRESS][,rate=BYTES], or none", take_net},
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
    __builtin_memset(g->mac, 0, sizeof(g->mac));
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
