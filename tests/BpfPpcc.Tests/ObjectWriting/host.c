/*
 * The host of the example object that ExampleObject.cs makes: includes the header that users get, checks what the tables say, and runs
 * the programs. "shared" as an argument says that the object lies in a shared library. Prints what is wrong; exit status 0 if nothing is.
 */
#include "bpfppcc.h"

#include <stdio.h>
#include <string.h>
#include <unwind.h>

extern bpfppcc_fn entry_prog, leaf_prog, hop_prog, bare_prog, sub_prog, atomic_prog, far_prog, global_sub;
extern struct bpfppcc_map counters, jmp_table, flows, huge, small, outer;
extern struct bpfppcc_module bpfppcc_module_example;
extern uint64_t hits, last, hops, cell;
extern uint32_t route[64];
extern const uint32_t step;
extern void *pointers[5];
extern bpfppcc_fn *const table;

#define NOINLINE __attribute__((noinline))

static int failures;

static void fail(int line, const char *what)
{
    printf("host.c:%d: %s\n", line, what);
    failures++;
}

#define CHECK(condition) ((condition) ? (void)0 : fail(__LINE__, #condition))

/* What the programs ask of the host. */
uint64_t host_value[2] = { 1, 2 };
static uint64_t *value_seen;
static bpfppcc_fn *function_seen;

uint64_t host_function(uint64_t value, uint64_t function);
uint64_t host_function(uint64_t value, uint64_t function)
{
    value_seen = (uint64_t *)value;
    function_seen = (bpfppcc_fn *)function;
    return 0;
}

/* The helper looks at the stack when it is asked to, and destroys every register that it may. */
enum { MAX_DEPTH = 64 };
static const void *starts[MAX_DEPTH];
static uint64_t frames[MAX_DEPTH];
static int depth, look;

static _Unwind_Reason_Code note_frame(struct _Unwind_Context *context, void *unused)
{
    (void)unused;
    if (depth < MAX_DEPTH) {
        starts[depth] = (const void *)_Unwind_GetRegionStart(context);
        frames[depth++] = _Unwind_GetCFA(context);
    }
    return _URC_NO_REASON;
}

bpfppcc_helper_fn bpf_helper_ktime_get_ns;
uint64_t bpf_helper_ktime_get_ns(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5)
{
    (void)r1, (void)r2, (void)r3, (void)r4, (void)r5;
    if (look) {
        depth = 0;
        _Unwind_Backtrace(note_frame, NULL);
    }
    __asm__ volatile(
        "li 4,-1; li 5,-1; li 6,-1; li 7,-1; li 8,-1; li 9,-1; li 10,-1; li 11,-1; li 12,-1; li 0,-1; mtctr 0"
        ::: "r0", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "ctr");
    return 0x0102030405060708;
}

static uint64_t get_r2(void)
{
    uint64_t r2;
    __asm__ volatile("mr %0,2" : "=r"(r2));
    return r2;
}

/*
 * checked_call(function, ctx, changed): calls with a pattern in every callee-saved register and in cr2..cr4, and stores the bits that have
 * changed. In assembly, so that its frame can be described to unwinders.
 */
uint64_t checked_call(bpfppcc_fn *function, void *ctx, uint64_t *changed);
__asm__(
    ".text\n .p2align 4\n .globl checked_call\n .type checked_call,@function\n checked_call: .cfi_startproc\n"
    "mflr 0\n std 0,16(1)\n mfcr 0\n stw 0,8(1)\n"
    ".irp n,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n std \\n,\\n*8-256(1)\n .endr\n"
    "stdu 1,-192(1)\n .cfi_def_cfa_offset 192\n .cfi_offset 65,16\n .cfi_offset 70,8\n"
    ".irp n,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n .cfi_offset \\n,\\n*8-256\n li \\n,\\n+0x5500\n .endr\n"
    "std 2,24(1)\n std 5,32(1)\n lis 0,0x00a5\n ori 0,0,0xa000\n mtcrf 0x38,0\n"
    "mr 12,3\n mr 3,4\n mtctr 12\n bctrl\n ld 2,24(1)\n ld 5,32(1)\n li 12,0\n"
    ".irp n,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n xori 0,\\n,\\n+0x5500\n or 12,12,0\n .endr\n"
    "mfcr 0\n rlwinm 0,0,0,8,19\n lis 11,0x00a5\n ori 11,11,0xa000\n xor 0,0,11\n or 12,12,0\n std 12,0(5)\n"
    "addi 1,1,192\n .cfi_def_cfa_offset 0\n"
    ".irp n,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n ld \\n,\\n*8-256(1)\n .cfi_restore \\n\n .endr\n"
    "lwz 0,8(1)\n mtcrf 0x38,0\n ld 0,16(1)\n mtlr 0\n blr\n .cfi_endproc\n .size checked_call,.-checked_call\n");

static uint64_t call(bpfppcc_fn *function, void *ctx, int line)
{
    uint64_t changed, result = checked_call(function, ctx, &changed);
    if (changed)
        fail(line, "a callee-saved register has changed");
    return result;
}
#define CALL(function, ctx) call(function, ctx, __LINE__)

/* The compiler takes symbols for objects of their own; here one is an element of another's array. */
static NOINLINE int same(const void *a, const void *b)
{
    return a == b;
}

static NOINLINE void check_tables(const struct bpfppcc_module *m, int shared)
{
    static const char *const names[] = {
        "entry_prog", "leaf_prog", "hop_prog", "bare_prog", "sub_prog", "atomic_prog", "far_prog"
    };
    bpfppcc_fn *const entries[] = { entry_prog, leaf_prog, hop_prog, bare_prog, sub_prog, atomic_prog, far_prog };
    static const int offsets[] = { 16, 8, 16, 16, 16, 16, 8 };
    static const uint32_t flags[] = { 1, 0, 1, 1, 1, 0, 0 };

    CHECK(m->size == sizeof *m && m->abi == BPFPPCC_ABI_VERSION && m->flags == 0 && m->kern_version == 0);
    CHECK(!strcmp(m->generator, "bpfppcc 0.1.0") && !strcmp(m->source, "example.bpf.o") && !strcmp(m->licence, "GPL"));
    CHECK(!strcmp(m->cpu, "power8") && !strcmp(m->options, "-O2") && m->sha256[0] == 0xab && m->sha256[31] == 0xab);
    CHECK(!m->reserved[0] && !m->reserved[1]);
    CHECK(shared || m->toc_base == get_r2());
    CHECK(shared ? !BPFPPCC_MODULES_BEGIN : BPFPPCC_MODULES_BEGIN == m && BPFPPCC_MODULES_END == m + 1);

    CHECK(m->n_progs == 7);
    for (uint64_t i = 0; i < m->n_progs; i++) {
        const struct bpfppcc_prog *p = &m->progs[i];
        CHECK(p->size == sizeof *p && p->abi == BPFPPCC_ABI_VERSION && p->prog_type == 6 && p->attach_type == 37);
        CHECK(p->flags == flags[i] && p->n_insns == 2 && p->code_size >= 12 && p->module == m && !p->attach_target && !p->reserved);
        CHECK(!strcmp(p->name, names[i]) && !strcmp(p->section, "xdp") && p->entry == entries[i]);
        CHECK((const char *)p->tail_entry == (const char *)p->entry + offsets[i]);
    }
    CHECK(m->progs[0].stack_depth == 8 && m->progs[1].stack_depth == 0 && m->progs[2].stack_depth == 400);

    CHECK(m->n_helpers == 1 && m->helpers[0].id == 5 && !m->helpers[0].flags && !strcmp(m->helpers[0].name, "ktime_get_ns"));
    CHECK(m->n_maps == 6 && same(m->maps, &counters) && jmp_table.size == 128 && !strcmp(m->maps[1].name, "jmp_table"));
    for (uint64_t i = 0; i < m->n_maps; i++) {
        CHECK(m->maps[i].size == sizeof *m->maps && m->maps[i].module == m && !m->maps[i].impl);
        CHECK(!m->maps[i].reserved[0] && !m->maps[i].reserved[1]);
    }
    CHECK(!strcmp(counters.name, "counters") && counters.type == 2 && counters.key_size == 4 && counters.value_size == 12);
    CHECK(same(&m->maps[1], &jmp_table) && same(&m->maps[5], &outer));
    CHECK(counters.max_entries == 4 && counters.flags == 3 && counters.values && !counters.progs && !counters.inner && !counters.init);
    CHECK((uint64_t)counters.values % 8 == 0 && (uint64_t)jmp_table.progs % 8 == 0);
    CHECK(jmp_table.type == 3 && jmp_table.flags == 1 && !jmp_table.values && jmp_table.progs[5] == &m->progs[1] && !jmp_table.progs[0]);
    CHECK(flows.type == 1 && flows.max_entries == 1000 && flows.map_flags == 1 && flows.pinning == 1 && flows.numa_node == 2);
    CHECK(flows.map_extra == 0x1122334455667788 && flows.btf_key_type == 3 && flows.btf_value_type == 4 && flows.flags == 0);
    CHECK(!flows.values && !flows.progs && !huge.values && huge.flags == 0);
    CHECK(small.values && (char *)small.values == (char *)counters.values + 4 * BPFPPCC_STRIDE(12));
    CHECK(outer.type == 12 && outer.n_init == 3 && outer.init[0] == &small && !outer.init[1] && outer.init[2] == &counters);
    CHECK(outer.inner && !strcmp(outer.inner->name, "outer.inner") && outer.inner->value_size == 1 && outer.inner->module == m);
    CHECK(!outer.inner->values && !outer.flags);
}

enum { ENTRY, HOP, BARE, SUB, EMPTY, LEAF, LEAF2, OUTSIDE = 100 };

static void plan(int where)
{
    for (int i = 0; i < 64; i++)
        route[i] = where;
    hops = 0;
}

static NOINLINE void check_backtrace(struct bpfppcc_xdp_md *ctx, const struct bpfppcc_module *m, const void *caller)
{
    look = 1;
    ctx->rx_queue_index = LEAF;
    entry_prog(ctx);
    CHECK(depth >= 3 && starts[1] == (const void *)m->progs[0].entry && starts[2] == caller);
    uint64_t frame = frames[2];

    plan(HOP);                          /* behind 32 tail calls, of programs with another frame */
    route[31] = ENTRY;
    hop_prog(ctx);
    CHECK(depth >= 3 && starts[1] == (const void *)m->progs[0].entry && starts[2] == caller && frames[2] == frame);

    plan(SUB);                          /* 34 programs whose subprograms have been replaced, and the last of these */
    CHECK(sub_prog(ctx) == 34 * 100 + 7);
    for (int i = 2; i < 36; i++)
        CHECK(starts[i] == (const void *)m->progs[4].entry);
    CHECK(starts[36] == caller && frames[36] == frame);
    look = 0;
}

static NOINLINE void check_tail_calls(struct bpfppcc_xdp_md *ctx, struct bpfppcc_module *m)
{
    static const int slots[] = { ENTRY, LEAF2, HOP, BARE, SUB };
    for (int i = 0; i < 5; i++)
        jmp_table.progs[slots[i]] = &m->progs[i];

    ctx->rx_queue_index = LEAF;
    CHECK(CALL(entry_prog, ctx) == 60);
    plan(HOP);
    CHECK(CALL(hop_prog, ctx) == (uint64_t)-34 && hops == 34);
    plan(HOP);
    route[32] = LEAF;                   /* the 33rd is made ... */
    CHECK(CALL(hop_prog, ctx) == 60);
    plan(HOP);
    route[33] = LEAF;                   /* ... and the 34th is not */
    CHECK(CALL(hop_prog, ctx) == (uint64_t)-34);

    plan(ENTRY);                        /* frames of two sizes in turn */
    ctx->rx_queue_index = HOP;
    hits = 0;
    CHECK(CALL(hop_prog, ctx) == 2 && hops == 17 && hits == 17);
    plan(BARE);                         /* without a frame; a failed call costs nothing */
    ctx->rx_queue_index = OUTSIDE;
    CHECK(CALL(bare_prog, ctx) == 3 && hops == 34);
    ctx->rx_queue_index = EMPTY;
    plan(HOP);
    for (int i = 0; i < 64; i += 2)
        route[i] = BARE;
    CHECK(CALL(hop_prog, ctx) == 3 && hops == 34);

    plan(LEAF);                         /* from a subprogram, which is replaced; the limit is shared */
    CHECK(CALL(sub_prog, ctx) == 160);
    plan(EMPTY);
    CHECK(CALL(sub_prog, ctx) == 107);
    plan(HOP);
    CHECK(CALL(sub_prog, ctx) == 66 && hops == 34);
    plan(SUB);
    CHECK(CALL(sub_prog, ctx) == 34 * 100 + 7 && hops == 34);
    plan(EMPTY);                        /* a global function, called from C */
    CHECK(CALL(global_sub, ctx) == 9);
    plan(HOP);
    CHECK(CALL(global_sub, ctx) == (uint64_t)-34 && hops == 34);
}

int main(int argc, char **argv)
{
    static char packet[60];
    struct bpfppcc_xdp_md ctx = { .ingress_ifindex = 2, .rx_queue_index = LEAF, .data = packet, .data_end = packet + 60 };
    struct bpfppcc_module *m = &bpfppcc_module_example;
    (void)argv;
    check_tables(m, argc > 1);

    CHECK(step == 1 && hits == 1000 && pointers[0] == &hops && pointers[1] == &jmp_table && pointers[2] == (void *)global_sub);
    CHECK(pointers[3] == (char *)host_value + 4 && !pointers[4] && table == global_sub);
    uint64_t r2 = get_r2();
    CHECK(CALL(entry_prog, &ctx) == 60); /* by the initial value of slot 5 */
    CHECK(hits == 1001 && last == 0x0102030405060708 && ((uint32_t *)counters.values)[2 * 4] == 1);
    ctx.rx_queue_index = EMPTY;
    ctx.ingress_ifindex = 4;
    hits = 41;
    CHECK(CALL(entry_prog, &ctx) == 2 && hits == 42 && ((uint32_t *)counters.values)[2 * 4] == 1);
    CHECK(value_seen == (uint64_t *)((char *)host_value + 4) && function_seen == global_sub);
    ctx.rx_queue_index = 0xffffffff;
    CHECK(CALL(entry_prog, &ctx) == 2);
    ctx.data_end = packet;
    ctx.data = packet + 4;
    CHECK(CALL(leaf_prog, &ctx) == (uint64_t)-4);
    ctx.data = packet;
    ctx.data_end = packet + 60;

    cell = 100;
    CHECK(CALL(atomic_prog, &ctx) == 9);
    CHECK(CALL(atomic_prog, NULL) == (100 | 105ull << 16 | 7ull << 32) && cell == 0x107);
    CHECK(CALL(far_prog, NULL) == 0 && CALL(far_prog, (void *)3) == 30000);

    check_tail_calls(&ctx, m);
    check_backtrace(&ctx, m, (const void *)check_backtrace);
    CHECK(get_r2() == r2);
    return failures != 0;
}
