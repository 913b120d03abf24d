/* SPDX-License-Identifier: MIT */
#include "page_parts.h"

#include "advice.h"
#include "html.h"
#include "rates.h"
#include "report.h"

static void open_tile(struct tlr_cli_text *text, const char *label)
{
    tlr_cli_text_add(text, "<div><dt>%s</dt><dd>", label);
}

static void close_tile(struct tlr_cli_text *text)
{
    tlr_cli_text_add(text, "</dd></div>\n");
}

static void add_throughput_tile(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    struct tlr_load_rates rates = tlr_load_rates_of(result);
    if (result->plan->mode == TLR_LOAD_STREAM) {
        open_tile(text, "bytes back/s");
        tlr_load_html_bytes(text, rates.bytes_received);
    } else if (tlr_load_plan_dials_late(result->plan)) {
        open_tile(text, "sessions/s");
        tlr_load_html_rate(text, rates.sessions);
    } else if (result->plan->mode == TLR_LOAD_IDLE) {
        open_tile(text, "round trips"); /* all at the end: no rate */
        tlr_load_html_count(text, result->figures->round_trips);
    } else {
        open_tile(text, "round trips/s");
        tlr_load_html_rate(text, rates.round_trips);
    }
    close_tile(text);
}

/* Returns whether it has a mark. */
static bool add_latency_tile(const struct tlr_load_result *result,
    const char *label, double percent, struct tlr_cli_text *text)
{
    open_tile(text, label);
    tlr_load_html_time(text,
        tlr_load_histogram_percentile(
            &result->figures->latency[tlr_load_main_measure(result->plan)],
            percent));
    bool marked = tlr_load_page_mark(text, result, percent);
    close_tile(text);
    return marked;
}

/* Of all runs: a bad one is not to be overlooked because another is shown. */
static void add_errors_tile(
    const struct tlr_load_series *series, struct tlr_cli_text *text)
{
    uint64_t failed = 0;
    for (size_t i = 0; i < series->count; i++) {
        failed += tlr_load_tally_failed(&series->runs[i]->total);
    }
    tlr_cli_text_add(text, "<div><dt>errors%s</dt><dd%s>",
        series->count > 1 ? ", all runs" : "",
        failed > 0 ? " class=\"bad\"" : "");
    tlr_load_html_count(text, failed);
    close_tile(text);
}

void tlr_load_page_tiles(
    const struct tlr_load_series *series, struct tlr_cli_text *text)
{
    const struct tlr_load_result *result =
        series->runs[tlr_load_series_median(series)];
    const struct tlr_load_histogram *latency =
        &result->figures->latency[tlr_load_main_measure(result->plan)];
    tlr_cli_text_add(text, "<dl class=\"tiles\">\n");
    add_throughput_tile(result, text);
    bool marked = false;
    if (latency->count > 0) {
        marked |= add_latency_tile(result, "latency p50", 50, text);
        marked |= add_latency_tile(result, "latency p99", 99, text);
        marked |= add_latency_tile(result, "latency max", 100, text);
    }
    open_tile(text, "connections");
    tlr_load_html_count(text, result->total.connected);
    close_tile(text);
    add_errors_tile(series, text);
    tlr_cli_text_add(text, "</dl>\n");
    if (marked && !tlr_load_advice_is_late(result)) { /* or a note says it */
        tlr_load_page_legend(text);
    }
}
