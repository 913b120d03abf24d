/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <inttypes.h>

#include "cli/json.h"

struct percentile {
    const char *label;
    const char *json_name;
    double percent;
};

static const struct percentile percentiles[] = {
    {"p50", "p50", 50},
    {"p90", "p90", 90},
    {"p99", "p99", 99},
    {"p99.9", "p99_9", 99.9},
};

enum { PERCENTILES = sizeof(percentiles) / sizeof(percentiles[0]) };

static double rate(uint64_t count, double seconds)
{
    return seconds > 0 ? (double)count / seconds : 0;
}

static uint64_t min_of(const struct tlr_load_histogram *histogram)
{
    return histogram->count == 0 ? 0 : histogram->min;
}

static void add_count(
    struct tlr_cli_text *text, const char *label, uint64_t count)
{
    tlr_cli_text_add(text, "%-16s %14" PRIu64 "\n", label, count);
}

/* In the unit that leaves one to four digits before the point. */
static void add_bytes_per_second(struct tlr_cli_text *text, double bytes)
{
    static const char *const units[] = {"B/s", "KiB/s", "MiB/s", "GiB/s"};
    unsigned unit = 0;
    while (bytes >= 1024 && unit < 3) {
        bytes /= 1024;
        unit++;
    }
    tlr_cli_text_add(
        text, "%-16s %14.1f %s\n", "bytes/s", bytes, units[unit]);
}

static void add_time(
    struct tlr_cli_text *text, const char *label, uint64_t nanoseconds)
{
    double us = (double)nanoseconds / 1000;
    tlr_cli_text_add(text, "  %-14s ", label);
    if (us < 1000) {
        tlr_cli_text_add(text, "%14.1f us\n", us);
    } else if (us < 1000 * 1000) {
        tlr_cli_text_add(text, "%14.2f ms\n", us / 1000);
    } else {
        tlr_cli_text_add(text, "%14.3f s\n", us / (1000 * 1000));
    }
}

static void add_latency(struct tlr_cli_text *text,
    const struct tlr_load_histogram *latency)
{
    if (latency->count == 0) {
        return;
    }
    tlr_cli_text_add(text, "latency of a round trip\n");
    add_time(text, "min", latency->min);
    for (unsigned i = 0; i < PERCENTILES; i++) {
        add_time(text, percentiles[i].label,
            tlr_load_histogram_percentile(latency, percentiles[i].percent));
    }
    add_time(text, "max", latency->max);
}

static void add_errors(
    struct tlr_cli_text *text, const struct tlr_load_tally *total)
{
    add_count(text, "errors", tlr_load_tally_failed(total));
    for (unsigned i = 0; i < TLR_LOAD_CAUSES; i++) {
        if (total->errors[i] != 0) {
            tlr_cli_text_add(text, "  %-14s %14" PRIu64 "\n",
                tlr_load_cause_name((enum tlr_load_cause)i),
                total->errors[i]);
        }
    }
}

static void add_verdict(
    struct tlr_cli_text *text, const struct tlr_load_result *result)
{
    const struct tlr_load_tally *total = &result->total;
    if (result->stopped_early) {
        tlr_cli_text_add(text, "stopped early\n");
    }
    if (tlr_load_result_is_good(result)) {
        tlr_cli_text_add(text, "every byte verified: %" PRIu64 " bytes\n",
            total->bytes_verified);
        return;
    }
    tlr_cli_text_add(text,
        "NOT verified: %" PRIu64 " of %" PRIu32
        " connections failed; %" PRIu64 " bytes sent, %" PRIu64
        " came back right\n",
        tlr_load_tally_failed(total), result->plan->connections,
        total->bytes_sent, total->bytes_verified);
}

void tlr_load_report_table(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    const struct tlr_load_tally *total = &result->total;
    add_count(text, "connections", total->connected);
    tlr_cli_text_add(text, "%-16s %14.3f s\n", "time", result->seconds);
    add_count(text, "round trips", total->round_trips);
    tlr_cli_text_add(text, "%-16s %14.0f /s\n", "round trips/s",
        rate(total->round_trips, result->seconds));
    add_bytes_per_second(text, rate(total->bytes_received, result->seconds));
    add_latency(text, &total->latency);
    add_errors(text, total);
    add_verdict(text, result);
}

static void add_json_latency(
    struct tlr_cli_json *json, const struct tlr_load_histogram *latency)
{
    tlr_cli_json_open(json, "latency_us", '{');
    tlr_cli_json_double(json, "min", (double)min_of(latency) / 1000, 3);
    for (unsigned i = 0; i < PERCENTILES; i++) {
        uint64_t value =
            tlr_load_histogram_percentile(latency, percentiles[i].percent);
        tlr_cli_json_double(
            json, percentiles[i].json_name, (double)value / 1000, 3);
    }
    tlr_cli_json_double(json, "max", (double)latency->max / 1000, 3);
    tlr_cli_json_close(json);
}

static void add_json_errors(
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

void tlr_load_report_json(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    const struct tlr_load_tally *total = &result->total;
    const struct tlr_load_plan *plan = result->plan;
    struct tlr_cli_json json = {.text = text};
    tlr_cli_json_open(&json, NULL, '{');
    tlr_cli_json_u64(&json, "connections", plan->connections);
    tlr_cli_json_u64(&json, "connected", total->connected);
    tlr_cli_json_u64(&json, "size", plan->size);
    tlr_cli_json_u64(&json, "depth", plan->depth);
    tlr_cli_json_u64(&json, "loops", plan->loops);
    tlr_cli_json_double(&json, "seconds", result->seconds, 6);
    tlr_cli_json_u64(&json, "round_trips", total->round_trips);
    tlr_cli_json_double(&json, "round_trips_per_second",
        rate(total->round_trips, result->seconds), 1);
    tlr_cli_json_u64(&json, "bytes_sent", total->bytes_sent);
    tlr_cli_json_u64(&json, "bytes_received", total->bytes_received);
    tlr_cli_json_u64(&json, "bytes_verified", total->bytes_verified);
    tlr_cli_json_double(&json, "bytes_per_second",
        rate(total->bytes_received, result->seconds), 1);
    add_json_latency(&json, &total->latency);
    add_json_errors(&json, total);
    tlr_cli_json_bool(&json, "stopped_early", result->stopped_early);
    tlr_cli_json_bool(&json, "verified", tlr_load_result_is_good(result));
    tlr_cli_json_close(&json);
    tlr_cli_text_add(text, "\n");
}
