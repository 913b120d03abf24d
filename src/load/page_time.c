/* SPDX-License-Identifier: MIT */
/*
 * Charts over time are steps, one for each interval: as long as that took, and
 * as high as its figure. So what is drawn agrees with the tables: the mean height
 * of a rate is the rate of the run, and the highest step its largest latency.
 */
#include "page_parts.h"

#include <math.h>

#include "chart.h"
#include "rates.h"

/* What a shorter last interval has is a matter of chance: it is joined to the
 * one before. */
#define SHORTEST 0.5

/* Of an interval, by line of the chart: see tlr_load_percents. */
static const unsigned shown[] = {0, 2, 3, 5};

enum kind { RATE, OPEN, LATENCY };

struct over_time {
    const struct tlr_load_result *result;
    enum kind kind;
    size_t count; /* of the intervals that are shown */
    size_t steps;
    bool joined; /* the last one is of two intervals */
    double end;  /* of the last interval that is shown, in seconds */
};

/* Where the next one begins; of the last one, without what was only awaited. */
static double end_of(const struct tlr_load_result *result, size_t index)
{
    const struct tlr_load_interval *interval = &result->intervals[index];
    return index + 1 < result->interval_count
               ? interval[1].from
               : interval->from + tlr_load_interval_seconds(result, interval);
}

/* All but latencies end where the sending did: see tlr_load_rates_of(). */
static struct over_time begin(
    const struct tlr_load_result *result, enum kind kind)
{
    struct over_time over = {.result = result, .kind = kind};
    const struct tlr_load_interval *intervals = result->intervals;
    over.count = result->interval_count;
    while (kind != LATENCY && over.count > 0 &&
           intervals[over.count - 1].from >= result->seconds) {
        over.count--;
    }
    over.steps = over.count;
    if (over.count == 0) {
        return over;
    }
    const struct tlr_load_interval *last = &intervals[over.count - 1];
    over.end = end_of(result, over.count - 1);
    if (kind != LATENCY) {
        over.end = fmin(over.end, result->seconds);
    }
    over.joined = kind != OPEN && over.count > 1 &&
                  over.end - last->from < SHORTEST;
    over.steps -= over.joined ? 1 : 0;
    /* All connections were lost: the rest of the time counts, with nothing. */
    if (kind == RATE && result->gave_out > 0 && over.end < result->seconds) {
        over.steps++;
    }
    return over;
}

static double rate_of(const struct over_time *over,
    const struct tlr_load_done *done, double seconds, unsigned line)
{
    const struct tlr_load_plan *plan = over->result->plan;
    struct tlr_load_rates rates = tlr_load_rates_in(done, seconds);
    double rate = tlr_load_rates_main(&rates, plan);
    if (plan->mode != TLR_LOAD_STREAM) {
        return rate;
    }
    return (line == 0 ? rate : rates.bytes_sent) / (1 << 20);
}

/* Of two that are joined, the one that more was measured in; the largest is of
 * both. */
static double latency_of(const struct tlr_load_interval *one,
    const struct tlr_load_interval *other, unsigned line)
{
    unsigned at = shown[line];
    uint64_t first = one->latency[at];
    uint64_t second = other->latency[at];
    if (at == TLR_LOAD_PERCENTILES - 1) {
        return (double)(first > second ? first : second);
    }
    bool more = other->round_trips + other->sessions >
                one->round_trips + one->sessions;
    return (double)((more && second > 0) || first == 0 ? second : first);
}

static double value_of(const struct over_time *over, size_t step, unsigned line,
    double from, double to)
{
    const struct tlr_load_interval *interval = &over->result->intervals[step];
    bool joined = over->joined && step + 2 == over->count;
    if (over->kind == OPEN) {
        /* At its end they may be closed already: the last interval knows. */
        const struct tlr_load_result *result = over->result;
        bool ends = to >= result->seconds;
        return (double)(ends
                ? result->intervals[result->interval_count - 1].open
                : interval->open);
    }
    if (over->kind == LATENCY) {
        return latency_of(interval, joined ? interval + 1 : interval, line);
    }
    struct tlr_load_done done = interval->in_time;
    if (joined) {
        tlr_load_done_add(&done, &interval[1].in_time);
    }
    return rate_of(over, &done, to - from, line);
}

/* Two for each step: its begin and its end. */
static bool point_in_time(
    const void *data, unsigned line, size_t index, double *x, double *y)
{
    const struct over_time *over = data;
    const struct tlr_load_result *result = over->result;
    size_t step = index / 2;
    size_t intervals = over->count - (over->joined ? 1 : 0);
    double from = over->end;
    double to = result->seconds;
    *y = 0;
    if (step < intervals) {
        from = result->intervals[step].from;
        to = step + 1 == intervals ? over->end : end_of(result, step);
        *y = value_of(over, step, line, from, to);
    }
    *x = index % 2 == 0 ? from : to;
    return over->kind != LATENCY || *y > 0; /* 0: there was none */
}

static bool band_in_time(
    const void *data, size_t index, struct tlr_load_chart_band *band)
{
    const struct over_time *over = data;
    const struct tlr_load_interval *interval =
        &over->result->intervals[index];
    *band = (struct tlr_load_chart_band){.from = interval->from,
        .to = end_of(over->result, index),
        .count = interval->errors};
    return band->count > 0;
}

/* The least and the largest value; both stay as they are if there is none. */
static void find_range(
    const struct tlr_load_chart *chart, double *least, double *most)
{
    bool any = false;
    for (unsigned line = 0; line < chart->line_count; line++) {
        for (size_t i = 0; i < chart->points; i++) {
            double x;
            double y;
            if (chart->point(chart->data, line, i, &x, &y)) {
                *least = !any || y < *least ? y : *least;
                *most = !any || y > *most ? y : *most;
                any = true;
            }
        }
    }
}

static struct tlr_load_chart chart_over_time(const struct over_time *over)
{
    const struct tlr_load_result *result = over->result;
    struct tlr_load_chart chart = {
        .points = 2 * over->steps,
        .point = point_in_time,
        .data = over,
        .line_count = 1,
    };
    double end = result->seconds;
    if (result->interval_count > 0) {
        end = fmax(end, end_of(result, result->interval_count - 1));
    }
    tlr_load_axis_seconds(&chart.x, end);
    return chart;
}

/* With errors, and from 0 on. */
static void add_counts(const struct over_time *over,
    struct tlr_load_chart *chart, struct tlr_cli_text *text)
{
    double least = 0;
    double most = 0;
    chart->bands = over->result->interval_count;
    chart->band = band_in_time;
    chart->band_name = "error";
    chart->banded = tlr_load_tally_failed(&over->result->total);
    find_range(chart, &least, &most);
    tlr_load_axis_count(&chart->y, most);
    tlr_load_chart_add(chart, text);
}

/* Of connections that are held, and do nothing else. */
static void add_open(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    struct over_time over = begin(result, OPEN);
    struct tlr_load_chart chart = chart_over_time(&over);
    chart.name = "open";
    chart.title = "Open connections";
    chart.unit = "at the end of each second";
    add_counts(&over, &chart, text);
}

void tlr_load_page_throughput(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    const struct tlr_load_plan *plan = result->plan;
    struct over_time over = begin(result, RATE);
    struct tlr_load_chart chart = chart_over_time(&over);
    if (plan->mode == TLR_LOAD_IDLE) {
        add_open(result, text);
        return;
    }
    chart.name = "throughput";
    chart.title = "Throughput";
    chart.unit = tlr_load_plan_dials_late(plan)
                     ? "sessions/s, mean of each second"
                     : "round trips/s, mean of each second";
    if (plan->mode == TLR_LOAD_STREAM) {
        chart.unit = "MiB/s, mean of each second";
        chart.line_count = 2;
        chart.lines[0] = "back";
        chart.lines[1] = "out";
    }
    add_counts(&over, &chart, text);
}

void tlr_load_page_latency_in_time(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    struct over_time over = begin(result, LATENCY);
    if (result->plan->mode == TLR_LOAD_IDLE) {
        return; /* all are asked at the end: there is no course of it */
    }
    double least = 0;
    double most = 0;
    struct tlr_load_chart chart = chart_over_time(&over);
    struct tlr_cli_text unit = {0};
    tlr_cli_text_add(
        &unit, "%s, in each second", tlr_load_page_measure(result));
    text->failed = text->failed || unit.failed;
    chart.name = "latency";
    chart.title = "Latency over time";
    chart.unit = tlr_cli_text_get(&unit);
    chart.line_count = 4;
    chart.lines[0] = "p50";
    chart.lines[1] = "p90";
    chart.lines[2] = "p99";
    chart.lines[3] = "max";
    find_range(&chart, &least, &most);
    tlr_load_axis_latency(&chart.y, least, most);
    tlr_load_chart_add(&chart, text);
    tlr_cli_text_free(&unit);
}
