/* SPDX-License-Identifier: MIT */
/*
 * procsys.c - /proc's files about the system as a whole.
 */
#include "block.h"
#include "errno.h"
#include "fs.h"
#include "initcall.h"
#include "mm.h"
#include "proc.h"
#include "procfs.h"
#include "slab.h"
#include "string.h"
#include "timer.h"
#include "vfs.h"

static void show_meminfo(struct seq *s)
{
    struct mem_stats m;

    mem_stats_get(&m);
#define LINE(name, pages) seq_printf(s, "%-16s%8llu kB\n", name ":", (unsigned long long)(pages)*4)
    LINE("MemTotal", m.total);
    LINE("MemFree", m.free);
    LINE("MemAvailable", m.free + m.cached - MIN(m.cached, m.shared));
    LINE("Buffers", m.buffers);
    LINE("Cached", m.cached);
    LINE("SwapCached", 0);
    LINE("Shmem", m.shared);
    LINE("Dirty", m.dirty);
    LINE("Slab", m.slab);
    LINE("SwapTotal", m.swap_total);
    LINE("SwapFree", m.swap_free);
#undef LINE
}

static void sum_times(u64 *user, u64 *sys)
{
    struct proc *p;
    struct thread *t;

    *user = *sys = 0;
    list_for_each(p, &all_procs, all_link) {
        *user += p->utime + p->cutime;
        *sys += p->stime + p->cstime;
        list_for_each(t, &p->threads, proc_link) {
            *user += t->utime;
            *sys += t->stime;
        }
    }
}

static u64 ticks(u64 ns)
{
    return ns / (NSEC_PER_SEC / 100);
}

static void show_stat(struct seq *s)
{
    u64 user, sys, up = clock_mono_ns(), switches = 0;
    struct proc *p;
    struct thread *t;
    u32 running = 0, blocked = 0;

    sum_times(&user, &sys);
    list_for_each(p, &all_procs, all_link) {
        list_for_each(t, &p->threads, proc_link) {
            switches += t->nvcsw + t->nivcsw;
            running += t->state == T_RUNNABLE;
            blocked += t->state == T_SLEEP_UNINTR;
        }
    }
    for (int k = 0; k < 2; k++)
        seq_printf(s, "cpu%s %llu 0 %llu %llu 0 0 0 0 0 0\n", k ? "0" : " ",
                   (unsigned long long)ticks(user), (unsigned long long)ticks(sys),
                   (unsigned long long)ticks(up - MIN(up, user + sys)));
    seq_printf(s, "intr 0\nctxt %llu\nbtime %llu\nprocesses %u\nprocs_running %u\nprocs_blocked %u\n",
               (unsigned long long)switches,
               (unsigned long long)((clock_real_ns() - up) / NSEC_PER_SEC), proc_count(), running,
               blocked);
}

static void show_uptime(struct seq *s)
{
    u64 user, sys, up = clock_mono_ns() / (NSEC_PER_SEC / 100), idle;

    sum_times(&user, &sys);
    idle = up - MIN(up, ticks(user + sys));
    seq_printf(s, "%llu.%02llu %llu.%02llu\n", (unsigned long long)(up / 100),
               (unsigned long long)(up % 100), (unsigned long long)(idle / 100),
               (unsigned long long)(idle % 100));
}

static void show_loadavg(struct seq *s)
{
    u32 running = 0;
    struct proc *p;
    struct thread *t;

    list_for_each(p, &all_procs, all_link)
        list_for_each(t, &p->threads, proc_link)
            running += t->state == T_RUNNABLE;
    for (int k = 0; k < 3; k++) {
        u64 l = load_avg(k);

        seq_printf(s, "%llu.%02llu ", (unsigned long long)(l >> 11),
                   (unsigned long long)((l & 0x7ff) * 100 >> 11));
    }
    seq_printf(s, "%u/%u %d\n", running, proc_count(), current->proc->pid);
}

static void show_version(struct seq *s)
{
    seq_printf(s, "%s version %s %s\n", system_name.sysname, system_name.release,
               system_name.version);
}

static void show_cpuinfo(struct seq *s)
{
    seq_printf(s, "processor\t: 0\nvendor_id\t: x86-64\ncpu family\t: 6\nmodel name\t: x86-64\n"
                  "cpu cores\t: 1\nflags\t\t: fpu tsc cx8 pge cmov mmx fxsr sse sse2 syscall nx lm\n\n");
}

void proc_show_mounts(struct seq *s);

void proc_show_mounts(struct seq *s)
{
    char *path = kmalloc(PATH_MAX, GFP_KERNEL), *p;
    struct super_block *sb;

    if (!path)
        return;
    list_for_each(sb, &super_blocks, link) {
        p = dentry_path(sb->root, path, PATH_MAX);
        if (IS_ERR(p))
            continue;
        seq_printf(s, "%s%s %s %s %s%s%s%s%s 0 0\n", sb->bdev ? "/dev/" : "",
                   sb->bdev ? sb->bdev->name : sb->source, p, sb->type->name,
                   sb->flags & MS_RDONLY ? "ro" : "rw", sb->flags & MS_NOSUID ? ",nosuid" : "",
                   sb->flags & MS_NODEV ? ",nodev" : "", sb->flags & MS_NOEXEC ? ",noexec" : "",
                   sb->flags & MS_NOATIME ? ",noatime" : ",relatime");
    }
    kfree(path);
}

static void show_filesystems(struct seq *s)
{
    for (struct fs_type *t = fs_types(); t; t = t->next)
        seq_printf(s, "%s\t%s\n", t->needs_dev ? "" : "nodev", t->name);
}

static void show_cmdline(struct seq *s)
{
    seq_printf(s, "%s\n", boot_cmdline);
}

static void show_disk(struct block_device *bd, void *arg)
{
    seq_printf(arg, "%4u  %7u %10llu %s\n", MAJOR(bd->dev), MINOR(bd->dev),
               (unsigned long long)(bd->sectors / 2), bd->name);
}

static void show_partitions(struct seq *s)
{
    seq_printf(s, "major minor  #blocks  name\n\n");
    block_each(show_disk, s);
}

static void show_cache(void *arg, const char *name, size_t size, u64 used, u64 pages)
{
    seq_printf(arg, "%-20s %6llu %6llu %6llu\n", name, (unsigned long long)used,
               (unsigned long long)size, (unsigned long long)pages);
}

static void show_slabinfo(struct seq *s)
{
    seq_printf(s, "# name               <used> <size> <pages>\n");
    kmem_cache_each(show_cache, s);
}

static void show_devices(struct seq *s)
{
    seq_printf(s, "Character devices:\n  1 mem\n  4 tty\n  5 /dev/tty\n136 pts\n\n"
                  "Block devices:\n  1 ramdisk\n254 virtblk\n259 nvme\n");
}

static void show_hostname(struct seq *s)
{
    seq_printf(s, "%s\n", system_name.nodename);
}

static int write_hostname(char *text, size_t n)
{
    if (n >= sizeof(system_name.nodename))
        return -EINVAL;
    strlcpy(system_name.nodename, text, sizeof(system_name.nodename));
    return 0;
}

static void show_ostype(struct seq *s)
{
    seq_printf(s, "%s\n", system_name.sysname);
}

static void show_osrelease(struct seq *s)
{
    seq_printf(s, "%s\n", system_name.release);
}

static void show_os_version(struct seq *s)
{
    seq_printf(s, "%s\n", system_name.version);
}

static void show_pid_max(struct seq *s)
{
    seq_printf(s, "32768\n");
}

static void show_inode_nr(struct seq *s)
{
    seq_printf(s, "%llu\t0\n", (unsigned long long)inode_count());
}

static void show_dentry_state(struct seq *s)
{
    seq_printf(s, "%llu\t0\t45\t0\t0\t0\n", (unsigned long long)dentry_count());
}

static int drop_caches(char *text, size_t n)
{
    vfs_sync_all(true);
    while (reclaim_pages(256))
        ;
    return 0;
}

static void show_nothing(struct seq *s)
{
}

static const struct {
    const char *name;
    void (*show)(struct seq *s);
    int (*write)(char *text, size_t n);
} table[] = {
    {"meminfo", show_meminfo, NULL},
    {"stat", show_stat, NULL},
    {"uptime", show_uptime, NULL},
    {"loadavg", show_loadavg, NULL},
    {"version", show_version, NULL},
    {"cpuinfo", show_cpuinfo, NULL},
    {"mounts", proc_show_mounts, NULL},
    {"filesystems", show_filesystems, NULL},
    {"cmdline", show_cmdline, NULL},
    {"partitions", show_partitions, NULL},
    {"slabinfo", show_slabinfo, NULL},
    {"devices", show_devices, NULL},
    {"sys/kernel/hostname", show_hostname, write_hostname},
    {"sys/kernel/ostype", show_ostype, NULL},
    {"sys/kernel/osrelease", show_osrelease, NULL},
    {"sys/kernel/version", show_os_version, NULL},
    {"sys/kernel/pid_max", show_pid_max, NULL},
    {"sys/fs/inode-nr", show_inode_nr, NULL},
    {"sys/fs/dentry-state", show_dentry_state, NULL},
    {"sys/vm/drop_caches", show_nothing, drop_caches},
};

static int procsys_init(void)
{
    int err = 0;

    for (unsigned k = 0; k < ARRAY_SIZE(table) && !err; k++)
        err = procfs_add(table[k].name, table[k].show, table[k].write);
    return err;
}
fs_initcall(procsys_init);
