// The second of three files: strong definitions, statics with the names of those of first.bpf.c, another program.
#include "shared.h"

struct payload {
    long bytes;
};

struct node {
    struct node *next;
    struct payload *payload;
    int value;
};

extern struct {
    int (*type)[2];
    int (*max_entries)[4];
    unsigned int *key;
    unsigned long long *value;
} counters __attribute__((section(".maps")));

extern struct {
    int (*type)[3];
    int (*max_entries)[2];
    int (*key_size)[4];
    int (*values[])(void *);
} stages __attribute__((section(".maps")));

extern int weight;
extern int bias(int value) __attribute__((visibility("hidden")));

static volatile int calls = 7;
long total;
int table[4] = { 10, 20, 30, 40 };
int chosen[2] = { 500, 600 };
__attribute__((weak)) int limit = 99;

static __attribute__((noinline)) int twist(int value)
{
    calls += 2;
    asm volatile("");
    return value - 1;
}

__attribute__((noinline)) int choose(int value)
{
    asm volatile("");
    return twist(value) * 2 + bias(value);
}

__attribute__((noinline)) int scale(int value, struct node *node)
{
    return value * weight + node->value + (node->payload ? 1 : 0);
}

__attribute__((noinline)) long bytes_of(struct payload *payload)
{
    return payload->bytes;
}

SEC("kprobe/second") int second(int *ctx)
{
    unsigned int key = 1;
    unsigned long long *counter = lookup(&counters, &key);
    if (counter)
        *counter += 5;
    weight++;
    tail_call(ctx, &stages, *ctx);
    return calls + choose(*ctx) + limit;
}

char LICENSE[] SEC("license") = "GPL";
