/* SPDX-License-Identifier: MIT */
/* What to look at when something about a result is off. Pure. */
#ifndef TLR_LOAD_ADVICE_H
#define TLR_LOAD_ADVICE_H

#include "cli/text.h"
#include "run.h"

/* The share of their time above which the client's own loops are the limit. */
#define TLR_LOAD_BUSY_MOST 0.9

/* Whether a figure of latency, of tlr_load_histogram_figure(), is dominated by the
 * schedule's own lateness: the same figure of that is more than half of it. */
bool tlr_load_advice_is_late_at(
    const struct tlr_load_result *result, double figure);

/* Whether that is so of the p50 or of the p99. */
bool tlr_load_advice_is_late(const struct tlr_load_result *result);

/* What marks such a figure; "" if it is none. */
const char *tlr_load_advice_mark(
    const struct tlr_load_result *result, double figure);

/* Append a line each, or nothing. */
void tlr_load_advice(
    const struct tlr_load_result *result, struct tlr_cli_text *text);

/* The one of them that says why all figures are 0. */
void tlr_load_advice_unmeasured(
    const struct tlr_load_result *result, struct tlr_cli_text *text);

#endif
