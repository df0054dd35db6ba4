// An XDP program that sorts packets by protocol: the first program parses Ethernet and VLAN tags and tail-calls one program per
// network protocol; those parse IPv4 or IPv6 and tail-call one program per transport protocol, which decides. Every packet is counted.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

enum { MAX_VLAN_TAGS = 2 };
enum class { IPV4, IPV6, TCP, UDP, VLAN, OTHER, MALFORMED, CLASSES };
enum stage { STAGE_IPV4, STAGE_IPV6, STAGE_TCP, STAGE_UDP, STAGES };

struct counter {
    __u64 packets;
    __u64 bytes;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, CLASSES);
    __type(key, __u32);
    __type(value, struct counter);
} counters SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 65536);
    __type(key, __u32);
    __type(value, __u32);
} ports SEC(".maps");

int ipv4(struct xdp_md *ctx);
int ipv6(struct xdp_md *ctx);
int tcp(struct xdp_md *ctx);
int udp(struct xdp_md *ctx);

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, STAGES);
    __uint(key_size, sizeof(__u32));
    __array(values, int(void *));
} stages SEC(".maps") = {
    .values = {
        [STAGE_IPV4] = (void *)&ipv4,
        [STAGE_IPV6] = (void *)&ipv6,
        [STAGE_TCP] = (void *)&tcp,
        [STAGE_UDP] = (void *)&udp,
    },
};

// What one program tells the next: where the next header begins.
__u32 next_header;

// The host may close further ports before it runs the program.
const volatile __u16 telnet_port = 23;

struct vlan_tag {
    __be16 tci;
    __be16 protocol;
};

static __always_inline void count(struct xdp_md *ctx, __u32 class)
{
    struct counter *counter = bpf_map_lookup_elem(&counters, &class);
    if (counter) {
        counter->packets++;
        counter->bytes += ctx->data_end - ctx->data;
    }
}

// The header of `size` bytes at next_header, or NULL if the packet ends before.
static __always_inline void *header(struct xdp_md *ctx, __u32 size)
{
    void *end = (void *)(long)ctx->data_end;
    __u32 offset = next_header;
    if (offset > 256)
        return NULL;
    void *start = (void *)(long)ctx->data + offset;
    return start + size > end ? NULL : start;
}

static __noinline int decide(struct xdp_md *ctx, __be16 port)
{
    __u32 key = bpf_ntohs(port);
    __u32 *seen = bpf_map_lookup_elem(&ports, &key);
    if (seen)
        ++*seen;
    return key == telnet_port ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int classify(struct xdp_md *ctx)
{
    next_header = 0;
    struct ethhdr *ethernet = header(ctx, sizeof(*ethernet));
    if (!ethernet)
        goto malformed;
    __be16 protocol = ethernet->h_proto;
    next_header = sizeof(*ethernet);

    for (int i = 0; i < MAX_VLAN_TAGS; i++) {
        if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
            break;
        struct vlan_tag *tag = header(ctx, sizeof(*tag));
        if (!tag)
            goto malformed;
        protocol = tag->protocol;
        next_header += sizeof(*tag);
        count(ctx, VLAN);
    }

    if (protocol == bpf_htons(ETH_P_IP))
        bpf_tail_call(ctx, &stages, STAGE_IPV4);
    else if (protocol == bpf_htons(ETH_P_IPV6))
        bpf_tail_call(ctx, &stages, STAGE_IPV6);
    count(ctx, OTHER);
    return XDP_PASS;

malformed:
    count(ctx, MALFORMED);
    return XDP_ABORTED;
}

SEC("xdp")
int ipv4(struct xdp_md *ctx)
{
    struct iphdr *ip = header(ctx, sizeof(*ip));
    if (!ip || ip->version != 4 || ip->ihl < 5) {
        count(ctx, MALFORMED);
        return XDP_ABORTED;
    }
    count(ctx, IPV4);
    next_header += ip->ihl * 4;
    if (ip->protocol == IPPROTO_TCP)
        bpf_tail_call(ctx, &stages, STAGE_TCP);
    else if (ip->protocol == IPPROTO_UDP)
        bpf_tail_call(ctx, &stages, STAGE_UDP);
    return XDP_PASS;
}

SEC("xdp")
int ipv6(struct xdp_md *ctx)
{
    struct ipv6hdr *ip = header(ctx, sizeof(*ip));
    if (!ip || ip->version != 6) {
        count(ctx, MALFORMED);
        return XDP_ABORTED;
    }
    count(ctx, IPV6);
    next_header += sizeof(*ip);
    if (ip->nexthdr == IPPROTO_TCP)
        bpf_tail_call(ctx, &stages, STAGE_TCP);
    else if (ip->nexthdr == IPPROTO_UDP)
        bpf_tail_call(ctx, &stages, STAGE_UDP);
    return XDP_PASS;
}

SEC("xdp")
int tcp(struct xdp_md *ctx)
{
    struct tcphdr *tcp = header(ctx, sizeof(*tcp));
    if (!tcp) {
        count(ctx, MALFORMED);
        return XDP_ABORTED;
    }
    count(ctx, TCP);
    return decide(ctx, tcp->dest);
}

SEC("xdp")
int udp(struct xdp_md *ctx)
{
    struct udphdr *udp = header(ctx, sizeof(*udp));
    if (!udp) {
        count(ctx, MALFORMED);
        return XDP_ABORTED;
    }
    count(ctx, UDP);
    return decide(ctx, udp->dest);
}
