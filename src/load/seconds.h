/* SPDX-License-Identifier: MIT */
/*
 * What several logs say of their seconds, put together by their time. The
 * intervals of one log stay what they are. Those of several begin and end when
 * they like, so all is shared out anew, among intervals of equal length since the
 * begin of the earliest: a second, or as long as the logs' own are on average,
 * where these are longer. What a log has counted in its interval is taken as
 * spread evenly over it, and the shares are whole numbers whose sum is what was
 * counted. Its latencies are in each interval that it reaches into, with the weight
 * of that part: the longest is in all of them.
 *
 * What is kept of a log is at most as large as its text, for histograms stay
 * packed, and some 200 bytes a line. All zeroes is an empty one. The
 * caller owns the struct; one thread.
 */
#ifndef TLR_LOAD_SECONDS_H
#define TLR_LOAD_SECONDS_H

#include "log_reader.h"
#include "run.h"

struct tlr_load_seconds {
    struct tlr_load_seconds_piece *pieces;
    size_t count;
    size_t room;
    size_t bytes; /* of the histograms that are kept */
};

/* What a log, by its number, says of an interval that begins at `at` (nanoseconds
 * since 1970). Returns 0 or UV_ENOMEM. */
int tlr_load_seconds_note(struct tlr_load_seconds *seconds, size_t log,
    uint64_t at, const struct tlr_load_interval_note *note);

/* A line of kind TLR_LOAD_LOG_HISTOGRAM of an interval that is `length` nanoseconds
 * long; copied. */
int tlr_load_seconds_histogram(struct tlr_load_seconds *seconds, size_t log,
    uint64_t at, uint64_t length, const struct tlr_load_log_line *line);

/* So many nanoseconds in seconds; a time since 1970 has more digits in nanoseconds
 * than a double. */
double tlr_load_seconds_of(uint64_t nanoseconds);

/* Nanoseconds since 1970: the begin of the first; 0 if there is none. */
uint64_t tlr_load_seconds_begin(const struct tlr_load_seconds *seconds);

/* Gives the intervals, with the percentiles of `measure`; free() them. Returns 0
 * or UV_ENOMEM. */
int tlr_load_seconds_intervals(const struct tlr_load_seconds *seconds,
    enum tlr_load_measure measure, struct tlr_load_interval **intervals,
    size_t *count);

void tlr_load_seconds_free(struct tlr_load_seconds *seconds);

#endif
