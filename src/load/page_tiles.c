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
    } else {
        open_tile(text, "round trips/s");
        tlr_load_html_rate(text, rates.round_trips);
    }
    close_tile(text);
}

static void add_latency_tile(const struct tlr_load_result *result,
    const char *label, double percent, struct tlr_cli_text *text)
{
    open_tile(text, label);
    tlr_load_html_time(text,
        tlr_load_histogram_percentile(
            &result->figures->latency[tlr_load_main_measure(result->plan)],
            percent));
    tlr_cli_text_add(text, "%s", tlr_load_advice_mark(result, percent));
    close_tile(text);
}

void tlr_load_page_tiles(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    const struct tlr_load_histogram *latency =
        &result->figures->latency[tlr_load_main_measure(result->plan)];
    tlr_cli_text_add(text, "<dl class=\"tiles\">\n");
    add_throughput_tile(result, text);
    if (latency->count > 0) {
        add_latency_tile(result, "latency p50", 50, text);
        add_latency_tile(result, "latency p99", 99, text);
        add_latency_tile(result, "latency max", 100, text);
    }
    open_tile(text, "connections");
    tlr_load_html_count(text, result->total.connected);
    close_tile(text);
    open_tile(text, "errors");
    tlr_load_html_count(text, tlr_load_tally_failed(&result->total));
    close_tile(text);
    tlr_cli_text_add(text, "</dl>\n");
}
