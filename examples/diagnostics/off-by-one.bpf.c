// An array of 16 elements ends at index 15.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#ifdef FIXED
#define LAST 15
#else
#define LAST 16
#endif

struct queues {
    __u32 packets[16];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct queues);
} queues SEC(".maps");

SEC("xdp")
int count_queue(struct xdp_md *ctx)
{
    __u32 zero = 0;
    struct queues *q = bpf_map_lookup_elem(&queues, &zero);
    if (!q)
        return XDP_PASS;

    __u32 i = ctx->rx_queue_index;
    if (i > LAST)
        return XDP_PASS;
    q->packets[i] += 1;
    return XDP_PASS;
}
