/* SPDX-License-Identifier: MIT */
#include "page_parts.h"

#include <inttypes.h>

#include "cli/address.h"
#include "html.h"
#include "rates.h"
#include "report.h"

/* ---- rows ---- */

static void open_u64(
    struct tlr_cli_text *text, const char *label, const char *name,
    uint64_t value)
{
    tlr_load_page_label(text, label);
    tlr_cli_text_add(text, "<td data-name=\"%s\" data-value=\"%" PRIu64 "\">",
        name, value);
}

static void open_double(struct tlr_cli_text *text, const char *label,
    const char *name, int decimals, double value)
{
    tlr_load_page_label(text, label);
    tlr_cli_text_add(text, "<td data-name=\"%s\" data-value=\"%.*f\">", name,
        decimals, value);
}

static void add_string(struct tlr_cli_text *text, const char *label,
    const char *name, const char *value)
{
    tlr_load_page_label(text, label);
    tlr_cli_text_add(text, "<td data-name=\"%s\" data-value=\"", name);
    tlr_load_html_escape(text, value);
    tlr_cli_text_add(text, "\">");
    tlr_load_html_escape(text, value);
    tlr_load_page_end(text);
}

static void add_bool(
    struct tlr_cli_text *text, const char *label, const char *name, bool value)
{
    tlr_load_page_label(text, label);
    tlr_cli_text_add(text, "<td data-name=\"%s\" data-value=\"%s\">%s", name,
        value ? "true" : "false", value ? "yes" : "no");
    tlr_load_page_end(text);
}

static void add_count(struct tlr_cli_text *text, const char *label,
    const char *name, uint64_t value)
{
    open_u64(text, label, name, value);
    tlr_load_html_count(text, value);
    tlr_load_page_end(text);
}

static void add_bytes(struct tlr_cli_text *text, const char *label,
    const char *name, uint64_t value)
{
    open_u64(text, label, name, value);
    tlr_load_html_bytes(text, (double)value);
    tlr_load_page_end(text);
}

static void add_byte_rate(struct tlr_cli_text *text, const char *label,
    const char *name, double value)
{
    open_double(text, label, name, 1, value);
    tlr_load_html_bytes(text, value);
    tlr_cli_text_add(text, "/s");
    tlr_load_page_end(text);
}

static void add_rate(struct tlr_cli_text *text, const char *label,
    const char *name, double value)
{
    open_double(text, label, name, 1, value);
    tlr_load_html_rate(text, value);
    tlr_cli_text_add(text, "&nbsp;/s");
    tlr_load_page_end(text);
}

/* What was asked for, as it was asked for. */
static void add_asked(struct tlr_cli_text *text, double seconds)
{
    if (seconds < 120) {
        tlr_cli_text_add(text, "%.6g&nbsp;s", seconds);
    } else {
        tlr_load_html_duration(text, seconds);
    }
}

static void add_seconds(struct tlr_cli_text *text, const char *label,
    const char *name, double value)
{
    open_double(text, label, name, 3, value);
    add_asked(text, value);
    tlr_load_page_end(text);
}

/* ---- tables ---- */

static void add_throughput(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    const struct tlr_load_figures *figures = result->figures;
    const struct tlr_load_plan *plan = result->plan;
    struct tlr_load_rates rates = tlr_load_rates_of(result);
    if (tlr_load_plan_reopens(plan)) {
        add_count(text, "sessions", "sessions", figures->sessions);
        add_rate(text, "sessions per second", "sessions_per_second",
            rates.sessions);
    }
    if (!tlr_load_plan_dials_late(plan) && plan->mode != TLR_LOAD_STREAM) {
        add_count(text, "round trips", "round_trips", figures->round_trips);
        add_rate(text, "round trips per second", "round_trips_per_second",
            rates.round_trips);
    }
    add_bytes(text, "bytes sent", "bytes_sent", figures->bytes_sent);
    add_bytes(text, "bytes back", "bytes_received", figures->bytes_received);
    add_byte_rate(text, "sent per second", "bytes_sent_per_second",
        rates.bytes_sent);
    add_byte_rate(text, "back per second", "bytes_per_second",
        rates.bytes_received);
}

static void add_errors(
    const struct tlr_load_tally *total, struct tlr_cli_text *text)
{
    add_count(text, "errors", "errors.total", tlr_load_tally_failed(total));
    for (unsigned i = 0; i < TLR_LOAD_CAUSES; i++) {
        const char *cause = tlr_load_cause_name((enum tlr_load_cause)i);
        if (total->errors[i] != 0) {
            char name[64];
            char label[64];
            (void)snprintf(name, sizeof(name), "errors.%s", cause);
            (void)snprintf(label, sizeof(label), "errors: %s", cause);
            add_count(text, label, name, total->errors[i]);
        }
    }
}

static void add_result(
    const struct tlr_load_series *series, struct tlr_cli_text *text)
{
    const struct tlr_load_result *result =
        series->runs[tlr_load_series_median(series)];
    tlr_load_page_open_table(text, "Result", false);
    add_bool(text, series->count > 1 ? "all runs were right" : "all was right",
        "verified", tlr_load_series_is_good(series));
    add_count(text, "connections", "connected", result->total.connected);
    open_double(text, "time", "seconds", 6, result->seconds);
    tlr_load_html_duration(text, result->seconds);
    tlr_load_page_end(text);
    add_throughput(result, text);
    add_errors(&result->total, text);
    if (result->plan->rate > 0) {
        add_count(text, "due, never sent", "unsent", result->total.unsent);
    }
    open_double(text, "client busy", "client_busy", 3,
        tlr_load_figures_busy(result->figures));
    tlr_cli_text_add(text, "%.0f&nbsp;%%",
        100 * tlr_load_figures_busy(result->figures));
    tlr_load_page_end(text);
    if (result->plan->mode == TLR_LOAD_IDLE && result->memory > 0) {
        open_double(text, "client memory per connection",
            "memory_per_connection", 0, result->memory);
        tlr_load_html_bytes(text, result->memory);
        tlr_load_page_end(text);
    }
    tlr_load_page_close_table(text);
}

/* What is not in the JSON result has no name. */
static void add_plain(
    struct tlr_cli_text *text, const char *label, const char *value)
{
    tlr_load_page_label(text, label);
    tlr_cli_text_add(text, "<td>%s", value);
    tlr_load_page_end(text);
}

static void add_milliseconds(
    struct tlr_cli_text *text, const char *label, uint64_t milliseconds)
{
    tlr_load_page_label(text, label);
    tlr_cli_text_add(text, "<td>");
    add_asked(text, (double)milliseconds / 1000);
    tlr_load_page_end(text);
}

static void add_limit(struct tlr_cli_text *text, const char *label,
    uint64_t bytes, const char *per)
{
    if (bytes == 0) {
        return;
    }
    tlr_load_page_label(text, label);
    tlr_cli_text_add(text, "<td>");
    tlr_load_html_bytes(text, (double)bytes);
    tlr_cli_text_add(text, "%s", per);
    tlr_load_page_end(text);
}

static void add_messages(
    const struct tlr_load_plan *plan, struct tlr_cli_text *text)
{
    if (tlr_load_plan_dials_late(plan) || plan->mode == TLR_LOAD_STREAM) {
        return;
    }
    add_bytes(text, plan->sizes == NULL ? "message" : "message, up to", "size",
        plan->size);
    if (plan->mode == TLR_LOAD_ECHO || plan->mode == TLR_LOAD_SLOW) {
        add_count(text, "on the way per connection", "depth", plan->depth);
    }
    if (plan->session != 0) {
        add_count(text, "round trips per session", "session", plan->session);
    }
    if (plan->round_trips != 0) {
        tlr_load_page_label(text, "round trips per connection");
        tlr_cli_text_add(text, "<td>");
        tlr_load_html_count(text, plan->round_trips);
        tlr_load_page_end(text);
    }
}

static void add_settings(
    const struct tlr_load_plan *plan, struct tlr_cli_text *text)
{
    char address[TLR_CLI_ADDRESS_LENGTH];
    tlr_load_page_open_table(text, "Settings", false);
    add_string(text, "mode", "mode", tlr_load_mode_name(plan->mode));
    add_string(text, "address", "address",
        tlr_cli_format_address(
            (const struct sockaddr *)plan->addresses, address));
    add_count(text, "connections", "connections", plan->connections);
    add_count(text, "threads", "loops", plan->loops);
    add_messages(plan, text);
    if (plan->rate > 0) {
        open_double(text, "rate", "rate", 3, plan->rate);
        tlr_load_html_rate(text, plan->rate);
        tlr_cli_text_add(text, "&nbsp;/s");
        tlr_load_page_end(text);
    }
    if (plan->duration_ms != 0) {
        add_milliseconds(text, "duration", plan->duration_ms);
    }
    add_seconds(text, "warm-up", "warmup", (double)plan->warmup_ms / 1000);
    add_seconds(text, "ramp", "ramp", (double)plan->ramp_ms / 1000);
    add_milliseconds(text, "timeout", plan->timeout_ms);
    add_limit(text, "pieces of", plan->pieces, "");
    add_limit(text, "reads per connection", plan->read_rate, "/s");
    add_limit(text, "writes per connection", plan->write_rate, "/s");
    add_limit(text, "send buffer", plan->send_buffer, "");
    add_limit(text, "receive buffer", plan->receive_buffer, "");
    if (plan->delay) {
        add_plain(text, "Nagle&#39;s algorithm", "on");
    }
    tlr_load_page_close_table(text);
}

void tlr_load_page_tables(
    const struct tlr_load_series *series, struct tlr_cli_text *text)
{
    const struct tlr_load_result *result =
        series->runs[tlr_load_series_median(series)];
    tlr_cli_text_add(text, "<div class=\"tables\">\n");
    tlr_load_page_latency(result, text);
    tlr_load_page_runs(series, text);
    add_result(series, text);
    add_settings(result->plan, text);
    tlr_cli_text_add(text, "</div>\n");
}
