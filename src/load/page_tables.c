/* SPDX-License-Identifier: MIT */
#include "page_parts.h"

#include "html.h"
#include "rates.h"

static void add_bool(
    struct tlr_cli_text *text, const char *label, const char *name, bool value)
{
    tlr_load_page_label(text, label);
    tlr_cli_text_add(text, "<td data-name=\"%s\" data-value=\"%s\">%s", name,
        value ? "true" : "false", value ? "yes" : "no");
    tlr_load_page_end(text);
}

static void add_byte_rate(struct tlr_cli_text *text, const char *label,
    const char *name, double value)
{
    tlr_load_page_open_double(text, label, name, 1, value);
    tlr_load_html_bytes(text, value);
    tlr_cli_text_add(text, "/s");
    tlr_load_page_end(text);
}

static void add_rate(struct tlr_cli_text *text, const char *label,
    const char *name, double value)
{
    tlr_load_page_open_double(text, label, name, 1, value);
    tlr_load_html_rate(text, value);
    tlr_cli_text_add(text, "&nbsp;/s");
    tlr_load_page_end(text);
}

static void add_throughput(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    const struct tlr_load_figures *figures = result->figures;
    const struct tlr_load_plan *plan = result->plan;
    struct tlr_load_rates rates = tlr_load_rates_of(result);
    if (tlr_load_plan_reopens(plan)) {
        tlr_load_page_count(text, "sessions", "sessions", figures->sessions);
        add_rate(text, "sessions per second", "sessions_per_second",
            rates.sessions);
    }
    if (!tlr_load_plan_dials_late(plan) && plan->mode != TLR_LOAD_STREAM) {
        tlr_load_page_count(
            text, "round trips", "round_trips", figures->round_trips);
    }
    if (!tlr_load_plan_dials_late(plan) && plan->mode != TLR_LOAD_STREAM &&
        plan->mode != TLR_LOAD_IDLE) {
        add_rate(text, "round trips per second", "round_trips_per_second",
            rates.round_trips);
    }
    tlr_load_page_bytes(text, "bytes sent", "bytes_sent", figures->bytes_sent);
    tlr_load_page_bytes(
        text, "bytes back", "bytes_received", figures->bytes_received);
    if (plan->mode == TLR_LOAD_IDLE) {
        return; /* all of it is of the end: no rate */
    }
    add_byte_rate(text, "sent per second", "bytes_sent_per_second",
        rates.bytes_sent);
    add_byte_rate(text, "back per second", "bytes_per_second",
        rates.bytes_received);
}

static void add_result(const struct tlr_load_series *series,
    struct tlr_cli_text *text, enum tlr_load_page_table kind)
{
    const struct tlr_load_result *result =
        series->runs[tlr_load_series_median(series)];
    tlr_load_page_open_table(text, "Result", kind);
    add_bool(text, series->count > 1 ? "all runs were right" : "all was right",
        "verified", tlr_load_series_is_good(series));
    tlr_load_page_count(
        text, "connections", "connected", result->total.connected);
    tlr_load_page_open_double(text, "time", "seconds", 6, result->seconds);
    if (tlr_load_page_has_time(result)) {
        tlr_load_html_duration(text, result->seconds);
    } else {
        tlr_cli_text_add(text, "nothing was measured");
    }
    tlr_load_page_end(text);
    add_throughput(result, text);
    tlr_load_page_count(text,
        series->count > 1 ? "errors of this run" : "errors", "errors.total",
        tlr_load_tally_failed(&result->total));
    if (result->plan->rate > 0) {
        tlr_load_page_count(
            text, "due, never sent", "unsent", result->total.unsent);
    }
    tlr_load_page_open_double(text, "client busy", "client_busy", 3,
        tlr_load_figures_busy(result->figures));
    tlr_cli_text_add(text, "%.0f&nbsp;%%",
        100 * tlr_load_figures_busy(result->figures));
    tlr_load_page_end(text);
    if (result->plan->mode == TLR_LOAD_IDLE && result->memory > 0) {
        tlr_load_page_open_double(text, "client memory per connection",
            "memory_per_connection", 0, result->memory);
        tlr_load_html_bytes(text, result->memory);
        tlr_load_page_end(text);
    }
    tlr_load_page_close_table(text);
}

void tlr_load_page_tables(
    const struct tlr_load_series *series, struct tlr_cli_text *text)
{
    const struct tlr_load_result *result =
        series->runs[tlr_load_series_median(series)];
    bool beside = tlr_load_page_latency_columns(result) == 1;
    tlr_cli_text_add(text, "<div class=\"tables\">\n");
    tlr_load_page_latency(result, text);
    add_result(series, text,
        beside ? TLR_LOAD_PAGE_NARROW_LIST : TLR_LOAD_PAGE_LIST);
    tlr_load_page_runs(series, text);
    tlr_load_page_settings(series, text);
    tlr_cli_text_add(text, "</div>\n");
}
