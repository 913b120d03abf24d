/* SPDX-License-Identifier: MIT */
/*
 * A line is "[Tag=NAME,]BEGIN,LENGTH,MAXIMUM,HISTOGRAM", with times in seconds.
 * BEGIN counts from BaseTime; where no line gives one, from StartTime if it is
 * more than a year before that, and else from 1970: as HdrHistogram's own readers
 * have it.
 *
 * In a log of ours: the line that says so, intervals, what was before them, the
 * result, and nothing behind it. Every histogram counts in the sums that the
 * result is compared with.
 */
#include "log_reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#define SECOND UINT64_C(1000000000)
#define YEAR (UINT64_C(365) * 86400 * SECOND)

enum part {
    HEAD, /* before the first line with a histogram */
    OURS, /* of ours: before the result */
    OTHER,
    END /* of ours: behind the result */
};

struct tlr_load_log_reader {
    enum part part;
    bool ours;
    bool based;      /* `base` is known */
    uint64_t base;   /* nanoseconds since 1970 */
    uint64_t start;  /* likewise: StartTime, or 0 */
    uint64_t counts[TLR_LOAD_MEASURES]; /* of all lines so far */
    struct tlr_load_histogram histogram;
    struct tlr_load_hdr_room room;
};

/* What is left of a line. */
struct rest {
    const char *at;
    size_t length;
};

int tlr_load_log_reader_create(struct tlr_load_log_reader **out)
{
    struct tlr_load_log_reader *reader = calloc(1, sizeof(*reader));
    if (reader == NULL) {
        return UV_ENOMEM;
    }
    *out = reader;
    return 0;
}

void tlr_load_log_reader_destroy(struct tlr_load_log_reader *reader)
{
    free(reader);
}

bool tlr_load_log_reader_is_ours(const struct tlr_load_log_reader *reader)
{
    return reader->ours;
}

static bool begins(struct rest rest, const char *with)
{
    size_t length = strlen(with);
    return rest.length >= length && memcmp(rest.at, with, length) == 0;
}

static bool is(struct rest rest, const char *text)
{
    return rest.length == strlen(text) && begins(rest, text);
}

static void skip(struct rest *rest, size_t length)
{
    rest->at += length;
    rest->length -= length;
}

static bool is_blank(char character)
{
    return character == ' ' || character == '\t';
}

/* Up to the next comma, without blanks around it; the comma is gone, too. */
static struct rest take_field(struct rest *rest)
{
    const char *comma = memchr(rest->at, ',', rest->length);
    struct rest field = *rest;
    if (comma != NULL) {
        field.length = (size_t)(comma - rest->at);
    }
    skip(rest, field.length + (comma != NULL));
    while (field.length > 0 && is_blank(*field.at)) {
        skip(&field, 1);
    }
    while (field.length > 0 && is_blank(field.at[field.length - 1])) {
        field.length--;
    }
    return field;
}

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

/*
 * "12.345": in units of 10^-9, what is finer is cut off. Takes it from `rest`.
 * False: it is none, or larger than that goes (18,446,744,073).
 */
static bool take_decimal(struct rest *rest, uint64_t *billionths)
{
    uint64_t value = 0;
    size_t digits = 0;
    unsigned decimals = 0;
    bool point = false;
    for (; rest->length > 0; skip(rest, 1)) {
        char next = *rest->at;
        if (next == '.' && !point && digits > 0) {
            point = true;
            continue;
        }
        if (!is_digit(next)) {
            break;
        }
        digits++;
        if (decimals == 9) {
            continue;
        }
        decimals += point;
        unsigned digit = (unsigned)(next - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    for (; decimals < 9; decimals++) {
        if (value > UINT64_MAX / 10) {
            return false;
        }
        value *= 10;
    }
    *billionths = value;
    return digits > 0;
}

static bool is_decimal(struct rest field, uint64_t *billionths)
{
    return take_decimal(&field, billionths) && field.length == 0;
}

/* ---- histograms ---- */

static const char *what_is_wrong(int err)
{
    switch (err) {
    case UV_ENOTSUP:
        return "of another precision or unit than ours (three digits), or this "
               "program was built without zlib";
    case UV_ERANGE:
        return "with values of more than 73 minutes in nanoseconds, or too many";
    case UV_ENOBUFS:
        return "larger than any of ours";
    case UV_ENOMEM:
        return "for which there is no memory";
    default:
        return "damaged";
    }
}

static int complain(struct tlr_cli_text *complaint, const char *what)
{
    tlr_cli_text_add(complaint, "%s", what);
    return UV_EINVAL;
}

static void take_tag(struct rest *rest, struct tlr_load_log_line *line)
{
    line->measure = TLR_LOAD_ROUND_TRIP;
    if (!begins(*rest, "Tag=")) {
        return;
    }
    struct rest tag = take_field(rest);
    skip(&tag, strlen("Tag="));
    size_t length = tag.length < TLR_LOAD_LOG_TAG - 1 ? tag.length
                                                      : TLR_LOAD_LOG_TAG - 1;
    memcpy(line->tag, tag.at, length);
    line->tag[length] = '\0';
    line->measure = TLR_LOAD_MEASURES;
    for (unsigned i = TLR_LOAD_CONNECTING; i < TLR_LOAD_MEASURES; i++) {
        if (is(tag, tlr_load_measure_name((enum tlr_load_measure)i))) {
            line->measure = (enum tlr_load_measure)i;
        }
    }
}

static uint64_t base_for(struct tlr_load_log_reader *reader, uint64_t at)
{
    if (!reader->based) {
        reader->based = true;
        reader->base =
            reader->start > YEAR && at < reader->start - YEAR ? reader->start
                                                              : 0;
    }
    return reader->base;
}

/* In ours the maximum is exact. */
static bool take_maximum(
    struct tlr_load_histogram *histogram, struct rest field)
{
    uint64_t ms;
    if (!is_decimal(field, &ms)) {
        return false;
    }
    uint64_t max = ms / 1000;
    if (histogram->count == 0) {
        return max == 0;
    }
    if (tlr_load_histogram_slot(max) !=
        tlr_load_histogram_slot(histogram->max)) {
        return false;
    }
    histogram->max = max;
    histogram->min = histogram->min < max ? histogram->min : max;
    return true;
}

static int read_histogram(struct tlr_load_log_reader *reader, struct rest rest,
    struct tlr_load_log_line *line, struct tlr_cli_text *complaint)
{
    line->kind = TLR_LOAD_LOG_HISTOGRAM;
    line->histogram = &reader->histogram;
    line->packed = reader->room.packed;
    line->plain = reader->room.plain;
    take_tag(&rest, line);
    struct rest begin = take_field(&rest);
    struct rest seconds = take_field(&rest);
    struct rest maximum = take_field(&rest);
    struct rest text = take_field(&rest);
    if (!is_decimal(begin, &line->at) || !is_decimal(seconds, &line->seconds) ||
        text.length == 0) {
        return complain(complaint, "no line of a histogram log");
    }
    uint64_t base = base_for(reader, line->at);
    if (line->at > UINT64_MAX - base) {
        return complain(complaint, "a time that is none");
    }
    line->at += base;
    int err = tlr_load_hdr_from_text(&reader->histogram, text.at, text.length,
        &reader->room, &line->packed_size);
    if (err != 0) {
        tlr_cli_text_add(complaint, "a histogram %s", what_is_wrong(err));
        return err;
    }
    /* Not what was read: that may be some hundred times as long. */
    line->plain_size =
        tlr_load_hdr_encode(&reader->histogram, reader->room.plain);
    if (!reader->ours) {
        reader->part = OTHER;
        return 0;
    }
    if (reader->part != OURS || line->measure == TLR_LOAD_MEASURES ||
        !take_maximum(&reader->histogram, maximum)) {
        return complain(complaint, "a histogram that is not as it was written");
    }
    reader->counts[line->measure] += reader->histogram.count;
    return 0;
}

/* ---- comments ---- */

/* "#[StartTime: 1441812279.474 (seconds since epoch), ...]" */
static bool take_time(struct rest rest, const char *begin, uint64_t *time)
{
    if (!begins(rest, begin)) {
        return false;
    }
    skip(&rest, strlen(begin));
    return take_decimal(&rest, time);
}

static int read_interval(struct tlr_load_log_reader *reader, struct rest rest,
    struct tlr_load_log_line *line, struct tlr_cli_text *complaint)
{
    line->kind = TLR_LOAD_LOG_INTERVAL;
    int err =
        tlr_load_interval_note_read(&line->interval, rest.at, rest.length);
    if (err != 0 || line->interval.from > UINT64_MAX - reader->base) {
        return complain(complaint, "an interval that is not whole");
    }
    line->at = reader->base + line->interval.from;
    line->seconds = line->interval.seconds;
    return 0;
}

static int read_result(struct tlr_load_log_reader *reader, struct rest rest,
    struct tlr_load_log_line *line, struct tlr_cli_text *complaint)
{
    int err = tlr_load_result_note_read(&line->result, rest.at, rest.length);
    if (err != 0) {
        return complain(complaint, "a result that is not whole");
    }
    for (unsigned i = 0; i < TLR_LOAD_MEASURES; i++) {
        uint64_t wanted = line->result.is.latency[i][0];
        if (reader->counts[i] != wanted) {
            tlr_cli_text_add(complaint,
                "it has %" PRIu64 " values of %s, and the lines before it "
                "have %" PRIu64 ": some are missing",
                wanted, tlr_load_measure_name((enum tlr_load_measure)i),
                reader->counts[i]);
            return UV_EINVAL;
        }
    }
    line->kind = TLR_LOAD_LOG_RESULT;
    reader->part = END;
    return 0;
}

/* A line of ours. */
static int read_note(struct tlr_load_log_reader *reader, struct rest rest,
    struct tlr_load_log_line *line, struct tlr_cli_text *complaint)
{
    if (is(rest, TLR_LOAD_NOTE_LOG)) {
        if (reader->part != HEAD) {
            return complain(complaint,
                "a second log in the same file: give them one by one");
        }
        reader->ours = true;
        reader->part = OURS;
        return 0;
    }
    if (reader->part != OURS) {
        return complain(complaint, "a line that has no place here");
    }
    if (is(rest, TLR_LOAD_NOTE_BEFORE)) {
        line->kind = TLR_LOAD_LOG_BEFORE;
        return 0;
    }
    if (begins(rest, TLR_LOAD_NOTE_INTERVAL)) {
        return read_interval(reader, rest, line, complaint);
    }
    if (begins(rest, TLR_LOAD_NOTE_RESULT)) {
        return read_result(reader, rest, line, complaint);
    }
    return complain(complaint, "a line of a version that is not known here");
}

static int read_comment(struct tlr_load_log_reader *reader, struct rest rest,
    struct tlr_load_log_line *line, struct tlr_cli_text *complaint)
{
    if (begins(rest, TLR_LOAD_NOTE)) {
        return read_note(reader, rest, line, complaint);
    }
    (void)take_time(rest, "#[StartTime: ", &reader->start); /* or it stays 0 */
    if (take_time(rest, "#[BaseTime: ", &reader->base)) {
        reader->based = true;
    }
    return 0;
}

int tlr_load_log_reader_line(struct tlr_load_log_reader *reader,
    const char *text, size_t length, struct tlr_load_log_line *line,
    struct tlr_cli_text *complaint)
{
    struct rest rest = {.at = text, .length = length};
    memset(line, 0, sizeof(*line));
    if (rest.length > 0 && rest.at[rest.length - 1] == '\r') {
        rest.length--;
    }
    if (rest.length == 0 || begins(rest, "\"StartTimestamp\"")) {
        return 0;
    }
    return *rest.at == '#'
               ? read_comment(reader, rest, line, complaint)
               : read_histogram(reader, rest, line, complaint);
}

int tlr_load_log_reader_end(const struct tlr_load_log_reader *reader,
    struct tlr_cli_text *complaint)
{
    switch (reader->part) {
    case OURS:
        return complain(complaint,
            "its last line is missing: it was cut off, or the run was killed");
    case HEAD:
        return complain(complaint, "no log: it has no histogram");
    default:
        return 0;
    }
}
