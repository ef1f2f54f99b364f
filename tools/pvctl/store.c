/* SPDX-License-Identifier: MIT
 *
 * store.c - pvctl store ls, read, write, rm: xenstore's own protocol, carried by the control
 * channel.
 *
 * A request and its answer lie in one buffer, which is asked for once. ls shows everything below a
 * path, indented, with values; with --json one object from path to value. The others print the node
 * with --json, as it is after.
 */
#include "store.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "guests.h"
#include "say.h"
#include "show.h"

#include <pv/abi/xenstore.h>

struct store {
    struct channel *c;
    uint64_t at;
    struct xen_xsd_sockmsg *message; /* in the shim's memory */
};

enum { ROOM = sizeof(struct xen_xsd_sockmsg) + XENSTORE_PAYLOAD_MAX };

static int open_store(struct store *s, struct channel *c)
{
    s->c = c;
    s->message = channel_buffer(c, ROOM, &s->at);
    return s->message ? 0 : EXIT_USAGE;
}

/* One request: a path and, if not NULL, n bytes behind it. The answer (to be freed, with a 0 behind
 * it) and its length, or NULL; after a sentence, unless the answer is the errno `quiet`. */
static char *ask(struct store *s, uint32_t type, const char *path, const char *bytes, size_t n,
                 size_t *length, const char *quiet)
{
    size_t path_length = strlen(path) + 1;
    char *payload = (char *)(s->message + 1), *answer;
    struct xen_xsd_sockmsg h;

    if (path_length + n > XENSTORE_PAYLOAD_MAX) {
        say_bad("store: path and value are longer than %d bytes together.", XENSTORE_PAYLOAD_MAX);
        return NULL;
    }
    *s->message = (struct xen_xsd_sockmsg){.type = type, .len = (uint32_t)(path_length + n)};
    memcpy(payload, path, path_length);
    if (n)
        memcpy(payload + path_length, bytes, n);
    if (CHANNEL_ASK(s->c, CONTROL_STORE, .buffer = s->at, .length = ROOM) < 0)
        return NULL;
    h = *s->message;
    *length = h.len <= XENSTORE_PAYLOAD_MAX ? h.len : XENSTORE_PAYLOAD_MAX;
    answer = xcalloc(1, *length + 1);
    memcpy(answer, payload, *length);
    if (h.type != XEN_XS_ERROR)
        return answer;
    if (!quiet || strcmp(answer, quiet))
        say_bad("store: %s: %s.", path,
                !strcmp(answer, "ENOENT")   ? "there is no such node"
                : !strcmp(answer, "EINVAL") ? "that is not a path"
                                            : answer);
    free(answer);
    return NULL;
}

int store_put(struct channel *c, const char *path, const char *text)
{
    struct store s;
    size_t n;
    char *answer;

    if (open_store(&s, c))
        return EXIT_USAGE;
    answer = ask(&s, XEN_XS_WRITE, path, text, strlen(text), &n, NULL);
    free(answer);
    return answer ? 0 : EXIT_USAGE;
}

/* Values may be anything; what cannot be shown becomes a '?'. */
static void make_printable(char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < ' ' || (unsigned char)s[i] >= 0x7f)
            s[i] = '?';
}

static int list(struct store *s, const char *path, int depth, json_t *all)
{
    size_t n, length;
    char *names = ask(s, XEN_XS_DIRECTORY, path, NULL, 0, &n, depth ? "ENOENT" : NULL);

    if (!names)
        return depth ? 0 : EXIT_USAGE; /* it went while we looked */
    for (char *name = names; name < names + n; name += strlen(name) + 1) {
        char *child = xasprintf("%s/%s", strcmp(path, "/") ? path : "", name);
        char *value = ask(s, XEN_XS_READ, child, NULL, 0, &length, "ENOENT");

        if (value) {
            make_printable(value, length);
            if (all)
                json_object_set_new(all, child, json_string(value));
            else
                printf("%*s%s = \"%s\"\n", depth * 2, "", name, value);
            list(s, child, depth + 1, all);
        }
        free(value);
        free(child);
    }
    free(names);
    return 0;
}

static int store_ls(struct store *s, bool json, const char *path)
{
    json_t *all = json ? json_object() : NULL;
    int rc = list(s, path, 0, all);

    if (all && !rc)
        print_json(json_incref(all));
    json_decref(all);
    return rc;
}

/* A node as it is now; value NULL: it is not there any more. */
static void print_node(const char *path, char *value)
{
    if (value)
        make_printable(value, strlen(value));
    print_json(json_pack("{s:s,s:s?}", "path", path, "value", value));
}

static int store_read(struct store *s, bool json, const char *path)
{
    size_t n;
    char *value = ask(s, XEN_XS_READ, path, NULL, 0, &n, NULL);

    if (!value)
        return EXIT_USAGE;
    if (json) {
        make_printable(value, n);
        print_node(path, value);
    } else {
        fwrite(value, 1, n, stdout);
        printf("\n");
    }
    free(value);
    return 0;
}

static int store_rm(struct store *s, bool json, const char *path)
{
    size_t n;
    char *answer = ask(s, XEN_XS_RM, path, NULL, 0, &n, NULL);

    free(answer);
    if (answer && json)
        print_node(path, NULL);
    return answer ? 0 : EXIT_USAGE;
}

static int store_write(struct channel *c, bool json, const char *path, char *value)
{
    int rc = store_put(c, path, value);

    if (!rc && json)
        print_node(path, value);
    return rc;
}

static int perform(struct channel *c, bool json, int argc, char **argv)
{
    struct store s;

    if (open_store(&s, c))
        return EXIT_USAGE;
    if (!strcmp(argv[0], "ls"))
        return store_ls(&s, json, argc > 1 ? argv[1] : "/");
    if (!strcmp(argv[0], "read"))
        return store_read(&s, json, argv[1]);
    if (!strcmp(argv[0], "rm"))
        return store_rm(&s, json, argv[1]);
    return store_write(c, json, argv[1], argv[2]);
}

int command_store(int argc, char **argv)
{
    static const struct {
        const char *name;
        int least, most;
    } what[] = {{"ls", 1, 2}, {"read", 2, 2}, {"write", 3, 3}, {"rm", 2, 2}};
    const char *machine = NULL;
    bool json = false, known = false;
    struct channel c;
    int kept = 0, rc;

    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "--json"))
            json = true;
        else if (!strcmp(argv[i], "--machine") && i + 1 == argc)
            return say_bad("--machine wants a name after it.");
        else if (!strcmp(argv[i], "--machine"))
            machine = argv[++i];
        else
            argv[kept++] = argv[i];
    }
    for (size_t i = 0; kept && i < sizeof(what) / sizeof(what[0]); i++)
        known |= !strcmp(argv[0], what[i].name) && kept >= what[i].least && kept <= what[i].most;
    if (!known)
        return say_bad("store wants ls [PATH], read PATH, write PATH VALUE or rm PATH.");
    if (channel_open(&c, machine))
        return EXIT_USAGE;
    rc = perform(&c, json, kept, argv);
    channel_close(&c);
    return rc;
}
