/* SPDX-License-Identifier: MIT */
/*
 * What teller-echo prints on stdout, for people or as JSON lines: where it
 * listens, a line of figures now and then, a summary at the end.
 */
#ifndef TLR_ECHO_REPORT_H
#define TLR_ECHO_REPORT_H

#include <stdbool.h>

#include "core/teller.h"

struct tlr_echo_report {
    const struct tlr_server *server;
    bool json;
    bool quiet;                   /* prints nothing on stdout */
    uint64_t started;             /* uv_hrtime() */
    uint64_t last;                /* uv_hrtime() of the line before */
    struct tlr_counters last_sum; /* and its figures */
    uint64_t warned[TLR_WARNINGS]; /* uv_hrtime() of the last of a kind */
};

/* Borrows the server for as long as it is used. */
void tlr_echo_report_init(struct tlr_echo_report *report,
                          const struct tlr_server *server, bool json,
                          bool quiet);

/* The server has started; `loops` as in tlr_options. */
void tlr_echo_report_listening(struct tlr_echo_report *report, int loops);

/* And before that has taken over from process `pid`. */
void tlr_echo_report_took_over(struct tlr_echo_report *report, int64_t pid);

/* Process `pid` has taken over. */
void tlr_echo_report_taken_over(struct tlr_echo_report *report, int64_t pid);

/* The figures since the last of these lines. */
void tlr_echo_report_figures(struct tlr_echo_report *report);

/* It has begun to drain, for up to so many milliseconds; 0: it stops. */
void tlr_echo_report_draining(struct tlr_echo_report *report, uint64_t ms);

/* How the drain gets on. */
void tlr_echo_report_progress(struct tlr_echo_report *report);

/*
 * A loop has not turned for so many milliseconds; over: it turns again. This and
 * the next are told on stderr: unless it is JSON, and not quiet.
 */
void tlr_echo_report_stall(struct tlr_echo_report *report, unsigned worker,
                           uint64_t ms, bool over);

/* Something runs out, or a limit is reached. */
void tlr_echo_report_warning(struct tlr_echo_report *report,
                             const struct tlr_warning *warning);

/* It has stopped. */
void tlr_echo_report_summary(struct tlr_echo_report *report);

#endif
