/* SPDX-License-Identifier: MIT */
/* The bands of a chart (chart.h): shaded over its whole height, each with its
 * count above it where there is room, and in words for who points at it. Pure;
 * both append, and nothing where there is no band. */
#ifndef TLR_LOAD_CHART_BANDS_H
#define TLR_LOAD_CHART_BANDS_H

#include "chart.h"
#include "cli/text.h"

void tlr_load_chart_add_bands(
    const struct tlr_load_chart *chart, struct tlr_cli_text *text);

/* What they are, and how many in all: for the caption. */
void tlr_load_chart_explain_bands(
    const struct tlr_load_chart *chart, struct tlr_cli_text *text);

#endif
