/* SPDX-License-Identifier: MIT */
/*
 * The head of the file is written with the first interval, which knows when the
 * time began. An error is kept, and told by close; nothing more is written then.
 */
#include "log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "files.h"
#include "hdr.h"
#include "notes.h"
#include "squeeze.h"

struct tlr_load_log {
    uv_file file;
    const char *path;
    int err; /* the first one */
    bool begun; /* the head is written */
    struct tlr_cli_text line;
    struct tlr_load_histogram connects; /* of all intervals so far */
    struct tlr_load_hdr_room room;
};

int tlr_load_log_open(struct tlr_load_log **out, const char *path,
    struct tlr_cli_text *complaint)
{
    if (!tlr_load_squeeze_is_here()) {
        tlr_cli_text_add(complaint,
            "cannot write the log %s: this program was built without zlib, "
            "which compresses it; build it anew where zlib's header is",
            path);
        return UV_ENOTSUP;
    }
    struct tlr_load_log *log = calloc(1, sizeof(*log));
    int err = log == NULL ? UV_ENOMEM : 0;
    if (log != NULL) {
        log->path = path;
        tlr_load_histogram_init(&log->connects);
        log->file = tlr_load_file_create(path);
        err = log->file < 0 ? log->file : 0;
    }
    if (err != 0) {
        tlr_cli_text_add(
            complaint, "cannot write the log %s: %s", path, uv_strerror(err));
        free(log);
        return err;
    }
    *out = log;
    return 0;
}

/* Appends what has been gathered to the file, as far as nothing was wrong. */
static void write_out(struct tlr_load_log *log)
{
    if (log->err == 0) {
        log->err = tlr_load_file_write(log->file, &log->line);
    }
    tlr_cli_text_free(&log->line);
}

static void add_head(struct tlr_load_log *log, double began)
{
    char date[64] = "";
    time_t seconds = (time_t)began;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread asks for a date */
    const struct tm *utc = gmtime(&seconds);
    if (utc == NULL ||
        strftime(date, sizeof(date), "%a %b %d %H:%M:%S UTC %Y", utc) == 0) {
        (void)snprintf(date, sizeof(date), "UTC");
    }
    /* The times below count from BaseTime. */
    tlr_cli_text_add(&log->line,
        "#[Histogram log format version 1.3]\n"
        "#[StartTime: %.3f (seconds since epoch), %s]\n"
        "#[BaseTime: %.3f (seconds since epoch)]\n"
        TLR_LOAD_NOTE_LOG "\n"
        "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
        "\"Interval_Compressed_Histogram\"\n",
        began, date, began);
}

static void add_histogram(struct tlr_load_log *log,
    enum tlr_load_measure measure, double from, double seconds,
    const struct tlr_load_histogram *histogram)
{
    int err = tlr_load_hdr_to_text(histogram, &log->room);
    if (err != 0) {
        log->err = log->err == 0 ? err : log->err;
        return;
    }
    if (measure != TLR_LOAD_ROUND_TRIP) {
        tlr_cli_text_add(
            &log->line, "Tag=%s,", tlr_load_measure_name(measure));
    }
    tlr_cli_text_add(&log->line, "%.3f,%.3f,%" PRIu64 ".%06u,%s\n", from,
        seconds, histogram->max / 1000000,
        (unsigned)(histogram->max % 1000000), log->room.text);
}

void tlr_load_log_interval(struct tlr_load_log *log,
    const struct tlr_load_interval *interval,
    const struct tlr_load_figures *figures)
{
    if (!log->begun) {
        log->begun = true;
        add_head(log, interval->at - interval->from);
    }
    tlr_load_interval_note_add(&log->line, interval, figures);
    for (unsigned i = 0; i < TLR_LOAD_MEASURES; i++) {
        const struct tlr_load_histogram *latency = &figures->latency[i];
        if (i == TLR_LOAD_ROUND_TRIP || latency->count > 0) {
            add_histogram(log, (enum tlr_load_measure)i, interval->from,
                interval->seconds, latency);
        }
    }
    tlr_load_histogram_merge(
        &log->connects, &figures->latency[TLR_LOAD_CONNECTING]);
    write_out(log);
}

/* The values of `all` that `part` has not; `part` becomes these. Of the largest
 * one no more is known than its slot, unless it is that of `all`. */
static void subtract(struct tlr_load_histogram *part,
    const struct tlr_load_histogram *all)
{
    uint64_t had = part->max;
    uint64_t count = 0;
    part->min = UINT64_MAX;
    part->max = 0;
    for (size_t i = 0; i < TLR_LOAD_HISTOGRAM_SLOTS; i++) {
        part->slots[i] = all->slots[i] - part->slots[i];
        count += part->slots[i];
        if (part->slots[i] > 0) {
            uint64_t largest = tlr_load_histogram_largest(i);
            part->min = part->min == UINT64_MAX
                            ? tlr_load_histogram_smallest(i)
                            : part->min;
            part->max = largest < all->max ? largest : all->max;
        }
    }
    part->count = count;
    if (count > 0 && all->max > had) {
        part->max = all->max;
    }
}

/* Those connects that were made before the time ran are in no interval. */
static void add_end(
    struct tlr_load_log *log, const struct tlr_load_result *result)
{
    if (!log->begun) {
        log->begun = true;
        add_head(log, result->began);
    }
    subtract(&log->connects, &result->figures->latency[TLR_LOAD_CONNECTING]);
    if (log->connects.count > 0) {
        tlr_cli_text_add(&log->line, TLR_LOAD_NOTE_BEFORE "\n");
        add_histogram(log, TLR_LOAD_CONNECTING, 0, 0, &log->connects);
    }
    tlr_load_result_note_add(&log->line, result);
    write_out(log);
}

int tlr_load_log_close(struct tlr_load_log *log,
    const struct tlr_load_result *result, struct tlr_cli_text *complaint)
{
    if (result != NULL) {
        add_end(log, result);
    }
    int err = tlr_load_file_close(log->file);
    err = log->err != 0 ? log->err : err;
    if (err != 0) {
        tlr_cli_text_add(complaint, "cannot write the log %s: %s", log->path,
            uv_strerror(err));
    }
    free(log);
    return err;
}
