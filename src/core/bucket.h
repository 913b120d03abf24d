/* SPDX-License-Identifier: MIT */
/*
 * A token bucket: so many a second, and no more than a bucketful at once. Any
 * thread may take from it.
 *
 * By the time at which it would be full again (GCRA, ITU-T I.371): one number,
 * and nothing has to be filled up by a timer.
 */
#ifndef TLR_BUCKET_H
#define TLR_BUCKET_H

#include <stdatomic.h>
#include <stdint.h>

struct tlr_bucket {
    uint64_t interval; /* nanoseconds a token; 0: no limit */
    uint64_t size;     /* in nanoseconds, too: how long it takes to fill */
    _Atomic uint64_t full; /* when it will be, as uv_hrtime() */
};

/*
 * rate: tokens a second; 0: no limit, and up to 10^9 are told apart. burst: how
 * many there are at most; 0: a second's worth. It is at least a 20th of a
 * second's worth and two more: timers come late, by 16 ms on Windows, and what a
 * smaller bucket cannot hold meanwhile would be lost.
 */
void tlr_bucket_init(struct tlr_bucket *bucket, unsigned rate, unsigned burst);

/* Takes one at `now`: 0, or the nanoseconds until there will be one. */
uint64_t tlr_bucket_take(struct tlr_bucket *bucket, uint64_t now);

/* The one that was taken is not needed. */
void tlr_bucket_give_back(struct tlr_bucket *bucket);

#endif
