/*
 * bpfppcc_ringbuf.c - maps through which programs send records to the host: RINGBUF and PERF_EVENT_ARRAY; and dynptrs, which may be records.
 *
 * A ring of `size` bytes (a power of two) lies in twice as much memory: a record that begins near the end runs on into the second half
 * instead of being split, and what it would have covered at the beginning is left alone. So records are contiguous without tricks of mapping,
 * and a ring holds exactly what the kernel's does. Positions count bytes since the ring was made.
 *
 * Each record begins with eight bytes: its length and state, and how far it is from the ring itself, since bpf_ringbuf_submit is given nothing
 * but a record. Records are multiples of 8.
 */
#define _GNU_SOURCE
#include "bpfppcc_rt.h"

#include <stdlib.h>
#include <time.h>

enum { PAGE = 4096 };

#define BUSY (1u << 31)                 /* reserved, not yet submitted */
#define DISCARDED (1u << 30)
#define MAX_RECORD (UINT32_MAX / 4)

/* Flags of commits, results of queries. */
#define NO_WAKEUP 1u
#define FORCE_WAKEUP 2u
enum { AVAILABLE_DATA, RING_SIZE, CONSUMER_POSITION, PRODUCER_POSITION };

struct record {
    uint32_t length;                    /* of the data, with BUSY and DISCARDED */
    uint32_t distance;                  /* from the ring's data, in units of 8 bytes */
};

struct ring {
    struct map_state base;
    struct bpfppcc_map *map;
    uint64_t size;
    uint64_t producer;                  /* written with the lock held */
    uint64_t consumer;                  /* written by the one consumer */
    char data[];
};

static int ringbuf_open(struct bpfppcc_map *map)
{
    if (map->key_size || map->value_size || !map->max_entries)
        return -EINVAL;
    uint64_t size = PAGE;               /* what loaders do, too: the kernel itself would refuse an odd size */
    while (size < map->max_entries)
        size *= 2;
    struct ring *ring = calloc(1, sizeof *ring + 2 * size);
    if (!ring)
        return -ENOMEM;
    ring->map = map;
    ring->size = size;
    map->impl = ring;
    return 0;
}

const struct map_ops bpfppcc_ringbuf_ops = { .open = ringbuf_open, .missing = -ENOTSUP };

static struct ring *ring_of(const struct bpfppcc_map *map)
{
    return map && map->impl && state_of(map)->ops == &bpfppcc_ringbuf_ops ? map->impl : NULL;
}

/* ---- producing ---- */

static struct record *record_at(struct ring *ring, uint64_t position)
{
    return (struct record *)(ring->data + (position & (ring->size - 1)));
}

static void *reserve(struct bpfppcc_map *map, uint64_t size)
{
    struct ring *ring = ring_of(map);
    if (!ring || size > MAX_RECORD || round_up_8(size + sizeof(struct record)) > ring->size)
        return NULL;
    uint64_t room = round_up_8(size + sizeof(struct record));
    struct record *record = NULL;
    lock(&ring->base.lock);
    uint64_t end = ring->producer + room;
    if (end - __atomic_load_n(&ring->consumer, __ATOMIC_ACQUIRE) < ring->size) {
        record = record_at(ring, ring->producer);
        record->distance = (uint32_t)(((char *)record - ring->data) / 8);
        __atomic_store_n(&record->length, (uint32_t)size | BUSY, __ATOMIC_RELAXED);
        __atomic_store_n(&ring->producer, end, __ATOMIC_RELEASE);
    }
    unlock(&ring->base.lock);
    return record ? record + 1 : NULL;
}

/* Ends a reservation. The host is woken if it has read everything in front of this record, and so may be waiting for it. */
static void commit(void *data, uint64_t flags, uint32_t discarded)
{
    struct record *record = (struct record *)data - 1;
    uint64_t offset = (uint64_t)record->distance * 8;
    struct ring *ring = (struct ring *)((char *)record - offset - offsetof(struct ring, data));
    uint32_t length = __atomic_load_n(&record->length, __ATOMIC_RELAXED) & ~BUSY;
    __atomic_store_n(&record->length, length | discarded, __ATOMIC_SEQ_CST);
    uint64_t consumer = __atomic_load_n(&ring->consumer, __ATOMIC_SEQ_CST) & (ring->size - 1);
    if ((flags & FORCE_WAKEUP) || (consumer == offset && !(flags & NO_WAKEUP)))
        bpfppcc_hooks.wakeup(ring->map);
}

HELPER(ringbuf_reserve, map, size, flags, _4, _5)
{
    return flags ? 0 : result(reserve(pointer(map), size));
}

HELPER(ringbuf_submit, data, flags, _3, _4, _5)
{
    commit(pointer(data), flags, 0);
    return 0;
}

HELPER(ringbuf_discard, data, flags, _3, _4, _5)
{
    commit(pointer(data), flags, DISCARDED);
    return 0;
}

HELPER(ringbuf_output, map, data, size, flags, _5)
{
    if (flags & ~(uint64_t)(NO_WAKEUP | FORCE_WAKEUP))
        return result_of(-EINVAL);
    void *record = reserve(pointer(map), size);
    if (!record)
        return result_of(-EAGAIN);
    memcpy(record, pointer(data), size);
    commit(record, flags, 0);
    return 0;
}

HELPER(ringbuf_query, map, what, _3, _4, _5)
{
    struct ring *ring = ring_of(pointer(map));
    if (!ring)
        return 0;
    uint64_t consumer = __atomic_load_n(&ring->consumer, __ATOMIC_ACQUIRE), producer = __atomic_load_n(&ring->producer, __ATOMIC_ACQUIRE);
    switch (what) {
    case AVAILABLE_DATA:
        return producer - consumer;
    case RING_SIZE:
        return ring->size;
    case CONSUMER_POSITION:
        return consumer;
    case PRODUCER_POSITION:
        return producer;
    default:
        return 0;
    }
}

/* ---- consuming ---- */

int bpfppcc_ringbuf_consume(struct bpfppcc_map *map, bpfppcc_ringbuf_fn *callback, void *ctx)
{
    struct ring *ring = ring_of(map);
    if (!ring)
        return map && map->impl ? -EINVAL : -EBADF;
    int count = 0;
    uint64_t position = ring->consumer;
    while (position < __atomic_load_n(&ring->producer, __ATOMIC_ACQUIRE)) {
        struct record *record = record_at(ring, position);
        uint32_t length = __atomic_load_n(&record->length, __ATOMIC_SEQ_CST);
        if (length & BUSY)
            break;
        uint32_t size = length & ~DISCARDED;
        int answer = 0;
        if (!(length & DISCARDED)) {
            answer = callback(ctx, record + 1, size);
            count++;
        }
        position += round_up_8(size + sizeof *record);
        __atomic_store_n(&ring->consumer, position, __ATOMIC_SEQ_CST);
        if (answer < 0)
            return answer;
    }
    return count;
}

static int64_t milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int bpfppcc_ringbuf_poll(struct bpfppcc_map *map, bpfppcc_ringbuf_fn *callback, void *ctx, int timeout)
{
    static const struct timespec pause = { .tv_nsec = 200000 };
    int64_t end = milliseconds() + timeout;
    for (;;) {
        int count = bpfppcc_ringbuf_consume(map, callback, ctx);
        if (count || (timeout >= 0 && milliseconds() >= end))
            return count;
        nanosleep(&pause, NULL);
    }
}

/* ---- PERF_EVENT_ARRAY ---- */

#define INDEX_MASK 0xffffffffu          /* of the flags of an output; all ones: the current CPU */
#define CONTEXT_LENGTH_SHIFT 32
#define CONTEXT_LENGTH_MASK (0xfffffULL << CONTEXT_LENGTH_SHIFT)

struct perf_events {
    struct map_state base;
    uint32_t entries;
    bpfppcc_perf_fn *callback;
    void *ctx;
};

static int perf_open(struct bpfppcc_map *map)
{
    struct perf_events *events = calloc(1, sizeof *events);
    if (!events)
        return -ENOMEM;
    events->entries = map->max_entries ? map->max_entries : bpfppcc_hooks.cpus;     /* 0 is the loaders' word for all CPUs */
    map->impl = events;
    return 0;
}

const struct map_ops bpfppcc_perf_ops = { .open = perf_open, .missing = -EINVAL };

int bpfppcc_perf_set_callback(struct bpfppcc_map *map, bpfppcc_perf_fn *callback, void *ctx)
{
    if (!map || !map->impl)
        return -EBADF;
    if (state_of(map)->ops != &bpfppcc_perf_ops)
        return -EINVAL;
    struct perf_events *events = map->impl;
    events->callback = callback;
    events->ctx = ctx;
    return 0;
}

/* A program may ask for the first bytes of its packet behind its own data. */
static int send_with_packet(const struct perf_events *events, uint32_t cpu, const void *ctx, uint64_t packet_size, const void *data, uint64_t size)
{
    const char *packet;
    size_t available;
    bpfppcc_rt_packet(ctx, &packet, &available);
    if (packet_size > available)
        return -EFAULT;
    char *both = malloc(size + packet_size + 1);
    if (!both)
        return -ENOMEM;
    memcpy(both, data, size);
    memcpy(both + size, packet, packet_size);
    events->callback(events->ctx, cpu, both, size + packet_size);
    free(both);
    return 0;
}

static int perf_output(struct bpfppcc_map *map, const void *ctx, uint64_t flags, const void *data, uint64_t size)
{
    if (!map || !map->impl || state_of(map)->ops != &bpfppcc_perf_ops || (flags & ~(CONTEXT_LENGTH_MASK | INDEX_MASK)))
        return -EINVAL;
    const struct perf_events *events = map->impl;
    uint32_t cpu = (flags & INDEX_MASK) == INDEX_MASK ? bpfppcc_rt_thread()->cpu : (uint32_t)flags;
    uint64_t packet_size = (flags & CONTEXT_LENGTH_MASK) >> CONTEXT_LENGTH_SHIFT;
    if (cpu >= events->entries)
        return -E2BIG;
    if (!events->callback)
        return -ENOENT;
    if (packet_size)
        return send_with_packet(events, cpu, ctx, packet_size, data, size);
    events->callback(events->ctx, cpu, data, size);
    return 0;
}

HELPER(perf_event_output, ctx, map, flags, data, size)
{
    return result_of(perf_output(pointer(map), pointer(ctx), flags, pointer(data), size));
}

HELPER(skb_output, ctx, map, flags, data, size)
{
    return result_of(perf_output(pointer(map), pointer(ctx), flags, pointer(data), size));
}

HELPER(xdp_output, ctx, map, flags, data, size)
{
    return result_of(perf_output(pointer(map), pointer(ctx), flags, pointer(data), size));
}

/* ---- dynptrs: a pointer with its bounds, in 16 bytes of the program's stack ---- */

#define MAX_DYNPTR ((1u << 24) - 1)

struct dynptr {
    void *data;                         /* NULL: invalid, and every operation says so */
    uint32_t size;
    uint32_t reserved;
};

static int set_dynptr(struct dynptr *dynptr, void *data, uint32_t size)
{
    *dynptr = (struct dynptr){ .data = data, .size = data ? size : 0 };
    return data ? 0 : -EINVAL;
}

static int check_range(const struct dynptr *dynptr, uint64_t offset, uint64_t length, uint64_t flags)
{
    if (!dynptr->data || flags)
        return -EINVAL;
    return offset > dynptr->size || length > dynptr->size - offset ? -E2BIG : 0;
}

HELPER(dynptr_from_mem, data, size, flags, dynptr, _5)
{
    bool is_too_big = (uint32_t)size > MAX_DYNPTR;
    int error = set_dynptr(pointer(dynptr), flags || is_too_big ? NULL : pointer(data), (uint32_t)size);
    return result_of(is_too_big ? -E2BIG : error);
}

HELPER(ringbuf_reserve_dynptr, map, size, flags, dynptr, _5)
{
    bool is_too_big = !flags && (uint32_t)size > MAX_DYNPTR;
    int error = set_dynptr(pointer(dynptr), flags || is_too_big ? NULL : reserve(pointer(map), (uint32_t)size), (uint32_t)size);
    return result_of(is_too_big ? -E2BIG : error);
}

static uint64_t commit_dynptr(struct dynptr *dynptr, uint64_t flags, uint32_t discarded)
{
    if (dynptr->data)
        commit(dynptr->data, flags, discarded);
    set_dynptr(dynptr, NULL, 0);
    return 0;
}

HELPER(ringbuf_submit_dynptr, dynptr, flags, _3, _4, _5)
{
    return commit_dynptr(pointer(dynptr), flags, 0);
}

HELPER(ringbuf_discard_dynptr, dynptr, flags, _3, _4, _5)
{
    return commit_dynptr(pointer(dynptr), flags, DISCARDED);
}

HELPER(dynptr_read, to, length, dynptr, offset, flags)
{
    const struct dynptr *from = pointer(dynptr);
    int error = check_range(from, (uint32_t)offset, (uint32_t)length, flags);
    if (!error)
        memmove(pointer(to), (char *)from->data + (uint32_t)offset, (uint32_t)length);
    return result_of(error);
}

HELPER(dynptr_write, dynptr, offset, from, length, flags)
{
    const struct dynptr *to = pointer(dynptr);
    int error = check_range(to, (uint32_t)offset, (uint32_t)length, flags);
    if (!error)
        memmove((char *)to->data + (uint32_t)offset, pointer(from), (uint32_t)length);
    return result_of(error);
}

HELPER(dynptr_data, dynptr, offset, length, _4, _5)
{
    const struct dynptr *of = pointer(dynptr);
    return check_range(of, (uint32_t)offset, (uint32_t)length, 0) ? 0 : result((char *)of->data + (uint32_t)offset);
}
