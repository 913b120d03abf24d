/* SPDX-License-Identifier: MIT */
/* See bucket.h. */
#include "bucket.h"

#define SECOND 1000000000u
#define LEAST 20 /* a part of a second: see bucket.h */

void tlr_bucket_init(struct tlr_bucket *bucket, unsigned rate, unsigned burst)
{
    unsigned least = 2 + rate / LEAST;

    bucket->interval = 0;
    if (rate == 0) {
        return;
    }
    if (burst == 0) {
        burst = rate;
    }
    bucket->interval = ((uint64_t)SECOND + rate - 1) / rate;
    bucket->size = bucket->interval * (burst < least ? least : burst);
    atomic_store(&bucket->full, 0);
}

uint64_t tlr_bucket_take(struct tlr_bucket *bucket, uint64_t now)
{
    uint64_t full = atomic_load(&bucket->full);
    uint64_t next;

    if (bucket->interval == 0) {
        return 0;
    }
    do {
        next = (full > now ? full : now) + bucket->interval;
        if (next - now > bucket->size) {
            return next - now - bucket->size;
        }
    } while (!atomic_compare_exchange_weak(&bucket->full, &full, next));
    return 0;
}

void tlr_bucket_give_back(struct tlr_bucket *bucket)
{
    atomic_fetch_sub(&bucket->full, bucket->interval);
}
