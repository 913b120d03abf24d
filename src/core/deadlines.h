/* SPDX-License-Identifier: MIT */
/*
 * The deadlines of a loop's connections behind one libuv timer: a hierarchical
 * timing wheel. Setting, moving and removing one costs the same however many
 * there are, and nothing is allocated. Owned by a worker, used on its thread.
 *
 * The idea, and the name, are G. Varghese's and A. Lauck's: "Hashed and
 * hierarchical timing wheels" (SOSP 1987), scheme 7. A level is one turn of a
 * hand over 64 slots, and one slot of the level above. A deadline lies in the
 * slot of the highest digit in which it differs from the present, and comes down
 * a level each time the hands get there, until it is due. A bit for each slot
 * says whether there is anything in it, so that the timer is set for the next
 * slot that is in use, and never for one that is empty.
 *
 * A deadline passes never before its time, and up to TLR_TICK later, or more on
 * a loop that is busy. When the loop was kept from turning for long it first has
 * one turn for what came meanwhile: a peer is not late because we were.
 */
#ifndef TLR_DEADLINES_H
#define TLR_DEADLINES_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "list.h"

#define TLR_TICK 16 /* milliseconds */
#define TLR_WHEEL_SLOTS 64
#define TLR_WHEEL_LEVELS 6 /* 64^6 ticks are 34 years */

struct tlr_deadline;

/* A deadline has passed; it has been removed, and may be set again. */
typedef void (*tlr_deadline_cb)(struct tlr_deadline *deadline);

/* All zeroes: not set. */
struct tlr_deadline {
    struct tlr_list link; /* in its slot; link.next is NULL: not set */
    uint64_t tick;        /* when it is due */
    tlr_deadline_cb passed;
};

struct tlr_deadlines {
    uv_timer_t timer; /* active while a deadline is set */
    uint64_t begin;   /* uv_now() at tick 0 */
    uint64_t now;     /* the tick that the hands are at */
    uint64_t wake;    /* the tick that the timer is set for */
    uint64_t count;   /* of deadlines */
    bool waited;      /* the loop was late, and has had a turn since */
    bool turning;     /* deadlines are passing, or coming down a level */
    uint64_t used[TLR_WHEEL_LEVELS]; /* a bit for each slot */
    struct tlr_list slots[TLR_WHEEL_LEVELS][TLR_WHEEL_SLOTS];
};

/*
 * The time on the clock of uv_now(), which itself stands still while callbacks
 * run: what they begin now would have begun when their turn did.
 */
static inline uint64_t tlr_deadlines_clock(void)
{
    return uv_hrtime() / 1000000;
}

void tlr_deadlines_init(struct tlr_deadlines *deadlines, uv_loop_t *loop);

/* Closes the timer; no deadline may be set. */
void tlr_deadlines_close(struct tlr_deadlines *deadlines, uv_close_cb cb);

/*
 * Sets or moves `deadline` to `due`, as tlr_deadlines_clock(). What has passed
 * already does so at the next tick. Borrows it until it has passed or is removed.
 */
void tlr_deadlines_set(struct tlr_deadlines *deadlines,
                       struct tlr_deadline *deadline, uint64_t due);

/* Harmless if it is not set. */
void tlr_deadlines_remove(struct tlr_deadlines *deadlines,
                          struct tlr_deadline *deadline);

static inline bool tlr_deadline_is_set(const struct tlr_deadline *deadline)
{
    return deadline->link.next != NULL;
}

/* Whether it would pass later than `due`, or is not set. */
bool tlr_deadlines_is_later(const struct tlr_deadlines *deadlines,
                            const struct tlr_deadline *deadline, uint64_t due);

#endif
