/* The part of the object ABI (docs/object-abi.md) that the test host uses, declared anew: a mistake in bpfppcc.h must not hide itself. */
#ifndef TEST_HOST_ABI_H
#define TEST_HOST_ABI_H

#include <stdint.h>

struct module;

struct program {
    uint32_t size, abi, prog_type, attach_type, flags, stack_depth, n_insns, code_size;
    const char *name, *section;
    uint64_t (*entry)(void *);
    const void *tail_entry;
    const char *attach_target;
    struct module *module;
    uint8_t tag[8];
    uint64_t reserved;
};

struct map {
    uint32_t size, type, key_size, value_size, max_entries, map_flags, pinning, numa_node;
    uint64_t map_extra;
    const char *name;
    struct map *inner;
    const void *init;
    uint32_t n_init, btf_key_type, btf_value_type, flags;
    void *impl;
    uint8_t *values;
    const struct program **progs;
    struct module *module;
    uint64_t reserved[2];
};

struct module {
    uint32_t size, abi, flags, kern_version;
    const char *generator, *source, *licence, *cpu, *options;
    uint8_t sha256[32];
    uint64_t toc_base;
    struct program *progs;
    uint64_t n_progs;
    struct map *maps;
    uint64_t n_maps;
    const void *helpers;
    uint64_t n_helpers;
    uint64_t reserved[2];
};

_Static_assert(sizeof(struct program) == 96 && sizeof(struct map) == 128 && sizeof(struct module) == 160, "sizes of the object ABI");

#endif
