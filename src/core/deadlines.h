/* SPDX-License-Identifier: MIT */
/*
 * Timeouts of many connections behind one libuv timer. All last equally long,
 * so that they fall due in the order in which they were added: a queue serves.
 * Owned by a worker and used on its thread only. Allocates nothing.
 */
#ifndef TLR_DEADLINES_H
#define TLR_DEADLINES_H

#include <stdint.h>

#include <uv.h>

#include "list.h"

struct tlr_deadline {
    struct tlr_list link;
    uint64_t due; /* uv_now() of the loop, in milliseconds */
};

/* A deadline has passed; it has been removed. */
typedef void (*tlr_deadline_cb)(struct tlr_deadline *deadline);

struct tlr_deadlines {
    uv_timer_t timer; /* active while something is queued */
    struct tlr_list queue;
    uint64_t timeout; /* milliseconds */
    tlr_deadline_cb passed;
};

void tlr_deadlines_init(struct tlr_deadlines *deadlines, uv_loop_t *loop,
                        uint64_t timeout, tlr_deadline_cb passed);

/* Closes the timer; nothing may be queued. */
void tlr_deadlines_close(struct tlr_deadlines *deadlines, uv_close_cb cb);

/* Borrows `deadline` until it has passed or is removed. */
void tlr_deadlines_add(struct tlr_deadlines *deadlines,
                       struct tlr_deadline *deadline);

void tlr_deadlines_remove(struct tlr_deadlines *deadlines,
                          struct tlr_deadline *deadline);

#endif
