// Programs that call helpers in every way that has an answer and write the answers into their packet. kernel-6.12.txt beside this file has
// what Linux 6.12 on ppc64le answered, for a packet of 700 bytes (answers.c makes the same). With -DKERNEL the maps are numbers, 100 to 108,
// in which 0x7e57 stands where a loader puts BPF_PSEUDO_MAP_FD: for a harness that loads the bare instructions.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#ifdef KERNEL
#define MAP(name, number, map_type, entries, key, value, flags) static void *const name = (void *)(0x7e57000000000000ULL + number)
#else
#define MAP(name, number, map_type, entries, key, value, flags) \
    struct { \
        __uint(type, BPF_MAP_TYPE_##map_type); \
        __uint(max_entries, entries); \
        __uint(key_size, key); \
        __uint(value_size, value); \
        __uint(map_flags, flags); \
    } map_##name SEC(".maps"); \
    static void *const name = &map_##name
#endif

MAP(array, 100, ARRAY, 16, 4, 64, 0);
MAP(hash, 101, HASH, 16, 4, 64, 0);
MAP(percpu, 103, PERCPU_ARRAY, 16, 4, 64, 0);
MAP(lru, 104, LRU_HASH, 16, 4, 64, 0);
MAP(perf, 105, PERF_EVENT_ARRAY, 2, 4, 4, 0);
MAP(ringbuf, 106, RINGBUF, 65536, 0, 0, 0);
MAP(devmap, 107, DEVMAP, 16, 4, 4, 0);
MAP(lpm, 108, LPM_TRIE, 16, 8, 64, BPF_F_NO_PREALLOC);

#define START() \
    void *data = (void *)(long)ctx->data; \
    __u64 *out = data; \
    if (data + 512 > (void *)(long)ctx->data_end) \
        return 99

#define OUT(i, answer) \
    do { \
        __s64 answer_ = (__s64)(answer); \
        out[i] = answer_; \
    } while (0)

#define STRTO(function, type, i, text, flags) \
    do { \
        char text_[32] = text; \
        type number_ = 77; \
        OUT(2 * (i), function(text_, sizeof(text) - 1, flags, &number_)); \
        OUT(2 * (i) + 1, number_); \
    } while (0)
#define STR(i, text, flags) STRTO(bpf_strtol, long, i, text, flags)
#define STRU(i, text, flags) STRTO(bpf_strtoul, unsigned long, i, text, flags)

// How much of the folding bpf_csum_diff does itself depends on the kernel.
static __always_inline __s64 fold(__s64 sum)
{
    if (sum < 0)
        return sum;
    sum = (sum & 0xffff) + (sum >> 16 & 0xffff);
    return (sum & 0xffff) + (sum >> 16);
}


SEC("xdp")
int maps(struct xdp_md *ctx)
{
    START();
    __u32 k = 5;
    char v[64] = { 1 };
    struct {
        __u32 length;
        __u32 address;
    } p = { 24, 0x0a0b0c0d };
    OUT(0, bpf_map_update_elem(hash, &k, v, BPF_EXIST));
    OUT(1, bpf_map_update_elem(hash, &k, v, BPF_NOEXIST));
    OUT(2, bpf_map_update_elem(hash, &k, v, BPF_NOEXIST));
    OUT(3, bpf_map_update_elem(hash, &k, v, 3));
    OUT(4, bpf_map_update_elem(hash, &k, v, 4));
    OUT(5, bpf_map_delete_elem(hash, &k));
    OUT(6, bpf_map_delete_elem(hash, &k));
    OUT(7, bpf_map_update_elem(array, &k, v, BPF_NOEXIST));
    OUT(8, bpf_map_update_elem(array, &k, v, 3));
    OUT(9, bpf_map_delete_elem(array, &k));
    k = 16;
    OUT(10, bpf_map_update_elem(array, &k, v, BPF_ANY));
    OUT(11, bpf_map_update_elem(percpu, &k, v, BPF_ANY));
    OUT(12, bpf_map_update_elem(lpm, &p, v, BPF_EXIST));
    OUT(13, bpf_map_update_elem(lpm, &p, v, BPF_NOEXIST));
    OUT(14, bpf_map_update_elem(lpm, &p, v, BPF_NOEXIST));
    OUT(15, bpf_map_update_elem(lpm, &p, v, 3));
    OUT(16, bpf_map_lookup_elem(lpm, &p) != 0);
    p.length = 23;
    OUT(17, bpf_map_lookup_elem(lpm, &p) != 0);
    OUT(18, bpf_map_delete_elem(lpm, &p));
    p.length = 32;
    OUT(19, bpf_map_lookup_elem(lpm, &p) != 0);
    p.length = 33;
    OUT(20, bpf_map_update_elem(lpm, &p, v, 0));
    OUT(21, bpf_map_lookup_elem(lpm, &p) != 0);
    OUT(22, bpf_map_delete_elem(lpm, &p));
    OUT(23, bpf_map_update_elem(lru, &k, v, BPF_EXIST));
    OUT(24, bpf_map_update_elem(lru, &k, v, BPF_NOEXIST));
    OUT(25, bpf_map_update_elem(lru, &k, v, BPF_NOEXIST));
    OUT(26, bpf_map_update_elem(lru, &k, v, 3));
    OUT(27, bpf_map_delete_elem(lru, &k));
    OUT(28, bpf_map_delete_elem(lru, &k));
    OUT(29, bpf_redirect_map(devmap, 3, 2));
    OUT(30, bpf_redirect_map(devmap, 3, 0));
    OUT(31, bpf_redirect(1, 1));
    OUT(32, bpf_redirect(1, 0));
    __u32 full = 0;
    __s64 last = 0;
    for (int i = 0; i < 20; i++) {
        k = 100 + i;
        last = bpf_map_update_elem(hash, &k, v, BPF_NOEXIST);
        full += last == 0;
    }
    OUT(33, full);
    OUT(34, last);
    return 2;
}

SEC("xdp")
int rings(struct xdp_md *ctx)
{
    START();
    char v[64] = { 1 };
    __u64 size = bpf_ringbuf_query(ringbuf, 1);
    OUT(0, bpf_ringbuf_query(ringbuf, 0));
    OUT(1, bpf_ringbuf_query(ringbuf, 9));
    OUT(2, bpf_ringbuf_output(ringbuf, v, 60, 4));
    OUT(3, bpf_ringbuf_output(ringbuf, v, 60, 0));
    OUT(4, bpf_ringbuf_query(ringbuf, 0));
    OUT(5, bpf_ringbuf_output(ringbuf, v, 1, 1));
    OUT(6, bpf_ringbuf_query(ringbuf, 3));
    OUT(7, bpf_ringbuf_query(ringbuf, 2));
    OUT(8, bpf_perf_event_output(ctx, perf, BPF_F_CURRENT_CPU, v, 8));
    OUT(9, bpf_perf_event_output(ctx, perf, 1000, v, 8));
    OUT(10, bpf_perf_event_output(ctx, perf, 1ULL << 52, v, 8));
    OUT(11, 0);
    OUT(12, size);
    struct bpf_dynptr d;
    OUT(13, bpf_ringbuf_reserve_dynptr(ringbuf, 1 << 24, 0, &d));
    bpf_ringbuf_discard_dynptr(&d, 0);
    OUT(14, bpf_ringbuf_reserve_dynptr(ringbuf, 8, 1, &d));
    bpf_ringbuf_discard_dynptr(&d, 0);
    OUT(15, bpf_ringbuf_reserve_dynptr(ringbuf, 0x800000, 0, &d));
    OUT(16, bpf_dynptr_read(v, 4, &d, 0, 0));
    bpf_ringbuf_submit_dynptr(&d, 0);
    return 2;
}

SEC("xdp")
int numbers(struct xdp_md *ctx)
{
    START();
    STR(0, "123", 0);
    STR(1, "  -123 rest", 10);
    STR(2, "0x1F", 0);
    STR(3, "0x1F", 16);
    STR(4, "0x", 0);
    STR(5, "0x", 16);
    STR(6, "0755", 0);
    STR(7, "0789", 0);
    STR(8, "9", 8);
    STR(9, "9223372036854775807", 10);
    STR(10, "9223372036854775808", 10);
    STR(11, "-9223372036854775808", 10);
    STR(12, "-9223372036854775809", 10);
    STR(13, "+1", 10);
    STR(14, " ", 10);
    STR(15, "-", 10);
    STR(16, "1", 2);
    STR(17, "1", 32);
    STR(18, "0xg", 0);
    STR(19, "-0x10", 0);
    STRU(20, "18446744073709551615", 10);
    STRU(21, "18446744073709551616", 10);
    STRU(22, "-1", 10);
    STRU(23, "12ab", 16);
    STRU(24, "\t\n7", 0);
    return 2;
}

SEC("xdp")
int moves(struct xdp_md *ctx)
{
    __u64 r[24];
    __u8 b[16] = { 0 };
    r[0] = bpf_xdp_adjust_head(ctx, 4000);
    r[1] = bpf_xdp_adjust_head(ctx, -1000);
    r[2] = bpf_xdp_adjust_head(ctx, -40);
    r[3] = bpf_xdp_get_buff_len(ctx);
    r[4] = bpf_xdp_adjust_meta(ctx, -6);
    r[5] = bpf_xdp_adjust_meta(ctx, 4);
    r[6] = bpf_xdp_adjust_meta(ctx, -8);
    r[7] = bpf_xdp_adjust_head(ctx, 20); 
    r[8] = bpf_xdp_adjust_meta(ctx, 8);
    r[9] = bpf_xdp_adjust_tail(ctx, -100000);
    r[10] = bpf_xdp_adjust_tail(ctx, -20);
    r[11] = bpf_xdp_adjust_tail(ctx, 10);
    r[12] = bpf_xdp_get_buff_len(ctx);
    r[13] = bpf_xdp_load_bytes(ctx, 0x10000, b, 4);
    r[14] = bpf_xdp_load_bytes(ctx, 2000, b, 4);
    r[15] = bpf_xdp_load_bytes(ctx, 690, b, 16);
    r[16] = bpf_xdp_store_bytes(ctx, 60000, b, 4);
    r[17] = bpf_xdp_load_bytes(ctx, (__u32)r[12], b, 1);
    r[18] = bpf_xdp_adjust_tail(ctx, 1 << 20);
    r[19] = bpf_xdp_adjust_meta(ctx, -512);
    START();
    for (int i = 0; i < 20; i++)
        out[i] = r[i];
    __u8 *tail = data;
    for (int i = 0; i < 8; i++)
        out[20 + i] = tail[400 + i];
    return 2;
}

SEC("tc")
int csums(struct __sk_buff *ctx)
{
    START();
    __u32 a[4] = { 0x01020304, 0xffffffff, 0x80000001, 7 }, z[4] = { 0 }, f[4] = { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff };
    __u64 r[40];
    r[0] = fold(bpf_csum_diff(0, 0, a, 16, 0));
    r[1] = fold(bpf_csum_diff(a, 16, 0, 0, 0));
    r[2] = fold(bpf_csum_diff(a, 16, a, 16, 5));
    r[3] = fold(bpf_csum_diff(a, 4, f, 8, 0x12345678));
    r[4] = fold(bpf_csum_diff(z, 16, 0, 0, 0));
    r[5] = fold(bpf_csum_diff(f, 16, z, 16, 0));
    r[6] = fold(bpf_csum_diff(0, 0, z, 16, 0));
    r[7] = fold(bpf_csum_diff(f, 4, 0, 0, 0xffff));
    r[8] = bpf_l3_csum_replace(ctx, 25, 0, 0, 4);
    r[9] = bpf_l3_csum_replace(ctx, 24, 0, 0, 3);
    r[10] = bpf_l3_csum_replace(ctx, 24, 1, 0, 0);
    r[11] = bpf_l3_csum_replace(ctx, 5000, 0, 0, 4);
    r[12] = bpf_l3_csum_replace(ctx, 64, 0x0a000001, 0xc0a80001, 4);
    r[13] = bpf_l3_csum_replace(ctx, 66, 0x1234, 0xfedc, 2);
    r[14] = bpf_l3_csum_replace(ctx, 68, 0, 0x45678, 0);
    r[15] = bpf_l4_csum_replace(ctx, 70, 0x0a000001, 0xc0a80001, 4 | 16);
    r[16] = bpf_l4_csum_replace(ctx, 72, 0x1234, 0xfedc, 2 | 32);
    r[17] = bpf_l4_csum_replace(ctx, 74, 0, 0x45678, 0 | 32 | 16);
    r[18] = bpf_l4_csum_replace(ctx, 76, 0, 0, 256);
    r[19] = bpf_l4_csum_replace(ctx, 76, 0, 0, 5);
    r[20] = bpf_l4_csum_replace(ctx, 76, 1, 2, 2 | 32 | 64);
    char b[8] = { 0 };
    r[21] = bpf_skb_load_bytes(ctx, 5000, b, 4);
    r[22] = bpf_skb_load_bytes(ctx, -4, b, 4);
    r[23] = bpf_skb_store_bytes(ctx, 5000, b, 4, 0);
    r[24] = bpf_skb_store_bytes(ctx, 80, b, 4, 4);
    r[25] = bpf_skb_load_bytes_relative(ctx, 0, b, 4, 1);
    r[26] = *(__u32 *)b;
    r[27] = bpf_skb_load_bytes_relative(ctx, 0, b, 4, 2);
    r[28] = bpf_skb_pull_data(ctx, 100);
    r[29] = bpf_skb_pull_data(ctx, 100000);
    r[30] = bpf_skb_change_type(ctx, 4);
    r[31] = bpf_redirect(1, 2);
    r[32] = bpf_redirect(1, 1);
    r[33] = bpf_skb_change_proto(ctx, 0x0008, 0);
    r[34] = bpf_skb_vlan_push(ctx, 0x0081, 0x123);
    r[35] = ctx->vlan_tci;
    r[36] = bpf_skb_vlan_pop(ctx);
    r[37] = ctx->len;
    r[38] = bpf_skb_change_tail(ctx, 600, 1);
    r[39] = bpf_redirect_peer(1, 1);
    data = (void *)(long)ctx->data;
    out = data;
    if (data + 512 > (void *)(long)ctx->data_end)
        return 98;
    __u64 sums = *(__u64 *)(data + 64), sums2 = *(__u64 *)(data + 72);
    for (int i = 0; i < 40; i++)
        out[10 + i] = r[i];
    out[50] = sums; out[51] = sums2;
    return 0;
}
