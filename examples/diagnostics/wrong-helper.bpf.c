// Each type of program has helpers of its own.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int first_byte(struct xdp_md *ctx)
{
    __u8 byte = 0;

#ifdef FIXED
    if (bpf_xdp_load_bytes(ctx, 0, &byte, 1) < 0)
#else
    if (bpf_skb_load_bytes(ctx, 0, &byte, 1) < 0)
#endif
        return XDP_DROP;
    return byte == 0xff ? XDP_DROP : XDP_PASS;
}
