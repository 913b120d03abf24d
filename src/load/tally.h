/* SPDX-License-Identifier: MIT */
/*
 * What a loop counts, and what the loops counted together. Belongs to one
 * thread at a time: a worker's while it runs, the run's after it was joined.
 */
#ifndef TLR_LOAD_TALLY_H
#define TLR_LOAD_TALLY_H

#include <stdint.h>

#include "histogram.h"

/* Why a connection failed; each failed connection counts once. */
enum tlr_load_cause {
    TLR_LOAD_CONNECT, /* never connected */
    TLR_LOAD_RESET,   /* reset, or broken off while writing */
    TLR_LOAD_MISSING, /* ended before all bytes were back */
    TLR_LOAD_WRONG,   /* a byte differs */
    TLR_LOAD_SURPLUS, /* more bytes than were sent */
    TLR_LOAD_TIMEOUT, /* no progress */
    TLR_LOAD_OTHER,
    TLR_LOAD_CAUSES
};

/* "connect", "reset", ...: also the names in the JSON result. */
const char *tlr_load_cause_name(enum tlr_load_cause cause);

struct tlr_load_tally {
    uint64_t connected;      /* connections that were established */
    uint64_t whole;          /* ended well, with every byte verified */
    uint64_t round_trips;    /* messages that are back, whole and right */
    uint64_t bytes_sent;     /* handed to the system */
    uint64_t bytes_received; /* all that came, right or wrong */
    uint64_t bytes_verified; /* those of them that were right */
    uint64_t errors[TLR_LOAD_CAUSES];
    uint64_t refused;      /* of the connect errors: nobody listens there */
    uint64_t last_byte_at; /* uv_hrtime() when the last byte came */
    struct tlr_load_histogram latency; /* of round trips, in ns */
};

void tlr_load_tally_init(struct tlr_load_tally *tally);
void tlr_load_tally_merge(
    struct tlr_load_tally *into, const struct tlr_load_tally *from);
uint64_t tlr_load_tally_failed(const struct tlr_load_tally *tally);

#endif
