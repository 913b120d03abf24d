/* SPDX-License-Identifier: MIT */
/* What a run of teller-load is asked to do. Written before it starts, then
 * read by all its threads. */
#ifndef TLR_LOAD_PLAN_H
#define TLR_LOAD_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include <uv.h>

struct tlr_load_plan {
    const struct sockaddr_storage *addresses; /* tried in this order */
    size_t address_count;
    uint32_t connections; /* up to TLR_LOAD_PATTERN_CONNECTIONS */
    uint32_t loops;       /* threads, up to connections */
    uint32_t depth;       /* messages on the way per connection, from 1 */
    uint64_t size;        /* bytes of a message, from 1 */
    uint64_t round_trips; /* per connection; 0: until the time is over */
    uint64_t duration_ms; /* 0: until the round trips are done */
    uint64_t timeout_ms;  /* without any progress of a connection */
};

#endif
