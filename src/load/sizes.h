/* SPDX-License-Identifier: MIT */
/*
 * How large messages are: all alike, evenly from one size to another, or by a
 * small table of these with weights. Which message has which size depends on
 * nothing but its connection's number and its own, so that two runs send the
 * same. Pure functions; any thread may call.
 */
#ifndef TLR_LOAD_SIZES_H
#define TLR_LOAD_SIZES_H

#include <stddef.h>
#include <stdint.h>

enum {
    TLR_LOAD_SIZES_MOST = 64,
    /* Of a row "1099511627776..1099511627776=1000000000,", and all of them. */
    TLR_LOAD_SIZES_TEXT = 40 * TLR_LOAD_SIZES_MOST + 1
};

struct tlr_load_sizes {
    size_t count; /* of the rows, from 1 */
    struct tlr_load_sizes_row {
        uint64_t low; /* bytes, from 1 */
        uint64_t high;
        uint64_t weight; /* of this one and those before it, together */
    } rows[TLR_LOAD_SIZES_MOST];
};

/*
 * Reads "64", "64..16384" or "64=70,1k..4k=25,1M=5" (the weights are relative; a
 * row without one has 1). Sizes take k, M and G. Returns 0 or UV_EINVAL.
 */
int tlr_load_sizes_parse(const char *text, struct tlr_load_sizes *sizes);

/* Writes what that reads, in bytes and with all weights; returns `text`. */
const char *tlr_load_sizes_format(
    const struct tlr_load_sizes *sizes, char text[TLR_LOAD_SIZES_TEXT]);

uint64_t tlr_load_sizes_of(const struct tlr_load_sizes *sizes,
    uint32_t connection, uint64_t message);

uint64_t tlr_load_sizes_largest(const struct tlr_load_sizes *sizes);

/* Of all messages, in bytes. */
double tlr_load_sizes_mean(const struct tlr_load_sizes *sizes);

#endif
