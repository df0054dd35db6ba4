// A loop needs a bound that does not come from memory alone.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct work {
    __u64 rounds;
    __u64 result;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct work);
} works SEC(".maps");

SEC("xdp")
int spin(struct xdp_md *ctx)
{
    __u32 zero = 0;
    struct work *w = bpf_map_lookup_elem(&works, &zero);
    if (!w)
        return XDP_PASS;

    __u64 rounds = w->rounds, x = 1;
#ifdef FIXED
    if (rounds > 1000)
        rounds = 1000;
#endif
    for (__u64 i = 0; i < rounds; i++)
        x = (x << 1) ^ (x >> 3) ^ i;
    w->result = x;
    return XDP_PASS;
}
