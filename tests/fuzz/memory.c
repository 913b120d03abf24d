/* SPDX-License-Identifier: MIT */
/* The library's memory: counted, and the n-th allocation can be made to fail. */
#include "world.h"

#include <stdlib.h>
#include <string.h>

/* In front of each block, as long as malloc() aligns. */
union header {
    size_t size;
    char room[16];
};

static bool fails(void)
{
    unsigned left = atomic_load(&world.fail_in);

    if (left == 0) {
        return false;
    }
    if (left > 1) {
        atomic_store(&world.fail_in, left - 1);
        return false;
    }
    if (atomic_fetch_sub(&world.fail_times, 1) <= 1) {
        atomic_store(&world.fail_in, 0);
    }
    atomic_fetch_add(&world.starved, 1);
    trace(NULL, "an allocation fails");
    return true;
}

static void *memory_malloc(size_t size, void *user)
{
    union header *header;

    if (user != &world || fails()) {
        return NULL;
    }
    header = malloc(sizeof(*header) + size);
    if (header == NULL) {
        return NULL;
    }
    header->size = size;
    atomic_fetch_add(&world.blocks, 1);
    atomic_fetch_add(&world.bytes, size);
    return header + 1;
}

static void *memory_calloc(size_t count, size_t size, void *user)
{
    void *block = memory_malloc(count * size, user);

    if (block != NULL) {
        memset(block, 0, count * size);
    }
    return block;
}

static void memory_free(void *block, void *user)
{
    union header *header = (union header *)block - 1;

    (void)user;
    if (block == NULL) {
        return;
    }
    atomic_fetch_sub(&world.blocks, 1);
    atomic_fetch_sub(&world.bytes, header->size);
    free(header);
}

static void *memory_realloc(void *block, size_t size, void *user)
{
    size_t old = block == NULL ? 0 : ((union header *)block - 1)->size;
    void *moved = memory_malloc(size, user);

    if (moved != NULL && block != NULL) {
        memcpy(moved, block, old < size ? old : size);
        memory_free(block, user);
    }
    return moved;
}

void memory_init(struct tlr_options *options)
{
    options->allocator.malloc = memory_malloc;
    options->allocator.calloc = memory_calloc;
    options->allocator.realloc = memory_realloc;
    options->allocator.free = memory_free;
    options->allocator.user = &world;
}
