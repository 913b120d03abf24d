/* SPDX-License-Identifier: MIT */
/*
 * A thread with a loop and its share of the connections. It connects them, a
 * few at a time, says so when all of them are settled (ready or failed), and
 * obeys the run's phase. When its last connection is closed it says so too, and
 * waits to be told to leave. Each second it hands over what it has measured.
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

/* Goes up only; one may be left out. */
enum tlr_load_phase {
    TLR_LOAD_PHASE_CONNECT,
    TLR_LOAD_PHASE_WARM,    /* send, but do not measure */
    TLR_LOAD_PHASE_MEASURE, /* send */
    TLR_LOAD_PHASE_FINISH,  /* send no more, await what is on the way */
    TLR_LOAD_PHASE_ABORT,
    TLR_LOAD_PHASE_LEAVE /* all connections are closed: end the thread */
};

/* What the workers of a run share with it. */
struct tlr_load_crew {
    const struct tlr_load_plan *plan;
    struct tlr_load_problems problems;
    uv_async_t *wake;    /* on the run's loop: something below has changed */
    atomic_int phase;    /* the run writes, workers read */
    atomic_uint_fast64_t ends_at; /* likewise: uv_hrtime(), of that phase; 0: by
                                     no time */
    atomic_uint settled; /* workers whose connections are ready or failed */
    atomic_uint closed;  /* workers whose connections are closed */
    atomic_bool failed;  /* some connection has */
};

struct tlr_load_worker {
    struct tlr_load_tally tally; /* read after tlr_load_worker_join */
    struct tlr_load_histogram opening; /* likewise: of the first connects */
    struct tlr_load_figures figures[2];
    atomic_bool full; /* the one that is not the current one: for the run */
    atomic_uint open_now; /* connections, some time ago */
    unsigned current;
    /* private */
    struct tlr_load_crew *crew;
    struct tlr_load_context context;
    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t ticks;
    uv_timer_t pulse; /* of the schedule and the ramp */
    uv_check_t check; /* likewise, whenever something else woke the loop */
    uv_prepare_t thinking; /* who has thought long enough? */
    uv_timer_t thought; /* wakes the loop for the next one who has */
    uv_thread_t thread;
    int phase;          /* obeyed so far */
    uint32_t index;     /* of the worker: number of its first connection */
    uint32_t count;     /* of its slots */
    uint32_t next;      /* the one to dial next; IDLE, at the end: to ask */
    uint32_t dialing;   /* on the way to be ready or closed */
    uint32_t unsettled; /* slots */
    uint32_t left;      /* slots that are not over */
    uint32_t waiting;   /* slots that are to be dialled at the next tick */
    uint32_t asked;     /* IDLE: that have not answered yet */
    uint32_t tick_at;   /* the slot where the next tick begins */
    uint32_t open_at_end; /* connections, when it had to finish */
    uint32_t ask_most;  /* IDLE: so many at once */
    uint64_t started;   /* uv_hrtime() */
    uint64_t ticked;    /* likewise, the last time */
    uint64_t ends;      /* uv_hrtime(): what is due then is too late; 0: never */
    uint64_t least;     /* ns, of what was due, in what is handed over */
    uint64_t lost_ns;   /* without a turn of the loop, lately */
    uint64_t lost_at;   /* uv_hrtime() */
    uint64_t published; /* uv_hrtime(): figures up to here are handed over */
    uint64_t idle_ns;   /* of the loop, until then */
    char *buffers; /* of the context: to receive, and to send */
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

/* Takes what was handed over, if something was: adds it to `into`. The run's
 * thread. */
bool tlr_load_worker_take(
    struct tlr_load_worker *worker, struct tlr_load_figures *into);

/* Waits for the thread's end; the phase is LEAVE. */
void tlr_load_worker_join(struct tlr_load_worker *worker);

/* What was not handed over; for one that was joined. */
void tlr_load_worker_take_rest(
    struct tlr_load_worker *worker, struct tlr_load_figures *into);

/* Messages that would have been due until the end of its time and were not sent;
 * for one that was joined, all of whose connections had failed before. */
uint64_t tlr_load_worker_rest(const struct tlr_load_worker *worker);

/* Releases everything; for one that was never started or has been joined. */
void tlr_load_worker_close(struct tlr_load_worker *worker);

#endif
