// The BPF source, compiled natively, with the descriptors that bpfppcc would give it: to its host it looks like the compiled object.
#include "lb.bpf.c"

#include <string.h>

static uint64_t run_balance(void *ctx) { return (uint64_t)(int64_t)balance(ctx); }
static uint64_t run_tcp(void *ctx) { return (uint64_t)(int64_t)tcp(ctx); }
static uint64_t run_udp(void *ctx) { return (uint64_t)(int64_t)udp(ctx); }
static uint64_t run_icmp(void *ctx) { return (uint64_t)(int64_t)icmp(ctx); }

struct bpfppcc_module bpfppcc_module_lb;

#define PROGRAM(function) \
    { .size = sizeof(struct bpfppcc_prog), .abi = BPFPPCC_ABI_VERSION, .prog_type = BPF_PROG_TYPE_XDP, .name = #function, .section = "xdp", \
      .entry = run_##function, .module = &bpfppcc_module_lb }
static struct bpfppcc_prog progs[] = { PROGRAM(balance), PROGRAM(tcp), PROGRAM(udp), PROGRAM(icmp) };
enum { BALANCE, TCP, UDP, ICMP };

static const struct bpfppcc_prog *slots[STAGES] = { [STAGE_TCP] = &progs[TCP], [STAGE_UDP] = &progs[UDP], [STAGE_ICMP] = &progs[ICMP] };

// What the definitions say is in the types of their fields: int (*name)[value].
#define NUMBER(map, field) (sizeof(*(map).field) / sizeof(int))
#define MAP(map) \
    .size = sizeof(struct bpfppcc_map), .name = #map, .type = NUMBER(map, type), .max_entries = NUMBER(map, max_entries), .module = &bpfppcc_module_lb
#define KEYED_MAP(map) MAP(map), .key_size = sizeof(*(map).key), .value_size = sizeof(*(map).value)

static struct bpfppcc_map maps[] = {
    { KEYED_MAP(services) },
    { KEYED_MAP(backends) },
    { KEYED_MAP(flows) },
    { KEYED_MAP(sources) },
    { KEYED_MAP(blocklist), .map_flags = NUMBER(blocklist, map_flags) },
    { MAP(events) },
    { KEYED_MAP(statistics) },
    { KEYED_MAP(scratch) },
    { MAP(stages), .key_size = NUMBER(stages, key_size), .value_size = 4, .progs = slots },
};
enum { N_MAPS = sizeof maps / sizeof *maps };
static const void *const definitions[N_MAPS] = { &services, &backends, &flows, &sources, &blocklist, &events, &statistics, &scratch, &stages };

struct bpfppcc_map *native_map(const void *definition)
{
    for (unsigned i = 0; i < N_MAPS; i++)
        if (definitions[i] == definition)
            return &maps[i];
    return NULL;
}

const struct bpfppcc_prog *native_slot(const void *definition, __u32 index)
{
    const struct bpfppcc_map *map = native_map(definition);
    return index < map->max_entries ? map->progs[index] : NULL;
}

struct bpfppcc_module bpfppcc_module_lb = {
    .size = sizeof(struct bpfppcc_module), .abi = BPFPPCC_ABI_VERSION,
    .flags = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? BPFPPCC_MODULE_BIG_ENDIAN : 0,
    .progs = progs, .n_progs = sizeof progs / sizeof *progs, .maps = maps, .n_maps = N_MAPS,
};
