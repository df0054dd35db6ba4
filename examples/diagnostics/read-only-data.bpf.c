// A constant of the program is read-only for the program.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#ifdef FIXED
volatile __u32 limit = 100;
#else
const volatile __u32 limit = 100;
#endif

SEC("xdp")
int count_down(struct xdp_md *ctx)
{
    volatile __u32 *rest = (volatile __u32 *)&limit;

    if (*rest == 0)
        return XDP_DROP;
    *rest -= 1;
    return XDP_PASS;
}
