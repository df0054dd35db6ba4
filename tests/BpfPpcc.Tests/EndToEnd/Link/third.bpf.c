// The third of three files: no program and no licence, a function for the others only.
#include "shared.h"

static const volatile int offsets[3] = { 11, 22, 33 };

__attribute__((noinline, visibility("hidden"))) int bias(int value)
{
    return offsets[value & 1];
}
