/*
 * bpfppcc_packet.h - what the files about packets share: bpfppcc_packet.c, bpfppcc_skb.c, bpfppcc_checksum.c.
 */
#ifndef BPFPPCC_PACKET_H
#define BPFPPCC_PACKET_H

#include "bpfppcc_rt.h"

#pragma GCC visibility push(hidden)

enum { ETHERNET_HEADER = 14, ETHERTYPE_OFFSET = 12, MAX_OFFSET = 0xffff };

/* How far a packet may grow; kept in its context's reserved fields. */
struct bounds {
    uint64_t owner;                     /* the address of the context, and of which type it is */
    char *start;                        /* of the headroom */
    char *end;                          /* of the tailroom */
};

struct bounds bpfppcc_rt_skb_bounds(const struct bpfppcc_sk_buff *ctx);

/* The bytes at an offset into the packet, or NULL if it has not that many there. */
void *bpfppcc_rt_skb_bytes(const struct bpfppcc_sk_buff *ctx, uint32_t offset, uint64_t length);

#pragma GCC visibility pop

static inline bool is_within(uint64_t offset, uint64_t length, size_t size)
{
    return offset <= size && length <= size - offset;
}

static inline size_t xdp_size(const struct bpfppcc_xdp_md *ctx)
{
    return (size_t)((char *)ctx->data_end - (char *)ctx->data);
}

static inline size_t skb_size(const struct bpfppcc_sk_buff *ctx)
{
    return (size_t)((char *)ctx->data_end - (char *)ctx->data);
}

static inline uint16_t read_be16(const void *from)
{
    const unsigned char *bytes = from;
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline void write_be16(void *to, uint16_t value)
{
    unsigned char *bytes = to;
    bytes[0] = (unsigned char)(value >> 8);
    bytes[1] = (unsigned char)value;
}

/* A 16-bit number as a field of a context has it: in network byte order. */
static inline uint32_t network_order(uint16_t value)
{
    uint16_t field;
    write_be16(&field, value);
    return field;
}

static inline uint16_t from_network_order(uint32_t field)
{
    uint16_t value = (uint16_t)field;
    return read_be16(&value);
}

#endif
