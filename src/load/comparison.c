/* SPDX-License-Identifier: MIT */
#include "comparison.h"

#include <string.h>

#include "cli/json_read.h"
#include "result_json.h"

struct row {
    const char *name;
    const char *label;
    const char *path;     /* in a result */
    const char *run_path; /* in one of its runs */
};

static const struct row rows[TLR_LOAD_ROWS] = {
    [TLR_LOAD_ROW_RATE] = {"rate", "rate /s", "round_trips_per_second",
        "round_trips_per_second"},
    [TLR_LOAD_ROW_BYTES] = {"bytes_per_second", "bytes /s",
        "bytes_per_second", "bytes_per_second"},
    [TLR_LOAD_ROW_P50] = {"p50_us", "p50", "latency_us.p50", "latency_us.p50"},
    [TLR_LOAD_ROW_P90] = {"p90_us", "p90", "latency_us.p90", "latency_us.p90"},
    [TLR_LOAD_ROW_P99] = {"p99_us", "p99", "latency_us.p99", "latency_us.p99"},
    [TLR_LOAD_ROW_P99_9] = {"p99_9_us", "p99.9", "latency_us.p99_9",
        "latency_us.p99_9"},
    [TLR_LOAD_ROW_MAX] = {"max_us", "max", "latency_us.max", "latency_us.max"},
    [TLR_LOAD_ROW_CONNECT] = {"connect_p99_us", "connect p99",
        "connect_us.p99", "connect_us.p99"},
    [TLR_LOAD_ROW_ERRORS] = {"errors", "errors", "errors.total",
        "errors_total"},
    [TLR_LOAD_ROW_BUSY] = {"client_busy", "client busy", "client_busy",
        "client_busy"},
};

/* In microseconds 30 years, which are still nanoseconds in 64 bits. */
#define FIGURE_MOST 1e15

static const char sessions[] = "sessions_per_second";

const char *tlr_load_row_name(unsigned row)
{
    return rows[row].name;
}

const char *tlr_load_row_label(unsigned row)
{
    return rows[row].label;
}

/* ---- reading ---- */

static bool counts_sessions(const struct tlr_load_compared *compared)
{
    return strcmp(compared->mode, "connect") == 0 ||
           strcmp(compared->mode, "hello") == 0;
}

/* No figure of a result is below 0 or near the limit: such a number is none. */
static bool read_number(const char *json, const char *path, double *number)
{
    double found;
    if (!tlr_cli_json_as_number(tlr_cli_json_find(json, path), &found) ||
        found < 0 || found > FIGURE_MOST) {
        return false;
    }
    *number = found;
    return true;
}

static void read_row(
    struct tlr_load_compared *compared, const char *json, unsigned row)
{
    struct tlr_load_range *range = &compared->rows[row];
    bool other = row == TLR_LOAD_ROW_RATE && counts_sessions(compared);
    range->known = read_number(
        json, other ? sessions : rows[row].path, &range->value);
    range->min = range->value;
    range->max = range->value;
}

/* Widens the ranges by one run's figures. */
static void read_run(struct tlr_load_compared *compared, const char *run)
{
    const char *verified = tlr_cli_json_find(run, "verified");
    if (verified != NULL && !tlr_cli_json_is_true(verified)) {
        compared->verified = false; /* earlier versions told of the median */
    }
    for (unsigned row = 0; row < TLR_LOAD_ROWS; row++) {
        struct tlr_load_range *range = &compared->rows[row];
        bool other = row == TLR_LOAD_ROW_RATE && counts_sessions(compared);
        double value;
        if (read_number(run, other ? sessions : rows[row].run_path, &value)) {
            range->min = value < range->min ? value : range->min;
            range->max = value > range->max ? value : range->max;
        }
    }
}

bool tlr_load_compared_read(struct tlr_load_compared *compared,
    const char *name, const char *json, struct tlr_cli_text *complaint)
{
    char schema[32];
    *compared = (struct tlr_load_compared){.name = name};
    if (!tlr_cli_json_is_object(json)) {
        tlr_cli_text_add(complaint, "is damaged: not one whole JSON object");
        return false;
    }
    if (!tlr_cli_json_as_string(
            tlr_cli_json_find(json, "schema"), schema, sizeof(schema)) ||
        strcmp(schema, TLR_LOAD_SCHEMA) != 0) {
        tlr_cli_text_add(complaint,
            "is no result of teller-load --json (its schema is not %s)",
            TLR_LOAD_SCHEMA);
        return false;
    }
    if (!tlr_cli_json_as_string(tlr_cli_json_find(json, "mode"),
            compared->mode, sizeof(compared->mode)) ||
        !read_number(json, "connections", &compared->connections) ||
        !read_number(json, "size", &compared->size) ||
        !read_number(json, "depth", &compared->depth) ||
        !read_number(json, "loops", &compared->loops) ||
        !read_number(json, "rate", &compared->rate)) {
        tlr_cli_text_add(complaint, "is damaged: it lacks what was run");
        return false;
    }
    compared->verified =
        tlr_cli_json_is_true(tlr_cli_json_find(json, "verified"));
    for (unsigned row = 0; row < TLR_LOAD_ROWS; row++) {
        read_row(compared, json, row);
    }
    struct tlr_cli_json_walk walk = {.next = tlr_cli_json_find(json, "runs")};
    while (tlr_cli_json_step(&walk)) {
        read_run(compared, walk.value);
        compared->runs++;
    }
    return true;
}

/* ---- judging ---- */

enum tlr_load_verdict tlr_load_compared_judge(
    const struct tlr_load_compared *first,
    const struct tlr_load_compared *other, unsigned row)
{
    const struct tlr_load_range *a = &first->rows[row];
    const struct tlr_load_range *b = &other->rows[row];
    if (first->runs < 2 || other->runs < 2 || !a->known || !b->known) {
        return TLR_LOAD_UNKNOWN;
    }
    return b->min > a->max || b->max < a->min ? TLR_LOAD_LARGER
                                              : TLR_LOAD_WITHIN;
}

const char *tlr_load_verdict_text(enum tlr_load_verdict verdict)
{
    switch (verdict) {
    case TLR_LOAD_LARGER:
        return "larger than the spread";
    case TLR_LOAD_WITHIN:
        return "within the spread";
    default:
        return "spread unknown (one run)";
    }
}

bool tlr_load_compared_ratio(const struct tlr_load_compared *first,
    const struct tlr_load_compared *other, unsigned row, double *ratio)
{
    const struct tlr_load_range *a = &first->rows[row];
    const struct tlr_load_range *b = &other->rows[row];
    if (!a->known || !b->known || a->value == 0) {
        return false;
    }
    *ratio = b->value / a->value;
    return true;
}

static void warn_of(const struct tlr_load_compared *first,
    const struct tlr_load_compared *other, const char *what, double one,
    double another, struct tlr_cli_text *lines)
{
    if (one != another) {
        tlr_cli_text_add(lines, "%s and %s differ in %s: %.10g and %.10g\n",
            first->name, other->name, what, one, another);
    }
}

void tlr_load_compared_warn(const struct tlr_load_compared *first,
    const struct tlr_load_compared *other, struct tlr_cli_text *lines)
{
    if (strcmp(first->mode, other->mode) != 0) {
        tlr_cli_text_add(lines, "%s and %s differ in mode: %s and %s\n",
            first->name, other->name, first->mode, other->mode);
    }
    warn_of(first, other, "connections", first->connections,
        other->connections, lines);
    warn_of(first, other, "size", first->size, other->size, lines);
    warn_of(first, other, "depth", first->depth, other->depth, lines);
    warn_of(first, other, "threads", first->loops, other->loops, lines);
    warn_of(first, other, "rate", first->rate, other->rate, lines);
}
