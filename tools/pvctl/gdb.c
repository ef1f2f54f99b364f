/* SPDX-License-Identifier: MIT
 *
 * gdb.c - see gdb.h. Symbols come at the addresses they were linked for: a PV guest runs
 * where it is linked, and so does the hypervisor.
 */
#include "gdb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

void gdb_announce(const struct plan *p, const struct machine *m)
{
    char *path = xasprintf("%s/gdb", m->dir);
    char *symbols = xasprintf("%s.elf", m->image); /* the shim with its debug information */
    FILE *f = fopen(path, "w"), *probe = fopen(symbols, "r");

    if (!f) {
        say_note("%s cannot be written (%s).", path, strerror(errno));
    } else {
        fprintf(f, "set confirm off\nset pagination off\nset architecture i386:x86-64\n");
        fprintf(f, "file %s\n", probe ? symbols : m->image);
        for (size_t i = 0; i < p->guests; i++)
            fprintf(f, "add-symbol-file %s/k%zu\n", m->dir, i + 1);
        fprintf(f, "target remote 127.0.0.1:%s\n", m->gdb_port);
        fclose(f);
        say_note("waiting for gdb; in another terminal: gdb -x %s", path);
    }
    if (probe)
        fclose(probe);
    free(symbols);
    free(path);
}
