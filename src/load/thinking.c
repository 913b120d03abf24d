/* SPDX-License-Identifier: MIT */
/*
 * Thinking ends before the loop waits: by then it has seen all that came, and a
 * message that goes now is on its way while the loop waits. libuv's timer does no
 * more than wake the loop for the first one. It takes whole milliseconds, so what
 * is left to think is rounded up: nobody is early, and where nothing else wakes the
 * loop one may be late by a millisecond.
 */
#include "cli/check.h"
#include "worker_parts.h"

/* Between two looks at what came back: else that would wait in the meter. */
enum { AT_ONCE = 256 };

#define NS_PER_MS UINT64_C(1000000)

static void on_thought(uv_timer_t *timer)
{
    (void)timer; /* on_prepare follows */
}

/* One that is set already is for one that was ahead: it comes earlier, but not
 * at once where there is something left to do. */
static void set_timer(struct tlr_load_worker *worker, uint64_t left_ns)
{
    if (left_ns != 0 && uv_is_active((uv_handle_t *)&worker->thought)) {
        return;
    }
    uv_update_time(&worker->loop); /* from which the timer counts */
    int err = uv_timer_start(&worker->thought, on_thought,
        (left_ns + NS_PER_MS - 1) / NS_PER_MS, 0);
    TLR_CLI_CHECK(err == 0); /* it has a callback */
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct tlr_load_worker *worker = prepare->data;
    const struct tlr_load_thinkers *thinkers = &worker->context.thinkers;
    uint64_t think = worker->crew->plan->think_ms * NS_PER_MS;
    for (unsigned left = AT_ONCE; thinkers->first != NULL; left--) {
        uint64_t now = uv_hrtime();
        uint64_t ends_at = tlr_load_think_ends_at(thinkers, think);
        if (left == 0 || ends_at > now) {
            set_timer(worker, ends_at > now ? ends_at - now : 0);
            return;
        }
        tlr_load_session_has_thought(thinkers->first, now);
    }
}

void tlr_load_thinking_start(struct tlr_load_worker *worker)
{
    if (worker->crew->plan->think_ms == 0) {
        return;
    }
    int err = uv_prepare_start(&worker->thinking, on_prepare);
    TLR_CLI_CHECK(err == 0); /* it has a callback */
}
