/* SPDX-License-Identifier: MIT */
/*
 * Chance that is the same in each run with the same seed: SplitMix64 (Steele,
 * Lea, Flood 2014). A stream of draws is named by three numbers, so that what
 * befalls one connection does not depend on what the others do meanwhile. The
 * caller owns the struct.
 */
#ifndef TLR_TESTS_FATE_H
#define TLR_TESTS_FATE_H

#include <stdint.h>

struct fate {
    uint64_t state;
};

struct fate fate_of(uint64_t seed, uint64_t pair, uint64_t which);

/* From `low` to `high`, both included; `low` where `high` is not above it. */
uint64_t fate_draw(struct fate *fate, uint64_t low, uint64_t high);

#endif
