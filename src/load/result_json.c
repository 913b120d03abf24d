/* SPDX-License-Identifier: MIT */
#include "result_json.h"

#include "advice.h"
#include "cli/json.h"
#include "rates.h"
#include "reached.h"
#include "report.h"

static double us(uint64_t nanoseconds)
{
    return (double)nanoseconds / 1000;
}

static void add_latency(struct tlr_cli_json *json, const char *name,
    const struct tlr_load_histogram *latency)
{
    tlr_cli_json_open(json, name, '{');
    tlr_cli_json_u64(json, "count", latency->count);
    tlr_cli_json_double(
        json, "min", latency->count == 0 ? 0 : us(latency->min), 3);
    tlr_cli_json_double(
        json, "mean", tlr_load_histogram_mean(latency) / 1000, 3);
    for (unsigned i = 0; i < TLR_LOAD_NAMED_PERCENTILES; i++) {
        const struct tlr_load_percentile *one = &tlr_load_named_percentiles[i];
        tlr_cli_json_double(json, one->name,
            us(tlr_load_histogram_percentile(latency, one->percent)), 3);
    }
    tlr_cli_json_double(json, "max", us(latency->max), 3);
    tlr_cli_json_close(json);
}

static void add_errors(
    struct tlr_cli_json *json, const struct tlr_load_tally *total)
{
    tlr_cli_json_open(json, "errors", '{');
    for (unsigned i = 0; i < TLR_LOAD_CAUSES; i++) {
        tlr_cli_json_u64(json, tlr_load_cause_name((enum tlr_load_cause)i),
            total->errors[i]);
    }
    tlr_cli_json_u64(json, "total", tlr_load_tally_failed(total));
    tlr_cli_json_close(json);
}

static void add_milliseconds(
    struct tlr_cli_json *json, const char *name, uint64_t milliseconds)
{
    tlr_cli_json_double(json, name, (double)milliseconds / 1000, 3);
}

static void add_address(
    struct tlr_cli_json *json, const struct tlr_load_result *result)
{
    struct tlr_cli_text address = {0};
    tlr_load_reached_add(result, &address);
    tlr_cli_json_string(json, "address", tlr_cli_text_get(&address));
    json->text->failed = json->text->failed || address.failed;
    tlr_cli_text_free(&address);
}

/* All that shapes the load: compare warns of what differs. */
static void add_plan(
    struct tlr_cli_json *json, const struct tlr_load_result *result)
{
    const struct tlr_load_plan *plan = result->plan;
    char sizes[TLR_LOAD_SIZES_TEXT];
    tlr_cli_json_string(json, "mode", tlr_load_mode_name(plan->mode));
    add_address(json, result);
    tlr_cli_json_u64(json, "connections", plan->connections);
    tlr_cli_json_u64(json, "size", plan->size);
    tlr_cli_json_string(json, "sizes", tlr_load_plan_sizes(plan, sizes));
    tlr_cli_json_u64(json, "depth", plan->depth);
    tlr_cli_json_u64(json, "loops", plan->loops);
    tlr_cli_json_u64(json, "session", plan->session);
    tlr_cli_json_double(json, "rate", plan->rate, 3);
    add_milliseconds(json, "think", plan->think_ms);
    add_milliseconds(json, "warmup", plan->warmup_ms);
    add_milliseconds(json, "ramp", plan->ramp_ms);
    add_milliseconds(json, "duration", plan->duration_ms);
    tlr_cli_json_u64(json, "round_trips_per_connection", plan->round_trips);
    add_milliseconds(json, "timeout", plan->timeout_ms);
    tlr_cli_json_u64(json, "pieces", plan->pieces);
    tlr_cli_json_u64(json, "read_rate", plan->read_rate);
    tlr_cli_json_u64(json, "write_rate", plan->write_rate);
    tlr_cli_json_u64(json, "send_buffer", plan->send_buffer);
    tlr_cli_json_u64(json, "receive_buffer", plan->receive_buffer);
    tlr_cli_json_bool(json, "nodelay", !plan->delay);
    tlr_cli_json_u64(json, "sources", plan->source_count);
}

static void add_throughput(
    struct tlr_cli_json *json, const struct tlr_load_result *result)
{
    const struct tlr_load_figures *figures = result->figures;
    struct tlr_load_rates rates = tlr_load_rates_of(result);
    tlr_cli_json_double(json, "began", result->began, 3);
    tlr_cli_json_double(json, "seconds", result->seconds, 6);
    tlr_cli_json_u64(json, "connected", result->total.connected);
    tlr_cli_json_u64(json, "sessions", figures->sessions);
    tlr_cli_json_double(json, "sessions_per_second", rates.sessions, 1);
    tlr_cli_json_u64(json, "round_trips", figures->round_trips);
    tlr_cli_json_double(json, "round_trips_per_second", rates.round_trips, 1);
    tlr_cli_json_u64(json, "bytes_sent", figures->bytes_sent);
    tlr_cli_json_u64(json, "bytes_received", figures->bytes_received);
    tlr_cli_json_u64(json, "bytes_verified", figures->bytes_verified);
    tlr_cli_json_double(json, "bytes_sent_per_second", rates.bytes_sent, 1);
    tlr_cli_json_double(json, "bytes_per_second", rates.bytes_received, 1);
    tlr_cli_json_u64(json, "unsent", result->total.unsent);
}

static void add_interval(
    struct tlr_cli_json *json, const struct tlr_load_interval *interval)
{
    static const char *const names[TLR_LOAD_PERCENTILES] = {
        "p50_us", "p75_us", "p90_us", "p99_us", "p99_9_us", "max_us"};
    tlr_cli_json_open(json, NULL, '{');
    tlr_cli_json_double(json, "from", interval->from, 3);
    tlr_cli_json_double(json, "seconds", interval->seconds, 3);
    tlr_cli_json_u64(json, "round_trips", interval->round_trips);
    tlr_cli_json_u64(json, "sessions", interval->sessions);
    tlr_cli_json_u64(json, "bytes_sent", interval->bytes_sent);
    tlr_cli_json_u64(json, "bytes_received", interval->bytes_received);
    tlr_cli_json_u64(json, "errors", interval->errors);
    tlr_cli_json_u64(json, "open", interval->open);
    tlr_cli_json_double(json, "busy", interval->busy, 3);
    for (unsigned i = 0; i < TLR_LOAD_PERCENTILES; i++) {
        tlr_cli_json_double(json, names[i], us(interval->latency[i]), 3);
    }
    tlr_cli_json_close(json);
}

static void add_intervals(
    struct tlr_cli_json *json, const struct tlr_load_result *result)
{
    tlr_cli_json_open(json, "intervals", '[');
    for (size_t i = 0; i < result->interval_count; i++) {
        add_interval(json, &result->intervals[i]);
    }
    tlr_cli_json_close(json);
}

static void add_result(struct tlr_cli_json *json,
    const struct tlr_load_result *result, bool is_aborted, bool is_good)
{
    const struct tlr_load_histogram *latency = result->figures->latency;
    tlr_cli_json_string(json, "schema", TLR_LOAD_SCHEMA);
    tlr_cli_json_string(json, "version", TLR_VERSION_TEXT);
    add_plan(json, result);
    add_throughput(json, result);
    add_latency(json, "latency_us",
        &latency[tlr_load_main_measure(result->plan)]);
    add_latency(json, "connect_us", &latency[TLR_LOAD_CONNECTING]);
    add_latency(json, "first_byte_us", &latency[TLR_LOAD_FIRST_BYTE]);
    add_latency(json, "lateness_us", &latency[TLR_LOAD_LATENESS]);
    tlr_cli_json_bool(
        json, "lateness_dominates", tlr_load_advice_is_late(result));
    add_latency(json, "think_us", &latency[TLR_LOAD_THINKING]);
    tlr_cli_json_double(
        json, "client_busy", tlr_load_figures_busy(result->figures), 3);
    tlr_cli_json_double(json, "memory_per_connection", result->memory, 0);
    add_errors(json, &result->total);
    add_intervals(json, result);
    tlr_cli_json_bool(json, "stopped_early", result->stopped_early);
    tlr_cli_json_bool(json, "aborted", is_aborted);
    tlr_cli_json_bool(json, "verified", is_good && !result->foreign);
}

/* What can be compared between runs. */
static void add_run(
    struct tlr_cli_json *json, const struct tlr_load_result *result)
{
    const struct tlr_load_figures *figures = result->figures;
    struct tlr_load_rates rates = tlr_load_rates_of(result);
    tlr_cli_json_open(json, NULL, '{');
    tlr_cli_json_double(json, "seconds", result->seconds, 6);
    tlr_cli_json_double(json, "sessions_per_second", rates.sessions, 1);
    tlr_cli_json_double(json, "round_trips_per_second", rates.round_trips, 1);
    tlr_cli_json_double(json, "bytes_per_second", rates.bytes_received, 1);
    add_latency(json, "latency_us",
        &figures->latency[tlr_load_main_measure(result->plan)]);
    add_latency(json, "connect_us", &figures->latency[TLR_LOAD_CONNECTING]);
    tlr_cli_json_double(
        json, "client_busy", tlr_load_figures_busy(figures), 3);
    tlr_cli_json_u64(
        json, "errors_total", tlr_load_tally_failed(&result->total));
    tlr_cli_json_bool(json, "verified",
        tlr_load_result_is_good(result) && !result->foreign);
    tlr_cli_json_close(json);
}

static void open_runs(struct tlr_cli_json *json, uint64_t wanted)
{
    tlr_cli_json_u64(json, "repeat", wanted);
    tlr_cli_json_open(json, "runs", '[');
}

void tlr_load_result_json(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    struct tlr_cli_json json = {.text = text};
    tlr_cli_json_open(&json, NULL, '{');
    add_result(
        &json, result, result->aborted, tlr_load_result_is_good(result));
    open_runs(&json, 1);
    add_run(&json, result);
    tlr_cli_json_close(&json);
    tlr_cli_json_close(&json);
    tlr_cli_text_add(text, "\n");
}

void tlr_load_series_json(
    const struct tlr_load_series *series, struct tlr_cli_text *text)
{
    struct tlr_cli_json json = {.text = text};
    tlr_cli_json_open(&json, NULL, '{');
    add_result(&json, series->runs[tlr_load_series_median(series)],
        tlr_load_series_is_aborted(series), tlr_load_series_is_good(series));
    open_runs(&json, series->wanted);
    for (size_t i = 0; i < series->count; i++) {
        add_run(&json, series->runs[i]);
    }
    tlr_cli_json_close(&json);
    tlr_cli_json_close(&json);
    tlr_cli_text_add(text, "\n");
}
