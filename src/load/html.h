/* SPDX-License-Identifier: MIT */
/* Pieces of HTML, as people read them: pure. All of them append. */
#ifndef TLR_LOAD_HTML_H
#define TLR_LOAD_HTML_H

#include <stdint.h>

#include "cli/text.h"

/* A string, to stand in an element or in a quoted attribute. Control characters
 * become "?". */
void tlr_load_html_escape(struct tlr_cli_text *text, const char *string);

/* The same, with its whole numbers written as by tlr_load_html_count(): for what
 * is said of a result, which has no addresses in it. */
void tlr_load_html_sentence(struct tlr_cli_text *text, const char *string);

/* "1,234,567". */
void tlr_load_html_count(struct tlr_cli_text *text, uint64_t count);

/* The same, of a rate: with a digit behind the point below 100. */
void tlr_load_html_rate(struct tlr_cli_text *text, double rate);

/* "412.3 us", with a Greek mu. */
void tlr_load_html_time(struct tlr_cli_text *text, uint64_t nanoseconds);

/* "4.002 s", from two minutes on "1 h 2 min 3 s", and "0 s". */
void tlr_load_html_duration(struct tlr_cli_text *text, double seconds);

/* "12.5 MiB". */
void tlr_load_html_bytes(struct tlr_cli_text *text, double bytes);

/* "2024-02-29 23:59:59 UTC" from seconds since 1970. */
void tlr_load_html_date(struct tlr_cli_text *text, double seconds);

#endif
