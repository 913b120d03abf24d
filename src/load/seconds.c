/* SPDX-License-Identifier: MIT */
/* All is kept as it came, a few kilobytes for a second of a log, and sorted by
 * time at the end: a histogram of each second would take 264 KiB. */
#include "seconds.h"

#include <stdlib.h>
#include <string.h>

#include "cli/check.h"
#include "hdr.h"

#define SECOND UINT64_C(1000000000)

struct tlr_load_seconds_piece {
    uint64_t at;
    uint64_t second; /* since the first piece, rounded */
    size_t log;
    enum tlr_load_measure measure; /* TLR_LOAD_MEASURES: a note */
    struct tlr_load_interval_note note;
    uint8_t *plain; /* as tlr_load_hdr_encode() writes it */
    size_t size;
    uint64_t max; /* exact, where it is known: not so in `plain` */
};

/* What an interval is made of. */
struct sum {
    struct tlr_load_interval interval;
    uint64_t from; /* nanoseconds since the first */
    uint64_t to;
    uint64_t busy;
    uint64_t elapsed;
    struct tlr_load_histogram latency;
    struct tlr_load_histogram one;
};

double tlr_load_seconds_of(uint64_t nanoseconds)
{
    uint64_t whole = nanoseconds / SECOND;
    return (double)whole + (double)(nanoseconds % SECOND) / 1e9;
}

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
    piece->log = log;
    piece->measure = TLR_LOAD_MEASURES;
    piece->note = *note;
    seconds->count++;
    return 0;
}

int tlr_load_seconds_histogram(struct tlr_load_seconds *seconds, size_t log,
    uint64_t at, const struct tlr_load_log_line *line)
{
    struct tlr_load_seconds_piece *piece = add(seconds);
    uint8_t *copy = piece == NULL ? NULL : malloc(line->size);
    if (copy == NULL) {
        return UV_ENOMEM;
    }
    memcpy(copy, line->plain, line->size);
    piece->at = at;
    piece->log = log;
    piece->measure = line->measure;
    piece->plain = copy;
    piece->size = line->size;
    piece->max = line->histogram->max;
    seconds->count++;
    return 0;
}

void tlr_load_seconds_free(struct tlr_load_seconds *seconds)
{
    for (size_t i = 0; i < seconds->count; i++) {
        free(seconds->pieces[i].plain);
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

static int order(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare(const void *a, const void *b)
{
    const struct tlr_load_seconds_piece *x = a;
    const struct tlr_load_seconds_piece *y = b;
    int by_second = order(x->second, y->second);
    int by_log = order(x->log, y->log);
    return by_second != 0 ? by_second
           : by_log != 0  ? by_log
                          : order(x->at, y->at);
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

/* `last`: of its log in this second; that one tells what is open at its end. */
static void add_note(struct sum *sum, uint64_t at,
    const struct tlr_load_interval_note *note, bool last)
{
    struct tlr_load_interval *interval = &sum->interval;
    uint64_t end = note->seconds > UINT64_MAX - at ? at : at + note->seconds;
    sum->from = at < sum->from ? at : sum->from;
    sum->to = end > sum->to ? end : sum->to;
    interval->round_trips += note->round_trips;
    interval->sessions += note->sessions;
    interval->bytes_sent += note->bytes_sent;
    interval->bytes_received += note->bytes_received;
    interval->errors += note->errors;
    interval->open += last ? note->open : 0;
    tlr_load_done_add(&interval->in_time, &note->in_time);
    sum->busy += note->busy;
    sum->elapsed += note->elapsed;
}

static void add_histogram(
    struct sum *sum, const struct tlr_load_seconds_piece *piece)
{
    int err = tlr_load_hdr_decode(&sum->one, piece->plain, piece->size);
    TLR_CLI_CHECK(err == 0); /* it was read before */
    sum->one.max = piece->max;
    tlr_load_histogram_merge(&sum->latency, &sum->one);
}

/* `first`: nanoseconds since 1970. */
static struct tlr_load_interval end(struct sum *sum, uint64_t first)
{
    struct tlr_load_interval *interval = &sum->interval;
    interval->from = (double)sum->from / 1e9;
    interval->seconds = (double)(sum->to - sum->from) / 1e9;
    interval->at = tlr_load_seconds_of(first) + interval->from;
    interval->busy =
        sum->elapsed == 0 ? 0 : (double)sum->busy / (double)sum->elapsed;
    tlr_load_interval_take(interval, &sum->latency);
    return *interval;
}

static bool is_last_note(const struct tlr_load_seconds *seconds, size_t at,
    size_t to)
{
    const struct tlr_load_seconds_piece *pieces = seconds->pieces;
    for (size_t i = at + 1; i < to && pieces[i].log == pieces[at].log; i++) {
        if (pieces[i].measure == TLR_LOAD_MEASURES) {
            return false;
        }
    }
    return true;
}

/* The pieces from `from` to before `to` are of one second. */
static void sum_up(struct sum *sum, const struct tlr_load_seconds *seconds,
    size_t from, size_t to, uint64_t first, enum tlr_load_measure measure)
{
    begin(sum);
    for (size_t i = from; i < to; i++) {
        const struct tlr_load_seconds_piece *piece = &seconds->pieces[i];
        if (piece->measure == TLR_LOAD_MEASURES) {
            add_note(sum, piece->at - first, &piece->note,
                is_last_note(seconds, i, to));
        } else if (piece->measure == measure) {
            add_histogram(sum, piece);
        }
    }
}

static void fill(struct tlr_load_seconds *seconds, struct sum *sum,
    uint64_t first, enum tlr_load_measure measure,
    struct tlr_load_interval *intervals, size_t *count)
{
    size_t to = 0;
    for (size_t from = 0; from < seconds->count; from = to) {
        uint64_t second = seconds->pieces[from].second;
        while (to < seconds->count && seconds->pieces[to].second == second) {
            to++;
        }
        sum_up(sum, seconds, from, to, first, measure);
        if (sum->from != UINT64_MAX) { /* a note was there */
            intervals[(*count)++] = end(sum, first);
        }
    }
}

int tlr_load_seconds_intervals(struct tlr_load_seconds *seconds,
    enum tlr_load_measure measure, struct tlr_load_interval **intervals,
    size_t *count)
{
    uint64_t first = tlr_load_seconds_begin(seconds);
    struct sum *sum = malloc(sizeof(*sum));
    *count = 0;
    *intervals = NULL;
    if (seconds->count > 0) {
        *intervals = calloc(seconds->count, sizeof(**intervals));
    }
    if (sum == NULL || (seconds->count > 0 && *intervals == NULL)) {
        free(sum);
        free(*intervals);
        *intervals = NULL;
        return UV_ENOMEM;
    }
    for (size_t i = 0; i < seconds->count; i++) {
        struct tlr_load_seconds_piece *piece = &seconds->pieces[i];
        uint64_t since = piece->at - first;
        piece->second = since / SECOND + (since % SECOND >= SECOND / 2);
    }
    if (seconds->count > 0) {
        qsort(seconds->pieces, seconds->count, sizeof(*seconds->pieces),
            compare);
    }
    tlr_load_histogram_init(&sum->latency);
    fill(seconds, sum, first, measure, *intervals, count);
    free(sum);
    return 0;
}
