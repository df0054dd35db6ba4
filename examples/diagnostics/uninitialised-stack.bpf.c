// The padding of a struct is part of the key.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct flow {
    __u32 queue;
    __u8 protocol;
    __u64 address;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, struct flow);
    __type(value, __u64);
} flows SEC(".maps");

SEC("xdp")
int known_flow(struct xdp_md *ctx)
{
    struct flow key;

#ifdef FIXED
    __builtin_memset(&key, 0, sizeof(key));
#endif
    key.queue = ctx->rx_queue_index;
    key.protocol = 6;
    key.address = ctx->ingress_ifindex;
    return bpf_map_lookup_elem(&flows, &key) ? XDP_PASS : XDP_DROP;
}
