/* SPDX-License-Identifier: MIT */
/* Reads a goal: a name, an operator, a value with the unit of the name. */
#include "require.h"

#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "cli/suggest.h"

struct figure {
    const char *name;
    enum tlr_load_goal goal;
    enum tlr_load_unit unit;
};

static const struct figure figures[] = {
    {"errors", TLR_LOAD_GOAL_ERRORS, TLR_LOAD_COUNT},
    {"rate", TLR_LOAD_GOAL_RATE, TLR_LOAD_RATE},
    {"bytes", TLR_LOAD_GOAL_BYTES, TLR_LOAD_FLOW},
    {"busy", TLR_LOAD_GOAL_BUSY, TLR_LOAD_SHARE},
    {"round_trips", TLR_LOAD_GOAL_ROUND_TRIPS, TLR_LOAD_COUNT},
    {"sessions", TLR_LOAD_GOAL_SESSIONS, TLR_LOAD_COUNT},
    {"unsent", TLR_LOAD_GOAL_UNSENT, TLR_LOAD_COUNT},
    {"connected", TLR_LOAD_GOAL_CONNECTED, TLR_LOAD_COUNT},
    {"memory", TLR_LOAD_GOAL_MEMORY, TLR_LOAD_BYTES},
};

enum { FIGURES = sizeof(figures) / sizeof(figures[0]) };

struct time {
    const char *name;
    double percent;
};

/* Others, such as p95, are taken as well; these are suggested. */
static const struct time times[] = {
    {"p50", 50}, {"p75", 75}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9},
    {"p99.99", 99.99}, {"max", 100}, {"min", TLR_LOAD_MIN},
    {"mean", TLR_LOAD_MEAN},
};

enum { TIMES = sizeof(times) / sizeof(times[0]) };

static const char *const operators[] = {
    [TLR_LOAD_LESS] = "<",
    [TLR_LOAD_LESS_OR_EQUAL] = "<=",
    [TLR_LOAD_EQUAL] = "=",
    [TLR_LOAD_NOT_EQUAL] = "!=",
    [TLR_LOAD_GREATER_OR_EQUAL] = ">=",
    [TLR_LOAD_GREATER] = ">",
};

enum { OPERATORS = sizeof(operators) / sizeof(operators[0]), NAME_MOST = 32 };

/* "p99", "p99.9", "max"...: a percentile goes from 0 to 100. */
static bool read_time(const char *name, double *percent)
{
    for (unsigned i = 0; i < TIMES; i++) {
        if (strcmp(name, times[i].name) == 0) {
            *percent = times[i].percent;
            return true;
        }
    }
    if (name[0] != 'p') {
        return false;
    }
    const char *digits = name + 1;
    size_t length = strspn(digits, "0123456789");
    bool point = length > 0 && digits[length] == '.';
    size_t behind = point ? strspn(digits + length + 1, "0123456789") : 0;
    if (length == 0 || (point && behind == 0) ||
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
            to->goal = figures[i].goal;
            to->unit = figures[i].unit;
            return true;
        }
    }
    for (unsigned i = 0; i < TLR_LOAD_CAUSES; i++) {
        if (strncmp(name, "errors.", 7) == 0 &&
            strcmp(name + 7,
                tlr_load_cause_name((enum tlr_load_cause)i)) == 0) {
            to->goal = i;
            to->unit = TLR_LOAD_COUNT;
            return true;
        }
    }
    to->goal = TLR_LOAD_GOAL_TIME;
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
    for (unsigned i = 0; i < TIMES; i++) {
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
                                "connect.p99, first_byte.p99, lateness.p99, "
                                "think.p99");
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
