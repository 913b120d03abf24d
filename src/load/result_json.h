/* SPDX-License-Identifier: MIT */
/* The result of a run as JSON: result.schema.json says what is in it. Pure. */
#ifndef TLR_LOAD_RESULT_JSON_H
#define TLR_LOAD_RESULT_JSON_H

#include "cli/text.h"
#include "run.h"
#include "series.h"

/* Goes up when a name goes away or means something else. */
#define TLR_LOAD_SCHEMA "teller-load/1"

/* One object on one line, of a run by itself. */
void tlr_load_result_json(
    const struct tlr_load_result *result, struct tlr_cli_text *text);

/* The same of the median of one run or more, and in "runs" what each of them
 * had; "verified" and "aborted" are of all of them. */
void tlr_load_series_json(
    const struct tlr_load_series *series, struct tlr_cli_text *text);

#endif
