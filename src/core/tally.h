/* SPDX-License-Identifier: MIT */
/*
 * The counters of one worker as it keeps them. Only the worker's thread
 * writes, any thread reads without a lock; the cache lines around keep the
 * readers and writers of neighbouring memory from slowing it down.
 *
 * One writer needs no locked instruction: a load and a store. The store
 * releases, so that who reads the counters in the reverse order of their
 * writing never sees more closed than accepted.
 */
#ifndef TLR_TALLY_H
#define TLR_TALLY_H

#include <stdatomic.h>

#include "memory.h"

struct tlr_tally {
    char before[TLR_CACHE_LINE];
    _Atomic uint64_t accepted;
    _Atomic uint64_t closed[TLR_CAUSES];
    _Atomic uint64_t refused;
    _Atomic uint64_t refused_memory; /* of these */
    _Atomic uint64_t reads;
    _Atomic uint64_t writes;
    _Atomic uint64_t bytes_in;
    _Atomic uint64_t bytes_out;
    _Atomic uint64_t emulated;
    _Atomic uint64_t connected;
    _Atomic uint64_t posts;
    _Atomic uint64_t queued; /* falls, too */
    _Atomic uint64_t queue_refused;
    char after[TLR_CACHE_LINE];
};

static inline void tlr_tally_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(
        counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
        memory_order_release);
}

static inline uint64_t tlr_tally_get(const _Atomic uint64_t *counter)
{
    /* C11 forgot that one may load from a const atomic; all allow the cast. */
    return atomic_load_explicit((_Atomic uint64_t *)counter,
                                memory_order_acquire);
}

#endif
