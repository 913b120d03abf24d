/* SPDX-License-Identifier: MIT */
/*
 * A histogram as bytes and as text, as HdrHistogram's other implementations write
 * and read it: its "V2" encoding (Gil Tene; HdrHistogram's EncodableHistogram and
 * ZigZagEncoding), plain, or compressed by zlib and in base64 as in a log.
 *
 * V2 keeps the counts; of the smallest and the largest value it keeps only the
 * slot. Pure functions; any thread may call.
 */
#ifndef TLR_LOAD_HDR_H
#define TLR_LOAD_HDR_H

#include <stddef.h>
#include <stdint.h>

#include "histogram.h"

enum {
    TLR_LOAD_HDR_HEAD = 40, /* bytes before the counts */
    /* Room for any histogram: a count takes 9 bytes at most. */
    TLR_LOAD_HDR_MOST = TLR_LOAD_HDR_HEAD + 9 * TLR_LOAD_HISTOGRAM_SLOTS,
    /* What zlib adds where nothing can be saved: 5 bytes in each 16383 and 13 are
     * its bound (compressBound()); this is more. */
    TLR_LOAD_HDR_PACKED_MOST =
        8 + TLR_LOAD_HDR_MOST + TLR_LOAD_HDR_MOST / 1024 + 64,
    /* The same in base64, with a zero at its end. */
    TLR_LOAD_HDR_TEXT_MOST = (TLR_LOAD_HDR_PACKED_MOST + 2) / 3 * 4 + 1
};

/* Writes it and returns its length, TLR_LOAD_HDR_MOST at most. No count may be
 * 2^63 or more: that is more than 200 years of one in each nanosecond. */
size_t tlr_load_hdr_encode(const struct tlr_load_histogram *histogram,
    uint8_t bytes[TLR_LOAD_HDR_MOST]);

/*
 * Reads what any implementation has written for three digits and values from 1
 * on. `min` and `max` become the smallest value of the first slot in use and the
 * largest one of the last.
 * Returns 0; UV_EINVAL: it is no such encoding, or is damaged; UV_ENOTSUP: it is
 * one with another precision or unit, or shifted; UV_ERANGE: it counts values of
 * 2^42 and more, or 2^63 of them. After an error the histogram is empty.
 */
int tlr_load_hdr_decode(struct tlr_load_histogram *histogram,
    const uint8_t *bytes, size_t size);

/* What compressing takes; large: not for a stack. */
struct tlr_load_hdr_room {
    uint8_t plain[TLR_LOAD_HDR_MOST];
    uint8_t packed[TLR_LOAD_HDR_PACKED_MOST];
    char text[TLR_LOAD_HDR_TEXT_MOST];
};

/* Writes the text of a log into room->text. Returns 0, UV_ENOMEM, or UV_ENOTSUP
 * without zlib (squeeze.h). */
int tlr_load_hdr_to_text(const struct tlr_load_histogram *histogram,
    struct tlr_load_hdr_room *room);

/* Reads what such a text is of, less the base64. Returns as tlr_load_hdr_decode,
 * UV_ENOBUFS: it is larger than any of ours, UV_ENOMEM, or UV_ENOTSUP without
 * zlib. */
int tlr_load_hdr_unpack(struct tlr_load_histogram *histogram,
    const uint8_t *packed, size_t size, struct tlr_load_hdr_room *room);

/* Reads `length` characters of one. Less the base64 it is in room->packed then,
 * *size bytes. Returns as tlr_load_hdr_unpack. */
int tlr_load_hdr_from_text(struct tlr_load_histogram *histogram,
    const char *text, size_t length, struct tlr_load_hdr_room *room,
    size_t *size);

#endif
