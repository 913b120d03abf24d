/* SPDX-License-Identifier: MIT */
/*
 * The result of a run, or of the median of several, as a page: one file of HTML
 * for any browser, in light and dark, on paper and on a phone, with charts as SVG.
 * It has no script and asks for nothing from elsewhere. For machines, what is also
 * in the JSON result stands in cells like
 * <td data-name="latency_us.p50" data-value="412.300">, by the names and in the
 * units that it has there.
 */
#ifndef TLR_LOAD_PAGE_H
#define TLR_LOAD_PAGE_H

#include "cli/text.h"
#include "series.h"

/* Appends the page of one run at least. Pure. */
void tlr_load_page(
    const struct tlr_load_series *series, struct tlr_cli_text *text);

/*
 * Writes the page to a file, anew if there is one. Blocks.
 * Returns 0, UV_ENOMEM or what opening, writing and closing give; on an error
 * `complaint` gets what is wrong, with the name of the file and without a full
 * stop. What there is of the file then is left.
 */
int tlr_load_page_write(const char *path, const struct tlr_load_series *series,
    struct tlr_cli_text *complaint);

#endif
