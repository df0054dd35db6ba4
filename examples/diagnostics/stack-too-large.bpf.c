// The functions of a call chain have 512 bytes of stack together.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#ifdef FIXED
#define LENGTH 200
#else
#define LENGTH 300
#endif

static __attribute__((noinline)) int inner(struct xdp_md *ctx, int at)
{
    volatile char bytes[LENGTH] = {};

    bytes[at & 63] = 1;
    return bytes[(at + 1) & 63];
}

SEC("xdp")
int outer(struct xdp_md *ctx)
{
    volatile char bytes[LENGTH] = {};
    int at = ctx->rx_queue_index;

    bytes[at & 63] = 1;
    return inner(ctx, at) + bytes[(at + 1) & 63] > 1 ? XDP_DROP : XDP_PASS;
}
