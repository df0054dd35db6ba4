/* For the C tests of the runtime: checks that say where they fail, short ways to make maps and to call helpers as programs do. */
#ifndef CHECK_H
#define CHECK_H

#include "bpfppcc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            failures++; \
            printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
        } \
    } while (0)

#define EQUAL(got, want) \
    do { \
        long long got_ = (long long)(got), want_ = (long long)(want); \
        if (got_ != want_) { \
            failures++; \
            printf("%s:%d: %s is %lld (%#llx), not %lld (%#llx)\n", __FILE__, __LINE__, #got, got_, (unsigned long long)got_, want_, \
                (unsigned long long)want_); \
        } \
    } while (0)

#define TEXT(got, want) \
    do { \
        const char *got_ = (got), *want_ = (want); \
        if (strcmp(got_, want_)) { \
            failures++; \
            printf("%s:%d: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__, #got, got_, want_); \
        } \
    } while (0)

/* HELPER(name, arguments...): declares and calls; arguments that are not given are rubbish, as in registers. */
#define RUBBISH 0xdeadbeefdeadbeefULL
#define HELPER(name, ...) HELPER_(name, __VA_ARGS__, RUBBISH, RUBBISH, RUBBISH, RUBBISH, RUBBISH)
#define HELPER_(name, a, b, c, d, e, ...) \
    __extension__({ \
        extern bpfppcc_helper_fn bpf_helper_##name; \
        bpf_helper_##name((uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), (uint64_t)(e)); \
    })

enum {
    HASH = 1, ARRAY, PROG_ARRAY, PERF_EVENT_ARRAY, PERCPU_HASH, PERCPU_ARRAY, LRU_HASH = 9, LRU_PERCPU_HASH, LPM_TRIE, ARRAY_OF_MAPS,
    HASH_OF_MAPS, DEVMAP, QUEUE = 22, STACK, DEVMAP_HASH = 25, RINGBUF = 27, BLOOM_FILTER = 30,
};

enum { NO_PREALLOC = 1, RDONLY = 8, WRONLY = 16, ZERO_SEED = 64, RDONLY_PROG = 128, WRONLY_PROG = 256, INNER_MAP = 4096 };

static struct bpfppcc_module nobody = { .size = sizeof nobody, .abi = BPFPPCC_ABI_VERSION };

static inline struct bpfppcc_map describe(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t max_entries, uint32_t flags)
{
    return (struct bpfppcc_map){ .size = sizeof(struct bpfppcc_map), .type = type, .key_size = key_size, .value_size = value_size,
        .max_entries = max_entries, .map_flags = flags, .name = "test", .module = &nobody };
}

/* A new map, or NULL with errno set. */
static inline struct bpfppcc_map *make(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t max_entries, uint32_t flags)
{
    struct bpfppcc_map like = describe(type, key_size, value_size, max_entries, flags);
    return bpfppcc_map_new(&like);
}

/* Whether such a map is refused, and why. */
static inline int refusal(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t max_entries, uint32_t flags)
{
    struct bpfppcc_map *map = make(type, key_size, value_size, max_entries, flags);
    int error = map ? 0 : -errno;
    bpfppcc_map_free(map);
    return error;
}

/* A sequence that is the same everywhere. */
static inline uint32_t chance(uint32_t below)
{
    static uint64_t state = 42;
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(state >> 33) % below;
}

static inline int report(void)
{
    if (failures)
        printf("%d checks failed\n", failures);
    return failures != 0;
}

#endif
