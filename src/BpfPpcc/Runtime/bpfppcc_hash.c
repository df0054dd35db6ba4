/*
 * bpfppcc_hash.c - maps whose key is any bytes: HASH, LRU_HASH, their per-CPU forms, HASH_OF_MAPS, DEVMAP_HASH, SOCKHASH; and LPM_TRIE.
 *
 * All elements of a map lie in one pool, reserved when the map is opened and never given back before it is closed; the system commits memory
 * only as elements are used for the first time (so BPF_F_NO_PREALLOC changes nothing). An element is known by its index in the pool, from 1;
 * 0 is none. Walks go through the pool, hence in an order that insertions elsewhere do not disturb.
 *
 * Whoever has looked up a value may still be reading it when the element is replaced or deleted. So an update never writes into an element
 * that is in the map (except of a per-CPU map, whose values have one writer each): it fills another one and puts that in its place. The old
 * one goes to the end of the free list, and BPFPPCC_SPARE_ELEMENTS more than max_entries keep that list from ever being short.
 *
 * LRU is exact: a list from the newest to the oldest use. (Linux approximates: it may evict others, and some before the map is full.)
 *
 * An LPM trie is no trie here but a hash map of masked prefixes, which a lookup asks for every length in use, from the longest: the same
 * answers, the same elements, and few lengths are in use in practice.
 */
#include "bpfppcc_rt.h"

#include <stdlib.h>

enum { NONE = 0, MAX_PREFIX_BYTES = 256 };

struct element {
    uint32_t next;                      /* of the same bucket, or in the free list */
    uint32_t newer;                     /* LRU */
    uint32_t older;
    uint32_t is_live;
    uint64_t hash;
    /* the key, to a multiple of 8; the value */
};

struct table {
    struct map_state base;
    size_t value_offset;                /* in an element */
    size_t element_size;
    uint64_t seed;
    uint32_t bucket_mask;
    uint32_t capacity;                  /* elements of the pool */
    uint32_t touched;                   /* so many were used at least once: 1..touched */
    uint32_t count;                     /* so many are in the map */
    uint32_t first_free, last_free;     /* list of those that were and are not */
    uint32_t newest, oldest;
    bool is_lru;
    uint32_t longest_prefix;            /* LPM: longest of which there was ever one */
    uint32_t *prefixes;                 /* LPM: elements of each prefix length */
    uint32_t *buckets;
    char *pool;
};

static struct table *table_of(const struct bpfppcc_map *map)
{
    return map->impl;
}

static struct element *element_at(const struct table *table, uint32_t index)
{
    return (struct element *)(table->pool + (size_t)index * table->element_size);
}

static void *key_of(struct element *element)
{
    return element + 1;
}

static void *value_of(const struct table *table, struct element *element)
{
    return (char *)element + table->value_offset;
}

/* Multiplication spreads every bit upwards, the shift brings it back down. */
uint64_t bpfppcc_rt_hash_bytes(const void *data, size_t size, uint64_t seed)
{
    const char *bytes = data;
    uint64_t hash = seed ^ (size * 0x9e3779b97f4a7c15ULL);
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes + i, size - i < 8 ? size - i : 8);
        hash = (hash ^ word) * 0xd6e8feb86659fd93ULL;
        hash ^= hash >> 32;
    }
    hash *= 0xd6e8feb86659fd93ULL;
    return hash ^ hash >> 32;
}

/* ---- opening ---- */

static bool is_per_cpu(const struct bpfppcc_map *map)
{
    return map->type == MAP_PERCPU_HASH || map->type == MAP_LRU_PERCPU_HASH;
}

static uint32_t buckets_for(uint32_t max_entries)
{
    uint32_t buckets = 1;
    while (buckets < max_entries && buckets < 1u << 31)
        buckets *= 2;
    return buckets;
}

static int reserve(struct bpfppcc_map *map, struct table *table)
{
    uint32_t buckets = buckets_for(map->max_entries);
    table->bucket_mask = buckets - 1;
    table->buckets = calloc(buckets, sizeof *table->buckets);
    table->pool = calloc((size_t)table->capacity + 1, table->element_size);
    if (map->type == MAP_LPM_TRIE)
        table->prefixes = calloc((size_t)(map->key_size - sizeof(uint32_t)) * 8 + 1, sizeof *table->prefixes);
    return table->buckets && table->pool && (table->prefixes || map->type != MAP_LPM_TRIE) ? 0 : -ENOMEM;
}

static void hash_close(struct bpfppcc_map *map)
{
    struct table *table = table_of(map);
    free(table->buckets);
    free(table->pool);
    free(table->prefixes);
}

static int hash_open(struct bpfppcc_map *map)
{
    if (!map->key_size || !stored_size(map) || !map->max_entries || map->max_entries > UINT32_MAX - BPFPPCC_SPARE_ELEMENTS - 1)
        return -EINVAL;
    struct table *table = calloc(1, sizeof *table);
    if (!table)
        return -ENOMEM;
    table->base.cpus = is_per_cpu(map) ? bpfppcc_hooks.cpus : 0;
    table->base.stride = round_up_8(stored_size(map));
    table->value_offset = sizeof(struct element) + round_up_8(map->key_size);
    table->element_size = table->value_offset + value_room(&table->base);
    table->capacity = map->max_entries + BPFPPCC_SPARE_ELEMENTS;
    table->is_lru = map->type == MAP_LRU_HASH || map->type == MAP_LRU_PERCPU_HASH;
    /* So that nobody who chooses keys can choose collisions. */
    table->seed = map->map_flags & F_ZERO_SEED ? 0 : (uint64_t)bpfppcc_hooks.random() << 32 | bpfppcc_hooks.random();
    int error = reserve(map, table);
    map->impl = table;
    if (error) {
        hash_close(map);
        free(table);
        map->impl = NULL;
    }
    return error;
}

static int lpm_open(struct bpfppcc_map *map)
{
    bool key_is_possible = map->key_size > sizeof(uint32_t) && map->key_size <= sizeof(uint32_t) + MAX_PREFIX_BYTES;
    return key_is_possible && (map->map_flags & F_NO_PREALLOC) ? hash_open(map) : -EINVAL;
}

/* ---- the LRU list ---- */

static void lru_add(struct table *table, uint32_t index)
{
    struct element *element = element_at(table, index);
    element->newer = NONE;
    element->older = table->newest;
    if (table->newest)
        element_at(table, table->newest)->newer = index;
    else
        table->oldest = index;
    table->newest = index;
}

static void lru_remove(struct table *table, uint32_t index)
{
    struct element *element = element_at(table, index);
    *(element->newer ? &element_at(table, element->newer)->older : &table->newest) = element->older;
    *(element->older ? &element_at(table, element->older)->newer : &table->oldest) = element->newer;
}

/* ---- elements: all of these with the lock held ---- */

/* Where the index of the element with this key stands: in the bucket, or in the element before. It is NONE if there is no such element. */
static uint32_t *find(const struct table *table, const void *key, size_t key_size, uint64_t hash)
{
    uint32_t *link = &table->buckets[hash & table->bucket_mask];
    while (*link) {
        struct element *element = element_at(table, *link);
        if (element->hash == hash && !memcmp(key_of(element), key, key_size))
            break;
        link = &element->next;
    }
    return link;
}

static uint32_t allocate(struct table *table)
{
    if (table->touched < table->capacity)
        return ++table->touched;
    uint32_t index = table->first_free;
    table->first_free = element_at(table, index)->next;
    return index;
}

static void enter(struct bpfppcc_map *map, uint32_t *link, uint32_t index)
{
    struct table *table = table_of(map);
    struct element *element = element_at(table, index);
    element->next = NONE;
    element->is_live = true;
    *link = index;
    table->count++;
    if (table->is_lru)
        lru_add(table, index);
    if (table->prefixes) {
        uint32_t prefix;
        memcpy(&prefix, key_of(element), sizeof prefix);
        table->prefixes[prefix]++;
        if (table->longest_prefix < prefix)
            table->longest_prefix = prefix;
    }
}

static void leave(struct bpfppcc_map *map, uint32_t *link)
{
    struct table *table = table_of(map);
    uint32_t index = *link;
    struct element *element = element_at(table, index);
    *link = element->next;
    element->next = NONE;
    element->is_live = false;
    table->count--;
    if (table->is_lru)
        lru_remove(table, index);
    if (table->prefixes) {
        uint32_t prefix;
        memcpy(&prefix, key_of(element), sizeof prefix);
        table->prefixes[prefix]--;
    }
    drop_timers(&table->base, value_of(table, element), value_room(&table->base));
    if (table->first_free)
        element_at(table, table->last_free)->next = index;
    else
        table->first_free = index;
    table->last_free = index;
}

static void evict_oldest(struct bpfppcc_map *map)
{
    struct table *table = table_of(map);
    struct element *element = element_at(table, table->oldest);
    leave(map, find(table, key_of(element), map->key_size, element->hash));
}

static int check_update(const struct bpfppcc_map *map, bool exists, uint64_t flags)
{
    const struct table *table = table_of(map);
    if (exists)
        return flags == BPFPPCC_NOEXIST ? -EEXIST : 0;
    if (flags == BPFPPCC_EXIST)
        return -ENOENT;
    if (table->count < map->max_entries || table->is_lru)
        return 0;
    return map->type == MAP_LPM_TRIE ? -ENOSPC : -E2BIG;
}

static void use(struct table *table, uint32_t index)
{
    if (table->is_lru && table->newest != index) {
        lru_remove(table, index);
        lru_add(table, index);
    }
}

static int put(struct bpfppcc_map *map, const void *key, const void *value, uint64_t flags, uint32_t cpu)
{
    struct table *table = table_of(map);
    uint64_t hash = bpfppcc_rt_hash_bytes(key, map->key_size, table->seed);
    uint32_t *link = find(table, key, map->key_size, hash);
    int error = check_update(map, *link != NONE, flags);
    if (error)
        return error;
    if (*link && table->base.cpus) {
        bpfppcc_rt_write_value(map, value_of(table, element_at(table, *link)), value, cpu);
        use(table, *link);
        return 0;
    }
    if (*link)
        leave(map, link);
    else if (table->count == map->max_entries)
        evict_oldest(map);
    uint32_t index = allocate(table);
    struct element *element = element_at(table, index);
    element->hash = hash;
    memcpy(key_of(element), key, map->key_size);
    memset(value_of(table, element), 0, value_room(&table->base));
    bpfppcc_rt_write_value(map, value_of(table, element), value, cpu);
    enter(map, find(table, key, map->key_size, hash), index);
    return 0;
}

/* ---- HASH and its kin ---- */

static void *hash_lookup(struct bpfppcc_map *map, const void *key, enum access by)
{
    struct table *table = table_of(map);
    uint64_t hash = bpfppcc_rt_hash_bytes(key, map->key_size, table->seed);
    lock(&table->base.lock);
    uint32_t index = *find(table, key, map->key_size, hash);
    void *value = index ? value_of(table, element_at(table, index)) : NULL;
    if (index && map->type == MAP_HASH_OF_MAPS)
        memcpy(&value, value, sizeof value);
    if (index && by == BY_PROGRAM)
        use(table, index);
    unlock(&table->base.lock);
    return value;
}

static int get(struct bpfppcc_map *map, uint32_t index, void *value)
{
    const struct table *table = table_of(map);
    if (!index)
        return -ENOENT;
    memcpy(value, value_of(table, element_at(table, index)), table->base.cpus ? value_room(&table->base) : stored_size(map));
    return 0;
}

static int hash_get(struct bpfppcc_map *map, const void *key, void *value)
{
    struct table *table = table_of(map);
    uint64_t hash = bpfppcc_rt_hash_bytes(key, map->key_size, table->seed);
    lock(&table->base.lock);
    int error = get(map, *find(table, key, map->key_size, hash), value);
    unlock(&table->base.lock);
    return error;
}

static int hash_update(struct bpfppcc_map *map, const void *key, const void *value, uint64_t flags, uint32_t cpu)
{
    if (flags > BPFPPCC_EXIST)
        return -EINVAL;
    if (map->type == MAP_HASH_OF_MAPS) {
        const struct bpfppcc_map *inner;
        memcpy(&inner, value, sizeof inner);
        if (!inner || !bpfppcc_rt_inner_map_fits(map, inner))
            return -EINVAL;
    }
    lock(&table_of(map)->base.lock);
    int error = put(map, key, value, flags, cpu);
    unlock(&table_of(map)->base.lock);
    return error;
}

static int remove_key(struct bpfppcc_map *map, const void *key)
{
    struct table *table = table_of(map);
    uint64_t hash = bpfppcc_rt_hash_bytes(key, map->key_size, table->seed);
    lock(&table->base.lock);
    uint32_t *link = find(table, key, map->key_size, hash);
    int error = *link ? 0 : -ENOENT;
    if (*link)
        leave(map, link);
    unlock(&table->base.lock);
    return error;
}

static uint32_t next_live(const struct table *table, uint32_t index)
{
    while (++index <= table->touched)
        if (element_at(table, index)->is_live)
            return index;
    return NONE;
}

static int next_key(struct bpfppcc_map *map, const void *key, void *next)
{
    struct table *table = table_of(map);
    uint64_t hash = key ? bpfppcc_rt_hash_bytes(key, map->key_size, table->seed) : 0;
    lock(&table->base.lock);
    uint32_t index = next_live(table, key ? *find(table, key, map->key_size, hash) : NONE);
    if (index)
        memcpy(next, key_of(element_at(table, index)), map->key_size);
    unlock(&table->base.lock);
    return index ? 0 : -ENOENT;
}

static bool hash_walk(struct bpfppcc_map *map, struct walk *walk, const void **key, void **value)
{
    struct table *table = table_of(map);
    lock(&table->base.lock);
    uint32_t index = next_live(table, (uint32_t)walk->position);
    unlock(&table->base.lock);
    if (!index)
        return false;
    walk->position = index;
    *key = key_of(element_at(table, index));
    *value = value_of(table, element_at(table, index));
    return true;
}

const struct map_ops bpfppcc_hash_ops = {
    .open = hash_open,
    .close = hash_close,
    .lookup = hash_lookup,
    .get = hash_get,
    .update = hash_update,
    .delete = remove_key,
    .next_key = next_key,
    .walk = hash_walk,
    .missing = -EINVAL,
};

const void *bpfppcc_rt_hash_key_of_value(struct bpfppcc_map *map, const void *address, const void **value)
{
    const struct table *table = table_of(map);
    uintptr_t offset = (uintptr_t)address - (uintptr_t)table->pool;
    size_t index = offset / table->element_size;
    if (index == NONE || index > table->capacity || offset % table->element_size < table->value_offset)
        return NULL;
    struct element *element = element_at(table, (uint32_t)index);
    *value = value_of(table, element);
    return key_of(element);
}

/* ---- LPM_TRIE: the key is a 32-bit prefix length in the host's byte order, then bytes whose first bit is the highest ---- */

struct prefix {
    uint32_t length;
    unsigned char bytes[MAX_PREFIX_BYTES];
};

static void cut(struct prefix *prefix, uint32_t length, size_t bytes)
{
    size_t whole = length / 8;
    prefix->length = length;
    if (whole == bytes)
        return;
    prefix->bytes[whole] &= (unsigned char)(0xff00 >> length % 8);
    memset(prefix->bytes + whole + 1, 0, bytes - whole - 1);
}

static size_t prefix_bytes(const struct bpfppcc_map *map)
{
    return map->key_size - sizeof(uint32_t);
}

/* The key as it stands in the map: nothing behind the prefix. False if the prefix is longer than keys are. */
static bool read_prefix(const struct bpfppcc_map *map, const void *key, struct prefix *prefix)
{
    memcpy(prefix, key, map->key_size);
    if (prefix->length > prefix_bytes(map) * 8)
        return false;
    cut(prefix, prefix->length, prefix_bytes(map));
    return true;
}

/* Index of the element with the longest prefix of the key that is not longer than the key says. */
static uint32_t longest_match(const struct bpfppcc_map *map, struct prefix *prefix)
{
    const struct table *table = table_of(map);
    uint32_t length = prefix->length < table->longest_prefix ? prefix->length : table->longest_prefix;
    for (;; length--) {
        if (table->prefixes[length]) {
            cut(prefix, length, prefix_bytes(map));
            uint32_t index = *find(table, prefix, map->key_size, bpfppcc_rt_hash_bytes(prefix, map->key_size, table->seed));
            if (index)
                return index;
        }
        if (!length)
            return NONE;
    }
}

static void *lpm_lookup(struct bpfppcc_map *map, const void *key, enum access by)
{
    (void)by;
    struct table *table = table_of(map);
    struct prefix prefix;
    if (!read_prefix(map, key, &prefix))
        return NULL;
    lock(&table->base.lock);
    uint32_t index = longest_match(map, &prefix);
    unlock(&table->base.lock);
    return index ? value_of(table, element_at(table, index)) : NULL;
}

static int lpm_get(struct bpfppcc_map *map, const void *key, void *value)
{
    struct table *table = table_of(map);
    struct prefix prefix;
    if (!read_prefix(map, key, &prefix))
        return -EINVAL;
    lock(&table->base.lock);
    int error = get(map, longest_match(map, &prefix), value);
    unlock(&table->base.lock);
    return error;
}

static int lpm_update(struct bpfppcc_map *map, const void *key, const void *value, uint64_t flags, uint32_t cpu)
{
    struct prefix prefix;
    return read_prefix(map, key, &prefix) ? hash_update(map, &prefix, value, flags, cpu) : -EINVAL;
}

static int lpm_delete(struct bpfppcc_map *map, const void *key)
{
    struct prefix prefix;
    return read_prefix(map, key, &prefix) ? remove_key(map, &prefix) : -EINVAL;
}

static int lpm_next_key(struct bpfppcc_map *map, const void *key, void *next)
{
    struct prefix prefix;
    return next_key(map, key && read_prefix(map, key, &prefix) ? &prefix : NULL, next);
}

const struct map_ops bpfppcc_lpm_ops = {
    .open = lpm_open,
    .close = hash_close,
    .lookup = lpm_lookup,
    .get = lpm_get,
    .update = lpm_update,
    .delete = lpm_delete,
    .next_key = lpm_next_key,
    .missing = -EINVAL,
};
