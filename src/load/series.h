/* SPDX-License-Identifier: MIT */
/*
 * The results of --repeat: all of them whole, so that any of them can be the
 * median. A result is about 1 MiB of histograms, of which most is zero: that is
 * never touched, so that a thousand runs take some hundred KiB each of the
 * machine. The caller owns the struct, all zeroes at first but `wanted`; one
 * thread.
 */
#ifndef TLR_LOAD_SERIES_H
#define TLR_LOAD_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/text.h"
#include "run.h"

struct tlr_load_series {
    uint64_t wanted; /* runs */
    size_t count;    /* that are here */
    size_t room;
    struct tlr_load_result **runs; /* in their order */
    double *merits; /* private: what the median is found by */
};

/* Copies the result; its plan is borrowed on. Returns 0 or UV_ENOMEM. */
int tlr_load_series_add(
    struct tlr_load_series *series, const struct tlr_load_result *result);

/* Another run was broken off and is not here: all results say so from now on. */
void tlr_load_series_mark_stopped(struct tlr_load_series *series);

void tlr_load_series_free(struct tlr_load_series *series);

/* What a result has of what its mode is about, a second: sessions, bytes, or
 * round trips. */
double tlr_load_series_rate(const struct tlr_load_result *result);

/*
 * The index of the run that half of the others are not better than: by its rate,
 * or where the plan fixes that (--rate, idle) by the p99 of its latency. Of an
 * even number the worse one of the middle two. There is one run at least.
 */
size_t tlr_load_series_median(const struct tlr_load_series *series);

/* Whether every run was good: what a result says is said of all of its runs. */
bool tlr_load_series_is_good(const struct tlr_load_series *series);

/* Whether an error ended one of them. */
bool tlr_load_series_is_aborted(const struct tlr_load_series *series);

/* Appends a table of what differs between the runs; nothing for one run. */
void tlr_load_series_table(
    const struct tlr_load_series *series, struct tlr_cli_text *text);

/* Appends a line, or two if it ended early: whether all runs were good, and
 * which were not. Of one run it is tlr_load_report_verdict(). */
void tlr_load_series_verdict(
    const struct tlr_load_series *series, struct tlr_cli_text *text);

#endif
