/* SPDX-License-Identifier: MIT */
/*
 * Reads a log in HdrHistogram's format, line by line: one of ours (log.h) with all
 * that its comments tell, and those of other programs (versions 1.0 to 1.3). All
 * that is read is bounded, and nothing is believed. No file is opened here: the
 * caller has the lines. One thread at a time.
 */
#ifndef TLR_LOAD_LOG_READER_H
#define TLR_LOAD_LOG_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/text.h"
#include "figures.h"
#include "hdr.h"
#include "notes.h"

enum {
    /* The longest line that is read: a histogram, and what stands before it. */
    TLR_LOAD_LOG_LINE = TLR_LOAD_HDR_TEXT_MOST + 1024,
    TLR_LOAD_LOG_TAG = 64
};

enum tlr_load_log_kind {
    TLR_LOAD_LOG_NOTHING, /* a comment, the legend, an empty line */
    TLR_LOAD_LOG_HISTOGRAM,
    TLR_LOAD_LOG_INTERVAL, /* ours: what comes is of this interval */
    TLR_LOAD_LOG_BEFORE,   /* ours: what comes is of before the intervals */
    TLR_LOAD_LOG_RESULT    /* ours: the last line */
};

/* What a line says; borrowed until the next one is read. */
struct tlr_load_log_line {
    enum tlr_load_log_kind kind;
    uint64_t at;      /* of INTERVAL and HISTOGRAM: nanoseconds since 1970 */
    uint64_t seconds; /* nanoseconds: how long it was */
    struct tlr_load_interval_note interval; /* of INTERVAL */
    struct tlr_load_result_note result;     /* of RESULT */
    /* Of HISTOGRAM: */
    char tag[TLR_LOAD_LOG_TAG];    /* "": none; cut off where it is longer */
    enum tlr_load_measure measure; /* TLR_LOAD_MEASURES: none of ours */
    const struct tlr_load_histogram *histogram; /* its maximum is exact in ours */
    const uint8_t *packed;         /* as tlr_load_hdr_unpack() reads it */
    size_t packed_size;
    const uint8_t *plain;          /* as tlr_load_hdr_encode() writes it */
    size_t plain_size;
};

struct tlr_load_log_reader;

/* Returns 0 or UV_ENOMEM. */
int tlr_load_log_reader_create(struct tlr_load_log_reader **reader);
void tlr_load_log_reader_destroy(struct tlr_load_log_reader *reader);

/*
 * Reads a line of `length` characters, without its end.
 * Returns 0, or, after saying in `complaint` what is wrong with the line, an error:
 * UV_EINVAL, or what tlr_load_hdr_from_text() has returned.
 */
int tlr_load_log_reader_line(struct tlr_load_log_reader *reader,
    const char *text, size_t length, struct tlr_load_log_line *line,
    struct tlr_cli_text *complaint);

/* After the last line: returns 0, or UV_EINVAL, after saying so, where it is one of
 * ours without its last line, or not the log of anything. */
int tlr_load_log_reader_end(const struct tlr_load_log_reader *reader,
    struct tlr_cli_text *complaint);

/* Whether it is one of ours, as far as it was read. */
bool tlr_load_log_reader_is_ours(const struct tlr_load_log_reader *reader);

#endif
