/* SPDX-License-Identifier: MIT */
/*
 * Counts values (nanoseconds here) so that percentiles are right to three
 * significant digits, in a fixed 264 KiB whatever happens: the log-linear design
 * of HdrHistogram (Gil Tene). Values from 0 to 73 minutes; a larger one counts
 * as the largest, and only the maximum tells. The caller owns the struct, which
 * is too large for a stack; one thread at a time.
 */
#ifndef TLR_LOAD_HISTOGRAM_H
#define TLR_LOAD_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum {
    /* Steps in the upper half of each power of two: 1/1024 is the error. */
    TLR_LOAD_HISTOGRAM_HALF = 1024,
    TLR_LOAD_HISTOGRAM_BITS = 42, /* of the largest value */
    TLR_LOAD_HISTOGRAM_SLOTS =
        (TLR_LOAD_HISTOGRAM_BITS - 10 + 1) * TLR_LOAD_HISTOGRAM_HALF
};

struct tlr_load_histogram {
    uint64_t count;
    uint64_t min; /* exact; UINT64_MAX when empty */
    uint64_t max; /* exact */
    uint64_t slots[TLR_LOAD_HISTOGRAM_SLOTS];
};

/* Where a value counts, and the values that count there; the last slot also has
 * all that are larger. They are those of HdrHistogram's array of counts for values
 * from 1 to 2^42 - 1 with three digits. */
size_t tlr_load_histogram_slot(uint64_t value);
uint64_t tlr_load_histogram_smallest(size_t slot);
uint64_t tlr_load_histogram_largest(size_t slot);

void tlr_load_histogram_init(struct tlr_load_histogram *histogram);

/* The same, quickly, for one that was initialised before. */
void tlr_load_histogram_clear(struct tlr_load_histogram *histogram);

void tlr_load_histogram_add(
    struct tlr_load_histogram *histogram, uint64_t value);

/* As if it had been added so many times. */
void tlr_load_histogram_add_many(
    struct tlr_load_histogram *histogram, uint64_t value, uint64_t count);

/* Adds all of `from` to `into`, as if its values had been added one by one. */
void tlr_load_histogram_merge(struct tlr_load_histogram *into,
    const struct tlr_load_histogram *from);

/* The mean of all values, each taken as the middle of its slot. 0 when empty. */
double tlr_load_histogram_mean(const struct tlr_load_histogram *histogram);

/* How many values are in slots whose largest one is not above `value`. */
uint64_t tlr_load_histogram_up_to(
    const struct tlr_load_histogram *histogram, uint64_t value);

/*
 * The value that `percent` (0 to 100) of all values do not exceed: the largest
 * one of its slot, but never more than the maximum. 0 when empty.
 */
uint64_t tlr_load_histogram_percentile(
    const struct tlr_load_histogram *histogram, double percent);

/* A figure: such a percentile, or one of these. */
enum { TLR_LOAD_MEAN = -1, TLR_LOAD_MIN = -2 };
double tlr_load_histogram_figure(
    const struct tlr_load_histogram *histogram, double figure);

#endif
