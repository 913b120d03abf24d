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

struct setting {
    const char *name; /* in a result */
    const char *label;
};

static const struct setting settings[TLR_LOAD_SETTINGS] = {
    [TLR_LOAD_SET_CONNECTIONS] = {"connections", "connections"},
    [TLR_LOAD_SET_SIZE] = {"size", "size"},
    [TLR_LOAD_SET_DEPTH] = {"depth", "depth"},
    [TLR_LOAD_SET_LOOPS] = {"loops", "threads"},
    [TLR_LOAD_SET_RATE] = {"rate", "rate"},
    [TLR_LOAD_SET_SESSION] = {"session", "session"},
    [TLR_LOAD_SET_THINK] = {"think", "think"},
    [TLR_LOAD_SET_WARMUP] = {"warmup", "warmup"},
    [TLR_LOAD_SET_RAMP] = {"ramp", "ramp"},
    [TLR_LOAD_SET_DURATION] = {"duration", "duration"},
    [TLR_LOAD_SET_ROUND_TRIPS] = {"round_trips_per_connection", "round-trips"},
    [TLR_LOAD_SET_TIMEOUT] = {"timeout", "timeout"},
    [TLR_LOAD_SET_PIECES] = {"pieces", "pieces"},
    [TLR_LOAD_SET_READ_RATE] = {"read_rate", "read-rate"},
    [TLR_LOAD_SET_WRITE_RATE] = {"write_rate", "write-rate"},
    [TLR_LOAD_SET_SEND_BUFFER] = {"send_buffer", "sndbuf"},
    [TLR_LOAD_SET_RECEIVE_BUFFER] = {"receive_buffer", "rcvbuf"},
    [TLR_LOAD_SET_NODELAY] = {"nodelay", "nodelay"},
    [TLR_LOAD_SET_SOURCES] = {"sources", "sources"},
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

static const char *path_of(
    const struct tlr_load_compared *compared, unsigned row, bool of_run)
{
    if (row == TLR_LOAD_ROW_RATE && counts_sessions(compared)) {
        return sessions;
    }
    return of_run ? rows[row].run_path : rows[row].path;
}

/* A figure may be missing, or null: then it is not known. False: it is something
 * else than a number, and `complaint` says so; of a result `run` is 0. */
static bool read_figure(const char *json, const char *path, size_t run,
    double *value, bool *known, struct tlr_cli_text *complaint)
{
    const char *found = tlr_cli_json_find(json, path);
    *known = read_number(json, path, value);
    if (*known || found == NULL || *found == 'n') {
        return true;
    }
    tlr_cli_text_add(complaint, "is damaged: %s", path);
    if (run > 0) {
        tlr_cli_text_add(complaint, " of run %zu", run);
    }
    tlr_cli_text_add(complaint, " is no figure");
    return false;
}

static bool read_rows(struct tlr_load_compared *compared, const char *json,
    struct tlr_cli_text *complaint)
{
    for (unsigned row = 0; row < TLR_LOAD_ROWS; row++) {
        struct tlr_load_range *range = &compared->rows[row];
        if (!read_figure(json, path_of(compared, row, false), 0,
                &range->value, &range->known, complaint)) {
            return false;
        }
        range->min = range->value;
        range->max = range->value;
    }
    return true;
}

/* Widens the ranges by one run's figures. */
static bool read_run(struct tlr_load_compared *compared, const char *run,
    struct tlr_cli_text *complaint)
{
    compared->runs++;
    if (*run != '{') {
        tlr_cli_text_add(
            complaint, "is damaged: run %zu is none", compared->runs);
        return false;
    }
    const char *verified = tlr_cli_json_find(run, "verified");
    if (verified != NULL && !tlr_cli_json_is_true(verified)) {
        compared->verified = false; /* earlier versions told of the median */
    }
    for (unsigned row = 0; row < TLR_LOAD_ROWS; row++) {
        struct tlr_load_range *range = &compared->rows[row];
        double value;
        bool known;
        if (!read_figure(run, path_of(compared, row, true), compared->runs,
                &value, &known, complaint)) {
            return false;
        }
        if (known) {
            range->min = value < range->min ? value : range->min;
            range->max = value > range->max ? value : range->max;
        }
    }
    return true;
}

static bool read_runs(struct tlr_load_compared *compared, const char *json,
    struct tlr_cli_text *complaint)
{
    const char *runs = tlr_cli_json_find(json, "runs");
    struct tlr_cli_json_walk walk = {.next = runs};
    while (runs != NULL && *runs == '[' && tlr_cli_json_step(&walk)) {
        if (!read_run(compared, walk.value, complaint)) {
            return false;
        }
    }
    if (compared->runs == 0) {
        tlr_cli_text_add(complaint, "is damaged: it has no runs");
    }
    return compared->runs > 0;
}

/* True and false are 1 and 0. */
static void read_setting(
    struct tlr_load_compared *compared, const char *json, unsigned index)
{
    struct tlr_load_set *set = &compared->set[index];
    const char *name = settings[index].name;
    const char *found = tlr_cli_json_find(json, name);
    set->known = read_number(json, name, &set->value);
    if (found != NULL && (*found == 't' || *found == 'f')) {
        set->known = true;
        set->value = *found == 't';
    }
}

/* False: it lacks one that each result has. */
static bool read_settings(struct tlr_load_compared *compared, const char *json)
{
    bool whole = tlr_cli_json_as_string(tlr_cli_json_find(json, "mode"),
        compared->mode, sizeof(compared->mode));
    for (unsigned i = 0; i < TLR_LOAD_SETTINGS; i++) {
        read_setting(compared, json, i);
        whole = whole &&
                (compared->set[i].known || i >= TLR_LOAD_SETTINGS_NEEDED);
    }
    if (!tlr_cli_json_as_string(tlr_cli_json_find(json, "sizes"),
            compared->sizes, sizeof(compared->sizes))) {
        compared->sizes[0] = '\0';
    }
    return whole;
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
    if (!read_settings(compared, json)) {
        tlr_cli_text_add(complaint, "is damaged: it lacks what was run");
        return false;
    }
    compared->verified =
        tlr_cli_json_is_true(tlr_cli_json_find(json, "verified"));
    return read_rows(compared, json, complaint) &&
           read_runs(compared, json, complaint);
}

/* ---- judging ---- */

enum tlr_load_verdict tlr_load_compared_judge(
    const struct tlr_load_compared *first,
    const struct tlr_load_compared *other, unsigned row)
{
    const struct tlr_load_range *a = &first->rows[row];
    const struct tlr_load_range *b = &other->rows[row];
    if (!a->known || !b->known) {
        return TLR_LOAD_ABSENT;
    }
    if (first->runs < 2 || other->runs < 2) {
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
    case TLR_LOAD_ABSENT:
        return "not in both";
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

static void warn_of_sizes(const struct tlr_load_compared *first,
    const struct tlr_load_compared *other, struct tlr_cli_text *lines)
{
    if (strcmp(first->sizes, other->sizes) != 0) {
        tlr_cli_text_add(lines, "%s and %s differ in size: %s and %s\n",
            first->name, other->name, first->sizes, other->sizes);
    }
}

static void warn_of(const struct tlr_load_compared *first,
    const struct tlr_load_compared *other, unsigned index,
    struct tlr_cli_text *lines)
{
    const struct tlr_load_set *one = &first->set[index];
    const struct tlr_load_set *another = &other->set[index];
    if (one->known && another->known && one->value != another->value) {
        tlr_cli_text_add(lines, "%s and %s differ in %s: %.10g and %.10g\n",
            first->name, other->name, settings[index].label, one->value,
            another->value);
    }
}

void tlr_load_compared_warn(const struct tlr_load_compared *first,
    const struct tlr_load_compared *other, struct tlr_cli_text *lines)
{
    bool sized = first->sizes[0] != '\0' && other->sizes[0] != '\0';
    if (strcmp(first->mode, other->mode) != 0) {
        tlr_cli_text_add(lines, "%s and %s differ in mode: %s and %s\n",
            first->name, other->name, first->mode, other->mode);
    }
    for (unsigned i = 0; i < TLR_LOAD_SETTINGS; i++) {
        if (i == TLR_LOAD_SET_SIZE && sized) {
            warn_of_sizes(first, other, lines);
        } else {
            warn_of(first, other, i, lines);
        }
    }
}
