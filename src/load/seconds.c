/* SPDX-License-Identifier: MIT */
/* All is kept as it came, a few kilobytes for a second of a log, and cut into parts
 * at the end (shares.h), which are added up interval by interval: a histogram of
 * each second would take 264 KiB. */
#include "seconds.h"

#include <stdlib.h>
#include <string.h>

#include "hdr.h"
#include "shares.h"

#define SECOND UINT64_C(1000000000)

/* The weight of a histogram that is in an interval as a whole, unless there are so
 * many values that their sum would be too large. */
enum { WHOLE = 1000 };

/* What an interval is made of. */
struct sum {
    struct tlr_load_interval interval;
    uint64_t from; /* nanoseconds since the first */
    uint64_t to;
    uint64_t busy;
    uint64_t elapsed;
    uint64_t whole; /* the weight of a whole histogram */
    struct tlr_load_histogram latency;
    struct tlr_load_histogram one;
    struct tlr_load_hdr_room room;
};

double tlr_load_seconds_of(uint64_t nanoseconds)
{
    uint64_t whole = nanoseconds / SECOND;
    return (double)whole + (double)(nanoseconds % SECOND) / 1e9;
}

/* ---- keeping ---- */

static struct tlr_load_seconds_piece *add(struct tlr_load_seconds *seconds)
{
    if (seconds->count == seconds->room) {
        size_t room = seconds->room == 0 ? 256 : 2 * seconds->room;
        struct tlr_load_seconds_piece *more =
            realloc(seconds->pieces, room * sizeof(*more));
        if (more == NULL) {
            return NULL;
        }
        seconds->pieces = more;
        seconds->room = room;
    }
    struct tlr_load_seconds_piece *piece = &seconds->pieces[seconds->count];
    memset(piece, 0, sizeof(*piece));
    return piece;
}

int tlr_load_seconds_note(struct tlr_load_seconds *seconds, size_t log,
    uint64_t at, const struct tlr_load_interval_note *note)
{
    struct tlr_load_seconds_piece *piece = add(seconds);
    if (piece == NULL) {
        return UV_ENOMEM;
    }
    piece->at = at;
    piece->length = note->seconds;
    piece->log = log;
    piece->measure = TLR_LOAD_MEASURES;
    piece->note = *note;
    seconds->count++;
    return 0;
}

int tlr_load_seconds_histogram(struct tlr_load_seconds *seconds, size_t log,
    uint64_t at, uint64_t length, const struct tlr_load_log_line *line)
{
    struct tlr_load_seconds_piece *piece = add(seconds);
    bool packed = line->packed_size < line->plain_size;
    size_t size = packed ? line->packed_size : line->plain_size;
    uint8_t *copy = piece == NULL ? NULL : malloc(size);
    if (copy == NULL) {
        return UV_ENOMEM;
    }
    memcpy(copy, packed ? line->packed : line->plain, size);
    piece->at = at;
    piece->length = length;
    piece->log = log;
    piece->measure = line->measure;
    piece->packed = packed;
    piece->bytes = copy;
    piece->size = size;
    piece->count = line->histogram->count;
    piece->max = line->histogram->max;
    seconds->bytes += size;
    seconds->count++;
    return 0;
}

void tlr_load_seconds_free(struct tlr_load_seconds *seconds)
{
    for (size_t i = 0; i < seconds->count; i++) {
        free(seconds->pieces[i].bytes);
    }
    free(seconds->pieces);
    memset(seconds, 0, sizeof(*seconds));
}

uint64_t tlr_load_seconds_begin(const struct tlr_load_seconds *seconds)
{
    uint64_t begin = seconds->count == 0 ? 0 : UINT64_MAX;
    for (size_t i = 0; i < seconds->count; i++) {
        if (seconds->pieces[i].at < begin) {
            begin = seconds->pieces[i].at;
        }
    }
    return begin;
}

/* ---- adding up ---- */

static void begin(struct sum *sum)
{
    memset(&sum->interval, 0, sizeof(sum->interval));
    sum->from = UINT64_MAX;
    sum->to = 0;
    sum->busy = 0;
    sum->elapsed = 0;
    tlr_load_histogram_clear(&sum->latency);
}

/* `last`: of its log in this interval; that one tells what is open at its end. */
static void add_note(struct sum *sum, const struct tlr_load_part *part,
    const struct tlr_load_grid *grid, bool last)
{
    const struct tlr_load_interval_note *note = &part->piece->note;
    struct tlr_load_interval *interval = &sum->interval;
    sum->from = part->from < sum->from ? part->from : sum->from;
    sum->to = part->to > sum->to ? part->to : sum->to;
    interval->round_trips += tlr_load_part_share(part, grid, note->round_trips);
    interval->sessions += tlr_load_part_share(part, grid, note->sessions);
    interval->bytes_sent += tlr_load_part_share(part, grid, note->bytes_sent);
    interval->bytes_received +=
        tlr_load_part_share(part, grid, note->bytes_received);
    interval->errors += tlr_load_part_share(part, grid, note->errors);
    interval->open += last ? note->open : 0;
    struct tlr_load_done done = {
        .round_trips = tlr_load_part_share(
            part, grid, note->in_time.round_trips),
        .sessions = tlr_load_part_share(part, grid, note->in_time.sessions),
        .bytes_sent = tlr_load_part_share(
            part, grid, note->in_time.bytes_sent),
        .bytes_received = tlr_load_part_share(
            part, grid, note->in_time.bytes_received),
    };
    tlr_load_done_add(&interval->in_time, &done);
    sum->busy += tlr_load_part_share(part, grid, note->busy);
    sum->elapsed += tlr_load_part_share(part, grid, note->elapsed);
}

static int add_histogram(struct sum *sum, const struct tlr_load_part *part,
    const struct tlr_load_grid *grid)
{
    const struct tlr_load_seconds_piece *piece = part->piece;
    struct tlr_load_histogram *one = &sum->one;
    uint64_t weight = tlr_load_part_share(part, grid, sum->whole);
    int err = piece->packed ? tlr_load_hdr_unpack(one, piece->bytes,
                                  piece->size, &sum->room)
                            : tlr_load_hdr_decode(
                                  one, piece->bytes, piece->size);
    if (err != 0) {
        return err; /* UV_ENOMEM: it was read before */
    }
    weight = weight == 0 ? 1 : weight;
    for (size_t i = 0; i < TLR_LOAD_HISTOGRAM_SLOTS; i++) {
        one->slots[i] *= weight;
    }
    one->count *= weight;
    one->max = piece->max;
    tlr_load_histogram_merge(&sum->latency, one);
    return 0;
}

static struct tlr_load_interval end(
    struct sum *sum, const struct tlr_load_grid *grid)
{
    struct tlr_load_interval *interval = &sum->interval;
    interval->from = (double)sum->from / 1e9;
    interval->seconds = (double)(sum->to - sum->from) / 1e9;
    interval->at = tlr_load_seconds_of(grid->first) + interval->from;
    interval->busy =
        sum->elapsed == 0 ? 0 : (double)sum->busy / (double)sum->elapsed;
    tlr_load_interval_take(interval, &sum->latency);
    return *interval;
}

/* Which note of the log whose parts begin at `from` tells what is open at the end of
 * the interval: the last one that ends there, or if none does, the first. */
static size_t find_open(
    const struct tlr_load_parts *parts, size_t from, size_t to)
{
    const struct tlr_load_part *items = parts->items;
    size_t found = SIZE_MAX;
    for (size_t i = from;
         i < to && items[i].piece->log == items[from].piece->log; i++) {
        bool note = items[i].piece->measure == TLR_LOAD_MEASURES;
        if (note && (found == SIZE_MAX || items[i].last)) {
            found = i;
        }
    }
    return found;
}

/* The parts from `from` to before `to` are of one interval. */
static int sum_up(struct sum *sum, const struct tlr_load_parts *parts,
    size_t from, size_t to, const struct tlr_load_grid *grid)
{
    int err = 0;
    size_t open = SIZE_MAX;
    begin(sum);
    for (size_t i = from; i < to && err == 0; i++) {
        const struct tlr_load_part *part = &parts->items[i];
        if (i == from || part[-1].piece->log != part->piece->log) {
            open = find_open(parts, i, to);
        }
        if (part->piece->measure == TLR_LOAD_MEASURES) {
            add_note(sum, part, grid, i == open);
        } else {
            err = add_histogram(sum, part, grid);
        }
    }
    return err;
}

static int fill(struct sum *sum, const struct tlr_load_parts *parts,
    const struct tlr_load_grid *grid, struct tlr_load_interval *intervals,
    size_t *count)
{
    size_t to = 0;
    for (size_t from = 0; from < parts->count; from = to) {
        to = tlr_load_parts_end(parts, from);
        int err = sum_up(sum, parts, from, to, grid);
        if (err != 0) {
            return err;
        }
        if (sum->from != UINT64_MAX) { /* a note was there */
            intervals[(*count)++] = end(sum, grid);
        }
    }
    return 0;
}

/* Each value is in an interval at most WHOLE times. */
static uint64_t weight_of(const struct tlr_load_seconds *seconds)
{
    double values = 0;
    for (size_t i = 0; i < seconds->count; i++) {
        values += (double)seconds->pieces[i].count;
    }
    return values * WHOLE < 9e18 ? WHOLE : 1;
}

int tlr_load_seconds_intervals(const struct tlr_load_seconds *seconds,
    enum tlr_load_measure measure, struct tlr_load_interval **intervals,
    size_t *count)
{
    struct tlr_load_grid grid = tlr_load_grid_of(seconds);
    struct tlr_load_parts parts;
    struct sum *sum = malloc(sizeof(*sum));
    int err = tlr_load_parts_cut(&parts, &grid, seconds, measure);
    *count = 0;
    *intervals = NULL;
    if (err == 0 && sum != NULL) {
        *intervals = calloc(
            tlr_load_parts_intervals(&parts) + 1, sizeof(**intervals));
    }
    if (*intervals == NULL) {
        err = UV_ENOMEM;
    } else {
        sum->whole = weight_of(seconds);
        tlr_load_histogram_init(&sum->latency);
        err = fill(sum, &parts, &grid, *intervals, count);
    }
    if (err != 0) {
        free(*intervals);
        *intervals = NULL;
        *count = 0;
    }
    free(parts.items);
    free(sum);
    return err;
}
