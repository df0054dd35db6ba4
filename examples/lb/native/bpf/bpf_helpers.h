// Stands for libbpf's header of this name where the BPF source is compiled natively: the same names, but helpers are functions of the runtime,
// maps are descriptors that native.c makes from the map definitions, and contexts have pointers of 64 bits.
#ifndef NATIVE_BPF_HELPERS_H
#define NATIVE_BPF_HELPERS_H

#include <linux/bpf.h>          // before xdp_md is another struct

#include "bpfppcc.h"

#define xdp_md bpfppcc_xdp_md

#define SEC(name)
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline))
#define __uint(name, value) int (*name)[value]
#define __type(name, value) value *name
#define __array(name, value) __typeof__(value) *name[]

struct bpfppcc_map *native_map(const void *definition);
const struct bpfppcc_prog *native_slot(const void *definition, __u32 index);

#define HELPER(name) extern bpfppcc_helper_fn bpf_helper_##name
HELPER(map_lookup_elem);
HELPER(map_update_elem);
HELPER(map_delete_elem);
HELPER(ktime_get_ns);
HELPER(csum_diff);
HELPER(ringbuf_reserve);
HELPER(ringbuf_submit);
HELPER(xdp_adjust_head);
#undef HELPER

#define WORD(x) ((uint64_t)(x))
#define bpf_map_lookup_elem(map, key) ((void *)bpf_helper_map_lookup_elem(WORD(native_map(map)), WORD(key), 0, 0, 0))
#define bpf_map_update_elem(map, key, value, flags) \
    ((long)bpf_helper_map_update_elem(WORD(native_map(map)), WORD(key), WORD(value), flags, 0))
#define bpf_map_delete_elem(map, key) ((long)bpf_helper_map_delete_elem(WORD(native_map(map)), WORD(key), 0, 0, 0))
#define bpf_ktime_get_ns() bpf_helper_ktime_get_ns(0, 0, 0, 0, 0)
#define bpf_csum_diff(from, from_size, to, to_size, seed) ((__s64)bpf_helper_csum_diff(WORD(from), from_size, WORD(to), to_size, seed))
#define bpf_ringbuf_reserve(map, size, flags) ((void *)bpf_helper_ringbuf_reserve(WORD(native_map(map)), size, flags, 0, 0))
#define bpf_ringbuf_submit(data, flags) bpf_helper_ringbuf_submit(WORD(data), flags, 0, 0, 0)
#define bpf_xdp_adjust_head(ctx, delta) ((long)bpf_helper_xdp_adjust_head(WORD(ctx), WORD(delta), 0, 0, 0))

// A tail call replaces the program; a call whose result is returned looks the same from outside.
#define bpf_tail_call(ctx, map, index) \
    do { \
        const struct bpfppcc_prog *next_ = native_slot(map, index); \
        if (next_) \
            return (int)next_->entry(ctx); \
    } while (0)

#endif
