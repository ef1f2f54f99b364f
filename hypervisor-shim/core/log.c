/* SPDX-License-Identifier: MIT
 *
 * log.c - the hypervisor's messages, and the three ways in which things go wrong.
 *
 * A guest's mistake is refused or kills the guest (reason.c). The hypervisor's own is
 * hv_bug(): it cannot be trusted any more, so it says where and stops the machine. The boot's is
 * hv_panic(): the machine or its configuration will not do. None is ever compiled out.
 *
 * Messages are whole lines. They go to a ring for the host and to the console, where the
 * multiplexer (backend/console.c) marks them as the hypervisor's.
 */
#include "domain.h"
#include "log.h"
#include "platform.h"
#include "text.h"
#include "hostview_publish.h"
#include "../backend/console.h"
#include "../hostview.h"

char hv_log_ring[HV_LOG_SIZE];
uint64_t hv_log_produced;

static void log_text(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        hv_log_ring[hv_log_produced++ % HV_LOG_SIZE] = text[i];
    hostview.log_produced = hv_log_produced;
    console_shim_write(text, n);
}

void hv_log(const char *fmt, ...)
{
    char text[400];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = text_vformat(text, sizeof(text), fmt, ap);
    va_end(ap);
    if ((size_t)n >= sizeof(text)) {
        n = sizeof(text) - 1;
        text[n - 1] = '\n';
    }
    log_text(text, (size_t)n);
}

void hv_bug(const char *file, int line, const char *what)
{
    hv_log("BUG at %s:%d: %s\n", file, line, what);
    hostview_publish();
    plat_power_off(HOSTVIEW_EXIT_PANIC);
}

void hv_panic(const char *fmt, ...)
{
    char text[300];
    va_list ap;

    va_start(ap, fmt);
    text_vformat(text, sizeof(text), fmt, ap);
    va_end(ap);
    hv_log("panic: %s\n", text);
    hostview_publish();
    plat_power_off(HOSTVIEW_EXIT_PANIC);
}
