/* SPDX-License-Identifier: MIT */
/* What teller-load compare knows of a result, and how it judges a difference.
 * The caller owns the structs; pure functions, any thread may call. */
#ifndef TLR_LOAD_COMPARISON_H
#define TLR_LOAD_COMPARISON_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/text.h"
#include "sizes.h"

/* The figures that are compared: rows of the table. */
enum {
    TLR_LOAD_ROW_RATE, /* round trips a second; of connect, hello: sessions */
    TLR_LOAD_ROW_BYTES,
    TLR_LOAD_ROW_P50,
    TLR_LOAD_ROW_P90,
    TLR_LOAD_ROW_P99,
    TLR_LOAD_ROW_P99_9,
    TLR_LOAD_ROW_MAX,
    TLR_LOAD_ROW_CONNECT,
    TLR_LOAD_ROW_ERRORS,
    TLR_LOAD_ROW_BUSY,
    TLR_LOAD_ROWS
};

/* "rate", "p99_us", ...: in the JSON. "rate /s", "p99": in the table. */
const char *tlr_load_row_name(unsigned row);
const char *tlr_load_row_label(unsigned row);

/* The settings that shape the load: where they differ, that is warned of. What
 * comes first is in all results. */
enum {
    TLR_LOAD_SET_CONNECTIONS,
    TLR_LOAD_SET_SIZE,
    TLR_LOAD_SET_DEPTH,
    TLR_LOAD_SET_LOOPS,
    TLR_LOAD_SET_RATE,
    TLR_LOAD_SETTINGS_NEEDED,
    TLR_LOAD_SET_SESSION = TLR_LOAD_SETTINGS_NEEDED,
    TLR_LOAD_SET_THINK,
    TLR_LOAD_SET_WARMUP,
    TLR_LOAD_SET_RAMP,
    TLR_LOAD_SET_DURATION,
    TLR_LOAD_SET_ROUND_TRIPS,
    TLR_LOAD_SET_TIMEOUT,
    TLR_LOAD_SET_PIECES,
    TLR_LOAD_SET_READ_RATE,
    TLR_LOAD_SET_WRITE_RATE,
    TLR_LOAD_SET_SEND_BUFFER,
    TLR_LOAD_SET_RECEIVE_BUFFER,
    TLR_LOAD_SET_NODELAY, /* 0 or 1 */
    TLR_LOAD_SET_SOURCES,
    TLR_LOAD_SETTINGS
};

struct tlr_load_set {
    bool known;
    double value;
};

struct tlr_load_range {
    bool known;
    double value; /* the result's own: its median run's */
    double min;   /* of all its runs */
    double max;
};

struct tlr_load_compared {
    const char *name; /* of the file; borrowed */
    char mode[16];
    char sizes[TLR_LOAD_SIZES_TEXT]; /* as --size takes them; "": unknown */
    struct tlr_load_set set[TLR_LOAD_SETTINGS];
    bool verified; /* every run of it */
    size_t runs;
    struct tlr_load_range rows[TLR_LOAD_ROWS];
};

/* Reads the JSON of a result. False: it is none, and `complaint` gets why, to be
 * read behind the name of the file. */
bool tlr_load_compared_read(struct tlr_load_compared *compared,
    const char *name, const char *json, struct tlr_cli_text *complaint);

enum tlr_load_verdict {
    TLR_LOAD_WITHIN,  /* the runs of the one reach those of the other */
    TLR_LOAD_LARGER,  /* each run of the one lies beyond all of the other's */
    TLR_LOAD_UNKNOWN, /* one of the two was a single run */
    TLR_LOAD_ABSENT   /* one of the two has no such figure */
};

enum tlr_load_verdict tlr_load_compared_judge(
    const struct tlr_load_compared *first,
    const struct tlr_load_compared *other, unsigned row);

/* "larger than the spread", ... */
const char *tlr_load_verdict_text(enum tlr_load_verdict verdict);

/* The row's figure of `other` as a multiple of that of `first`. False: there is
 * none. */
bool tlr_load_compared_ratio(const struct tlr_load_compared *first,
    const struct tlr_load_compared *other, unsigned row, double *ratio);

/* Appends a line for each thing that makes the two hard to compare. */
void tlr_load_compared_warn(const struct tlr_load_compared *first,
    const struct tlr_load_compared *other, struct tlr_cli_text *lines);

#endif
