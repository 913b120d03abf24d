/* SPDX-License-Identifier: MIT */
/*
 * What a connection keeps of what it has read: the beginning of a read that
 * needs more (tlr_read_exactly(), tlr_read_until()), or what was left over by
 * one. And what the next read wants.
 *
 * Part of a struct tlr_extra, and used on its loop's thread only. Holds memory
 * while it holds bytes: at most twice as much as these, or a read buffer.
 */
#ifndef TLR_INPUT_H
#define TLR_INPUT_H

#include "buffers.h"

enum tlr_wanted {
    TLR_WANT_SOME = 0, /* whatever there is */
    TLR_WANT_SIZE,     /* so many bytes */
    TLR_WANT_DELIMITER /* up to there */
};

struct tlr_input {
    struct tlr_buffer *buffer; /* NULL: nothing is kept */
    uint32_t start;            /* of what is kept, in the buffer */
    uint32_t end;
    uint32_t scanned; /* bytes from the start that begin no delimiter */
    uint32_t size;    /* wanted, or with a delimiter the most */
    uint8_t wanted;   /* enum tlr_wanted */
    uint8_t length;   /* of the delimiter */
    char delimiter[TLR_DELIMITER_MOST];
};

/* Bytes that are kept. */
static inline size_t tlr_input_length(const struct tlr_input *input)
{
    return input->end - input->start;
}

static inline char *tlr_input_data(const struct tlr_input *input)
{
    return input->buffer->data + input->start;
}

/*
 * Whether what is wanted is among the first `length` bytes at `data`: then how
 * many bytes it is, else 0, or UV_EMSGSIZE. To be asked with more and more of
 * the same bytes.
 */
ssize_t tlr_input_match(struct tlr_input *input, const char *data,
                        size_t length);

/* Keeps these behind what is kept. UV_ENOMEM: then nothing has changed. */
int tlr_input_append(struct tlr_input *input, struct tlr_buffers *buffers,
                     const char *data, size_t length);

/* The first so many bytes have been delivered. */
void tlr_input_consume(struct tlr_input *input, struct tlr_buffers *buffers,
                       size_t length);

/*
 * More has to be waited for, for who knows how long: moves the little that is
 * left of much to a smaller buffer.
 */
void tlr_input_shrink(struct tlr_input *input, struct tlr_buffers *buffers);

/* Keeps nothing any more. */
void tlr_input_drop(struct tlr_input *input, struct tlr_buffers *buffers);

#endif
