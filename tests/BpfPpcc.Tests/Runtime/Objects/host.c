/* Runs the programs of first.bpf.c and second.bpf.c with the runtime: two modules in one link, of which one uses the other's map. */
#include "check.h"

extern struct bpfppcc_module bpfppcc_module_first, bpfppcc_module_second;
extern struct bpfppcc_map shared, inner;
extern char text[64];
extern uint64_t total;

static unsigned char frame[128];
static struct bpfppcc_xdp_md ctx;
static uint64_t now;

static int64_t run(const char *name)
{
    struct bpfppcc_prog *prog = bpfppcc_prog(&bpfppcc_module_first, name);
    CHECK(prog != NULL);
    return prog ? (int64_t)bpfppcc_run(prog, &ctx) : -1000;
}

static struct bpfppcc_map *map(const char *name)
{
    struct bpfppcc_map *found = bpfppcc_map(&bpfppcc_module_first, name);
    if (!found) {
        printf("no map %s\n", name);
        exit(1);
    }
    return found;
}

static void open_all(void)
{
    unsigned modules = 0;
    for (struct bpfppcc_module *module = BPFPPCC_MODULES_BEGIN; module != BPFPPCC_MODULES_END; module++, modules++)
        EQUAL(bpfppcc_open(module), 0);
    EQUAL(modules, 2);
    CHECK(shared.impl && map("shared") == &shared && !bpfppcc_map(&bpfppcc_module_second, "shared"));
}

static uint32_t records[8], n_records, event[8], n_events;
static int on_record(void *unused, void *data, size_t size)
{
    (void)unused;
    EQUAL(size, 8);
    memcpy(records + n_records, data, 8);
    n_records += 2;
    return 0;
}

static void on_event(void *unused, uint32_t cpu, const void *data, size_t size)
{
    (void)unused;
    EQUAL(cpu, 0);
    EQUAL(size, 8);
    memcpy(event, data, 8);
    n_events++;
}

static void maps(void)
{
    uint32_t key, value;
    EQUAL(bpfppcc_perf_set_callback(map("events"), on_event, NULL), 0);
    for (key = 1; key <= 3; key++) {
        bpfppcc_xdp_init(&ctx, frame + 32, 60, 32);
        ctx.rx_queue_index = key;
        EQUAL(run("maps"), 2);
    }
    key = 1;
    CHECK(!bpfppcc_map_lookup(map("recent"), &key));                   /* the third key evicted it */
    EQUAL(*(uint64_t *)bpfppcc_map_lookup(map("per_cpu"), &key), 1 + 2 + 3);
    CHECK(bpfppcc_map_lookup(map("outer"), &key) == &inner);
    key = 3;
    EQUAL(*(uint64_t *)bpfppcc_map_lookup(&shared, &key), 30);
    EQUAL(*(uint32_t *)bpfppcc_map_lookup(&inner, &key), 3);
    EQUAL(((uint32_t *)map("locks")->values)[1], 3);
    for (key = 1; key <= 3; key++) {
        EQUAL(bpfppcc_map_pop(map("queue"), &value), 0);
        EQUAL(value, key);
    }
    EQUAL(bpfppcc_ringbuf_consume(map("records"), on_record, NULL), 3);
    CHECK(records[0] == 1 && records[1] == 60 && records[4] == 3 && records[5] == 60);
    CHECK(n_events == 3 && event[0] == 9 && !memcmp(event + 1, frame + 32, 4));
    TEXT(text, "queue 3, bytes -60");
}

static void shared_map(void)
{
    struct bpfppcc_prog *second = bpfppcc_prog(&bpfppcc_module_second, "second");
    ctx.rx_queue_index = 2;
    EQUAL(bpfppcc_run(second, &ctx), 21);
    ctx.rx_queue_index = 99;
    EQUAL(bpfppcc_run(second, &ctx), -1);
    uint32_t key = 2;
    EQUAL(*(uint64_t *)bpfppcc_map_lookup(&shared, &key), 21);
}

static uint64_t clock_of_test(enum bpfppcc_clock clock)
{
    (void)clock;
    return now;
}

static void callbacks_and_timers(void)
{
    EQUAL(run("callbacks"), 10 * 100 + 3);
    EQUAL(total, 45 + (10 + 21 + 30) * 100 + 1 + 2 + 3);

    uint32_t key = 2;
    uint64_t *element = bpfppcc_map_lookup(map("timers"), &key);
    bpfppcc_hooks.time = clock_of_test;
    EQUAL(run("start_timer"), 0);
    EQUAL(bpfppcc_timers_run(999), 0);
    now = 1000;
    EQUAL(bpfppcc_timers_run(now), 1);
    EQUAL(element[2], 3);
    EQUAL(bpfppcc_timers_next(), 2000);                                /* its callback started it again */
    now = 2000;
    EQUAL(bpfppcc_timers_run(now), 1);
    EQUAL(element[2], 6);
    EQUAL(bpfppcc_timers_next(), UINT64_MAX);
}

static void packets(void)
{
    for (unsigned i = 0; i < sizeof frame; i++)
        frame[i] = (unsigned char)i;
    bpfppcc_xdp_init(&ctx, frame + 32, 60, 32);
    bpfppcc_xdp_set_tailroom(&ctx, 8);
    EQUAL(run("grow"), 32 << 16 | 66);
    CHECK(frame[28] == 0xaa && frame[92] == 0 && frame[93] == 0 && frame[94] == 94);

    struct bpfppcc_sk_buff skb;
    const struct bpfppcc_prog *filter = bpfppcc_prog(&bpfppcc_module_first, "filter");
    bpfppcc_skb_init(&skb, frame + 32, 60, 0);
    EQUAL(bpfppcc_run(filter, &skb), 7);
    frame[32 + 12] = 8;
    frame[32 + 13] = 0;
    frame[32 + 14] = 1;
    EQUAL(bpfppcc_run(filter, &skb), 0x3e3f4041 + 1);
    bpfppcc_skb_init(&skb, frame + 32, 33, 0);
    EQUAL(bpfppcc_run(filter, &skb), 0);                               /* the load fails, and the program ends with 0 */
}

static void prog_arrays_and_probes(void)
{
    struct bpfppcc_prog *second = bpfppcc_prog(&bpfppcc_module_second, "second");
    CHECK(bpfppcc_module_first.toc_base == bpfppcc_module_second.toc_base);    /* a small link has one TOC */
    EQUAL(bpfppcc_prog_array_update(map("stages"), 0, second), 0);
    ctx.rx_queue_index = 2;
    EQUAL(run("maps"), 21);
    uint32_t key = 0;
    EQUAL(bpfppcc_map_delete(map("stages"), &key), 0);
    EQUAL(run("maps"), -2);
    EQUAL(run("probe"), -EFAULT * 100 + 8);
}

int main(void)
{
    for (unsigned i = 0; i < sizeof frame; i++)
        frame[i] = (unsigned char)i;
    open_all();
    maps();
    shared_map();
    callbacks_and_timers();
    packets();
    prog_arrays_and_probes();
    bpfppcc_close(&bpfppcc_module_second);
    bpfppcc_close(&bpfppcc_module_first);
    return report();
}
