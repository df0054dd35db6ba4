/*
 * bpfppcc_queue.c - maps without keys: QUEUE, STACK, BLOOM_FILTER. Values are copied in and out, so nothing here is ever shared.
 */
#include "bpfppcc_rt.h"

#include <stdlib.h>

/* ---- QUEUE and STACK: a ring of max_entries values. The oldest is first; a queue takes it, a stack takes the last. ---- */

struct queue {
    struct map_state base;
    uint32_t first;
    uint32_t count;
    char *values;
};

static int queue_open(struct bpfppcc_map *map)
{
    if (map->key_size || !map->value_size || !map->max_entries)
        return -EINVAL;
    struct queue *queue = calloc(1, sizeof *queue);
    if (!queue)
        return -ENOMEM;
    queue->values = calloc(map->max_entries, map->value_size);
    if (!queue->values) {
        free(queue);
        return -ENOMEM;
    }
    map->impl = queue;
    return 0;
}

static void queue_close(struct bpfppcc_map *map)
{
    free(((struct queue *)map->impl)->values);
}

/* `nth` from the oldest. */
static char *queue_value(const struct bpfppcc_map *map, const struct queue *queue, uint32_t nth)
{
    return queue->values + ((size_t)queue->first + nth) % map->max_entries * map->value_size;
}

static void forget_oldest(const struct bpfppcc_map *map, struct queue *queue)
{
    queue->first = (uint32_t)(((size_t)queue->first + 1) % map->max_entries);
    queue->count--;
}

static int queue_push(struct bpfppcc_map *map, const void *value, uint64_t flags)
{
    struct queue *queue = map->impl;
    if (flags != BPFPPCC_ANY && flags != BPFPPCC_EXIST)
        return -EINVAL;
    lock(&queue->base.lock);
    bool has_room = queue->count < map->max_entries || flags == BPFPPCC_EXIST;
    if (has_room) {
        if (queue->count == map->max_entries)
            forget_oldest(map, queue);
        memcpy(queue_value(map, queue, queue->count++), value, map->value_size);
    }
    unlock(&queue->base.lock);
    return has_room ? 0 : -E2BIG;
}

static int take(struct bpfppcc_map *map, void *value, bool remove, bool is_stack)
{
    struct queue *queue = map->impl;
    lock(&queue->base.lock);
    bool has_value = queue->count != 0;
    if (has_value) {
        memcpy(value, queue_value(map, queue, is_stack ? queue->count - 1 : 0), map->value_size);
        if (remove && is_stack)
            queue->count--;
        else if (remove)
            forget_oldest(map, queue);
    } else {
        memset(value, 0, map->value_size);
    }
    unlock(&queue->base.lock);
    return has_value ? 0 : -ENOENT;
}

static int queue_take(struct bpfppcc_map *map, void *value, bool remove)
{
    return take(map, value, remove, false);
}

static int stack_take(struct bpfppcc_map *map, void *value, bool remove)
{
    return take(map, value, remove, true);
}

const struct map_ops bpfppcc_queue_ops = {
    .open = queue_open, .close = queue_close, .push = queue_push, .take = queue_take, .missing = -EINVAL,
};
const struct map_ops bpfppcc_stack_ops = {
    .open = queue_open, .close = queue_close, .push = queue_push, .take = stack_take, .missing = -EINVAL,
};

/* ---- BLOOM_FILTER: as many bits as keep false positives rare with that many hash functions and values, a power of two ---- */

enum { DEFAULT_HASH_FUNCTIONS = 5, MAX_HASH_FUNCTIONS = 15 };

struct bloom {
    struct map_state base;
    uint32_t functions;
    uint32_t bit_mask;
    uint64_t seed;
    uint64_t *words;
};

/* functions * max_entries / ln 2, rounded up to a power of two; the last power that a 32-bit hash reaches if that is more. */
static uint64_t bloom_bits(uint32_t functions, uint32_t max_entries)
{
    uint64_t wanted = (uint64_t)functions * max_entries / 5 * 7, bits = 64;
    while (bits < wanted && bits < 1ULL << 32)
        bits *= 2;
    return bits;
}

static int bloom_open(struct bpfppcc_map *map)
{
    if (map->key_size || !map->value_size || !map->max_entries || map->map_extra > MAX_HASH_FUNCTIONS)
        return -EINVAL;
    struct bloom *bloom = calloc(1, sizeof *bloom);
    if (!bloom)
        return -ENOMEM;
    bloom->functions = map->map_extra ? (uint32_t)map->map_extra : DEFAULT_HASH_FUNCTIONS;
    uint64_t bits = bloom_bits(bloom->functions, map->max_entries);
    bloom->bit_mask = (uint32_t)(bits - 1);
    bloom->seed = map->map_flags & F_ZERO_SEED ? 0 : bpfppcc_hooks.random();
    bloom->words = calloc(bits / 64, sizeof *bloom->words);
    if (!bloom->words) {
        free(bloom);
        return -ENOMEM;
    }
    map->impl = bloom;
    return 0;
}

static void bloom_close(struct bpfppcc_map *map)
{
    free(((struct bloom *)map->impl)->words);
}

static uint32_t bloom_bit(const struct bpfppcc_map *map, const struct bloom *bloom, const void *value, uint32_t function)
{
    return (uint32_t)bpfppcc_rt_hash_bytes(value, map->value_size, bloom->seed + function) & bloom->bit_mask;
}

static int bloom_push(struct bpfppcc_map *map, const void *value, uint64_t flags)
{
    struct bloom *bloom = map->impl;
    if (flags != BPFPPCC_ANY)
        return -EINVAL;
    for (uint32_t i = 0; i < bloom->functions; i++) {
        uint32_t bit = bloom_bit(map, bloom, value, i);
        __atomic_fetch_or(&bloom->words[bit / 64], 1ULL << bit % 64, __ATOMIC_RELAXED);
    }
    return 0;
}

/* Asks whether the value was pushed: 0 means probably, -ENOENT certainly not. Nothing can be taken out. */
static int bloom_take(struct bpfppcc_map *map, void *value, bool remove)
{
    struct bloom *bloom = map->impl;
    if (remove)
        return -EOPNOTSUPP;
    for (uint32_t i = 0; i < bloom->functions; i++) {
        uint32_t bit = bloom_bit(map, bloom, value, i);
        if (!(__atomic_load_n(&bloom->words[bit / 64], __ATOMIC_RELAXED) >> bit % 64 & 1))
            return -ENOENT;
    }
    return 0;
}

const struct map_ops bpfppcc_bloom_ops = {
    .open = bloom_open, .close = bloom_close, .push = bloom_push, .take = bloom_take, .missing = -EOPNOTSUPP,
};
