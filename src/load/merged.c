/* SPDX-License-Identifier: MIT */
/*
 * Each log is read into histograms of its own, which are added when it has ended
 * and is known to be whole: only then is the exact minimum known. After an error
 * what is there is of no use.
 */
#include "merged.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/parse.h"
#include "files.h"
#include "log_reader.h"
#include "seconds.h"

enum { BLOCK = 64 * 1024 };

struct tlr_load_merged {
    struct tlr_load_plan plan;
    struct tlr_load_sizes sizes;
    struct sockaddr_storage address;
    struct tlr_load_result result;
    struct tlr_load_figures figures;
    struct tlr_load_seconds seconds;
    size_t logs;
    bool moded;    /* plan.mode is known: one of them is */
    double memory; /* bytes of all connections together */
    /* Of the log that is being read: */
    struct tlr_load_histogram now[TLR_LOAD_MEASURES];
    bool in_interval; /* what comes is of this one: */
    uint64_t interval_at;
    uint64_t interval_seconds; /* nanoseconds */
    uint64_t first; /* of another program's: when it begins and ends */
    uint64_t last;
    uint64_t odd_tags; /* lines with a tag that is none of ours */
    uv_file file;
    char block[BLOCK]; /* what was read of it, up to `filled` */
    size_t filled;
    size_t at; /* the next character */
    char line[TLR_LOAD_LOG_LINE];
};

int tlr_load_merged_create(struct tlr_load_merged **out)
{
    struct tlr_load_merged *merged = calloc(1, sizeof(*merged));
    if (merged == NULL) {
        return UV_ENOMEM;
    }
    merged->result.plan = &merged->plan;
    merged->result.figures = &merged->figures;
    merged->plan.addresses = &merged->address;
    merged->plan.address_count = 1;
    merged->plan.mode = TLR_LOAD_ECHO;
    tlr_load_figures_init(&merged->figures);
    tlr_load_tally_init(&merged->result.total);
    /* Where no log says where it went to: 0.0.0.0:0. */
    int err = uv_ip4_addr("0.0.0.0", 0, (struct sockaddr_in *)&merged->address);
    (void)err; /* it is one */
    *out = merged;
    return 0;
}

void tlr_load_merged_destroy(struct tlr_load_merged *merged)
{
    tlr_load_seconds_free(&merged->seconds);
    free(merged->result.intervals);
    free(merged);
}

/* ---- the result of a log ---- */

/* "127.0.0.1:7008" or "[::1]:7008"; names are not looked up. */
static void take_address(
    struct tlr_load_merged *merged, const struct tlr_load_result_note *note)
{
    char host[TLR_CLI_ADDRESS_LENGTH];
    const char *colon = strrchr(note->address, ':');
    uint64_t port;
    if (colon == NULL ||
        tlr_cli_parse_number(colon + 1, 0, 65535, &port) != 0) {
        return;
    }
    bool six = note->address[0] == '[' && colon > note->address + 1;
    size_t length = (size_t)(colon - note->address) - (six ? 2 : 0);
    memcpy(host, note->address + six, length);
    host[length] = '\0';
    struct sockaddr_storage address = {0};
    int err = six ? uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)&address)
                  : uv_ip4_addr(host, (int)port, (struct sockaddr_in *)&address);
    if (err == 0) {
        merged->address = address;
    }
}

/* Adds, and never overflows: a file may say anything. */
static bool add_to(uint64_t *sum, uint64_t more)
{
    bool fits = more <= UINT64_MAX - *sum;
    *sum = fits ? *sum + more : UINT64_MAX;
    return fits;
}

static bool add_to_32(uint32_t *sum, uint64_t more)
{
    bool fits = more <= UINT32_MAX - *sum;
    *sum = fits ? *sum + (uint32_t)more : UINT32_MAX;
    return fits;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* What differs from log to log without being a sum is the largest. */
static bool take_plan(struct tlr_load_plan *plan,
    const struct tlr_load_result_note_numbers *is)
{
    plan->rate += (double)is->rate;
    plan->size = larger(plan->size, is->size);
    plan->session = larger(plan->session, is->session);
    plan->think_ms = larger(plan->think_ms, is->think / 1000000);
    plan->ramp_ms = larger(plan->ramp_ms, is->ramp / 1000000);
    plan->warmup_ms = larger(plan->warmup_ms, is->warmup / 1000000);
    plan->duration_ms = larger(plan->duration_ms, is->duration / 1000000);
    plan->round_trips = larger(plan->round_trips, is->messages);
    plan->timeout_ms = larger(plan->timeout_ms, is->timeout / 1000000);
    plan->pieces = larger(plan->pieces, is->pieces);
    plan->read_rate = larger(plan->read_rate, is->read_rate);
    plan->write_rate = larger(plan->write_rate, is->write_rate);
    plan->source_count = (size_t)larger(plan->source_count, is->sources);
    plan->delay |= is->nodelay == 0;
    if (is->depth > UINT32_MAX || is->send_buffer > UINT32_MAX ||
        is->receive_buffer > UINT32_MAX || is->sources > UINT32_MAX) {
        return false;
    }
    plan->send_buffer = (unsigned)larger(plan->send_buffer, is->send_buffer);
    plan->receive_buffer =
        (unsigned)larger(plan->receive_buffer, is->receive_buffer);
    plan->depth = (uint32_t)larger(plan->depth, is->depth);
    return add_to_32(&plan->connections, is->connections) &&
           add_to_32(&plan->loops, is->loops);
}

static bool take_done(
    struct tlr_load_done *done, const struct tlr_load_done *its)
{
    return add_to(&done->round_trips, its->round_trips) &&
           add_to(&done->sessions, its->sessions) &&
           add_to(&done->bytes_sent, its->bytes_sent) &&
           add_to(&done->bytes_received, its->bytes_received);
}

/* Where they differ, none. */
static bool take_sizes(
    struct tlr_load_merged *merged, const struct tlr_load_result_note *note)
{
    struct tlr_load_sizes sizes;
    char text[TLR_LOAD_SIZES_TEXT];
    if (tlr_load_sizes_parse(note->sizes, &sizes) != 0) {
        return false;
    }
    if (!merged->moded) {
        merged->sizes = sizes;
    } else if (strcmp(tlr_load_sizes_format(&merged->sizes, text),
                   note->sizes) != 0) {
        merged->sizes.count = 0;
    }
    bool alike = merged->sizes.count == 1 &&
                 merged->sizes.rows[0].low == merged->sizes.rows[0].high;
    merged->plan.sizes = alike ? NULL : &merged->sizes;
    return true;
}

static bool take_figures(struct tlr_load_figures *figures,
    const struct tlr_load_result_note_numbers *is)
{
    return take_done(&figures->in_time, &is->in_time) &&
           add_to(&figures->round_trips, is->round_trips) &&
           add_to(&figures->sessions, is->sessions) &&
           add_to(&figures->bytes_sent, is->bytes_sent) &&
           add_to(&figures->bytes_received, is->bytes_received) &&
           add_to(&figures->bytes_verified, is->bytes_verified) &&
           add_to(&figures->errors, is->errors) &&
           add_to(&figures->busy_ns, is->busy) &&
           add_to(&figures->elapsed_ns, is->elapsed);
}

static bool take_total(struct tlr_load_tally *total,
    const struct tlr_load_result_note_numbers *is)
{
    bool fits = add_to(&total->connected, is->connected) &&
                add_to(&total->whole, is->whole) &&
                add_to(&total->bytes_sent, is->total_sent) &&
                add_to(&total->bytes_received, is->total_received) &&
                add_to(&total->bytes_verified, is->total_verified) &&
                add_to(&total->unsent, is->unsent);
    uint64_t failed = tlr_load_tally_failed(total);
    for (unsigned i = 0; i < TLR_LOAD_CAUSES; i++) {
        fits = fits && add_to(&total->errors[i], is->failed[i]) &&
               add_to(&failed, is->failed[i]);
    }
    return fits;
}

/* What a histogram's lines do not have. */
static bool take_extremes(struct tlr_load_histogram *now,
    const struct tlr_load_result_note_numbers *is)
{
    for (unsigned i = 0; i < TLR_LOAD_MEASURES; i++) {
        struct tlr_load_histogram *latency = &now[i];
        uint64_t min = is->latency[i][1];
        uint64_t max = is->latency[i][2];
        if (latency->count == 0) {
            continue;
        }
        if (min > max ||
            tlr_load_histogram_slot(min) !=
                tlr_load_histogram_slot(latency->min) ||
            tlr_load_histogram_slot(max) !=
                tlr_load_histogram_slot(latency->max)) {
            return false;
        }
        latency->min = min;
        latency->max = max;
    }
    return true;
}

static int take_result(struct tlr_load_merged *merged,
    const struct tlr_load_result_note *note, struct tlr_cli_text *complaint)
{
    struct tlr_load_result *result = &merged->result;
    double seconds = (double)note->is.seconds / 1e9;
    if (merged->moded && merged->plan.mode != note->mode) {
        tlr_cli_text_add(complaint,
            "a run of --mode %s, and another one is of %s: these are not of one "
            "kind",
            tlr_load_mode_name(note->mode),
            tlr_load_mode_name(merged->plan.mode));
        return UV_EINVAL;
    }
    if (!take_sizes(merged, note)) {
        tlr_cli_text_add(complaint, "sizes that cannot be");
        return UV_EINVAL;
    }
    if (!merged->moded) {
        take_address(merged, note);
    }
    merged->moded = true;
    merged->plan.mode = note->mode;
    merged->memory +=
        (double)note->is.memory * (double)note->is.connections;
    result->seconds = seconds > result->seconds ? seconds : result->seconds;
    result->stopped_early |= note->is.stopped_early != 0;
    result->aborted |= note->is.aborted != 0;
    if (!take_plan(&merged->plan, &note->is) ||
        !take_figures(&merged->figures, &note->is) ||
        !take_total(&result->total, &note->is) ||
        !take_extremes(merged->now, &note->is)) {
        tlr_cli_text_add(complaint, "a result that cannot be");
        return UV_EINVAL;
    }
    return 0;
}

/* ---- a log ---- */

/* Another program's line: what a line of ours says of an interval is made up from
 * its histogram. */
static int take_foreign(
    struct tlr_load_merged *merged, const struct tlr_load_log_line *line)
{
    struct tlr_load_interval_note note = {
        .seconds = line->seconds,
        .round_trips = line->histogram->count,
        .in_time.round_trips = line->histogram->count,
    };
    uint64_t end = line->seconds > UINT64_MAX - line->at
                       ? UINT64_MAX
                       : line->at + line->seconds;
    if (line->measure != TLR_LOAD_ROUND_TRIP) {
        return 0;
    }
    merged->first = line->at < merged->first ? line->at : merged->first;
    merged->last = larger(merged->last, end);
    return add_to(&merged->figures.round_trips, line->histogram->count) &&
                   add_to(&merged->figures.in_time.round_trips,
                       line->histogram->count)
               ? tlr_load_seconds_note(
                     &merged->seconds, merged->logs, line->at, &note)
               : UV_ERANGE;
}

static int take_histogram(struct tlr_load_merged *merged, bool ours,
    const struct tlr_load_log_line *line)
{
    if (line->measure == TLR_LOAD_MEASURES) {
        merged->odd_tags++;
        return 0;
    }
    struct tlr_load_histogram *to = &merged->now[line->measure];
    if ((to->count + line->histogram->count) >> 63 != 0) {
        return UV_ERANGE;
    }
    tlr_load_histogram_merge(to, line->histogram);
    int err = ours ? 0 : take_foreign(merged, line);
    if (err == 0 && (!ours || merged->in_interval)) {
        err = tlr_load_seconds_histogram(&merged->seconds, merged->logs,
            ours ? merged->interval_at : line->at,
            ours ? merged->interval_seconds : line->seconds, line);
    }
    return err;
}

static int take_interval(
    struct tlr_load_merged *merged, const struct tlr_load_log_line *line)
{
    merged->in_interval = true;
    merged->interval_at = line->at;
    merged->interval_seconds = line->seconds;
    return tlr_load_seconds_note(
        &merged->seconds, merged->logs, line->at, &line->interval);
}

static int take_line(struct tlr_load_merged *merged, bool ours,
    const struct tlr_load_log_line *line, struct tlr_cli_text *complaint)
{
    int err = 0;
    switch (line->kind) {
    case TLR_LOAD_LOG_NOTHING:
        break;
    case TLR_LOAD_LOG_HISTOGRAM:
        err = take_histogram(merged, ours, line);
        break;
    case TLR_LOAD_LOG_INTERVAL:
        err = take_interval(merged, line);
        break;
    case TLR_LOAD_LOG_BEFORE:
        merged->in_interval = false;
        break;
    case TLR_LOAD_LOG_RESULT:
        return take_result(merged, &line->result, complaint);
    }
    if (err != 0) {
        tlr_cli_text_add(complaint, "%s", uv_strerror(err));
    }
    return err;
}

/* The next character of the file. *more: there was one. */
static int get_character(struct tlr_load_merged *merged, char *next, bool *more)
{
    if (merged->at == merged->filled) {
        int got = tlr_load_file_read(merged->file, merged->block, BLOCK);
        merged->filled = got > 0 ? (size_t)got : 0;
        merged->at = 0;
        if (got <= 0) {
            *more = false;
            return got;
        }
    }
    *next = merged->block[merged->at++];
    *more = true;
    return 0;
}

/* The next line, without its end, into merged->line. *more: there was one.
 * Returns 0, UV_EMSGSIZE: it is too long; or what reading has failed with. */
static int get_line(struct tlr_load_merged *merged, size_t *length, bool *more)
{
    char next = '\0';
    int err = get_character(merged, &next, more);
    bool goes_on = *more;
    *length = 0;
    while (err == 0 && goes_on && next != '\n') {
        if (*length == sizeof(merged->line)) {
            return UV_EMSGSIZE;
        }
        merged->line[(*length)++] = next;
        err = get_character(merged, &next, &goes_on);
    }
    return err;
}

static int read_lines(struct tlr_load_merged *merged,
    struct tlr_load_log_reader *reader, uint64_t *number,
    struct tlr_cli_text *complaint)
{
    struct tlr_load_log_line line;
    size_t length;
    bool more;
    for (;;) {
        (*number)++;
        int err = get_line(merged, &length, &more);
        if (err == UV_EMSGSIZE) {
            tlr_cli_text_add(complaint, "longer than any line of a log");
            return UV_EINVAL;
        }
        if (err != 0) {
            tlr_cli_text_add(complaint, "%s", uv_strerror(err));
            return err;
        }
        if (!more) {
            return tlr_load_log_reader_end(reader, complaint);
        }
        err = tlr_load_log_reader_line(
            reader, merged->line, length, &line, complaint);
        if (err == 0) {
            err = take_line(merged, tlr_load_log_reader_is_ours(reader), &line,
                complaint);
        }
        if (err != 0) {
            return err;
        }
    }
}

/* What was read of a whole log is added to what there is. */
static int add_log(struct tlr_load_merged *merged, bool ours)
{
    struct tlr_load_result *result = &merged->result;
    if (!ours) {
        double seconds = merged->last > merged->first
                             ? (double)(merged->last - merged->first) / 1e9
                             : 0;
        result->foreign = true;
        result->seconds =
            seconds > result->seconds ? seconds : result->seconds;
    }
    for (unsigned i = 0; i < TLR_LOAD_MEASURES; i++) {
        struct tlr_load_histogram *to = &merged->figures.latency[i];
        if ((to->count + merged->now[i].count) >> 63 != 0) {
            return UV_ERANGE;
        }
        tlr_load_histogram_merge(to, &merged->now[i]);
    }
    merged->logs++;
    return 0;
}

static void say_what_is_left_out(const struct tlr_load_merged *merged,
    const char *path, bool ours, struct tlr_cli_text *notes)
{
    if (!ours) {
        tlr_cli_text_add(notes,
            "%s is not of teller-load: its latencies are taken as round trips "
            "in nanoseconds, and more of it is not known\n",
            path);
    }
    if (merged->odd_tags > 0) {
        tlr_cli_text_add(notes,
            "%s: %" PRIu64 " lines with other tags are left out\n", path,
            merged->odd_tags);
    }
}

static void start_log(struct tlr_load_merged *merged)
{
    merged->in_interval = false;
    merged->odd_tags = 0;
    merged->first = UINT64_MAX;
    merged->last = 0;
    merged->filled = 0;
    merged->at = 0;
    for (unsigned i = 0; i < TLR_LOAD_MEASURES; i++) {
        tlr_load_histogram_init(&merged->now[i]);
    }
}

int tlr_load_merged_add(struct tlr_load_merged *merged, const char *path,
    struct tlr_cli_text *notes, struct tlr_cli_text *complaint)
{
    struct tlr_load_log_reader *reader = NULL;
    struct tlr_cli_text wrong = {0};
    uint64_t number = 0;
    start_log(merged);
    merged->file = tlr_load_file_open(path);
    int err = merged->file < 0 ? merged->file : 0;
    if (err == 0) {
        err = tlr_load_log_reader_create(&reader);
    }
    if (err == 0) {
        err = read_lines(merged, reader, &number, &wrong);
    }
    if (err == 0) {
        bool ours = tlr_load_log_reader_is_ours(reader);
        err = add_log(merged, ours);
        say_what_is_left_out(merged, path, ours, notes);
    }
    if (err != 0 && number > 0) {
        tlr_cli_text_add(complaint, "%s: line %" PRIu64 ": %s", path, number,
            wrong.length > 0 ? tlr_cli_text_get(&wrong) : uv_strerror(err));
    } else if (err != 0) {
        tlr_cli_text_add(
            complaint, "cannot read %s: %s", path, uv_strerror(err));
    }
    tlr_cli_text_free(&wrong);
    tlr_load_log_reader_destroy(reader);
    if (merged->file >= 0) {
        (void)tlr_load_file_close(merged->file); /* it was only read */
    }
    return err;
}

const struct tlr_load_result *tlr_load_merged_result(
    struct tlr_load_merged *merged)
{
    struct tlr_load_result *result = &merged->result;
    int err = tlr_load_seconds_intervals(&merged->seconds,
        tlr_load_main_measure(&merged->plan), &result->intervals,
        &result->interval_count);
    if (err != 0) {
        return NULL;
    }
    result->began =
        tlr_load_seconds_of(tlr_load_seconds_begin(&merged->seconds));
    result->memory = merged->plan.connections == 0
                         ? 0
                         : merged->memory / merged->plan.connections;
    return result;
}
