// One program in three files: this one defines the map and has weak definitions that second.bpf.c overrides. Host: host.c.
#include "shared.h"

struct {
    int (*type)[2];
    int (*max_entries)[4];
    unsigned int *key;
    unsigned long long *value;
} counters SEC(".maps");

int first_stage(void *ctx);

struct {
    int (*type)[3];
    int (*max_entries)[2];
    int (*key_size)[4];
    int (*values[])(void *);
} stages SEC(".maps") = { .values = { [1] = (void *)&first_stage } };

struct node {
    struct node *next;
    struct payload *payload;
    int value;
};

extern long total;
extern int table[4];
extern int nowhere(int) __attribute__((weak, section(".ksyms")));
extern int scale(int value, struct node *node);

int weight = 3;
int *third = &table[2];
static volatile int calls = 100;

__attribute__((weak, noinline)) int choose(int value)
{
    asm volatile("");
    return value + 1;
}

__attribute__((weak)) int limit = 10;
__attribute__((weak)) int chosen[2] = { 1, 2 };

static __attribute__((noinline)) int twist(int value)
{
    calls++;
    asm volatile("");
    return value * 3;
}

SEC("kprobe/first") int first(int *ctx)
{
    struct node node = { 0, 0, *ctx };
    unsigned int key = 1;
    unsigned long long *counter = lookup(&counters, &key);
    if (counter)
        *counter += weight;
    total += *third + choose(*ctx) + chosen[1];
    if (nowhere)
        total += nowhere(1);
    return twist(scale(*ctx, &node)) + limit + calls + table[3];
}

SEC("kprobe/first") int first_stage(void *ctx)
{
    return 1000 + calls;
}

char LICENSE[] SEC("license") = "GPL";
