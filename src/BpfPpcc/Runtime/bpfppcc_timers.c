/*
 * bpfppcc_timers.c - bpf_timers. A program keeps them in map values and starts them; they run when the host calls bpfppcc_timers_run.
 *
 * A timer is known by its address. The 16 bytes at that address are not used: a host that writes the value over them does no harm. A timer
 * exists from bpf_timer_init until its element is deleted, replaced or evicted, so there are never more than values have room for.
 *
 * All timers are in a hash table, those that are started also in a binary heap by time. One lock guards both. The lock of a map may be held
 * when it is taken, never the other way round.
 */
#include "bpfppcc_rt.h"

#include <stdlib.h>

/* Clocks that a timer may be made with, and flags of bpf_timer_start. */
enum { REALTIME = 0, MONOTONIC = 1, BOOTTIME = 7 };
#define TIMER_ABSOLUTE 1u
#define TIMER_CPU_PIN 2u

enum { NOT_STARTED = 0 };               /* heap positions count from 1 */

struct timer {
    struct timer *next;                 /* of the same bucket */
    uintptr_t address;
    struct bpfppcc_map *map;
    callback_fn *callback;
    uint64_t due;
    size_t heap_position;
    bool is_running;
    bool is_dropped;                    /* while it runs */
};

static struct lock timers_lock;
static struct timer **buckets, **heap;  /* heap[1..n_started] */
static size_t n_buckets, n_timers, n_started, heap_room;
static unsigned n_rounds;               /* calls of bpfppcc_timers_run under way */
static uint64_t round_now;              /* the latest of their times */
static _Thread_local const struct timer *running_here;

/* ---- the heap: no timer is due before the one at half its position ---- */

static void place(size_t position, struct timer *timer)
{
    heap[position] = timer;
    timer->heap_position = position;
}

static void sift(size_t position, struct timer *timer)
{
    for (; position > 1 && heap[position / 2]->due > timer->due; position /= 2)
        place(position, heap[position / 2]);
    for (size_t child; (child = position * 2) <= n_started; position = child) {
        if (child < n_started && heap[child + 1]->due < heap[child]->due)
            child++;
        if (heap[child]->due >= timer->due)
            break;
        place(position, heap[child]);
    }
    place(position, timer);
}

static void stop(struct timer *timer)
{
    size_t position = timer->heap_position;
    if (position == NOT_STARTED)
        return;
    timer->heap_position = NOT_STARTED;
    struct timer *last = heap[n_started--];
    if (last != timer)
        sift(position, last);
}

/* What a callback starts anew waits for the next round, or a timer that starts itself at once would keep the host for ever. */
static void start(struct timer *timer, uint64_t due)
{
    stop(timer);
    timer->due = n_rounds && due <= round_now ? round_now + 1 : due;
    sift(++n_started, timer);
}

/* ---- the table ---- */

static struct timer **find(uintptr_t address)
{
    struct timer **link = &buckets[address / 8 & (n_buckets - 1)];
    while (*link && (*link)->address != address)
        link = &(*link)->next;
    return link;
}

static bool grow_table(void)
{
    size_t more = n_buckets ? n_buckets * 2 : 64;
    struct timer **larger = calloc(more, sizeof(struct timer *)), **old = buckets;
    if (!larger)
        return false;
    size_t old_count = n_buckets;
    buckets = larger;
    n_buckets = more;
    for (size_t i = 0; i < old_count; i++)
        for (struct timer *timer = old[i], *next; timer; timer = next) {
            next = timer->next;
            struct timer **link = find(timer->address);
            timer->next = NULL;
            *link = timer;
        }
    free(old);
    return true;
}

/* Room for one more timer, also in the heap, so that starting one cannot fail. */
static bool make_room(void)
{
    if (n_timers == n_buckets && !grow_table())
        return false;
    if (n_timers + 1 < heap_room)
        return true;
    struct timer **larger = realloc(heap, (heap_room + n_buckets) * sizeof(struct timer *));
    if (!larger)
        return false;
    heap = larger;
    heap_room += n_buckets;
    return true;
}

static void drop(struct timer **link)
{
    struct timer *timer = *link;
    stop(timer);
    *link = timer->next;
    n_timers--;
    __atomic_fetch_sub(&state_of(timer->map)->timers, 1, __ATOMIC_RELAXED);
    if (timer->is_running)
        timer->is_dropped = true;       /* who runs it frees it */
    else
        free(timer);
}

static void drop_all_of(const struct map_state *state)
{
    for (size_t i = 0; i < n_buckets; i++)
        for (struct timer **link = &buckets[i]; *link;) {
            if (state_of((*link)->map) == state)
                drop(link);
            else
                link = &(*link)->next;
        }
}

void bpfppcc_rt_timers_drop(struct map_state *state, const void *value, size_t size)
{
    lock(&timers_lock);
    if (!value)
        drop_all_of(state);
    for (size_t offset = 0; value && state->timers && offset < size; offset += 8) {
        struct timer **link = find((uintptr_t)value + offset);
        if (*link)
            drop(link);
    }
    unlock(&timers_lock);
}

/* ---- helpers ---- */

static int init(uintptr_t address, struct bpfppcc_map *map, uint64_t flags)
{
    const void *value;
    uint32_t index;
    if (flags != MONOTONIC && flags != REALTIME && flags != BOOTTIME)
        return -EINVAL;
    if (!bpfppcc_rt_key_of_value(map, (void *)address, &value, &index))
        return -EINVAL;
    if (!make_room())
        return -ENOMEM;
    struct timer **link = find(address);
    if (*link)
        return -EBUSY;
    struct timer *timer = calloc(1, sizeof *timer);
    if (!timer)
        return -ENOMEM;
    timer->address = address;
    timer->map = map;
    *link = timer;
    n_timers++;
    __atomic_fetch_add(&state_of(map)->timers, 1, __ATOMIC_RELAXED);
    return 0;
}

static struct timer *timer_at(uintptr_t address)
{
    return n_buckets ? *find(address) : NULL;
}

HELPER(timer_init, timer, map, flags, _4, _5)
{
    lock(&timers_lock);
    int error = init((uintptr_t)timer, pointer(map), flags);
    unlock(&timers_lock);
    return result_of(error);
}

HELPER(timer_set_callback, address, function, _3, _4, _5)
{
    lock(&timers_lock);
    struct timer *timer = timer_at((uintptr_t)address);
    if (timer)
        timer->callback = callback(function);
    unlock(&timers_lock);
    return result_of(timer ? 0 : -EINVAL);
}

HELPER(timer_start, address, nanoseconds, flags, _4, _5)
{
    if (flags & ~(uint64_t)(TIMER_ABSOLUTE | TIMER_CPU_PIN))
        return result_of(-EINVAL);
    uint64_t now = flags & TIMER_ABSOLUTE ? 0 : bpfppcc_hooks.time(BPFPPCC_CLOCK_MONOTONIC);
    lock(&timers_lock);
    struct timer *timer = timer_at((uintptr_t)address);
    bool can_start = timer && timer->callback;
    if (can_start)
        start(timer, nanoseconds > UINT64_MAX - now ? UINT64_MAX : now + nanoseconds);
    unlock(&timers_lock);
    return result_of(can_start ? 0 : -EINVAL);
}

/* 1 if it was started. Waits for its callback in another thread to end; a callback cannot wait for itself. */
HELPER(timer_cancel, address, _2, _3, _4, _5)
{
    for (;;) {
        lock(&timers_lock);
        struct timer *timer = timer_at((uintptr_t)address);
        int answer = -EINVAL;
        bool runs_elsewhere = timer && timer->is_running && timer != running_here;
        if (timer && timer == running_here) {
            answer = -EDEADLK;
        } else if (timer) {
            answer = timer->heap_position != NOT_STARTED;
            stop(timer);
        }
        unlock(&timers_lock);
        if (!runs_elsewhere)
            return result_of(answer);
        sched_yield();
    }
}

/* ---- for hosts ---- */

/* The earliest timer that is due, taken out of the heap. One that another thread is running comes again in a later round. */
static struct timer *take_due(uint64_t now)
{
    struct timer *timer = n_started ? heap[1] : NULL;
    if (!timer || timer->due > now || timer->is_running)
        return NULL;
    stop(timer);
    timer->is_running = true;
    return timer;
}

static void call(struct timer *timer, callback_fn *function)
{
    const void *value = NULL;
    uint32_t index = 0;
    const void *key = bpfppcc_rt_key_of_value(timer->map, (void *)timer->address, &value, &index);
    const struct timer *outer = running_here;
    running_here = timer;
    function(result(timer->map), result(key), result(value), 0, 0);
    running_here = outer;
}

unsigned bpfppcc_timers_run(uint64_t now)
{
    unsigned count = 0;
    lock(&timers_lock);
    round_now = n_rounds++ && round_now > now ? round_now : now;
    for (struct timer *timer; (timer = take_due(now)) != NULL; count++) {
        callback_fn *function = timer->callback;
        unlock(&timers_lock);
        call(timer, function);
        lock(&timers_lock);
        timer->is_running = false;
        if (timer->is_dropped)
            free(timer);
    }
    n_rounds--;
    unlock(&timers_lock);
    return count;
}

uint64_t bpfppcc_timers_next(void)
{
    lock(&timers_lock);
    uint64_t due = n_started ? heap[1]->due : UINT64_MAX;
    unlock(&timers_lock);
    return due;
}
