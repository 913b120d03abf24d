/* SPDX-License-Identifier: MIT */
/* The result of a run as text for people. Pure. */
#ifndef TLR_LOAD_REPORT_H
#define TLR_LOAD_REPORT_H

#include "cli/text.h"
#include "run.h"

/* A table with units, the distribution of the latency, what to look at where
 * something is off, and a last line that says whether all was right. */
void tlr_load_report_table(
    const struct tlr_load_result *result, struct tlr_cli_text *text);

/* The last line or two of it: whether all was right, and whether it ended early. */
void tlr_load_report_verdict(
    const struct tlr_load_result *result, struct tlr_cli_text *text);

/* Appends "412.3 us", "1.25 ms" or "2.041 s". */
void tlr_load_report_time(struct tlr_cli_text *text, uint64_t nanoseconds);

/* Bytes in the unit that leaves one to four digits before the point: changes them,
 * and returns the unit, "B" to "TiB". */
const char *tlr_load_report_bytes(double *bytes);

#endif
