/* SPDX-License-Identifier: MIT */
/*
 * When messages are due in the open loop. Message m of a loop is due m intervals
 * after the begin, whatever became of those before it, and belongs to the slot
 * m modulo the number of slots: so what a slot waits for needs no memory. The
 * worker's; on its thread.
 *
 * The idea, and the mistake that it avoids, are Gil Tene's (coordinated
 * omission): latency runs from when a message was due, not from when it was sent.
 */
#ifndef TLR_LOAD_SCHEDULE_H
#define TLR_LOAD_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct tlr_load_schedule {
    double interval;  /* nanoseconds between two messages of this loop */
    uint64_t begin;   /* uv_hrtime() when its first one is due */
    uint64_t issued;  /* messages that were due so far */
    uint32_t slots;
};

/*
 * For loop `index` of `loops`, with `slots` of all `connections`, of `rate`
 * messages a second in all, from `now` (uv_hrtime()) on. Each loop has its share;
 * they begin one after the other, or all would send at once.
 */
void tlr_load_schedule_init(struct tlr_load_schedule *schedule, double rate,
    uint32_t connections, uint32_t slots, uint32_t index, uint32_t loops,
    uint64_t now);

/* When the `message`-th message of that slot is, or was, due. */
uint64_t tlr_load_schedule_due(const struct tlr_load_schedule *schedule,
    uint32_t slot, uint64_t message);

/* How many messages of that slot are due by `now`; 0, if it was never begun. */
uint64_t tlr_load_schedule_due_by(const struct tlr_load_schedule *schedule,
    uint32_t slot, uint64_t now);

/* When the next one is due that tlr_load_schedule_next() has not given yet. */
uint64_t tlr_load_schedule_next_at(const struct tlr_load_schedule *schedule);

/* Takes the next one that is due: its slot, and when it was. False: none is. */
bool tlr_load_schedule_next(struct tlr_load_schedule *schedule, uint64_t now,
    uint32_t *slot, uint64_t *due);

#endif
