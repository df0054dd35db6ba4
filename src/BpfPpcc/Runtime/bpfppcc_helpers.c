/*
 * bpfppcc_helpers.c - helpers about maps, time, the CPU and the task, and those that call back. Helpers about packets are in
 * bpfppcc_packet.c, about strings in bpfppcc_text.c, about ring buffers in bpfppcc_ringbuf.c, about timers in bpfppcc_timers.c.
 *
 * Arguments have the types that the kernel gives them: where that is int or u32, the upper half of the register means nothing.
 */
#include "bpfppcc_rt.h"

/* ---- maps ---- */

static uint32_t this_cpu(void)
{
    return bpfppcc_rt_thread()->cpu;
}

HELPER(map_lookup_elem, map, key, _3, _4, _5)
{
    return result(bpfppcc_rt_map_lookup(pointer(map), pointer(key), this_cpu(), BY_PROGRAM));
}

HELPER(map_lookup_percpu_elem, map, key, cpu, _4, _5)
{
    struct bpfppcc_map *of = pointer(map);
    bool is_per_cpu = of->impl && state_of(of)->cpus;
    return is_per_cpu ? result(bpfppcc_rt_map_lookup(of, pointer(key), (uint32_t)cpu, BY_PROGRAM)) : 0;
}

HELPER(map_update_elem, map, key, value, flags, _5)
{
    return result_of(bpfppcc_rt_map_update(pointer(map), pointer(key), pointer(value), flags, this_cpu(), BY_PROGRAM));
}

HELPER(map_delete_elem, map, key, _3, _4, _5)
{
    return result_of(bpfppcc_rt_map_delete(pointer(map), pointer(key), BY_PROGRAM));
}

HELPER(map_push_elem, map, value, flags, _4, _5)
{
    return result_of(bpfppcc_rt_map_push(pointer(map), pointer(value), flags, BY_PROGRAM));
}

HELPER(map_pop_elem, map, value, _3, _4, _5)
{
    return result_of(bpfppcc_rt_map_take(pointer(map), pointer(value), true, BY_PROGRAM));
}

HELPER(map_peek_elem, map, value, _3, _4, _5)
{
    return result_of(bpfppcc_rt_map_take(pointer(map), pointer(value), false, BY_PROGRAM));
}

/* The callback may change the map: it is called with no lock held, and deleted elements keep their memory. */
static int64_t for_each(struct bpfppcc_map *map, callback_fn *visit, uint64_t ctx)
{
    if (!map->impl || !state_of(map)->ops->walk)
        return -EINVAL;
    struct walk walk = { 0 };
    const void *key;
    void *value;
    int64_t visited = 0;
    while (state_of(map)->ops->walk(map, &walk, &key, &value)) {
        visited++;
        if (visit(result(map), result(key), result(value_on_cpu(state_of(map), value, this_cpu())), ctx, 0))
            break;
    }
    return visited;
}

HELPER(for_each_map_elem, map, function, ctx, flags, _5)
{
    return result_of(flags ? -EINVAL : for_each(pointer(map), callback(function), ctx));
}

HELPER(loop, count, function, ctx, flags, _5)
{
    enum { MAX_LOOPS = 8 * 1024 * 1024 };
    uint32_t rounds = (uint32_t)count;
    if (flags)
        return result_of(-EINVAL);
    if (rounds > MAX_LOOPS)
        return result_of(-E2BIG);
    for (uint32_t i = 0; i < rounds; i++)
        if (callback(function)(i, ctx, 0, 0, 0))
            return i + 1;
    return rounds;
}

/* A struct bpf_spin_lock is a 32-bit word that is 0 while the lock is free. */
HELPER(spin_lock, word, _2, _3, _4, _5)
{
    lock_word(pointer(word));
    return 0;
}

HELPER(spin_unlock, word, _2, _3, _4, _5)
{
    unlock_word(pointer(word));
    return 0;
}

HELPER(kptr_xchg, slot, new, _3, _4, _5)
{
    return __atomic_exchange_n((uint64_t *)pointer(slot), new, __ATOMIC_SEQ_CST);
}

/* ---- time and chance ---- */

#ifndef BPFPPCC_HZ
#define BPFPPCC_HZ 250                  /* jiffies per second, as most kernels for POWER are built */
#endif

HELPER(ktime_get_ns, _1, _2, _3, _4, _5)
{
    return bpfppcc_hooks.time(BPFPPCC_CLOCK_MONOTONIC);
}

HELPER(ktime_get_boot_ns, _1, _2, _3, _4, _5)
{
    return bpfppcc_hooks.time(BPFPPCC_CLOCK_BOOTTIME);
}

HELPER(ktime_get_coarse_ns, _1, _2, _3, _4, _5)
{
    return bpfppcc_hooks.time(BPFPPCC_CLOCK_COARSE);
}

HELPER(ktime_get_tai_ns, _1, _2, _3, _4, _5)
{
    return bpfppcc_hooks.time(BPFPPCC_CLOCK_TAI);
}

HELPER(jiffies64, _1, _2, _3, _4, _5)
{
    return bpfppcc_hooks.time(BPFPPCC_CLOCK_MONOTONIC) / (1000000000 / BPFPPCC_HZ);
}

HELPER(get_prandom_u32, _1, _2, _3, _4, _5)
{
    return bpfppcc_hooks.random();
}

/* ---- CPU and task ---- */

HELPER(get_smp_processor_id, _1, _2, _3, _4, _5)
{
    return this_cpu();
}

HELPER(get_numa_node_id, _1, _2, _3, _4, _5)
{
    return 0;
}

static struct bpfppcc_task current_task(void)
{
    struct bpfppcc_task task = { 0 };
    bpfppcc_hooks.task(&task);
    return task;
}

HELPER(get_current_pid_tgid, _1, _2, _3, _4, _5)
{
    struct bpfppcc_task task = current_task();
    return (uint64_t)task.tgid << 32 | task.pid;
}

HELPER(get_current_uid_gid, _1, _2, _3, _4, _5)
{
    struct bpfppcc_task task = current_task();
    return (uint64_t)task.gid << 32 | task.uid;
}

HELPER(get_current_comm, buffer, size, _3, _4, _5)
{
    struct bpfppcc_task task = current_task();
    char *to = pointer(buffer);
    uint32_t room = (uint32_t)size;
    if (!room)
        return 0;
    task.comm[sizeof task.comm - 1] = 0;
    memset(to, 0, room);
    size_t length = strlen(task.comm);
    memcpy(to, task.comm, length < room ? length : room - 1);
    return 0;
}

HELPER(get_current_task, _1, _2, _3, _4, _5)
{
    return current_task().address;
}

HELPER(get_current_task_btf, _1, _2, _3, _4, _5)
{
    return current_task().address;
}

/* ---- memory that may not be there ---- */

static int64_t probe_read(void *to, uint32_t size, uint64_t from)
{
    if (bpfppcc_rt_probe(to, from, size))
        return 0;
    memset(to, 0, size);
    return -EFAULT;
}

static int64_t probe_read_string(char *to, uint32_t size, uint64_t from)
{
    if (!size)
        return 0;
    int length = bpfppcc_rt_probe_string(to, from, size);
    if (length < 0)
        memset(to, 0, size);
    return length;
}

HELPER(probe_read, to, size, from, _4, _5)
{
    return result_of(probe_read(pointer(to), (uint32_t)size, from));
}

HELPER(probe_read_user, to, size, from, _4, _5)
{
    return result_of(probe_read(pointer(to), (uint32_t)size, from));
}

HELPER(probe_read_kernel, to, size, from, _4, _5)
{
    return result_of(probe_read(pointer(to), (uint32_t)size, from));
}

HELPER(copy_from_user, to, size, from, _4, _5)
{
    return result_of(probe_read(pointer(to), (uint32_t)size, from));
}

HELPER(probe_read_str, to, size, from, _4, _5)
{
    return result_of(probe_read_string(pointer(to), (uint32_t)size, from));
}

HELPER(probe_read_user_str, to, size, from, _4, _5)
{
    return result_of(probe_read_string(pointer(to), (uint32_t)size, from));
}

HELPER(probe_read_kernel_str, to, size, from, _4, _5)
{
    return result_of(probe_read_string(pointer(to), (uint32_t)size, from));
}

/* Not a helper of the kernel's: what the compiler calls for a load through a pointer to a kernel object. A load that faults gives 0. */
bpfppcc_helper_fn bpf_helper_probe_load;
uint64_t bpf_helper_probe_load(uint64_t to, uint64_t size, uint64_t from, uint64_t _4, uint64_t _5)
{
    (void)_4, (void)_5;
    return result_of(probe_read(pointer(to), (uint32_t)size, from));
}
