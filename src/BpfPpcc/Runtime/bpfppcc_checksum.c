/*
 * bpfppcc_checksum.c - checksums of the internet protocols (RFC 1071): one's complement sums of 16-bit words, which do not care in which byte
 * order they are formed. Zero has two forms, 0 and 0xffff; which one comes out is Linux's choice.
 */
#include "bpfppcc_packet.h"

static uint16_t fold(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static uint64_t sum_of(const void *data, size_t size)
{
    const char *bytes = data;
    uint64_t sum = 0;
    for (size_t i = 0; i < size; i += 2) {
        uint16_t word;
        memcpy(&word, bytes + i, 2);
        sum += word;
    }
    return sum;
}

static uint32_t add(uint32_t a, uint32_t b)
{
    return a + b + (a + b < a);
}

/* In one's complement, minus x is ~x, and so a checksum, which is stored as ~sum, changes by ~from + to. */
static void change(void *checksum, uint32_t by)
{
    uint16_t old;
    memcpy(&old, checksum, 2);
    uint16_t new = (uint16_t)~fold(add(~(uint32_t)old, by));
    memcpy(checksum, &new, 2);
}

enum { FIELD_SIZE = 15, PSEUDO_HEADER = 16, MARK_MANGLED_0 = 32, MARK_ENFORCE = 64 };

static int replace_field(void *checksum, uint64_t from, uint64_t to, uint64_t flags)
{
    switch (flags & FIELD_SIZE) {
    case 0:                             /* `to` is a difference, as bpf_csum_diff computes it */
        if (from)
            return -EINVAL;
        change(checksum, (uint32_t)to);
        return 0;
    case 2:
        change(checksum, add(~(uint32_t)(uint16_t)from, (uint16_t)to));
        return 0;
    case 4:
        change(checksum, add(~(uint32_t)from, (uint32_t)to));
        return 0;
    default:
        return -EINVAL;
    }
}

static void *checksum_at(const struct bpfppcc_sk_buff *ctx, uint32_t offset)
{
    return offset > MAX_OFFSET || offset & 1 ? NULL : bpfppcc_rt_skb_bytes(ctx, offset, 2);
}

HELPER(l3_csum_replace, context, offset, from, to, flags)
{
    if (flags & ~(uint64_t)FIELD_SIZE)
        return result_of(-EINVAL);
    void *checksum = checksum_at(pointer(context), (uint32_t)offset);
    return result_of(checksum ? replace_field(checksum, from, to, flags) : -EFAULT);
}

/* UDP writes a checksum of 0 as 0xffff, because 0 says that there is none. */
HELPER(l4_csum_replace, context, offset, from, to, flags)
{
    static const unsigned char none[2];
    if (flags & ~(uint64_t)(FIELD_SIZE | PSEUDO_HEADER | MARK_MANGLED_0 | MARK_ENFORCE))
        return result_of(-EINVAL);
    void *checksum = checksum_at(pointer(context), (uint32_t)offset);
    if (!checksum)
        return result_of(-EFAULT);
    if ((flags & MARK_MANGLED_0) && !(flags & MARK_ENFORCE) && !memcmp(checksum, none, 2))
        return 0;
    int error = replace_field(checksum, from, to, flags);
    if (!error && (flags & MARK_MANGLED_0) && !memcmp(checksum, none, 2))
        memset(checksum, 0xff, 2);
    return result_of(error);
}

/* What adding `to` and taking away `from` does to a sum, folded to 16 bits. */
HELPER(csum_diff, from, from_size, to, to_size, seed)
{
    uint32_t less = (uint32_t)from_size, more = (uint32_t)to_size;
    if ((less | more) % 4)
        return result_of(-EINVAL);
    uint64_t sum = (uint32_t)seed + sum_of(pointer(to), more);
    return fold(sum + (uint64_t)less / 2 * 0xffff - sum_of(pointer(from), less));   /* the sum of the complements of its words */
}
