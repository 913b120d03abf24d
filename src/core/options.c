/* SPDX-License-Identifier: MIT */
/* The defaults of the options, and whether they make sense. */
#include "options.h"

#include <stdlib.h>
#include <string.h>

#include "handoff.h"

#define READ_BUFFER 65536
#define READ_BUFFER_MOST (1u << 30)
#define LOOPS_MOST 1024
#define CONN_DATA_MOST ((size_t)1 << 30)

static void *c_malloc(size_t size, void *user)
{
    (void)user;
    return malloc(size);
}

static void *c_calloc(size_t count, size_t size, void *user)
{
    (void)user;
    return calloc(count, size);
}

static void *c_realloc(void *memory, size_t size, void *user)
{
    (void)user;
    return realloc(memory, size);
}

static void c_free(void *memory, void *user)
{
    (void)user;
    free(memory);
}

void tlr_options_init(struct tlr_options *options)
{
    memset(options, 0, sizeof(*options));
    options->size = sizeof(*options);
    options->loops = TLR_LOOPS_PER_CPU;
    options->balance = TLR_BALANCE_LEAST;
    options->read_buffer = READ_BUFFER;
}

static int check_allocator(struct tlr_allocator *allocator)
{
    if (allocator->malloc == NULL && allocator->calloc == NULL &&
        allocator->realloc == NULL && allocator->free == NULL) {
        allocator->malloc = c_malloc;
        allocator->calloc = c_calloc;
        allocator->realloc = c_realloc;
        allocator->free = c_free;
        return 0;
    }
    if (allocator->malloc == NULL || allocator->calloc == NULL ||
        allocator->realloc == NULL || allocator->free == NULL) {
        return UV_EINVAL;
    }
    return 0;
}

static int check_numbers(const struct tlr_options *options)
{
    if (options->loops < TLR_LOOPS_HOST || options->loops > LOOPS_MOST ||
        options->backlog < 0 || options->read_buffer < 1 ||
        options->read_buffer > READ_BUFFER_MOST ||
        options->conn_data_size > CONN_DATA_MOST) {
        return UV_EINVAL;
    }
    switch (options->balance) {
    case TLR_BALANCE_LEAST:
    case TLR_BALANCE_ROUND_ROBIN:
        return 0;
    case TLR_BALANCE_REUSEPORT:
        return tlr_handoff_has_reuseport() ? 0 : UV_ENOTSUP;
    default:
        return UV_EINVAL;
    }
}

int tlr_options_read(const struct tlr_options *from, struct tlr_options *to)
{
    int err;

    if (from->size != sizeof(*from)) {
        return UV_EINVAL;
    }
    *to = *from;
    if (to->handler.on_open == NULL || to->handler.on_read == NULL) {
        return UV_EINVAL;
    }
    err = check_allocator(&to->allocator);
    return err != 0 ? err : check_numbers(to);
}

unsigned tlr_options_workers(const struct tlr_options *options)
{
    switch (options->loops) {
    case TLR_LOOPS_HOST:
        return 1;
    case TLR_LOOPS_PER_CPU:
        return uv_available_parallelism();
    default:
        return (unsigned)options->loops;
    }
}
