/* SPDX-License-Identifier: MIT */
/* See deadlines.h. */
#include "deadlines.h"

#include "check.h"

#define BITS 6 /* of a tick, that choose the slot of a level */

/* Ticks that the timer may be late before the loop counts as held up. */
#define LATE 8

#define FARTHEST (((uint64_t)1 << (BITS * TLR_WHEEL_LEVELS)) - 1)

/* ---- bits ----------------------------------------------------------- */

/* Of bits that are not all 0. */
/* Of bits that are not all 0. Halves what is left six times. */
static unsigned lowest_bit(uint64_t bits)
{
    unsigned n = 0;
    unsigned half;

    for (half = 32; half > 0; half /= 2) {
        if ((bits & (((uint64_t)1 << half) - 1)) == 0) {
            bits >>= half;
            n += half;
        }
    }
    return n;
}

static unsigned level_of(uint64_t differing)
{
    unsigned level = 0;

    while (level < TLR_WHEEL_LEVELS - 1 && differing >= TLR_WHEEL_SLOTS) {
        differing >>= BITS;
        level++;
    }
    return level;
}

static unsigned digit(uint64_t tick, unsigned level)
{
    return (unsigned)(tick >> (BITS * level)) & (TLR_WHEEL_SLOTS - 1);
}

/* ---- slots ---------------------------------------------------------- */

/*
 * The digits above a level are those of the present for all that lies in it, and
 * the level's own is higher. So a deadline's slot follows from its tick until the
 * hands get to that slot.
 */
static void place(struct tlr_deadlines *deadlines,
                  struct tlr_deadline *deadline)
{
    unsigned level = level_of(deadline->tick ^ deadlines->now);
    unsigned slot = digit(deadline->tick, level);

    tlr_list_append(&deadlines->slots[level][slot], &deadline->link);
    deadlines->used[level] |= (uint64_t)1 << slot;
}

/* The tick at which the hands get to the next slot that is in use. */
static uint64_t next_used(const struct tlr_deadlines *deadlines,
                          unsigned *level)
{
    unsigned at = 0;

    while (deadlines->used[at] == 0) {
        at++;
        TLR_CHECK(at < TLR_WHEEL_LEVELS);
    }
    *level = at;
    return (deadlines->now >> (BITS * (at + 1)) << (BITS * (at + 1))) +
           ((uint64_t)lowest_bit(deadlines->used[at]) << (BITS * at));
}

/* ---- the timer ------------------------------------------------------ */

/* In milliseconds since tick 0. */
static uint64_t time_of(const struct tlr_deadlines *deadlines)
{
    return uv_now(deadlines->timer.loop) - deadlines->begin;
}

static uint64_t now_in_ticks(const struct tlr_deadlines *deadlines)
{
    return time_of(deadlines) / TLR_TICK;
}

static void on_timer(uv_timer_t *timer);

static void wake_in(struct tlr_deadlines *deadlines, uint64_t milliseconds)
{
    /* It fails for a closing timer only. */
    TLR_CHECK(uv_timer_start(&deadlines->timer, on_timer, milliseconds, 0) ==
              0);
}

static void wake_at(struct tlr_deadlines *deadlines, uint64_t tick)
{
    uint64_t now = time_of(deadlines);
    uint64_t due = tick * TLR_TICK;

    deadlines->wake = tick;
    wake_in(deadlines, due > now ? due - now : 1);
}

/* The hands get to the next slot in use. */
static void turn(struct tlr_deadlines *deadlines, uint64_t tick,
                 unsigned level)
{
    unsigned slot = digit(tick, level);
    struct tlr_list here;

    deadlines->now = tick;
    deadlines->turning = true;
    deadlines->used[level] &= ~((uint64_t)1 << slot);
    tlr_list_init(&here);
    tlr_list_move(&here, &deadlines->slots[level][slot]);
    while (!tlr_list_empty(&here)) {
        struct tlr_deadline *deadline =
            TLR_CONTAINER_OF(here.next, struct tlr_deadline, link);

        tlr_list_remove(&deadline->link);
        if (deadline->tick > tick) {
            place(deadlines, deadline);
        } else {
            deadline->link.next = NULL;
            deadlines->count--;
            deadline->passed(deadline);
        }
    }
    deadlines->turning = false;
}

static void stand_still(struct tlr_deadlines *deadlines)
{
    (void)uv_timer_stop(&deadlines->timer); /* always 0 */
    deadlines->waited = false;
}

/* Where there is nothing in between the hands may be moved there. */
static void skip_to(struct tlr_deadlines *deadlines, uint64_t now)
{
    unsigned level;

    if (deadlines->now < now &&
        (deadlines->count == 0 || next_used(deadlines, &level) > now)) {
        deadlines->now = now;
    }
}

static void turn_to(struct tlr_deadlines *deadlines, uint64_t now)
{
    unsigned level;
    uint64_t next;

    while (deadlines->count > 0) {
        next = next_used(deadlines, &level);
        if (next > now) {
            skip_to(deadlines, now);
            wake_at(deadlines, next);
            return;
        }
        turn(deadlines, next, level);
    }
    stand_still(deadlines);
}

static void on_timer(uv_timer_t *timer)
{
    struct tlr_deadlines *deadlines =
        TLR_CONTAINER_OF(timer, struct tlr_deadlines, timer);
    uint64_t now = now_in_ticks(deadlines);

    if (now > deadlines->wake + LATE && !deadlines->waited) {
        deadlines->waited = true;
        wake_in(deadlines, 1);
        return;
    }
    deadlines->waited = false;
    turn_to(deadlines, now);
}

/* ---- deadlines ------------------------------------------------------ */

void tlr_deadlines_init(struct tlr_deadlines *deadlines, uv_loop_t *loop)
{
    unsigned level;
    unsigned slot;

    TLR_CHECK(uv_timer_init(loop, &deadlines->timer) == 0);
    deadlines->begin = uv_now(loop);
    deadlines->now = 0;
    deadlines->count = 0;
    deadlines->waited = false;
    deadlines->turning = false;
    for (level = 0; level < TLR_WHEEL_LEVELS; level++) {
        deadlines->used[level] = 0;
        for (slot = 0; slot < TLR_WHEEL_SLOTS; slot++) {
            tlr_list_init(&deadlines->slots[level][slot]);
        }
    }
}

void tlr_deadlines_close(struct tlr_deadlines *deadlines, uv_close_cb cb)
{
    TLR_CHECK(deadlines->count == 0);
    uv_close((uv_handle_t *)&deadlines->timer, cb);
}

static uint64_t tick_of(const struct tlr_deadlines *deadlines, uint64_t due)
{
    uint64_t since = due - deadlines->begin;
    uint64_t tick = since > UINT64_MAX / 2 /* before tick 0 */
                        ? 0
                        : (since + TLR_TICK - 1) / TLR_TICK;

    return tick < FARTHEST ? tick : FARTHEST;
}

bool tlr_deadlines_is_later(const struct tlr_deadlines *deadlines,
                            const struct tlr_deadline *deadline, uint64_t due)
{
    return !tlr_deadline_is_set(deadline) ||
           deadline->tick > tick_of(deadlines, due);
}

static void take_out(struct tlr_deadlines *deadlines,
                     struct tlr_deadline *deadline)
{
    unsigned level;
    unsigned slot;

    tlr_list_remove(&deadline->link);
    deadline->link.next = NULL;
    deadlines->count--;
    if (deadline->tick > deadlines->now) {
        level = level_of(deadline->tick ^ deadlines->now);
        slot = digit(deadline->tick, level);
        if (tlr_list_empty(&deadlines->slots[level][slot])) {
            deadlines->used[level] &= ~((uint64_t)1 << slot);
        }
    } /* else turn() is at it */
}

void tlr_deadlines_set(struct tlr_deadlines *deadlines,
                       struct tlr_deadline *deadline, uint64_t due)
{
    uint64_t now = now_in_ticks(deadlines);
    uint64_t tick = tick_of(deadlines, due);
    uint64_t next;
    unsigned level;

    if (tlr_deadline_is_set(deadline)) {
        take_out(deadlines, deadline);
    }
    if (!deadlines->turning) { /* else what has yet to be placed is skipped */
        skip_to(deadlines, now);
    }
    deadline->tick = tick > now ? tick : now + 1;
    place(deadlines, deadline);
    deadlines->count++;
    next = next_used(deadlines, &level);
    if (!uv_is_active((uv_handle_t *)&deadlines->timer) ||
        next < deadlines->wake) {
        wake_at(deadlines, next);
    }
}

void tlr_deadlines_remove(struct tlr_deadlines *deadlines,
                          struct tlr_deadline *deadline)
{
    if (!tlr_deadline_is_set(deadline)) {
        return;
    }
    take_out(deadlines, deadline);
    if (deadlines->count == 0) {
        stand_still(deadlines);
    }
}
