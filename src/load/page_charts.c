/* SPDX-License-Identifier: MIT */
#include "page_parts.h"

#include <math.h>

#include "advice.h"
#include "chart.h"

/* Points of the percentile curve, but for the first one; and its decades. */
enum { CURVE = 400, DECADES = 5 };

const char *tlr_load_page_measure(const struct tlr_load_result *result)
{
    switch (tlr_load_main_measure(result->plan)) {
    case TLR_LOAD_CONNECTING:
        return "of a connect";
    case TLR_LOAD_FIRST_BYTE:
        return "of the first byte";
    default:
        return "of a round trip";
    }
}

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
        .unit = tlr_load_page_measure(result),
        .points = CURVE + 1,
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
            .below = i % 2 == 0,
            .mark = tlr_load_advice_mark(result, marked[i]),
        };
        if (tlr_load_advice_is_late_at(result, marked[i])) {
            chart.legend = tlr_load_page_legend_text;
        }
    }
    tlr_load_chart_add(&chart, text);
}

void tlr_load_page_charts(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    const struct tlr_load_histogram *latency =
        &result->figures->latency[tlr_load_main_measure(result->plan)];
    if (result->total.connected == 0) {
        return; /* the errors say it all */
    }
    tlr_load_page_throughput(result, text);
    if (latency->count > 0) {
        tlr_load_page_latency_in_time(result, text);
        add_curve(result, text);
    }
}
