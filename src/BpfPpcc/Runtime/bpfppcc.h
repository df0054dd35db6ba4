/*
 * bpfppcc.h - the C side of objects that bpfppcc has compiled: descriptors of programs, maps and modules, and the contexts that
 * programs take. Object ABI version 1. C11 or C++11 on any 64-bit host; needs no kernel headers.
 *
 * A program of the BPF object is an ordinary function of the same name:
 *
 *     extern bpfppcc_fn my_prog;
 *     struct bpfppcc_xdp_md ctx = { .data = packet, .data_end = packet + length };
 *     uint64_t verdict = my_prog(&ctx);
 *
 * A map is an object of type struct bpfppcc_map, a global variable is a variable, and a helper that the programs call is a function
 * bpf_helper_<name> of type bpfppcc_helper_fn, which the host or a runtime defines. Everything that an object offers can be found from its
 * module, `extern struct bpfppcc_module bpfppcc_module_<stem>`, or, within one link, in the array that BPFPPCC_MODULES_BEGIN and
 * BPFPPCC_MODULES_END enclose.
 */
#ifndef BPFPPCC_H
#define BPFPPCC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BPFPPCC_ABI_VERSION 1

/* So many tail calls may follow one another; the next one falls through. */
#define BPFPPCC_MAX_TAIL_CALLS 33

/* Flags of a module. */
#define BPFPPCC_MODULE_BIG_ENDIAN 1u
#define BPFPPCC_MODULE_VERIFIED 2u      /* every program passed the verifier */
#define BPFPPCC_MODULE_PCREL 4u         /* code that needs no TOC: toc_base is 0 */

/* Flags of a program. */
#define BPFPPCC_PROG_TAIL_CALLS 1u      /* it makes tail calls, or a subprogram that it reaches does */

/* Flags of a map. */
#define BPFPPCC_MAP_OWN_STORAGE 1u      /* the object brings the memory that values or progs points to */
#define BPFPPCC_MAP_INLINE 2u           /* code reads elements through values itself: never NULL, sizes never change */

/* A program or a global function, as C calls it. */
typedef uint64_t bpfppcc_fn(void *ctx);

/* A helper. Arguments that the program does not set have any value. */
typedef uint64_t bpfppcc_helper_fn(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5);

struct bpfppcc_module;

/* A program: an element of module->progs, section bpf_progs. */
struct bpfppcc_prog {
    uint32_t size;                      /* sizeof(struct bpfppcc_prog) of the compiler */
    uint32_t abi;                       /* BPFPPCC_ABI_VERSION of the compiler */
    uint32_t prog_type;                 /* enum bpf_prog_type, 0 if the section name says nothing */
    uint32_t attach_type;               /* enum bpf_attach_type */
    uint32_t flags;                     /* BPFPPCC_PROG_... */
    uint32_t stack_depth;               /* bytes of BPF stack in its frame */
    uint32_t n_insns;                   /* BPF instructions */
    uint32_t code_size;                 /* bytes of machine code */
    const char *name;
    const char *section;                /* as in SEC("...") */
    bpfppcc_fn *entry;                  /* what a C function pointer is on this ABI */
    const void *tail_entry;             /* where tail calls jump: always an address of code */
    const char *attach_target;          /* what follows the first '/' of the section name, or NULL */
    struct bpfppcc_module *module;
    uint8_t tag[8];                     /* the kernel's name for these instructions */
    uint64_t reserved;
};

/* A map: an element of module->maps, section bpf_maps, and what programs pass to helpers as a map. */
struct bpfppcc_map {
    uint32_t size;                      /* sizeof(struct bpfppcc_map) of the compiler */
    uint32_t type;                      /* enum bpf_map_type */
    uint32_t key_size;
    uint32_t value_size;
    uint32_t max_entries;
    uint32_t map_flags;                 /* BPF_F_... */
    uint32_t pinning;
    uint32_t numa_node;
    uint64_t map_extra;
    const char *name;
    struct bpfppcc_map *inner;          /* map in map: what its elements are like, else NULL */
    struct bpfppcc_map *const *init;    /* map in map: n_init initial elements, NULL where there is none */
    uint32_t n_init;
    uint32_t btf_key_type;
    uint32_t btf_value_type;
    uint32_t flags;                     /* BPFPPCC_MAP_... */
    void *impl;                         /* for the runtime; NULL at first */
    void *values;                       /* array: element i lies i * BPFPPCC_STRIDE(value_size) bytes on */
    const struct bpfppcc_prog **progs;  /* prog array: max_entries slots, NULL where empty; never NULL itself */
    struct bpfppcc_module *module;
    uint64_t reserved[2];
};

/* Bytes from one element of an array to the next. */
#define BPFPPCC_STRIDE(value_size) (((size_t)(value_size) + 7) / 8 * 8)

/* A helper that some program of the module calls. */
struct bpfppcc_helper {
    uint32_t id;                        /* enum bpf_func_id */
    uint32_t flags;
    const char *name;                   /* "map_lookup_elem" */
};

/* All of one object: section bpf_modules, symbol bpfppcc_module_<stem>. Tables that are empty are NULL. */
struct bpfppcc_module {
    uint32_t size;                      /* sizeof(struct bpfppcc_module) of the compiler */
    uint32_t abi;                       /* BPFPPCC_ABI_VERSION of the compiler, for its maps too */
    uint32_t flags;                     /* BPFPPCC_MODULE_... */
    uint32_t kern_version;
    const char *generator;              /* the compiler and its version */
    const char *source;                 /* the BPF object's file name */
    const char *licence;
    const char *cpu;                    /* oldest processor that runs the code */
    const char *options;                /* of the compiler */
    uint8_t sha256[32];                 /* of the BPF object */
    uint64_t toc_base;                  /* r2 of its code; a prog array holds programs of one toc_base only */
    struct bpfppcc_prog *progs;
    uint64_t n_progs;
    struct bpfppcc_map *maps;
    uint64_t n_maps;
    const struct bpfppcc_helper *helpers;
    uint64_t n_helpers;
    uint64_t reserved[2];
};

/* The modules of this link (of this shared library or program); both NULL where there are none. */
#if defined(__GNUC__) || defined(__clang__)
extern struct bpfppcc_module __start_bpf_modules[] __attribute__((weak, visibility("hidden")));
extern struct bpfppcc_module __stop_bpf_modules[] __attribute__((weak, visibility("hidden")));
#define BPFPPCC_MODULES_BEGIN (&__start_bpf_modules[0])
#define BPFPPCC_MODULES_END (&__stop_bpf_modules[0])
#endif

/*
 * Contexts. BPF declares packet pointers as 32-bit fields; compiled code reads them from 64-bit fields behind the UAPI structure instead. All
 * other fields lie where the UAPI has them. Fields called bpf_... are the places of the 32-bit ones: nobody reads them.
 */

/* struct xdp_md */
struct bpfppcc_xdp_md {
    uint32_t bpf_data;
    uint32_t bpf_data_end;
    uint32_t bpf_data_meta;
    uint32_t ingress_ifindex;
    uint32_t rx_queue_index;
    uint32_t egress_ifindex;
    uint32_t reserved[10];
    void *data;
    void *data_end;
    void *data_meta;
};

/* struct __sk_buff */
struct bpfppcc_sk_buff {
    uint32_t len;
    uint32_t pkt_type;
    uint32_t mark;
    uint32_t queue_mapping;
    uint32_t protocol;
    uint32_t vlan_present;
    uint32_t vlan_tci;
    uint32_t vlan_proto;
    uint32_t priority;
    uint32_t ingress_ifindex;
    uint32_t ifindex;
    uint32_t tc_index;
    uint32_t cb[5];
    uint32_t hash;
    uint32_t tc_classid;
    uint32_t bpf_data;
    uint32_t bpf_data_end;
    uint32_t napi_id;
    uint32_t family;
    uint32_t remote_ip4;
    uint32_t local_ip4;
    uint32_t remote_ip6[4];
    uint32_t local_ip6[4];
    uint32_t remote_port;
    uint32_t local_port;
    uint32_t bpf_data_meta;
    void *flow_keys;
    uint64_t tstamp;
    uint32_t wire_len;
    uint32_t gso_segs;
    void *sk;
    uint32_t gso_size;
    uint8_t tstamp_type;
    uint8_t padding[3];
    uint64_t hwtstamp;
    uint64_t reserved[8];
    void *data;
    void *data_end;
    void *data_meta;
};

/* The layout is the ABI: a compiler that lays these out in another way cannot be used. */
#ifdef __cplusplus
#define BPFPPCC_STATIC_ASSERT static_assert
#else
#define BPFPPCC_STATIC_ASSERT _Static_assert
#endif
#define BPFPPCC_OFFSET(type, field, offset) \
    BPFPPCC_STATIC_ASSERT(offsetof(struct type, field) == (offset), "offset of " #type "." #field)
#define BPFPPCC_SIZE(type, bytes) BPFPPCC_STATIC_ASSERT(sizeof(struct type) == (bytes), "size of " #type)

BPFPPCC_SIZE(bpfppcc_prog, 96);
BPFPPCC_OFFSET(bpfppcc_prog, size, 0);
BPFPPCC_OFFSET(bpfppcc_prog, abi, 4);
BPFPPCC_OFFSET(bpfppcc_prog, prog_type, 8);
BPFPPCC_OFFSET(bpfppcc_prog, attach_type, 12);
BPFPPCC_OFFSET(bpfppcc_prog, flags, 16);
BPFPPCC_OFFSET(bpfppcc_prog, stack_depth, 20);
BPFPPCC_OFFSET(bpfppcc_prog, n_insns, 24);
BPFPPCC_OFFSET(bpfppcc_prog, code_size, 28);
BPFPPCC_OFFSET(bpfppcc_prog, name, 32);
BPFPPCC_OFFSET(bpfppcc_prog, section, 40);
BPFPPCC_OFFSET(bpfppcc_prog, entry, 48);
BPFPPCC_OFFSET(bpfppcc_prog, tail_entry, 56);
BPFPPCC_OFFSET(bpfppcc_prog, attach_target, 64);
BPFPPCC_OFFSET(bpfppcc_prog, module, 72);
BPFPPCC_OFFSET(bpfppcc_prog, tag, 80);
BPFPPCC_OFFSET(bpfppcc_prog, reserved, 88);

BPFPPCC_SIZE(bpfppcc_map, 128);
BPFPPCC_OFFSET(bpfppcc_map, size, 0);
BPFPPCC_OFFSET(bpfppcc_map, type, 4);
BPFPPCC_OFFSET(bpfppcc_map, key_size, 8);
BPFPPCC_OFFSET(bpfppcc_map, value_size, 12);
BPFPPCC_OFFSET(bpfppcc_map, max_entries, 16);
BPFPPCC_OFFSET(bpfppcc_map, map_flags, 20);
BPFPPCC_OFFSET(bpfppcc_map, pinning, 24);
BPFPPCC_OFFSET(bpfppcc_map, numa_node, 28);
BPFPPCC_OFFSET(bpfppcc_map, map_extra, 32);
BPFPPCC_OFFSET(bpfppcc_map, name, 40);
BPFPPCC_OFFSET(bpfppcc_map, inner, 48);
BPFPPCC_OFFSET(bpfppcc_map, init, 56);
BPFPPCC_OFFSET(bpfppcc_map, n_init, 64);
BPFPPCC_OFFSET(bpfppcc_map, btf_key_type, 68);
BPFPPCC_OFFSET(bpfppcc_map, btf_value_type, 72);
BPFPPCC_OFFSET(bpfppcc_map, flags, 76);
BPFPPCC_OFFSET(bpfppcc_map, impl, 80);
BPFPPCC_OFFSET(bpfppcc_map, values, 88);
BPFPPCC_OFFSET(bpfppcc_map, progs, 96);
BPFPPCC_OFFSET(bpfppcc_map, module, 104);
BPFPPCC_OFFSET(bpfppcc_map, reserved, 112);

BPFPPCC_SIZE(bpfppcc_helper, 16);
BPFPPCC_OFFSET(bpfppcc_helper, id, 0);
BPFPPCC_OFFSET(bpfppcc_helper, flags, 4);
BPFPPCC_OFFSET(bpfppcc_helper, name, 8);

BPFPPCC_SIZE(bpfppcc_module, 160);
BPFPPCC_OFFSET(bpfppcc_module, size, 0);
BPFPPCC_OFFSET(bpfppcc_module, abi, 4);
BPFPPCC_OFFSET(bpfppcc_module, flags, 8);
BPFPPCC_OFFSET(bpfppcc_module, kern_version, 12);
BPFPPCC_OFFSET(bpfppcc_module, generator, 16);
BPFPPCC_OFFSET(bpfppcc_module, source, 24);
BPFPPCC_OFFSET(bpfppcc_module, licence, 32);
BPFPPCC_OFFSET(bpfppcc_module, cpu, 40);
BPFPPCC_OFFSET(bpfppcc_module, options, 48);
BPFPPCC_OFFSET(bpfppcc_module, sha256, 56);
BPFPPCC_OFFSET(bpfppcc_module, toc_base, 88);
BPFPPCC_OFFSET(bpfppcc_module, progs, 96);
BPFPPCC_OFFSET(bpfppcc_module, n_progs, 104);
BPFPPCC_OFFSET(bpfppcc_module, maps, 112);
BPFPPCC_OFFSET(bpfppcc_module, n_maps, 120);
BPFPPCC_OFFSET(bpfppcc_module, helpers, 128);
BPFPPCC_OFFSET(bpfppcc_module, n_helpers, 136);
BPFPPCC_OFFSET(bpfppcc_module, reserved, 144);

BPFPPCC_SIZE(bpfppcc_xdp_md, 88);
BPFPPCC_OFFSET(bpfppcc_xdp_md, bpf_data, 0);
BPFPPCC_OFFSET(bpfppcc_xdp_md, bpf_data_end, 4);
BPFPPCC_OFFSET(bpfppcc_xdp_md, bpf_data_meta, 8);
BPFPPCC_OFFSET(bpfppcc_xdp_md, ingress_ifindex, 12);
BPFPPCC_OFFSET(bpfppcc_xdp_md, rx_queue_index, 16);
BPFPPCC_OFFSET(bpfppcc_xdp_md, egress_ifindex, 20);
BPFPPCC_OFFSET(bpfppcc_xdp_md, data, 64);
BPFPPCC_OFFSET(bpfppcc_xdp_md, data_end, 72);
BPFPPCC_OFFSET(bpfppcc_xdp_md, data_meta, 80);

BPFPPCC_SIZE(bpfppcc_sk_buff, 280);
BPFPPCC_OFFSET(bpfppcc_sk_buff, len, 0);
BPFPPCC_OFFSET(bpfppcc_sk_buff, pkt_type, 4);
BPFPPCC_OFFSET(bpfppcc_sk_buff, mark, 8);
BPFPPCC_OFFSET(bpfppcc_sk_buff, queue_mapping, 12);
BPFPPCC_OFFSET(bpfppcc_sk_buff, protocol, 16);
BPFPPCC_OFFSET(bpfppcc_sk_buff, vlan_present, 20);
BPFPPCC_OFFSET(bpfppcc_sk_buff, vlan_tci, 24);
BPFPPCC_OFFSET(bpfppcc_sk_buff, vlan_proto, 28);
BPFPPCC_OFFSET(bpfppcc_sk_buff, priority, 32);
BPFPPCC_OFFSET(bpfppcc_sk_buff, ingress_ifindex, 36);
BPFPPCC_OFFSET(bpfppcc_sk_buff, ifindex, 40);
BPFPPCC_OFFSET(bpfppcc_sk_buff, tc_index, 44);
BPFPPCC_OFFSET(bpfppcc_sk_buff, cb, 48);
BPFPPCC_OFFSET(bpfppcc_sk_buff, hash, 68);
BPFPPCC_OFFSET(bpfppcc_sk_buff, tc_classid, 72);
BPFPPCC_OFFSET(bpfppcc_sk_buff, bpf_data, 76);
BPFPPCC_OFFSET(bpfppcc_sk_buff, bpf_data_end, 80);
BPFPPCC_OFFSET(bpfppcc_sk_buff, napi_id, 84);
BPFPPCC_OFFSET(bpfppcc_sk_buff, family, 88);
BPFPPCC_OFFSET(bpfppcc_sk_buff, remote_ip4, 92);
BPFPPCC_OFFSET(bpfppcc_sk_buff, local_ip4, 96);
BPFPPCC_OFFSET(bpfppcc_sk_buff, remote_ip6, 100);
BPFPPCC_OFFSET(bpfppcc_sk_buff, local_ip6, 116);
BPFPPCC_OFFSET(bpfppcc_sk_buff, remote_port, 132);
BPFPPCC_OFFSET(bpfppcc_sk_buff, local_port, 136);
BPFPPCC_OFFSET(bpfppcc_sk_buff, bpf_data_meta, 140);
BPFPPCC_OFFSET(bpfppcc_sk_buff, flow_keys, 144);
BPFPPCC_OFFSET(bpfppcc_sk_buff, tstamp, 152);
BPFPPCC_OFFSET(bpfppcc_sk_buff, wire_len, 160);
BPFPPCC_OFFSET(bpfppcc_sk_buff, gso_segs, 164);
BPFPPCC_OFFSET(bpfppcc_sk_buff, sk, 168);
BPFPPCC_OFFSET(bpfppcc_sk_buff, gso_size, 176);
BPFPPCC_OFFSET(bpfppcc_sk_buff, tstamp_type, 180);
BPFPPCC_OFFSET(bpfppcc_sk_buff, hwtstamp, 184);
BPFPPCC_OFFSET(bpfppcc_sk_buff, data, 256);
BPFPPCC_OFFSET(bpfppcc_sk_buff, data_end, 264);
BPFPPCC_OFFSET(bpfppcc_sk_buff, data_meta, 272);

#undef BPFPPCC_OFFSET
#undef BPFPPCC_SIZE
#undef BPFPPCC_STATIC_ASSERT

/*
 * The reference runtime: everything below is optional, and defined by the bpfppcc_*.c files beside this header. Link those for maps, helpers
 * and a host's view of both; leave them out, and what stands above still serves.
 *
 *     bpfppcc_open(&bpfppcc_module_filter);
 *     bpfppcc_map_update(bpfppcc_map(&bpfppcc_module_filter, "blocked"), &address, &since, 0);
 *     bpfppcc_xdp_init(&ctx, packet, length, 0);
 *     verdict = bpfppcc_run(bpfppcc_prog(&bpfppcc_module_filter, "filter"), &ctx);
 *
 * A function that returns int returns 0, or a negative errno value for the reason for which Linux has it.
 *
 * Threads. Programs may run in several threads at once, while others use the functions of this header on the same maps. Opening and closing
 * are not for threads in which programs run; a ring buffer has one consumer. A thread that runs programs beside others takes a CPU number of
 * its own (bpfppcc_set_cpu), because BPF takes values of per-CPU maps for its own. Not for signal handlers.
 *
 * How long a value may be used. What a lookup returns points into memory that stays until bpfppcc_close. Elements of array maps never move.
 * An element of a hash, LRU hash or LPM trie is not changed by updates: they put a new element in its place. A replaced, deleted or evicted
 * element keeps its value until the map needs the memory again, oldest first: that is after BPFPPCC_SPARE_ELEMENTS more updates at the
 * earliest, and a pointer held longer may see another key's value (as it may with the kernel's preallocated maps). Never more than
 * max_entries + BPFPPCC_SPARE_ELEMENTS elements are allocated. bpfppcc_map_get copies a value that nobody is replacing meanwhile.
 */
#define BPFPPCC_SPARE_ELEMENTS 16

/* Flags of updates and pushes, as in BPF. */
#define BPFPPCC_ANY 0u
#define BPFPPCC_NOEXIST 1u
#define BPFPPCC_EXIST 2u

/* ---- modules and programs ---- */

/* Makes the maps of a module ready: those without storage get it, maps in maps their initial elements. -ENOEXEC: made for another ABI or byte
   order, -EINVAL: a map that BPF does not allow, -ENOMEM. Opening twice does no harm. A map of a type that this runtime does not know opens,
   and refuses every operation with -ENOTSUP. */
int bpfppcc_open(struct bpfppcc_module *module);

/* Frees what bpfppcc_open made. No program of the module runs, and no other module's program uses its maps. */
void bpfppcc_close(struct bpfppcc_module *module);

/* By name, or NULL. */
struct bpfppcc_prog *bpfppcc_prog(const struct bpfppcc_module *module, const char *name);
struct bpfppcc_map *bpfppcc_map(const struct bpfppcc_module *module, const char *name);

/* Calls a program. Calling its function does too; this also forgets the last redirection, and tells bpf_redirect the type of program. */
uint64_t bpfppcc_run(const struct bpfppcc_prog *prog, void *ctx);

/* ---- maps ---- */

/* The value of a key, or NULL. Of a per-CPU map: this thread's CPU. Of a map in map: the inner map; of a prog array: the program. Unlike a
   program's lookup it is no use in the sense of LRU. */
void *bpfppcc_map_lookup(struct bpfppcc_map *map, const void *key);
void *bpfppcc_map_lookup_percpu(struct bpfppcc_map *map, const void *key, uint32_t cpu);

/* Copies value_size bytes of the value; of a per-CPU map one after the other, each BPFPPCC_STRIDE(value_size) bytes, the values of all CPUs. */
int bpfppcc_map_get(struct bpfppcc_map *map, const void *key, void *value);

/* Of a per-CPU map: this thread's CPU; the second form has values of all CPUs as bpfppcc_map_get has. A queue, stack or bloom filter has no
   key (NULL). A map in map takes a value of type struct bpfppcc_map *, a prog array const struct bpfppcc_prog *. */
int bpfppcc_map_update(struct bpfppcc_map *map, const void *key, const void *value, uint64_t flags);
int bpfppcc_map_update_percpu(struct bpfppcc_map *map, const void *key, const void *values, uint64_t flags);
int bpfppcc_map_delete(struct bpfppcc_map *map, const void *key);

/* The key after `key`, in an order of the map's own; the first if key is NULL or not in the map. -ENOENT: there is none. */
int bpfppcc_map_next_key(struct bpfppcc_map *map, const void *key, void *next);

/* Queue, stack, bloom filter. */
int bpfppcc_map_push(struct bpfppcc_map *map, const void *value, uint64_t flags);
int bpfppcc_map_pop(struct bpfppcc_map *map, void *value);
int bpfppcc_map_peek(struct bpfppcc_map *map, void *value);

/* A slot of a prog array; NULL empties it. -E2BIG: no such slot, -EINVAL: code of another TOC base, which cannot be jumped to. */
int bpfppcc_prog_array_update(struct bpfppcc_map *map, uint32_t index, const struct bpfppcc_prog *prog);

/* A new, empty map like another one, or like the template of a map in map (outer->inner); NULL with errno set. It lives until
   bpfppcc_map_free; take it out of maps in maps before. */
struct bpfppcc_map *bpfppcc_map_new(const struct bpfppcc_map *like);
void bpfppcc_map_free(struct bpfppcc_map *map);

/* ---- ring buffers and perf events ---- */

/* One record of a ring buffer. A negative result ends the consumption. */
typedef int bpfppcc_ringbuf_fn(void *ctx, void *data, size_t size);

/* Hands over the records that are complete, in order. Returns how many, or the callback's negative result. */
int bpfppcc_ringbuf_consume(struct bpfppcc_map *map, bpfppcc_ringbuf_fn *callback, void *ctx);

/* The same, but waits up to so many milliseconds (negative: for ever) for the first record. */
int bpfppcc_ringbuf_poll(struct bpfppcc_map *map, bpfppcc_ringbuf_fn *callback, void *ctx, int timeout);

/* What bpf_perf_event_output writes goes to a function, at once and in the thread of the program. Without one the helper returns -ENOENT. */
typedef void bpfppcc_perf_fn(void *ctx, uint32_t cpu, const void *data, size_t size);
int bpfppcc_perf_set_callback(struct bpfppcc_map *map, bpfppcc_perf_fn *callback, void *ctx);

/* ---- timers ---- */

/* Runs the callbacks of all bpf_timers that are due at `now` (bpfppcc_hooks.time, BPFPPCC_CLOCK_MONOTONIC), earliest first, each once, in the
   calling thread. Returns how many. */
unsigned bpfppcc_timers_run(uint64_t now);

/* When the next one is due; UINT64_MAX if none is started. */
uint64_t bpfppcc_timers_next(void);

/* ---- packets ---- */

/* A context for a packet of `length` bytes at `packet`, in front of which `headroom` bytes are writable and free. Fields that say where the
   packet comes from are 0: set them afterwards. */
void bpfppcc_xdp_init(struct bpfppcc_xdp_md *ctx, void *packet, uint32_t length, uint32_t headroom);
void bpfppcc_skb_init(struct bpfppcc_sk_buff *ctx, void *packet, uint32_t length, uint32_t headroom);

/* Bytes that are writable and free behind the packet, for helpers that lengthen it; 0 after ..._init. */
void bpfppcc_xdp_set_tailroom(struct bpfppcc_xdp_md *ctx, uint32_t tailroom);
void bpfppcc_skb_set_tailroom(struct bpfppcc_sk_buff *ctx, uint32_t tailroom);

/* What the redirection helpers of this thread's last program asked for. The program's result says whether it meant it. */
enum bpfppcc_redirect_kind {
    BPFPPCC_REDIRECT_NONE,
    BPFPPCC_REDIRECT_IFINDEX,           /* bpf_redirect: ifindex, flags */
    BPFPPCC_REDIRECT_PEER,              /* bpf_redirect_peer */
    BPFPPCC_REDIRECT_NEIGH,             /* bpf_redirect_neigh */
    BPFPPCC_REDIRECT_MAP,               /* bpf_redirect_map: map, key, flags; value, or NULL for a broadcast to all of the map */
};
struct bpfppcc_redirect {
    enum bpfppcc_redirect_kind kind;
    uint32_t ifindex;
    uint64_t flags;
    uint64_t key;
    struct bpfppcc_map *map;
    const void *value;
};
const struct bpfppcc_redirect *bpfppcc_last_redirect(void);

/* ---- what stands for the kernel ---- */

enum bpfppcc_clock {
    BPFPPCC_CLOCK_MONOTONIC,
    BPFPPCC_CLOCK_BOOTTIME,
    BPFPPCC_CLOCK_COARSE,
    BPFPPCC_CLOCK_TAI,
};

/* Who runs. */
struct bpfppcc_task {
    uint32_t pid;                       /* of the thread, as the kernel uses the word */
    uint32_t tgid;                      /* of the process */
    uint32_t uid;
    uint32_t gid;
    char comm[16];
    uint64_t address;                   /* what bpf_get_current_task returns */
};

/* A host may replace these before it opens modules. They are called in the thread of the program. */
struct bpfppcc_hooks {
    uint32_t cpus;                                              /* number of CPUs, of per-CPU maps; 1 */
    uint64_t (*time)(enum bpfppcc_clock clock);                 /* nanoseconds; the system's clocks */
    uint32_t (*random)(void);                                   /* a generator seeded by the system */
    void (*print)(const char *text);                            /* bpf_trace_printk, and complaints of the runtime; standard error */
    void (*task)(struct bpfppcc_task *task);                    /* this process and thread; the struct comes zeroed */
    void (*clone_redirect)(const struct bpfppcc_sk_buff *ctx, uint32_t ifindex, uint64_t flags);    /* nothing */
    void (*wakeup)(struct bpfppcc_map *ringbuf);                /* a consumer that waits should look; nothing */
};
extern struct bpfppcc_hooks bpfppcc_hooks;

/* The CPU on which this thread runs programs, 0 at first. -EINVAL: not below bpfppcc_hooks.cpus. */
int bpfppcc_set_cpu(uint32_t cpu);

#ifdef __cplusplus
}
#endif

#endif
