/* SPDX-License-Identifier: MIT */
/*
 * A run of the load, from the first connect to the joined threads, on a loop of
 * the caller's: nothing blocks but the joining of threads that are done.
 *
 * First all connections are made, then all of them begin to send, and after the
 * warm-up the time is taken: connecting is in no other figure than its own. Where
 * connecting is what is measured (tlr_load_plan_dials_late()), it begins there.
 * Everything here is called, and calls back, on the loop's thread.
 */
#ifndef TLR_LOAD_RUN_H
#define TLR_LOAD_RUN_H

#include <stdbool.h>

#include <uv.h>

#include "figures.h"
#include "plan.h"
#include "tally.h"

struct tlr_load_run;

enum { TLR_LOAD_PERCENTILES = 6 };

/* 50, 75, 90, 99, 99.9, 100: what an interval keeps of a histogram. */
extern const double tlr_load_percents[TLR_LOAD_PERCENTILES];

/* About a second; the last one may be shorter, or longer by the time in which
 * nothing more was sent and what was on the way came back. */
struct tlr_load_interval {
    double at;      /* seconds since 1970: its begin */
    double from;    /* seconds, since the begin of what is measured */
    double seconds; /* it took */
    uint64_t round_trips;
    uint64_t sessions; /* that ended well */
    uint64_t bytes_sent;
    uint64_t bytes_received;
    uint64_t errors;
    uint64_t open; /* connections, at its end; of the last one when the run was
                      to end, and before they were closed */
    struct tlr_load_done in_time; /* of that, before that time */
    double busy;   /* share of their time that the loops were, 0 to 1 */
    uint64_t latency[TLR_LOAD_PERCENTILES]; /* ns, of the main measure */
};

/* Keeps of it what an interval keeps. */
void tlr_load_interval_take(struct tlr_load_interval *interval,
    const struct tlr_load_histogram *latency);

struct tlr_load_result {
    const struct tlr_load_plan *plan;
    struct tlr_load_tally total;       /* of the whole run */
    struct tlr_load_figures *figures;  /* of what is measured; `in_time` is of
                                          `seconds` */
    struct tlr_load_interval *intervals;
    size_t interval_count;
    double began;       /* seconds since 1970: begin of what is measured */
    double seconds;     /* from there on something was sent; without a duration
                           until the last byte came */
    double gave_out;    /* seconds, after which no connection was left though
                           there was time: `seconds` is all of it; 0: not so */
    double memory;      /* bytes of this process per connection; 0: unknown */
    bool stopped_early; /* tlr_load_run_stop was called */
    bool aborted;       /* by an error, as the plan says */
    bool unmeasured;    /* it ended before its time was taken */
    bool foreign;       /* partly measured by a program that verifies nothing:
                           merged.h */
};

/* What a mode is measured by: round trips, connects or first bytes. */
enum tlr_load_measure tlr_load_main_measure(const struct tlr_load_plan *plan);

/* What the run tells. All may be NULL but `done`; `data` is the first argument. */
struct tlr_load_callbacks {
    /* One of the first errors: a line without its end, borrowed for the call. */
    void (*problem)(void *data, const char *line);
    /* A second has passed in which nothing was measured: after so many seconds so
     * many connections are open. `warm`: since when it sends; -1: it connects. */
    void (*waiting)(void *data, double seconds, uint64_t open, double warm);
    /* All connections are settled: it begins. */
    void (*begun)(void *data);
    /* A second has passed; both are borrowed for the call. */
    void (*interval)(void *data, const struct tlr_load_interval *interval,
        const struct tlr_load_figures *figures);
    /* The last one: the threads are gone. `result` is borrowed until it returns,
     * and the run is freed then. */
    void (*done)(void *data, const struct tlr_load_result *result);
};

/*
 * Starts. `plan` and `callbacks` are borrowed until `done` was called.
 * Returns 0, UV_ENOMEM or what creating loops and threads gives; after an error
 * nothing is left running and no callback comes.
 */
int tlr_load_run_start(struct tlr_load_run **run, uv_loop_t *loop,
    const struct tlr_load_plan *plan,
    const struct tlr_load_callbacks *callbacks, void *data);

/* Ends early: sends no more and verifies what is on the way; where that is what
 * the run does already, gives it up. `done` follows in both cases. */
void tlr_load_run_stop(struct tlr_load_run *run);

/* There was a connection, every byte was right, and every connection ended as it
 * should. */
bool tlr_load_result_is_good(const struct tlr_load_result *result);

#endif
