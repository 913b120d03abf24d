/* SPDX-License-Identifier: MIT */
/*
 * Delays at the points of core/point.h: most calls go on at once, some yield,
 * spin or sleep for a moment. For tests that are linked with the files of
 * src/core that have such points, built with TLR_POINTS.
 */
#ifndef TLR_TESTS_POINTS_H
#define TLR_TESTS_POINTS_H

#include <stdbool.h>
#include <stdint.h>

/* A number that others do not follow from; changes *state. */
uint64_t next_random(uint64_t *state);

/* 0 to n - 1. */
unsigned pick(uint64_t *state, unsigned n);

/* With these the delays begin anew. No other thread is at a point. */
void points_seed(uint64_t seed);

/* A delay like those, of a test's own. */
void points_pause(uint64_t *state);

/* Prints how often each point was passed; whether all of them were. */
bool points_report(void);

#endif
