/* SPDX-License-Identifier: MIT */
#include "histogram.h"

#include <stddef.h>
#include <string.h>

enum { HALF = TLR_LOAD_HISTOGRAM_HALF, HALF_BITS = 10 };

/* Position of the highest bit that is set; `value` is not 0. */
static unsigned highest_bit(uint64_t value)
{
    unsigned bit = 0;
    for (unsigned step = 32; step > 0; step /= 2) {
        if (value >> step != 0) {
            value >>= step;
            bit += step;
        }
    }
    return bit;
}

/*
 * Below 2 * HALF a slot is one value. Above, a value is shifted right until it
 * is in [HALF, 2 * HALF): each shift has HALF slots of its own.
 */
size_t tlr_load_histogram_slot(uint64_t value)
{
    if (value < 2ull * HALF) {
        return (size_t)value;
    }
    if (value >> TLR_LOAD_HISTOGRAM_BITS != 0) {
        return TLR_LOAD_HISTOGRAM_SLOTS - 1;
    }
    unsigned shift = highest_bit(value) - HALF_BITS;
    return (size_t)(shift * (uint64_t)HALF + (value >> shift));
}

uint64_t tlr_load_histogram_largest(size_t slot)
{
    if (slot < 2ull * HALF) {
        return slot;
    }
    unsigned shift = (unsigned)(slot / HALF) - 1;
    uint64_t step = slot - (uint64_t)shift * HALF;
    return ((step + 1) << shift) - 1;
}

uint64_t tlr_load_histogram_smallest(size_t slot)
{
    return slot == 0 ? 0 : tlr_load_histogram_largest(slot - 1) + 1;
}

void tlr_load_histogram_init(struct tlr_load_histogram *histogram)
{
    memset(histogram, 0, sizeof(*histogram));
    histogram->min = UINT64_MAX;
}

/* Only what is in use is touched: one in each second of each thread is. */
void tlr_load_histogram_clear(struct tlr_load_histogram *histogram)
{
    if (histogram->count > 0) {
        size_t from = tlr_load_histogram_slot(histogram->min);
        size_t to = tlr_load_histogram_slot(histogram->max);
        memset(&histogram->slots[from], 0,
            (to - from + 1) * sizeof(histogram->slots[0]));
    }
    histogram->count = 0;
    histogram->min = UINT64_MAX;
    histogram->max = 0;
}

void tlr_load_histogram_add(
    struct tlr_load_histogram *histogram, uint64_t value)
{
    tlr_load_histogram_add_many(histogram, value, 1);
}

void tlr_load_histogram_add_many(
    struct tlr_load_histogram *histogram, uint64_t value, uint64_t count)
{
    histogram->count += count;
    histogram->slots[tlr_load_histogram_slot(value)] += count;
    if (value < histogram->min) {
        histogram->min = value;
    }
    if (value > histogram->max) {
        histogram->max = value;
    }
}

void tlr_load_histogram_merge(
    struct tlr_load_histogram *into, const struct tlr_load_histogram *from)
{
    if (from->count == 0) {
        return;
    }
    into->count += from->count;
    into->min = from->min < into->min ? from->min : into->min;
    into->max = from->max > into->max ? from->max : into->max;
    size_t to = tlr_load_histogram_slot(from->max);
    for (size_t i = tlr_load_histogram_slot(from->min); i <= to; i++) {
        into->slots[i] += from->slots[i];
    }
}

/* The how-manieth smallest value is asked for: rounded up, but 99.9% of 1000 is
 * 999 although 99.9 has no exact double. */
static uint64_t rank_of(uint64_t count, double percent)
{
    double exact = percent / 100 * (double)count - 1e-6;
    if (exact <= 0) {
        return 1;
    }
    uint64_t whole = (uint64_t)exact;
    return exact > (double)whole ? whole + 1 : whole;
}

uint64_t tlr_load_histogram_percentile(
    const struct tlr_load_histogram *histogram, double percent)
{
    if (histogram->count == 0) {
        return 0;
    }
    uint64_t wanted = rank_of(histogram->count, percent);
    uint64_t seen = 0;
    for (size_t i = tlr_load_histogram_slot(histogram->min);
         i < TLR_LOAD_HISTOGRAM_SLOTS; i++) {
        seen += histogram->slots[i];
        if (seen >= wanted) {
            uint64_t value = tlr_load_histogram_largest(i);
            /* The last slot has no upper end. */
            if (value > histogram->max ||
                i == TLR_LOAD_HISTOGRAM_SLOTS - 1) {
                return histogram->max;
            }
            return value < histogram->min ? histogram->min : value;
        }
    }
    return histogram->max;
}

double tlr_load_histogram_mean(const struct tlr_load_histogram *histogram)
{
    double sum = 0;
    if (histogram->count == 0) {
        return 0;
    }
    size_t to = tlr_load_histogram_slot(histogram->max);
    for (size_t i = tlr_load_histogram_slot(histogram->min); i <= to; i++) {
        double smallest = (double)tlr_load_histogram_smallest(i);
        sum += (double)histogram->slots[i] *
               (smallest + (double)tlr_load_histogram_largest(i)) / 2;
    }
    return sum / (double)histogram->count;
}

uint64_t tlr_load_histogram_up_to(
    const struct tlr_load_histogram *histogram, uint64_t value)
{
    uint64_t count = 0;
    for (size_t i = 0;
         i < TLR_LOAD_HISTOGRAM_SLOTS &&
         tlr_load_histogram_largest(i) <= value;
         i++) {
        count += histogram->slots[i];
    }
    return count;
}

double tlr_load_histogram_figure(
    const struct tlr_load_histogram *histogram, double figure)
{
    if (figure == TLR_LOAD_MEAN) {
        return tlr_load_histogram_mean(histogram);
    }
    return figure == TLR_LOAD_MIN
               ? (double)histogram->min
               : (double)tlr_load_histogram_percentile(histogram, figure);
}
