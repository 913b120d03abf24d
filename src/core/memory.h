/* SPDX-License-Identifier: MIT */
/*
 * The server's allocator, called. Every byte that the library allocates comes
 * through these; any thread, as far as the user's allocator is thread-safe.
 */
#ifndef TLR_MEMORY_H
#define TLR_MEMORY_H

#include "teller.h"

/* Bytes of a cache line, or more, on every CPU in use. */
#define TLR_CACHE_LINE 128

static inline void *tlr_malloc(const struct tlr_allocator *a, size_t size)
{
    return (a->malloc)(size, a->user);
}

static inline void *tlr_calloc(const struct tlr_allocator *a, size_t size)
{
    return (a->calloc)(1, size, a->user);
}

static inline void *tlr_realloc(const struct tlr_allocator *a, void *memory,
                                size_t size)
{
    return (a->realloc)(memory, size, a->user);
}

static inline void tlr_free(const struct tlr_allocator *a, void *memory)
{
    if (memory != NULL) {
        (a->free)(memory, a->user);
    }
}

#endif
