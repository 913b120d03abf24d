/* SPDX-License-Identifier: MIT */
/*
 * All sessions of teller-soak: as many open at a time as asked for, a new one
 * for each that has ended, until the time is over. Counts what they tell. The
 * caller owns the struct; all on one loop's thread.
 */
#ifndef TLR_TESTS_CROWD_H
#define TLR_TESTS_CROWD_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "load/histogram.h"
#include "session.h"

struct crowd_plan {
    struct sockaddr_storage target;
    const struct sockaddr_storage *sources; /* ports 0 */
    size_t source_count; /* 0: the system chooses */
    uint64_t connections; /* open at a time, */
    uint64_t rate; /* and begun in a second; 0: no limit */
    uint64_t duration_ms; /* from the start, */
    bool from_full; /* or from when all are connected for the first time */
    uint64_t timeout_ms;
    uint64_t seed;
    struct habits habits;
};

struct kind_tally {
    uint64_t started;
    uint64_t offered; /* connected */
    uint64_t whole; /* ended well, every byte verified */
    uint64_t own; /* ended by our own reset or close */
    uint64_t failed;
};

struct crowd_tally {
    struct kind_tally kinds[KINDS];
    uint64_t causes[CAUSES];
    uint64_t failed_offered; /* of all failures: those that were connected */
    uint64_t bytes_sent;
    uint64_t bytes_verified;
    uint64_t open;
    uint64_t most_open; /* connected at a time */
    uint64_t open_at_finish;
    struct tlr_load_histogram round_trip; /* ns, of probes */
    struct tlr_load_histogram first_answer; /* ns, with connecting */
};

struct crowd {
    uv_loop_t *loop;
    struct crowd_plan plan;
    struct crowd_tally tally;
    void *data; /* the caller's */
    /* A failure: before it is counted. */
    void (*on_failed)(const struct session *session, enum cause cause, int err);
    /* All is over; the struct is the caller's again. */
    void (*on_done)(struct crowd *crowd);
    /* private */
    uv_timer_t tick;
    struct session *sessions;
    uint64_t count; /* sessions, connected or not */
    uint32_t next_number;
    uint64_t began_at; /* ms, on the loop's clock */
    uint64_t full_at; /* all were connected; 0: not yet */
    uint64_t begun; /* of those that the rate allows */
    uint64_t resume_at; /* after a failure to connect */
    uint64_t checked_at;
    bool finishing;
    struct tlr_load_chunk *spare;
    char send[TLR_LOAD_CHUNK];
    char receive[TLR_LOAD_CHUNK];
};

/* `plan`, `on_failed`, `on_done` and `data` are set; the rest is zero. */
void crowd_start(struct crowd *crowd, uv_loop_t *loop);

/* No more sessions, and those without an end end. May be called again. */
void crowd_finish(struct crowd *crowd);

/* Closes all that are left. */
void crowd_abandon(struct crowd *crowd);

/* ---- from the sessions ---- */

void crowd_offered(struct session *session);
void crowd_failed(struct session *session, enum cause cause, int err);
void crowd_ended(struct session *session); /* closed, whatever the reason */

#endif
