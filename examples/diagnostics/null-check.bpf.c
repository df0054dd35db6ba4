// A lookup may find nothing.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct counter {
    __u64 packets;
    __u64 bytes;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, __u32);
    __type(value, struct counter);
} counters SEC(".maps");

SEC("xdp")
int count(struct xdp_md *ctx)
{
    __u32 queue = ctx->rx_queue_index;
    struct counter *c = bpf_map_lookup_elem(&counters, &queue);

#ifdef FIXED
    if (!c)
        return XDP_PASS;
#endif
    c->packets++;
    return XDP_PASS;
}
