/* SPDX-License-Identifier: MIT */
/*
 * Finds workers whose loops do not turn: a handler of the program's is stuck on
 * one, or has too much to do.
 *
 * Part of a server. Lives on the host loop: a timer there has each worker asked,
 * by an order, to say that its loop turns, LOOKS times in the time that a turn
 * may take. Not by marks that the worker leaves by itself: libuv calls back from
 * within its poll, so that a loop which waits and one that is stuck look alike
 * to a prepare and a check handle. A worker that has not answered by the last of
 * these looks is stalled. Looks are counted, and not only milliseconds, so that
 * a process which was suspended does not find all of its workers stalled.
 */
#ifndef TLR_WATCHDOG_H
#define TLR_WATCHDOG_H

#include "pool.h"

struct tlr_watchdog;

/* A worker has stalled, or (over) turns again after so many milliseconds. */
typedef void (*tlr_watchdog_cb)(struct tlr_watchdog *watchdog,
                                unsigned worker, uint64_t milliseconds,
                                bool over);

struct tlr_watchdog {
    uv_timer_t timer; /* keeps no loop alive */
    struct tlr_pool *pool;
    uint64_t time; /* milliseconds that a turn may take */
    tlr_watchdog_cb told;
};

/* Puts the timer on the loop and starts it. `time`: at least 1. */
void tlr_watchdog_init(struct tlr_watchdog *watchdog, uv_loop_t *loop,
                       struct tlr_pool *pool, uint64_t time,
                       tlr_watchdog_cb told);

/* Harmless if the host has closed it: then cb is not called. */
void tlr_watchdog_close(struct tlr_watchdog *watchdog, uv_close_cb cb);

#endif
