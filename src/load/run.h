/* SPDX-License-Identifier: MIT */
/*
 * A run of the load, from the first connect to the joined threads, on a loop of
 * the caller's: nothing blocks but the joining of threads that are done.
 *
 * First all connections are made, then all of them begin to send: the time is
 * taken from there, so that connecting is in no figure. Everything here is
 * called, and calls back, on the loop's thread.
 */
#ifndef TLR_LOAD_RUN_H
#define TLR_LOAD_RUN_H

#include <stdbool.h>

#include <uv.h>

#include "plan.h"
#include "tally.h"

struct tlr_load_run;

struct tlr_load_result {
    const struct tlr_load_plan *plan;
    struct tlr_load_tally total;
    double seconds;     /* from the go to the last byte that came */
    bool stopped_early; /* tlr_load_run_stop was called */
};

/* One of the first errors: a line without its end, borrowed for the call. */
typedef void (*tlr_load_problem_cb)(void *data, const char *line);

/* The last callback: the threads are gone. `result` is borrowed until it
 * returns, and the run is freed then. */
typedef void (*tlr_load_done_cb)(
    void *data, const struct tlr_load_result *result);

/*
 * Starts. `plan` is borrowed until `done` was called; `problem` may be NULL.
 * Returns 0, UV_ENOMEM or what creating loops and threads gives; after an error
 * nothing is left running and no callback comes.
 */
int tlr_load_run_start(struct tlr_load_run **run, uv_loop_t *loop,
    const struct tlr_load_plan *plan, tlr_load_problem_cb problem,
    tlr_load_done_cb done, void *data);

/* Ends early: the first call sends no more and verifies what is on the way, the
 * second gives it up. `done` follows in both cases. */
void tlr_load_run_stop(struct tlr_load_run *run);

/* Every byte was right, and every connection ended as it should. */
bool tlr_load_result_is_good(const struct tlr_load_result *result);

#endif
