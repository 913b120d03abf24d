/* SPDX-License-Identifier: MIT */
#include "page.h"

#include <string.h>

#include "advice.h"
#include "cli/address.h"
#include "files.h"
#include "html.h"
#include "page_parts.h"
#include "report.h"

static void add_head(
    struct tlr_cli_text *text, const char *mode, const char *address)
{
    tlr_cli_text_add(text,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
        "<meta charset=\"utf-8\"/>\n"
        "<meta name=\"viewport\" "
        "content=\"width=device-width, initial-scale=1\"/>\n"
        "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
        "<title>teller-load: ");
    tlr_load_html_escape(text, mode);
    tlr_cli_text_add(text, ", ");
    tlr_load_html_escape(text, address);
    tlr_cli_text_add(text, "</title>\n<style>\n");
    for (unsigned i = 0; tlr_load_page_style[i] != NULL; i++) {
        tlr_cli_text_add(text, "%s", tlr_load_page_style[i]);
    }
    tlr_cli_text_add(text, "</style>\n</head>\n<body>\n");
}

static void add_title(struct tlr_cli_text *text,
    const struct tlr_load_series *series, const char *mode,
    const char *address)
{
    size_t median = tlr_load_series_median(series);
    const struct tlr_load_result *result = series->runs[median];
    tlr_cli_text_add(text, "<header>\n<h1>teller-load: ");
    tlr_load_html_escape(text, mode);
    tlr_cli_text_add(text, "</h1>\n<p>");
    tlr_load_html_escape(text, address);
    tlr_cli_text_add(text, " &middot; ");
    tlr_load_html_date(text, result->began);
    tlr_cli_text_add(text, " &middot; ");
    tlr_load_html_duration(text, result->seconds);
    if (series->count > 1) {
        tlr_cli_text_add(text, " &middot; run %zu of %zu, the median",
            median + 1, series->count);
    }
    tlr_cli_text_add(text, "</p>\n</header>\n");
}

/* Each line of `lines` as a paragraph of that class, without `prefix`. */
static void add_lines(struct tlr_cli_text *text,
    const struct tlr_cli_text *lines, const char *kind, const char *prefix)
{
    const char *line = tlr_cli_text_get(lines);
    text->failed = text->failed || lines->failed;
    while (*line != '\0') {
        size_t length = strcspn(line, "\n");
        size_t skip = strlen(prefix);
        struct tlr_cli_text one = {0};
        if (strncmp(line, prefix, skip) != 0) {
            skip = 0;
        }
        tlr_cli_text_add(&one, "%.*s", (int)(length - skip), line + skip);
        text->failed = text->failed || one.failed;
        tlr_cli_text_add(text, "<p class=\"%s\">", kind);
        tlr_load_html_escape(text, tlr_cli_text_get(&one));
        tlr_cli_text_add(text, "</p>\n");
        tlr_cli_text_free(&one);
        line += length + (line[length] == '\n' ? 1 : 0);
    }
}

static void add_verdict(
    struct tlr_cli_text *text, const struct tlr_load_result *result)
{
    struct tlr_cli_text lines = {0};
    tlr_load_report_verdict(result, &lines);
    add_lines(text, &lines,
        tlr_load_result_is_good(result) ? "verdict good" : "verdict bad", "");
    tlr_cli_text_free(&lines);
}

static void add_notes(
    struct tlr_cli_text *text, const struct tlr_load_result *result)
{
    struct tlr_cli_text lines = {0};
    tlr_load_advice(result, &lines);
    add_lines(text, &lines, "note", "note: ");
    tlr_cli_text_free(&lines);
}

void tlr_load_page(
    const struct tlr_load_series *series, struct tlr_cli_text *text)
{
    const struct tlr_load_result *result =
        series->runs[tlr_load_series_median(series)];
    char address[TLR_CLI_ADDRESS_LENGTH];
    const char *mode = tlr_load_mode_name(result->plan->mode);
    (void)tlr_cli_format_address( /* gives the same */
        (const struct sockaddr *)result->plan->addresses, address);
    add_head(text, mode, address);
    add_title(text, series, mode, address);
    tlr_cli_text_add(text, "<main>\n");
    add_verdict(text, result);
    add_notes(text, result);
    tlr_load_page_tiles(result, text);
    tlr_load_page_charts(result, text);
    tlr_load_page_tables(series, text);
    tlr_cli_text_add(text,
        "</main>\n<footer><p>teller-load %s</p></footer>\n</body>\n</html>\n",
        TLR_VERSION_TEXT);
}

/* ---- the file ---- */

int tlr_load_page_write(const char *path, const struct tlr_load_series *series,
    struct tlr_cli_text *complaint)
{
    struct tlr_cli_text text = {0};
    tlr_load_page(series, &text);
    int err = text.failed ? UV_ENOMEM : tlr_load_file_put(path, &text);
    if (err != 0) {
        tlr_cli_text_add(complaint, "cannot write the report to %s: %s", path,
            uv_strerror(err));
    }
    tlr_cli_text_free(&text);
    return err;
}
