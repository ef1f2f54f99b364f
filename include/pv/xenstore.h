/* SPDX-License-Identifier: MIT */
/*
 * xenstore.h - the small shared directory in which guests find their devices and each other.
 *
 * A tree of names with values. A path without a leading / is below our own home, which is
 * /local/domain/OUR-NUMBER. The tree is kept by another domain (xenstored on Xen, the hypervisor
 * itself on the shim); a request goes through a page that start_info names, and waits for its
 * reply. The first call of any function here opens the connection; there is nothing to initialize.
 *
 *     pv_xenstore_read(0, "name", text, sizeof(text));
 *     pv_xenstore_printf(0, "data", "greeting", "hello, %s", text);
 *
 * Requests may be made from anywhere: an event handler, a watch's callback, an early boot without
 * traps. The calling vCPU takes no events while its request is under way; other vCPUs wait for
 * their turn by pv_host_relax().
 *
 * Transactions: a request's `tx` is 0, or the number of a transaction whose changes appear all
 * together or not at all. pv_xenstore_transaction() repeats one for as long as others interfere.
 *
 * Watches say that something at or below a path has changed since the callback was last called (and
 * are called once at the beginning); several changes may be one call, and none is lost. Callbacks
 * run from the store's event, or within pv_xenstore_poll(), or after a request: never within one.
 *
 * The store is not trusted: what a store can't say breaks the connection, requests then fail with
 * -XEN_EIO for ever (until pv_xenstore_reconnect()), and nothing else happens.
 *
 * All return 0 or more, or -XEN_E*: the store's own (ENOENT, EACCES, EINVAL, E2BIG, ENOSPC, EAGAIN,
 * ...), -XEN_ENODEV without a store, -XEN_EIO when it is broken, -XEN_ETIMEDOUT when it did not
 * answer for PV_XENSTORE_PATIENCE ns, -XEN_ENAMETOOLONG when the request is too long for it.
 * Reference: abi/xenstore.h.
 */
#ifndef PV_XENSTORE_H
#define PV_XENSTORE_H

#include <pv/types.h>
#include <pv/abi/xen.h>
#include <pv/abi/xenstore.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PV_XENSTORE_PATIENCE 60000000000ull
#define PV_XENSTORE_WATCHES  64 /* at a time */

/*
 * The value of a node, with a 0 behind it. Returns its length without that; -XEN_ERANGE when it
 * does not fit into size-1 bytes.
 */
int pv_xenstore_read(uint32_t tx, const char *path, char *value, size_t size);

/* The same for a value that is a decimal number. -XEN_EINVAL: it is not. */
int pv_xenstore_read_number(uint32_t tx, const char *path, uint64_t *value);

/* Makes a node if need be, and those above it, and gives it a value of n bytes. */
int pv_xenstore_write(uint32_t tx, const char *path, const void *value, size_t n);

/* Writes a text (as by pv_format(), at most 255 bytes) to dir/name; dir "" stands for home. */
int pv_xenstore_printf(uint32_t tx, const char *dir, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Makes a node with an empty value, if there is none. */
int pv_xenstore_mkdir(uint32_t tx, const char *path);

/* Removes a node and all below it. */
int pv_xenstore_rm(uint32_t tx, const char *path);

/*
 * The names below a node, each ending with 0, one behind the other. Returns how many bytes;
 * -XEN_ERANGE when they do not fit. Lists longer than a message are fetched in parts.
 */
int pv_xenstore_directory(uint32_t tx, const char *path, char *names, size_t size);

/*
 * Permissions: the owner and what others may do, then one entry for each further domain. Access is
 * a letter: n none, r read, w write, b both. get returns how many there are (at most max of them
 * are filled in).
 */
struct pv_xenstore_perm {
    char access;
    xen_domid_t dom;
};
int pv_xenstore_get_perms(uint32_t tx, const char *path, struct pv_xenstore_perm *perms,
                          unsigned max);
int pv_xenstore_set_perms(uint32_t tx, const char *path, const struct pv_xenstore_perm *perms,
                          unsigned n);

/* Another domain's home; as pv_xenstore_read(). */
int pv_xenstore_domain_path(xen_domid_t dom, char *path, size_t size);

/* Begins and ends a transaction. end: -XEN_EAGAIN when somebody interfered; nothing was done. */
int pv_xenstore_begin(uint32_t *tx);
int pv_xenstore_end(uint32_t tx, bool commit);

/*
 * Runs body(tx, arg) in a transaction and commits it; all over again when somebody interfered.
 * An error of body aborts the transaction and is returned.
 */
int pv_xenstore_transaction(int (*body)(uint32_t tx, void *arg), void *arg);

/*
 * A watch; belongs to the caller, and stays where it is from watch to unwatch. path is kept, not
 * copied. After unwatch the callback is not called again, unless a call is under way on another
 * vCPU. -XEN_ENOSPC: PV_XENSTORE_WATCHES are in use.
 */
struct pv_xenstore_watch {
    const char *path;
    void (*changed)(struct pv_xenstore_watch *w);
    void *arg;
    uint32_t number; /* libpv's */
};
int pv_xenstore_watch(struct pv_xenstore_watch *w);
int pv_xenstore_unwatch(struct pv_xenstore_watch *w);

/* Takes what the store has sent and calls callbacks; for kernels that take no events. */
void pv_xenstore_poll(void);

/* The port of the store's events, to be waited for (pv_sched_poll()). 0: there is no store. */
uint32_t pv_xenstore_port(void);

/*
 * After a resume, or when the connection is broken: begins anew with the page and port of
 * start_info, and sets all watches again, so that each is called once. Transactions that were open
 * are gone.
 */
int pv_xenstore_reconnect(void);

#ifdef __cplusplus
}
#endif
#endif
