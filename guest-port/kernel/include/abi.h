/* SPDX-License-Identifier: MIT */
/*
 * abi.h - constants and structures that user programs see: the Linux x86-64 ABI.
 *
 * Only what is shared by several parts; what one file alone needs stays there. Every structure is
 * laid out as the ABI has it, with its size asserted.
 */
#ifndef KERN_ABI_H
#define KERN_ABI_H

#include "timer.h"
#include "types.h"

/* files */
#define O_ACCMODE   3u
#define O_RDONLY    0u
#define O_WRONLY    1u
#define O_RDWR      2u
#define O_CREAT     0100u
#define O_EXCL      0200u
#define O_NOCTTY    0400u
#define O_TRUNC     01000u
#define O_APPEND    02000u
#define O_NONBLOCK  04000u
#define O_DSYNC     010000u
#define O_ASYNC     020000u
#define O_DIRECT    040000u
#define O_LARGEFILE 0100000u
#define O_DIRECTORY 0200000u
#define O_NOFOLLOW  0400000u
#define O_NOATIME   01000000u
#define O_CLOEXEC   02000000u
#define O_SYNC      04010000u
#define O_PATH      010000000u
#define O_TMPFILE   020200000u

#define S_IFMT      0170000u
#define S_IFSOCK    0140000u
#define S_IFLNK     0120000u
#define S_IFREG     0100000u
#define S_IFBLK     0060000u
#define S_IFDIR     0040000u
#define S_IFCHR     0020000u
#define S_IFIFO     0010000u
#define S_ISUID     0004000u
#define S_ISGID     0002000u
#define S_ISVTX     0001000u
#define S_ISDIR(m)  (((m)&S_IFMT) == S_IFDIR)
#define S_ISREG(m)  (((m)&S_IFMT) == S_IFREG)
#define S_ISLNK(m)  (((m)&S_IFMT) == S_IFLNK)
#define S_ISCHR(m)  (((m)&S_IFMT) == S_IFCHR)
#define S_ISBLK(m)  (((m)&S_IFMT) == S_IFBLK)
#define S_ISFIFO(m) (((m)&S_IFMT) == S_IFIFO)
#define S_ISSOCK(m) (((m)&S_IFMT) == S_IFSOCK)

#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2

#define AT_FDCWD            (-100)
#define AT_SYMLINK_NOFOLLOW 0x100
#define AT_REMOVEDIR        0x200
#define AT_SYMLINK_FOLLOW   0x400
#define AT_EMPTY_PATH       0x1000

#define MS_RDONLY  1u
#define MS_NOSUID  2u
#define MS_NODEV   4u
#define MS_NOEXEC  8u
#define MS_REMOUNT 32u
#define MS_NOATIME 1024u
#define MS_BIND    4096u
#define MS_MOVE    8192u

struct kstat { /* struct stat */
    u64 st_dev, st_ino, st_nlink;
    u32 st_mode, st_uid, st_gid, pad0;
    u64 st_rdev;
    s64 st_size, st_blksize, st_blocks;
    struct timespec st_atim, st_mtim, st_ctim;
    s64 unused[3];
};
_Static_assert(sizeof(struct kstat) == 144, "struct stat");

struct kstatfs { /* struct statfs */
    s64 f_type, f_bsize;
    u64 f_blocks, f_bfree, f_bavail, f_files, f_ffree;
    s32 f_fsid[2];
    s64 f_namelen, f_frsize, f_flags, f_spare[4];
};
_Static_assert(sizeof(struct kstatfs) == 120, "struct statfs");

/* memory */
#define PROT_READ           1
#define PROT_WRITE          2
#define PROT_EXEC           4
#define PROT_GROWSDOWN      0x01000000
#define MAP_SHARED          1
#define MAP_PRIVATE         2
#define MAP_FIXED           0x10
#define MAP_ANONYMOUS       0x20
#define MAP_GROWSDOWN       0x100
#define MAP_LOCKED          0x2000
#define MAP_NORESERVE       0x4000
#define MAP_POPULATE        0x8000
#define MAP_STACK           0x20000
#define MAP_FIXED_NOREPLACE 0x100000

/* resource limits */
#define RLIMIT_CPU     0
#define RLIMIT_FSIZE   1
#define RLIMIT_DATA    2
#define RLIMIT_STACK   3
#define RLIMIT_CORE    4
#define RLIMIT_RSS     5
#define RLIMIT_NPROC   6
#define RLIMIT_NOFILE  7
#define RLIMIT_MEMLOCK 8
#define RLIMIT_AS      9
#define RLIM_NLIMITS   16
#define RLIM_INFINITY  (~0UL)
struct rlimit {
    u64 cur, max;
};

/* signals */
#define SIGHUP    1
#define SIGINT    2
#define SIGQUIT   3
#define SIGILL    4
#define SIGTRAP   5
#define SIGABRT   6
#define SIGBUS    7
#define SIGFPE    8
#define SIGKILL   9
#define SIGUSR1   10
#define SIGSEGV   11
#define SIGUSR2   12
#define SIGPIPE   13
#define SIGALRM   14
#define SIGTERM   15
#define SIGSTKFLT 16
#define SIGCHLD   17
#define SIGCONT   18
#define SIGSTOP   19
#define SIGTSTP   20
#define SIGTTIN   21
#define SIGTTOU   22
#define SIGURG    23
#define SIGXCPU   24
#define SIGXFSZ   25
#define SIGVTALRM 26
#define SIGPROF   27
#define SIGWINCH  28
#define SIGIO     29
#define SIGPWR    30
#define SIGSYS    31
#define NSIG      64

#define SA_NOCLDSTOP 1u
#define SA_NOCLDWAIT 2u
#define SA_SIGINFO   4u
#define SA_RESTORER  0x04000000u
#define SA_ONSTACK   0x08000000u
#define SA_RESTART   0x10000000u
#define SA_NODEFER   0x40000000u
#define SA_RESETHAND 0x80000000u
#define SIG_DFL      0UL
#define SIG_IGN      1UL

struct ksigaction { /* struct sigaction as rt_sigaction takes it */
    u64 handler;
    u64 flags;
    u64 restorer;
    u64 mask;
};

#define SI_USER       0
#define SI_KERNEL     0x80
#define SI_QUEUE      (-1)
#define SI_TIMER      (-2)
#define SI_TKILL      (-6)
#define CLD_EXITED    1
#define CLD_KILLED    2
#define CLD_DUMPED    3
#define CLD_STOPPED   5
#define CLD_CONTINUED 6

struct siginfo {
    s32 si_signo, si_errno, si_code, pad;
    union {
        struct {
            s32 pid;
            u32 uid;
            s32 status;
            u32 pad1;
            s64 utime, stime;
        } child;
        struct {
            s32 pid;
            u32 uid;
            u64 value;
        } rt;
        struct {
            u64 addr;
        } fault;
        u8 raw[112];
    };
};
_Static_assert(sizeof(struct siginfo) == 128, "siginfo_t");

struct utsname {
    char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};
extern struct utsname system_name;

struct rusage {
    struct timeval ru_utime, ru_stime;
    s64 ru_maxrss, ru_ixrss, ru_idrss, ru_isrss, ru_minflt, ru_majflt, ru_nswap, ru_inblock,
        ru_oublock, ru_msgsnd, ru_msgrcv, ru_nsignals, ru_nvcsw, ru_nivcsw;
};

#endif
