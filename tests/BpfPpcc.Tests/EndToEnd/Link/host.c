/* Runs the programs of first.bpf.c and second.bpf.c and prints what they return and leave. */
#include "bpfppcc.h"

#include <stdio.h>

extern int first(int *), second(int *);
extern struct bpfppcc_map counters;
extern long total;
extern int weight, limit, table[4], *third, chosen[2];

int main(void)
{
    int zero = 0, one = 1, six = 6;
    printf("%d ", first(&six));
    printf("%d\n", first(&one));
    printf("%d ", second(&zero));
    printf("%d ", second(&one));
    printf("%d\n", second(&six));
    printf("%ld %d %d %d %d %d\n", total, weight, limit, *third, chosen[0], (int)(third - table));
    printf("%llu\n", *(unsigned long long *)((char *)counters.values + 8));
    return 0;
}
