/* SPDX-License-Identifier: MIT */
/*
 * A TCG plugin for QEMU 7.2: what the timed part of each benchmark row costs beyond instructions.
 *
 * Between a start mark and a stop mark of the guest it counts instructions, writes of CR3 (each
 * flushes TLBs), locked operations and fences, on all privilege levels.  A mark is the guest's
 * instruction `movb $0x5b, bench_marks(%rax)`: its address tells which row, which of its timed
 * parts, and whether that begins or ends; where only a handler or a user program can tell, long
 * NOPs with the displacements 0x5b000000 and 0x5b000001 begin and end the part named last.  One
 * line per stop mark goes to the file of `out=`: row part instructions cr3 locked fences
 * hypervisor, the last being the instructions at the hypervisor's own addresses. With
 * `profile=FILE` the executions of each single instruction of the last part are written there too,
 * in the order of addresses.
 *
 * A kernel that knows no marks is counted as one part, row 0 part 0: `from=ADDRESS` is its first
 * instruction, and the part ends where it is about to print that it powers the machine off.  Which
 * instructions these are, `linux=FILE` (the ELF file) tells: those that load the address of one of
 * Linux's two last words into the first argument's register.
 *
 * QEMU's plugin header is in no Debian package, so the few prototypes used are declared here.
 */
#include <elf.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { CB_NO_REGS = 0, MEM_W = 2, INLINE_ADD_U64 = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op, void *ptr,
                                                uint64_t imm);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
                                            void (*cb)(unsigned, void *), int flags, void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn,
                                      void (*cb)(unsigned, qemu_plugin_meminfo_t, uint64_t, void *),
                                      int flags, int rw, void *data);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

enum { INSNS, CR3, LOCKED, FENCES, HYPERVISOR, KINDS };

/* Where a PV guest never is: the hypervisor's slots of every page table. */
#define HV_START 0xffff800000000000u
#define HV_END   0xffff880000000000u

static uint64_t count[KINDS], at_start[KINDS];
static uint64_t marks, named;
static FILE *out;
static const char *profile;

/* Each translated instruction once; found by its address through a hash table. */
struct place {
    uint64_t va, count, start;
    struct place *next;
};
#define BUCKETS 65536
static struct place *places[BUCKETS];
static size_t nr_places;

static struct place *place_of(uint64_t va)
{
    struct place **p = &places[(va ^ va >> 16) % BUCKETS];

    for (; *p; p = &(*p)->next) {
        if ((*p)->va == va)
            return *p;
    }
    *p = calloc(1, sizeof(**p));
    if (!*p)
        abort();
    (*p)->va = va;
    nr_places++;
    return *p;
}

static int by_address(const void *a, const void *b)
{
    const struct place *x = *(struct place *const *)a, *y = *(struct place *const *)b;

    return x->va < y->va ? -1 : x->va > y->va;
}

static void profile_write(void)
{
    struct place **list = calloc(nr_places, sizeof(*list));
    FILE *f = fopen(profile, "w");
    size_t n = 0;

    if (!f || !list)
        abort();
    for (size_t b = 0; b < BUCKETS; b++) {
        for (struct place *p = places[b]; p; p = p->next) {
            if (p->count != p->start)
                list[n++] = p;
        }
    }
    qsort(list, n, sizeof(*list), by_address);
    for (size_t i = 0; i < n; i++)
        fprintf(f, "%" PRIx64 " %" PRIu64 "\n", list[i]->va, list[i]->count - list[i]->start);
    fclose(f);
    free(list);
}

/* A part ends once: at the first end after its beginning. */
static bool part_open;

static void begin(void)
{
    part_open = true;
    memcpy(at_start, count, sizeof(count));
    for (size_t b = 0; profile && b < BUCKETS; b++) {
        for (struct place *p = places[b]; p; p = p->next)
            p->start = p->count;
    }
}

static void end(void)
{
    if (!part_open)
        return;
    part_open = false;
    if (profile)
        profile_write();
    fprintf(out, "%" PRIu64 " %" PRIu64, named >> 6, named >> 1 & 31);
    for (int k = 0; k < KINDS; k++)
        fprintf(out, " %" PRIu64, count[k] - at_start[k]);
    fprintf(out, "\n");
    fflush(out);
}

static void on_note(unsigned cpu, void *data)
{
    (void)cpu;
    if (data)
        end();
    else
        begin();
}

static void on_mark(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t va, void *data)
{
    (void)cpu, (void)info, (void)data;
    named = va - marks;
    if (named & 1)
        end();
    else
        begin();
}

/* The opcode's place behind the prefixes; sets *lock. */
static size_t opcode(const uint8_t *b, size_t n, bool *lock)
{
    size_t i = 0;

    for (*lock = false; i < n; i++) {
        if (b[i] == 0xf0)
            *lock = true;
        else if (b[i] != 0x66 && b[i] != 0x67 && b[i] != 0xf2 && b[i] != 0xf3 && b[i] != 0x2e &&
                 b[i] != 0x3e && b[i] != 0x64 && b[i] != 0x65 && (b[i] & 0xf0) != 0x40)
            break;
    }
    return i;
}

static void instrument(struct qemu_plugin_insn *insn)
{
    const uint8_t *b = qemu_plugin_insn_data(insn);
    size_t n = qemu_plugin_insn_size(insn);
    bool lock;
    size_t i = opcode(b, n, &lock);
    uint32_t disp = (uint32_t)marks;

    qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, &count[INSNS], 1);
    if (qemu_plugin_insn_vaddr(insn) >= HV_START && qemu_plugin_insn_vaddr(insn) < HV_END)
        qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, &count[HYPERVISOR], 1);
    if (profile)
        qemu_plugin_register_vcpu_insn_exec_inline(
            insn, INLINE_ADD_U64, &place_of(qemu_plugin_insn_vaddr(insn))->count, 1);
    if (marks && n == 7 && b[0] == 0xc6 && b[1] == 0x80 && b[6] == 0x5b && !memcmp(b + 2, &disp, 4))
        qemu_plugin_register_vcpu_mem_cb(insn, on_mark, CB_NO_REGS, MEM_W, NULL);
    if (marks && n == 7 && b[0] == 0x0f && b[1] == 0x1f && b[2] == 0x80 && b[6] == 0x5b)
        qemu_plugin_register_vcpu_insn_exec_cb(insn, on_note, CB_NO_REGS,
                                               b[3] ? (void *)insn : NULL);
    if (i + 2 < n && b[i] == 0x0f && b[i + 1] == 0x22 && (b[i + 2] >> 3 & 7) == 3)
        qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, &count[CR3], 1);
    /* XCHG with memory locks without the prefix. */
    if (lock || (i + 1 < n && (b[i] & 0xfe) == 0x86 && b[i + 1] < 0xc0))
        qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, &count[LOCKED], 1);
    if (i + 2 < n && b[i] == 0x0f && b[i + 1] == 0xae && b[i + 2] >= 0xe8)
        qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, &count[FENCES], 1);
}

/* -- Linux's last words ------------------------------------------------------------------ */

static uint64_t first, last[4];
static unsigned nr_last;

static void on_place(unsigned cpu, void *data)
{
    (void)cpu;
    named = 0;
    if (data)
        end();
    else if (!part_open)
        begin();
}

/* Where the bytes at `offset` of the file are in memory. */
static uint64_t address_of(const uint8_t *elf, uint64_t offset)
{
    const Elf64_Ehdr *h = (const void *)elf;
    const Elf64_Phdr *p = (const void *)(elf + h->e_phoff);

    for (unsigned i = 0; i < h->e_phnum; i++)
        if (p[i].p_type == PT_LOAD && offset - p[i].p_offset < p[i].p_filesz)
            return p[i].p_vaddr + offset - p[i].p_offset;
    return 0;
}

/* mov $TEXT, %rdi, where the text is `words` after two bytes that tell its level. */
static void find_words(const uint8_t *elf, size_t size, const char *words)
{
    const uint8_t *at = memmem(elf, size, words, strlen(words)), *p = elf;
    uint32_t text = at ? (uint32_t)address_of(elf, (uint64_t)(at - elf) - 2) : 0;
    uint8_t mov[7] = {0x48, 0xc7, 0xc7};

    memcpy(mov + 3, &text, 4);
    while (text && nr_last < 4 && (p = memmem(p, size - (size_t)(p - elf), mov, 7)) != NULL)
        last[nr_last++] = address_of(elf, (uint64_t)(p++ - elf));
}

static bool read_linux(const char *path)
{
    FILE *f = fopen(path, "r");
    uint8_t *elf = NULL;
    long size = 0;

    if (f && fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) > (long)sizeof(Elf64_Ehdr) &&
        (elf = malloc((size_t)size)) != NULL && fseek(f, 0, SEEK_SET) == 0 &&
        fread(elf, 1, (size_t)size, f) == (size_t)size) {
        find_words(elf, (size_t)size, "reboot: Power down\n");
        find_words(elf, (size_t)size, "reboot: System halted\n");
    }
    free(elf);
    if (f)
        fclose(f);
    return nr_last >= 2;
}

static void watch_places(struct qemu_plugin_insn *insn)
{
    uint64_t va = qemu_plugin_insn_vaddr(insn);

    if (va == first)
        qemu_plugin_register_vcpu_insn_exec_cb(insn, on_place, CB_NO_REGS, NULL);
    for (unsigned i = 0; i < nr_last; i++)
        if (va == last[i])
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_place, CB_NO_REGS, insn);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    size_t n = qemu_plugin_tb_n_insns(tb);

    (void)id;
    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

        instrument(insn);
        if (first)
            watch_places(insn);
    }
}

__attribute__((visibility("default"))) int
qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "marks=", 6))
            marks = strtoull(argv[i] + 6, NULL, 16);
        else if (!strncmp(argv[i], "out=", 4))
            out = fopen(argv[i] + 4, "w");
        else if (!strncmp(argv[i], "profile=", 8))
            profile = argv[i] + 8;
        else if (!strncmp(argv[i], "from=", 5))
            first = strtoull(argv[i] + 5, NULL, 16);
        else if (!strncmp(argv[i], "linux=", 6) && !read_linux(argv[i] + 6))
            return fprintf(stderr, "count: %s is not a Linux kernel's ELF file\n", argv[i] + 6), 1;
    }
    if ((!marks && !(first && nr_last)) || !out) {
        fprintf(stderr, "count: marks=ADDRESS (of bench_marks), or from= and linux=, and out=FILE "
                        "are needed\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
