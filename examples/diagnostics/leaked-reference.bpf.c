// What is reserved must be submitted or discarded, on every path.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct event {
    __u32 queue;
    __u32 interface;
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
} events SEC(".maps");

SEC("xdp")
int report(struct xdp_md *ctx)
{
    struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
    if (!e)
        return XDP_PASS;

    e->queue = ctx->rx_queue_index;
    e->interface = ctx->ingress_ifindex;
    if (e->interface == 1) {
#ifdef FIXED
        bpf_ringbuf_discard(e, 0);
#endif
        return XDP_DROP;
    }
    bpf_ringbuf_submit(e, 0);
    return XDP_PASS;
}
