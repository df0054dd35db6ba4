/* The helpers of the test host. Those numbered 900 and up are for random programs: the kernel has no such numbers, so the compiler knows nothing of
   them; UnitInterpreter.cs computes the same. Those with kernel names serve array maps, or, for the programs of uBPF's own suite, what uBPF calls by
   the same numbers. trampoline.S stands between the program and each of them. */
#include "abi.h"

#include <string.h>

extern int ubpf_helpers;
extern const uint8_t *packet;
extern uint32_t packet_length;

static uint64_t rotate(uint64_t value, int by)
{
    return value << by | value >> (64 - by);
}

uint64_t do_mix1(uint64_t a)
{
    return rotate(a, 13) ^ 0x9e3779b97f4a7c15;
}

uint64_t do_mix2(uint64_t a, uint64_t b)
{
    return a * 3 + rotate(b, 7);
}

uint64_t do_mix3(uint64_t a, uint64_t b, uint64_t c)
{
    return (a ^ b * 5) + rotate(c, 21);
}

uint64_t do_mix4(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    return do_mix3(a, b, c) + d * 7;
}

uint64_t do_mix5(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    return do_mix4(a, b, c, d) ^ rotate(e, 40);
}

uint64_t do_change_memory(uint8_t *bytes, uint64_t length, uint64_t x)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < length; i++) {
        sum += bytes[i] * (i + 1);
        bytes[i] = bytes[i] * 3 + x + i;
    }
    return sum;
}

uint64_t do_clobber(void)
{
    return 0x05ca1ab1e0ddba11;
}

uint64_t do_read8(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

/* LD_ABS and LD_IND: the packet is what r1 pointed to; negative where it has no such bytes. */
static int64_t load_packet(int64_t offset, int size)
{
    if (offset < 0 || offset + size > packet_length)
        return -14;
    int64_t value = 0;
    for (int i = 0; i < size; i++)
        value = value << 8 | packet[offset + i];
    return value;
}

int64_t do_load_packet_8(const void *context, int offset)
{
    return context == packet ? load_packet(offset, 1) : -1;
}

int64_t do_load_packet_16(const void *context, int offset)
{
    return context == packet ? load_packet(offset, 2) : -1;
}

int64_t do_load_packet_32(const void *context, int offset)
{
    return context == packet ? load_packet(offset, 4) : -1;
}

static uint8_t *element(const struct map *map, const void *key)
{
    uint32_t index;
    memcpy(&index, key, 4);
    return index < map->max_entries ? map->values + (uint64_t)index * ((map->value_size + 7) & ~7u) : NULL;
}

/* 0: uBPF's gather_bytes */
uint64_t do_gather_bytes(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    return (a & 0xff) << 32 | (b & 0xff) << 24 | (c & 0xff) << 16 | (d & 0xff) << 8 | (e & 0xff);
}

/* 1: uBPF's memfrob */
uint64_t do_map_lookup_elem(uint64_t a, uint64_t b)
{
    if (!ubpf_helpers)
        return (uint64_t)element((const struct map *)a, (const void *)b);
    for (uint64_t i = 0; i < b; i++)
        ((uint8_t *)a)[i] ^= 42;
    return a;
}

/* 2: uBPF's overwrites the registers that calls may overwrite, as trampoline.S does after each helper */
uint64_t do_map_update_elem(uint64_t a, uint64_t b, uint64_t c)
{
    if (ubpf_helpers)
        return 0;
    const struct map *map = (const struct map *)a;
    uint8_t *to = element(map, (const void *)b);
    if (!to)
        return -7;
    memcpy(to, (const void *)c, map->value_size);
    return 0;
}

/* 3: uBPF's square root */
uint64_t do_map_delete_elem(uint64_t a)
{
    uint64_t root = 0;
    while ((root + 1) * (root + 1) <= (uint32_t)a)
        root++;
    return root;
}

/* 4: uBPF's strcmp */
uint64_t do_probe_read(const unsigned char *a, const unsigned char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (uint64_t)*a - *b;
}

/* 5: uBPF's unwind, which gives its argument back */
uint64_t do_ktime_get_ns(uint64_t a)
{
    return a;
}
