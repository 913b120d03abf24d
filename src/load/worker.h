/* SPDX-License-Identifier: MIT */
/*
 * A thread with a loop and its share of the connections. It connects them, 64
 * at a time, says so when all of them are settled (ready or failed), and obeys
 * the run's phase: go, finish, abort. When its last connection is closed it
 * says so too, and waits to be told to leave.
 *
 * Owned by the run, whose thread inits, starts, joins and closes it; what is in
 * between is the worker's thread's own.
 */
#ifndef TLR_LOAD_WORKER_H
#define TLR_LOAD_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>

#include <uv.h>

#include "session.h"

/* Goes up only. */
enum tlr_load_phase {
    TLR_LOAD_PHASE_CONNECT,
    TLR_LOAD_PHASE_GO,
    TLR_LOAD_PHASE_FINISH, /* send no more, await what is on the way */
    TLR_LOAD_PHASE_ABORT,
    TLR_LOAD_PHASE_LEAVE /* all connections are closed: end the thread */
};

/* What the workers of a run share with it. */
struct tlr_load_crew {
    const struct tlr_load_plan *plan;
    struct tlr_load_problems problems;
    uv_async_t *wake;    /* on the run's loop: something below has changed */
    atomic_int phase;    /* the run writes, workers read */
    atomic_uint settled; /* workers whose connections are ready or failed */
    atomic_uint closed;  /* workers whose connections are closed */
};

struct tlr_load_worker {
    struct tlr_load_tally tally; /* read after tlr_load_worker_join */
    /* private */
    struct tlr_load_crew *crew;
    struct tlr_load_context context;
    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t ticks;
    uv_thread_t thread;
    int phase;          /* obeyed so far */
    uint32_t first;     /* number of its first connection; then each loops-th */
    uint32_t count;     /* of connections */
    uint32_t next;      /* the one to dial next */
    uint32_t dialing;   /* on the way to be ready or closed */
    uint32_t unsettled; /* not ready and not closed */
    uint32_t open;      /* not closed */
    unsigned char *sessions;
    size_t stride; /* bytes from one to the next */
};

/* Allocates everything for worker `index` of crew->plan->loops. Returns 0 or
 * libuv's error, after which there is nothing to undo. */
int tlr_load_worker_init(struct tlr_load_worker *worker,
    struct tlr_load_crew *crew, uint32_t index);

/* Starts the thread. */
int tlr_load_worker_start(struct tlr_load_worker *worker);

/* Has the worker look at the phase. The run's thread, until LEAVE was sent. */
void tlr_load_worker_wake(struct tlr_load_worker *worker);

/* Waits for the thread's end; the phase is LEAVE. */
void tlr_load_worker_join(struct tlr_load_worker *worker);

/* Releases everything; for one that was never started or has been joined. */
void tlr_load_worker_close(struct tlr_load_worker *worker);

#endif
