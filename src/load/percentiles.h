/* SPDX-License-Identifier: MIT */
/* The percentiles of a histogram as the text that HdrHistogram's tools write and
 * plot (its outputPercentileDistribution(), Gil Tene). Pure but for the file. */
#ifndef TLR_LOAD_PERCENTILES_H
#define TLR_LOAD_PERCENTILES_H

#include "cli/text.h"
#include "histogram.h"

/*
 * Appends "Value Percentile TotalCount 1/(1-Percentile)" with five steps for each
 * half of what is left to 100%, then mean, deviation and maximum in comments. The
 * histogram's values are nanoseconds, those of the text milliseconds: the largest
 * ones of their slots.
 */
void tlr_load_percentiles_add(
    struct tlr_cli_text *text, const struct tlr_load_histogram *histogram);

/* Writes that to a file. Returns 0, or, after saying so in `complaint` (a line
 * without its end), UV_ENOMEM or what is wrong with the file. */
int tlr_load_histogram_write(const char *path,
    const struct tlr_load_histogram *histogram,
    struct tlr_cli_text *complaint);

#endif
