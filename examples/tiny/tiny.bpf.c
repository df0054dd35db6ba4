// Ten instructions to read in every form: bpfppcc --no-verify --dump=all examples/tiny/tiny.bpf.o -o /dev/null
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("xdp")
int only_ip(struct xdp_md *ctx)
{
    __u8 *packet = (__u8 *)(long)ctx->data, *end = (__u8 *)(long)ctx->data_end;
    if (packet + 14 > end)
        return XDP_ABORTED;
    return *(__u16 *)(packet + 12) == bpf_htons(0x0800) ? XDP_PASS : XDP_DROP;
}
