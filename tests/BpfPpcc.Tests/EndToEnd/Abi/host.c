/* The C side of abi.bpf.c: calls every program and checks every promise of docs/object-abi.md that can be seen from C, then prints "ok".
   -DSHARED: the object is in a shared library. -DVERIFIED=0|1: what the module's flag must say. */
#include "bpfppcc.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unwind.h>

extern bpfppcc_fn dispatch, measure, wide, plain, nested, calls, classify, public_jump;
extern int narrow(int, int, int, int, int);
extern uint8_t narrowest(uint64_t);
/* The same functions for a caller that looks at all 64 bits of the result. */
extern long narrow_whole(long, long, long, long, long) __asm__("narrow");
extern long narrowest_whole(long) __asm__("narrowest");
extern struct bpfppcc_map tallies, jumps, sessions;
extern uint64_t passes, stamp, hops;
extern uint32_t plan[64];
extern const volatile uint32_t step;
extern struct bpfppcc_module bpfppcc_module_abi;
extern struct bpfppcc_module __start_bpf_modules[] __attribute__((weak)), __stop_bpf_modules[] __attribute__((weak));

static int failures;
#define CHECK(condition) do { if (!(condition)) { failures++; printf("host.c:%d: not true: %s\n", __LINE__, #condition); } } while (0)
#define EQUAL(actual, expected) do { long long a = (long long)(actual), e = (long long)(expected); \
    if (a != e) { failures++; printf("host.c:%d: %s is %lld, expected %lld\n", __LINE__, #actual, a, e); } } while (0)

/* ---- helpers of the host; they ruin every register that a callee may ruin ---- */
static int trace;
static unsigned frames;
static uintptr_t starts[80], cfas[80];
static uint64_t toc_in_helper_caller;

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *unused)
{
    (void)unused;
    if (frames < 80) {
        cfas[frames] = _Unwind_GetCFA(context);
        starts[frames++] = _Unwind_GetRegionStart(context);
    }
    return _URC_NO_REASON;
}

#define RUIN __asm__ volatile("li 0,-1; li 4,-2; li 5,-3; li 6,-4; li 7,-5; li 8,-6; li 9,-7; li 10,-8; li 11,-9; li 12,-10; mtctr 0" \
    : : : "r0", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "ctr", "cr0", "cr1", "cr5", "cr6", "cr7")

__attribute__((noinline)) uint64_t bpf_helper_ktime_get_ns(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    (void)a, (void)b, (void)c, (void)d, (void)e;
    uint64_t **frame = __builtin_frame_address(0);
    toc_in_helper_caller = (*frame)[3]; /* where a PLT stub saved r2, if there was one */
    if (trace) {
        frames = 0;
        _Unwind_Backtrace(on_frame, NULL);
    }
    RUIN;
    return 0x0123456789abcdefULL;
}

uint64_t bpf_helper_map_lookup_elem(uint64_t map, uint64_t key, uint64_t c, uint64_t d, uint64_t e)
{
    (void)c, (void)d, (void)e;
    CHECK((struct bpfppcc_map *)map == &sessions);
    EQUAL(*(uint64_t *)key, passes);
    RUIN;
    return 0;
}

/* ---- a call that notices if a callee-saved register, r1, r2 or cr2..cr4 is not what it was ---- */
static uint64_t call(bpfppcc_fn *function, void *context)
{
    register uint64_t r3 __asm__("r3") = (uint64_t)context;
    register uint64_t r4 __asm__("r4") = (uint64_t)function;
    __asm__ volatile(
        "stdu 1,-448(1)\n std 2,24(1)\n mfcr 0\n std 0,400(1)\n lis 0,0x0f0f\n ori 0,0,0xf0f0\n mtcrf 0x38,0\n"
        "li 14,1401\n li 15,1501\n li 16,1601\n li 17,1701\n li 18,1801\n li 19,1901\n li 20,2001\n li 21,2101\n li 22,2201\n"
        "li 23,2301\n li 24,2401\n li 25,2501\n li 26,2601\n li 27,2701\n li 28,2801\n li 29,2901\n li 30,3001\n li 31,3101\n"
        "std 1,408(1)\n mr 12,4\n mtctr 12\n bctrl\n ld 2,24(1)\n ld 5,408(1)\n xor 4,5,1\n"
#define SAME(r) "xori 5," #r "," #r "01\n or 4,4,5\n"
        SAME(14) SAME(15) SAME(16) SAME(17) SAME(18) SAME(19) SAME(20) SAME(21) SAME(22) SAME(23) SAME(24) SAME(25) SAME(26) SAME(27)
        SAME(28) SAME(29) SAME(30) SAME(31)
        "mfcr 5\n lis 6,0x0f0f\n ori 6,6,0xf0f0\n xor 5,5,6\n rlwinm 5,5,0,8,19\n or 4,4,5\n"
        "ld 0,400(1)\n mtcrf 0x38,0\n addi 1,1,448\n"
        : "+r"(r3), "+r"(r4) :
        : "r0", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "r14", "r15", "r16", "r17", "r18", "r19", "r20", "r21", "r22", "r23",
          "r24", "r25", "r26", "r27", "r28", "r29", "r30", "r31", "cr0", "cr1", "cr2", "cr3", "cr4", "cr5", "cr6", "cr7", "lr", "ctr", "memory");
    EQUAL(r4, 0);
    return r3;
}

enum { MEASURE = 0, WIDE = 1, DISPATCH = 2, PLAIN = 3, NESTED = 4, MEASURE_FROM_SOURCE = 5, EMPTY = 6, OUTSIDE = 8 };

static char packet[60];
static struct bpfppcc_xdp_md ctx = { .ingress_ifindex = 2, .data = packet, .data_end = packet + sizeof packet, .data_meta = packet };

static void go_to(uint32_t everywhere)
{
    hops = 0;
    for (int i = 0; i < 64; i++)
        plan[i] = everywhere;
}

static const struct bpfppcc_prog *find(const char *name)
{
    for (uint64_t i = 0; i < bpfppcc_module_abi.n_progs; i++) {
        if (!strcmp(bpfppcc_module_abi.progs[i].name, name))
            return &bpfppcc_module_abi.progs[i];
    }
    printf("no program %s\n", name);
    failures++;
    return bpfppcc_module_abi.progs;
}

static void tables(void)
{
    static const char *const names[] = { "dispatch", "measure", "wide", "plain", "nested", "calls", "classify" };
    bpfppcc_fn *const functions[] = { dispatch, measure, wide, plain, nested, calls, classify };
    const struct bpfppcc_module *module = &bpfppcc_module_abi;
    EQUAL(module->size, sizeof *module);
    EQUAL(module->abi, 1);
    EQUAL(module->flags, VERIFIED ? 2 : 0);
    EQUAL(module->kern_version, 0x060c00);
    CHECK(!strncmp(module->generator, "bpfppcc ", 8) && !strcmp(module->licence, "GPL") && !strcmp(module->cpu, "power8"));
    CHECK(!strchr(module->source, '/') && strlen(module->source) > 2);
    EQUAL(module->n_progs, 7);
    for (unsigned i = 0; i < 7; i++) { /* clang decides on their order in the object */
        const struct bpfppcc_prog *p = find(names[i]);
        CHECK(p->entry == functions[i] && p->module == module && !p->attach_target && !p->reserved);
        EQUAL(p->size, 96);
        EQUAL(p->abi, 1);
        EQUAL(p->prog_type, i == 6 ? 3 : 6);
        CHECK(!strcmp(p->section, i == 6 ? "tc" : "xdp"));
        int simple = i == 1 || i == 6; /* no tail call, no TOC */
        EQUAL(p->flags, !simple);
        uint64_t preamble = simple ? 0 : 8;
        EQUAL((uint64_t)p->tail_entry - (uint64_t)p->entry, preamble + 8);
        CHECK(p->code_size >= preamble + 12 && p->code_size % 4 == 0 && p->n_insns > 2);
        CHECK(memcmp(p->tag, "\0\0\0\0\0\0\0\0", 8) != 0);
    }
    CHECK(find("wide")->stack_depth >= 480 && find("wide")->stack_depth <= 512);
    EQUAL(module->n_maps, 3);
    struct bpfppcc_map *const maps[] = { &tallies, &jumps, &sessions };
    for (unsigned i = 0; i < 3; i++) /* one place, two ways to it */
        CHECK(maps[i] >= module->maps && maps[i] < module->maps + 3);
    CHECK(tallies.size == 128 && tallies.type == 2 && tallies.key_size == 4 && tallies.value_size == 12 && tallies.max_entries == 4);
    CHECK(!strcmp(tallies.name, "tallies") && tallies.module == module && tallies.values && !tallies.progs && tallies.flags == 3);
    CHECK(jumps.type == 3 && jumps.max_entries == 8 && jumps.progs && !jumps.values && jumps.flags == 1);
    CHECK(jumps.progs[5] == find("measure") && !jumps.progs[0] && !jumps.progs[7]);
    CHECK(sessions.type == 1 && sessions.map_flags == 1 && !sessions.values && !sessions.progs && !sessions.flags && !sessions.impl);
    EQUAL(module->n_helpers, 2);
    CHECK(module->helpers[0].id == 1 && !strcmp(module->helpers[0].name, "map_lookup_elem"));
    CHECK(module->helpers[1].id == 5 && !strcmp(module->helpers[1].name, "ktime_get_ns"));
#ifdef SHARED
    CHECK(!&__start_bpf_modules[0]);
#else
    uint64_t r2;
    __asm__("mr %0,2" : "=r"(r2));
    EQUAL(module->toc_base, r2);
    CHECK(__start_bpf_modules == module && &__stop_bpf_modules[0] == module + 1);
#endif
}

static void data_and_maps(void)
{
    EQUAL(passes, 1000);
    EQUAL(step, 1);
    ctx.rx_queue_index = MEASURE_FROM_SOURCE;
    EQUAL(call(dispatch, &ctx), sizeof packet);
    EQUAL(passes, 1001);
    EQUAL(stamp, 0x0123456789abcdefLL);
#ifdef SHARED
    EQUAL(bpfppcc_module_abi.toc_base, toc_in_helper_caller);
#endif
    EQUAL(((uint32_t *)tallies.values)[2 * 4], 1); /* elements of 12 bytes lie 16 apart */
    ctx.ingress_ifindex = 4;                        /* no such element */
    EQUAL(call(dispatch, &ctx), sizeof packet);
    ctx.ingress_ifindex = 3;
    static uint64_t elsewhere[8];
    void *own = tallies.values;
    tallies.values = elsewhere;
    EQUAL(call(dispatch, &ctx), sizeof packet);
    EQUAL(((uint32_t *)elsewhere)[3 * 4], 1);
    tallies.values = own;
    EQUAL(((uint32_t *)own)[2 * 4], 1);
    EQUAL(((uint32_t *)own)[3 * 4], 0);
}

static void narrow_values(void)
{
    struct bpfppcc_xdp_md backwards = ctx;
    backwards.data = packet + 4;
    backwards.data_end = packet;
    EQUAL(measure(&backwards), -4);
    backwards.rx_queue_index = MEASURE_FROM_SOURCE;
    EQUAL(dispatch(&backwards), -4);
    EQUAL(narrow(1, -2, -3, 4, -5), 1 + 2 - 9 - 4 - 5 + 77);
    EQUAL(narrow_whole(-100, 2, 3, 4, 5), -100 - 2 + 9 - 4 + 5 + 77);
    EQUAL(narrowest_whole(0x1ff), 0);
    EQUAL(narrowest(0xfe), 0xff);
    struct bpfppcc_sk_buff skb = { .len = 10, .data = packet, .data_end = packet + 20, .data_meta = packet };
    EQUAL(call(classify, &skb), 30);
}

static void tail_calls(void)
{
    ctx.rx_queue_index = EMPTY;
    EQUAL(call(dispatch, &ctx), 2);
    ctx.rx_queue_index = OUTSIDE;
    EQUAL(call(dispatch, &ctx), 2);
    ctx.rx_queue_index = 0xffffffff;
    EQUAL(call(dispatch, &ctx), 2);

    /* 33 in a row succeed, the 34th falls through: the 34th `wide` returns -(33 + 1). */
    go_to(WIDE);
    EQUAL(call(wide, &ctx), -34);
    EQUAL(hops, 34);
    go_to(WIDE);
    plan[32] = MEASURE;
    EQUAL(call(wide, &ctx), sizeof packet);
    go_to(WIDE);
    plan[33] = MEASURE;
    EQUAL(call(wide, &ctx), -34);

    /* Frames of different sizes, and none, in one chain. */
    go_to(DISPATCH);
    ctx.rx_queue_index = WIDE;
    passes = 0;
    EQUAL(call(wide, &ctx), 2); /* 17 of each in turn; dispatch is last */
    EQUAL(hops, 17);
    EQUAL(passes, 17);
    go_to(WIDE);
    for (int i = 0; i < 64; i += 2)
        plan[i] = PLAIN;
    ctx.rx_queue_index = EMPTY;
    EQUAL(call(wide, &ctx), 3);
    EQUAL(hops, 34);
    ctx.rx_queue_index = OUTSIDE;
    go_to(PLAIN);
    EQUAL(call(plain, &ctx), 3);
    EQUAL(hops, 34);

    /* From a subprogram: it alone is replaced, and the count is shared. */
    go_to(MEASURE);
    EQUAL(call(nested, &ctx), 100 + sizeof packet);
    go_to(EMPTY);
    EQUAL(call(nested, &ctx), 107);
    go_to(WIDE);
    EQUAL(call(nested, &ctx), 100 - 34);
    EQUAL(hops, 34);
    go_to(PLAIN);
    EQUAL(call(nested, &ctx), 103);
    EQUAL(hops, 34);
    go_to(NESTED);
    EQUAL(call(nested, &ctx), 34 * 100 + 7);
    EQUAL(hops, 34);
    go_to(WIDE);
    for (int i = 0; i < 64; i++)
        plan[i] = i % 3 == 0 ? NESTED : i % 3 == 1 ? PLAIN : WIDE;
    ctx.rx_queue_index = EMPTY;
    EQUAL(call(wide, &ctx), 11 * 100 - 34);
    EQUAL(hops, 34);

    /* A global function has a count of its own when C calls it, and shares its program's when BPF code does. */
    go_to(EMPTY);
    EQUAL(call(public_jump, &ctx), 9);
    go_to(WIDE);
    EQUAL(call(public_jump, &ctx), -34);
    EQUAL(hops, 34);
    struct bpfppcc_xdp_md other = ctx;
    other.rx_queue_index = 10, other.ingress_ifindex = 4, other.egress_ifindex = 0xff;
    go_to(EMPTY);
    EQUAL(call(calls, &other), (10 - 4 + 9 - 2 + 1 + 77) + 0 + 9);
    go_to(NESTED);
    EQUAL(call(calls, &other), (10 - 4 + 9 - 2 + 1 + 77) + 0 + 33 * 100 + 7);
}

static uintptr_t code(const char *program) { return (uintptr_t)find(program)->entry; }

static void backtraces(void)
{
    trace = 1;
    ctx.rx_queue_index = MEASURE;
    EQUAL(dispatch(&ctx), sizeof packet);
    CHECK(frames >= 3 && starts[1] == code("dispatch") && starts[2] == (uintptr_t)backtraces);
    uintptr_t cfa = cfas[2];
    go_to(WIDE);
    plan[31] = DISPATCH;
    EQUAL(wide(&ctx), sizeof packet);
    CHECK(frames >= 3 && starts[1] == code("dispatch") && starts[2] == (uintptr_t)backtraces && cfas[2] == cfa);
    go_to(NESTED);
    EQUAL(nested(&ctx), 34 * 100 + 7);
    for (int i = 2; i < 2 + 34; i++) /* the helper, inner, then 34 programs */
        EQUAL(starts[i], code("nested"));
    CHECK(frames > 36 && starts[36] == (uintptr_t)backtraces && cfas[36] == cfa);
    trace = 0;
}

static volatile sig_atomic_t alarms;
static void on_alarm(int signal)
{
    volatile char scribble[8000];
    for (unsigned i = 0; i < sizeof scribble; i++)
        scribble[i] = (char)signal;
    alarms++;
}

static void signal_storm(void)
{
    struct sigaction action = { .sa_handler = on_alarm };
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = { { 0, 170 }, { 0, 170 } }, never = { { 0, 0 }, { 0, 0 } };
    setitimer(ITIMER_REAL, &often, NULL);
    while (alarms < 300 && !failures) {
        ctx.rx_queue_index = EMPTY;
        go_to(WIDE);
        EQUAL(call(wide, &ctx), -34);
        go_to(PLAIN);
        EQUAL(call(plain, &ctx), 3);
        go_to(NESTED);
        EQUAL(call(nested, &ctx), 34 * 100 + 7);
        go_to(DISPATCH);
        ctx.rx_queue_index = WIDE;
        EQUAL(call(wide, &ctx), 2);
    }
    setitimer(ITIMER_REAL, &never, NULL);
}

int main(void)
{
    tables();
    data_and_maps();
    narrow_values();
    jumps.progs[MEASURE] = find("measure");
    jumps.progs[WIDE] = find("wide");
    jumps.progs[DISPATCH] = find("dispatch");
    jumps.progs[PLAIN] = find("plain");
    jumps.progs[NESTED] = find("nested");
    tail_calls();
    backtraces();
    signal_storm();
    puts(failures ? "failed" : "ok");
    return failures != 0;
}
