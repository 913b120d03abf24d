/* SPDX-License-Identifier: MIT */
#include "require.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "cli/suggest.h"
#include "report.h"

/* `figure`: the causes of errors come first, and times behind all others. */
enum {
    ERRORS = TLR_LOAD_CAUSES,
    RATE,
    BYTES,
    BUSY,
    ROUND_TRIPS,
    SESSIONS,
    UNSENT,
    CONNECTED,
    MEMORY,
    TIMES
};

struct figure {
    const char *name;
    unsigned figure;
    enum tlr_load_unit unit;
};

static const struct figure figures[] = {
    {"errors", ERRORS, TLR_LOAD_COUNT},
    {"rate", RATE, TLR_LOAD_RATE},
    {"bytes", BYTES, TLR_LOAD_FLOW},
    {"busy", BUSY, TLR_LOAD_SHARE},
    {"round_trips", ROUND_TRIPS, TLR_LOAD_COUNT},
    {"sessions", SESSIONS, TLR_LOAD_COUNT},
    {"unsent", UNSENT, TLR_LOAD_COUNT},
    {"connected", CONNECTED, TLR_LOAD_COUNT},
    {"memory", MEMORY, TLR_LOAD_BYTES},
};

enum { FIGURES = sizeof(figures) / sizeof(figures[0]) };

/* What else than a percentile a time may be: `percent` is below 0 then. */
enum { MEAN = -1, MIN = -2 };

struct time {
    const char *name;
    double percent;
};

/* Others, such as p95, are taken as well; these are suggested. */
static const struct time times[] = {
    {"p50", 50}, {"p75", 75}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9},
    {"p99.99", 99.99}, {"max", 100}, {"min", MIN}, {"mean", MEAN},
};

enum { TIMES_COUNT = sizeof(times) / sizeof(times[0]) };

static const char *const operators[] = {
    [TLR_LOAD_LESS] = "<",
    [TLR_LOAD_LESS_OR_EQUAL] = "<=",
    [TLR_LOAD_EQUAL] = "=",
    [TLR_LOAD_NOT_EQUAL] = "!=",
    [TLR_LOAD_GREATER_OR_EQUAL] = ">=",
    [TLR_LOAD_GREATER] = ">",
};

enum { OPERATORS = sizeof(operators) / sizeof(operators[0]), NAME_MOST = 32 };

/* ---- reading ---- */

/* "p99", "p99.9", "max"...: a percentile goes from 0 to 100. */
static bool read_time(const char *name, double *percent)
{
    const char *digits = name + 1;
    for (unsigned i = 0; i < TIMES_COUNT; i++) {
        if (strcmp(name, times[i].name) == 0) {
            *percent = times[i].percent;
            return true;
        }
    }
    size_t length = strspn(digits, "0123456789");
    bool point = length > 0 && digits[length] == '.';
    size_t behind = point ? strspn(digits + length + 1, "0123456789") : 0;
    if (name[0] != 'p' || length == 0 || (point && behind == 0) ||
        digits[length + point + behind] != '\0') {
        return false;
    }
    *percent = strtod(digits, NULL);
    return *percent <= 100;
}

/* What a name stands for; false: nothing. */
static bool find_figure(const char *name, struct tlr_load_requirement *to)
{
    const char *behind = strchr(name, '.');
    for (unsigned i = 0; i < FIGURES; i++) {
        if (strcmp(name, figures[i].name) == 0) {
            to->figure = figures[i].figure;
            to->unit = figures[i].unit;
            return true;
        }
    }
    for (unsigned i = 0; i < TLR_LOAD_CAUSES; i++) {
        if (strncmp(name, "errors.", 7) == 0 &&
            strcmp(name + 7,
                tlr_load_cause_name((enum tlr_load_cause)i)) == 0) {
            to->figure = i;
            to->unit = TLR_LOAD_COUNT;
            return true;
        }
    }
    to->figure = TIMES;
    to->unit = TLR_LOAD_TIME;
    to->is_main = true;
    if (read_time(name, &to->percent)) {
        return true;
    }
    to->is_main = false;
    for (unsigned i = 0; behind != NULL && i < TLR_LOAD_MEASURES; i++) {
        const char *measure =
            tlr_load_measure_name((enum tlr_load_measure)i);
        size_t length = (size_t)(behind - name);
        if (strlen(measure) == length && memcmp(name, measure, length) == 0) {
            to->measure = (enum tlr_load_measure)i;
            return read_time(behind + 1, &to->percent);
        }
    }
    return false;
}

/* Keeps the candidate that is nearest. */
static void consider(const char *name, const char *candidate,
    char best[NAME_MOST], size_t *best_rank)
{
    size_t rank = tlr_cli_suggest_rank(name, candidate);
    if (rank < *best_rank) {
        *best_rank = rank;
        (void)snprintf(best, NAME_MOST, "%s", candidate); /* all are short */
    }
}

static void consider_times(const char *name, const char *before,
    char best[NAME_MOST], size_t *best_rank)
{
    char candidate[NAME_MOST];
    for (unsigned i = 0; i < TIMES_COUNT; i++) {
        (void)snprintf(candidate, sizeof(candidate), "%s%s%s", before,
            *before == '\0' ? "" : ".", times[i].name); /* all are short */
        consider(name, candidate, best, best_rank);
    }
}

static int complain_of_name(const char *name, struct tlr_cli_text *complaint)
{
    char best[NAME_MOST] = "";
    char candidate[NAME_MOST];
    size_t rank = SIZE_MAX;
    for (unsigned i = 0; i < FIGURES; i++) {
        consider(name, figures[i].name, best, &rank);
    }
    for (unsigned i = 0; i < TLR_LOAD_CAUSES; i++) {
        (void)snprintf(candidate, sizeof(candidate), "errors.%s",
            tlr_load_cause_name((enum tlr_load_cause)i)); /* all are short */
        consider(name, candidate, best, &rank);
    }
    consider_times(name, "", best, &rank);
    for (unsigned i = 0; i < TLR_LOAD_MEASURES; i++) {
        consider_times(name, tlr_load_measure_name((enum tlr_load_measure)i),
            best, &rank);
    }
    tlr_cli_text_add(complaint, "knows no \"%s\"; ", name);
    if (rank != SIZE_MAX) {
        tlr_cli_text_add(complaint, "did you mean %s?", best);
        return UV_EINVAL;
    }
    tlr_cli_text_add(complaint, "the names are p50, p99.9, max, min, mean, "
                                "connect.p99, first_byte.p99, lateness.p99");
    for (unsigned i = 0; i < FIGURES; i++) {
        tlr_cli_text_add(complaint, ", %s", figures[i].name);
    }
    return UV_EINVAL;
}

struct suffix {
    enum tlr_load_unit unit;
    const char *text;
    double factor;
};

static const struct suffix suffixes[] = {
    {TLR_LOAD_COUNT, "", 1},
    {TLR_LOAD_TIME, "us", 1e3},
    {TLR_LOAD_TIME, "ms", 1e6},
    {TLR_LOAD_TIME, "s", 1e9},
    {TLR_LOAD_RATE, "", 1},
    {TLR_LOAD_RATE, "/s", 1},
    {TLR_LOAD_FLOW, "", 1},
    {TLR_LOAD_FLOW, "k", 1024},
    {TLR_LOAD_FLOW, "M", 1024.0 * 1024},
    {TLR_LOAD_FLOW, "G", 1024.0 * 1024 * 1024},
    {TLR_LOAD_FLOW, "/s", 1},
    {TLR_LOAD_FLOW, "k/s", 1024},
    {TLR_LOAD_FLOW, "M/s", 1024.0 * 1024},
    {TLR_LOAD_FLOW, "G/s", 1024.0 * 1024 * 1024},
    {TLR_LOAD_SHARE, "", 1},
    {TLR_LOAD_SHARE, "%", 1},
    {TLR_LOAD_BYTES, "", 1},
    {TLR_LOAD_BYTES, "k", 1024},
    {TLR_LOAD_BYTES, "M", 1024.0 * 1024},
    {TLR_LOAD_BYTES, "G", 1024.0 * 1024 * 1024},
};

static const char *wanted_of(enum tlr_load_unit unit)
{
    switch (unit) {
    case TLR_LOAD_TIME:
        return "a time with its unit, such as 500us, 5ms or 1s";
    case TLR_LOAD_RATE:
        return "a number a second, such as 1000 or 1000/s";
    case TLR_LOAD_FLOW:
        return "bytes a second, such as 64k or 1G/s";
    case TLR_LOAD_SHARE:
        return "percent, such as 90%";
    case TLR_LOAD_BYTES:
        return "bytes, such as 4k";
    default:
        return "a number, such as 0";
    }
}

/* Digits with a point among them, and one of the unit's suffixes. */
static bool read_wanted(
    const char *text, enum tlr_load_unit unit, double *wanted)
{
    size_t length = strspn(text, "0123456789");
    if (length == 0) {
        return false;
    }
    if (text[length] == '.') {
        size_t behind = strspn(text + length + 1, "0123456789");
        if (behind == 0) {
            return false;
        }
        length += 1 + behind;
    }
    for (unsigned i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        if (suffixes[i].unit == unit &&
            strcmp(text + length, suffixes[i].text) == 0) {
            *wanted = strtod(text, NULL) * suffixes[i].factor;
            return true;
        }
    }
    return false;
}

/* The longest operator at `text`; returns its length, 0 for none. */
static size_t read_operator(const char *text, enum tlr_load_operator *op)
{
    size_t longest = 0;
    for (unsigned i = 0; i < OPERATORS; i++) {
        size_t length = strlen(operators[i]);
        if (length > longest && strncmp(text, operators[i], length) == 0) {
            *op = (enum tlr_load_operator)i;
            longest = length;
        }
    }
    return longest;
}

int tlr_load_require_parse(const char *text,
    struct tlr_load_requirement *requirement, struct tlr_cli_text *complaint)
{
    char name[NAME_MOST];
    size_t length = strcspn(text, " <>=!");
    const char *p = text + length + strspn(text + length, " ");
    *requirement = (struct tlr_load_requirement){.text = text};
    size_t sign = read_operator(p, &requirement->op);
    if (length == 0 || length >= sizeof(name) || sign == 0) {
        tlr_cli_text_add(complaint,
            "wants a name, one of < <= = != >= > and a value, such as "
            "p99<5ms, errors=0 or rate>=1000/s, not \"%s\"",
            text);
        return UV_EINVAL;
    }
    memcpy(name, text, length);
    name[length] = '\0';
    if (!find_figure(name, requirement)) {
        return complain_of_name(name, complaint);
    }
    p += sign;
    p += strspn(p, " ");
    if (!read_wanted(p, requirement->unit, &requirement->wanted)) {
        tlr_cli_text_add(complaint, "wants of %s %s, not \"%s\"", name,
            wanted_of(requirement->unit), p);
        return UV_EINVAL;
    }
    return 0;
}

int tlr_load_require_apply(const struct tlr_cli_option *option,
    const char *value, struct tlr_cli_text *complaint)
{
    struct tlr_load_requirements *to = option->target;
    if (to->count == TLR_LOAD_REQUIREMENTS) {
        tlr_cli_text_add(
            complaint, "may be given %d times at most", TLR_LOAD_REQUIREMENTS);
        return UV_EINVAL;
    }
    int err = tlr_load_require_parse(value, &to->items[to->count], complaint);
    to->count += err == 0;
    return err;
}

/* ---- checking ---- */

static bool time_of(const struct tlr_load_requirement *requirement,
    const struct tlr_load_result *result, double *value)
{
    enum tlr_load_measure measure = requirement->is_main
                                        ? tlr_load_main_measure(result->plan)
                                        : requirement->measure;
    const struct tlr_load_histogram *of = &result->figures->latency[measure];
    if (requirement->percent == MEAN) {
        *value = tlr_load_histogram_mean(of);
    } else if (requirement->percent == MIN) {
        *value = (double)of->min;
    } else {
        *value = (double)tlr_load_histogram_percentile(
            of, requirement->percent);
    }
    return of->count > 0;
}

/* False: it was not measured. */
static bool value_of(const struct tlr_load_requirement *requirement,
    const struct tlr_load_result *result, double *value)
{
    const struct tlr_load_figures *measured = result->figures;
    const struct tlr_load_tally *total = &result->total;
    switch (requirement->figure) {
    case ERRORS:
        *value = (double)tlr_load_tally_failed(total);
        return true;
    case RATE:
        *value = tlr_load_report_rate(tlr_load_plan_dials_late(result->plan)
                                          ? measured->sessions
                                          : measured->round_trips,
            result->seconds);
        return true;
    case BYTES:
        *value = tlr_load_report_rate(
            measured->bytes_received, result->seconds);
        return true;
    case BUSY:
        *value = 100 * tlr_load_figures_busy(measured);
        return measured->elapsed_ns > 0;
    case ROUND_TRIPS:
        *value = (double)measured->round_trips;
        return true;
    case SESSIONS:
        *value = (double)measured->sessions;
        return true;
    case UNSENT:
        *value = (double)total->unsent;
        return true;
    case CONNECTED:
        *value = (double)total->connected;
        return true;
    case MEMORY:
        *value = result->memory;
        return result->memory > 0;
    case TIMES:
        return time_of(requirement, result, value);
    default:
        *value = (double)total->errors[requirement->figure];
        return true;
    }
}

static bool compare(enum tlr_load_operator op, double value, double wanted)
{
    switch (op) {
    case TLR_LOAD_LESS:
        return value < wanted;
    case TLR_LOAD_LESS_OR_EQUAL:
        return value <= wanted;
    case TLR_LOAD_EQUAL:
        return value == wanted;
    case TLR_LOAD_NOT_EQUAL:
        return value != wanted;
    case TLR_LOAD_GREATER_OR_EQUAL:
        return value >= wanted;
    default:
        return value > wanted;
    }
}

static void add_value(
    struct tlr_cli_text *line, enum tlr_load_unit unit, double value)
{
    switch (unit) {
    case TLR_LOAD_TIME:
        tlr_load_report_time(line, (uint64_t)value);
        break;
    case TLR_LOAD_RATE:
        tlr_cli_text_add(line, "%.1f/s", value);
        break;
    case TLR_LOAD_FLOW:
        tlr_cli_text_add(line, "%.0f bytes/s", value);
        break;
    case TLR_LOAD_SHARE:
        tlr_cli_text_add(line, "%.1f%%", value);
        break;
    case TLR_LOAD_BYTES:
        tlr_cli_text_add(line, "%.0f bytes", value);
        break;
    default:
        tlr_cli_text_add(line, "%.0f", value);
        break;
    }
}

bool tlr_load_require_holds(const struct tlr_load_requirement *requirement,
    const struct tlr_load_result *result, struct tlr_cli_text *line)
{
    double value = 0;
    bool known = value_of(requirement, result, &value);
    if (known && compare(requirement->op, value, requirement->wanted)) {
        return true;
    }
    tlr_cli_text_add(line, "required %s, but it was ", requirement->text);
    if (known) {
        add_value(line, requirement->unit, value);
    } else {
        tlr_cli_text_add(line, "not measured");
    }
    return false;
}

bool tlr_load_require_allows(const struct tlr_load_requirements *requirements,
    const struct tlr_load_result *result)
{
    bool allowed[TLR_LOAD_CAUSES] = {false};
    for (size_t i = 0; i < requirements->count; i++) {
        const struct tlr_load_requirement *one = &requirements->items[i];
        double value;
        if (one->figure > ERRORS || !value_of(one, result, &value) ||
            !compare(one->op, value, one->wanted)) {
            continue;
        }
        for (unsigned cause = 0; cause < TLR_LOAD_CAUSES; cause++) {
            allowed[cause] |= one->figure == ERRORS || one->figure == cause;
        }
    }
    for (unsigned cause = 0; cause < TLR_LOAD_CAUSES; cause++) {
        if (result->total.errors[cause] > 0 && !allowed[cause]) {
            return false;
        }
    }
    return !result->aborted;
}
