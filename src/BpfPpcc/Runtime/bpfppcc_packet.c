/*
 * bpfppcc_packet.c - contexts of packet programs; the XDP helpers that read, write and move packets; and redirection.
 *
 * The packet is one piece of memory. How far it may grow is kept in the context's reserved fields, with the context's own address, so that a
 * context that a host has filled in or copied by hand is recognised and taken for one without free space around the packet.
 */
#include "bpfppcc_packet.h"

enum { PROG_SCHED_CLS = 3 };
enum { XDP_ABORTED = 0, XDP_REDIRECT = 4, TC_ACT_SHOT = 2, TC_ACT_REDIRECT = 7 };

/* ---- contexts ---- */

#define XDP_OWNER 0x7864702d6d642d31ULL
#define SKB_OWNER 0x736b2d627566662dULL

_Static_assert(sizeof(((struct bpfppcc_xdp_md *)0)->reserved) >= sizeof(struct bounds), "bounds fit into an xdp_md");
_Static_assert(sizeof(((struct bpfppcc_sk_buff *)0)->reserved) >= sizeof(struct bounds), "bounds fit into an sk_buff");

/* The bounds of the context, or, if it has none, of its bare packet. */
static struct bounds read_bounds(const void *reserved, uint64_t owner, const void *begin, const void *end)
{
    struct bounds bounds;
    memcpy(&bounds, reserved, sizeof bounds);
    if (bounds.owner != owner || (const char *)begin < bounds.start || (const char *)end > bounds.end)
        bounds = (struct bounds){ .start = (char *)(uintptr_t)begin, .end = (char *)(uintptr_t)end };
    return bounds;
}

static struct bounds xdp_bounds(const struct bpfppcc_xdp_md *ctx)
{
    return read_bounds(ctx->reserved, result(ctx) ^ XDP_OWNER, ctx->data_meta && ctx->data_meta <= ctx->data ? ctx->data_meta : ctx->data,
        ctx->data_end);
}

struct bounds bpfppcc_rt_skb_bounds(const struct bpfppcc_sk_buff *ctx)
{
    return read_bounds(ctx->reserved, result(ctx) ^ SKB_OWNER, ctx->data, ctx->data_end);
}

void bpfppcc_xdp_init(struct bpfppcc_xdp_md *ctx, void *packet, uint32_t length, uint32_t headroom)
{
    char *data = packet;
    struct bounds bounds = { result(ctx) ^ XDP_OWNER, data - headroom, data + length };
    *ctx = (struct bpfppcc_xdp_md){ .data = data, .data_end = data + length, .data_meta = data };
    memcpy(ctx->reserved, &bounds, sizeof bounds);
    bpfppcc_rt_thread()->prog_type = PROG_XDP;
}

void bpfppcc_xdp_set_tailroom(struct bpfppcc_xdp_md *ctx, uint32_t tailroom)
{
    struct bounds bounds = xdp_bounds(ctx);
    bounds.owner = result(ctx) ^ XDP_OWNER;
    bounds.end = (char *)ctx->data_end + tailroom;
    memcpy(ctx->reserved, &bounds, sizeof bounds);
}

void bpfppcc_skb_init(struct bpfppcc_sk_buff *ctx, void *packet, uint32_t length, uint32_t headroom)
{
    char *data = packet;
    struct bounds bounds = { result(ctx) ^ SKB_OWNER, data - headroom, data + length };
    *ctx = (struct bpfppcc_sk_buff){ .len = length, .wire_len = length, .data = data, .data_end = data + length, .data_meta = data };
    if (length >= ETHERNET_HEADER)
        ctx->protocol = network_order(read_be16(data + ETHERTYPE_OFFSET));
    memcpy(ctx->reserved, &bounds, sizeof bounds);
    bpfppcc_rt_thread()->prog_type = PROG_SCHED_CLS;
}

void bpfppcc_skb_set_tailroom(struct bpfppcc_sk_buff *ctx, uint32_t tailroom)
{
    struct bounds bounds = bpfppcc_rt_skb_bounds(ctx);
    bounds.owner = result(ctx) ^ SKB_OWNER;
    bounds.end = (char *)ctx->data_end + tailroom;
    memcpy(ctx->reserved, &bounds, sizeof bounds);
}

void *bpfppcc_rt_skb_bytes(const struct bpfppcc_sk_buff *ctx, uint32_t offset, uint64_t length)
{
    return offset <= INT32_MAX && is_within(offset, length, skb_size(ctx)) ? (char *)ctx->data + offset : NULL;
}

static bool runs_xdp(void)
{
    return bpfppcc_rt_thread()->prog_type == PROG_XDP;
}

/* For helpers that are given a context of either type: the type of the running program tells. */
void bpfppcc_rt_packet(const void *ctx, const char **data, size_t *size)
{
    const struct bpfppcc_xdp_md *xdp = ctx;
    const struct bpfppcc_sk_buff *skb = ctx;
    *data = runs_xdp() ? xdp->data : skb->data;
    *size = runs_xdp() ? xdp_size(xdp) : skb_size(skb);
}

/* ---- XDP ---- */

HELPER(xdp_adjust_head, context, by, _3, _4, _5)
{
    struct bpfppcc_xdp_md *ctx = pointer(context);
    int64_t delta = (int32_t)by;
    size_t meta = ctx->data_meta && ctx->data_meta <= ctx->data ? (size_t)((char *)ctx->data - (char *)ctx->data_meta) : 0;
    int64_t headroom = (char *)ctx->data - (xdp_bounds(ctx).start + meta), most = (int64_t)xdp_size(ctx) - ETHERNET_HEADER;
    if (delta < -headroom || delta > most)
        return result_of(-EINVAL);
    char *data = (char *)ctx->data + delta;
    if (meta)
        memmove(data - meta, ctx->data_meta, meta);
    ctx->data = data;
    ctx->data_meta = data - meta;
    return 0;
}

HELPER(xdp_adjust_tail, context, by, _3, _4, _5)
{
    struct bpfppcc_xdp_md *ctx = pointer(context);
    int64_t delta = (int32_t)by, tailroom = xdp_bounds(ctx).end - (char *)ctx->data_end;
    if (delta > tailroom || (int64_t)xdp_size(ctx) + delta < ETHERNET_HEADER)
        return result_of(-EINVAL);
    if (delta > 0)
        memset(ctx->data_end, 0, (size_t)delta);
    ctx->data_end = (char *)ctx->data_end + delta;
    return 0;
}

HELPER(xdp_adjust_meta, context, by, _3, _4, _5)
{
    enum { MOST_META = 255 };
    struct bpfppcc_xdp_md *ctx = pointer(context);
    const char *old = ctx->data_meta && ctx->data_meta <= ctx->data ? ctx->data_meta : ctx->data;
    int64_t meta = (const char *)ctx->data - old - (int32_t)by;
    if (meta < 0 || meta > (char *)ctx->data - xdp_bounds(ctx).start)
        return result_of(-EINVAL);
    if (meta % 4 || meta > MOST_META)
        return result_of(-EACCES);
    ctx->data_meta = (char *)ctx->data - meta;
    return 0;
}

HELPER(xdp_get_buff_len, context, _2, _3, _4, _5)
{
    return xdp_size(pointer(context));
}

static int xdp_range(const struct bpfppcc_xdp_md *ctx, uint32_t offset, uint32_t length)
{
    if (offset > MAX_OFFSET || length > MAX_OFFSET)
        return -EFAULT;
    return is_within(offset, length, xdp_size(ctx)) ? 0 : -EINVAL;
}

HELPER(xdp_load_bytes, context, offset, to, length, _5)
{
    struct bpfppcc_xdp_md *ctx = pointer(context);
    int error = xdp_range(ctx, (uint32_t)offset, (uint32_t)length);
    if (!error)
        memcpy(pointer(to), (char *)ctx->data + (uint32_t)offset, (uint32_t)length);
    return result_of(error);
}

HELPER(xdp_store_bytes, context, offset, from, length, _5)
{
    struct bpfppcc_xdp_md *ctx = pointer(context);
    int error = xdp_range(ctx, (uint32_t)offset, (uint32_t)length);
    if (!error)
        memcpy((char *)ctx->data + (uint32_t)offset, pointer(from), (uint32_t)length);
    return result_of(error);
}

/* ---- redirection: recorded for the host ---- */

static struct bpfppcc_redirect *record(enum bpfppcc_redirect_kind kind, uint32_t ifindex, uint64_t flags)
{
    struct bpfppcc_redirect *redirect = &bpfppcc_rt_thread()->redirect;
    *redirect = (struct bpfppcc_redirect){ .kind = kind, .ifindex = ifindex, .flags = flags };
    return redirect;
}

HELPER(redirect, ifindex, flags, _3, _4, _5)
{
    enum { INGRESS = 1 };
    if (flags & ~(runs_xdp() ? 0 : (uint64_t)INGRESS))
        return runs_xdp() ? XDP_ABORTED : TC_ACT_SHOT;
    record(BPFPPCC_REDIRECT_IFINDEX, (uint32_t)ifindex, flags);
    return runs_xdp() ? XDP_REDIRECT : TC_ACT_REDIRECT;
}

HELPER(redirect_peer, ifindex, flags, _3, _4, _5)
{
    if (flags)
        return TC_ACT_SHOT;
    record(BPFPPCC_REDIRECT_PEER, (uint32_t)ifindex, 0);
    return TC_ACT_REDIRECT;
}

HELPER(redirect_neigh, ifindex, next_hop, size, flags, _5)
{
    enum { NEXT_HOP_SIZE = 20 };
    if (flags || ((int32_t)size && (int32_t)size < NEXT_HOP_SIZE))
        return TC_ACT_SHOT;
    record(BPFPPCC_REDIRECT_NEIGH, (uint32_t)ifindex, 0);
    return TC_ACT_REDIRECT;
}

HELPER(redirect_map, target, key, flags, _4, _5)
{
    enum { IF_MISSING = 3, BROADCAST = 8, EXCLUDE_INGRESS = 16 };
    struct bpfppcc_map *map = pointer(target);
    bool is_devmap = map->type == MAP_DEVMAP || map->type == MAP_DEVMAP_HASH;
    if (flags & ~(uint64_t)(IF_MISSING | (is_devmap ? BROADCAST | EXCLUDE_INGRESS : 0)))
        return XDP_ABORTED;
    const uint32_t index = (uint32_t)key;
    const void *value = flags & BROADCAST ? NULL : bpfppcc_rt_map_lookup(map, &index, 0, BY_PROGRAM);
    if (!value && !(flags & BROADCAST))
        return flags & IF_MISSING;
    struct bpfppcc_redirect *redirect = record(BPFPPCC_REDIRECT_MAP, 0, flags);
    redirect->map = map;
    redirect->key = key;
    redirect->value = value;
    if (value && is_devmap)
        memcpy(&redirect->ifindex, value, sizeof redirect->ifindex);
    return XDP_REDIRECT;
}

HELPER(clone_redirect, context, ifindex, flags, _4, _5)
{
    enum { INGRESS = 1 };
    if (flags & ~(uint64_t)INGRESS)
        return result_of(-EINVAL);
    bpfppcc_hooks.clone_redirect(pointer(context), (uint32_t)ifindex, flags);
    return 0;
}
