/*
 * bpfppcc_rt.h - what the files of the reference runtime share. Not for hosts: those include bpfppcc.h.
 *
 * Names and numbers of the BPF interface (map types, flags) are repeated here so that the runtime compiles where there is no linux/bpf.h.
 */
#ifndef BPFPPCC_RT_H
#define BPFPPCC_RT_H

#include "bpfppcc.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>

/* A file of the runtime may become part of a shared library: only bpfppcc.h's functions and the helpers are its interface. */
#pragma GCC visibility push(hidden)

enum map_type {
    MAP_HASH = 1, MAP_ARRAY, MAP_PROG_ARRAY, MAP_PERF_EVENT_ARRAY, MAP_PERCPU_HASH, MAP_PERCPU_ARRAY,
    MAP_LRU_HASH = 9, MAP_LRU_PERCPU_HASH, MAP_LPM_TRIE, MAP_ARRAY_OF_MAPS, MAP_HASH_OF_MAPS, MAP_DEVMAP, MAP_SOCKMAP, MAP_CPUMAP, MAP_XSKMAP,
    MAP_SOCKHASH, MAP_REUSEPORT_SOCKARRAY = 20, MAP_QUEUE = 22, MAP_STACK, MAP_DEVMAP_HASH = 25, MAP_RINGBUF = 27, MAP_BLOOM_FILTER = 30,
};

/* map_flags */
#define F_NO_PREALLOC (1u << 0)
#define F_RDONLY (1u << 3)              /* for hosts */
#define F_WRONLY (1u << 4)
#define F_ZERO_SEED (1u << 6)
#define F_RDONLY_PROG (1u << 7)         /* for programs */
#define F_WRONLY_PROG (1u << 8)
#define F_INNER_MAP (1u << 12)

/* enum bpf_prog_type, as far as helpers care */
enum { PROG_XDP = 6 };

/* Who asks: lookups by programs count as use of an LRU element, and map_flags can bar either. */
enum access { BY_PROGRAM, BY_HOST };

/* Given as the CPU of an update: the caller has a value for each CPU. */
#define ALL_CPUS UINT32_MAX

/* ---- locks ----
   Held for no longer than it takes to copy an element, and never while anything of the host or of a program runs. */
struct lock {
    uint32_t taken;
};

static inline void lock_word(uint32_t *word)
{
    while (__atomic_exchange_n(word, 1, __ATOMIC_ACQUIRE))
        while (__atomic_load_n(word, __ATOMIC_RELAXED))
            sched_yield();
}

static inline void unlock_word(uint32_t *word)
{
    __atomic_store_n(word, 0, __ATOMIC_RELEASE);
}

static inline void lock(struct lock *lock)
{
    lock_word(&lock->taken);
}

static inline void unlock(struct lock *lock)
{
    unlock_word(&lock->taken);
}

/* ---- maps ---- */

/* Where a walk over all elements has got to. */
struct walk {
    uint64_t position;                  /* 0 to begin with; the kind of map knows what it counts */
    uint32_t index;                     /* storage for the key of an array */
};

/* What a kind of map does. An operation that is NULL is not allowed. Lookups of per-CPU maps return the value of CPU 0. */
struct map_ops {
    int (*open)(struct bpfppcc_map *map);
    void (*close)(struct bpfppcc_map *map);
    void *(*lookup)(struct bpfppcc_map *map, const void *key, enum access by);
    int (*get)(struct bpfppcc_map *map, const void *key, void *value);
    int (*update)(struct bpfppcc_map *map, const void *key, const void *value, uint64_t flags, uint32_t cpu);
    int (*delete)(struct bpfppcc_map *map, const void *key);
    int (*next_key)(struct bpfppcc_map *map, const void *key, void *next);
    bool (*walk)(struct bpfppcc_map *map, struct walk *walk, const void **key, void **value);
    int (*push)(struct bpfppcc_map *map, const void *value, uint64_t flags);
    int (*take)(struct bpfppcc_map *map, void *value, bool remove);
    int missing;                        /* what an operation returns that is NULL */
};

/* map->impl of an open map points to a struct of the kind of map, which begins with this. */
struct map_state {
    const struct map_ops *ops;
    struct lock lock;
    uint32_t cpus;                      /* per-CPU maps: how many values an element has; 0 of others */
    size_t stride;                      /* bytes of one value of an element, a multiple of 8 */
    bool owns_storage;                  /* values or progs of the descriptor point to memory of the runtime */
    uint32_t timers;                    /* bpf_timers in the values: changed under the lock of all timers */
};

extern const struct map_ops bpfppcc_array_ops, bpfppcc_index_ops, bpfppcc_prog_array_ops, bpfppcc_array_of_maps_ops, bpfppcc_queue_ops,
    bpfppcc_stack_ops, bpfppcc_bloom_ops, bpfppcc_hash_ops, bpfppcc_lpm_ops, bpfppcc_ringbuf_ops, bpfppcc_perf_ops, bpfppcc_unknown_ops;

static inline struct map_state *state_of(const struct bpfppcc_map *map)
{
    return map->impl;
}

/* Bytes of an element's value, those of all CPUs together. */
static inline size_t value_room(const struct map_state *state)
{
    return state->stride * (state->cpus ? state->cpus : 1);
}

static inline void *value_on_cpu(const struct map_state *state, void *value, uint32_t cpu)
{
    if (!value || !state->cpus)
        return value;
    return cpu < state->cpus ? (char *)value + state->stride * cpu : NULL;
}

static inline size_t round_up_8(size_t bytes)
{
    return (bytes + 7) & ~(size_t)7;
}

static inline bool is_map_in_map(const struct bpfppcc_map *map)
{
    return map->type == MAP_ARRAY_OF_MAPS || map->type == MAP_HASH_OF_MAPS;
}

/* Bytes of a value as it is stored; BPF calls a map in a map's value an index of 4 bytes. */
static inline size_t stored_size(const struct bpfppcc_map *map)
{
    return is_map_in_map(map) ? sizeof(struct bpfppcc_map *) : map->value_size;
}

int bpfppcc_rt_map_open(struct bpfppcc_map *map);
void bpfppcc_rt_map_close(struct bpfppcc_map *map);
void *bpfppcc_rt_map_lookup(struct bpfppcc_map *map, const void *key, uint32_t cpu, enum access by);
int bpfppcc_rt_map_update(struct bpfppcc_map *map, const void *key, const void *value, uint64_t flags, uint32_t cpu, enum access by);
int bpfppcc_rt_map_delete(struct bpfppcc_map *map, const void *key, enum access by);
int bpfppcc_rt_map_push(struct bpfppcc_map *map, const void *value, uint64_t flags, enum access by);
int bpfppcc_rt_map_take(struct bpfppcc_map *map, void *value, bool remove, enum access by);
bool bpfppcc_rt_inner_map_fits(const struct bpfppcc_map *outer, const struct bpfppcc_map *inner);
void bpfppcc_rt_write_value(const struct bpfppcc_map *map, void *element, const void *value, uint32_t cpu);
uint64_t bpfppcc_rt_hash_bytes(const void *data, size_t size, uint64_t seed);

/* The key of the element in whose value `address` lies, in an array or hash map; NULL if it lies in none. */
const void *bpfppcc_rt_key_of_value(struct bpfppcc_map *map, const void *address, const void **value, uint32_t *index);
const void *bpfppcc_rt_hash_key_of_value(struct bpfppcc_map *map, const void *address, const void **value);

/* The element with this value is no more: its timers end. */
void bpfppcc_rt_timers_drop(struct map_state *state, const void *value, size_t size);

static inline void drop_timers(struct map_state *state, const void *value, size_t size)
{
    if (__atomic_load_n(&state->timers, __ATOMIC_RELAXED))
        bpfppcc_rt_timers_drop(state, value, size);
}

/* ---- the running thread ---- */
struct thread {
    uint32_t cpu;
    uint32_t prog_type;                 /* of the program that runs, as far as known */
    struct bpfppcc_redirect redirect;
};
struct thread *bpfppcc_rt_thread(void);

void bpfppcc_rt_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- fault-safe memory access ----
   Copies `size` bytes from an address that may be no memory at all. False if some of it is not; what was copied then is not specified. */
bool bpfppcc_rt_probe(void *to, uint64_t from, size_t size);
/* Copies a string with its NUL, at most `size` bytes, the last of which becomes NUL. Bytes with the NUL, or -EFAULT. */
int bpfppcc_rt_probe_string(char *to, uint64_t from, size_t size);

/* ---- packets ----
   The bytes of the packet of the running program's context. */
void bpfppcc_rt_packet(const void *ctx, const char **data, size_t *size);

#pragma GCC visibility pop

/* ---- helpers ---- */
static inline void *pointer(uint64_t argument)
{
    return (void *)(uintptr_t)argument;
}

static inline uint64_t result(const void *p)
{
    return (uint64_t)(uintptr_t)p;
}

/* A C int as BPF's r0 has it. */
static inline uint64_t result_of(int64_t value)
{
    return (uint64_t)value;
}

typedef uint64_t callback_fn(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

/* Callbacks arrive as addresses of functions. Between integer and function pointer C asks for a conversion by way of uintptr_t. */
static inline callback_fn *callback(uint64_t argument)
{
    return (callback_fn *)(uintptr_t)argument;
}

/* HELPER(name, names of its arguments; _4 or _5 where it has no such argument) { body } */
#define HELPER(name, a, b, c, d, e) \
    bpfppcc_helper_fn bpf_helper_##name; \
    uint64_t bpf_helper_##name(uint64_t a __attribute__((unused)), uint64_t b __attribute__((unused)), uint64_t c __attribute__((unused)), \
        uint64_t d __attribute__((unused)), uint64_t e __attribute__((unused)))

#endif
