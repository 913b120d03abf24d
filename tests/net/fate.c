/* SPDX-License-Identifier: MIT */
#include "fate.h"

static uint64_t next(struct fate *fate)
{
    fate->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t word = fate->state;
    word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
    return word ^ word >> 31;
}

struct fate fate_of(uint64_t seed, uint64_t pair, uint64_t which)
{
    struct fate fate = {.state = seed};
    fate.state = next(&fate) ^ pair;
    fate.state = next(&fate) ^ which;
    (void)next(&fate); /* so that near names begin far apart */
    return fate;
}

uint64_t fate_draw(struct fate *fate, uint64_t low, uint64_t high)
{
    return high <= low ? low : low + next(fate) % (high - low + 1);
}
