/* SPDX-License-Identifier: MIT */
#include "shares.h"

#include <stdlib.h>

#define SECOND UINT64_C(1000000000)

static uint64_t end_of(uint64_t at, uint64_t length)
{
    return length > UINT64_MAX - at ? UINT64_MAX : at + length;
}

/* 1 to 2^63 / SECOND. */
static uint64_t rounded(double times)
{
    const uint64_t most = (UINT64_C(1) << 63) / SECOND;
    return times < 1              ? 1
           : times < (double)most ? (uint64_t)(times + 0.5)
                                  : most;
}

/* As long as the pieces are on average: then each has three parts on average at
 * most, whatever a log says. */
struct tlr_load_grid tlr_load_grid_of(const struct tlr_load_seconds *seconds)
{
    struct tlr_load_grid grid = {
        .own = true, .first = tlr_load_seconds_begin(seconds)};
    double lengths = 0;
    uint64_t end = 0;
    for (size_t i = 0; i < seconds->count; i++) {
        const struct tlr_load_seconds_piece *piece = &seconds->pieces[i];
        uint64_t its = end_of(piece->at, piece->length) - grid.first;
        grid.own = grid.own && piece->log == seconds->pieces[0].log;
        lengths += (double)piece->length;
        end = its > end ? its : end;
    }
    double count = seconds->count == 0 ? 1 : (double)seconds->count;
    grid.width = SECOND * rounded(lengths / count / (double)SECOND);
    grid.last = rounded((double)end / (double)grid.width) - 1;
    return grid;
}

static uint64_t interval_at(const struct tlr_load_grid *grid, uint64_t at)
{
    uint64_t number = at / grid->width;
    return number < grid->last ? number : grid->last;
}

static struct tlr_load_part whole(const struct tlr_load_grid *grid,
    const struct tlr_load_seconds_piece *piece)
{
    uint64_t from = piece->at - grid->first;
    return (struct tlr_load_part){.interval = from,
        .piece = piece,
        .from = from,
        .to = end_of(from, piece->length),
        .last = true};
}

/* Counts it, and puts it behind the others if there is room for them. */
static void put(struct tlr_load_parts *parts, const struct tlr_load_part *part)
{
    if (parts->items != NULL) {
        parts->items[parts->count] = *part;
    }
    parts->count++;
}

static void cut(struct tlr_load_parts *parts, const struct tlr_load_grid *grid,
    const struct tlr_load_seconds_piece *piece)
{
    struct tlr_load_part all = whole(grid, piece);
    uint64_t first = interval_at(grid, all.from);
    uint64_t last = all.to == all.from ? first : interval_at(grid, all.to - 1);
    if (grid->own) {
        put(parts, &all);
        return;
    }
    for (uint64_t i = first; i <= last; i++) {
        struct tlr_load_part part = {.interval = i,
            .piece = piece,
            .from = i == first ? all.from : i * grid->width,
            .to = i == last ? all.to : (i + 1) * grid->width,
            .last = i == last};
        put(parts, &part);
    }
}

static void cut_all(struct tlr_load_parts *parts,
    const struct tlr_load_grid *grid, const struct tlr_load_seconds *seconds,
    enum tlr_load_measure measure)
{
    parts->count = 0;
    for (size_t i = 0; i < seconds->count; i++) {
        const struct tlr_load_seconds_piece *piece = &seconds->pieces[i];
        if (piece->measure == TLR_LOAD_MEASURES || piece->measure == measure) {
            cut(parts, grid, piece);
        }
    }
}

static int order(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare(const void *a, const void *b)
{
    const struct tlr_load_part *x = a;
    const struct tlr_load_part *y = b;
    int by_interval = order(x->interval, y->interval);
    int by_log = order(x->piece->log, y->piece->log);
    return by_interval != 0 ? by_interval
           : by_log != 0    ? by_log
                            : order(x->piece->at, y->piece->at);
}

int tlr_load_parts_cut(struct tlr_load_parts *parts,
    const struct tlr_load_grid *grid, const struct tlr_load_seconds *seconds,
    enum tlr_load_measure measure)
{
    parts->items = NULL;
    cut_all(parts, grid, seconds, measure); /* to count them */
    parts->items = calloc(parts->count + 1, sizeof(*parts->items));
    if (parts->items == NULL) {
        return UV_ENOMEM;
    }
    cut_all(parts, grid, seconds, measure);
    qsort(parts->items, parts->count, sizeof(*parts->items), compare);
    return 0;
}

size_t tlr_load_parts_end(const struct tlr_load_parts *parts, size_t from)
{
    size_t to = from;
    while (to < parts->count &&
           parts->items[to].interval == parts->items[from].interval) {
        to++;
    }
    return to;
}

size_t tlr_load_parts_intervals(const struct tlr_load_parts *parts)
{
    size_t count = 0;
    for (size_t i = 0; i < parts->count; i = tlr_load_parts_end(parts, i)) {
        count++;
    }
    return count;
}

/* What was counted up to a time since the piece's begin: never more for less time,
 * and in the end all of it. */
static uint64_t counted(
    const struct tlr_load_seconds_piece *piece, uint64_t count, uint64_t time)
{
    double some = (double)count * ((double)time / (double)piece->length);
    return time >= piece->length || some >= (double)count ? count
                                                          : (uint64_t)some;
}

uint64_t tlr_load_part_share(const struct tlr_load_part *part,
    const struct tlr_load_grid *grid, uint64_t count)
{
    const struct tlr_load_seconds_piece *piece = part->piece;
    uint64_t begin = piece->at - grid->first;
    return piece->length == 0
               ? count
               : counted(piece, count, part->to - begin) -
                     counted(piece, count, part->from - begin);
}
