/* Opening, finding, running and closing modules, with descriptors as the compiler writes them; hooks; helpers about time and task; stubs. */
#include "check.h"

static struct bpfppcc_module first, second;

/* ---- a module with every kind of storage, and a second one that uses the first one's map ---- */

static uint64_t values[3];
static const struct bpfppcc_prog *slots[4];
enum { N_PROGS = 2, N_MAPS = 6 };
static struct bpfppcc_prog progs[N_PROGS];
static struct bpfppcc_map inner_like = { .size = sizeof(struct bpfppcc_map), .type = ARRAY, .key_size = 4, .value_size = 4, .max_entries = 2,
    .name = "inner", .module = &first };
static struct bpfppcc_map maps[N_MAPS];
static struct bpfppcc_map *const initial[] = { NULL, &maps[3], NULL, &maps[3] };

#define MAP_HEAD(name_, type_, key, value, entries) \
    .size = sizeof(struct bpfppcc_map), .name = name_, .type = type_, .key_size = key, .value_size = value, .max_entries = entries, .module = &first
static struct bpfppcc_map maps[N_MAPS] = {
    { MAP_HEAD("counters", ARRAY, 4, 8, 3), .flags = BPFPPCC_MAP_OWN_STORAGE | BPFPPCC_MAP_INLINE, .values = values },
    { MAP_HEAD("next", PROG_ARRAY, 4, 4, 4), .flags = BPFPPCC_MAP_OWN_STORAGE, .progs = slots },
    { MAP_HEAD("outer", ARRAY_OF_MAPS, 4, 4, 5), .inner = &inner_like, .init = initial, .n_init = 4 },
    { MAP_HEAD("inner_1", ARRAY, 4, 4, 2), .flags = BPFPPCC_MAP_OWN_STORAGE | BPFPPCC_MAP_INLINE, .values = values },
    { MAP_HEAD("sessions", HASH, 4, 8, 100) },
    { MAP_HEAD("large", ARRAY, 4, 8, 5) },
};

static uint64_t count(void *ctx)
{
    (void)ctx;
    uint32_t key = 1;
    uint64_t *value = (uint64_t *)(uintptr_t)HELPER(map_lookup_elem, &maps[0], &key);
    return value ? ++*value : 0;
}

static uint64_t send(void *ctx)
{
    (void)ctx;
    return HELPER(redirect, 5, 0);
}

static struct bpfppcc_prog progs[N_PROGS] = {
    { .size = sizeof(struct bpfppcc_prog), .abi = 1, .prog_type = 6, .name = "count", .section = "xdp", .entry = count, .module = &first },
    { .size = sizeof(struct bpfppcc_prog), .abi = 1, .prog_type = 3, .name = "send", .section = "tc", .entry = send, .module = &first },
};
static struct bpfppcc_prog foreign = { .size = sizeof foreign, .abi = 1, .name = "foreign", .entry = count, .module = &second };

static uint32_t byte_order(void)
{
    return *(const char *)&(const uint32_t){ 1 } ? 0 : BPFPPCC_MODULE_BIG_ENDIAN;
}

static void describe_modules(void)
{
    first = (struct bpfppcc_module){ .size = sizeof first, .abi = 1, .flags = byte_order(), .toc_base = 0x8000, .progs = progs, .n_progs = N_PROGS,
        .maps = maps, .n_maps = N_MAPS };
    second = (struct bpfppcc_module){ .size = sizeof second, .abi = 1, .flags = byte_order(), .toc_base = 0x9000, .progs = &foreign, .n_progs = 1 };
}

static void refusals(void)
{
    EQUAL(bpfppcc_open(NULL), -EINVAL);
    first.abi = 2;
    EQUAL(bpfppcc_open(&first), -ENOEXEC);
    first.abi = 1;
    first.flags ^= BPFPPCC_MODULE_BIG_ENDIAN;
    EQUAL(bpfppcc_open(&first), -ENOEXEC);
    first.flags ^= BPFPPCC_MODULE_BIG_ENDIAN;
    first.size = 152;
    EQUAL(bpfppcc_open(&first), -ENOEXEC);
    first.size = sizeof first;
    progs[0].abi = 7;
    EQUAL(bpfppcc_open(&first), -ENOEXEC);
    progs[0].abi = 1;
    slots[2] = &foreign;                                /* an initial slot that cannot be jumped to */
    EQUAL(bpfppcc_open(&first), -EINVAL);
    CHECK(!maps[0].impl && maps[0].values == values);   /* and nothing stays half open */
    slots[2] = NULL;
    maps[4].key_size = 0;
    EQUAL(bpfppcc_open(&first), -EINVAL);
    maps[4].key_size = 4;
    uint32_t key = 0;
    uint64_t value = 1;
    EQUAL(HELPER(map_update_elem, &maps[4], &key, &value, 0), -EBADF);
    EQUAL(HELPER(map_lookup_elem, &maps[4], &key), 0);
    EQUAL(bpfppcc_map_delete(&maps[4], &key), -EBADF);
    EQUAL(bpfppcc_ringbuf_consume(&maps[4], NULL, NULL), -EBADF);
}

static void use(void)
{
    uint32_t key = 1;
    uint64_t value = 9;
    EQUAL(bpfppcc_open(&first), 0);
    EQUAL(bpfppcc_open(&second), 0);
    CHECK(bpfppcc_prog(&first, "send") == &progs[1] && !bpfppcc_prog(&first, "sen") && bpfppcc_map(&first, "outer") == &maps[2]);
    CHECK(!bpfppcc_map(&second, "outer"));
    values[1] = 41;
    EQUAL(bpfppcc_run(bpfppcc_prog(&first, "count"), NULL), 42);
    EQUAL(*(uint64_t *)bpfppcc_map_lookup(&maps[0], &key), 42);
    EQUAL(bpfppcc_open(&first), 0);                     /* again: nothing is lost */
    EQUAL(values[1], 42);
    CHECK(maps[5].values && !((uint64_t *)maps[5].values)[4]);

    EQUAL(bpfppcc_map_update(bpfppcc_map(&first, "sessions"), &key, &value, 0), 0);
    EQUAL(bpfppcc_map_get(&maps[4], &key, &value), 0);
    EQUAL(value, 9);
    CHECK(bpfppcc_map_lookup(&maps[2], &key) == &maps[3]);
    key = 0;
    CHECK(!bpfppcc_map_lookup(&maps[2], &key));

    EQUAL(bpfppcc_run(&progs[1], NULL), 7);             /* tc */
    EQUAL(bpfppcc_last_redirect()->kind, BPFPPCC_REDIRECT_IFINDEX);
    bpfppcc_run(&progs[0], NULL);
    EQUAL(bpfppcc_last_redirect()->kind, BPFPPCC_REDIRECT_NONE);
}

static void prog_arrays(void)
{
    struct bpfppcc_map *map = &maps[1];
    const struct bpfppcc_prog *prog = &progs[0], *nothing = NULL;
    uint32_t key = 3;
    EQUAL(bpfppcc_prog_array_update(map, 3, &progs[1]), 0);
    CHECK(slots[3] == &progs[1] && bpfppcc_map_lookup(map, &key) == &progs[1]);
    EQUAL(bpfppcc_prog_array_update(map, 4, &progs[1]), -E2BIG);
    EQUAL(bpfppcc_prog_array_update(map, 0, &foreign), -EINVAL);
    EQUAL(bpfppcc_prog_array_update(&maps[0], 0, &progs[1]), -EINVAL);
    EQUAL(bpfppcc_map_update(map, &key, &prog, 0), 0);
    CHECK(slots[3] == prog);
    EQUAL(bpfppcc_map_update(map, &key, &prog, BPFPPCC_NOEXIST), -EINVAL);
    EQUAL(bpfppcc_map_update(map, &key, &nothing, 0), -EINVAL);
    EQUAL(bpfppcc_map_delete(map, &key), 0);
    EQUAL(bpfppcc_map_delete(map, &key), -ENOENT);
    EQUAL(bpfppcc_prog_array_update(map, 0, prog), 0);
    EQUAL(bpfppcc_prog_array_update(map, 0, NULL), 0);
    CHECK(!slots[0]);
}

static void close_and_reopen(void)
{
    bpfppcc_close(&second);
    bpfppcc_close(&first);
    CHECK(!maps[4].impl && !maps[5].values && maps[0].values == values);
    EQUAL(bpfppcc_open(&first), 0);
    uint32_t key = 1;
    CHECK(!bpfppcc_map_lookup(&maps[4], &key));
    bpfppcc_close(&first);
}

/* ---- hooks and the helpers that show them ---- */

static char said[512];
static unsigned times_said;
static void on_print(const char *text)
{
    snprintf(said, sizeof said, "%s", text);
    times_said++;
}

static uint64_t on_time(enum bpfppcc_clock clock)
{
    return 4000000000ULL * (clock + 1);
}

static uint32_t on_random(void)
{
    return 0xfedcba98;
}

static void on_task(struct bpfppcc_task *task)
{
    *task = (struct bpfppcc_task){ .pid = 5, .tgid = 6, .uid = 7, .gid = 8, .address = 0x1000 };
    memcpy(task->comm, "sixteen bytes...", 16);
}

static void defaults(void)
{
    uint64_t time = HELPER(ktime_get_ns, 0);
    CHECK(time && HELPER(ktime_get_ns, 0) >= time && HELPER(ktime_get_boot_ns, 0) >= time);
    CHECK(HELPER(ktime_get_coarse_ns, 0) && HELPER(ktime_get_tai_ns, 0) > 1600000000000000000ULL);
    CHECK(HELPER(get_prandom_u32, 0) != HELPER(get_prandom_u32, 0) || HELPER(get_prandom_u32, 0) != HELPER(get_prandom_u32, 0));
    CHECK(HELPER(get_prandom_u32, 0) <= UINT32_MAX);
    CHECK((uint32_t)HELPER(get_current_pid_tgid, 0) != 0 && HELPER(get_current_pid_tgid, 0) >> 32 != 0);
    char comm[16];
    EQUAL(HELPER(get_current_comm, comm, 16), 0);
    CHECK(comm[0] && memchr(comm, 0, 16));
    EQUAL(HELPER(get_smp_processor_id, 0), 0);
    EQUAL(HELPER(get_numa_node_id, 0), 0);
    EQUAL(HELPER(get_current_task, 0), 0);
}

static void hooks(void)
{
    char comm[16];
    bpfppcc_hooks.time = on_time;
    bpfppcc_hooks.random = on_random;
    bpfppcc_hooks.task = on_task;
    EQUAL(HELPER(ktime_get_ns, 0), 4000000000LL);
    EQUAL(HELPER(ktime_get_boot_ns, 0), 8000000000LL);
    EQUAL(HELPER(ktime_get_coarse_ns, 0), 12000000000LL);
    EQUAL(HELPER(ktime_get_tai_ns, 0), 16000000000LL);
    EQUAL(HELPER(jiffies64, 0), 1000);
    EQUAL(HELPER(get_prandom_u32, 0), 0xfedcba98LL);
    EQUAL(HELPER(get_current_pid_tgid, 0), 6LL << 32 | 5);
    EQUAL(HELPER(get_current_uid_gid, 0), 8LL << 32 | 7);
    EQUAL(HELPER(get_current_task_btf, 0), 0x1000);
    EQUAL(HELPER(get_current_comm, comm, 16), 0);
    TEXT(comm, "sixteen bytes..");
    EQUAL(HELPER(get_current_comm, comm, 4), 0);
    TEXT(comm, "six");
}

static void stubs(void)
{
    bpfppcc_hooks.print = on_print;
    times_said = 0;
    EQUAL(HELPER(fib_lookup, 0), -ENOTSUP);
    TEXT(said, "bpfppcc: bpf_fib_lookup has no meaning here; it returns -ENOTSUP");
    EQUAL(HELPER(fib_lookup, 0), -ENOTSUP);
    EQUAL(times_said, 1);
    EQUAL(HELPER(sk_lookup_tcp, 0), -ENOTSUP);
    EQUAL(HELPER(cgrp_storage_get, 0), -ENOTSUP);
    EQUAL(times_said, 3);
    struct bpfppcc_map *map = make(7, 4, 8, 10, 0);     /* STACK_TRACE */
    uint32_t key = 0;
    EQUAL(times_said, 4);
    CHECK(map != NULL && !bpfppcc_map_lookup(map, &key));
    EQUAL(bpfppcc_map_update(map, &key, &key, 0), -ENOTSUP);
    bpfppcc_map_free(map);
}

/* A host's own helper takes the place of a stub. */
bpfppcc_helper_fn bpf_helper_get_socket_cookie;
uint64_t bpf_helper_get_socket_cookie(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    (void)a, (void)b, (void)c, (void)d, (void)e;
    return 12345;
}

static uint64_t rounds;
static uint64_t on_round(uint64_t i, uint64_t ctx, uint64_t c, uint64_t d, uint64_t e)
{
    (void)c, (void)d, (void)e;
    EQUAL(i, rounds++);
    return i == ctx;
}

static void loops_and_locks(void)
{
    rounds = 0;
    EQUAL(HELPER(loop, 10, on_round, 99, 0), 10);
    rounds = 0;
    EQUAL(HELPER(loop, 10, on_round, 3, 0), 4);
    EQUAL(HELPER(loop, 0, on_round, 3, 0), 0);
    EQUAL(HELPER(loop, 8 * 1024 * 1024 + 1, on_round, 3, 0), -E2BIG);
    EQUAL(HELPER(loop, 1, on_round, 3, 1), -EINVAL);
    uint32_t word = 0;
    EQUAL(HELPER(spin_lock, &word), 0);
    CHECK(word != 0);
    EQUAL(HELPER(spin_unlock, &word), 0);
    EQUAL(word, 0);
    uint64_t slot = 5;
    EQUAL(HELPER(kptr_xchg, &slot, 6), 5);
    EQUAL(slot, 6);
    EQUAL(HELPER(get_socket_cookie, 0), 12345);
}

int main(void)
{
    describe_modules();
    refusals();
    use();
    prog_arrays();
    close_and_reopen();
    defaults();
    hooks();
    stubs();
    loops_and_locks();
    return report();
}
