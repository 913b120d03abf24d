/* SPDX-License-Identifier: MIT */
/*
 * Connections of one loop that think: those whose message is back and whose next
 * one may not go yet. All think equally long, so they end in the order in which
 * they began: a queue does, and one timer for its first one, however many there
 * are. The context's; on its thread. Borrows sessions while they are in it.
 */
#ifndef TLR_LOAD_THINK_H
#define TLR_LOAD_THINK_H

#include <stdbool.h>
#include <stdint.h>

struct tlr_load_session;

struct tlr_load_thinkers {
    struct tlr_load_session *first; /* to end; NULL: none thinks */
    struct tlr_load_session *last;
};

/* From `now` (uv_hrtime()) on; for one that does not think, and not earlier than
 * for those that do. */
void tlr_load_think_begin(struct tlr_load_session *session, uint64_t now);

/* It does not any longer, if it did. */
void tlr_load_think_end(struct tlr_load_session *session);

bool tlr_load_thinks(const struct tlr_load_session *session);

/* When the first one is to end: uv_hrtime(). Some must be there. */
uint64_t tlr_load_think_ends_at(const struct tlr_load_thinkers *thinkers,
    uint64_t think_ns);

#endif
