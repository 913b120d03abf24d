/* SPDX-License-Identifier: MIT */
#include "page_parts.h"

#include <math.h>

#include "advice.h"
#include "chart.h"
#include "rates.h"
#include "report.h"

/* What a shorter last interval has says nothing. */
#define SHORTEST 0.1

/* Points of the percentile curve, but for the first one; and its decades. */
enum { CURVE = 400, DECADES = 5 };

/* Of an interval, by line of the chart: see tlr_load_percents. */
static const unsigned shown[] = {0, 2, 3, 5};

/* ---- over time ---- */

enum kind { RATE, OPEN, LATENCY };

struct over_time {
    const struct tlr_load_result *result;
    size_t count; /* of the intervals that are shown */
    enum kind kind;
};

static size_t count_of(const struct tlr_load_result *result)
{
    size_t count = result->interval_count;
    bool is_short =
        count > 1 &&
        tlr_load_interval_seconds(result, &result->intervals[count - 1]) <
            SHORTEST;
    return is_short ? count - 1 : count;
}

static double rate_of(const struct tlr_load_result *result,
    const struct tlr_load_interval *interval, unsigned line)
{
    struct tlr_load_rates rates =
        tlr_load_rates_of_interval(result, interval);
    double rate = tlr_load_rates_main(&rates, result->plan);
    if (result->plan->mode != TLR_LOAD_STREAM) {
        return rate;
    }
    return (line == 0 ? rate : rates.bytes_sent) / (1 << 20);
}

static bool failed_in_time(const void *data, size_t index)
{
    const struct over_time *over = data;
    return index > 0 && index <= over->count &&
           over->result->intervals[index - 1].errors > 0;
}

static double value_in_time(const struct over_time *over,
    const struct tlr_load_interval *interval, unsigned line)
{
    switch (over->kind) {
    case OPEN:
        return (double)interval->open;
    case LATENCY:
        return (double)interval->latency[shown[line]];
    default:
        return rate_of(over->result, interval, line);
    }
}

/* In the middle of each interval, or at its end what is counted there; and also
 * where the first one begins and the last one ends, so that a single one is a line
 * too. */
static bool point_in_time(
    const void *data, unsigned line, size_t index, double *x, double *y)
{
    const struct over_time *over = data;
    size_t at = index == 0 ? 0 : index - 1;
    double share = index == 0 ? 0 : over->kind == OPEN ? 1 : 0.5;
    if (at == over->count) {
        at--;
        share = 1;
    }
    const struct tlr_load_interval *interval = &over->result->intervals[at];
    *x = interval->from +
         share * tlr_load_interval_seconds(over->result, interval);
    *y = value_in_time(over, interval, line);
    return over->kind != LATENCY || *y > 0; /* 0: there was none */
}

/* The least and the largest value. False: there is none. */
static bool range_of(
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
    return any;
}

static struct tlr_load_chart chart_over_time(const struct over_time *over)
{
    const struct tlr_load_result *result = over->result;
    size_t ends = over->kind == OPEN ? 1 : 2; /* that have no middle */
    struct tlr_load_chart chart = {
        .points = over->count == 0 ? 0 : over->count + ends,
        .point = point_in_time,
        .data = over,
    };
    double end = result->seconds;
    if (result->interval_count > 0) {
        const struct tlr_load_interval *last =
            &result->intervals[result->interval_count - 1];
        end = fmax(end, last->from + tlr_load_interval_seconds(result, last));
    }
    tlr_load_axis_seconds(&chart.x, end);
    return chart;
}

/* Of connections that are held, and do nothing else. */
static void add_open(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    struct over_time over = {
        .result = result, .count = count_of(result), .kind = OPEN};
    double least = 0;
    double most = 0;
    struct tlr_load_chart chart = chart_over_time(&over);
    chart.failed = failed_in_time;
    chart.name = "open";
    chart.title = "Open connections";
    chart.unit = "at the end of each second";
    chart.line_count = 1;
    (void)range_of(&chart, &least, &most); /* 0, if there is none */
    tlr_load_axis_count(&chart.y, most);
    tlr_load_chart_add(&chart, text);
}

static void add_throughput(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    const struct tlr_load_plan *plan = result->plan;
    struct over_time over = {.result = result, .count = count_of(result)};
    double least = 0;
    double most = 0;
    struct tlr_load_chart chart = chart_over_time(&over);
    chart.failed = failed_in_time;
    chart.name = "throughput";
    chart.title = "Throughput";
    chart.unit = tlr_load_plan_dials_late(plan) ? "sessions per second"
                                                : "round trips per second";
    chart.line_count = 1;
    if (plan->mode == TLR_LOAD_STREAM) {
        chart.unit = "MiB per second";
        chart.line_count = 2;
        chart.lines[0] = "back";
        chart.lines[1] = "out";
    }
    (void)range_of(&chart, &least, &most); /* 0, if there is none */
    tlr_load_axis_count(&chart.y, most);
    tlr_load_chart_add(&chart, text);
}

/* With the mark that tlr_load_advice() tells of. */
static const char *measure_of(const struct tlr_load_result *result)
{
    bool late = tlr_load_advice_is_late(result);
    switch (tlr_load_main_measure(result->plan)) {
    case TLR_LOAD_CONNECTING:
        return late ? "of a connect *" : "of a connect";
    case TLR_LOAD_FIRST_BYTE:
        return late ? "of the first byte *" : "of the first byte";
    default:
        return late ? "of a round trip *" : "of a round trip";
    }
}

static void add_latency(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    struct over_time over = {.result = result,
        .count = count_of(result),
        .kind = LATENCY};
    double least = 0;
    double most = 0;
    struct tlr_load_chart chart = chart_over_time(&over);
    chart.name = "latency";
    chart.title = "Latency over time";
    chart.unit = measure_of(result);
    chart.line_count = 4;
    chart.lines[0] = "p50";
    chart.lines[1] = "p90";
    chart.lines[2] = "p99";
    chart.lines[3] = "max";
    (void)range_of(&chart, &least, &most); /* as above */
    tlr_load_axis_latency(&chart.y, least, most);
    tlr_load_chart_add(&chart, text);
}

/* ---- the curve ---- */

static bool point_of_curve(
    const void *data, unsigned line, size_t index, double *x, double *y)
{
    const struct tlr_load_histogram *latency = data;
    (void)line; /* there is one */
    *x = 100 * (1 - pow(10, -(double)index * DECADES / CURVE));
    *y = (double)tlr_load_histogram_percentile(latency, *x);
    return true;
}

/* With room below the median, where its value is written. */
static void scale_curve(struct tlr_load_axis *axis,
    const struct tlr_load_histogram *latency, double high)
{
    double low = (double)tlr_load_histogram_percentile(latency, 0);
    double median = (double)tlr_load_histogram_percentile(latency, 50);
    tlr_load_axis_latency(axis, low, high);
    while (low > 1 && tlr_load_axis_place(axis, median) < 0.12) {
        low /= 2;
        tlr_load_axis_latency(axis, low, high);
    }
}

static void add_curve(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    static const double marked[] = {50, 90, 99, 99.9, 99.99};
    const struct tlr_load_histogram *latency =
        &result->figures->latency[tlr_load_main_measure(result->plan)];
    struct tlr_load_chart chart = {
        .name = "percentiles",
        .title = "Latency by percentile",
        .unit = measure_of(result),
        .points = latency->count == 0 ? 0 : CURVE + 1,
        .line_count = 1,
        .point = point_of_curve,
        .data = latency,
    };
    tlr_load_axis_percent(&chart.x);
    scale_curve(&chart.y, latency,
        (double)tlr_load_histogram_percentile(latency, chart.x.high));
    for (unsigned i = 0; i < sizeof(marked) / sizeof(marked[0]); i++) {
        chart.marks[chart.mark_count++] = (struct tlr_load_chart_mark){
            .x = marked[i],
            .y = (double)tlr_load_histogram_percentile(latency, marked[i]),
            .minor = i % 2 == 1,
        };
    }
    tlr_load_chart_add(&chart, text);
}

void tlr_load_page_charts(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    if (result->plan->mode == TLR_LOAD_IDLE) {
        add_open(result, text);
    } else {
        add_throughput(result, text);
    }
    add_latency(result, text);
    add_curve(result, text);
}
