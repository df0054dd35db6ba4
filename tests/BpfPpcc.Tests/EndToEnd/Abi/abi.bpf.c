// One object that has everything the object ABI speaks of: programs with and without frame, TOC, helper calls and tail calls, a static and
// three global subprograms, ARRAY and prog-array maps with and without initial values, variables of every section. The host (host.c) calls
// all of it and checks what it can see from C.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";
__u32 VERSION SEC("version") = 0x060c00;

int measure(struct xdp_md *ctx);

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 4);
    __type(key, __u32);
    __type(value, __u32[3]);
} tallies SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 8);
    __uint(key_size, sizeof(__u32));
    __array(values, int(void *));
} jumps SEC(".maps") = { .values = { [5] = (void *)&measure } };

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, __u64);
    __type(value, __u64);
} sessions SEC(".maps");

const volatile __u32 step = 1;
__u64 passes = 1000;
__u64 stamp, hops;
__u32 plan[64];
static volatile __u32 hidden = 77;

#define NEXT plan[hops++ & 63]

// clang takes a tail call for an ordinary call, and would tell callers what the code behind it returns.
#define HIDE(value) __asm__ volatile("" : "+r"(value))

SEC("xdp")
int dispatch(struct xdp_md *ctx)
{
    stamp = bpf_ktime_get_ns();
    __u32 key = ctx->ingress_ifindex;
    __u32 *tally = bpf_map_lookup_elem(&tallies, &key);
    if (tally)
        tally[0]++;
    passes += step;
    bpf_tail_call(ctx, &jumps, ctx->rx_queue_index);
    return XDP_PASS;
}

SEC("xdp")
int measure(struct xdp_md *ctx)
{
    return ctx->data_end - ctx->data;
}

SEC("xdp")
int wide(struct xdp_md *ctx)
{
    volatile __u64 much[60]; // a variable index keeps it in memory
    __u64 i = hops & 31;
    much[i] = hops;
    bpf_tail_call(ctx, &jumps, NEXT);
    return -(int)(much[i] + 1);
}

SEC("xdp")
int plain(struct xdp_md *ctx)
{
    bpf_tail_call(ctx, &jumps, ctx->rx_queue_index);
    bpf_tail_call(ctx, &jumps, NEXT);
    return 3;
}

static __noinline int inner(struct xdp_md *ctx)
{
    stamp = bpf_ktime_get_ns();
    bpf_tail_call(ctx, &jumps, NEXT);
    int result = 7;
    HIDE(result);
    return result;
}

SEC("xdp")
int nested(struct xdp_md *ctx)
{
    return inner(ctx) + 100;
}

__noinline __u64 public_jump(struct xdp_md *ctx)
{
    bpf_tail_call(ctx, &jumps, NEXT);
    __u64 result = 9;
    HIDE(result);
    return result;
}

__noinline int narrow(int a, int b, int c, int d, int e)
{
    return a - b + c * 3 - d + e + (int)hidden;
}

__noinline __u8 narrowest(__u64 x)
{
    return x + step;
}

SEC("xdp")
int calls(struct xdp_md *ctx)
{
    int sum = narrow(ctx->rx_queue_index, ctx->ingress_ifindex, 3, 2, 1);
    if (bpf_map_lookup_elem(&sessions, &passes))
        return -1;
    return sum + narrowest(ctx->egress_ifindex) + (int)public_jump(ctx);
}

SEC("tc")
int classify(struct __sk_buff *skb)
{
    return skb->data_end - skb->data + skb->len;
}
