// Every kind of function, map, variable and reference in one small object.
#define SEC(n) __attribute__((section(n), used))
#define __uint(name, val) int (*name)[val]
#define __type(name, val) typeof(val) *name
#define __array(name, val) typeof(val) *name[]
typedef unsigned int u32;
typedef unsigned long long u64;
struct xdp_md { u32 data, data_end; };
static void *(*lookup)(void *, const void *) = (void *)1;
static long (*tail_call)(void *, void *, u32) = (void *)12;
static long (*loop)(u32, void *, void *, u64) = (void *)181;
struct { __uint(type, 2); __uint(max_entries, 4); __type(key, u32); __type(value, u64); } counters SEC(".maps");
int other(struct xdp_md *c);
struct { __uint(type, 3); __uint(max_entries, 4); __uint(key_size, 4); __array(values, int (void *)); } jumps SEC(".maps") =
    { .values = { [2] = (void *)&other } };
int total, start = 7;
const volatile int limit = 5;
int *pointer = &start;
extern int helper(int a) __attribute__((weak, section(".ksyms")));
static __attribute__((noinline)) int step(u32 i, void *p) { *(u32 *)p += i; return 0; }
static __attribute__((noinline)) int sub(int x) { asm volatile(""); return x * 3; }
SEC("xdp") int prog(struct xdp_md *c)
{
    u32 k = 0;
    u64 *v = lookup(&counters, &k);
    if (v)
        ++*v;
    total += sub(start) + limit + *pointer;
    loop(10, step, &k, 0);
    if (helper)
        helper(1);
    tail_call(c, &jumps, 2);
    return k;
}
SEC("xdp") int other(struct xdp_md *c) { return sub(c->data); }
char _license[] SEC("license") = "GPL";
