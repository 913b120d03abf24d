/* SPDX-License-Identifier: MIT */
#include "outbox.h"

#include <stdlib.h>

struct tlr_load_chunk *tlr_load_chunk_get(struct tlr_load_chunk **spare)
{
    struct tlr_load_chunk *chunk = *spare;
    if (chunk == NULL) {
        return malloc(sizeof(*chunk));
    }
    *spare = chunk->next;
    return chunk;
}

void tlr_load_chunk_put(
    struct tlr_load_chunk **spare, struct tlr_load_chunk *chunk)
{
    chunk->next = *spare;
    *spare = chunk;
}

void tlr_load_chunk_clear(struct tlr_load_chunk **spare)
{
    while (*spare != NULL) {
        struct tlr_load_chunk *chunk = *spare;
        *spare = chunk->next;
        free(chunk);
    }
}
