/* SPDX-License-Identifier: MIT */
/* The result of a run as text, for people and for programs. Pure. */
#ifndef TLR_LOAD_REPORT_H
#define TLR_LOAD_REPORT_H

#include "cli/text.h"
#include "run.h"

/* A table with units, and a last line that says whether all was right. */
void tlr_load_report_table(
    const struct tlr_load_result *result, struct tlr_cli_text *text);

/* One JSON object on one line. Its names are stable: README.md lists them. */
void tlr_load_report_json(
    const struct tlr_load_result *result, struct tlr_cli_text *text);

#endif
