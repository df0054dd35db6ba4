/* Several threads on the same maps at once. What each thread can tell for sure is checked; the thread sanitizer sees the rest. */
#include "check.h"

#include <pthread.h>

enum { THREADS = 4, STEPS = 10000, SHARED_KEYS = 64 };

static struct bpfppcc_map *hash, *lru, *per_cpu, *lpm, *queue, *ring, *bloom, *outer, *inner[2], *array, *timers;
static unsigned long pushed, popped, sent, received, ticks;

struct value {
    uint64_t a, b;                                      /* equal, always */
};

struct prefix {
    uint32_t length;
    unsigned char bytes[4];
};

static void keep(struct bpfppcc_map *map, uint32_t key, uint64_t number)
{
    struct value value = { number, number }, copy;
    int error = (int)HELPER(map_update_elem, map, &key, &value, number % 3);
    CHECK(!error || error == -EEXIST || error == -ENOENT || error == -E2BIG);
    if (!bpfppcc_map_get(map, &key, &copy))
        CHECK(copy.a == copy.b);
    HELPER(map_lookup_elem, map, &key);
    if (number % 5 == 0)
        HELPER(map_delete_elem, map, &key);
}

static uint64_t tick(uint64_t map, uint64_t key, uint64_t value, uint64_t d, uint64_t e)
{
    (void)map, (void)key, (void)value, (void)d, (void)e;
    __atomic_fetch_add(&ticks, 1, __ATOMIC_RELAXED);
    return 0;
}

static void timer(uint32_t key, uint64_t number)
{
    uint64_t *field = (uint64_t *)(uintptr_t)HELPER(map_lookup_elem, timers, &key);
    HELPER(timer_init, field, timers, 1);               /* the second time: -EBUSY */
    HELPER(timer_set_callback, field, tick);
    HELPER(timer_start, field, number % 1000, 0);
    if (number % 7 == 0)
        HELPER(timer_cancel, field);
    if (number % 50 == 0)
        bpfppcc_timers_run(UINT64_MAX);
}

static void *run(void *argument)
{
    uint32_t me = (uint32_t)(uintptr_t)argument;
    uint64_t state = me + 1, word;
    EQUAL(bpfppcc_set_cpu(me), 0);
    for (uint64_t step = 0; step < STEPS; step++) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        uint32_t key = (uint32_t)(state >> 33) % SHARED_KEYS, own = 1000 + me, index = key % 2;
        keep(hash, key, step);
        keep(lru, key, step);

        struct value *mine = (struct value *)(uintptr_t)HELPER(map_lookup_elem, per_cpu, &index);
        CHECK(mine != NULL);
        if (mine)
            mine->a++;
        uint64_t *counter = (uint64_t *)(uintptr_t)HELPER(map_lookup_elem, array, &index);
        __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);

        EQUAL(HELPER(map_update_elem, hash, &own, (&(struct value){ step, step }), 0), 0);     /* a key of this thread alone */
        struct value copy;
        EQUAL(bpfppcc_map_get(hash, &own, &copy), 0);
        EQUAL(copy.a, step);

        struct prefix prefix = { 8 + key % 25, { 10, (unsigned char)key, (unsigned char)me, 1 } };
        HELPER(map_update_elem, lpm, &prefix, &copy, 0);
        HELPER(map_lookup_elem, lpm, &prefix);
        HELPER(map_delete_elem, lpm, &prefix);

        if (!HELPER(map_push_elem, queue, &step, 0))
            __atomic_fetch_add(&pushed, 1, __ATOMIC_RELAXED);
        if (!HELPER(map_pop_elem, queue, &word))
            __atomic_fetch_add(&popped, 1, __ATOMIC_RELAXED);
        EQUAL(HELPER(map_push_elem, bloom, &state, 0), 0);
        EQUAL(HELPER(map_peek_elem, bloom, &state), 0);

        struct bpfppcc_map *found = (struct bpfppcc_map *)(uintptr_t)HELPER(map_lookup_elem, outer, &index);
        CHECK(found == inner[0] || found == inner[1]);
        EQUAL(bpfppcc_map_update(outer, &index, &inner[step % 2], 0), 0);

        struct value *record = (struct value *)(uintptr_t)HELPER(ringbuf_reserve, ring, sizeof *record, 0);
        if (record) {
            record->a = record->b = state;
            if (step % 4)
                __atomic_fetch_add(&sent, 1, __ATOMIC_RELAXED);
            if (step % 4)
                HELPER(ringbuf_submit, record, 0);
            else
                HELPER(ringbuf_discard, record, 0);
        }
        if (step % 8 == 0)
            timer(key, step);
    }
    return NULL;
}

static int on_record(void *ctx, void *data, size_t size)
{
    (void)ctx;
    const struct value *record = data;
    CHECK(size == sizeof *record && record->a == record->b);
    received++;
    return 0;
}

static int finished;
static void *consume(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&finished, __ATOMIC_ACQUIRE))
        CHECK(bpfppcc_ringbuf_poll(ring, on_record, NULL, 1) >= 0);
    bpfppcc_ringbuf_consume(ring, on_record, NULL);
    return NULL;
}

int main(void)
{
    bpfppcc_hooks.cpus = THREADS;
    hash = make(HASH, 4, sizeof(struct value), SHARED_KEYS + THREADS, 0);
    lru = make(LRU_HASH, 4, sizeof(struct value), SHARED_KEYS / 4, 0);
    per_cpu = make(PERCPU_ARRAY, 4, sizeof(struct value), 2, 0);
    array = make(ARRAY, 4, 8, 2, 0);
    lpm = make(LPM_TRIE, 8, sizeof(struct value), 50, NO_PREALLOC);
    queue = make(QUEUE, 0, 8, 16, 0);
    bloom = make(BLOOM_FILTER, 0, 8, 100, 0);
    ring = make(RINGBUF, 0, 0, 4096, 0);
    timers = make(ARRAY, 4, 16, SHARED_KEYS, 0);
    inner[0] = make(HASH, 4, 4, 4, 0);
    inner[1] = make(HASH, 4, 4, 4, 0);
    outer = make(HASH_OF_MAPS, 4, 4, 4, 0);
    for (uint32_t i = 0; i < 2; i++)
        EQUAL(bpfppcc_map_update(outer, &i, &inner[i], 0), 0);

    pthread_t threads[THREADS], consumer;
    pthread_create(&consumer, NULL, consume, NULL);
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, run, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    __atomic_store_n(&finished, 1, __ATOMIC_RELEASE);
    pthread_join(consumer, NULL);

    EQUAL(received, sent);
    uint64_t word, left = 0, total = 0;
    while (!bpfppcc_map_pop(queue, &word))
        left++;
    EQUAL(popped + left, pushed);
    for (uint32_t i = 0; i < 2; i++) {
        total += *(uint64_t *)bpfppcc_map_lookup(array, &i);
        for (uint32_t cpu = 0; cpu < THREADS; cpu++)
            total -= ((struct value *)bpfppcc_map_lookup_percpu(per_cpu, &i, cpu))->a;
    }
    EQUAL(total, 0);
    CHECK(sent > 0 && ticks > 0);
    struct bpfppcc_map *all[] = { hash, lru, per_cpu, array, lpm, queue, bloom, ring, timers, outer, inner[0], inner[1] };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        bpfppcc_map_free(all[i]);
    return report();
}
