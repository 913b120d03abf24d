/* SPDX-License-Identifier: MIT */
/* See ids.h. */
#include "ids.h"

#include "check.h"

#define FIRST_CAPACITY 64

void tlr_ids_init(struct tlr_ids *ids, const struct tlr_allocator *allocator,
                  uint64_t serial)
{
    ids->allocator = allocator;
    ids->next = serial;
}

void tlr_ids_close(struct tlr_ids *ids)
{
    tlr_free(ids->allocator, ids->slots);
    ids->slots = NULL;
    ids->count = 0;
    ids->capacity = 0;
    ids->free = 0;
}

static int grow(struct tlr_ids *ids)
{
    uint32_t capacity =
        ids->capacity == 0 ? FIRST_CAPACITY : ids->capacity * 2;
    struct tlr_ids_slot *slots;

    if (capacity <= ids->capacity) {
        return UV_ENOMEM; /* 2^31 connections */
    }
    slots = tlr_realloc(ids->allocator, ids->slots,
                        (size_t)capacity * sizeof(*slots));
    if (slots == NULL) {
        return UV_ENOMEM;
    }
    ids->slots = slots;
    ids->capacity = capacity;
    return 0;
}

static int take_slot(struct tlr_ids *ids, uint32_t *slot)
{
    int err;

    if (ids->free != 0) {
        *slot = ids->free - 1;
        ids->free = (uint32_t)ids->slots[*slot].serial;
        return 0;
    }
    if (ids->count == ids->capacity) {
        err = grow(ids);
        if (err != 0) {
            return err;
        }
    }
    *slot = ids->count++;
    return 0;
}

int tlr_ids_add(struct tlr_ids *ids, struct tlr_conn *conn, uint32_t *slot,
                uint64_t *serial)
{
    int err = take_slot(ids, slot);

    if (err == 0) {
        *serial = ids->next++;
        ids->slots[*slot].conn = conn;
        ids->slots[*slot].serial = *serial;
    }
    return err;
}

struct tlr_conn *tlr_ids_find(const struct tlr_ids *ids, uint32_t slot,
                              uint64_t serial)
{
    if (slot >= ids->count || ids->slots[slot].serial != serial) {
        return NULL;
    }
    return ids->slots[slot].conn; /* NULL if that was the next free slot's */
}

void tlr_ids_remove(struct tlr_ids *ids, uint32_t slot)
{
    TLR_CHECK(ids->slots[slot].conn != NULL);
    ids->slots[slot].conn = NULL;
    ids->slots[slot].serial = ids->free;
    ids->free = slot + 1;
}
