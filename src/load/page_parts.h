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
    const struct tlr_load_series *series, struct tlr_cli_text *text);

/* Whether it lasted for a time that says anything. */
bool tlr_load_page_has_time(const struct tlr_load_result *result);

/* Why connections failed, and the first errors in full, of all runs; nothing if
 * there are none. */
void tlr_load_page_errors(
    const struct tlr_load_series *series, struct tlr_cli_text *text);

/* All others, and what was asked for: of the median. With the next three. */
void tlr_load_page_tables(
    const struct tlr_load_series *series, struct tlr_cli_text *text);

/* The table of what was asked for. */
void tlr_load_page_settings(
    const struct tlr_load_series *series, struct tlr_cli_text *text);

/* All charts: those over time and, where there is any latency, its percentiles;
 * none without a connection. */
void tlr_load_page_charts(
    const struct tlr_load_result *result, struct tlr_cli_text *text);

/* "of a round trip": what the latency is of. */
const char *tlr_load_page_measure(const struct tlr_load_result *result);

/* ---- page_time.c: charts over time ---- */

/* IDLE: the open connections. With errors. */
void tlr_load_page_throughput(
    const struct tlr_load_result *result, struct tlr_cli_text *text);
void tlr_load_page_latency_in_time(
    const struct tlr_load_result *result, struct tlr_cli_text *text);

/* How many latencies that table is of. */
unsigned tlr_load_page_latency_columns(const struct tlr_load_result *result);

/* The table of what is known of each latency; nothing if there is none. */
void tlr_load_page_latency(
    const struct tlr_load_result *result, struct tlr_cli_text *text);

/* A row for each run; nothing if there is one. */
void tlr_load_page_runs(
    const struct tlr_load_series *series, struct tlr_cli_text *text);

/* ---- page_rows.c: what tables are made of ---- */

enum tlr_load_page_table {
    TLR_LOAD_PAGE_NARROW, /* beside another one */
    TLR_LOAD_PAGE_BROAD,  /* as wide as the page */
    TLR_LOAD_PAGE_LIST,   /* likewise, its rows of two cells in two columns */
    TLR_LOAD_PAGE_NARROW_LIST
};

void tlr_load_page_open_table(struct tlr_cli_text *text, const char *title,
    enum tlr_load_page_table kind);
void tlr_load_page_close_table(struct tlr_cli_text *text);

/* "* more than half of it is ...": as HTML; and as a paragraph. */
extern const char tlr_load_page_legend_text[];
void tlr_load_page_legend(struct tlr_cli_text *text);

/* Behind a figure of latency, what tlr_load_advice_mark() has of it. Returns
 * whether it has: then the legend has to be near. */
bool tlr_load_page_mark(struct tlr_cli_text *text,
    const struct tlr_load_result *result, double percent);

/* The begin of a row. */
void tlr_load_page_label(struct tlr_cli_text *text, const char *label);

/* The end of its last cell, and its own. */
void tlr_load_page_end(struct tlr_cli_text *text);

/* A label, and the begin of a cell that has that name and value for machines.
 * What is not in the JSON result has no name: NULL. */
void tlr_load_page_open_u64(struct tlr_cli_text *text, const char *label,
    const char *name, uint64_t value);
void tlr_load_page_open_double(struct tlr_cli_text *text, const char *label,
    const char *name, int decimals, double value);

/* A whole row. */
void tlr_load_page_count(struct tlr_cli_text *text, const char *label,
    const char *name, uint64_t value);
void tlr_load_page_bytes(struct tlr_cli_text *text, const char *label,
    const char *name, uint64_t value);
void tlr_load_page_plain(
    struct tlr_cli_text *text, const char *label, const char *value);

#endif
