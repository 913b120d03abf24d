/* SPDX-License-Identifier: MIT */
/*
 * What is measured: by one loop in some second, by all of them, in all. Belongs
 * to one thread at a time. Large: not for a stack.
 */
#ifndef TLR_LOAD_FIGURES_H
#define TLR_LOAD_FIGURES_H

#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"

/* What each histogram is of; all in nanoseconds. */
enum tlr_load_measure {
    TLR_LOAD_ROUND_TRIP, /* from when it was due (closed loop: sent) */
    TLR_LOAD_CONNECTING, /* until connected; CHURN, HELLO: from when due */
    TLR_LOAD_FIRST_BYTE, /* of a connection: from the first one sent; HELLO: from
                            when it was connected */
    TLR_LOAD_LATENESS,   /* of the schedule: from when due until it was looked */
    TLR_LOAD_THINKING,   /* after a round trip: how long it really was */
    TLR_LOAD_MEASURES
};

/* "round_trip", "connect", "first_byte", "lateness", "think". */
const char *tlr_load_measure_name(enum tlr_load_measure measure);

/* The percentiles that results have a name for. */
struct tlr_load_percentile {
    double percent;
    const char *label; /* "p99.9": for people */
    const char *name;  /* "p99_9": for machines */
    bool brief;        /* also where few are told */
};

enum { TLR_LOAD_NAMED_PERCENTILES = 6 };

extern const struct tlr_load_percentile
    tlr_load_named_percentiles[TLR_LOAD_NAMED_PERCENTILES];

/* What a rate is of. */
struct tlr_load_done {
    uint64_t round_trips;
    uint64_t sessions;
    uint64_t bytes_sent;
    uint64_t bytes_received;
};

void tlr_load_done_add(
    struct tlr_load_done *into, const struct tlr_load_done *from);

struct tlr_load_figures {
    uint64_t round_trips;    /* messages that are back, whole and right */
    uint64_t sessions;       /* connections that ended well */
    uint64_t bytes_sent;     /* handed to the system */
    uint64_t bytes_received; /* all that came, right or wrong */
    uint64_t bytes_verified; /* those of them that were right */
    uint64_t errors;         /* connections that failed */
    uint64_t open;           /* connections; of an interval only: run.h */
    struct tlr_load_done in_time; /* of the above, while more was to be sent */
    uint64_t busy_ns;        /* that the loops were not waiting */
    uint64_t elapsed_ns;     /* of all of the loops together */
    struct tlr_load_histogram latency[TLR_LOAD_MEASURES];
};

void tlr_load_figures_init(struct tlr_load_figures *figures);

/* The same, quickly, for those that were initialised before. */
void tlr_load_figures_clear(struct tlr_load_figures *figures);

/* Adds `from`; `open` becomes that of both together. */
void tlr_load_figures_add(struct tlr_load_figures *into,
    const struct tlr_load_figures *from);

/* All that was done so far was done in time. */
void tlr_load_figures_were_in_time(struct tlr_load_figures *figures);

/* The share of their time that the loops were busy, 0 to 1. */
double tlr_load_figures_busy(const struct tlr_load_figures *figures);

#endif
