/*
 * bpfppcc_maps.c - the operations on maps, whatever their type, for hosts and for helpers; and which kind of map serves which type. The kinds
 * are in bpfppcc_array.c, bpfppcc_hash.c, bpfppcc_queue.c and bpfppcc_ringbuf.c.
 */
#include "bpfppcc_rt.h"

#include <stdlib.h>

static int refuse(struct bpfppcc_map *map);

/* A type without meaning outside of a kernel. Its programs can still be linked and run, as long as they do not lean on it. */
const struct map_ops bpfppcc_unknown_ops = { .open = refuse, .missing = -ENOTSUP };

static const struct map_ops *ops_of(uint32_t type)
{
    switch (type) {
    case MAP_ARRAY:
    case MAP_PERCPU_ARRAY:
        return &bpfppcc_array_ops;
    case MAP_DEVMAP:
    case MAP_CPUMAP:
    case MAP_XSKMAP:
    case MAP_SOCKMAP:
    case MAP_REUSEPORT_SOCKARRAY:
        return &bpfppcc_index_ops;
    case MAP_PROG_ARRAY:
        return &bpfppcc_prog_array_ops;
    case MAP_ARRAY_OF_MAPS:
        return &bpfppcc_array_of_maps_ops;
    case MAP_HASH:
    case MAP_PERCPU_HASH:
    case MAP_LRU_HASH:
    case MAP_LRU_PERCPU_HASH:
    case MAP_HASH_OF_MAPS:
    case MAP_DEVMAP_HASH:
    case MAP_SOCKHASH:
        return &bpfppcc_hash_ops;
    case MAP_LPM_TRIE:
        return &bpfppcc_lpm_ops;
    case MAP_QUEUE:
        return &bpfppcc_queue_ops;
    case MAP_STACK:
        return &bpfppcc_stack_ops;
    case MAP_BLOOM_FILTER:
        return &bpfppcc_bloom_ops;
    case MAP_RINGBUF:
        return &bpfppcc_ringbuf_ops;
    case MAP_PERF_EVENT_ARRAY:
        return &bpfppcc_perf_ops;
    default:
        return &bpfppcc_unknown_ops;
    }
}

static int refuse(struct bpfppcc_map *map)
{
    struct map_state *state = calloc(1, sizeof *state);
    if (!state)
        return -ENOMEM;
    map->impl = state;
    bpfppcc_rt_complain("bpfppcc: map %s is of type %u, which has no meaning here", map->name, (unsigned)map->type);
    return 0;
}

/* ---- opening and closing ---- */

int bpfppcc_rt_map_open(struct bpfppcc_map *map)
{
    if (map->impl)
        return 0;
    const struct map_ops *ops = ops_of(map->type);
    int error = ops->open(map);
    if (error)
        return error;
    state_of(map)->ops = ops;
    return 0;
}

void bpfppcc_rt_map_close(struct bpfppcc_map *map)
{
    struct map_state *state = state_of(map);
    if (!state)
        return;
    bpfppcc_rt_timers_drop(state, NULL, SIZE_MAX);
    if (state->ops && state->ops->close)
        state->ops->close(map);
    if (state->owns_storage) {
        free(map->values);
        free(map->progs);
        map->values = NULL;
        map->progs = NULL;
    }
    free(state);
    map->impl = NULL;
}

struct bpfppcc_map *bpfppcc_map_new(const struct bpfppcc_map *like)
{
    struct bpfppcc_map *map = malloc(sizeof *map);
    if (!map) {
        errno = ENOMEM;
        return NULL;
    }
    *map = *like;
    map->size = sizeof *map;
    map->init = NULL;
    map->n_init = 0;
    map->flags = 0;
    map->impl = NULL;
    map->values = NULL;
    map->progs = NULL;
    int error = bpfppcc_rt_map_open(map);
    if (error) {
        free(map);
        errno = -error;
        return NULL;
    }
    return map;
}

void bpfppcc_map_free(struct bpfppcc_map *map)
{
    if (!map)
        return;
    bpfppcc_rt_map_close(map);
    free(map);
}

/* ---- operations ---- */

/* The map's operations, or those of no map at all: a host forgot bpfppcc_open. */
static const struct map_ops *open_ops(const struct bpfppcc_map *map)
{
    static const struct map_ops closed = { .missing = -EBADF };
    return map && map->impl ? state_of(map)->ops : &closed;
}

static bool may_read(const struct bpfppcc_map *map, enum access by)
{
    return !(map->map_flags & (by == BY_PROGRAM ? F_WRONLY_PROG : F_WRONLY));
}

/* Linux gives a host -EPERM, and does not load the program. */
static bool may_write(const struct bpfppcc_map *map, enum access by)
{
    return !(map->map_flags & (by == BY_PROGRAM ? F_RDONLY_PROG : F_RDONLY));
}

void *bpfppcc_rt_map_lookup(struct bpfppcc_map *map, const void *key, uint32_t cpu, enum access by)
{
    const struct map_ops *ops = open_ops(map);
    if (!ops->lookup || !may_read(map, by))
        return NULL;
    return value_on_cpu(state_of(map), ops->lookup(map, key, by), cpu);
}

int bpfppcc_rt_map_update(struct bpfppcc_map *map, const void *key, const void *value, uint64_t flags, uint32_t cpu, enum access by)
{
    const struct map_ops *ops = open_ops(map);
    if (!ops->update)
        return ops->missing;
    if (!may_write(map, by))
        return -EPERM;
    if (state_of(map)->cpus && cpu != ALL_CPUS && cpu >= state_of(map)->cpus)
        return -EINVAL;
    return ops->update(map, key, value, flags, cpu);
}

int bpfppcc_rt_map_delete(struct bpfppcc_map *map, const void *key, enum access by)
{
    const struct map_ops *ops = open_ops(map);
    if (!ops->delete)
        return ops->missing;
    return may_write(map, by) ? ops->delete(map, key) : -EPERM;
}

int bpfppcc_rt_map_push(struct bpfppcc_map *map, const void *value, uint64_t flags, enum access by)
{
    const struct map_ops *ops = open_ops(map);
    if (!ops->push)
        return ops->missing;
    return may_write(map, by) ? ops->push(map, value, flags) : -EPERM;
}

int bpfppcc_rt_map_take(struct bpfppcc_map *map, void *value, bool remove, enum access by)
{
    const struct map_ops *ops = open_ops(map);
    if (!ops->take)
        return ops->missing;
    return may_read(map, by) && (!remove || may_write(map, by)) ? ops->take(map, value, remove) : -EPERM;
}

/* Copies what an update gives into an element: one CPU's value, or all of them. */
void bpfppcc_rt_write_value(const struct bpfppcc_map *map, void *element, const void *value, uint32_t cpu)
{
    const struct map_state *state = state_of(map);
    if (!state->cpus)
        memcpy(element, value, stored_size(map));
    else if (cpu != ALL_CPUS)
        memcpy((char *)element + state->stride * cpu, value, map->value_size);
    else
        for (uint32_t i = 0; i < state->cpus; i++)
            memcpy((char *)element + state->stride * i, (const char *)value + state->stride * i, map->value_size);
}

/* A map may be an element if programs cannot tell it from the template: they were compiled for that one's sizes. */
bool bpfppcc_rt_inner_map_fits(const struct bpfppcc_map *outer, const struct bpfppcc_map *inner)
{
    const struct bpfppcc_map *template = outer->inner;
    if (is_map_in_map(inner))
        return false;
    if (!template)
        return true;
    if (inner->type != template->type || inner->key_size != template->key_size || inner->value_size != template->value_size ||
        inner->map_flags != template->map_flags)
        return false;
    bool is_array = inner->type == MAP_ARRAY || inner->type == MAP_PERCPU_ARRAY;
    return !is_array || (template->map_flags & F_INNER_MAP) || inner->max_entries == template->max_entries;
}

/* ---- for hosts ---- */

void *bpfppcc_map_lookup(struct bpfppcc_map *map, const void *key)
{
    return bpfppcc_rt_map_lookup(map, key, bpfppcc_rt_thread()->cpu, BY_HOST);
}

void *bpfppcc_map_lookup_percpu(struct bpfppcc_map *map, const void *key, uint32_t cpu)
{
    return bpfppcc_rt_map_lookup(map, key, cpu, BY_HOST);
}

int bpfppcc_map_get(struct bpfppcc_map *map, const void *key, void *value)
{
    const struct map_ops *ops = open_ops(map);
    if (!ops->get)
        return ops->missing;
    return may_read(map, BY_HOST) ? ops->get(map, key, value) : -EPERM;
}

int bpfppcc_map_update(struct bpfppcc_map *map, const void *key, const void *value, uint64_t flags)
{
    if (open_ops(map)->push)
        return bpfppcc_rt_map_push(map, value, flags, BY_HOST);
    return bpfppcc_rt_map_update(map, key, value, flags, bpfppcc_rt_thread()->cpu, BY_HOST);
}

int bpfppcc_map_update_percpu(struct bpfppcc_map *map, const void *key, const void *values, uint64_t flags)
{
    return bpfppcc_rt_map_update(map, key, values, flags, ALL_CPUS, BY_HOST);
}

int bpfppcc_map_delete(struct bpfppcc_map *map, const void *key)
{
    return bpfppcc_rt_map_delete(map, key, BY_HOST);
}

int bpfppcc_map_next_key(struct bpfppcc_map *map, const void *key, void *next)
{
    const struct map_ops *ops = open_ops(map);
    if (!ops->next_key)
        return ops->missing;
    return may_read(map, BY_HOST) ? ops->next_key(map, key, next) : -EPERM;
}

int bpfppcc_map_push(struct bpfppcc_map *map, const void *value, uint64_t flags)
{
    return bpfppcc_rt_map_push(map, value, flags, BY_HOST);
}

int bpfppcc_map_pop(struct bpfppcc_map *map, void *value)
{
    return bpfppcc_rt_map_take(map, value, true, BY_HOST);
}

int bpfppcc_map_peek(struct bpfppcc_map *map, void *value)
{
    return bpfppcc_rt_map_take(map, value, false, BY_HOST);
}
