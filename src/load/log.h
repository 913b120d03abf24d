/* SPDX-License-Identifier: MIT */
/*
 * A log of a run in HdrHistogram's format (version 1.3, Gil Tene's
 * HistogramLogWriter), that its viewers read: a line for each second with the
 * histogram of the round trips, and with a tag those of connects, first bytes,
 * lateness and thinking where there are any. Values are nanoseconds; Interval_Max, in
 * milliseconds with six decimals, is exact. Comments hold what else a run tells
 * (notes.h): merge.h makes a result of them again.
 *
 * Needs zlib (squeeze.h). Belongs to one thread.
 */
#ifndef TLR_LOAD_LOG_H
#define TLR_LOAD_LOG_H

#include "cli/text.h"
#include "percentiles.h"
#include "run.h"

struct tlr_load_log;

/*
 * Creates the file, or empties it. `path` is borrowed until close.
 * Returns 0, or, after saying why in `complaint` (a line without its end),
 * UV_ENOTSUP: built without zlib; UV_ENOMEM; or why there is no file.
 */
int tlr_load_log_open(struct tlr_load_log **log, const char *path,
    struct tlr_cli_text *complaint);

/* Adds a second. That it cannot be written is told by close. */
void tlr_load_log_interval(struct tlr_load_log *log,
    const struct tlr_load_interval *interval,
    const struct tlr_load_figures *figures);

/*
 * Adds what the seconds have not told of `result`, unless that is NULL, and closes
 * and frees. Returns 0, or, after saying so in `complaint`, UV_ENOMEM or what was
 * wrong with the file: the log is not whole then.
 */
int tlr_load_log_close(struct tlr_load_log *log,
    const struct tlr_load_result *result, struct tlr_cli_text *complaint);

#endif
