/* SPDX-License-Identifier: MIT */
/* The parts of the page (page.h). Pure; all append. */
#ifndef TLR_LOAD_PAGE_PARTS_H
#define TLR_LOAD_PAGE_PARTS_H

#include "cli/text.h"
#include "run.h"
#include "series.h"

/* The content of <style>, in pieces: C compilers need not take longer strings.
 * The last one is NULL. */
extern const char *const tlr_load_page_style[];

/* The few figures that one looks for first. */
void tlr_load_page_tiles(
    const struct tlr_load_result *result, struct tlr_cli_text *text);

/* All others, and what was asked for: of the median. With the next two. */
void tlr_load_page_tables(
    const struct tlr_load_series *series, struct tlr_cli_text *text);

/* Throughput (IDLE: open connections) and latency over time, and the latency's
 * percentiles. */
void tlr_load_page_charts(
    const struct tlr_load_result *result, struct tlr_cli_text *text);

/* The table of what is known of each latency; nothing if there is none. */
void tlr_load_page_latency(
    const struct tlr_load_result *result, struct tlr_cli_text *text);

/* A row for each run; nothing if there is one. */
void tlr_load_page_runs(
    const struct tlr_load_series *series, struct tlr_cli_text *text);

/* ---- page_rows.c: what tables are made of ---- */

/* A broad one is as wide as the page. */
void tlr_load_page_open_table(
    struct tlr_cli_text *text, const char *title, bool broad);
void tlr_load_page_close_table(struct tlr_cli_text *text);

/* The begin of a row. */
void tlr_load_page_label(struct tlr_cli_text *text, const char *label);

/* The end of its last cell, and its own. */
void tlr_load_page_end(struct tlr_cli_text *text);

#endif
