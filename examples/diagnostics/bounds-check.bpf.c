// Packets may be shorter than the headers that a program hopes for.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int drop_ipv6(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data;
    struct ethhdr *eth = data;

#ifdef FIXED
    if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
        return XDP_DROP;
#endif
    if (eth->h_proto == bpf_htons(ETH_P_IPV6))
        return XDP_DROP;
    return XDP_PASS;
}
