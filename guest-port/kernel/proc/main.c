/* SPDX-License-Identifier: MIT */
/*
 * main.c - start-up order, from the first C function to the first user program.
 *
 * start_kernel runs on the boot stack and becomes the idle thread; everything that may sleep
 * (initcalls, mounting the root, loading init) happens in the kernel thread that becomes init.
 */
#include "arch.h"
#include "fs.h"
#include "initcall.h"
#include "irq.h"
#include "printk.h"
#include "proc_internal.h"
#include "slab.h"
#include "string.h"
#include "../mm/mm_internal.h"

struct utsname system_name = {
    "Linux", "kern", "6.1.0", "#1 a small Unix", "x86_64", "(none)",
};

extern bool printk_quiet;

/* `init=` with `initargs=a,b,c` for its arguments; /sbin/init otherwise, then /bin/sh. */
static void run_init(void)
{
    static char path[128], args[256];
    static char *argv[16];
    static char *envp[] = {"HOME=/", "TERM=linux", "PATH=/bin:/sbin:/usr/bin:/usr/sbin", NULL};
    int n = 1, r;

    if (!cmdline_get("init=", path, sizeof(path)))
        strcpy(path, "/sbin/init");
    argv[0] = path;
    if (cmdline_get("initargs=", args, sizeof(args)))
        for (char *s = args; s && *s && n < 15;) {
            argv[n++] = s;
            s = strchr(s, ',');
            if (s)
                *s++ = 0;
        }
    r = proc_exec(path, argv, envp);
    if (r) {
        printk("init: %s: error %d\n", path, -r);
        argv[0] = "/bin/sh";
        argv[1] = NULL;
        r = proc_exec(argv[0], argv, envp);
    }
    if (r)
        panic("no init program: error %d", -r);
}

static void open_console(void)
{
    struct file *f = file_open("/dev/console", O_RDWR, 0);

    if (IS_ERR(f)) {
        printk("no /dev/console: error %ld\n", -PTR_ERR(f));
        return;
    }
    for (int i = 0; i < 3; i++)
        fd_install(file_get(f), 0);
    file_put(f);
}

static void init_thread(void *arg)
{
    char v[8];

    do_initcalls();
    if (proc_make_init())
        panic("no memory for init");
    mount_root();
    open_console();
    if (cmdline_get("strace", v, sizeof(v)))
        current->work |= WORK_TRACE; /* and all its descendants */
    if (cmdline_get("quiet", v, sizeof(v)))
        printk_quiet = true;
    run_init();
    arch_enter_user(current);
}

void start_kernel(u64 info_phys, u32 magic)
{
    arch_early_init();
    printk("kernel: starting\n");
    boot_info_read(info_phys, magic);
    mem_init();
    slab_init();
    paging_init();
    mem_init_high();
    page_cache_init();
    arch_init();
    fpu_init();
    time_init();
    proc_init();
    irq_enable();
    kthread_start("init", init_thread, NULL);
    idle_loop();
}
