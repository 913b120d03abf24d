/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <inttypes.h>
#include <string.h>

#include "advice.h"
#include "problems.h"
#include "rates.h"

/* The longest bar of the distribution. */
enum { BAR = 40 };

static void add_count(
    struct tlr_cli_text *text, const char *label, uint64_t count)
{
    tlr_cli_text_add(text, "%-16s %14" PRIu64 "\n", label, count);
}

const char *tlr_load_report_bytes(double *bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    unsigned unit = 0;
    while (*bytes >= 1024 && unit < 4) {
        *bytes /= 1024;
        unit++;
    }
    return units[unit];
}

static void add_bytes(
    struct tlr_cli_text *text, const char *label, double bytes, const char *per)
{
    const char *unit = tlr_load_report_bytes(&bytes);
    tlr_cli_text_add(text, "%-16s %14.1f %s%s\n", label, bytes, unit, per);
}

static void scale(
    uint64_t nanoseconds, double *value, int *decimals, const char **unit)
{
    double us = (double)nanoseconds / 1000;
    *value = us;
    *decimals = 1;
    *unit = "us";
    if (us >= 1000 * 1000) {
        *value = us / (1000 * 1000);
        *decimals = 3;
        *unit = "s";
    } else if (us >= 1000) {
        *value = us / 1000;
        *decimals = 2;
        *unit = "ms";
    }
}

void tlr_load_report_time(struct tlr_cli_text *text, uint64_t nanoseconds)
{
    double value;
    int decimals;
    const char *unit;
    scale(nanoseconds, &value, &decimals, &unit);
    tlr_cli_text_add(text, "%.*f %s", decimals, value, unit);
}

static void add_time(struct tlr_cli_text *text, const char *label,
    uint64_t nanoseconds, const char *mark)
{
    double value;
    int decimals;
    const char *unit;
    scale(nanoseconds, &value, &decimals, &unit);
    tlr_cli_text_add(
        text, "  %-14s %14.*f %s%s\n", label, decimals, value, unit, mark);
}

/* ---- latency ---- */

static const char *name_of(enum tlr_load_measure measure)
{
    switch (measure) {
    case TLR_LOAD_CONNECTING:
        return "latency of a connect";
    case TLR_LOAD_FIRST_BYTE:
        return "latency of the first byte";
    default:
        return "latency of a round trip";
    }
}

static void add_latency(struct tlr_cli_text *text,
    const struct tlr_load_result *result, enum tlr_load_measure measure)
{
    const struct tlr_load_histogram *latency =
        &result->figures->latency[measure];
    if (latency->count == 0) {
        return;
    }
    tlr_cli_text_add(text, "%s\n", name_of(measure));
    add_time(text, "min", latency->min,
        tlr_load_advice_mark(result, TLR_LOAD_MIN));
    add_time(text, "mean", (uint64_t)tlr_load_histogram_mean(latency),
        tlr_load_advice_mark(result, TLR_LOAD_MEAN));
    for (unsigned i = 0; i < TLR_LOAD_NAMED_PERCENTILES; i++) {
        const struct tlr_load_percentile *one = &tlr_load_named_percentiles[i];
        if (one->brief) {
            add_time(text, one->label,
                tlr_load_histogram_percentile(latency, one->percent),
                tlr_load_advice_mark(result, one->percent));
        }
    }
    add_time(text, "max", latency->max, tlr_load_advice_mark(result, 100));
}

/* "connect      512.0 us p50, 1.20 ms p99, 3.00 ms max". */
static void add_short_latency(struct tlr_cli_text *text, const char *what,
    const struct tlr_load_histogram *latency)
{
    if (latency->count == 0) {
        return;
    }
    tlr_cli_text_add(text, "%-16s  p50 ", what);
    tlr_load_report_time(text, tlr_load_histogram_percentile(latency, 50));
    tlr_cli_text_add(text, ", p99 ");
    tlr_load_report_time(text, tlr_load_histogram_percentile(latency, 99));
    tlr_cli_text_add(text, ", max ");
    tlr_load_report_time(text, latency->max);
    tlr_cli_text_add(text, "\n");
}

/* 1, 2, 5, 10, 20, 50 ...: the rows' upper ends. */
static uint64_t next_end(uint64_t end)
{
    uint64_t digit = end;
    while (digit >= 10) {
        digit /= 10;
    }
    return digit == 2 ? end / 2 * 5 : end * 2;
}

static void add_row(struct tlr_cli_text *text, uint64_t end, uint64_t count,
    uint64_t of, uint64_t most)
{
    static const char bar[BAR + 1] =
        "########################################";
    double value;
    int decimals;
    const char *unit;
    int length = (int)((double)count / (double)most * BAR + 0.5);
    scale(end, &value, &decimals, &unit);
    tlr_cli_text_add(text, "  up to %6.*f %-2s %7.3f%%%s%.*s\n",
        value < 10 && value != (double)(int)value ? 1 : 0, value, unit,
        100 * (double)count / (double)of, length == 0 ? "" : " ", length, bar);
}

/* How many there are in each 1-2-5 step. */
static void add_distribution(
    struct tlr_cli_text *text, const struct tlr_load_histogram *latency)
{
    uint64_t ends[64];
    uint64_t counts[64];
    uint64_t end = 1000;
    uint64_t before = 0;
    uint64_t most = 1;
    unsigned rows = 0;
    if (latency->count < 100) {
        return;
    }
    while (end < latency->min) {
        end = next_end(end);
    }
    for (; rows < 64 && before < latency->count; end = next_end(end)) {
        uint64_t below = end >= latency->max
                             ? latency->count
                             : tlr_load_histogram_up_to(latency, end);
        ends[rows] = end;
        counts[rows] = below - before;
        most = counts[rows] > most ? counts[rows] : most;
        before = below;
        rows++;
    }
    tlr_cli_text_add(text, "distribution\n");
    for (unsigned i = 0; i < rows; i++) {
        add_row(text, ends[i], counts[i], latency->count, most);
    }
}

static void add_latencies(
    struct tlr_cli_text *text, const struct tlr_load_result *result)
{
    const struct tlr_load_histogram *latency = result->figures->latency;
    enum tlr_load_measure measure = tlr_load_main_measure(result->plan);
    add_latency(text, result, measure);
    add_distribution(text, &latency[measure]);
    if (measure != TLR_LOAD_CONNECTING) {
        add_short_latency(text, "connect", &latency[TLR_LOAD_CONNECTING]);
    }
    if (measure != TLR_LOAD_FIRST_BYTE) {
        add_short_latency(text, "first byte", &latency[TLR_LOAD_FIRST_BYTE]);
    }
    add_short_latency(text, "lateness", &latency[TLR_LOAD_LATENESS]);
    add_short_latency(text, "thinking", &latency[TLR_LOAD_THINKING]);
}

/* ---- the rest ---- */

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

void tlr_load_report_good(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    const struct tlr_load_tally *total = &result->total;
    switch (result->plan->mode) {
    case TLR_LOAD_CHURN:
        tlr_cli_text_add(text,
            "every connection ended as it should: %" PRIu64, total->whole);
        break;
    case TLR_LOAD_HELLO:
        tlr_cli_text_add(
            text, "every first byte came: %" PRIu64, total->whole);
        break;
    default:
        tlr_cli_text_add(text, "every byte verified: %" PRIu64 " %s",
            total->bytes_verified,
            tlr_load_problem_bytes(total->bytes_verified));
        break;
    }
}

/* Connections that were made or could not be. Of one that failed nobody knows
 * which it was, but that it was not whole. */
static uint64_t attempts(const struct tlr_load_tally *total)
{
    uint64_t ended = total->whole + tlr_load_tally_failed(total);
    return ended > total->connected ? ended : total->connected;
}

void tlr_load_report_verdict(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    const struct tlr_load_tally *total = &result->total;
    if (result->aborted) {
        tlr_cli_text_add(text, "aborted at the first error\n");
    } else if (result->stopped_early) {
        tlr_cli_text_add(text, "stopped early\n");
    }
    if (tlr_load_result_is_good(result) && result->foreign) {
        tlr_cli_text_add(text, "not verified: some of it was measured by "
                               "another program\n");
        return;
    }
    if (tlr_load_result_is_good(result)) {
        tlr_load_report_good(result, text);
        tlr_cli_text_add(text, "\n");
        return;
    }
    uint64_t failed = tlr_load_tally_failed(total);
    if (failed == 0) {
        tlr_cli_text_add(text, "NOT verified: no connection was made\n");
        return;
    }
    tlr_cli_text_add(text,
        "NOT verified: %" PRIu64 " of %" PRIu64 " connection%s failed; %" PRIu64
        " %s sent, %" PRIu64 " came back right\n",
        failed, attempts(total), attempts(total) == 1 ? "" : "s",
        total->bytes_sent, tlr_load_problem_bytes(total->bytes_sent),
        total->bytes_verified);
}

static void add_throughput(
    struct tlr_cli_text *text, const struct tlr_load_result *result)
{
    const struct tlr_load_figures *figures = result->figures;
    const struct tlr_load_plan *plan = result->plan;
    struct tlr_load_rates rates = tlr_load_rates_of(result);
    if (tlr_load_plan_reopens(plan)) {
        add_count(text, "sessions", figures->sessions);
        tlr_cli_text_add(text, "%-16s %14.0f /s\n", "sessions/s",
            rates.sessions);
    }
    if (!tlr_load_plan_dials_late(plan) && plan->mode != TLR_LOAD_STREAM) {
        add_count(text, "round trips", figures->round_trips);
    }
    if (plan->mode == TLR_LOAD_IDLE) {
        return; /* its messages come behind the time that rates are of */
    }
    if (!tlr_load_plan_dials_late(plan) && plan->mode != TLR_LOAD_STREAM) {
        tlr_cli_text_add(text, "%-16s %14.0f /s\n", "round trips/s",
            rates.round_trips);
    }
    if (plan->mode == TLR_LOAD_STREAM) {
        add_bytes(text, "bytes/s out", rates.bytes_sent, "/s");
    }
    if (plan->mode != TLR_LOAD_CHURN) {
        add_bytes(text, "bytes/s back", rates.bytes_received, "/s");
    }
}

void tlr_load_report_table(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    add_count(text, "connections", result->total.connected);
    tlr_cli_text_add(text, "%-16s %14.3f s\n", "time", result->seconds);
    add_throughput(text, result);
    add_latencies(text, result);
    tlr_cli_text_add(text, "%-16s %14.0f %%\n", "client busy",
        100 * tlr_load_figures_busy(result->figures));
    if (result->plan->mode == TLR_LOAD_IDLE && result->memory > 0) {
        add_bytes(text, "client memory", result->memory, " a connection");
    }
    add_errors(text, &result->total);
    tlr_load_advice(result, text);
}
