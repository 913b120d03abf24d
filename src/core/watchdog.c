/* SPDX-License-Identifier: MIT */
/* See watchdog.h. */
#include "watchdog.h"

#include "check.h"
#include "libuv.h"

/* How often a worker is looked at before it counts as stalled. */
#define LOOKS 4

#define MILLISECOND 1000000u /* in nanoseconds, as uv_hrtime() counts */

static void report(struct tlr_watchdog *watchdog, struct tlr_worker *worker,
                 uint64_t until, bool over)
{
    struct tlr_watch *watch = &worker->watch;

    atomic_store(&watch->stalled, !over);
    watchdog->told(watchdog, worker->index,
                   (until - watch->since) / MILLISECOND, over);
}

static void ask(struct tlr_worker *worker, uint64_t now)
{
    struct tlr_watch *watch = &worker->watch;

    watch->since = now;
    watch->looks = 0;
    atomic_store(&watch->asked, true);
    tlr_worker_order(worker, TLR_ORDER_TURN);
}

static void look_at(struct tlr_watchdog *watchdog, struct tlr_worker *worker)
{
    struct tlr_watch *watch = &worker->watch;
    uint64_t now = uv_hrtime();
    bool watched = atomic_load(&watch->watched);

    if (watched && atomic_load(&watch->asked)) {
        watch->looks++;
        if (!atomic_load(&watch->stalled) && watch->looks >= LOOKS &&
            (now - watch->since) / MILLISECOND >= watchdog->time) {
            atomic_fetch_add(&watch->stalls, 1);
            report(watchdog, worker, now, false);
        }
        return;
    }
    if (atomic_load(&watch->stalled)) {
        report(watchdog, worker, watched ? atomic_load(&watch->answered) : now,
             true);
    }
    if (watched) {
        ask(worker, now);
    }
}

/* What is told may close us; the workers stay until the server goes. */
static void on_timer(uv_timer_t *timer)
{
    struct tlr_watchdog *watchdog =
        TLR_CONTAINER_OF(timer, struct tlr_watchdog, timer);
    unsigned i;

    for (i = 0; i < watchdog->pool->count &&
                !uv_is_closing((uv_handle_t *)timer);
         i++) {
        look_at(watchdog, &watchdog->pool->workers[i]);
    }
}

void tlr_watchdog_init(struct tlr_watchdog *watchdog, uv_loop_t *loop,
                       struct tlr_pool *pool, uint64_t time,
                       tlr_watchdog_cb told)
{
    uint64_t every = time < LOOKS ? 1 : time / LOOKS;

    watchdog->pool = pool;
    watchdog->time = time;
    watchdog->told = told;
    TLR_CHECK(uv_timer_init(loop, &watchdog->timer) == 0);
    uv_unref((uv_handle_t *)&watchdog->timer);
    TLR_CHECK(uv_timer_start(&watchdog->timer, on_timer, every, every) == 0);
}

void tlr_watchdog_close(struct tlr_watchdog *watchdog, uv_close_cb cb)
{
    tlr_libuv_close((uv_handle_t *)&watchdog->timer, cb);
}
