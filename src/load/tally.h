/* SPDX-License-Identifier: MIT */
/*
 * What became of all connections of a loop, and of all loops: the warm-up is in
 * it, what is measured is in figures.h. Belongs to one thread at a time: a
 * worker's while it runs, the run's after it was joined.
 */
#ifndef TLR_LOAD_TALLY_H
#define TLR_LOAD_TALLY_H

#include <stddef.h>
#include <stdint.h>

/* Why a connection failed; each failed connection counts once. */
enum tlr_load_cause {
    TLR_LOAD_REFUSED,     /* nobody listens there */
    TLR_LOAD_UNCONNECTED, /* never connected, for another reason */
    TLR_LOAD_RESET,       /* reset, or broken off while writing */
    TLR_LOAD_EARLY,       /* ended before all bytes were back */
    TLR_LOAD_WRONG,       /* a byte differs */
    TLR_LOAD_SURPLUS,     /* more bytes than were sent */
    TLR_LOAD_TIMEOUT,     /* a connect or a round trip took too long */
    TLR_LOAD_MACHINE,     /* no descriptor, no local port, no memory here */
    TLR_LOAD_OTHER,
    TLR_LOAD_CAUSES
};

/* "refused", "reset", ...: also the names in the JSON result. */
const char *tlr_load_cause_name(enum tlr_load_cause cause);

struct tlr_load_tally {
    uint64_t connected;      /* connections that were established */
    uint64_t whole;          /* ended well, with every byte verified */
    uint64_t bytes_sent;     /* handed to the system */
    uint64_t bytes_received; /* all that came, right or wrong */
    uint64_t bytes_verified; /* those of them that were right */
    uint64_t unsent;         /* messages that were due, and never sent */
    uint64_t errors[TLR_LOAD_CAUSES];
    uint64_t reached;      /* addresses of the plan: tlr_load_tally_reached() */
    uint64_t last_byte_at; /* uv_hrtime() when the last byte came */
};

/* The bit of that address in `reached`: from the 64th on they share one. */
uint64_t tlr_load_tally_reached(size_t index);

void tlr_load_tally_init(struct tlr_load_tally *tally);
void tlr_load_tally_merge(
    struct tlr_load_tally *into, const struct tlr_load_tally *from);
uint64_t tlr_load_tally_failed(const struct tlr_load_tally *tally);

#endif
