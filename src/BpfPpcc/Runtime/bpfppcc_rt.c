/*
 * bpfppcc_rt.c - modules: opening, closing, finding and running what they contain; and what stands for the kernel around a program: CPU,
 * clocks, random numbers, output, the task.
 */
#define _GNU_SOURCE
#include "bpfppcc_rt.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

/* ---- hooks and their defaults ---- */

static uint64_t system_time(enum bpfppcc_clock clock)
{
#ifdef __linux__
    static const clockid_t ids[] = { CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_MONOTONIC_COARSE, CLOCK_TAI };
    clockid_t id = ids[clock];
#else
    clockid_t id = clock == BPFPPCC_CLOCK_TAI ? CLOCK_REALTIME : CLOCK_MONOTONIC;
#endif
    struct timespec now;
    return clock_gettime(id, &now) ? 0 : (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* xorshift64*, seeded per thread by the system, or by clock and address where it has nothing better. */
static uint32_t system_random(void)
{
    static _Thread_local uint64_t state;
    if (!state) {
        if (getentropy(&state, sizeof state) || !state)
            state = (system_time(BPFPPCC_CLOCK_MONOTONIC) ^ (uint64_t)(uintptr_t)&state) | 1;
    }
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * 0x2545f4914f6cdd1dULL) >> 32);
}

static void print_to_stderr(const char *text)
{
    size_t length = strlen(text);
    fprintf(stderr, "%s%s", text, length && text[length - 1] == '\n' ? "" : "\n");
}

static void system_task(struct bpfppcc_task *task)
{
    task->tgid = task->pid = (uint32_t)getpid();
    task->uid = (uint32_t)getuid();
    task->gid = (uint32_t)getgid();
#ifdef __linux__
    task->pid = (uint32_t)syscall(SYS_gettid);
    prctl(PR_GET_NAME, task->comm);
#endif
}

static void ignore_clone(const struct bpfppcc_sk_buff *ctx, uint32_t ifindex, uint64_t flags)
{
    (void)ctx, (void)ifindex, (void)flags;
}

static void ignore_wakeup(struct bpfppcc_map *ringbuf)
{
    (void)ringbuf;
}

struct bpfppcc_hooks bpfppcc_hooks = {
    .cpus = 1,
    .time = system_time,
    .random = system_random,
    .print = print_to_stderr,
    .task = system_task,
    .clone_redirect = ignore_clone,
    .wakeup = ignore_wakeup,
};

void bpfppcc_rt_complain(const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    bpfppcc_hooks.print(text);
}

/* ---- the running thread ---- */

struct thread *bpfppcc_rt_thread(void)
{
    static _Thread_local struct thread thread = { .prog_type = PROG_XDP };
    return &thread;
}

int bpfppcc_set_cpu(uint32_t cpu)
{
    if (cpu >= bpfppcc_hooks.cpus)
        return -EINVAL;
    bpfppcc_rt_thread()->cpu = cpu;
    return 0;
}

const struct bpfppcc_redirect *bpfppcc_last_redirect(void)
{
    return &bpfppcc_rt_thread()->redirect;
}

uint64_t bpfppcc_run(const struct bpfppcc_prog *prog, void *ctx)
{
    struct thread *thread = bpfppcc_rt_thread();
    thread->prog_type = prog->prog_type;
    thread->redirect.kind = BPFPPCC_REDIRECT_NONE;
    return prog->entry(ctx);
}

/* ---- modules ---- */

static uint32_t own_byte_order(void)
{
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first ? 0 : BPFPPCC_MODULE_BIG_ENDIAN;
}

/* A larger struct comes from a compiler that knows more; this runtime steps over what it does not know. */
static bool speaks_our_abi(const struct bpfppcc_module *module)
{
    if (module->size < sizeof *module || module->abi != BPFPPCC_ABI_VERSION || (module->flags & BPFPPCC_MODULE_BIG_ENDIAN) != own_byte_order())
        return false;
    return (!module->n_progs || (module->progs->size >= sizeof *module->progs && module->progs->abi == BPFPPCC_ABI_VERSION)) &&
        (!module->n_maps || module->maps->size >= sizeof *module->maps);
}

static struct bpfppcc_prog *prog_at(const struct bpfppcc_module *module, uint64_t index)
{
    return (struct bpfppcc_prog *)((char *)module->progs + index * module->progs->size);
}

static struct bpfppcc_map *map_at(const struct bpfppcc_module *module, uint64_t index)
{
    return (struct bpfppcc_map *)((char *)module->maps + index * module->maps->size);
}

/* After all maps are open, because a map's elements may be maps that stand behind it. The keys are 0, 1, 2 and so on, for hash maps too. */
static int fill_map_in_map(struct bpfppcc_map *map)
{
    if (map->n_init && map->key_size != sizeof(uint32_t))
        return -EINVAL;
    for (uint32_t i = 0; i < map->n_init; i++) {
        struct bpfppcc_map *inner = map->init[i];
        if (!inner)
            continue;
        int error = bpfppcc_rt_map_open(inner);     /* it may be another module's */
        if (!error)
            error = bpfppcc_rt_map_update(map, &i, &inner, BPFPPCC_ANY, 0, BY_PROGRAM);
        if (error)
            return error;
    }
    return 0;
}

static int open_maps(struct bpfppcc_module *module)
{
    for (uint64_t i = 0; i < module->n_maps; i++) {
        int error = bpfppcc_rt_map_open(map_at(module, i));
        if (error)
            return error;
    }
    for (uint64_t i = 0; i < module->n_maps; i++) {
        int error = is_map_in_map(map_at(module, i)) ? fill_map_in_map(map_at(module, i)) : 0;
        if (error)
            return error;
    }
    return 0;
}

static bool is_open(const struct bpfppcc_module *module)
{
    for (uint64_t i = 0; i < module->n_maps; i++)
        if (!map_at(module, i)->impl)
            return false;
    return true;
}

int bpfppcc_open(struct bpfppcc_module *module)
{
    static struct lock opening;
    if (!module)
        return -EINVAL;
    if (!speaks_our_abi(module))
        return -ENOEXEC;
    lock(&opening);
    int error = is_open(module) ? 0 : open_maps(module);
    if (error)
        bpfppcc_close(module);
    unlock(&opening);
    return error;
}

void bpfppcc_close(struct bpfppcc_module *module)
{
    for (uint64_t i = 0; i < module->n_maps; i++)
        bpfppcc_rt_map_close(map_at(module, i));
}

struct bpfppcc_prog *bpfppcc_prog(const struct bpfppcc_module *module, const char *name)
{
    for (uint64_t i = 0; i < module->n_progs; i++)
        if (!strcmp(prog_at(module, i)->name, name))
            return prog_at(module, i);
    return NULL;
}

struct bpfppcc_map *bpfppcc_map(const struct bpfppcc_module *module, const char *name)
{
    for (uint64_t i = 0; i < module->n_maps; i++)
        if (!strcmp(map_at(module, i)->name, name))
            return map_at(module, i);
    return NULL;
}
