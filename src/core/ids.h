/* SPDX-License-Identifier: MIT */
/*
 * The names by which other threads know the connections of one loop: a slot in
 * a table, and a serial number that no later connection gets again. Only
 * connections that somebody asked the name of have a slot.
 *
 * Owned by a worker and used on its thread only.
 */
#ifndef TLR_IDS_H
#define TLR_IDS_H

#include "memory.h"

struct tlr_ids_slot {
    struct tlr_conn *conn; /* NULL: free */
    uint64_t serial;       /* of a free one: the next free slot, plus 1; or 0 */
};

struct tlr_ids {
    const struct tlr_allocator *allocator;
    struct tlr_ids_slot *slots;
    uint32_t count;    /* slots that have been in use */
    uint32_t capacity;
    uint32_t free;     /* the first free one of these, plus 1; or 0 */
    uint64_t next;     /* serial number */
};

/* Fills in what is all zeroes. serial: the first one. */
void tlr_ids_init(struct tlr_ids *ids, const struct tlr_allocator *allocator,
                  uint64_t serial);

/* Releases the memory; no slot is in use. */
void tlr_ids_close(struct tlr_ids *ids);

/* Names a connection, until it is removed. UV_ENOMEM. */
int tlr_ids_add(struct tlr_ids *ids, struct tlr_conn *conn, uint32_t *slot,
                uint64_t *serial);

/* NULL: it has gone, or never was. */
struct tlr_conn *tlr_ids_find(const struct tlr_ids *ids, uint32_t slot,
                              uint64_t serial);

void tlr_ids_remove(struct tlr_ids *ids, uint32_t slot);

#endif
