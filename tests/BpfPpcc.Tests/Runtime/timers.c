/* bpf_timers: rules of the helpers, order, restarts from callbacks, and what happens to them with their elements. */
#include "check.h"

struct element {
    uint64_t timer[2];
    uint32_t number;
};

static struct bpfppcc_map *array, *hash;
static uint32_t fired[1000];
static unsigned n_fired;
static uint64_t now = 1000;

static uint64_t clock_of_test(enum bpfppcc_clock clock)
{
    (void)clock;
    return now;
}

static uint64_t record(uint64_t map, uint64_t key, uint64_t value, uint64_t d, uint64_t e)
{
    (void)d, (void)e;
    CHECK((struct bpfppcc_map *)(uintptr_t)map == array || (struct bpfppcc_map *)(uintptr_t)map == hash);
    EQUAL(*(uint32_t *)(uintptr_t)key, ((struct element *)(uintptr_t)value)->number);
    fired[n_fired++] = *(uint32_t *)(uintptr_t)key;
    return 0;
}

static uint64_t restart(uint64_t map, uint64_t key, uint64_t value, uint64_t d, uint64_t e)
{
    record(map, key, value, d, e);
    EQUAL(HELPER(timer_cancel, value), -EDEADLK);
    EQUAL(HELPER(timer_start, value, 0, 0), 0);         /* at once: in the next round */
    return 0;
}

static uint64_t delete_own(uint64_t map, uint64_t key, uint64_t value, uint64_t d, uint64_t e)
{
    record(map, key, value, d, e);
    EQUAL(HELPER(map_delete_elem, map, key), 0);
    return 0;
}

static struct element *element(struct bpfppcc_map *map, uint32_t key)
{
    struct element value = { { 0 }, key };
    EQUAL(bpfppcc_map_update(map, &key, &value, 0), 0);
    return bpfppcc_map_lookup(map, &key);
}

static void start(struct element *element, bpfppcc_helper_fn *function, uint64_t after)
{
    EQUAL(HELPER(timer_init, element->timer, element >= (struct element *)array->values
        && element < (struct element *)array->values + array->max_entries ? array : hash, 1), 0);
    EQUAL(HELPER(timer_set_callback, element->timer, function), 0);
    EQUAL(HELPER(timer_start, element->timer, after, 0), 0);
}

static void rules(void)
{
    struct element *e = element(array, 0);
    EQUAL(HELPER(timer_set_callback, e->timer, record), -EINVAL);      /* not initialised */
    EQUAL(HELPER(timer_start, e->timer, 1, 0), -EINVAL);
    EQUAL(HELPER(timer_cancel, e->timer), -EINVAL);
    EQUAL(HELPER(timer_init, e->timer, array, 2), -EINVAL);            /* no such clock */
    uint64_t elsewhere[2];
    EQUAL(HELPER(timer_init, elsewhere, array, 1), -EINVAL);
    EQUAL(HELPER(timer_init, e->timer, array, 1), 0);
    EQUAL(HELPER(timer_init, e->timer, array, 1), -EBUSY);
    EQUAL(HELPER(timer_start, e->timer, 1, 0), -EINVAL);               /* no callback */
    EQUAL(HELPER(timer_set_callback, e->timer, record), 0);
    EQUAL(HELPER(timer_start, e->timer, 1, 8), -EINVAL);
    EQUAL(HELPER(timer_cancel, e->timer), 0);
    EQUAL(HELPER(timer_start, e->timer, 500, 0), 0);
    EQUAL(bpfppcc_timers_next(), now + 500);
    EQUAL(HELPER(timer_start, e->timer, now + 20, 1), 0);              /* absolute; moves it */
    EQUAL(bpfppcc_timers_next(), now + 20);
    EQUAL(bpfppcc_timers_run(now + 19), 0);
    EQUAL(HELPER(timer_cancel, e->timer), 1);
    EQUAL(bpfppcc_timers_next(), UINT64_MAX);
    EQUAL(bpfppcc_timers_run(now + 1000), 0);
    EQUAL(HELPER(timer_start, e->timer, 20, 0), 0);
    EQUAL(bpfppcc_timers_run(now + 20), 1);
    EQUAL(bpfppcc_timers_run(now + 20), 0);                            /* once */
    EQUAL(n_fired, 1);
    element(array, 0);                                                 /* a new value has a new timer */
    EQUAL(HELPER(timer_cancel, e->timer), -EINVAL);
}

static void many(void)
{
    enum { COUNT = 500 };
    uint64_t due[COUNT];
    n_fired = 0;
    for (uint32_t key = 0; key < COUNT; key++) {
        due[key] = chance(100000);
        start(element(hash, key), record, due[key]);
    }
    for (uint32_t key = 0; key < COUNT; key += 5) {                    /* some go with their elements */
        EQUAL(bpfppcc_map_delete(hash, &key), 0);
        due[key] = UINT64_MAX;
    }
    unsigned count = 0;
    for (uint64_t time = 0; time <= 100000; time += 10000)
        count += bpfppcc_timers_run(now + time);
    EQUAL(count, COUNT - COUNT / 5);
    EQUAL(n_fired, count);
    for (unsigned i = 1; i < n_fired; i++)
        CHECK(due[fired[i - 1]] <= due[fired[i]]);
    for (unsigned i = 0; i < n_fired; i++)
        CHECK(due[fired[i]] != UINT64_MAX);
}

static void callbacks_that_interfere(void)
{
    n_fired = 0;
    start(element(hash, 1000), restart, 10);
    start(element(hash, 1001), record, 12);
    start(element(hash, 1002), delete_own, 11);
    EQUAL(bpfppcc_timers_run(now + 100), 3);
    CHECK(fired[0] == 1000 && fired[1] == 1002 && fired[2] == 1001);
    EQUAL(bpfppcc_timers_run(now + 101), 1);
    EQUAL(bpfppcc_timers_run(now + 102), 1);
    uint32_t key = 1000;
    EQUAL(bpfppcc_map_delete(hash, &key), 0);
    EQUAL(bpfppcc_timers_next(), UINT64_MAX);
    start(element(hash, 1003), record, 10);
}

int main(void)
{
    bpfppcc_hooks.time = clock_of_test;
    array = make(ARRAY, 4, sizeof(struct element), 4, 0);
    hash = make(HASH, 4, sizeof(struct element), 600, 0);
    rules();
    many();
    callbacks_that_interfere();
    bpfppcc_map_free(hash);                                            /* with a timer that is started */
    EQUAL(bpfppcc_timers_next(), UINT64_MAX);
    EQUAL(bpfppcc_timers_run(UINT64_MAX), 0);
    bpfppcc_map_free(array);
    return report();
}
