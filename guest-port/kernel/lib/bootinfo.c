/* SPDX-License-Identifier: MIT */
/*
 * bootinfo.c - what the boot loader told, after its protocol is forgotten: memory, modules, words.
 *
 * Filled by boot_info_read() (arch/), constant afterwards but for modules that are freed.
 */
#include "arch.h"
#include "initcall.h"
#include "string.h"

struct boot_module boot_modules[4];
int boot_module_count;
struct mem_range boot_ram[32];
int boot_ram_count;
phys_t boot_rsdp;
char boot_cmdline[1024];

bool cmdline_get(const char *key, char *buf, size_t size)
{
    size_t n = strlen(key);

    for (const char *s = boot_cmdline; *s;) {
        size_t len = 0;

        while (*s == ' ')
            s++;
        while (s[len] && s[len] != ' ')
            len++;
        if (len >= n && !strncmp(s, key, n) && (len == n || s[n - 1] == '=' || s[n] == '=')) {
            const char *v = s + n + (len > n && s[n] == '=' && s[n - 1] != '=');
            size_t vlen = MIN((size_t)(s + len - v), size - 1);

            memcpy(buf, v, vlen);
            buf[vlen] = 0;
            return true;
        }
        s += len;
    }
    return false;
}
