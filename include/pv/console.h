/* SPDX-License-Identifier: MIT */
/*
 * console.h - text out and in, from the first instruction on.
 *
 * The first domain writes through the console_io hypercall. Any other has a page, named by
 * start_info, with a ring of bytes in each direction, and an event channel to say "look". Either
 * works before traps, events or memory management do.
 *
 * Output waits while the ring is full (pv_host_relax()), but not for ever: a back-end that does
 * not read for PV_CONSOLE_PATIENCE rounds loses text, it does not stop the guest.
 * The other end's indices are read once and are believed only within the ring's size.
 * Reference: abi/console.h.
 */
#ifndef PV_CONSOLE_H
#define PV_CONSOLE_H

#include <stdarg.h>
#include <pv/types.h>
#include <pv/abi/console.h>
#include <pv/abi/start_info.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PV_CONSOLE_PATIENCE 100000

/* Chooses the way by start_info. pv_start_init() calls it; nobody else need. */
void pv_console_init(const struct xen_start_info *si);

/*
 * Writes n bytes. Context: any, also a panic; pieces of several vCPUs' text may alternate.
 * Returns how many were taken: n, or fewer when the other end is asleep.
 */
size_t pv_console_write(const char *text, size_t n);

/* Reads what has arrived, at most n bytes, without waiting; one reader at a time. Returns how many.
 */
size_t pv_console_read(char *text, size_t n);

/*
 * The port on which the console's back-end announces input, 0 if there is none (the first domain
 * binds XEN_VIRQ_CONSOLE instead).
 */
uint32_t pv_console_port(void);

/*
 * Calls handler(arg, text, n) with what arrives, from now on, in the context of an event: binds the
 * ring's port, or the first domain's XEN_VIRQ_CONSOLE. 0 or -XEN_E*.
 */
typedef void pv_console_input_t(void *arg, const char *text, size_t n);
int pv_console_handle(pv_console_input_t *handler, void *arg);

/*
 * printf with: %s %c %d %u %x %p %%, the sizes l, ll and z, a width, - and 0 before it, and a
 * precision for %s (number or *). No floating point. pv_printf() prints at most 255 bytes.
 * pv_format() writes at most size bytes, the last of them 0, and returns the length that the whole
 * text would have.
 */
void pv_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void pv_vprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));
size_t pv_format(char *out, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
size_t pv_vformat(char *out, size_t size, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

#ifdef __cplusplus
}
#endif
#endif
