/*
 * bpfppcc_skb.c - helpers on struct __sk_buff, checksums excepted (bpfppcc_checksum.c).
 *
 * Layer 2 is Ethernet: the network header begins 14 bytes into the packet.
 */
#include "bpfppcc_packet.h"

enum { NOT_SUPPORTED = 524 };            /* Linux's ENOTSUPP, which errno.h does not have */
enum { IPV4_HEADER = 20, IPV6_HEADER = 40, VLAN_TAG = 4 };
enum { TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd, TYPE_VLAN = 0x8100, TYPE_SERVICE_VLAN = 0x88a8 };

/* ---- skb: bytes ---- */

HELPER(skb_load_bytes, context, offset, to, length, _5)
{
    const void *from = bpfppcc_rt_skb_bytes(pointer(context), (uint32_t)offset, (uint32_t)length);
    if (from)
        memcpy(pointer(to), from, (uint32_t)length);
    else
        memset(pointer(to), 0, (uint32_t)length);
    return result_of(from ? 0 : -EFAULT);
}

HELPER(skb_load_bytes_relative, context, offset, to, length, from_header)
{
    enum { FROM_MAC, FROM_NET };
    uint32_t at = (uint32_t)offset, start = (uint32_t)from_header == FROM_NET ? ETHERNET_HEADER : 0;
    const void *from = at <= MAX_OFFSET && (uint32_t)from_header <= FROM_NET ? bpfppcc_rt_skb_bytes(pointer(context), at + start, (uint32_t)length) : NULL;
    if (from)
        memcpy(pointer(to), from, (uint32_t)length);
    else
        memset(pointer(to), 0, (uint32_t)length);
    return result_of(from ? 0 : -EFAULT);
}

HELPER(skb_store_bytes, context, offset, from, length, flags)
{
    enum { RECOMPUTE_CSUM = 1, INVALIDATE_HASH = 2 };
    struct bpfppcc_sk_buff *ctx = pointer(context);
    if (flags & ~(uint64_t)(RECOMPUTE_CSUM | INVALIDATE_HASH))
        return result_of(-EINVAL);
    void *to = bpfppcc_rt_skb_bytes(ctx, (uint32_t)offset, (uint32_t)length);
    if (!to)
        return result_of(-EFAULT);
    memcpy(to, pointer(from), (uint32_t)length);
    if (flags & INVALIDATE_HASH)
        ctx->hash = 0;
    return 0;
}

HELPER(skb_pull_data, context, length, _3, _4, _5)
{
    return result_of((uint32_t)length <= skb_size(pointer(context)) ? 0 : -ENOMEM);
}

/* LD_ABS and LD_IND: big-endian from the packet. Negative offsets are a classic BPF way to say "from this header". */
static int64_t legacy_load(const struct bpfppcc_sk_buff *ctx, int32_t offset, uint32_t size)
{
    enum { NETWORK_OFFSET = -0x100000, LINK_OFFSET = -0x200000 };
    int64_t at = offset;
    if (offset < 0 && offset >= NETWORK_OFFSET)
        at = (int64_t)offset - NETWORK_OFFSET + ETHERNET_HEADER;
    else if (offset < 0 && offset >= LINK_OFFSET)
        at = (int64_t)offset - LINK_OFFSET;
    const unsigned char *bytes = at >= 0 ? bpfppcc_rt_skb_bytes(ctx, (uint32_t)at, size) : NULL;
    if (!bytes)
        return -EFAULT;
    uint32_t value = 0;
    for (uint32_t i = 0; i < size; i++)
        value = value << 8 | bytes[i];
    return value;
}

HELPER(skb_load_helper_8, context, offset, _3, _4, _5)
{
    return result_of(legacy_load(pointer(context), (int32_t)offset, 1));
}

HELPER(skb_load_helper_16, context, offset, _3, _4, _5)
{
    return result_of(legacy_load(pointer(context), (int32_t)offset, 2));
}

HELPER(skb_load_helper_32, context, offset, _3, _4, _5)
{
    return result_of(legacy_load(pointer(context), (int32_t)offset, 4));
}

/* ---- skb: length ---- */

static void set_skb(struct bpfppcc_sk_buff *ctx, char *data, char *end)
{
    ctx->data = ctx->data_meta = data;
    ctx->data_end = end;
    ctx->len = ctx->wire_len = (uint32_t)(end - data);
}

/* Makes room for `size` bytes of zeros at `offset` by moving what stands in front of them towards the headroom. */
static int insert(struct bpfppcc_sk_buff *ctx, size_t offset, size_t size)
{
    char *data = ctx->data;
    if (offset > skb_size(ctx) || size > (size_t)(data - bpfppcc_rt_skb_bounds(ctx).start))
        return -ENOMEM;
    memmove(data - size, data, offset);
    memset(data - size + offset, 0, size);
    set_skb(ctx, data - size, ctx->data_end);
    return 0;
}

static int cut_out(struct bpfppcc_sk_buff *ctx, size_t offset, size_t size)
{
    char *data = ctx->data;
    if (!is_within(offset, size, skb_size(ctx)))
        return -EINVAL;
    memmove(data + size, data, offset);
    set_skb(ctx, data + size, ctx->data_end);
    return 0;
}

HELPER(skb_change_head, context, size, flags, _4, _5)
{
    return result_of(flags || (uint32_t)size > MAX_OFFSET ? -EINVAL : insert(pointer(context), 0, (uint32_t)size));
}

HELPER(skb_change_tail, context, size, flags, _4, _5)
{
    struct bpfppcc_sk_buff *ctx = pointer(context);
    uint32_t length = (uint32_t)size;
    if (flags || length < ETHERNET_HEADER || length > MAX_OFFSET)
        return result_of(-EINVAL);
    if (length > skb_size(ctx)) {
        size_t more = length - skb_size(ctx);
        if (more > (size_t)(bpfppcc_rt_skb_bounds(ctx).end - (char *)ctx->data_end))
            return result_of(-ENOMEM);
        memset(ctx->data_end, 0, more);
    }
    set_skb(ctx, ctx->data, (char *)ctx->data + length);
    return 0;
}

/* Between IPv4 and IPv6: room for the new header. Its contents are the program's business. */
HELPER(skb_change_proto, context, protocol, flags, _4, _5)
{
    struct bpfppcc_sk_buff *ctx = pointer(context);
    uint16_t from = from_network_order(ctx->protocol), to = from_network_order((uint32_t)protocol);
    int error = -NOT_SUPPORTED;
    if (flags)
        return result_of(-EINVAL);
    if (from == TYPE_IPV4 && to == TYPE_IPV6)
        error = insert(ctx, ETHERNET_HEADER, IPV6_HEADER - IPV4_HEADER);
    else if (from == TYPE_IPV6 && to == TYPE_IPV4)
        error = cut_out(ctx, ETHERNET_HEADER, IPV6_HEADER - IPV4_HEADER);
    if (!error) {
        ctx->protocol = (uint16_t)protocol;
        ctx->hash = 0;
    }
    return result_of(error);
}

HELPER(skb_change_type, context, type, _3, _4, _5)
{
    enum { OTHER_HOST = 3 };
    struct bpfppcc_sk_buff *ctx = pointer(context);
    if (ctx->pkt_type > OTHER_HOST || (uint32_t)type > OTHER_HOST)
        return result_of(-EINVAL);
    ctx->pkt_type = (uint32_t)type;
    return 0;
}

/* Room behind the network header (mode 0) or in front of it (mode 1). */
HELPER(skb_adjust_room, context, by, mode, flags, _5)
{
    enum { BEHIND_NETWORK_HEADER, BEHIND_MAC, MOST = 0xfff };
    struct bpfppcc_sk_buff *ctx = pointer(context);
    int32_t delta = (int32_t)by;
    uint16_t protocol = from_network_order(ctx->protocol);
    size_t header = protocol == TYPE_IPV4 ? IPV4_HEADER : IPV6_HEADER, offset = ETHERNET_HEADER;
    if (flags || (uint32_t)mode > BEHIND_MAC)
        return result_of(-EINVAL);
    if (delta < -MOST || delta > MOST)
        return result_of(-EFAULT);
    if (protocol != TYPE_IPV4 && protocol != TYPE_IPV6)
        return result_of(-NOT_SUPPORTED);
    if ((uint32_t)mode == BEHIND_NETWORK_HEADER)
        offset += header;
    if (delta >= 0)
        return result_of(insert(ctx, offset, (size_t)delta));
    size_t less = (size_t)-delta;
    return result_of(skb_size(ctx) < ETHERNET_HEADER + header + less ? -NOT_SUPPORTED : cut_out(ctx, offset, less));
}

/* ---- skb: the VLAN tag, which is part of the packet only if there is a second one ---- */

static void set_tag(struct bpfppcc_sk_buff *ctx, uint32_t protocol, uint16_t tci)
{
    ctx->vlan_present = 1;
    ctx->vlan_proto = protocol;
    ctx->vlan_tci = tci;
}

HELPER(skb_vlan_push, context, protocol, tci, _4, _5)
{
    struct bpfppcc_sk_buff *ctx = pointer(context);
    uint16_t type = from_network_order((uint32_t)protocol);
    if (type != TYPE_VLAN && type != TYPE_SERVICE_VLAN)
        type = TYPE_VLAN;
    if (ctx->vlan_present) {
        int error = insert(ctx, ETHERTYPE_OFFSET, VLAN_TAG);
        if (error)
            return result_of(error);
        write_be16((char *)ctx->data + ETHERTYPE_OFFSET, from_network_order(ctx->vlan_proto));
        write_be16((char *)ctx->data + ETHERTYPE_OFFSET + 2, (uint16_t)ctx->vlan_tci);
        ctx->protocol = ctx->vlan_proto;
    }
    set_tag(ctx, network_order(type), (uint16_t)tci);
    return 0;
}

HELPER(skb_vlan_pop, context, _2, _3, _4, _5)
{
    struct bpfppcc_sk_buff *ctx = pointer(context);
    ctx->vlan_present = ctx->vlan_tci = ctx->vlan_proto = 0;
    uint16_t type = from_network_order(ctx->protocol);
    if ((type != TYPE_VLAN && type != TYPE_SERVICE_VLAN) || skb_size(ctx) < ETHERNET_HEADER + VLAN_TAG)
        return 0;
    set_tag(ctx, ctx->protocol, read_be16((char *)ctx->data + ETHERNET_HEADER));
    cut_out(ctx, ETHERTYPE_OFFSET, VLAN_TAG);
    ctx->protocol = network_order(read_be16((char *)ctx->data + ETHERTYPE_OFFSET));
    return 0;
}

/* ---- skb: the flow hash ---- */

HELPER(set_hash_invalid, context, _2, _3, _4, _5)
{
    ((struct bpfppcc_sk_buff *)pointer(context))->hash = 0;
    return 0;
}

HELPER(set_hash, context, hash, _3, _4, _5)
{
    ((struct bpfppcc_sk_buff *)pointer(context))->hash = (uint32_t)hash;
    return 0;
}

/* Of addresses, protocol and ports, so that packets of one flow have one hash; never 0. Which, is up to whoever computes it. */
HELPER(get_hash_recalc, context, _2, _3, _4, _5)
{
    struct bpfppcc_sk_buff *ctx = pointer(context);
    if (ctx->hash)
        return ctx->hash;
    const char *ip = (const char *)ctx->data + ETHERNET_HEADER;
    size_t size = skb_size(ctx) > ETHERNET_HEADER ? skb_size(ctx) - ETHERNET_HEADER : 0;
    uint64_t hash = ctx->protocol;
    if (from_network_order(ctx->protocol) == TYPE_IPV4 && size >= IPV4_HEADER + 4) {
        hash = bpfppcc_rt_hash_bytes(ip + 12, 8, hash + (unsigned char)ip[9]);
        hash = bpfppcc_rt_hash_bytes(ip + (size_t)(ip[0] & 15) * 4, is_within((size_t)(ip[0] & 15) * 4, 4, size) ? 4 : 0, hash);
    } else if (from_network_order(ctx->protocol) == TYPE_IPV6 && size >= IPV6_HEADER + 4) {
        hash = bpfppcc_rt_hash_bytes(ip + 8, 36, hash + (unsigned char)ip[6]);
    }
    ctx->hash = (uint32_t)hash ? (uint32_t)hash : 1;
    return ctx->hash;
}
