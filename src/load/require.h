/* SPDX-License-Identifier: MIT */
/*
 * What --require demands of a result: "p99<5ms", "errors=0", "rate>=1000/s". The
 * caller owns the structs; pure functions, any thread may call.
 */
#ifndef TLR_LOAD_REQUIRE_H
#define TLR_LOAD_REQUIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/options.h"
#include "run.h"

enum { TLR_LOAD_REQUIREMENTS = 32 };

/* What teller-load ends with beside enum tlr_cli_status: all is verified, but a
 * requirement was missed. */
enum { TLR_LOAD_STATUS_MISSED = 3 };

/* What a figure is counted in. */
enum tlr_load_unit {
    TLR_LOAD_COUNT,
    TLR_LOAD_TIME,  /* nanoseconds */
    TLR_LOAD_RATE,  /* a second */
    TLR_LOAD_FLOW,  /* bytes a second */
    TLR_LOAD_SHARE, /* percent */
    TLR_LOAD_BYTES
};

enum tlr_load_operator {
    TLR_LOAD_LESS,
    TLR_LOAD_LESS_OR_EQUAL,
    TLR_LOAD_EQUAL,
    TLR_LOAD_NOT_EQUAL,
    TLR_LOAD_GREATER_OR_EQUAL,
    TLR_LOAD_GREATER
};

/* What is demanded something of: errors of a cause come first. */
enum tlr_load_goal {
    TLR_LOAD_GOAL_ERRORS = TLR_LOAD_CAUSES, /* of all causes */
    TLR_LOAD_GOAL_RATE,
    TLR_LOAD_GOAL_BYTES,
    TLR_LOAD_GOAL_BUSY,
    TLR_LOAD_GOAL_ROUND_TRIPS,
    TLR_LOAD_GOAL_SESSIONS,
    TLR_LOAD_GOAL_UNSENT,
    TLR_LOAD_GOAL_CONNECTED,
    TLR_LOAD_GOAL_MEMORY,
    TLR_LOAD_GOAL_TIME
};

struct tlr_load_requirement {
    const char *text; /* as it was given; borrowed */
    unsigned goal;    /* enum tlr_load_goal, or a cause of errors */
    bool is_main;     /* of a time: of the main measure, else of `measure` */
    enum tlr_load_measure measure;
    double percent;   /* of a time: which figure of it, histogram.h */
    enum tlr_load_unit unit;
    enum tlr_load_operator op;
    double wanted; /* in that unit */
};

struct tlr_load_requirements {
    struct tlr_load_requirement items[TLR_LOAD_REQUIREMENTS];
    size_t count;
};

/* Reads one. Returns 0, or UV_EINVAL after saying in `complaint` what is wanted,
 * to be read behind "--require". */
int tlr_load_require_parse(const char *text,
    struct tlr_load_requirement *requirement, struct tlr_cli_text *complaint);

/* The same as a row of an option table; the target is a struct
 * tlr_load_requirements. */
int tlr_load_require_apply(const struct tlr_cli_option *option,
    const char *value, struct tlr_cli_text *complaint);

/* Whether the result is as required. What was not measured is not. If it is
 * missed `line` gets why: "required p99<5ms, but it was 7.21 ms". */
bool tlr_load_require_holds(const struct tlr_load_requirement *requirement,
    const struct tlr_load_result *result, struct tlr_cli_text *line);

/* Whether the result is good, or each cause of its errors is the subject of a
 * requirement that holds, such as errors<=5. An aborted one is neither. */
bool tlr_load_require_allows(const struct tlr_load_requirements *requirements,
    const struct tlr_load_result *result);

#endif
