// An XDP load balancer and firewall. balance() parses Ethernet, VLAN tags and IPv4, drops what the blocklist names, and tail-calls one
// program per protocol; tcp() and udp() find the backend of the flow, or choose one for a new flow, and send the packet there: with a
// rewritten destination, or in another IP packet. icmp() answers echo requests to services.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "lb.h"

char LICENSE[] SEC("license") = "GPL";

enum { ICMP_ECHOREPLY = 0, ICMP_ECHO = 8 };
enum { MAX_VLAN_TAGS = 2, MAX_OFFSET = 128, CONNECTIONS_PER_SECOND = 20, NANOSECONDS = 1000000000 };
enum stage { STAGE_TCP, STAGE_UDP, STAGE_ICMP, STAGES };

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16);
    __type(key, struct service_key);
    __type(value, struct service);
} services SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 64);
    __type(key, __u32);
    __type(value, struct backend);
} backends SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 128);
    __type(key, struct flow_key);
    __type(value, struct flow);
} flows SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16);
    __type(key, __be32);
    __type(value, struct source);
} sources SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 32);
    __type(key, struct prefix);
    __type(value, __u64);
} blocklist SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
} events SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, STATISTICS);
    __type(key, __u32);
    __type(value, __u64);
} statistics SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct parsed);
} scratch SEC(".maps");

int tcp(struct xdp_md *ctx);
int udp(struct xdp_md *ctx);
int icmp(struct xdp_md *ctx);

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, STAGES);
    __uint(key_size, sizeof(__u32));
    __array(values, int(void *));
} stages SEC(".maps") = {
    .values = {
        [STAGE_TCP] = (void *)&tcp,
        [STAGE_UDP] = (void *)&udp,
        [STAGE_ICMP] = (void *)&icmp,
    },
};

// Bytes that were sent to backends.
__u64 forwarded_bytes;

static __always_inline void count(__u32 what)
{
    __u64 *counter = bpf_map_lookup_elem(&statistics, &what);
    if (counter)
        __sync_fetch_and_add(counter, 1);
}

static __always_inline void report(__u32 what, const struct flow_key *flow)
{
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event)
        return;
    event->time = bpf_ktime_get_ns();
    event->what = what;
    event->source = flow->source;
    event->destination = flow->destination;
    event->destination_port = flow->destination_port;
    event->protocol = flow->protocol;
    event->zero = 0;
    bpf_ringbuf_submit(event, 0);
}

// `size` bytes of the packet from `offset` on, or NULL if it ends before.
static __always_inline void *bytes(struct xdp_md *ctx, __u32 offset, __u32 size)
{
    void *end = (void *)(long)ctx->data_end;
    if (offset > MAX_OFFSET)
        return NULL;
    void *start = (void *)(long)ctx->data + offset;
    return start + size > end ? NULL : start;
}

static __always_inline struct parsed *parsed_before(void)
{
    __u32 zero = 0;
    return bpf_map_lookup_elem(&scratch, &zero);
}

struct vlan_tag {
    __be16 tci;
    __be16 protocol;
};

// linux/icmp.h wants headers of the C library.
struct icmp {
    __u8 type;
    __u8 code;
    __sum16 checksum;
    __be32 rest;
};

SEC("xdp")
int balance(struct xdp_md *ctx)
{
    count(SEEN);
    struct ethhdr *ethernet = bytes(ctx, 0, sizeof(*ethernet));
    if (!ethernet)
        goto malformed;
    __be16 protocol = ethernet->h_proto;
    __u32 offset = sizeof(*ethernet);
    for (int i = 0; i < MAX_VLAN_TAGS && (protocol == bpf_htons(ETH_P_8021Q) || protocol == bpf_htons(ETH_P_8021AD)); i++) {
        struct vlan_tag *tag = bytes(ctx, offset, sizeof(*tag));
        if (!tag)
            goto malformed;
        protocol = tag->protocol;
        offset += sizeof(*tag);
    }
    if (protocol != bpf_htons(ETH_P_IP)) {
        count(NOT_IP);
        return XDP_PASS;
    }

    struct iphdr *ip = bytes(ctx, offset, sizeof(*ip));
    if (!ip || ip->version != 4 || ip->ihl < 5)
        goto malformed;
    struct prefix source = { 32, ip->saddr };
    __u64 *hits = bpf_map_lookup_elem(&blocklist, &source);
    if (hits) {
        struct flow_key flow = { .source = ip->saddr, .destination = ip->daddr, .protocol = ip->protocol };
        __sync_fetch_and_add(hits, 1);
        count(BLOCKED);
        report(BLOCKED, &flow);
        return XDP_DROP;
    }
    if (ip->frag_off & bpf_htons(0x3fff))
        return XDP_PASS;

    struct parsed *parsed = parsed_before();
    if (!parsed)
        return XDP_ABORTED;
    parsed->ip_offset = offset;
    parsed->transport_offset = offset + ip->ihl * 4;
    switch (ip->protocol) {
    case IPPROTO_TCP:
        bpf_tail_call(ctx, &stages, STAGE_TCP);
        break;
    case IPPROTO_UDP:
        bpf_tail_call(ctx, &stages, STAGE_UDP);
        break;
    case IPPROTO_ICMP:
        bpf_tail_call(ctx, &stages, STAGE_ICMP);
        break;
    }
    return XDP_PASS;

malformed:
    count(MALFORMED);
    return XDP_ABORTED;
}

// ---- which backend ----

// The same for all packets of a flow, and spread evenly.
static __always_inline __u32 hash_of(const struct flow_key *flow)
{
    __u32 hash = flow->source ^ flow->destination * 0x9e3779b1u;
    hash ^= ((__u32)flow->source_port << 16 | flow->destination_port) * 0x85ebca6bu;
    hash ^= hash >> 15;
    hash *= 0x2c1b3c6du + flow->protocol;
    return hash ^ hash >> 13;
}

// Whether this source may open one more connection now.
static __noinline int admits(__be32 address)
{
    __u64 second = bpf_ktime_get_ns() / NANOSECONDS;
    struct source *source = bpf_map_lookup_elem(&sources, &address);
    if (!source) {
        struct source fresh = { second, 1 };
        bpf_map_update_elem(&sources, &address, &fresh, BPF_ANY);
        return 1;
    }
    if (source->second != second) {
        source->second = second;
        source->connections = 0;
    }
    return ++source->connections <= CONNECTIONS_PER_SECOND;
}

// A new entry of the flow table. The backend's number, or a negative number if the packet is to be dropped.
static __always_inline int choose(const struct flow_key *key, const struct service *service)
{
    if (!admits(key->source)) {
        count(RATE_LIMITED);
        report(RATE_LIMITED, key);
        return -1;
    }
    __u32 n = service->n_backends;
    if (n == 0 || n > MAX_BACKENDS_OF_SERVICE)
        return -1;
    __u32 choice = hash_of(key) % n;
    __asm__ volatile("" : "+r"(choice));       // clang would drop the mask, which the kernel's verifier needs: it knows no bounds of %
    struct flow flow = { service->backends[choice & (MAX_BACKENDS_OF_SERVICE - 1)], 1, bpf_ktime_get_ns() };
    bpf_map_update_elem(&flows, key, &flow, BPF_ANY);
    count(NEW_FLOW);
    report(NEW_FLOW, key);
    return flow.backend;
}

static __always_inline struct backend *backend_of(const struct flow_key *key, const struct service *service)
{
    __u32 number;
    struct flow *flow = bpf_map_lookup_elem(&flows, key);
    if (flow) {
        flow->packets++;
        flow->last_seen = bpf_ktime_get_ns();
        number = flow->backend;
        count(KNOWN_FLOW);
    } else {
        int chosen = choose(key, service);
        if (chosen < 0)
            return NULL;
        number = chosen;
    }
    struct backend *backend = bpf_map_lookup_elem(&backends, &number);
    if (!backend)
        count(NO_BACKEND);
    return backend;
}

// ---- how to get there ----

// A checksum that covered `from` covers `to` afterwards.
static __always_inline void replace(__sum16 *checksum, __be32 from, __be32 to)
{
    __u32 sum = bpf_csum_diff(&from, sizeof(from), &to, sizeof(to), (__u16)~*checksum);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    *checksum = ~sum;
}

static __always_inline void address_frame(struct ethhdr *ethernet, const struct backend *backend)
{
    __builtin_memcpy(ethernet->h_source, ethernet->h_dest, ETH_ALEN);
    __builtin_memcpy(ethernet->h_dest, backend->mac, ETH_ALEN);
}

static __always_inline int rewrite(struct xdp_md *ctx, const struct parsed *parsed, const struct backend *backend, __sum16 *transport_sum)
{
    struct ethhdr *ethernet = bytes(ctx, 0, sizeof(*ethernet));
    struct iphdr *ip = bytes(ctx, parsed->ip_offset, sizeof(*ip));
    if (!ethernet || !ip)
        return XDP_ABORTED;
    if (transport_sum)
        replace(transport_sum, ip->daddr, backend->address);
    replace(&ip->check, ip->daddr, backend->address);
    ip->daddr = backend->address;
    address_frame(ethernet, backend);
    count(REWRITTEN);
    __sync_fetch_and_add(&forwarded_bytes, (__u64)(ctx->data_end - ctx->data));
    return XDP_TX;
}

static __noinline int encapsulate(struct xdp_md *ctx, __be32 to, __be32 from)
{
    if (bpf_xdp_adjust_head(ctx, -(int)sizeof(struct iphdr)))
        return XDP_ABORTED;
    struct ethhdr *ethernet = bytes(ctx, 0, sizeof(*ethernet)), *old_ethernet = bytes(ctx, sizeof(struct iphdr), sizeof(*ethernet));
    struct iphdr *outer = bytes(ctx, sizeof(*ethernet), sizeof(*outer)), *inner = bytes(ctx, sizeof(*ethernet) + sizeof(*outer), sizeof(*inner));
    if (!ethernet || !old_ethernet || !outer || !inner)
        return XDP_ABORTED;
    struct ethhdr header = *old_ethernet;
    *ethernet = header;
    struct iphdr made = {
        .version = 4, .ihl = 5, .tos = inner->tos, .tot_len = bpf_htons(bpf_ntohs(inner->tot_len) + sizeof(*outer)), .ttl = 64,
        .protocol = IPPROTO_IPIP, .saddr = from, .daddr = to,
    };
    __u32 sum = bpf_csum_diff(NULL, 0, (__be32 *)&made, sizeof(made), 0);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    made.check = ~sum;
    *outer = made;
    count(ENCAPSULATED);
    __sync_fetch_and_add(&forwarded_bytes, (__u64)(ctx->data_end - ctx->data));
    return XDP_TX;
}

static __always_inline int forward(struct xdp_md *ctx, const struct parsed *parsed, const struct flow_key *key, __sum16 *transport_sum)
{
    struct service_key of = { .address = key->destination, .port = key->destination_port, .protocol = key->protocol };
    struct service *service = bpf_map_lookup_elem(&services, &of);
    if (!service) {
        count(NO_SERVICE);
        return XDP_PASS;
    }
    struct backend *backend = backend_of(key, service);
    if (!backend)
        return XDP_DROP;
    if (!(service->flags & SERVICE_ENCAPSULATES))
        return rewrite(ctx, parsed, backend, transport_sum);
    struct ethhdr *ethernet = bytes(ctx, 0, sizeof(*ethernet));
    if (!ethernet || parsed->ip_offset != sizeof(*ethernet))
        return XDP_PASS;            // a tagged frame stays as it is
    address_frame(ethernet, backend);
    return encapsulate(ctx, backend->address, key->destination);
}

static __always_inline int read_flow(struct xdp_md *ctx, const struct parsed *parsed, __u8 protocol, struct flow_key *key)
{
    struct iphdr *ip = bytes(ctx, parsed->ip_offset, sizeof(*ip));
    if (!ip)
        return 0;
    *key = (struct flow_key){ .source = ip->saddr, .destination = ip->daddr, .protocol = protocol };
    return 1;
}

SEC("xdp")
int tcp(struct xdp_md *ctx)
{
    struct flow_key key;
    struct parsed *parsed = parsed_before();
    if (!parsed || !read_flow(ctx, parsed, IPPROTO_TCP, &key))
        return XDP_ABORTED;
    struct tcphdr *header = bytes(ctx, parsed->transport_offset, sizeof(*header));
    if (!header) {
        count(MALFORMED);
        return XDP_ABORTED;
    }
    key.source_port = header->source;
    key.destination_port = header->dest;
    int is_last = header->fin || header->rst;
    int verdict = forward(ctx, parsed, &key, &header->check);
    if (is_last && bpf_map_delete_elem(&flows, &key) == 0)
        count(CLOSED_FLOW);
    return verdict;
}

SEC("xdp")
int udp(struct xdp_md *ctx)
{
    struct flow_key key;
    struct parsed *parsed = parsed_before();
    if (!parsed || !read_flow(ctx, parsed, IPPROTO_UDP, &key))
        return XDP_ABORTED;
    struct udphdr *header = bytes(ctx, parsed->transport_offset, sizeof(*header));
    if (!header) {
        count(MALFORMED);
        return XDP_ABORTED;
    }
    key.source_port = header->source;
    key.destination_port = header->dest;
    return forward(ctx, parsed, &key, header->check ? &header->check : NULL);  // 0: the sender made none
}

SEC("xdp")
int icmp(struct xdp_md *ctx)
{
    struct parsed *parsed = parsed_before();
    if (!parsed)
        return XDP_ABORTED;
    struct ethhdr *ethernet = bytes(ctx, 0, sizeof(*ethernet));
    struct iphdr *ip = bytes(ctx, parsed->ip_offset, sizeof(*ip));
    struct icmp *header = bytes(ctx, parsed->transport_offset, sizeof(*header));
    if (!ethernet || !ip || !header) {
        count(MALFORMED);
        return XDP_ABORTED;
    }
    struct service_key of = { .address = ip->daddr, .protocol = IPPROTO_ICMP };
    if (header->type != ICMP_ECHO || !bpf_map_lookup_elem(&services, &of)) {
        count(NO_SERVICE);
        return XDP_PASS;
    }
    replace(&header->checksum, bpf_htons(ICMP_ECHO << 8 | header->code), bpf_htons(ICMP_ECHOREPLY << 8 | header->code));
    header->type = ICMP_ECHOREPLY;
    __be32 address = ip->saddr;
    ip->saddr = ip->daddr;
    ip->daddr = address;
    __u8 mac[ETH_ALEN];
    __builtin_memcpy(mac, ethernet->h_source, ETH_ALEN);
    __builtin_memcpy(ethernet->h_source, ethernet->h_dest, ETH_ALEN);
    __builtin_memcpy(ethernet->h_dest, mac, ETH_ALEN);
    count(ECHOED);
    return XDP_TX;
}
