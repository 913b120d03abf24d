/* SPDX-License-Identifier: MIT */
#include "series.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "rates.h"
#include "report.h"

/* ---- keeping ---- */

/* Only what is not zero: `to` is fresh from calloc(), and most of it stays as
 * the system gave it. */
static void copy_histogram(struct tlr_load_histogram *to,
    const struct tlr_load_histogram *from)
{
    memcpy(to, from, offsetof(struct tlr_load_histogram, slots));
    for (size_t i = 0; i < TLR_LOAD_HISTOGRAM_SLOTS; i++) {
        if (from->slots[i] != 0) {
            to->slots[i] = from->slots[i];
        }
    }
}

static void free_result(struct tlr_load_result *result)
{
    free(result->figures);
    free(result->intervals);
    free(result);
}

static struct tlr_load_result *copy_result(const struct tlr_load_result *from)
{
    struct tlr_load_result *to = malloc(sizeof(*to));
    size_t bytes = from->interval_count * sizeof(*from->intervals);
    if (to == NULL) {
        return NULL;
    }
    *to = *from;
    to->figures = calloc(1, sizeof(*to->figures));
    to->intervals = malloc(bytes == 0 ? 1 : bytes);
    if (to->figures == NULL || to->intervals == NULL) {
        free_result(to);
        return NULL;
    }
    memcpy(to->figures, from->figures,
        offsetof(struct tlr_load_figures, latency));
    for (unsigned i = 0; i < TLR_LOAD_MEASURES; i++) {
        copy_histogram(&to->figures->latency[i], &from->figures->latency[i]);
    }
    if (bytes > 0) {
        memcpy(to->intervals, from->intervals, bytes);
    }
    return to;
}

/* ---- how good a run is ---- */

double tlr_load_series_rate(const struct tlr_load_result *result)
{
    struct tlr_load_rates rates = tlr_load_rates_of(result);
    return tlr_load_rates_main(&rates, result->plan);
}

static double percentile(const struct tlr_load_result *result, double percent)
{
    return (double)tlr_load_histogram_percentile(
        &result->figures->latency[tlr_load_main_measure(result->plan)],
        percent);
}

/* The larger the better. */
static double merit_of(const struct tlr_load_result *result)
{
    bool fixed = result->plan->rate > 0 || result->plan->mode == TLR_LOAD_IDLE;
    return fixed ? -percentile(result, 99) : tlr_load_series_rate(result);
}

/* ---- the series ---- */

/* Room for one more. */
static bool grow(struct tlr_load_series *series)
{
    size_t room = series->room == 0 ? 8 : 2 * series->room;
    if (series->count < series->room) {
        return true;
    }
    struct tlr_load_result **runs =
        realloc(series->runs, room * sizeof(struct tlr_load_result *));
    if (runs == NULL) {
        return false;
    }
    series->runs = runs;
    double *merits = realloc(series->merits, room * sizeof(*merits));
    if (merits == NULL) {
        return false; /* with longer runs, and the same room */
    }
    series->merits = merits;
    series->room = room;
    return true;
}

int tlr_load_series_add(
    struct tlr_load_series *series, const struct tlr_load_result *result)
{
    struct tlr_load_result *copy = grow(series) ? copy_result(result) : NULL;
    if (copy == NULL) {
        return UV_ENOMEM;
    }
    series->merits[series->count] = merit_of(result);
    series->runs[series->count] = copy;
    series->count++;
    return 0;
}

void tlr_load_series_mark_stopped(struct tlr_load_series *series)
{
    for (size_t i = 0; i < series->count; i++) {
        series->runs[i]->stopped_early = true;
    }
}

void tlr_load_series_free(struct tlr_load_series *series)
{
    for (size_t i = 0; i < series->count; i++) {
        free_result(series->runs[i]);
    }
    free(series->runs);
    free(series->merits);
    memset(series, 0, sizeof(*series));
}

size_t tlr_load_series_median(const struct tlr_load_series *series)
{
    for (size_t i = 0; i < series->count; i++) {
        double mine = series->merits[i];
        size_t worse = 0; /* of equal ones, those that were earlier */
        for (size_t j = 0; j < series->count; j++) {
            double its = series->merits[j];
            worse += its < mine || (its == mine && j < i);
        }
        if (worse == (series->count - 1) / 2) {
            return i;
        }
    }
    return 0; /* never: each run has another number of worse ones */
}

/* ---- the table ---- */

struct range {
    double min;
    double median;
    double max;
};

typedef double (*figure_cb)(const struct tlr_load_result *result);

static double p50_of(const struct tlr_load_result *result)
{
    return percentile(result, 50);
}

static double p99_of(const struct tlr_load_result *result)
{
    return percentile(result, 99);
}

static int compare_doubles(const void *a, const void *b)
{
    const double *one = a;
    const double *other = b;
    return (*one > *other) - (*one < *other);
}

/* False: no memory. */
static bool range_of(const struct tlr_load_series *series, figure_cb figure,
    struct range *range)
{
    double *values = malloc(series->count * sizeof(*values));
    if (values == NULL) {
        return false;
    }
    for (size_t i = 0; i < series->count; i++) {
        values[i] = figure(series->runs[i]);
    }
    qsort(values, series->count, sizeof(*values), compare_doubles);
    range->min = values[0];
    range->median = values[(series->count - 1) / 2];
    range->max = values[series->count - 1];
    free(values);
    return true;
}

static void add_time(struct tlr_cli_text *text, double nanoseconds)
{
    struct tlr_cli_text time = {0};
    tlr_load_report_time(&time, (uint64_t)nanoseconds);
    tlr_cli_text_add(text, " %14s", tlr_cli_text_get(&time));
    text->failed = text->failed || time.failed;
    tlr_cli_text_free(&time);
}

static void add_row(struct tlr_cli_text *text, const char *label,
    const struct tlr_load_series *series, figure_cb figure, bool is_time)
{
    struct range range;
    if (!range_of(series, figure, &range)) {
        text->failed = true;
        return;
    }
    const double values[] = {range.min, range.median, range.max};
    tlr_cli_text_add(text, "  %-14s", label);
    for (unsigned i = 0; i < 3; i++) {
        if (is_time) {
            add_time(text, values[i]);
        } else {
            tlr_cli_text_add(text, " %14.0f", values[i]);
        }
    }
    tlr_cli_text_add(text, "\n");
}

static const char *rate_label(const struct tlr_load_plan *plan)
{
    if (tlr_load_plan_dials_late(plan)) {
        return "sessions/s";
    }
    return plan->mode == TLR_LOAD_STREAM ? "bytes/s back" : "round trips/s";
}

void tlr_load_series_table(
    const struct tlr_load_series *series, struct tlr_cli_text *text)
{
    size_t bad = 0;
    if (series->count < 2) {
        return;
    }
    const struct tlr_load_plan *plan = series->runs[0]->plan;
    for (size_t i = 0; i < series->count; i++) {
        bad += !tlr_load_result_is_good(series->runs[i]);
    }
    tlr_cli_text_add(text, "%zu runs; all of the above is of run %zu, the "
                           "median\n",
        series->count, tlr_load_series_median(series) + 1);
    tlr_cli_text_add(text, "%16s %14s %14s %14s\n", "", "min", "median", "max");
    add_row(text, rate_label(plan), series, tlr_load_series_rate, false);
    if (plan->mode != TLR_LOAD_STREAM) {
        add_row(text, "p50", series, p50_of, true);
        add_row(text, "p99", series, p99_of, true);
    }
    if (bad > 0) {
        tlr_cli_text_add(text, "NOT verified: %zu of the %zu runs\n", bad,
            series->count);
    }
}
