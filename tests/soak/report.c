/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <math.h>
#include <stdio.h>

#include "cli/json.h"

static void print(struct tlr_cli_text *text)
{
    tlr_cli_text_add(text, "\n");
    (void)tlr_cli_text_print(text, stdout); /* whoever reads it misses it */
    tlr_cli_text_free(text);
}

static struct kind_tally sum_of(const struct crowd_tally *tally)
{
    struct kind_tally sum = {0};
    for (unsigned i = 0; i < KINDS; i++) {
        sum.started += tally->kinds[i].started;
        sum.offered += tally->kinds[i].offered;
        sum.whole += tally->kinds[i].whole;
        sum.own += tally->kinds[i].own;
        sum.failed += tally->kinds[i].failed;
    }
    return sum;
}

static void add_kind(struct tlr_cli_json *json, const char *name,
    const struct kind_tally *kind)
{
    tlr_cli_json_open(json, name, '{');
    tlr_cli_json_u64(json, "started", kind->started);
    tlr_cli_json_u64(json, "connected", kind->offered);
    tlr_cli_json_u64(json, "whole", kind->whole);
    tlr_cli_json_u64(json, "own", kind->own);
    tlr_cli_json_u64(json, "failed", kind->failed);
    tlr_cli_json_close(json);
}

void report_second(
    const struct crowd *crowd, const struct watch *watch, double seconds)
{
    struct tlr_cli_text text = {0};
    struct tlr_cli_json json = {.text = &text};
    const struct crowd_tally *tally = &crowd->tally;
    struct kind_tally sum = sum_of(tally);
    tlr_cli_json_open(&json, NULL, '{');
    tlr_cli_json_string(&json, "event", "second");
    tlr_cli_json_double(&json, "seconds", seconds, 1);
    tlr_cli_json_u64(&json, "open", tally->open);
    tlr_cli_json_u64(&json, "connected", sum.offered);
    tlr_cli_json_u64(&json, "whole", sum.whole);
    tlr_cli_json_u64(&json, "own", sum.own);
    tlr_cli_json_u64(&json, "failed", sum.failed);
    tlr_cli_json_u64(&json, "wrong", tally->causes[CAUSE_WRONG]);
    tlr_cli_json_u64(&json, "bytes_sent", tally->bytes_sent);
    tlr_cli_json_u64(&json, "bytes_verified", tally->bytes_verified);
    if (tally->round_trip.count > 0) {
        tlr_cli_json_u64(&json, "probes", tally->round_trip.count);
        tlr_cli_json_double(&json, "p99_us",
            (double)tlr_load_histogram_percentile(&tally->round_trip, 99) / 1e3,
            1);
    }
    if (watch->file != NULL) {
        tlr_cli_json_u64(&json, "processes", watch->pids);
        tlr_cli_json_double(&json, "rss_kib", watch->rss_now, 0);
        tlr_cli_json_double(&json, "descriptors", watch->descriptors_now, 0);
    }
    tlr_cli_json_close(&json);
    print(&text);
}

/* On the clock of the run; null if it never was. */
static void add_time(struct tlr_cli_json *json, const char *name,
    const struct session *session, uint64_t ns)
{
    uint64_t ago = uv_hrtime() - ns;
    const struct crowd *crowd = session->crowd;
    double now = (double)(uv_now(crowd->loop) - crowd->began_at) / 1e3;
    if (ns > 0) {
        tlr_cli_json_double(json, name, now - (double)ago / 1e9, 3);
    }
}

void report_failure(const struct session *session, enum cause cause, int err)
{
    struct tlr_cli_text text = {0};
    struct tlr_cli_json json = {.text = &text};
    tlr_cli_json_open(&json, NULL, '{');
    tlr_cli_json_string(&json, "event", "failed");
    tlr_cli_json_u64(&json, "connection", session->number);
    tlr_cli_json_string(
        &json, "kind", kind_name((enum kind)session->course.kind));
    tlr_cli_json_string(&json, "cause", cause_name(cause));
    tlr_cli_json_string(&json, "error", err == 0 ? "" : uv_err_name(err));
    add_time(&json, "dialed", session, session->dialed_at);
    add_time(&json, "offered", session, session->offered_at);
    add_time(&json, "failed", session, uv_hrtime());
    tlr_cli_json_u64(&json, "sent", session->sent);
    tlr_cli_json_u64(&json, "back", session->received);
    tlr_cli_json_close(&json);
    print(&text);
}

/* ---- the summary ---- */

static void add_failures(
    struct tlr_cli_json *json, const struct crowd_tally *tally)
{
    tlr_cli_json_open(json, "failures", '{');
    for (unsigned i = 0; i < CAUSES; i++) {
        tlr_cli_json_u64(json, cause_name((enum cause)i), tally->causes[i]);
    }
    tlr_cli_json_u64(json, "of_connected", tally->failed_offered);
    tlr_cli_json_close(json);
}

static void add_latency(struct tlr_cli_json *json, const char *name,
    const struct tlr_load_histogram *latency)
{
    if (latency->count == 0) {
        return;
    }
    tlr_cli_json_open(json, name, '{');
    tlr_cli_json_u64(json, "count", latency->count);
    tlr_cli_json_double(json, "p50",
        (double)tlr_load_histogram_percentile(latency, 50) / 1e3, 1);
    tlr_cli_json_double(json, "p99",
        (double)tlr_load_histogram_percentile(latency, 99) / 1e3, 1);
    tlr_cli_json_double(json, "max", (double)latency->max / 1e3, 1);
    tlr_cli_json_close(json);
}

static void add_line(
    struct tlr_cli_json *json, const char *name, const struct line *line)
{
    tlr_cli_json_open(json, name, '{');
    tlr_cli_json_double(json, "first", line->first, 0);
    tlr_cli_json_double(json, "last", line->last, 0);
    tlr_cli_json_double(json, "least", line->least, 0);
    tlr_cli_json_double(json, "most", line->most, 0);
    tlr_cli_json_double(json, "mean", line_mean(line), 1);
    tlr_cli_json_double(json, "per_minute", line_slope(line) * 60, 2);
    tlr_cli_json_close(json);
}

static void add_watch(struct tlr_cli_json *json, const struct watch *watch)
{
    if (watch->file == NULL) {
        return;
    }
    tlr_cli_json_open(json, "watched", '{');
    tlr_cli_json_u64(json, "samples", watch->rss.count);
    tlr_cli_json_u64(json, "missed", watch->missed);
    add_line(json, "rss_kib", &watch->rss);
    add_line(json, "descriptors", &watch->descriptors);
    tlr_cli_json_close(json);
}

void report_summary(const struct crowd *crowd, const struct watch *watch,
    double seconds, bool good)
{
    struct tlr_cli_text text = {0};
    struct tlr_cli_json json = {.text = &text};
    const struct crowd_tally *tally = &crowd->tally;
    struct kind_tally sum = sum_of(tally);
    tlr_cli_json_open(&json, NULL, '{');
    tlr_cli_json_string(&json, "event", "summary");
    tlr_cli_json_double(&json, "seconds", seconds, 1);
    tlr_cli_json_u64(&json, "most_open", tally->most_open);
    tlr_cli_json_u64(&json, "open_at_finish", tally->open_at_finish);
    tlr_cli_json_double(&json, "seconds_to_full",
        crowd->full_at == 0
            ? (double)NAN
            : (double)(crowd->full_at - crowd->began_at) / 1e3,
        3);
    add_kind(&json, "all", &sum);
    add_failures(&json, tally);
    tlr_cli_json_u64(&json, "bytes_sent", tally->bytes_sent);
    tlr_cli_json_u64(&json, "bytes_verified", tally->bytes_verified);
    tlr_cli_json_open(&json, "kinds", '{');
    for (unsigned i = 0; i < KINDS; i++) {
        if (tally->kinds[i].started > 0) {
            add_kind(&json, kind_name((enum kind)i), &tally->kinds[i]);
        }
    }
    tlr_cli_json_close(&json);
    add_latency(&json, "round_trip_us", &tally->round_trip);
    add_latency(&json, "first_answer_us", &tally->first_answer);
    add_watch(&json, watch);
    tlr_cli_json_bool(&json, "good", good);
    tlr_cli_json_close(&json);
    print(&text);
}
