// The check must be made on the value that is used, not on a copy of another width.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct history {
    __u64 next;
    __u32 ports[16];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct history);
} histories SEC(".maps");

SEC("xdp")
int remember(struct xdp_md *ctx)
{
    __u32 zero = 0;
    struct history *h = bpf_map_lookup_elem(&histories, &zero);
    if (!h)
        return XDP_PASS;

    __u64 slot = h->next;
#ifdef FIXED
    if (slot >= 16)
        return XDP_PASS;
#else
    __u32 number = slot;
    if (number >= 16)
        return XDP_PASS;
#endif
    h->ports[slot] = ctx->rx_queue_index;
    return XDP_PASS;
}
