/* SPDX-License-Identifier: MIT */
/*
 * To the letter what HdrHistogram's Java and JavaScript implementations write, so
 * that a text can be compared with one of theirs. They round the decimal digits of
 * a number half up; printf() rounds the binary number, half to even, which now and
 * then is another last digit. So what has a short decimal form is rounded here.
 */
#include "percentiles.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include <uv.h>

#include "files.h"

enum {
    TICKS = 5, /* for each half of what is left */
    HALVES = 48, /* of 100%: more are not reached by less than 2^48 values */
    BUCKETS = TLR_LOAD_HISTOGRAM_BITS - 10,
    SUB_BUCKETS = 2 * TLR_LOAD_HISTOGRAM_HALF
};

/* The level is 100 - 100 * (10 - tick) / 10 / 2^half percent. */
struct level {
    unsigned half;
    unsigned tick;
};

/* Exact: a level has few binary digits. */
static double percent_of(struct level level)
{
    double left = ldexp(100, -(int)level.half);
    return 100 - left + left / (2 * TICKS) * level.tick;
}

/* In units of 10^-12, rounded half up. */
static uint64_t share_of(struct level level)
{
    uint64_t one = UINT64_C(1000000000000);
    uint64_t ticks = UINT64_C(2) * TICKS;
    uint64_t left = one / ticks * (ticks - level.tick);
    if (level.half > 41 || 2 * left <= UINT64_C(1) << level.half) {
        return one; /* left is up to 10^12, and 2^40 is more */
    }
    uint64_t half = UINT64_C(1) << level.half;
    return one - (2 * left - half + 2 * half - 1) / (2 * half);
}

static void next(struct level *level)
{
    level->tick++;
    if (level->tick == TICKS) {
        level->tick = 0;
        level->half++;
    }
}

static void add_ms(struct tlr_cli_text *text, uint64_t nanoseconds)
{
    uint64_t us = nanoseconds / 1000 + (nanoseconds % 1000 >= 500);
    tlr_cli_text_add(text, "%8" PRIu64 ".%03u", us / 1000,
        (unsigned)(us % 1000));
}

static void add_line(struct tlr_cli_text *text, uint64_t value,
    struct level level, uint64_t seen)
{
    uint64_t share = share_of(level);
    add_ms(text, value);
    tlr_cli_text_add(text, " %" PRIu64 ".%012" PRIu64 " %10" PRIu64
        " %14.2f\n",
        share / UINT64_C(1000000000000), share % UINT64_C(1000000000000),
        seen, 1 / (1 - percent_of(level) / 100));
}

static void add_lines(
    struct tlr_cli_text *text, const struct tlr_load_histogram *histogram)
{
    struct level level = {0};
    uint64_t seen = 0;
    size_t last = tlr_load_histogram_slot(histogram->max);
    for (size_t i = tlr_load_histogram_slot(histogram->min); i <= last; i++) {
        uint64_t value = tlr_load_histogram_largest(i);
        seen += histogram->slots[i];
        /* The second: with 2^53 values all but one of them are 100%, too. */
        while (histogram->slots[i] > 0 && level.half < HALVES &&
               100 * (double)seen / (double)histogram->count >=
                   percent_of(level)) {
            add_line(text, value, level, seen);
            next(&level);
            if (seen == histogram->count) {
                break; /* one more line says so */
            }
        }
    }
    add_ms(text, tlr_load_histogram_largest(last));
    tlr_cli_text_add(text, " 1.000000000000 %10" PRIu64 "\n", seen);
}

/* What stands for all values of a slot: its middle, rounded up. */
static double middle_of(size_t slot)
{
    uint64_t smallest = tlr_load_histogram_smallest(slot);
    uint64_t half = (tlr_load_histogram_largest(slot) - smallest + 1) / 2;
    return (double)(smallest + half);
}

static double mean_of(const struct tlr_load_histogram *histogram)
{
    double sum = 0;
    for (size_t i = 0; i < TLR_LOAD_HISTOGRAM_SLOTS; i++) {
        sum += middle_of(i) * (double)histogram->slots[i];
    }
    return histogram->count == 0 ? 0 : sum / (double)histogram->count;
}

static double deviation_of(
    const struct tlr_load_histogram *histogram, double mean)
{
    double sum = 0;
    for (size_t i = 0; i < TLR_LOAD_HISTOGRAM_SLOTS; i++) {
        double off = middle_of(i) - mean;
        double squares = off * off;
        sum += squares * (double)histogram->slots[i];
    }
    return histogram->count == 0 ? 0 : sqrt(sum / (double)histogram->count);
}

/* In milliseconds, of a number of nanoseconds that is not whole. */
static double rounded(double nanoseconds)
{
    return floor(nanoseconds / 1e6 * 1000 + 0.5) / 1000;
}

void tlr_load_percentiles_add(
    struct tlr_cli_text *text, const struct tlr_load_histogram *histogram)
{
    double mean = mean_of(histogram);
    size_t last = tlr_load_histogram_slot(histogram->max);
    tlr_cli_text_add(text, "%12s %14s %10s %14s\n\n", "Value", "Percentile",
        "TotalCount", "1/(1-Percentile)");
    if (histogram->count > 0) {
        add_lines(text, histogram);
    }
    tlr_cli_text_add(text,
        "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n"
        "#[Max     = ",
        rounded(mean), rounded(deviation_of(histogram, mean)));
    add_ms(text, histogram->count == 0 ? 0 : tlr_load_histogram_largest(last));
    tlr_cli_text_add(text,
        ", Total count    = %12" PRIu64 "]\n"
        "#[Buckets = %12d, SubBuckets     = %12d]\n",
        histogram->count, BUCKETS, SUB_BUCKETS);
}

int tlr_load_histogram_write(const char *path,
    const struct tlr_load_histogram *histogram, struct tlr_cli_text *complaint)
{
    struct tlr_cli_text text = {0};
    tlr_load_percentiles_add(&text, histogram);
    int err = tlr_load_file_put(path, &text);
    if (err != 0) {
        tlr_cli_text_add(complaint, "cannot write the percentiles %s: %s",
            path, uv_strerror(err));
    }
    tlr_cli_text_free(&text);
    return err;
}
