/* Contexts, the helpers that change packets, checksums (against sums formed afresh) and redirections. */
#include "check.h"

enum { HEADROOM = 64, LENGTH = 60, TAILROOM = 32 };
static unsigned char frame[HEADROOM + LENGTH + TAILROOM];
static unsigned char *const packet = frame + HEADROOM;
static struct bpfppcc_xdp_md xdp;
static struct bpfppcc_sk_buff skb;

static void fill(void)
{
    memset(frame, 0xee, sizeof frame);
    for (int i = 0; i < LENGTH; i++)
        packet[i] = (unsigned char)i;
    packet[12] = 0x08;
    packet[13] = 0x00;
    packet[14] = 0x45;
}

static void start_xdp(void)
{
    fill();
    bpfppcc_xdp_init(&xdp, packet, LENGTH, HEADROOM);
    bpfppcc_xdp_set_tailroom(&xdp, TAILROOM);
}

static void start_skb(void)
{
    fill();
    bpfppcc_skb_init(&skb, packet, LENGTH, HEADROOM);
    bpfppcc_skb_set_tailroom(&skb, TAILROOM);
}

static void xdp_moves(void)
{
    start_xdp();
    CHECK(xdp.data == packet && xdp.data_meta == packet && xdp.data_end == packet + LENGTH && !xdp.ingress_ifindex);
    EQUAL(HELPER(xdp_get_buff_len, &xdp), LENGTH);
    EQUAL(HELPER(xdp_adjust_head, &xdp, -HEADROOM - 1), -EINVAL);
    EQUAL(HELPER(xdp_adjust_head, &xdp, -HEADROOM), 0);
    CHECK(xdp.data == frame);
    EQUAL(HELPER(xdp_adjust_head, &xdp, HEADROOM + LENGTH - 13), -EINVAL);    /* 14 bytes stay */
    EQUAL(HELPER(xdp_adjust_head, &xdp, HEADROOM + LENGTH - 14), 0);
    EQUAL(HELPER(xdp_get_buff_len, &xdp), 14);

    start_xdp();
    EQUAL(HELPER(xdp_adjust_tail, &xdp, TAILROOM + 1), -EINVAL);
    EQUAL(HELPER(xdp_adjust_tail, &xdp, TAILROOM), 0);
    CHECK(xdp.data_end == frame + sizeof frame && packet[LENGTH] == 0 && frame[sizeof frame - 1] == 0);
    EQUAL(HELPER(xdp_adjust_tail, &xdp, -TAILROOM - LENGTH + 13), -EINVAL);
    EQUAL(HELPER(xdp_adjust_tail, &xdp, 0xffffffff00000000ULL | (uint32_t)(-TAILROOM - LENGTH + 14)), 0);
    EQUAL(HELPER(xdp_get_buff_len, &xdp), 14);

    start_xdp();
    EQUAL(HELPER(xdp_adjust_meta, &xdp, -6), -EACCES);
    EQUAL(HELPER(xdp_adjust_meta, &xdp, 4), -EINVAL);
    EQUAL(HELPER(xdp_adjust_meta, &xdp, -HEADROOM - 4), -EINVAL);
    EQUAL(HELPER(xdp_adjust_meta, &xdp, -8), 0);
    memcpy(xdp.data_meta, "metadata", 8);
    EQUAL(HELPER(xdp_adjust_head, &xdp, -HEADROOM + 4), -EINVAL);             /* the metadata moves along */
    EQUAL(HELPER(xdp_adjust_head, &xdp, -20), 0);
    CHECK((char *)xdp.data - (char *)xdp.data_meta == 8 && !memcmp(xdp.data_meta, "metadata", 8));
    EQUAL(HELPER(xdp_adjust_meta, &xdp, 8), 0);
    CHECK(xdp.data_meta == xdp.data);

    /* A context that was filled in by hand, or copied: no room. */
    struct bpfppcc_xdp_md bare = { .data = packet, .data_end = packet + LENGTH, .data_meta = packet }, copy = xdp;
    EQUAL(HELPER(xdp_adjust_head, &bare, -1), -EINVAL);
    EQUAL(HELPER(xdp_adjust_head, &bare, 1), 0);
    EQUAL(HELPER(xdp_adjust_tail, &bare, 1), -EINVAL);
    EQUAL(HELPER(xdp_adjust_tail, &bare, -1), 0);
    EQUAL(HELPER(xdp_adjust_head, &copy, -1), -EINVAL);
}

static void xdp_bytes(void)
{
    unsigned char out[64];
    start_xdp();
    EQUAL(HELPER(xdp_load_bytes, &xdp, 20, out, 5), 0);
    CHECK(!memcmp(out, packet + 20, 5));
    EQUAL(HELPER(xdp_load_bytes, &xdp, LENGTH, out, 0), 0);
    EQUAL(HELPER(xdp_load_bytes, &xdp, LENGTH - 4, out, 5), -EINVAL);
    EQUAL(HELPER(xdp_load_bytes, &xdp, 0x10000, out, 1), -EFAULT);
    EQUAL(HELPER(xdp_store_bytes, &xdp, 20, "abcde", 5), 0);
    CHECK(!memcmp(packet + 20, "abcde", 5));
    EQUAL(HELPER(xdp_store_bytes, &xdp, LENGTH, "a", 1), -EINVAL);
}

static void skb_bytes(void)
{
    unsigned char out[8];
    start_skb();
    EQUAL(skb.len, LENGTH);
    CHECK(!memcmp(&(uint16_t){ (uint16_t)skb.protocol }, "\x08\x00", 2));
    EQUAL(HELPER(skb_load_bytes, &skb, 20, out, 4), 0);
    CHECK(!memcmp(out, packet + 20, 4));
    EQUAL(HELPER(skb_load_bytes, &skb, LENGTH - 3, out, 4), -EFAULT);
    CHECK(!memcmp(out, "\0\0\0\0", 4));
    EQUAL(HELPER(skb_load_bytes, &skb, (uint32_t)-4, out, 4), -EFAULT);
    EQUAL(HELPER(skb_load_bytes_relative, &skb, 2, out, 4, 0), 0);
    CHECK(!memcmp(out, packet + 2, 4));
    EQUAL(HELPER(skb_load_bytes_relative, &skb, 2, out, 4, 1), 0);
    CHECK(!memcmp(out, packet + 16, 4));
    EQUAL(HELPER(skb_load_bytes_relative, &skb, 2, out, 4, 2), -EFAULT);
    skb.hash = 5;
    EQUAL(HELPER(skb_store_bytes, &skb, 20, "abcd", 4, 1), 0);
    EQUAL(skb.hash, 5);
    EQUAL(HELPER(skb_store_bytes, &skb, 20, "efgh", 4, 2), 0);
    CHECK(!memcmp(packet + 20, "efgh", 4) && !skb.hash);
    EQUAL(HELPER(skb_store_bytes, &skb, 20, "efgh", 4, 4), -EINVAL);
    EQUAL(HELPER(skb_store_bytes, &skb, LENGTH, "efgh", 4, 0), -EFAULT);
    EQUAL(HELPER(skb_pull_data, &skb, LENGTH), 0);
    EQUAL(HELPER(skb_pull_data, &skb, LENGTH + 1), -ENOMEM);
    /* LD_ABS: big-endian */
    EQUAL(HELPER(skb_load_helper_8, &skb, 12), 8);
    EQUAL(HELPER(skb_load_helper_16, &skb, 12), 0x0800);
    EQUAL(HELPER(skb_load_helper_32, &skb, 30), 0x1e1f2021);
    EQUAL(HELPER(skb_load_helper_32, &skb, LENGTH - 3), -EFAULT);
    EQUAL(HELPER(skb_load_helper_8, &skb, (uint32_t)-0x100000), 0x45);        /* the network header */
    EQUAL(HELPER(skb_load_helper_16, &skb, (uint32_t)-0x200000 + 12), 0x0800);
    EQUAL(HELPER(skb_load_helper_8, &skb, (uint32_t)-0x300000), -EFAULT);
    packet[5] = 0xff;
    packet[6] = 0xfe;
    EQUAL(HELPER(skb_load_helper_32, &skb, 5), 0xfffe0708LL);                 /* no sign */
}

static void skb_lengths(void)
{
    start_skb();
    EQUAL(HELPER(skb_change_tail, &skb, LENGTH + TAILROOM, 0), 0);
    CHECK(skb.len == LENGTH + TAILROOM && packet[LENGTH] == 0);
    EQUAL(HELPER(skb_change_tail, &skb, LENGTH + TAILROOM + 1, 0), -ENOMEM);
    EQUAL(HELPER(skb_change_tail, &skb, 13, 0), -EINVAL);
    EQUAL(HELPER(skb_change_tail, &skb, 40, 1), -EINVAL);
    EQUAL(HELPER(skb_change_tail, &skb, 40, 0), 0);
    EQUAL(skb.len, 40);
    EQUAL(HELPER(skb_change_head, &skb, 14, 0), 0);
    CHECK(skb.data == packet - 14 && skb.len == 54 && packet[-1] == 0);
    EQUAL(HELPER(skb_change_head, &skb, HEADROOM, 0), -ENOMEM);

    start_skb();
    uint16_t ipv6, ipv4;
    memcpy(&ipv6, "\x86\xdd", 2);
    memcpy(&ipv4, "\x08\x00", 2);
    EQUAL(HELPER(skb_change_proto, &skb, ipv6, 1), -EINVAL);
    EQUAL(HELPER(skb_change_proto, &skb, ipv4, 0), -524);
    EQUAL(HELPER(skb_change_proto, &skb, ipv6, 0), 0);
    CHECK(skb.data == packet - 20 && packet[-20] == 0 && packet[-19] == 1 && packet[-6] == 0 && skb.protocol == ipv6 && packet[14] == 0x45);
    EQUAL(HELPER(skb_change_proto, &skb, ipv4, 0), 0);
    CHECK(skb.data == packet && packet[1] == 1 && skb.len == LENGTH);

    EQUAL(HELPER(skb_adjust_room, &skb, 8, 0, 0), 0);                         /* behind the IP header */
    CHECK(skb.data == packet - 8 && packet[6] == 0x45 && packet[26] == 0 && packet[34] == 34);
    EQUAL(HELPER(skb_adjust_room, &skb, -8, 0, 0), 0);
    CHECK(skb.data == packet && packet[14] == 0x45 && packet[34] == 34);
    EQUAL(HELPER(skb_adjust_room, &skb, 4, 1, 0), 0);                         /* in front of it */
    CHECK(skb.data == packet - 4 && packet[10] == 0 && packet[14] == 0x45);
    EQUAL(HELPER(skb_adjust_room, &skb, 0x1000, 1, 0), -EFAULT);
    EQUAL(HELPER(skb_adjust_room, &skb, -40, 1, 0), -524);

    EQUAL(HELPER(skb_change_type, &skb, 3), 0);
    EQUAL(skb.pkt_type, 3);
    EQUAL(HELPER(skb_change_type, &skb, 4), -EINVAL);
}

static void vlan_tags(void)
{
    uint16_t vlan, ipv4;
    memcpy(&vlan, "\x81\x00", 2);
    memcpy(&ipv4, "\x08\x00", 2);
    start_skb();
    EQUAL(HELPER(skb_vlan_push, &skb, vlan, 0x123), 0);
    CHECK(skb.vlan_present && skb.vlan_tci == 0x123 && skb.len == LENGTH && skb.protocol == ipv4);
    EQUAL(HELPER(skb_vlan_push, &skb, vlan, 0x456), 0);                       /* the first goes into the packet */
    CHECK(skb.vlan_tci == 0x456 && skb.len == LENGTH + 4 && skb.protocol == vlan);
    CHECK(!memcmp((char *)skb.data + 12, "\x81\x00\x01\x23\x08\x00\x45", 7));
    EQUAL(HELPER(skb_vlan_pop, &skb), 0);
    CHECK(skb.vlan_present && skb.vlan_tci == 0x123 && skb.len == LENGTH && skb.protocol == ipv4 && skb.data == packet && packet[11] == 11);
    EQUAL(HELPER(skb_vlan_pop, &skb), 0);
    CHECK(!skb.vlan_present && skb.len == LENGTH);
}

static void flow_hash(void)
{
    start_skb();
    packet[23] = 17;
    uint32_t hash = (uint32_t)HELPER(get_hash_recalc, &skb);
    CHECK(hash != 0 && skb.hash == hash);
    EQUAL(HELPER(set_hash_invalid, &skb), 0);
    packet[50] ^= 1;                                                          /* payload */
    EQUAL(HELPER(get_hash_recalc, &skb), hash);
    HELPER(set_hash_invalid, &skb);
    packet[34] ^= 1;                                                          /* a port */
    CHECK(HELPER(get_hash_recalc, &skb) != hash);
    HELPER(set_hash, &skb, 77);
    EQUAL(HELPER(get_hash_recalc, &skb), 77);
}

/* RFC 1071, over big-endian words. */
static unsigned checksum(const unsigned char *bytes, size_t size)
{
    unsigned long sum = 0;
    for (size_t i = 0; i < size; i += 2)
        sum += (unsigned)(bytes[i] << 8 | bytes[i + 1]);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return 0xffff & ~sum;
}

static unsigned stored(int at)
{
    return (unsigned)(packet[at] << 8 | packet[at + 1]);
}

static void store(int at, unsigned value)
{
    packet[at] = (unsigned char)(value >> 8);
    packet[at + 1] = (unsigned char)value;
}

static void checksums(void)
{
    start_skb();
    for (int round = 0; round < 3000 && !failures; round++) {
        for (int i = 14; i < 34; i++)
            packet[i] = (unsigned char)chance(256);
        store(24, 0);
        store(24, checksum(packet + 14, 20));
        uint32_t old, new = chance(2) ? chance(UINT32_MAX) : chance(3) << 8;
        int how = (int)chance(3), at = how == 1 ? 22 : 26 + 4 * (int)chance(2);
        memcpy(&old, packet + at, 4);
        if (how == 0) {
            EQUAL(HELPER(l3_csum_replace, &skb, 24, old, new, 4), 0);
            memcpy(packet + at, &new, 4);
        } else if (how == 1) {
            uint16_t old_half, new_half = (uint16_t)new;
            memcpy(&old_half, packet + at, 2);
            EQUAL(HELPER(l3_csum_replace, &skb, 24, old_half, new_half, 2), 0);
            memcpy(packet + at, &new_half, 2);
        } else {
            int64_t diff = (int64_t)HELPER(csum_diff, &old, 4, &new, 4, 0);
            CHECK(diff >= 0 && diff <= 0xffff);
            EQUAL(HELPER(l3_csum_replace, &skb, 24, 0, diff, 0), 0);
            memcpy(packet + at, &new, 4);
        }
        EQUAL(checksum(packet + 14, 20), 0);                                  /* a header with its checksum sums up to -0 */
    }
    EQUAL(HELPER(l3_csum_replace, &skb, 25, 0, 0, 4), -EFAULT);
    EQUAL(HELPER(l3_csum_replace, &skb, LENGTH, 0, 0, 4), -EFAULT);
    EQUAL(HELPER(l3_csum_replace, &skb, 24, 0, 0, 3), -EINVAL);
    EQUAL(HELPER(l3_csum_replace, &skb, 24, 0, 0, 16), -EINVAL);
    EQUAL(HELPER(l3_csum_replace, &skb, 24, 1, 0, 0), -EINVAL);

    store(24, 0);
    EQUAL(HELPER(l4_csum_replace, &skb, 24, 1, 2, 2 | 32), 0);                /* UDP without a checksum: left alone */
    EQUAL(stored(24), 0);
    EQUAL(HELPER(l4_csum_replace, &skb, 24, 1, 2, 2 | 32 | 64), 0);
    CHECK(stored(24) != 0);
    uint16_t value;
    store(24, 0x1234);
    memcpy(&value, packet + 24, 2);
    EQUAL(HELPER(l4_csum_replace, &skb, 24, 0, value, 2 | 16 | 32), 0);       /* would become 0 */
    EQUAL(stored(24), 0xffff);
    store(24, 0x1234);
    EQUAL(HELPER(l4_csum_replace, &skb, 24, 0, value, 2 | 16), 0);
    EQUAL(stored(24), 0);
    EQUAL(HELPER(l4_csum_replace, &skb, 24, 0, 0, 128), -EINVAL);

    uint32_t words[4] = { 1, 2, 3, 4 };
    EQUAL(HELPER(csum_diff, words, 3, words, 4, 0), -EINVAL);
    EQUAL(HELPER(csum_diff, NULL, 0, words, 16, 7), 17);
    EQUAL(HELPER(csum_diff, words, 16, words, 16, 7), 7);
    EQUAL(HELPER(csum_diff, NULL, 0, NULL, 0, 0x10005), 6);
    EQUAL(HELPER(csum_diff, words, 16, NULL, 0, 20), 10);
}

static const struct bpfppcc_redirect *last(enum bpfppcc_redirect_kind kind)
{
    EQUAL(bpfppcc_last_redirect()->kind, kind);
    return bpfppcc_last_redirect();
}

static unsigned clones;
static void on_clone(const struct bpfppcc_sk_buff *ctx, uint32_t ifindex, uint64_t flags)
{
    CHECK(ctx == &skb && ifindex == 9 && flags == 1);
    clones++;
}

static void redirections(void)
{
    start_xdp();
    EQUAL(HELPER(redirect, 3, 1), 0);                                         /* XDP_ABORTED */
    EQUAL(HELPER(redirect, 3, 0), 4);
    EQUAL(last(BPFPPCC_REDIRECT_IFINDEX)->ifindex, 3);
    struct bpfppcc_map *map = make(DEVMAP, 4, 4, 8, 0);
    uint32_t key = 2, value = 17, none = 0;
    EQUAL(HELPER(redirect_map, map, 2, 2), 2);                                /* empty: the verdict in the flags */
    EQUAL(HELPER(redirect_map, map, 2, 4), 0);
    EQUAL(bpfppcc_map_update(map, &key, &value, 0), 0);
    EQUAL(HELPER(redirect_map, map, 2, 2), 4);
    CHECK(last(BPFPPCC_REDIRECT_MAP)->ifindex == 17 && bpfppcc_last_redirect()->map == map && bpfppcc_last_redirect()->key == 2);
    EQUAL(HELPER(redirect_map, map, 99, 8), 4);
    CHECK(last(BPFPPCC_REDIRECT_MAP)->value == NULL && bpfppcc_last_redirect()->flags == 8);
    EQUAL(bpfppcc_map_update(map, &key, &none, 0), 0);                        /* interface 0 empties it */
    EQUAL(HELPER(redirect_map, map, 2, 1), 1);
    bpfppcc_map_free(map);
    map = make(DEVMAP_HASH, 4, 4, 8, 0);
    key = 1000000;
    EQUAL(bpfppcc_map_update(map, &key, &value, 0), 0);
    EQUAL(HELPER(redirect_map, map, 1000000, 0), 4);
    EQUAL(HELPER(redirect_map, map, 1000001, 3), 3);
    bpfppcc_map_free(map);

    start_skb();
    EQUAL(HELPER(redirect, 3, 1), 7);
    EQUAL(last(BPFPPCC_REDIRECT_IFINDEX)->flags, 1);
    EQUAL(HELPER(redirect, 3, 2), 2);                                         /* TC_ACT_SHOT */
    EQUAL(HELPER(redirect_peer, 4, 0), 7);
    EQUAL(last(BPFPPCC_REDIRECT_PEER)->ifindex, 4);
    EQUAL(HELPER(redirect_peer, 4, 1), 2);
    EQUAL(HELPER(redirect_neigh, 5, NULL, 0, 0), 7);
    EQUAL(last(BPFPPCC_REDIRECT_NEIGH)->ifindex, 5);
    EQUAL(HELPER(redirect_neigh, 5, &skb, 8, 0), 2);
    EQUAL(HELPER(clone_redirect, &skb, 9, 1), 0);
    EQUAL(HELPER(clone_redirect, &skb, 9, 2), -EINVAL);
    EQUAL(clones, 1);
}

int main(void)
{
    bpfppcc_hooks.clone_redirect = on_clone;
    xdp_moves();
    xdp_bytes();
    skb_bytes();
    skb_lengths();
    vlan_tags();
    flow_hash();
    checksums();
    redirections();
    return report();
}
