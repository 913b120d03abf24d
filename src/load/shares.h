/* SPDX-License-Identifier: MIT */
/*
 * Where the intervals of several logs begin and end that are put together, and what
 * of each log's own belongs to them: see seconds.h. Pure functions; the caller owns
 * the structs.
 */
#ifndef TLR_LOAD_SHARES_H
#define TLR_LOAD_SHARES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notes.h"
#include "seconds.h"

/* What a log says of one of its intervals. */
struct tlr_load_seconds_piece {
    uint64_t at;
    uint64_t length; /* nanoseconds */
    size_t log;
    enum tlr_load_measure measure; /* TLR_LOAD_MEASURES: a note */
    struct tlr_load_interval_note note;
    bool packed;    /* by zlib, as in the log; or plain, where that is shorter */
    uint8_t *bytes; /* of the histogram */
    size_t size;
    uint64_t count; /* values in it */
    uint64_t max;   /* exact, where it is known: not so in `bytes` */
};

/* Where the intervals begin and end. */
struct tlr_load_grid {
    bool own;       /* as those of the only log do */
    uint64_t first; /* nanoseconds since 1970 */
    uint64_t width; /* nanoseconds */
    uint64_t last;  /* the number of the last one, which is up to half longer */
};

/* What of a piece belongs to an interval. */
struct tlr_load_part {
    uint64_t interval; /* its number, or where it begins */
    const struct tlr_load_seconds_piece *piece;
    uint64_t from; /* nanoseconds since the first */
    uint64_t to;
    bool last; /* of the piece: it ends here */
};

struct tlr_load_parts {
    struct tlr_load_part *items;
    size_t count;
};

/* For these pieces. */
struct tlr_load_grid tlr_load_grid_of(const struct tlr_load_seconds *seconds);

/*
 * Cuts all notes and the histograms of `measure` up, so that each part is of one
 * interval, and sorts the parts by interval, log and time. Gives parts->items, to
 * be freed. Returns 0 or UV_ENOMEM.
 */
int tlr_load_parts_cut(struct tlr_load_parts *parts,
    const struct tlr_load_grid *grid, const struct tlr_load_seconds *seconds,
    enum tlr_load_measure measure);

/* Where the parts of the interval end that begins with the one at `from`. */
size_t tlr_load_parts_end(const struct tlr_load_parts *parts, size_t from);

/* How many intervals there are. */
size_t tlr_load_parts_intervals(const struct tlr_load_parts *parts);

/* What of `count` belongs to the part: of all parts of a piece, all of it. */
uint64_t tlr_load_part_share(const struct tlr_load_part *part,
    const struct tlr_load_grid *grid, uint64_t count);

#endif
