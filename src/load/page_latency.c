/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "advice.h"
#include "html.h"
#include "page_parts.h"

struct column {
    const char *name; /* in the JSON result */
    const char *title;
    const struct tlr_load_histogram *latency;
    const struct tlr_load_result *result; /* of the main one; or NULL */
};

enum { COLUMNS = TLR_LOAD_MEASURES };

static unsigned find_columns(
    const struct tlr_load_result *result, struct column columns[COLUMNS])
{
    static const struct column all[TLR_LOAD_MEASURES] = {
        [TLR_LOAD_ROUND_TRIP] = {"latency_us", "round trip", NULL, NULL},
        [TLR_LOAD_CONNECTING] = {"connect_us", "connect", NULL, NULL},
        [TLR_LOAD_FIRST_BYTE] = {"first_byte_us", "first byte", NULL, NULL},
        [TLR_LOAD_LATENESS] = {"lateness_us", "lateness", NULL, NULL},
        [TLR_LOAD_THINKING] = {"think_us", "thinking", NULL, NULL},
    };
    const struct tlr_load_histogram *latency = result->figures->latency;
    enum tlr_load_measure measure = tlr_load_main_measure(result->plan);
    unsigned count = 0;
    if (latency[measure].count > 0) {
        columns[count++] = (struct column){
            "latency_us", all[measure].title, &latency[measure], result};
    }
    for (unsigned i = TLR_LOAD_CONNECTING; i < TLR_LOAD_MEASURES; i++) {
        if (i != (unsigned)measure && latency[i].count > 0) {
            columns[count] = all[i];
            columns[count++].latency = &latency[i];
        }
    }
    return count;
}

/* A figure of the first column may have a mark. Returns whether one has. */
static bool add_latency_row(struct tlr_cli_text *text, const char *label,
    const char *name, double figure, const struct column *columns,
    unsigned count)
{
    bool marked = false;
    tlr_load_page_label(text, label);
    for (unsigned i = 0; i < count; i++) {
        double value = tlr_load_histogram_figure(columns[i].latency, figure);
        tlr_cli_text_add(text,
            "<td data-name=\"%s.%s\" data-value=\"%.3f\">", columns[i].name,
            name, value / 1000);
        tlr_load_html_time(text, (uint64_t)value);
        marked |= columns[i].result != NULL &&
                  tlr_load_page_mark(text, columns[i].result, figure);
        tlr_cli_text_add(text, "</td>");
    }
    tlr_cli_text_add(text, "</tr>\n");
    return marked;
}

unsigned tlr_load_page_latency_columns(const struct tlr_load_result *result)
{
    struct column columns[COLUMNS];
    return find_columns(result, columns);
}

void tlr_load_page_latency(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    struct column columns[COLUMNS];
    unsigned count = find_columns(result, columns);
    bool marked = false;
    if (count == 0) {
        return;
    }
    tlr_load_page_open_table(text, "Latency",
        count > 1 ? TLR_LOAD_PAGE_BROAD : TLR_LOAD_PAGE_NARROW);
    tlr_cli_text_add(text, "<tr><td></td>");
    for (unsigned i = 0; i < count; i++) {
        tlr_cli_text_add(
            text, "<th scope=\"col\">%s</th>", columns[i].title);
    }
    tlr_cli_text_add(text, "</tr>\n");
    marked |= add_latency_row(text, "min", "min", TLR_LOAD_MIN, columns, count);
    marked |=
        add_latency_row(text, "mean", "mean", TLR_LOAD_MEAN, columns, count);
    for (unsigned i = 0; i < TLR_LOAD_NAMED_PERCENTILES; i++) {
        const struct tlr_load_percentile *one = &tlr_load_named_percentiles[i];
        marked |= add_latency_row(
            text, one->label, one->name, one->percent, columns, count);
    }
    marked |= add_latency_row(text, "max", "max", 100, columns, count);
    tlr_load_page_label(text, "samples");
    for (unsigned i = 0; i < count; i++) {
        uint64_t samples = columns[i].latency->count;
        tlr_cli_text_add(text,
            "<td data-name=\"%s.count\" data-value=\"%" PRIu64 "\">",
            columns[i].name, samples);
        tlr_load_html_count(text, samples);
        tlr_cli_text_add(text, "</td>");
    }
    tlr_cli_text_add(text, "</tr>\n</table>\n");
    if (marked) {
        tlr_load_page_legend(text);
    }
    tlr_cli_text_add(text, "</section>\n");
}
