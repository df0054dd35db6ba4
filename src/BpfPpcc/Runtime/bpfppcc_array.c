/*
 * bpfppcc_array.c - maps whose key is an index below max_entries: ARRAY and PERCPU_ARRAY; prog arrays and arrays of maps; and the maps that
 * redirections name a target in (DEVMAP, CPUMAP, XSKMAP, SOCKMAP).
 *
 * Elements never move and readers take no lock. A compiled program reads an ARRAY without asking: map->values is all there is to it.
 */
#include "bpfppcc_rt.h"

#include <stdlib.h>

static uint32_t index_of(const void *key)
{
    uint32_t index;
    memcpy(&index, key, sizeof index);
    return index;
}

static void *element(struct bpfppcc_map *map, uint32_t index)
{
    return (char *)map->values + (size_t)index * value_room(state_of(map));
}

static int open_with_values(struct bpfppcc_map *map, uint32_t cpus)
{
    if (map->key_size != sizeof(uint32_t) || !stored_size(map) || !map->max_entries)
        return -EINVAL;
    struct map_state *state = calloc(1, sizeof *state);
    if (!state)
        return -ENOMEM;
    state->cpus = cpus;
    state->stride = round_up_8(stored_size(map));
    if (!map->values) {
        map->values = calloc(map->max_entries, value_room(state));
        state->owns_storage = true;
    }
    map->impl = state;
    if (map->values)
        return 0;
    bpfppcc_rt_map_close(map);
    return -ENOMEM;
}

static int array_open(struct bpfppcc_map *map)
{
    return open_with_values(map, map->type == MAP_PERCPU_ARRAY ? bpfppcc_hooks.cpus : 0);
}

static void *array_lookup(struct bpfppcc_map *map, const void *key, enum access by)
{
    (void)by;
    uint32_t index = index_of(key);
    return index < map->max_entries ? element(map, index) : NULL;
}

static int array_get(struct bpfppcc_map *map, const void *key, void *value)
{
    struct map_state *state = state_of(map);
    const void *found = array_lookup(map, key, BY_HOST);
    if (!found)
        return -ENOENT;
    lock(&state->lock);
    memcpy(value, found, state->cpus ? value_room(state) : map->value_size);
    unlock(&state->lock);
    return 0;
}

/* All elements exist, always. */
static int check_array_update(const struct bpfppcc_map *map, uint32_t index, uint64_t flags)
{
    if (flags > BPFPPCC_EXIST)
        return -EINVAL;
    if (index >= map->max_entries)
        return -E2BIG;
    return flags == BPFPPCC_NOEXIST ? -EEXIST : 0;
}

static int array_update(struct bpfppcc_map *map, const void *key, const void *value, uint64_t flags, uint32_t cpu)
{
    struct map_state *state = state_of(map);
    uint32_t index = index_of(key);
    int error = check_array_update(map, index, flags);
    if (error)
        return error;
    lock(&state->lock);
    drop_timers(state, element(map, index), value_room(state));
    bpfppcc_rt_write_value(map, element(map, index), value, cpu);
    unlock(&state->lock);
    return 0;
}

static int array_next_key(struct bpfppcc_map *map, const void *key, void *next)
{
    uint32_t index = key ? index_of(key) : UINT32_MAX;
    if (key && index == map->max_entries - 1)
        return -ENOENT;
    index = index < map->max_entries ? index + 1 : 0;
    memcpy(next, &index, sizeof index);
    return 0;
}

static bool array_walk(struct bpfppcc_map *map, struct walk *walk, const void **key, void **value)
{
    if (walk->position >= map->max_entries)
        return false;
    walk->index = (uint32_t)walk->position++;
    *key = &walk->index;
    *value = element(map, walk->index);
    return true;
}

const struct map_ops bpfppcc_array_ops = {
    .open = array_open,
    .lookup = array_lookup,
    .get = array_get,
    .update = array_update,
    .next_key = array_next_key,
    .walk = array_walk,
    .missing = -EINVAL,
};

/* ---- targets of redirections ----
   An element is empty while its first four bytes (interface index, queue size, socket) are 0, and emptied by writing 0. */

static bool is_empty(const struct bpfppcc_map *map, const void *value)
{
    unsigned char first[4] = { 0 };
    memcpy(first, value, map->value_size < sizeof first ? map->value_size : sizeof first);
    return !(first[0] | first[1] | first[2] | first[3]);
}

static void *target_lookup(struct bpfppcc_map *map, const void *key, enum access by)
{
    void *found = array_lookup(map, key, by);
    return found && !is_empty(map, found) ? found : NULL;
}

static int target_get(struct bpfppcc_map *map, const void *key, void *value)
{
    return target_lookup(map, key, BY_HOST) ? array_get(map, key, value) : -ENOENT;
}

static int target_delete(struct bpfppcc_map *map, const void *key)
{
    if (index_of(key) >= map->max_entries)
        return -EINVAL;
    lock(&state_of(map)->lock);
    memset(element(map, index_of(key)), 0, map->value_size);
    unlock(&state_of(map)->lock);
    return 0;
}

const struct map_ops bpfppcc_index_ops = {
    .open = array_open,
    .lookup = target_lookup,
    .get = target_get,
    .update = array_update,
    .delete = target_delete,
    .next_key = array_next_key,
    .missing = -EINVAL,
};

/* ---- arrays of pointers: to programs, to maps ----
   Programs read a slot while it is written, so a slot is read and written in one piece; what it points to is complete before. */

static void *read_slot(void *const *slot)
{
    return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}

static void write_slot(void **slot, const void *what)
{
    __atomic_store_n(slot, (void *)(uintptr_t)what, __ATOMIC_RELEASE);
}

static int clear_slot(struct bpfppcc_map *map, void **slots, const void *key)
{
    if (index_of(key) >= map->max_entries)
        return -E2BIG;
    void **slot = &slots[index_of(key)];
    return __atomic_exchange_n(slot, NULL, __ATOMIC_ACQ_REL) ? 0 : -ENOENT;
}

static void **prog_slots(struct bpfppcc_map *map)
{
    return (void **)(uintptr_t)map->progs;
}

/* Code runs with the r2 of whoever jumps to it. */
static bool may_jump(const struct bpfppcc_map *map, const struct bpfppcc_prog *prog)
{
    return prog->module->toc_base == map->module->toc_base;
}

static int prog_array_open(struct bpfppcc_map *map)
{
    if (map->key_size != sizeof(uint32_t) || !map->max_entries)
        return -EINVAL;
    for (uint32_t i = 0; map->progs && i < map->max_entries; i++)
        if (map->progs[i] && !may_jump(map, map->progs[i]))
            return -EINVAL;
    struct map_state *state = calloc(1, sizeof *state);
    if (!state)
        return -ENOMEM;
    state->stride = sizeof(void *);
    map->impl = state;
    if (!map->progs) {
        map->progs = calloc(map->max_entries, sizeof *map->progs);
        state->owns_storage = true;
    }
    if (map->progs)
        return 0;
    bpfppcc_rt_map_close(map);
    return -ENOMEM;
}

static void *prog_array_lookup(struct bpfppcc_map *map, const void *key, enum access by)
{
    return by == BY_HOST && index_of(key) < map->max_entries ? read_slot(&prog_slots(map)[index_of(key)]) : NULL;
}

int bpfppcc_prog_array_update(struct bpfppcc_map *map, uint32_t index, const struct bpfppcc_prog *prog)
{
    if (!map || map->type != MAP_PROG_ARRAY)
        return -EINVAL;
    if (!map->progs)
        return -EBADF;
    if (index >= map->max_entries)
        return -E2BIG;
    if (prog && !may_jump(map, prog))
        return -EINVAL;
    write_slot(&prog_slots(map)[index], prog);
    return 0;
}

static int prog_array_update(struct bpfppcc_map *map, const void *key, const void *value, uint64_t flags, uint32_t cpu)
{
    (void)cpu;
    const struct bpfppcc_prog *prog;
    if (flags != BPFPPCC_ANY)
        return -EINVAL;
    memcpy(&prog, value, sizeof prog);
    return prog ? bpfppcc_prog_array_update(map, index_of(key), prog) : -EINVAL;
}

static int prog_array_delete(struct bpfppcc_map *map, const void *key)
{
    return clear_slot(map, prog_slots(map), key);
}

const struct map_ops bpfppcc_prog_array_ops = {
    .open = prog_array_open,
    .lookup = prog_array_lookup,
    .update = prog_array_update,
    .delete = prog_array_delete,
    .next_key = array_next_key,
    .missing = -EINVAL,
};

static int array_of_maps_open(struct bpfppcc_map *map)
{
    return open_with_values(map, 0);
}

static void *array_of_maps_lookup(struct bpfppcc_map *map, const void *key, enum access by)
{
    (void)by;
    return index_of(key) < map->max_entries ? read_slot(&((void **)map->values)[index_of(key)]) : NULL;
}

static int array_of_maps_update(struct bpfppcc_map *map, const void *key, const void *value, uint64_t flags, uint32_t cpu)
{
    (void)cpu;
    const struct bpfppcc_map *inner;
    if (flags != BPFPPCC_ANY)
        return -EINVAL;
    if (index_of(key) >= map->max_entries)
        return -E2BIG;
    memcpy(&inner, value, sizeof inner);
    if (!inner || !bpfppcc_rt_inner_map_fits(map, inner))
        return -EINVAL;
    write_slot(&((void **)map->values)[index_of(key)], inner);
    return 0;
}

static int array_of_maps_delete(struct bpfppcc_map *map, const void *key)
{
    return clear_slot(map, map->values, key);
}

const struct map_ops bpfppcc_array_of_maps_ops = {
    .open = array_of_maps_open,
    .lookup = array_of_maps_lookup,
    .update = array_of_maps_update,
    .delete = array_of_maps_delete,
    .next_key = array_next_key,
    .missing = -EINVAL,
};

/* ---- from a value back to its key ---- */

const void *bpfppcc_rt_key_of_value(struct bpfppcc_map *map, const void *address, const void **value, uint32_t *index)
{
    if (!map || !map->impl)
        return NULL;
    const struct map_ops *ops = state_of(map)->ops;
    if (ops == &bpfppcc_hash_ops)
        return bpfppcc_rt_hash_key_of_value(map, address, value);
    if (ops != &bpfppcc_array_ops)
        return NULL;
    uintptr_t offset = (uintptr_t)address - (uintptr_t)map->values;     /* of a foreign address: some large number */
    if (offset / value_room(state_of(map)) >= map->max_entries)
        return NULL;
    *index = (uint32_t)(offset / value_room(state_of(map)));
    *value = element(map, *index);
    return index;
}
