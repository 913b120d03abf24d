/* SPDX-License-Identifier: MIT */
/* See buffers.h. */
#include "buffers.h"

#include "check.h"

/* Free buffers kept for the next burst. */
#define KEEP 16

int tlr_buffers_init(struct tlr_buffers *buffers,
                     const struct tlr_allocator *allocator, size_t size)
{
    struct tlr_buffer *first;

    buffers->allocator = allocator;
    buffers->size = size;
    buffers->free = NULL;
    buffers->free_count = 0;
    buffers->lent = NULL;
    buffers->kept = 0;
    first = tlr_buffers_lend(buffers);
    if (first == NULL) {
        return UV_ENOMEM;
    }
    tlr_buffers_return_lent(buffers);
    return 0;
}

void tlr_buffers_close(struct tlr_buffers *buffers)
{
    TLR_CHECK(buffers->lent == NULL);
    while (buffers->free != NULL) {
        struct tlr_buffer *next = buffers->free->is.next;

        tlr_free(buffers->allocator, buffers->free);
        buffers->free = next;
    }
}

struct tlr_buffer *tlr_buffers_take(struct tlr_buffers *buffers, size_t size)
{
    struct tlr_buffer *buffer =
        tlr_malloc(buffers->allocator, sizeof(struct tlr_buffer) + size);

    if (buffer != NULL) {
        buffer->is.writes = 0;
        buffer->users = 1;
        buffer->size = (uint32_t)size;
    }
    return buffer;
}

void tlr_buffers_lend_taken(struct tlr_buffers *buffers,
                            struct tlr_buffer *buffer)
{
    TLR_CHECK(buffers->lent == NULL);
    buffer->users++;
    buffers->lent = buffer;
}

struct tlr_buffer *tlr_buffers_lend(struct tlr_buffers *buffers)
{
    if (buffers->free != NULL) {
        return tlr_buffers_lend_free(buffers);
    }
    TLR_CHECK(buffers->lent == NULL);
    buffers->lent = tlr_buffers_take(buffers, buffers->size);
    return buffers->lent;
}

struct tlr_buffer *tlr_buffers_share(struct tlr_buffers *buffers,
                                     const void *data)
{
    struct tlr_buffer *lent = buffers->lent;
    uintptr_t at = (uintptr_t)data;

    if (lent == NULL || at < (uintptr_t)lent->data ||
        at >= (uintptr_t)lent->data + lent->size) {
        return NULL;
    }
    lent->users++;
    if (lent->is.writes++ == 0) {
        buffers->kept += lent->size;
    }
    return lent;
}

void tlr_buffers_unshare(struct tlr_buffers *buffers,
                         struct tlr_buffer *buffer)
{
    buffer->is.writes--;
    if (buffer->is.writes == 0) {
        buffers->kept -= buffer->size;
    }
    tlr_buffers_put(buffers, buffer);
}

void tlr_buffers_put(struct tlr_buffers *buffers, struct tlr_buffer *buffer)
{
    buffer->users--;
    if (buffer->users > 0) {
        return;
    }
    if (buffers->free_count >= KEEP || buffer->size != buffers->size) {
        tlr_free(buffers->allocator, buffer);
        return;
    }
    buffer->is.next = buffers->free;
    buffers->free = buffer;
    buffers->free_count++;
}
