/* SPDX-License-Identifier: MIT */
/*
 * What a log says beside its histograms, in lines that begin with "#[teller-load"
 * and that other readers of such logs take for comments:
 *
 *     #[teller-load log 1]                           before the first interval
 *     #[teller-load interval from=0 seconds=1000000012 round_trips=412 ...]
 *     #[teller-load before]      what follows was before the time was measured
 *     #[teller-load result mode=echo connections=50 connected=50 ...]  at the end
 *
 * All numbers are whole, and times in nanoseconds, so that sums are exact. Pure.
 */
#ifndef TLR_LOAD_NOTES_H
#define TLR_LOAD_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/address.h"
#include "cli/text.h"
#include "run.h"

#define TLR_LOAD_NOTE_LOG "#[teller-load log 1]"
#define TLR_LOAD_NOTE_BEFORE "#[teller-load before]"
#define TLR_LOAD_NOTE_INTERVAL "#[teller-load interval "
#define TLR_LOAD_NOTE_RESULT "#[teller-load result "
/* What all of them begin with. */
#define TLR_LOAD_NOTE "#[teller-load "

struct tlr_load_interval_note {
    uint64_t from; /* since the begin of what is measured */
    uint64_t seconds; /* it took, in nanoseconds */
    uint64_t round_trips;
    uint64_t sessions;
    uint64_t bytes_sent;
    uint64_t bytes_received;
    uint64_t errors;
    uint64_t open;
    struct tlr_load_done in_time; /* of that, while more was to be sent */
    uint64_t busy;    /* of all loops together */
    uint64_t elapsed; /* likewise */
};

struct tlr_load_result_note {
    enum tlr_load_mode mode;
    char address[TLR_CLI_ADDRESS_LENGTH];
    char sizes[TLR_LOAD_SIZES_TEXT];
    struct tlr_load_result_note_numbers {
        uint64_t began; /* microseconds since 1970 */
        uint64_t seconds; /* in nanoseconds */
        uint64_t duration; /* that was asked for; 0: none */
        uint64_t warmup;
        uint64_t ramp;
        uint64_t think;
        uint64_t connections;
        uint64_t loops;
        uint64_t depth;
        uint64_t size;
        uint64_t session;
        uint64_t rate;
        uint64_t messages; /* that each connection was to send; 0: no limit */
        uint64_t timeout;
        uint64_t pieces;
        uint64_t read_rate;
        uint64_t write_rate;
        uint64_t send_buffer;
        uint64_t receive_buffer;
        uint64_t nodelay; /* 0 or 1 */
        uint64_t sources;
        uint64_t memory; /* bytes per connection */
        uint64_t stopped_early; /* 0 or 1 */
        uint64_t aborted;
        uint64_t round_trips; /* what is measured: figures.h */
        uint64_t sessions;
        uint64_t bytes_sent;
        uint64_t bytes_received;
        uint64_t bytes_verified;
        uint64_t errors;
        struct tlr_load_done in_time;
        uint64_t busy;
        uint64_t elapsed;
        uint64_t latency[TLR_LOAD_MEASURES][3]; /* values, min, max */
        uint64_t connected; /* the whole run: tally.h */
        uint64_t whole;
        uint64_t total_sent;
        uint64_t total_received;
        uint64_t total_verified;
        uint64_t unsent;
        uint64_t failed[TLR_LOAD_CAUSES];
    } is;
};

/* Append a line with its end. */
void tlr_load_interval_note_add(struct tlr_cli_text *text,
    const struct tlr_load_interval *interval,
    const struct tlr_load_figures *figures);
void tlr_load_result_note_add(
    struct tlr_cli_text *text, const struct tlr_load_result *result);

/* Read a line without its end, of `length` characters, that begins as above. A
 * name that is not known is passed over: a later version may write more. Return 0,
 * or UV_EINVAL: it is damaged, or something is missing. */
int tlr_load_interval_note_read(struct tlr_load_interval_note *note,
    const char *line, size_t length);
int tlr_load_result_note_read(struct tlr_load_result_note *note,
    const char *line, size_t length);

#endif
