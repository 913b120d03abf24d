/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "advice.h"
#include "html.h"
#include "page_parts.h"

void tlr_load_page_open_table(struct tlr_cli_text *text, const char *title,
    enum tlr_load_page_table kind)
{
    static const char *const classes[] = {
        [TLR_LOAD_PAGE_NARROW] = "narrow",
        [TLR_LOAD_PAGE_BROAD] = "broad",
        [TLR_LOAD_PAGE_LIST] = "broad list",
        [TLR_LOAD_PAGE_NARROW_LIST] = "list",
    };
    tlr_cli_text_add(text,
        "<section class=\"%s\">\n<h2>%s</h2>\n<table>\n", classes[kind],
        title);
}

void tlr_load_page_close_table(struct tlr_cli_text *text)
{
    tlr_cli_text_add(text, "</table>\n</section>\n");
}

void tlr_load_page_label(struct tlr_cli_text *text, const char *label)
{
    tlr_cli_text_add(text, "<tr><th scope=\"row\">%s</th>", label);
}

void tlr_load_page_end(struct tlr_cli_text *text)
{
    tlr_cli_text_add(text, "</td></tr>\n");
}

void tlr_load_page_open_u64(struct tlr_cli_text *text, const char *label,
    const char *name, uint64_t value)
{
    tlr_load_page_label(text, label);
    if (name == NULL) {
        tlr_cli_text_add(text, "<td>");
    } else {
        tlr_cli_text_add(text,
            "<td data-name=\"%s\" data-value=\"%" PRIu64 "\">", name, value);
    }
}

void tlr_load_page_open_double(struct tlr_cli_text *text, const char *label,
    const char *name, int decimals, double value)
{
    tlr_load_page_label(text, label);
    tlr_cli_text_add(text, "<td data-name=\"%s\" data-value=\"%.*f\">", name,
        decimals, value);
}

void tlr_load_page_count(struct tlr_cli_text *text, const char *label,
    const char *name, uint64_t value)
{
    tlr_load_page_open_u64(text, label, name, value);
    tlr_load_html_count(text, value);
    tlr_load_page_end(text);
}

void tlr_load_page_bytes(struct tlr_cli_text *text, const char *label,
    const char *name, uint64_t value)
{
    tlr_load_page_open_u64(text, label, name, value);
    tlr_load_html_bytes(text, (double)value);
    tlr_load_page_end(text);
}

void tlr_load_page_plain(
    struct tlr_cli_text *text, const char *label, const char *value)
{
    tlr_load_page_label(text, label);
    tlr_cli_text_add(text, "<td>%s", value);
    tlr_load_page_end(text);
}

bool tlr_load_page_mark(struct tlr_cli_text *text,
    const struct tlr_load_result *result, double percent)
{
    bool late = tlr_load_advice_is_late_at(result, percent);
    if (late) {
        tlr_cli_text_add(text, "<span class=\"star\">*</span>");
    }
    return late;
}

void tlr_load_page_legend(struct tlr_cli_text *text)
{
    tlr_cli_text_add(
        text, "<p class=\"legend\">%s</p>\n", tlr_load_page_legend_text);
}

const char tlr_load_page_legend_text[] =
    "* more than half of it is the schedule&#39;s own lateness, which is this "
    "client&#39;s";
