/* SPDX-License-Identifier: MIT */
/*
 * How a run is getting on, on stderr: on a terminal one line that is written over
 * each second, elsewhere a line each 10 seconds. The caller owns the struct; one
 * thread.
 */
#ifndef TLR_LOAD_PROGRESS_H
#define TLR_LOAD_PROGRESS_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/text.h"
#include "run.h"

struct tlr_load_progress {
    const struct tlr_load_plan *plan;
    FILE *to;
    bool silent;
    bool terminal;
    /* private */
    int shown;       /* characters of the line that is there now */
    double since;    /* seconds that the next line is about */
    double due;      /* when it is, in seconds of the run */
    bool waits;      /* these are from its start on, and not measured ones */
    uint64_t trips;  /* in these */
    uint64_t bytes;
    uint64_t errors; /* in all */
};

/* On stderr, unless `silent`. */
void tlr_load_progress_init(struct tlr_load_progress *progress,
    const struct tlr_load_plan *plan, bool silent);

/* A second has passed. */
void tlr_load_progress_add(struct tlr_load_progress *progress,
    const struct tlr_load_interval *interval);

/* A second has passed in which nothing was measured: tlr_load_callbacks. */
void tlr_load_progress_wait(struct tlr_load_progress *progress, double seconds,
    uint64_t open, double warm);

/* Takes the line away, for something else to be written, or for good. */
void tlr_load_progress_clear(struct tlr_load_progress *progress);

/* Appends the line. Pure; `seconds` is what `trips` and `bytes` took. */
void tlr_load_progress_text(const struct tlr_load_progress *progress,
    const struct tlr_load_interval *interval, double seconds,
    struct tlr_cli_text *text);

#endif
