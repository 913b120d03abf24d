/* SPDX-License-Identifier: MIT */
/*
 * Several logs (log.h, log_reader.h) as one result: histograms and counts are
 * added, exactly. The logs of other programs are taken as round trips in
 * nanoseconds, and of those nothing but latencies is known. Large: on the heap.
 * One thread.
 */
#ifndef TLR_LOAD_MERGED_H
#define TLR_LOAD_MERGED_H

#include "cli/text.h"
#include "run.h"

struct tlr_load_merged;

/* Returns 0 or UV_ENOMEM. */
int tlr_load_merged_create(struct tlr_load_merged **merged);
void tlr_load_merged_destroy(struct tlr_load_merged *merged);

/*
 * Adds a log. Returns 0, or, after saying in `complaint` (a line without its end)
 * which file and, where it is one, which line is wrong, an error; after that there
 * is no result. What is worth a word else is appended to `notes`, in lines.
 */
int tlr_load_merged_add(struct tlr_load_merged *merged, const char *path,
    struct tlr_cli_text *notes, struct tlr_cli_text *complaint);

/* All of them together; borrowed until destroy. NULL: no memory. Nothing can be
 * added any more. */
const struct tlr_load_result *tlr_load_merged_result(
    struct tlr_load_merged *merged);

#endif
