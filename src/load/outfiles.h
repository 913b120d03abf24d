/* SPDX-License-Identifier: MIT */
/*
 * The files that a run of teller-load leaves behind: its log, while it runs, and
 * its percentiles and its page at the end. The caller owns the struct; one thread.
 * A complaint is a line without its end.
 */
#ifndef TLR_LOAD_OUTFILES_H
#define TLR_LOAD_OUTFILES_H

#include "cli/text.h"
#include "log.h"
#include "run.h"
#include "series.h"
#include "settings.h"

struct tlr_load_outfiles {
    const struct tlr_load_settings *settings;
    struct tlr_load_log *log; /* NULL: none */
};

/* Creates what was asked for: that it cannot be written is to be known before the
 * load, and not after. Returns 0, or an error after saying in `complaint` why. */
int tlr_load_outfiles_open(struct tlr_load_outfiles *files,
    const struct tlr_load_settings *settings, struct tlr_cli_text *complaint);

/* A second has passed. */
void tlr_load_outfiles_interval(struct tlr_load_outfiles *files,
    const struct tlr_load_interval *interval,
    const struct tlr_load_figures *figures);

/* Writes the rest, of the median of the runs, and closes; without a run it only
 * closes. Returns 0, or the first error after saying all of them. */
int tlr_load_outfiles_close(struct tlr_load_outfiles *files,
    const struct tlr_load_series *series, struct tlr_cli_text *complaint);

#endif
