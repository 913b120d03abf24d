/* SPDX-License-Identifier: MIT */
/*
 * What a connection has still to write behind the write that is under way: the
 * copies of tlr_send(), and at most one tlr_write() or tlr_writev() among them.
 *
 * Part of a struct tlr_extra, and used on its loop's thread only.
 */
#ifndef TLR_OUTPUT_H
#define TLR_OUTPUT_H

#include <stdbool.h>

#include "buffers.h"

/* Chunks that one write takes: libuv has room for so many without malloc(). */
#define TLR_CHUNKS_AT_ONCE 4

struct tlr_chunk {
    struct tlr_chunk *next;
    size_t size;      /* bytes in it */
    size_t capacity;  /* of a copy; 0: the memory is the program's */
    unsigned count;   /* buffers that it names */
    unsigned writes;  /* or sends, that it is made of */
    struct tlr_buffer *shared; /* by what is borrowed, or NULL */
    uv_buf_t buffers[];
};

struct tlr_output {
    struct tlr_chunk *first;
    struct tlr_chunk *last;
    size_t waiting;      /* bytes that no write has taken up yet */
    unsigned under_way;  /* chunks that the current write is made of */
};

/* Appends a copy. UV_ENOMEM. */
int tlr_output_copy(struct tlr_output *output,
                    const struct tlr_allocator *allocator, const char *data,
                    size_t size);

/* Appends what is borrowed until it is written. UV_ENOMEM. */
int tlr_output_borrow(struct tlr_output *output,
                      const struct tlr_allocator *allocator,
                      const uv_buf_t *buffers, unsigned count,
                      struct tlr_buffer *shared);

/* The chunks that a next write can take; their number, 0: none is there. */
unsigned tlr_output_next(const struct tlr_output *output);

/* These are under way from now on. Their size. */
size_t tlr_output_start(struct tlr_output *output, unsigned chunks);

/* Releases the first chunk; says whether it was the program's memory. */
bool tlr_output_shift(struct tlr_output *output,
                      const struct tlr_allocator *allocator);

#endif
