/* SPDX-License-Identifier: MIT
 *
 * net.c - what its header declares.
 */
#include "net.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "say.h"

/* -- words ------------------------------------------------------------------------------ */

static bool take_port(const char **at, unsigned *to)
{
    char *end;
    unsigned long n = isdigit((unsigned char)**at) ? strtoul(*at, &end, 10) : 0;

    if (n < 1 || n > 65535)
        return false;
    *at = end;
    *to = (unsigned)n;
    return true;
}

static int take_forward(struct plan *p, const char *what, const char *value)
{
    struct forward f;
    const char *at = value;

    if (!take_port(&at, &f.host) || *at++ != ':' || !take_port(&at, &f.guest) || *at)
        return say_bad("%s: \"hostfwd=%s\" is not a pair of ports; write hostfwd=8080:80.", what,
                       value);
    if (p->forwards == MAX_FORWARDS)
        return say_bad("%s: more than %d forwarded ports; leave some out.", what, MAX_FORWARDS);
    p->forward[p->forwards++] = f;
    return 0;
}

/* Six pairs of hexadecimal digits, of a single card and not of a group. */
static int take_mac(struct guest *g, const char *what, const char *value)
{
    bool good = strlen(value) == 17 && strcmp(value, "00:00:00:00:00:00") &&
                !(strchr("13579bdfBDF", value[1]));

    for (unsigned i = 0; good && i < 17; i++)
        good = i % 3 == 2 ? value[i] == ':' : isxdigit((unsigned char)value[i]);
    if (!good)
        return say_bad("%s: \"mac=%s\" is no card's address; write one such as "
                       "mac=00:16:3e:00:00:01.",
                       what, value);
    free(g->mac);
    g->mac = xstrdup(value);
    return 0;
}

static int take_word(struct plan *p, struct guest *g, const char *what, const char *word)
{
    if (g->net == NET_USER && !strncmp(word, "hostfwd=", 8))
        return take_forward(p, what, word + 8);
    if (g->net != NET_NONE && !strncmp(word, "mac=", 4))
        return take_mac(g, what, word + 4);
    if (g->net != NET_NONE && !strncmp(word, "rate=", 5)) {
        g->rate = size_parse(word + 5);
        return g->rate ? 0
                       : say_bad("%s: \"%s\" %s; it is in bytes a second.", what, word,
                                 size_cure(word + 5));
    }
    return say_bad("%s: \"%s\" has no meaning there; write user[,hostfwd=PORT:PORT], switch or "
                   "none, and perhaps ,mac=M or ,rate=SIZE.",
                   what, word);
}

int net_take(struct plan *p, struct guest *g, const char *what, const char *text)
{
    static const char *const kinds[] = {
        [NET_NONE] = "none", [NET_SWITCH] = "switch", [NET_USER] = "user"};
    char *copy, *rest, *word;
    int rc = 0, kind = 2;

    if (g->net_said)
        return say_bad("%s is given twice; remove one.", what);
    rest = copy = xstrdup(text);
    word = strsep(&rest, ",");
    while (kind >= 0 && strcmp(kinds[kind], word))
        kind--;
    if (kind < 0)
        rc = say_bad("%s: \"%s\" is none of user, switch and none.", what, word);
    else
        g->net = (enum net_kind)kind;
    g->net_said = true;
    while (!rc && (word = strsep(&rest, ",")) != NULL)
        rc = take_word(p, g, what, word);
    free(copy);
    return rc;
}

/* -- all of them ---------------------------------------------------------------------------- */

static int check_forward(const struct plan *p, unsigned n)
{
    const struct forward *f = &p->forward[n];
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons((uint16_t)f->host)};
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    bool taken;

    for (unsigned i = 0; i < n; i++)
        if (p->forward[i].host == f->host)
            return say_bad("the host's port %u is forwarded twice; remove one.", f->host);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    taken = s >= 0 && bind(s, (struct sockaddr *)&a, sizeof(a)) < 0;
    if (s >= 0)
        close(s);
    if (taken)
        return say_bad("the host's port %u cannot be forwarded (it is in use, or not for you); "
                       "give another.",
                       f->host);
    return 0;
}

int nets_check(struct plan *p)
{
    for (size_t i = 0; i < p->guests; i++) {
        p->networked |= p->guest[i].net != NET_NONE;
        p->uplink |= p->guest[i].net == NET_USER;
        for (size_t k = 0; p->guest[i].mac && k < i; k++)
            if (p->guest[k].mac && !strcasecmp(p->guest[i].mac, p->guest[k].mac))
                return say_bad("guests %s and %s both have the address %s; change one.",
                               p->guest[k].name, p->guest[i].name, p->guest[i].mac);
    }
    for (unsigned i = 0; i < p->forwards; i++)
        if (check_forward(p, i))
            return EXIT_USAGE;
    return 0;
}

char *net_words(const struct guest *g)
{
    char *text, *longer;

    if (g->net == NET_NONE)
        return xstrdup("");
    text = xasprintf(" net=%s", g->mac ? g->mac : "on");
    if (!g->rate)
        return text;
    longer = xasprintf("%s,rate=%llu", text, (unsigned long long)g->rate);
    free(text);
    return longer;
}

char *net_backend(const struct plan *p)
{
    char *text = xstrdup("user,id=net");

    for (unsigned i = 0; i < p->forwards; i++) {
        char *longer = xasprintf("%s,hostfwd=tcp:127.0.0.1:%u-:%u", text, p->forward[i].host,
                                 p->forward[i].guest);

        free(text);
        text = longer;
    }
    return text;
}
