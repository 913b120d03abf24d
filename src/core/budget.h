/* SPDX-License-Identifier: MIT */
/*
 * How much output all connections of a server may have queued together.
 *
 * Each loop counts its own, and tells the server's sum only when its count has
 * changed by a good deal. So the sum may be wrong by that for each loop, a 16th of
 * the limit over all, and loops seldom touch each other's memory; where the
 * kernel takes all at once none of this is touched at all.
 */
#ifndef TLR_BUDGET_H
#define TLR_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>

#include "memory.h"

/* The server's. Any thread. */
struct tlr_budget {
    uint64_t limit; /* bytes; UINT64_MAX: none */
    uint64_t grain; /* a change that is told */
    char before[TLR_CACHE_LINE];
    _Atomic uint64_t bytes;
    _Atomic uint64_t holders; /* connections that have some */
    char after[TLR_CACHE_LINE];
};

/* A loop's part of it. On that loop's thread; all zeroes at first. */
struct tlr_spending {
    uint64_t bytes;
    uint64_t holders;
    uint64_t told_bytes; /* what the sum has of these */
    uint64_t told_holders;
};

/* limit: as tlr_options.max_queued, 0 included. */
void tlr_budget_init(struct tlr_budget *budget, size_t limit,
                     unsigned loops);

/* The loop has so many bytes now, by so many connections. */
void tlr_budget_update(struct tlr_budget *budget,
                       struct tlr_spending *spending, uint64_t bytes,
                       uint64_t holders);

/*
 * Whether a connection that has `held` bytes, 0 if it is none of the holders, may
 * have `more`. Beyond the limit only those may that have less than an even share
 * of it, and nobody beyond twice the limit.
 */
bool tlr_budget_allows(struct tlr_budget *budget,
                       const struct tlr_spending *spending, uint64_t held,
                       uint64_t more);

#endif
