/* SPDX-License-Identifier: MIT */
/* All is kept as it came, a few kilobytes for a second of a log, and cut into parts
 * at the end, which are sorted by the interval that they go to: a histogram of each
 * second would take 264 KiB. */
#include "seconds.h"

#include <stdlib.h>
#include <string.h>

#include "hdr.h"

#define SECOND UINT64_C(1000000000)

/* The weight of a histogram that is in an interval as a whole, unless there are so
 * many values that their sum would be too large. */
enum { WHOLE = 1000 };

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
struct grid {
    bool own;       /* as those of the only log do */
    uint64_t first; /* nanoseconds since 1970 */
    uint64_t width; /* nanoseconds */
    uint64_t last;  /* the number of the last one, which is up to half longer */
};

/* What of a piece belongs to an interval. */
struct part {
    uint64_t interval; /* its number, or where it begins */
    const struct tlr_load_seconds_piece *piece;
    uint64_t from; /* nanoseconds since the first */
    uint64_t to;
};

struct parts {
    struct part *items;
    size_t count;
};

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

/* ---- where the intervals are ---- */

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
static struct grid grid_of(const struct tlr_load_seconds *seconds)
{
    struct grid grid = {.own = true, .first = tlr_load_seconds_begin(seconds)};
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

static uint64_t interval_at(const struct grid *grid, uint64_t at)
{
    uint64_t number = at / grid->width;
    return number < grid->last ? number : grid->last;
}

static struct part whole(
    const struct grid *grid, const struct tlr_load_seconds_piece *piece)
{
    uint64_t from = piece->at - grid->first;
    return (struct part){.interval = from,
        .piece = piece,
        .from = from,
        .to = end_of(from, piece->length)};
}

/* Counts it, and puts it behind the others if there is room for them. */
static void put(struct parts *parts, const struct part *part)
{
    if (parts->items != NULL) {
        parts->items[parts->count] = *part;
    }
    parts->count++;
}

static void cut(struct parts *parts, const struct grid *grid,
    const struct tlr_load_seconds_piece *piece)
{
    struct part all = whole(grid, piece);
    uint64_t first = interval_at(grid, all.from);
    uint64_t last = all.to == all.from ? first : interval_at(grid, all.to - 1);
    if (grid->own) {
        put(parts, &all);
        return;
    }
    for (uint64_t i = first; i <= last; i++) {
        struct part part = {.interval = i,
            .piece = piece,
            .from = i == first ? all.from : i * grid->width,
            .to = i == last ? all.to : (i + 1) * grid->width};
        put(parts, &part);
    }
}

static void cut_all(struct parts *parts, const struct grid *grid,
    const struct tlr_load_seconds *seconds, enum tlr_load_measure measure)
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
    const struct part *x = a;
    const struct part *y = b;
    int by_interval = order(x->interval, y->interval);
    int by_log = order(x->piece->log, y->piece->log);
    return by_interval != 0 ? by_interval
           : by_log != 0    ? by_log
                            : order(x->piece->at, y->piece->at);
}

/* ---- adding up ---- */

/* What was counted up to a time since the piece's begin: never more for less time,
 * and in the end all of it. */
static uint64_t counted(
    const struct tlr_load_seconds_piece *piece, uint64_t count, uint64_t time)
{
    double some = (double)count * ((double)time / (double)piece->length);
    return time >= piece->length || some >= (double)count ? count
                                                          : (uint64_t)some;
}

static uint64_t share(
    const struct part *part, const struct grid *grid, uint64_t count)
{
    const struct tlr_load_seconds_piece *piece = part->piece;
    uint64_t begin = piece->at - grid->first;
    return piece->length == 0
               ? count
               : counted(piece, count, part->to - begin) -
                     counted(piece, count, part->from - begin);
}

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
static void add_note(struct sum *sum, const struct part *part,
    const struct grid *grid, bool last)
{
    const struct tlr_load_interval_note *note = &part->piece->note;
    struct tlr_load_interval *interval = &sum->interval;
    sum->from = part->from < sum->from ? part->from : sum->from;
    sum->to = part->to > sum->to ? part->to : sum->to;
    interval->round_trips += share(part, grid, note->round_trips);
    interval->sessions += share(part, grid, note->sessions);
    interval->bytes_sent += share(part, grid, note->bytes_sent);
    interval->bytes_received += share(part, grid, note->bytes_received);
    interval->errors += share(part, grid, note->errors);
    interval->open += last ? note->open : 0;
    sum->busy += share(part, grid, note->busy);
    sum->elapsed += share(part, grid, note->elapsed);
}

static int add_histogram(
    struct sum *sum, const struct part *part, const struct grid *grid)
{
    const struct tlr_load_seconds_piece *piece = part->piece;
    struct tlr_load_histogram *one = &sum->one;
    uint64_t weight = share(part, grid, sum->whole);
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

static struct tlr_load_interval end(struct sum *sum, const struct grid *grid)
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

static bool is_last_note(const struct parts *parts, size_t at, size_t to)
{
    const struct part *items = parts->items;
    for (size_t i = at + 1;
         i < to && items[i].piece->log == items[at].piece->log; i++) {
        if (items[i].piece->measure == TLR_LOAD_MEASURES) {
            return false;
        }
    }
    return true;
}

/* The parts from `from` to before `to` are of one interval. */
static int sum_up(struct sum *sum, const struct parts *parts, size_t from,
    size_t to, const struct grid *grid)
{
    int err = 0;
    begin(sum);
    for (size_t i = from; i < to && err == 0; i++) {
        const struct part *part = &parts->items[i];
        if (part->piece->measure == TLR_LOAD_MEASURES) {
            add_note(sum, part, grid, is_last_note(parts, i, to));
        } else {
            err = add_histogram(sum, part, grid);
        }
    }
    return err;
}

/* Where the interval of the part at `from` ends. */
static size_t end_of_interval(const struct parts *parts, size_t from)
{
    size_t to = from;
    while (to < parts->count &&
           parts->items[to].interval == parts->items[from].interval) {
        to++;
    }
    return to;
}

static int fill(struct sum *sum, const struct parts *parts,
    const struct grid *grid, struct tlr_load_interval *intervals, size_t *count)
{
    size_t to = 0;
    for (size_t from = 0; from < parts->count; from = to) {
        to = end_of_interval(parts, from);
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

static size_t count_intervals(const struct parts *parts)
{
    size_t count = 0;
    for (size_t i = 0; i < parts->count; i = end_of_interval(parts, i)) {
        count++;
    }
    return count;
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
    struct grid grid = grid_of(seconds);
    struct parts parts = {0};
    struct sum *sum = malloc(sizeof(*sum));
    int err = UV_ENOMEM;
    *count = 0;
    *intervals = NULL;
    cut_all(&parts, &grid, seconds, measure);
    parts.items = calloc(parts.count + 1, sizeof(*parts.items));
    if (sum != NULL && parts.items != NULL) {
        cut_all(&parts, &grid, seconds, measure);
        qsort(parts.items, parts.count, sizeof(*parts.items), compare);
        *intervals =
            calloc(count_intervals(&parts) + 1, sizeof(**intervals));
    }
    if (*intervals != NULL) {
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
