/* SPDX-License-Identifier: MIT */
/* What was done a second. Pure. */
#ifndef TLR_LOAD_RATES_H
#define TLR_LOAD_RATES_H

#include "run.h"

struct tlr_load_rates {
    double round_trips; /* all of them: a second */
    double sessions;
    double bytes_sent;
    double bytes_received;
};

/* `count` in a second, 0 in no time. */
double tlr_load_rate(uint64_t count, double seconds);

/* Of what was done in so many seconds. */
struct tlr_load_rates tlr_load_rates_in(
    const struct tlr_load_done *done, double seconds);

/* Of the time in which something was sent, and what was done in it. */
struct tlr_load_rates tlr_load_rates_of(const struct tlr_load_result *result);

/* Seconds of an interval in which something was sent; all, if that is none. */
double tlr_load_interval_seconds(const struct tlr_load_result *result,
    const struct tlr_load_interval *interval);

/* The one that a mode is measured by: sessions, bytes received or round trips. */
double tlr_load_rates_main(const struct tlr_load_rates *rates,
    const struct tlr_load_plan *plan);

#endif
