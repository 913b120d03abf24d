/* SPDX-License-Identifier: MIT */
/*
 * Results as CSV (RFC 4180, with plain line feeds): the values of the JSON in its
 * order, and its names with "_" where that has an object in an object:
 * latency_us_p99. Lists (intervals, runs) and repeat are left out. Pure.
 */
#ifndef TLR_LOAD_CSV_H
#define TLR_LOAD_CSV_H

#include <stdint.h>

#include "cli/text.h"
#include "run.h"

/* A line with the names, for any result; and one with the values of a result,
 * which was the `run`th, from 1: the first column. */
void tlr_load_csv_names(
    const struct tlr_load_result *result, struct tlr_cli_text *text);
void tlr_load_csv_values(const struct tlr_load_result *result, uint64_t run,
    struct tlr_cli_text *text);

/* Appends a field: in quotes where it has to be. */
void tlr_load_csv_field(struct tlr_cli_text *text, const char *field);

#endif
