// What compiled code and the runtime need each other for: maps of every kind, callbacks, timers, records, strings, LD_ABS, tail calls.
#include <linux/bpf.h>
#include <linux/if_ether.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define MAP(name, map_type, entries, key_type, value_type) \
    struct { \
        __uint(type, BPF_MAP_TYPE_##map_type); \
        __uint(max_entries, entries); \
        __type(key, key_type); \
        __type(value, value_type); \
    } name SEC(".maps")

struct timed {
    struct bpf_timer timer;
    __u64 fired;
};

struct locked {
    struct bpf_spin_lock lock;
    __u32 value;
};

MAP(shared, HASH, 16, __u32, __u64);
MAP(recent, LRU_HASH, 2, __u32, __u64);
MAP(per_cpu, PERCPU_ARRAY, 2, __u32, __u64);
MAP(timers, ARRAY, 4, __u32, struct timed);
MAP(locks, ARRAY, 1, __u32, struct locked);

struct {
    __uint(type, BPF_MAP_TYPE_QUEUE);
    __uint(max_entries, 4);
    __type(value, __u32);
} queue SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
} records SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
    __uint(key_size, 4);
    __uint(value_size, 4);
} events SEC(".maps");

struct inner {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4);
    __type(key, __u32);
    __type(value, __u32);
} inner SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, 3);
    __type(key, __u32);
    __array(values, struct inner);
} outer SEC(".maps") = { .values = { [1] = &inner } };

int last_stage(struct xdp_md *ctx);

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 2);
    __uint(key_size, 4);
    __array(values, int(void *));
} stages SEC(".maps") = { .values = { [0] = (void *)&last_stage } };

char text[64];
__u64 total;

static long add(__u32 index, void *ctx)
{
    *(__u64 *)ctx += index;
    return index == 9;
}

static long add_value(void *map, const __u32 *key, __u64 *value, __u64 *ctx)
{
    *ctx += *value * 100 + *key;
    return 0;
}

SEC("xdp")
int callbacks(struct xdp_md *ctx)
{
    __u64 sum = 0;
    long rounds = bpf_loop(100, add, &sum, 0), elements = bpf_for_each_map_elem(&shared, add_value, &sum, 0);
    total = sum;
    return rounds * 100 + elements;
}

static int on_timer(void *map, __u32 *key, struct timed *value)
{
    value->fired += *key + 1;
    if (value->fired < 6)
        bpf_timer_start(&value->timer, 1000, 0);
    return 0;
}

SEC("xdp")
int start_timer(struct xdp_md *ctx)
{
    __u32 key = 2;
    struct timed *element = bpf_map_lookup_elem(&timers, &key);
    if (!element)
        return -1;
    bpf_timer_init(&element->timer, &timers, 1);
    bpf_timer_set_callback(&element->timer, on_timer);
    return bpf_timer_start(&element->timer, 1000, 0);
}

SEC("xdp")
int maps(struct xdp_md *ctx)
{
    __u32 key = ctx->rx_queue_index, one = 1;
    __u64 value = key * 10;
    bpf_map_update_elem(&shared, &key, &value, BPF_ANY);
    bpf_map_update_elem(&recent, &key, &value, BPF_NOEXIST);
    __u64 *mine = bpf_map_lookup_elem(&per_cpu, &one);
    if (mine)
        *mine += key;
    void *map = bpf_map_lookup_elem(&outer, &one);
    if (map)
        bpf_map_update_elem(map, &key, &key, BPF_ANY);
    __u32 none = 0;
    if (bpf_map_lookup_elem(&outer, &none))
        return -1;
    __u32 zero = 0;
    struct locked *locked = bpf_map_lookup_elem(&locks, &zero);
    if (locked) {
        bpf_spin_lock(&locked->lock);
        locked->value++;
        bpf_spin_unlock(&locked->lock);
    }
    if (bpf_map_push_elem(&queue, &key, 0))
        bpf_map_pop_elem(&queue, &none);
    bpf_tail_call(ctx, &stages, 0);
    return -2;
}

SEC("xdp")
int last_stage(struct xdp_md *ctx)
{
    __u32 *record = bpf_ringbuf_reserve(&records, 8, 0);
    if (!record)
        return -3;
    record[0] = ctx->rx_queue_index;
    record[1] = (void *)(long)ctx->data_end - (void *)(long)ctx->data;
    bpf_ringbuf_submit(record, 0);
    __u32 event = ctx->rx_queue_index * 3;
    bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU | 4ULL << 32, &event, sizeof(event));
    BPF_SNPRINTF(text, sizeof(text), "queue %u, %s %d", ctx->rx_queue_index, "bytes", record ? -60 : 0);
    return XDP_PASS;
}

SEC("xdp")
int grow(struct xdp_md *ctx)
{
    if (bpf_xdp_adjust_head(ctx, -4) || bpf_xdp_adjust_tail(ctx, 2))
        return -1;
    __u8 *data = (void *)(long)ctx->data;
    if (data + 5 > (__u8 *)(long)ctx->data_end)
        return -2;
    data[0] = 0xaa;
    return data[4] << 16 | (int)((long)ctx->data_end - (long)ctx->data);
}

unsigned long long load_byte(void *skb, unsigned long long offset) __asm__("llvm.bpf.load.byte");
unsigned long long load_half(void *skb, unsigned long long offset) __asm__("llvm.bpf.load.half");
unsigned long long load_word(void *skb, unsigned long long offset) __asm__("llvm.bpf.load.word");

SEC("socket")
int filter(struct __sk_buff *skb)
{
    return load_half(skb, 12) == ETH_P_IP ? load_word(skb, 30) + load_byte(skb, 14) : 7;
}

SEC("kprobe/nothing")
int probe(void *ctx)
{
    char copy[8] = { 0 };
    long failure = bpf_probe_read_kernel(copy, sizeof(copy), (void *)8), length = bpf_probe_read_kernel_str(copy, sizeof(copy), text);
    return failure * 100 + length;
}
