/* Ring buffers against a model (the sequence of records), perf events, dynptrs. */
#include "check.h"

struct expectation {
    unsigned char fill[4096];
    size_t sizes[4096];
    unsigned first, last;
};

static struct expectation expected;
static int stop_after = -1;

static int on_record(void *ctx, void *data, size_t size)
{
    EQUAL((uintptr_t)ctx, (uintptr_t)&expected);
    CHECK(expected.first < expected.last);
    unsigned i = expected.first++ % 4096;
    EQUAL(size, expected.sizes[i]);
    EQUAL((uintptr_t)data % 8, 0);
    for (size_t at = 0; at < size; at++)
        if (((unsigned char *)data)[at] != expected.fill[i]) {
            EQUAL(((unsigned char *)data)[at], expected.fill[i]);
            break;
        }
    return stop_after > 0 && --stop_after == 0 ? -77 : 0;
}

static void expect(unsigned char fill, size_t size)
{
    expected.fill[expected.last % 4096] = fill;
    expected.sizes[expected.last++ % 4096] = size;
}

static unsigned wakeups;
static void on_wakeup(struct bpfppcc_map *map)
{
    CHECK(map->type == RINGBUF);
    wakeups++;
}

static void rules(void)
{
    struct bpfppcc_map *map = make(RINGBUF, 0, 0, 4096, 0);
    char big[4096] = "x";
    EQUAL(HELPER(ringbuf_query, map, 1), 4096);
    EQUAL(HELPER(ringbuf_query, map, 0), 0);
    EQUAL(HELPER(ringbuf_query, map, 9), 0);
    EQUAL(HELPER(ringbuf_reserve, map, 8, 1), 0);                      /* flags must be 0 */
    EQUAL(HELPER(ringbuf_reserve, map, 4096, 0), 0);                   /* larger than the ring with its header */
    EQUAL(HELPER(ringbuf_reserve, map, UINT64_MAX - 3, 0), 0);
    EQUAL(HELPER(ringbuf_output, map, big, 4088, 0), -EAGAIN);         /* fills it to the last byte, which is never allowed */
    EQUAL(HELPER(ringbuf_output, map, big, 8, 4), -EINVAL);
    EQUAL(HELPER(ringbuf_output, map, big, 4080, 0), 0);
    EQUAL(HELPER(ringbuf_output, map, big, 1, 0), -EAGAIN);
    EQUAL(HELPER(ringbuf_query, map, 0), 4088);
    EQUAL(HELPER(ringbuf_query, map, 3), 4088);
    EQUAL(HELPER(ringbuf_query, map, 2), 0);
    bpfppcc_map_free(map);
    EQUAL(refusal(RINGBUF, 0, 0, 0, 0), -EINVAL);
    EQUAL(refusal(RINGBUF, 4, 0, 4096, 0), -EINVAL);
    map = make(RINGBUF, 0, 0, 5000, 0);
    EQUAL(HELPER(ringbuf_query, map, 1), 8192);                        /* as loaders round */
    EQUAL(bpfppcc_map_update(map, &wakeups, &wakeups, 0), -ENOTSUP);
    bpfppcc_map_free(map);
}

/* Records of all sizes, submitted and discarded, through many rounds of the ring. */
static void model(void)
{
    struct bpfppcc_map *map = make(RINGBUF, 0, 0, 4096, 0);
    unsigned char data[4096];
    uint64_t used = 0;
    expected.first = expected.last = 0;
    for (int step = 0; step < 20000 && !failures; step++) {
        size_t size = chance(20) ? chance(200) : chance(4090), room = (size + 8 + 7) / 8 * 8;
        unsigned char fill = (unsigned char)step;
        int fits = used + room < 4096;
        if (chance(2)) {
            memset(data, fill, size);
            EQUAL(HELPER(ringbuf_output, map, data, size, 0), fits ? 0 : -EAGAIN);
            if (fits)
                expect(fill, size);
        } else {
            void *record = (void *)(uintptr_t)HELPER(ringbuf_reserve, map, size, 0);
            CHECK((record != NULL) == fits);
            if (record) {
                memset(record, fill, size);
                if (chance(3)) {
                    HELPER(ringbuf_submit, record, 0);
                    expect(fill, size);
                } else {
                    HELPER(ringbuf_discard, record, 0);
                }
            }
        }
        used += fits ? room : 0;
        EQUAL(HELPER(ringbuf_query, map, 0), used);
        if (chance(8) == 0) {
            int pending = (int)(expected.last - expected.first);
            EQUAL(bpfppcc_ringbuf_consume(map, on_record, &expected), pending);
            EQUAL(expected.first, expected.last);
            used = 0;
        }
    }
    bpfppcc_map_free(map);
}

static void order_and_wakeups(void)
{
    struct bpfppcc_map *map = make(RINGBUF, 0, 0, 4096, 0);
    expected.first = expected.last = 0;
    wakeups = 0;
    char *first = (char *)(uintptr_t)HELPER(ringbuf_reserve, map, 3, 0), *second = (char *)(uintptr_t)HELPER(ringbuf_reserve, map, 5, 0);
    CHECK(first && second);
    memset(first, 1, 3);
    memset(second, 2, 5);
    HELPER(ringbuf_submit, second, 0);
    EQUAL(wakeups, 0);                                                 /* the consumer waits for the first */
    EQUAL(bpfppcc_ringbuf_consume(map, on_record, &expected), 0);
    expect(1, 3);
    expect(2, 5);
    HELPER(ringbuf_submit, first, 0);
    EQUAL(wakeups, 1);
    stop_after = 1;
    EQUAL(bpfppcc_ringbuf_consume(map, on_record, &expected), -77);    /* and that one counts as consumed */
    EQUAL(bpfppcc_ringbuf_poll(map, on_record, &expected, 0), 1);
    EQUAL(bpfppcc_ringbuf_poll(map, on_record, &expected, 2), 0);
    expect(7, 1);
    EQUAL(HELPER(ringbuf_output, map, "\7", 1, 1), 0);                 /* BPF_RB_NO_WAKEUP */
    EQUAL(wakeups, 1);
    expect(8, 1);
    EQUAL(HELPER(ringbuf_output, map, "\10", 1, 2), 0);                /* BPF_RB_FORCE_WAKEUP */
    EQUAL(wakeups, 2);
    EQUAL(bpfppcc_ringbuf_consume(map, on_record, &expected), 2);
    bpfppcc_map_free(map);
    struct bpfppcc_map *array = make(ARRAY, 4, 4, 1, 0);
    EQUAL(bpfppcc_ringbuf_consume(array, on_record, NULL), -EINVAL);
    EQUAL(HELPER(ringbuf_reserve, array, 8, 0), 0);
    bpfppcc_map_free(array);
}

static char event[256];
static size_t event_size;
static uint32_t event_cpu;
static void on_event(void *ctx, uint32_t cpu, const void *data, size_t size)
{
    EQUAL((uintptr_t)ctx, (uintptr_t)event);
    event_cpu = cpu;
    event_size = size;
    memcpy(event, data, size);
}

static void perf_events(void)
{
    struct bpfppcc_map *map = make(PERF_EVENT_ARRAY, 4, 4, 0, 0);      /* 0 entries: one for each CPU */
    struct bpfppcc_xdp_md ctx;
    char packet[64];
    memset(packet, 'p', sizeof packet);
    bpfppcc_xdp_init(&ctx, packet, sizeof packet, 0);
    EQUAL(HELPER(perf_event_output, &ctx, map, 0xffffffff, "abc", 4), -ENOENT);
    EQUAL(bpfppcc_perf_set_callback(map, on_event, event), 0);
    EQUAL(bpfppcc_set_cpu(1), 0);
    EQUAL(HELPER(perf_event_output, &ctx, map, 0xffffffff, "abc", 4), 0);
    CHECK(event_cpu == 1 && event_size == 4 && !memcmp(event, "abc", 4));
    EQUAL(HELPER(perf_event_output, &ctx, map, 0, "ab", 2), 0);
    CHECK(event_cpu == 0 && event_size == 2);
    EQUAL(HELPER(perf_event_output, &ctx, map, 2, "ab", 2), -E2BIG);
    EQUAL(HELPER(perf_event_output, &ctx, map, 1ULL << 52, "ab", 2), -EINVAL);
    EQUAL(HELPER(xdp_output, &ctx, map, 10ULL << 32, "ab", 2), 0);
    CHECK(event_size == 12 && !memcmp(event, "abpppppppppp", 12));
    EQUAL(HELPER(perf_event_output, &ctx, map, 65ULL << 32, "ab", 2), -EFAULT);
    struct bpfppcc_sk_buff skb;
    bpfppcc_skb_init(&skb, packet, sizeof packet, 0);
    EQUAL(HELPER(skb_output, &skb, map, 3ULL << 32, "ab", 2), 0);
    CHECK(event_size == 5 && !memcmp(event, "abppp", 5));
    EQUAL(bpfppcc_set_cpu(0), 0);
    bpfppcc_map_free(map);
}

static void dynptrs(void)
{
    struct bpfppcc_map *map = make(RINGBUF, 0, 0, 4096, 0);
    uint64_t dynptr[2];
    char memory[10] = "012345678", out[10] = "";
    EQUAL(HELPER(dynptr_from_mem, memory, 10, 1, dynptr), -EINVAL);
    EQUAL(HELPER(dynptr_read, out, 1, dynptr, 0, 0), -EINVAL);         /* and made it invalid */
    EQUAL(HELPER(dynptr_from_mem, memory, 1 << 24, 0, dynptr), -E2BIG);
    EQUAL(HELPER(dynptr_from_mem, memory, 10, 0, dynptr), 0);
    EQUAL(HELPER(dynptr_read, out, 4, dynptr, 6, 0), 0);
    TEXT(out, "678");
    EQUAL(HELPER(dynptr_read, out, 4, dynptr, 7, 0), -E2BIG);
    EQUAL(HELPER(dynptr_read, out, 0xffffffff, dynptr, 5, 0), -E2BIG);
    EQUAL(HELPER(dynptr_read, out, 4, dynptr, 6, 1), -EINVAL);
    EQUAL(HELPER(dynptr_write, dynptr, 1, "ab", 2, 0), 0);
    TEXT(memory, "0ab345678");
    EQUAL(HELPER(dynptr_data, dynptr, 2, 8), (uintptr_t)memory + 2);
    EQUAL(HELPER(dynptr_data, dynptr, 2, 9), 0);

    EQUAL(HELPER(ringbuf_reserve_dynptr, map, 5000, 0, dynptr), -EINVAL);
    HELPER(ringbuf_discard_dynptr, dynptr, 0);                         /* an invalid one: nothing happens */
    EQUAL(HELPER(ringbuf_reserve_dynptr, map, 1 << 24, 0, dynptr), -E2BIG);
    EQUAL(HELPER(ringbuf_reserve_dynptr, map, 8, 1, dynptr), -EINVAL);
    EQUAL(HELPER(ringbuf_reserve_dynptr, map, 3, 0, dynptr), 0);
    EQUAL(HELPER(dynptr_write, dynptr, 0, "\5\5\5", 3, 0), 0);
    HELPER(ringbuf_submit_dynptr, dynptr, 0);
    EQUAL(HELPER(dynptr_data, dynptr, 0, 1), 0);
    EQUAL(HELPER(ringbuf_reserve_dynptr, map, 3, 0, dynptr), 0);
    HELPER(ringbuf_discard_dynptr, dynptr, 0);
    expected.first = expected.last = 0;
    expect(5, 3);
    EQUAL(bpfppcc_ringbuf_consume(map, on_record, &expected), 1);
    bpfppcc_map_free(map);
}

int main(void)
{
    bpfppcc_hooks.cpus = 2;
    bpfppcc_hooks.wakeup = on_wakeup;
    rules();
    model();
    order_and_wakeups();
    perf_events();
    dynptrs();
    return report();
}
