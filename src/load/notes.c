/* SPDX-License-Identifier: MIT */
/* One list of names for each kind of line: it is written by going through it, and
 * read by looking each name up in the line. */
#include "notes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/parse.h"
#include "reached.h"

enum { NAME = 32, NUMBER = 24 };

/* What is done with each name and its number. */
typedef void (*number_cb)(void *data, const char *name, uint64_t *number);

static void each_in_time(
    struct tlr_load_done *done, number_cb number, void *data)
{
    number(data, "round_trips_in_time", &done->round_trips);
    number(data, "sessions_in_time", &done->sessions);
    number(data, "bytes_sent_in_time", &done->bytes_sent);
    number(data, "bytes_received_in_time", &done->bytes_received);
}

static void each_of_interval(struct tlr_load_interval_note *note,
    number_cb number, void *data)
{
    number(data, "from", &note->from);
    number(data, "seconds", &note->seconds);
    number(data, "round_trips", &note->round_trips);
    number(data, "sessions", &note->sessions);
    number(data, "bytes_sent", &note->bytes_sent);
    number(data, "bytes_received", &note->bytes_received);
    number(data, "errors", &note->errors);
    number(data, "open", &note->open);
    each_in_time(&note->in_time, number, data);
    number(data, "busy", &note->busy);
    number(data, "elapsed", &note->elapsed);
}

static void each_latency(struct tlr_load_result_note_numbers *is,
    number_cb number, void *data)
{
    static const char *const kinds[3] = {"count", "min", "max"};
    char name[NAME];
    for (unsigned i = 0; i < TLR_LOAD_MEASURES; i++) {
        for (unsigned kind = 0; kind < 3; kind++) {
            (void)snprintf(name, NAME, "%s_%s",
                tlr_load_measure_name((enum tlr_load_measure)i), kinds[kind]);
            number(data, name, &is->latency[i][kind]);
        }
    }
}

static void each_cause(struct tlr_load_result_note_numbers *is,
    number_cb number, void *data)
{
    char name[NAME];
    for (unsigned i = 0; i < TLR_LOAD_CAUSES; i++) {
        (void)snprintf(name, NAME, "error_%s",
            tlr_load_cause_name((enum tlr_load_cause)i));
        number(data, name, &is->failed[i]);
    }
}

static void each_of_result(struct tlr_load_result_note_numbers *is,
    number_cb number, void *data)
{
    number(data, "began_us", &is->began);
    number(data, "seconds", &is->seconds);
    number(data, "duration", &is->duration);
    number(data, "warmup", &is->warmup);
    number(data, "ramp", &is->ramp);
    number(data, "think", &is->think);
    number(data, "connections", &is->connections);
    number(data, "loops", &is->loops);
    number(data, "depth", &is->depth);
    number(data, "size", &is->size);
    number(data, "session", &is->session);
    number(data, "rate", &is->rate);
    number(data, "round_trips_per_connection", &is->messages);
    number(data, "timeout", &is->timeout);
    number(data, "pieces", &is->pieces);
    number(data, "read_rate", &is->read_rate);
    number(data, "write_rate", &is->write_rate);
    number(data, "send_buffer", &is->send_buffer);
    number(data, "receive_buffer", &is->receive_buffer);
    number(data, "nodelay", &is->nodelay);
    number(data, "sources", &is->sources);
    number(data, "memory", &is->memory);
    number(data, "stopped_early", &is->stopped_early);
    number(data, "aborted", &is->aborted);
    number(data, "round_trips", &is->round_trips);
    number(data, "sessions", &is->sessions);
    number(data, "bytes_sent", &is->bytes_sent);
    number(data, "bytes_received", &is->bytes_received);
    number(data, "bytes_verified", &is->bytes_verified);
    number(data, "errors", &is->errors);
    each_in_time(&is->in_time, number, data);
    number(data, "busy", &is->busy);
    number(data, "elapsed", &is->elapsed);
    number(data, "connected", &is->connected);
    number(data, "whole", &is->whole);
    number(data, "total_sent", &is->total_sent);
    number(data, "total_received", &is->total_received);
    number(data, "total_verified", &is->total_verified);
    number(data, "unsent", &is->unsent);
    each_latency(is, number, data);
    each_cause(is, number, data);
}

/* ---- writing ---- */

static void write_number(void *data, const char *name, uint64_t *number)
{
    struct tlr_cli_text *text = data;
    tlr_cli_text_add(text, " %s=%" PRIu64, name, *number);
}

static uint64_t whole(double number)
{
    return number > 0 ? (uint64_t)(number + 0.5) : 0;
}

void tlr_load_interval_note_add(struct tlr_cli_text *text,
    const struct tlr_load_interval *interval,
    const struct tlr_load_figures *figures)
{
    struct tlr_load_interval_note note = {
        .from = whole(interval->from * 1e9),
        .seconds = whole(interval->seconds * 1e9),
        .round_trips = interval->round_trips,
        .sessions = interval->sessions,
        .bytes_sent = interval->bytes_sent,
        .bytes_received = interval->bytes_received,
        .errors = interval->errors,
        .open = interval->open,
        .in_time = interval->in_time,
        .busy = figures->busy_ns,
        .elapsed = figures->elapsed_ns,
    };
    /* Less the blank at its end: each name has one before it. */
    tlr_cli_text_add(text, "%.*s", (int)sizeof(TLR_LOAD_NOTE_INTERVAL) - 2,
        TLR_LOAD_NOTE_INTERVAL);
    each_of_interval(&note, write_number, text);
    tlr_cli_text_add(text, "]\n");
}

static void take_plan(struct tlr_load_result_note_numbers *is,
    const struct tlr_load_plan *plan)
{
    is->duration = plan->duration_ms * 1000000;
    is->warmup = plan->warmup_ms * 1000000;
    is->ramp = plan->ramp_ms * 1000000;
    is->think = plan->think_ms * 1000000;
    is->connections = plan->connections;
    is->loops = plan->loops;
    is->depth = plan->depth;
    is->size = plan->size;
    is->session = plan->session;
    is->rate = whole(plan->rate);
    is->messages = plan->round_trips;
    is->timeout = plan->timeout_ms * 1000000;
    is->pieces = plan->pieces;
    is->read_rate = plan->read_rate;
    is->write_rate = plan->write_rate;
    is->send_buffer = plan->send_buffer;
    is->receive_buffer = plan->receive_buffer;
    is->nodelay = !plan->delay;
    is->sources = plan->source_count;
}

static void take_figures(struct tlr_load_result_note_numbers *is,
    const struct tlr_load_figures *figures)
{
    is->round_trips = figures->round_trips;
    is->sessions = figures->sessions;
    is->bytes_sent = figures->bytes_sent;
    is->bytes_received = figures->bytes_received;
    is->bytes_verified = figures->bytes_verified;
    is->errors = figures->errors;
    is->in_time = figures->in_time;
    is->busy = figures->busy_ns;
    is->elapsed = figures->elapsed_ns;
    for (unsigned i = 0; i < TLR_LOAD_MEASURES; i++) {
        const struct tlr_load_histogram *latency = &figures->latency[i];
        is->latency[i][0] = latency->count;
        is->latency[i][1] = latency->count == 0 ? 0 : latency->min;
        is->latency[i][2] = latency->max;
    }
}

static void take_total(struct tlr_load_result_note_numbers *is,
    const struct tlr_load_tally *total)
{
    is->connected = total->connected;
    is->whole = total->whole;
    is->total_sent = total->bytes_sent;
    is->total_received = total->bytes_received;
    is->total_verified = total->bytes_verified;
    is->unsent = total->unsent;
    memcpy(is->failed, total->errors, sizeof(is->failed));
}

void tlr_load_result_note_add(
    struct tlr_cli_text *text, const struct tlr_load_result *result)
{
    const struct tlr_load_plan *plan = result->plan;
    char address[TLR_CLI_ADDRESS_LENGTH];
    char sizes[TLR_LOAD_SIZES_TEXT];
    struct tlr_load_result_note_numbers is = {
        .began = whole(result->began * 1e6),
        .seconds = whole(result->seconds * 1e9),
        .memory = whole(result->memory),
        .stopped_early = result->stopped_early,
        .aborted = result->aborted,
    };
    take_plan(&is, plan);
    take_figures(&is, result->figures);
    take_total(&is, &result->total);
    tlr_cli_text_add(text, "%smode=%s address=%s sizes=%s",
        TLR_LOAD_NOTE_RESULT, tlr_load_mode_name(plan->mode),
        tlr_cli_format_address(tlr_load_reached_first(result), address),
        tlr_load_plan_sizes(plan, sizes));
    each_of_result(&is, write_number, text);
    tlr_cli_text_add(text, "]\n");
}

/* ---- reading ---- */

struct reading {
    const char *words; /* with one blank before each */
    size_t length;
    bool bad;
};

/* The value of a name, up to the next blank; or NULL. */
static const char *find(
    const struct reading *reading, const char *name, size_t *length)
{
    size_t size = strlen(name);
    const char *at = reading->words;
    const char *end = at + reading->length;
    while (at < end) {
        const char *word = at + 1; /* `at` is a blank */
        const char *blank = memchr(word, ' ', (size_t)(end - word));
        at = blank == NULL ? end : blank;
        if ((size_t)(at - word) > size && memcmp(word, name, size) == 0 &&
            word[size] == '=') {
            *length = (size_t)(at - word) - size - 1;
            return word + size + 1;
        }
    }
    return NULL;
}

/* Names that logs of before --think do not have: in them nobody thought. */
static bool may_be_absent(const char *name)
{
    return strncmp(name, "think", strlen("think")) == 0;
}

static void read_number(void *data, const char *name, uint64_t *number)
{
    struct reading *reading = data;
    size_t length;
    char digits[NUMBER];
    const char *value = find(reading, name, &length);
    if (value == NULL && may_be_absent(name)) {
        return; /* it is 0 */
    }
    if (value == NULL || length >= sizeof(digits)) {
        reading->bad = true;
        return;
    }
    memcpy(digits, value, length);
    digits[length] = '\0';
    if (tlr_cli_parse_number(digits, 0, UINT64_MAX, number) != 0) {
        reading->bad = true;
    }
}

/* What is between `begin`, whose last character is a blank, and "]". */
static struct reading words_of(
    const char *line, size_t length, const char *begin)
{
    size_t before = strlen(begin) - 1;
    struct reading reading = {.words = line, .bad = true};
    if (length > before + 1 && memcmp(line, begin, before + 1) == 0 &&
        line[length - 1] == ']' && memchr(line, '\0', length) == NULL) {
        reading.words = line + before;
        reading.length = length - before - 1;
        reading.bad = false;
    }
    return reading;
}

int tlr_load_interval_note_read(
    struct tlr_load_interval_note *note, const char *line, size_t length)
{
    struct reading reading =
        words_of(line, length, TLR_LOAD_NOTE_INTERVAL);
    memset(note, 0, sizeof(*note));
    if (!reading.bad) {
        each_of_interval(note, read_number, &reading);
    }
    return reading.bad ? UV_EINVAL : 0;
}

/* The word of that name into `text`, which has room for `room` characters. */
static bool read_word(const struct reading *reading, const char *name,
    char *text, size_t room)
{
    size_t length;
    const char *value = find(reading, name, &length);
    if (value == NULL || length >= room) {
        return false;
    }
    memcpy(text, value, length);
    text[length] = '\0';
    return true;
}

static bool read_mode(
    const struct reading *reading, enum tlr_load_mode *mode)
{
    size_t length;
    const char *value = find(reading, "mode", &length);
    for (unsigned i = 0; value != NULL && i < TLR_LOAD_MODES; i++) {
        const char *name = tlr_load_mode_name((enum tlr_load_mode)i);
        if (strlen(name) == length && memcmp(name, value, length) == 0) {
            *mode = (enum tlr_load_mode)i;
            return true;
        }
    }
    return false;
}

int tlr_load_result_note_read(
    struct tlr_load_result_note *note, const char *line, size_t length)
{
    struct reading reading = words_of(line, length, TLR_LOAD_NOTE_RESULT);
    memset(note, 0, sizeof(*note));
    if (reading.bad || !read_mode(&reading, &note->mode) ||
        !read_word(&reading, "address", note->address,
            sizeof(note->address)) ||
        !read_word(&reading, "sizes", note->sizes, sizeof(note->sizes))) {
        return UV_EINVAL;
    }
    each_of_result(&note->is, read_number, &reading);
    return reading.bad ? UV_EINVAL : 0;
}
