/* SPDX-License-Identifier: MIT */
#include "page_parts.h"

#include "html.h"

static const char *label_of(enum tlr_load_cause cause)
{
    static const char *const labels[TLR_LOAD_CAUSES] = {
        [TLR_LOAD_REFUSED] = "refused",
        [TLR_LOAD_UNCONNECTED] = "not connected",
        [TLR_LOAD_RESET] = "reset",
        [TLR_LOAD_EARLY] = "closed early",
        [TLR_LOAD_WRONG] = "wrong byte",
        [TLR_LOAD_SURPLUS] = "too many bytes",
        [TLR_LOAD_TIMEOUT] = "timed out",
        [TLR_LOAD_MACHINE] = "limit of this machine",
        [TLR_LOAD_OTHER] = "other",
    };
    return labels[cause];
}

/* The JSON result has those of one run. */
static void add_causes(const struct tlr_load_tally *total, bool named,
    struct tlr_cli_text *text)
{
    tlr_cli_text_add(text, "<table>\n");
    for (unsigned i = 0; i < TLR_LOAD_CAUSES; i++) {
        enum tlr_load_cause cause = (enum tlr_load_cause)i;
        char name[64];
        (void)snprintf(
            name, sizeof(name), "errors.%s", tlr_load_cause_name(cause));
        if (total->errors[i] != 0) {
            tlr_load_page_count(text, label_of(cause), named ? name : NULL,
                total->errors[i]);
        }
    }
    tlr_cli_text_add(text, "</table>\n");
}

/* As they were told while it ran. Returns how many. */
static uint64_t add_lines(
    const struct tlr_load_series *series, struct tlr_cli_text *text)
{
    uint64_t lines = 0;
    for (size_t i = 0; i < series->count; i++) {
        const struct tlr_load_result *result = series->runs[i];
        for (unsigned j = 0;
             j < result->problem_count && lines < TLR_LOAD_PROBLEMS; j++) {
            tlr_cli_text_add(text, lines == 0 ? "<ul>\n<li>" : "<li>");
            if (series->count > 1) {
                tlr_cli_text_add(text, "run %zu: ", i + 1);
            }
            tlr_load_html_escape(text, result->problems[j]);
            tlr_cli_text_add(text, "</li>\n");
            lines++;
        }
    }
    tlr_cli_text_add(text, lines == 0 ? "" : "</ul>\n");
    return lines;
}

void tlr_load_page_errors(
    const struct tlr_load_series *series, struct tlr_cli_text *text)
{
    struct tlr_load_tally total;
    tlr_load_tally_init(&total);
    for (size_t i = 0; i < series->count; i++) {
        tlr_load_tally_merge(&total, &series->runs[i]->total);
    }
    uint64_t failed = tlr_load_tally_failed(&total);
    if (failed == 0) {
        return;
    }
    tlr_cli_text_add(text, "<section class=\"errors\">\n<h2>Errors%s</h2>\n",
        series->count > 1 ? " of all runs" : "");
    add_causes(&total, series->count < 2, text);
    uint64_t told = add_lines(series, text);
    if (told > 0 && failed > told) {
        tlr_cli_text_add(text, "<p>");
        tlr_load_html_count(text, failed - told);
        tlr_cli_text_add(text, " more were only counted.</p>\n");
    }
    tlr_cli_text_add(text, "</section>\n");
}
