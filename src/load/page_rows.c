/* SPDX-License-Identifier: MIT */
#include "page_parts.h"

void tlr_load_page_open_table(
    struct tlr_cli_text *text, const char *title, bool broad)
{
    tlr_cli_text_add(text, "<section%s>\n<h2>%s</h2>\n<table>\n",
        broad ? " class=\"broad\"" : "", title);
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
