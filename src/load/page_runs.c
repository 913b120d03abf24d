/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "html.h"
#include "page_parts.h"

/* What a run is told by: in the JSON result, and here. */
struct rate {
    const char *name;
    const char *title;
};

static struct rate rate_of(const struct tlr_load_plan *plan)
{
    if (tlr_load_plan_dials_late(plan)) {
        return (struct rate){"sessions_per_second", "sessions/s"};
    }
    return plan->mode == TLR_LOAD_STREAM
               ? (struct rate){"bytes_per_second", "bytes back/s"}
               : (struct rate){"round_trips_per_second", "round trips/s"};
}

static void add_head(
    const struct tlr_load_plan *plan, struct tlr_cli_text *text)
{
    tlr_cli_text_add(text, "<tr><td></td><th scope=\"col\">%s</th>",
        rate_of(plan).title);
    if (plan->mode != TLR_LOAD_STREAM) {
        tlr_cli_text_add(text,
            "<th scope=\"col\">p50</th><th scope=\"col\">p99</th>");
    }
    tlr_cli_text_add(text, "<th scope=\"col\">errors</th></tr>\n");
}

static void add_time(struct tlr_cli_text *text, size_t run, const char *name,
    uint64_t nanoseconds)
{
    tlr_cli_text_add(text,
        "<td data-name=\"runs.%zu.latency_us.%s\" data-value=\"%.3f\">", run,
        name, (double)nanoseconds / 1000);
    tlr_load_html_time(text, nanoseconds);
    tlr_cli_text_add(text, "</td>");
}

static void add_cells(const struct tlr_load_result *result, size_t run,
    struct tlr_cli_text *text)
{
    const struct tlr_load_plan *plan = result->plan;
    const struct tlr_load_histogram *latency =
        &result->figures->latency[tlr_load_main_measure(plan)];
    double rate = tlr_load_series_rate(result);
    uint64_t failed = tlr_load_tally_failed(&result->total);
    tlr_cli_text_add(text, "<td data-name=\"runs.%zu.%s\" data-value=\"%.1f\">",
        run, rate_of(plan).name, rate);
    if (plan->mode == TLR_LOAD_STREAM) {
        tlr_load_html_bytes(text, rate);
        tlr_cli_text_add(text, "</td>");
    } else {
        tlr_load_html_rate(text, rate);
        tlr_cli_text_add(text, "</td>");
        add_time(text, run, "p50", tlr_load_histogram_percentile(latency, 50));
        add_time(text, run, "p99", tlr_load_histogram_percentile(latency, 99));
    }
    tlr_cli_text_add(text,
        "<td data-name=\"runs.%zu.errors_total\" data-value=\"%" PRIu64 "\">",
        run, failed);
    tlr_load_html_count(text, failed);
}

void tlr_load_page_runs(
    const struct tlr_load_series *series, struct tlr_cli_text *text)
{
    size_t shown = tlr_load_series_median(series);
    if (series->count < 2) {
        return;
    }
    tlr_load_page_open_table(text, "Runs", true);
    add_head(series->runs[0]->plan, text);
    for (size_t i = 0; i < series->count; i++) {
        tlr_cli_text_add(text, "<tr><th scope=\"row\">run %zu%s</th>", i + 1,
            i == shown ? ", the one shown" : "");
        add_cells(series->runs[i], i, text);
        tlr_load_page_end(text);
    }
    tlr_load_page_close_table(text);
}
