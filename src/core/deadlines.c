/* SPDX-License-Identifier: MIT */
/* See deadlines.h. */
#include "deadlines.h"

#include "check.h"

static struct tlr_deadline *first(struct tlr_deadlines *deadlines)
{
    return TLR_CONTAINER_OF(deadlines->queue.next, struct tlr_deadline, link);
}

static void on_timer(uv_timer_t *timer);

/* Arms the timer for the first in the queue. */
static void arm(struct tlr_deadlines *deadlines)
{
    uint64_t now = uv_now(deadlines->timer.loop);
    uint64_t due = first(deadlines)->due;

    /* It fails for a closing timer only. */
    TLR_CHECK(uv_timer_start(&deadlines->timer, on_timer,
                             due > now ? due - now : 0, 0) == 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct tlr_deadlines *deadlines =
        TLR_CONTAINER_OF(timer, struct tlr_deadlines, timer);
    uint64_t now = uv_now(timer->loop);

    while (!tlr_list_empty(&deadlines->queue) &&
           first(deadlines)->due <= now) {
        struct tlr_deadline *deadline = first(deadlines);

        tlr_list_remove(&deadline->link);
        deadlines->passed(deadline);
    }
    if (!tlr_list_empty(&deadlines->queue)) {
        arm(deadlines);
    }
}

void tlr_deadlines_init(struct tlr_deadlines *deadlines, uv_loop_t *loop,
                        uint64_t timeout, tlr_deadline_cb passed)
{
    TLR_CHECK(uv_timer_init(loop, &deadlines->timer) == 0);
    tlr_list_init(&deadlines->queue);
    deadlines->timeout = timeout;
    deadlines->passed = passed;
}

void tlr_deadlines_close(struct tlr_deadlines *deadlines, uv_close_cb cb)
{
    TLR_CHECK(tlr_list_empty(&deadlines->queue));
    uv_close((uv_handle_t *)&deadlines->timer, cb);
}

void tlr_deadlines_add(struct tlr_deadlines *deadlines,
                       struct tlr_deadline *deadline)
{
    bool was_empty = tlr_list_empty(&deadlines->queue);

    deadline->due = uv_now(deadlines->timer.loop) + deadlines->timeout;
    tlr_list_append(&deadlines->queue, &deadline->link);
    if (was_empty) {
        arm(deadlines);
    }
}

void tlr_deadlines_remove(struct tlr_deadlines *deadlines,
                          struct tlr_deadline *deadline)
{
    tlr_list_remove(&deadline->link);
    if (tlr_list_empty(&deadlines->queue)) {
        (void)uv_timer_stop(&deadlines->timer); /* always 0 */
    }
}
