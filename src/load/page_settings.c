/* SPDX-License-Identifier: MIT */
#include "page_parts.h"

#include "html.h"
#include "reached.h"

/* Addresses that are listed. */
enum { LISTED = 8 };

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

/* What was asked for, as it was asked for. */
static void add_asked(struct tlr_cli_text *text, uint64_t milliseconds)
{
    double seconds = (double)milliseconds / 1000;
    if (seconds < 120) {
        tlr_cli_text_add(text, "%.6g&nbsp;s", seconds);
    } else {
        tlr_load_html_duration(text, seconds);
    }
}

static void add_seconds(struct tlr_cli_text *text, const char *label,
    const char *name, uint64_t milliseconds)
{
    tlr_load_page_open_double(
        text, label, name, 3, (double)milliseconds / 1000);
    add_asked(text, milliseconds);
    tlr_load_page_end(text);
}

/* 0: there is no limit, and what that means. */
static void add_limit(struct tlr_cli_text *text, const char *label,
    const char *name, uint64_t bytes, const char *per, const char *none)
{
    tlr_load_page_open_u64(text, label, name, bytes);
    if (bytes == 0) {
        tlr_cli_text_add(text, "%s", none);
    } else {
        tlr_load_html_bytes(text, (double)bytes);
        tlr_cli_text_add(text, "%s", per);
    }
    tlr_load_page_end(text);
}

/* ---- where ---- */

/* Local addresses, one below the other: the system chooses their ports. */
static void add_addresses(struct tlr_cli_text *text, const char *label,
    const struct sockaddr_storage *addresses, size_t count)
{
    if (count == 0) {
        return;
    }
    tlr_load_page_open_u64(text, label, "sources", count);
    for (size_t i = 0; i < count && i < LISTED; i++) {
        const struct sockaddr *one = (const struct sockaddr *)&addresses[i];
        char host[64] = "";
        (void)uv_ip_name(one, host, sizeof(host)); /* or it stays empty */
        tlr_cli_text_add(text, "%s", i == 0 ? "" : "<br/>");
        tlr_load_html_escape(text, host);
    }
    if (count > LISTED) {
        tlr_cli_text_add(text, "<br/>and %zu more", count - LISTED);
    }
    tlr_load_page_end(text);
}

static void add_where(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    const struct tlr_load_plan *plan = result->plan;
    struct tlr_cli_text address = {0};
    tlr_load_reached_add(result, &address);
    text->failed = text->failed || address.failed;
    add_string(text, "mode", "mode", tlr_load_mode_name(plan->mode));
    add_string(text, "address", "address", tlr_cli_text_get(&address));
    tlr_cli_text_free(&address);
    add_addresses(text, "from", plan->sources, plan->source_count);
    tlr_load_page_count(
        text, "connections", "connections", plan->connections);
    tlr_load_page_count(text, "threads", "loops", plan->loops);
}

/* ---- what ---- */

static void add_sizes(
    const struct tlr_load_sizes *sizes, struct tlr_cli_text *text)
{
    uint64_t before = 0;
    for (size_t i = 0; i < sizes->count; i++) {
        const struct tlr_load_sizes_row *row = &sizes->rows[i];
        tlr_cli_text_add(text, "%s", i == 0 ? "" : "<br/>");
        tlr_load_html_bytes(text, (double)row->low);
        if (row->high != row->low) {
            tlr_cli_text_add(text, " to ");
            tlr_load_html_bytes(text, (double)row->high);
        }
        if (sizes->count > 1) {
            tlr_cli_text_add(text, ", %.3g&nbsp;%%",
                100 * (double)(row->weight - before) /
                    (double)sizes->rows[sizes->count - 1].weight);
        }
        before = row->weight;
    }
}

static void add_messages(
    const struct tlr_load_plan *plan, struct tlr_cli_text *text)
{
    if (tlr_load_plan_dials_late(plan) || plan->mode == TLR_LOAD_STREAM) {
        return;
    }
    tlr_load_page_open_u64(text, "message", "size", plan->size);
    if (plan->sizes != NULL) {
        add_sizes(plan->sizes, text);
    } else {
        tlr_load_html_bytes(text, (double)plan->size);
    }
    tlr_load_page_end(text);
    if (plan->mode == TLR_LOAD_ECHO || plan->mode == TLR_LOAD_SLOW) {
        tlr_load_page_count(
            text, "on the way per connection", "depth", plan->depth);
    }
    if (plan->session != 0) {
        tlr_load_page_count(
            text, "round trips per session", "session", plan->session);
    }
}

static void add_end(const struct tlr_load_plan *plan, struct tlr_cli_text *text)
{
    if (plan->round_trips != 0) {
        tlr_load_page_count(text,
            tlr_load_plan_dials_late(plan) ? "sessions per connection"
                                           : "round trips per connection",
            "round_trips_per_connection", plan->round_trips);
    }
    if (plan->rate > 0) {
        tlr_load_page_open_double(text, "rate", "rate", 3, plan->rate);
        tlr_load_html_rate(text, plan->rate);
        tlr_cli_text_add(text, "&nbsp;/s");
        tlr_load_page_end(text);
    } else if (plan->mode == TLR_LOAD_ECHO) {
        tlr_load_page_plain(text, "rate", "closed loop");
    }
    if (plan->think_ms != 0) {
        add_seconds(text, "thinks after each", "think", plan->think_ms);
    }
    if (plan->duration_ms != 0) {
        add_seconds(text, "duration", "duration", plan->duration_ms);
    } else {
        tlr_load_page_plain(text, "duration", "until all are done");
    }
    add_seconds(text, "warm-up", "warmup", plan->warmup_ms);
    add_seconds(text, "ramp", "ramp", plan->ramp_ms);
    add_seconds(text, "timeout", "timeout", plan->timeout_ms);
}

static void add_sockets(
    const struct tlr_load_plan *plan, struct tlr_cli_text *text)
{
    static const char systems[] = "the system&#39;s";
    if (!tlr_load_plan_dials_late(plan)) {
        add_limit(text, "pieces", "pieces", plan->pieces, "", "not cut up");
    }
    if (plan->mode == TLR_LOAD_SLOW) {
        add_limit(text, "reads per connection", "read_rate", plan->read_rate,
            "/s", "no limit");
        add_limit(text, "writes per connection", "write_rate",
            plan->write_rate, "/s", "no limit");
    }
    add_limit(
        text, "send buffer", "send_buffer", plan->send_buffer, "", systems);
    add_limit(text, "receive buffer", "receive_buffer", plan->receive_buffer,
        "", systems);
    tlr_load_page_label(text, "TCP_NODELAY");
    tlr_cli_text_add(text, "<td data-name=\"nodelay\" data-value=\"%s\">%s",
        plan->delay ? "false" : "true", plan->delay ? "no" : "yes");
    tlr_load_page_end(text);
}

void tlr_load_page_settings(
    const struct tlr_load_series *series, struct tlr_cli_text *text)
{
    const struct tlr_load_plan *plan = series->runs[0]->plan;
    tlr_load_page_open_table(text, "Settings", TLR_LOAD_PAGE_LIST);
    add_where(series->runs[0], text);
    add_messages(plan, text);
    add_end(plan, text);
    add_sockets(plan, text);
    if (plan->abort_on_error) {
        tlr_load_page_plain(text, "at the first error", "given up");
    }
    if (series->wanted > 1) {
        tlr_load_page_count(text, "runs", "repeat", series->wanted);
    }
    tlr_load_page_close_table(text);
}
