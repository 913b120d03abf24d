/* SPDX-License-Identifier: MIT */
/*
 * Memory for what the system did not take at once, kept for the next time. A
 * connection has one chunk at most, so that what waits is bounded. A loop's;
 * used on its thread.
 */
#ifndef TLR_LOAD_OUTBOX_H
#define TLR_LOAD_OUTBOX_H

#include <uv.h>

enum { TLR_LOAD_CHUNK = 64 * 1024 }; /* bytes of a write or a read at most */

struct tlr_load_chunk {
    struct tlr_load_chunk *next; /* in the list of spare ones */
    uv_write_t request;
    char bytes[TLR_LOAD_CHUNK];
};

/* Gives one from the list, else a new one; NULL: no memory. */
struct tlr_load_chunk *tlr_load_chunk_get(struct tlr_load_chunk **spare);

/* Takes it back. */
void tlr_load_chunk_put(
    struct tlr_load_chunk **spare, struct tlr_load_chunk *chunk);

/* Frees the list. */
void tlr_load_chunk_clear(struct tlr_load_chunk **spare);

#endif
