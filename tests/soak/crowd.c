/* SPDX-License-Identifier: MIT */
#include "crowd.h"

#include "cli/check.h"

enum {
    TICK_MS = 10,
    AT_ONCE = 256, /* sessions that are begun in one turn of the loop */
    RETRY_MS = 100, /* after one that could not connect */
    CHECK_MS = 500,
};

static void on_tick(uv_timer_t *timer);

void crowd_start(struct crowd *crowd, uv_loop_t *loop)
{
    crowd->loop = loop;
    tlr_load_histogram_init(&crowd->tally.round_trip);
    tlr_load_histogram_init(&crowd->tally.first_answer);
    (void)uv_timer_init(loop, &crowd->tick); /* always 0 */
    crowd->tick.data = crowd;
    uv_update_time(loop);
    crowd->began_at = uv_now(loop);
    crowd->checked_at = crowd->began_at;
    (void)uv_timer_start(&crowd->tick, on_tick, 0, TICK_MS); /* cb is set */
}

/* ---- each tick ---- */

/* How many may begin by now, less those that have. */
static uint64_t allowance(struct crowd *crowd, uint64_t now)
{
    uint64_t rate = crowd->plan.rate;
    if (rate == 0) {
        return AT_ONCE;
    }
    uint64_t by_now = (now - crowd->began_at) * rate / 1000;
    uint64_t burst = rate / 10 + 1;
    if (by_now - crowd->begun > burst) {
        crowd->begun = by_now - burst; /* what was missed is not made up for */
    }
    return by_now - crowd->begun;
}

static void begin_sessions(struct crowd *crowd, uint64_t now)
{
    uint64_t allowed = allowance(crowd, now);
    for (uint64_t i = 0; i < allowed && i < 2 * AT_ONCE &&
                         crowd->count < crowd->plan.connections &&
                         crowd->resume_at <= now;
         i++) {
        crowd->begun += crowd->plan.rate > 0;
        session_start(crowd, crowd->next_number++);
    }
}

static void check_times(struct crowd *crowd, uint64_t now)
{
    struct session *next;
    if (now - crowd->checked_at < CHECK_MS) {
        return;
    }
    crowd->checked_at = now;
    for (struct session *s = crowd->sessions; s != NULL; s = next) {
        next = s->next;
        session_check_time(s);
    }
}

static void on_tick_closed(uv_handle_t *timer)
{
    struct crowd *crowd = timer->data;
    tlr_load_chunk_clear(&crowd->spare);
    crowd->on_done(crowd);
}

static void close_if_over(struct crowd *crowd)
{
    if (crowd->finishing && crowd->count == 0 &&
        !uv_is_closing((uv_handle_t *)&crowd->tick)) {
        uv_close((uv_handle_t *)&crowd->tick, on_tick_closed);
    }
}

/* One that does not become full within the time limit does not wait for it. */
static bool time_is_over(const struct crowd *crowd, uint64_t now)
{
    const struct crowd_plan *plan = &crowd->plan;
    if (plan->from_full && crowd->full_at == 0) {
        return now - crowd->began_at >= plan->timeout_ms;
    }
    return now - (plan->from_full ? crowd->full_at : crowd->began_at) >=
           plan->duration_ms;
}

static void on_tick(uv_timer_t *timer)
{
    struct crowd *crowd = timer->data;
    uint64_t now = uv_now(crowd->loop);
    if (time_is_over(crowd, now)) {
        crowd_finish(crowd);
    }
    if (!crowd->finishing) {
        begin_sessions(crowd, now);
    }
    check_times(crowd, now);
    close_if_over(crowd);
}

void crowd_finish(struct crowd *crowd)
{
    struct session *next;
    if (crowd->finishing) {
        return;
    }
    crowd->finishing = true;
    crowd->tally.open_at_finish = crowd->tally.open;
    for (struct session *s = crowd->sessions; s != NULL; s = next) {
        next = s->next;
        session_finish(s);
    }
}

void crowd_abandon(struct crowd *crowd)
{
    struct session *next;
    for (struct session *s = crowd->sessions; s != NULL; s = next) {
        next = s->next;
        session_abandon(s);
    }
}

/* ---- from the sessions ---- */

void crowd_offered(struct session *session)
{
    struct crowd *crowd = session->crowd;
    struct crowd_tally *tally = &crowd->tally;
    tally->kinds[session->course.kind].offered++;
    tally->open++;
    if (tally->most_open < tally->open) {
        tally->most_open = tally->open;
    }
    if (tally->open == crowd->plan.connections && crowd->full_at == 0) {
        crowd->full_at = uv_now(crowd->loop);
    }
}

void crowd_failed(struct session *session, enum cause cause, int err)
{
    struct crowd *crowd = session->crowd;
    struct crowd_tally *tally = &crowd->tally;
    if (crowd->on_failed != NULL) {
        crowd->on_failed(session, cause, err);
    }
    tally->kinds[session->course.kind].failed++;
    tally->causes[cause]++;
    tally->failed_offered += session->offered_at != 0;
    if (session->offered_at == 0) {
        crowd->resume_at = uv_now(crowd->loop) + RETRY_MS;
    }
}

void crowd_ended(struct session *session)
{
    struct crowd *crowd = session->crowd;
    *session->link = session->next;
    if (session->next != NULL) {
        session->next->link = session->link;
    }
    TLR_CLI_CHECK(crowd->count > 0);
    crowd->count--;
    crowd->tally.open -= session->offered_at != 0;
}
