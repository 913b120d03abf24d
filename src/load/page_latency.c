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

enum { COLUMNS = 4 };

static unsigned find_columns(
    const struct tlr_load_result *result, struct column columns[COLUMNS])
{
    static const struct column all[TLR_LOAD_MEASURES] = {
        [TLR_LOAD_ROUND_TRIP] = {"latency_us", "round trip", NULL, NULL},
        [TLR_LOAD_CONNECTING] = {"connect_us", "connect", NULL, NULL},
        [TLR_LOAD_FIRST_BYTE] = {"first_byte_us", "first byte", NULL, NULL},
        [TLR_LOAD_LATENESS] = {"lateness_us", "lateness", NULL, NULL},
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

/* Rows of the table: 0 to 100 is that percentile. */
enum { MIN = -1, MEAN = -2 };

static double value_of(const struct tlr_load_histogram *latency, double row)
{
    if (row == MIN) {
        return (double)latency->min;
    }
    if (row == MEAN) {
        return tlr_load_histogram_mean(latency);
    }
    return (double)tlr_load_histogram_percentile(latency, row);
}

/* A figure of the first column may have a mark. */
static const char *mark_of(const struct column *column, double row)
{
    double percent = row == MIN    ? 0
                     : row == MEAN ? TLR_LOAD_ADVICE_MEAN
                                   : row;
    return column->result == NULL
               ? ""
               : tlr_load_advice_mark(column->result, percent);
}

static void add_latency_row(struct tlr_cli_text *text, const char *label,
    const char *name, double row, const struct column *columns, unsigned count)
{
    tlr_load_page_label(text, label);
    for (unsigned i = 0; i < count; i++) {
        double value = value_of(columns[i].latency, row);
        tlr_cli_text_add(text,
            "<td data-name=\"%s.%s\" data-value=\"%.3f\">", columns[i].name,
            name, value / 1000);
        tlr_load_html_time(text, (uint64_t)value);
        tlr_cli_text_add(text, "%s</td>", mark_of(&columns[i], row));
    }
    tlr_cli_text_add(text, "</tr>\n");
}

void tlr_load_page_latency(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    struct column columns[COLUMNS];
    unsigned count = find_columns(result, columns);
    if (count == 0) {
        return;
    }
    tlr_load_page_open_table(text, "Latency", count > 1);
    tlr_cli_text_add(text, "<tr><td></td>");
    for (unsigned i = 0; i < count; i++) {
        tlr_cli_text_add(
            text, "<th scope=\"col\">%s</th>", columns[i].title);
    }
    tlr_cli_text_add(text, "</tr>\n");
    add_latency_row(text, "min", "min", MIN, columns, count);
    add_latency_row(text, "mean", "mean", MEAN, columns, count);
    for (unsigned i = 0; i < TLR_LOAD_NAMED_PERCENTILES; i++) {
        const struct tlr_load_percentile *one = &tlr_load_named_percentiles[i];
        add_latency_row(
            text, one->label, one->name, one->percent, columns, count);
    }
    add_latency_row(text, "max", "max", 100, columns, count);
    tlr_load_page_label(text, "samples");
    for (unsigned i = 0; i < count; i++) {
        uint64_t samples = columns[i].latency->count;
        tlr_cli_text_add(text,
            "<td data-name=\"%s.count\" data-value=\"%" PRIu64 "\">",
            columns[i].name, samples);
        tlr_load_html_count(text, samples);
        tlr_cli_text_add(text, "</td>");
    }
    tlr_cli_text_add(text, "</tr>\n");
    tlr_load_page_close_table(text);
}
