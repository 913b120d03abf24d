/* SPDX-License-Identifier: MIT */
/* See input.h. */
#include "input.h"

#include <string.h>

/* A smaller buffer is not worth it. */
#define LEAST 512

static ssize_t find_delimiter(struct tlr_input *input, const char *data,
                              size_t length)
{
    size_t most = input->size < length ? input->size : length;
    size_t at = input->scanned;

    while (at + input->length <= most) {
        const char *found =
            memchr(data + at, input->delimiter[0], most - at - input->length + 1);

        if (found == NULL) {
            at = most - input->length + 1;
        } else if (memcmp(found, input->delimiter, input->length) == 0) {
            return found - data + input->length;
        } else {
            at = (size_t)(found - data) + 1;
        }
    }
    input->scanned = (uint32_t)at;
    return length >= input->size ? UV_EMSGSIZE : 0;
}

ssize_t tlr_input_match(struct tlr_input *input, const char *data,
                        size_t length)
{
    switch (input->wanted) {
    case TLR_WANT_SIZE:
        return length >= input->size ? (ssize_t)input->size : 0;
    case TLR_WANT_DELIMITER:
        return find_delimiter(input, data, length);
    default:
        return (ssize_t)length;
    }
}

/*
 * Twice what there is, but no more than what is wanted; and no room to grow if
 * there is as much as that, or the last bytes of a large read would cost as much
 * again.
 */
static size_t good_size(const struct tlr_input *input, size_t needed)
{
    size_t size = needed > UINT32_MAX / 2 ? UINT32_MAX : needed * 2;

    if (size < LEAST) {
        size = LEAST;
    }
    if (input->wanted != TLR_WANT_SOME && size > input->size) {
        size = needed > input->size ? needed : input->size;
    }
    return size;
}

static int move(struct tlr_input *input, struct tlr_buffers *buffers,
                size_t needed)
{
    size_t kept = tlr_input_length(input);
    struct tlr_buffer *larger =
        tlr_buffers_take(buffers, good_size(input, needed));

    if (larger == NULL) {
        return UV_ENOMEM;
    }
    if (input->buffer != NULL) {
        memcpy(larger->data, tlr_input_data(input), kept);
        tlr_buffers_put(buffers, input->buffer);
    }
    input->buffer = larger;
    input->start = 0;
    input->end = (uint32_t)kept;
    return 0;
}

int tlr_input_append(struct tlr_input *input, struct tlr_buffers *buffers,
                     const char *data, size_t length)
{
    int err;

    if (input->buffer == NULL ||
        input->buffer->size - input->end < length) {
        err = move(input, buffers, tlr_input_length(input) + length);
        if (err != 0) {
            return err;
        }
    }
    memcpy(input->buffer->data + input->end, data, length);
    input->end += (uint32_t)length;
    return 0;
}

void tlr_input_shrink(struct tlr_input *input, struct tlr_buffers *buffers)
{
    size_t kept = tlr_input_length(input);

    if (input->buffer->size / 2 > good_size(input, kept)) {
        (void)move(input, buffers, kept); /* without memory it stays large */
    }
}

void tlr_input_drop(struct tlr_input *input, struct tlr_buffers *buffers)
{
    if (input->buffer != NULL) {
        tlr_buffers_put(buffers, input->buffer);
    }
    input->buffer = NULL;
    input->start = 0;
    input->end = 0;
    input->scanned = 0;
}

void tlr_input_consume(struct tlr_input *input, struct tlr_buffers *buffers,
                       size_t length)
{
    input->start += (uint32_t)length;
    input->scanned = 0;
    if (input->start == input->end) {
        tlr_input_drop(input, buffers);
    }
}
