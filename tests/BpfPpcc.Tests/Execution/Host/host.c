/* Runs compiled test programs. Links with any number of compiled objects and a table of the symbols that the jobs name; reads the jobs from a
   file, runs each in the checked call of trampoline.S and writes one record a job: a struct answer, and behind it, if the program returned, the
   bytes of the memory and of the regions afterwards. A program that crashes or hangs is reported and the next one runs. JobFile.cs knows both
   files. */
#include "abi.h"

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum region_kind { VARIABLE, ARRAY_MAP, PROGRAM_ARRAY };

enum { GUARD = 256, SECONDS = 10, OWN_UBPF_HELPERS = 1 };

struct job {
    uint32_t program, memory_length, regions, flags;
    uint64_t arguments[4]; /* r2 and on */
};

struct region {
    uint32_t kind, symbol, length, reserved;
};

struct answer {
    uint32_t job, signal; /* 0: it returned */
    uint64_t result; /* r3 */
    uint32_t damage, length; /* see damage(); bytes that follow */
};

struct after { /* trampoline.S fills it */
    uint64_t result, r1, r2, cr, r13, gpr[18];
    double fpr[18];
    uint64_t frame_damage;
};

extern void *const test_symbols[];
extern struct after after_call;
extern uint64_t saved_r1, saved_r2, saved_r13;
extern const double fpr_patterns[18];
void checked_call(void *function, const uint64_t arguments[5]);

int ubpf_helpers;
const uint8_t *packet;
uint32_t packet_length;

static sigjmp_buf next_job;
static FILE *answers;

static void on_signal(int number)
{
    siglongjmp(next_job, number);
}

static void catch_signals(void)
{
    static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGALRM };
    static uint64_t stack[8192];
    stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack };
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };
    sigaltstack(&alternate, NULL);
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);
}

static uint8_t *read_file(const char *name)
{
    FILE *file = fopen(name, "rb");
    if (!file)
        exit(2);
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(size);
    if (fread(bytes, 1, size, file) != (size_t)size)
        exit(2);
    fclose(file);
    return bytes;
}

static size_t padded(size_t length)
{
    return (length + 7) & ~(size_t)7;
}

static const struct program *find_program(const struct module *module, void *entry)
{
    for (uint64_t i = 0; i < module->n_progs; i++)
        if ((void *)module->progs[i].entry == entry)
            return &module->progs[i];
    return NULL;
}

/* The bytes of a region as the program sees them. */
static uint8_t *place(const struct region *region)
{
    void *symbol = test_symbols[region->symbol];
    return region->kind == ARRAY_MAP ? ((struct map *)symbol)->values : symbol;
}

static void prepare(const struct region *region, const uint8_t *contents)
{
    if (region->kind == PROGRAM_ARRAY) {
        struct map *map = test_symbols[region->symbol];
        const int32_t *programs = (const int32_t *)contents;
        for (uint32_t i = 0; i < region->length / 4; i++)
            map->progs[i] = programs[i] < 0 ? NULL : find_program(map->module, test_symbols[programs[i]]);
        return;
    }
    memcpy(place(region), contents, region->length);
}

/* 1 stack pointer, 2 r14..r31, 4 cr2..cr4, 8 f14..f31, 16 the caller's frame, 32 bytes around the memory, 64 r2, 128 r13 */
static unsigned damage(const uint8_t *memory, size_t length)
{
    unsigned found = 0;
    if (after_call.r1 != saved_r1)
        found |= 1;
    for (int i = 0; i < 18; i++) {
        if (after_call.gpr[i] != (uint64_t)(14 + i) * 257)
            found |= 2;
        if (after_call.fpr[i] != fpr_patterns[i])
            found |= 8;
    }
    if ((after_call.cr >> 12 & 0xfff) != 0x5a5)
        found |= 4;
    if (after_call.frame_damage)
        found |= 16;
    for (int i = 0; i < GUARD; i++)
        if (memory[-1 - i] != 0xa5 || memory[length + i] != 0xa5)
            found |= 32;
    if (after_call.r13 != saved_r13)
        found |= 128;
    return found;
}

static uint32_t answer_length(const struct job *job, const uint8_t *regions)
{
    uint32_t length = job->memory_length;
    for (uint32_t i = 0; i < job->regions; i++) {
        const struct region *region = (const struct region *)regions;
        length += region->kind == PROGRAM_ARRAY ? 0 : region->length;
        regions += sizeof *region + padded(region->length);
    }
    return length;
}

static void run(uint32_t number, const struct job *job, const uint8_t *contents)
{
    size_t room = padded(job->memory_length) + 2 * GUARD + 16;
    uint8_t *block = malloc(room), *memory = block + GUARD;
    memset(block, 0xa5, room);
    memcpy(memory, contents, job->memory_length);
    packet = memory;
    packet_length = job->memory_length;
    ubpf_helpers = job->flags & OWN_UBPF_HELPERS;

    const uint8_t *regions = contents + padded(job->memory_length);
    const uint8_t *at = regions;
    for (uint32_t i = 0; i < job->regions; i++) {
        const struct region *region = (const struct region *)at;
        prepare(region, at + sizeof *region);
        at += sizeof *region + padded(region->length);
    }

    uint64_t arguments[5] = { job->memory_length ? (uint64_t)memory : 0 };
    memcpy(arguments + 1, job->arguments, sizeof job->arguments);
    int signal = sigsetjmp(next_job, 1);
    if (signal) {
        alarm(0);
        struct answer failure = { .job = number, .signal = signal };
        fwrite(&failure, sizeof failure, 1, answers);
        fflush(answers);
        return; /* the block is lost: it may be broken */
    }
    alarm(SECONDS);
    checked_call(test_symbols[job->program], arguments);
    alarm(0);

    struct answer answer = { number, 0, after_call.result, damage(memory, job->memory_length), answer_length(job, regions) };
    fwrite(&answer, sizeof answer, 1, answers);
    fwrite(memory, 1, job->memory_length, answers);
    at = regions;
    for (uint32_t i = 0; i < job->regions; i++) {
        const struct region *region = (const struct region *)at;
        if (region->kind != PROGRAM_ARRAY)
            fwrite(place(region), 1, region->length, answers);
        at += sizeof *region + padded(region->length);
    }
    fflush(answers);
    free(block);
}

/* HOST JOBS FIRST ANSWERS */
int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    const uint8_t *at = read_file(argv[1]);
    uint32_t first = strtoul(argv[2], NULL, 10), jobs = *(const uint32_t *)at;
    static char buffer[1 << 16];
    answers = fopen(argv[3], "wb");
    if (!answers)
        return 2;
    setvbuf(answers, buffer, _IOFBF, sizeof buffer);
    catch_signals();
    at += 8;
    for (uint32_t i = 0; i < jobs; i++) {
        const struct job *job = (const struct job *)at;
        const uint8_t *contents = at + sizeof *job;
        at = contents + padded(job->memory_length);
        for (uint32_t r = 0; r < job->regions; r++)
            at += sizeof(struct region) + padded(((const struct region *)at)->length);
        if (i >= first)
            run(i, job, contents);
    }
    return 0;
}
