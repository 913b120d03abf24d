/* SPDX-License-Identifier: MIT */
/* See output.h. */
#include "output.h"

#include <string.h>

/* Bytes of a chunk that small sends share. */
#define SHARED 4096

static void append(struct tlr_output *output, struct tlr_chunk *chunk)
{
    chunk->next = NULL;
    if (output->first == NULL) {
        output->first = chunk;
    } else {
        output->last->next = chunk;
    }
    output->last = chunk;
    output->waiting += chunk->size;
}

/* The last chunk, if there is room in it, and no write has taken it up. */
static struct tlr_chunk *with_room(const struct tlr_output *output,
                                   size_t size)
{
    struct tlr_chunk *last = output->last;

    if (output->first == NULL || output->waiting == 0 ||
        last->capacity == 0 || last->capacity - last->size < size) {
        return NULL;
    }
    return last;
}

static char *memory_of(struct tlr_chunk *chunk)
{
    return (char *)&chunk->buffers[1];
}

int tlr_output_copy(struct tlr_output *output,
                    const struct tlr_allocator *allocator, const char *data,
                    size_t size)
{
    struct tlr_chunk *chunk = with_room(output, size);
    size_t capacity = size < SHARED ? SHARED : size;

    if (chunk != NULL) {
        memcpy(memory_of(chunk) + chunk->size, data, size);
        chunk->size += size;
        chunk->writes++;
        chunk->buffers[0].len += size;
        output->waiting += size;
        return 0;
    }
    chunk = tlr_malloc(allocator, sizeof(*chunk) + sizeof(uv_buf_t) + capacity);
    if (chunk == NULL) {
        return UV_ENOMEM;
    }
    memcpy(memory_of(chunk), data, size);
    chunk->capacity = capacity;
    chunk->size = size;
    chunk->shared = NULL;
    chunk->writes = 1;
    chunk->count = 1;
    chunk->buffers[0] = uv_buf_init(memory_of(chunk), (unsigned)size);
    append(output, chunk);
    return 0;
}

int tlr_output_borrow(struct tlr_output *output,
                      const struct tlr_allocator *allocator,
                      const uv_buf_t *buffers, unsigned count,
                      struct tlr_buffer *shared)
{
    struct tlr_chunk *chunk =
        tlr_malloc(allocator, sizeof(*chunk) + count * sizeof(uv_buf_t));
    unsigned i;

    if (chunk == NULL) {
        return UV_ENOMEM;
    }
    chunk->capacity = 0;
    chunk->size = 0;
    chunk->shared = shared;
    chunk->writes = 1;
    chunk->count = count;
    for (i = 0; i < count; i++) {
        chunk->buffers[i] = buffers[i];
        chunk->size += buffers[i].len;
    }
    append(output, chunk);
    return 0;
}

/* Copies together; what is borrowed by itself: it may be many buffers. */
unsigned tlr_output_next(const struct tlr_output *output)
{
    const struct tlr_chunk *chunk = output->first;
    size_t room = TLR_WRITE_MOST;
    unsigned count = 0;

    if (chunk != NULL && chunk->capacity == 0) {
        return 1;
    }
    while (chunk != NULL && chunk->capacity > 0 && chunk->size <= room &&
           count < TLR_CHUNKS_AT_ONCE) {
        room -= chunk->size;
        chunk = chunk->next;
        count++;
    }
    return count;
}

size_t tlr_output_start(struct tlr_output *output, unsigned chunks)
{
    const struct tlr_chunk *chunk = output->first;
    size_t size = 0;
    unsigned i;

    for (i = 0; i < chunks; i++) {
        size += chunk->size;
        chunk = chunk->next;
    }
    output->under_way = chunks;
    output->waiting -= size;
    return size;
}

bool tlr_output_shift(struct tlr_output *output,
                      const struct tlr_allocator *allocator)
{
    struct tlr_chunk *chunk = output->first;
    bool borrowed = chunk->capacity == 0;

    if (output->under_way > 0) {
        output->under_way--;
    } else {
        output->waiting -= chunk->size;
    }
    output->first = chunk->next;
    tlr_free(allocator, chunk);
    return borrowed;
}
