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
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    tlr_load_page_open_table(text, "Result", false);
    add_bool(
        text, "all was right", "verified", tlr_load_result_is_good(result));
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
        add_count(text, "round trips per connection",
            "round_trips_per_connection", plan->round_trips);
    }
}

static void add_limits(
    const struct tlr_load_plan *plan, struct tlr_cli_text *text)
{
    if (plan->pieces != 0) {
        add_bytes(text, "pieces of", "pieces", plan->pieces);
    }
    if (plan->read_rate != 0) {
        add_bytes(text, "reads per connection and second", "read_rate",
            plan->read_rate);
    }
    if (plan->write_rate != 0) {
        add_bytes(text, "writes per connection and second", "write_rate",
            plan->write_rate);
    }
    if (plan->send_buffer != 0) {
        add_bytes(text, "send buffer", "send_buffer", plan->send_buffer);
    }
    if (plan->receive_buffer != 0) {
        add_bytes(
            text, "receive buffer", "receive_buffer", plan->receive_buffer);
    }
    if (plan->delay) {
        add_bool(text, "TCP_NODELAY", "nodelay", false);
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
        add_seconds(
            text, "duration", "duration", (double)plan->duration_ms / 1000);
    }
    add_seconds(text, "warm-up", "warmup", (double)plan->warmup_ms / 1000);
    add_seconds(text, "ramp", "ramp", (double)plan->ramp_ms / 1000);
    add_seconds(text, "timeout", "timeout", (double)plan->timeout_ms / 1000);
    add_limits(plan, text);
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
    add_result(result, text);
    add_settings(result->plan, text);
    tlr_cli_text_add(text, "</div>\n");
}
