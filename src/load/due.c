/* SPDX-License-Identifier: MIT */
/*
 * The open loop. Whenever the loop has turned, and each millisecond, what is due
 * by now is handed to its slots, which send it when they can. If it is more than
 * this thread can do in a turn, the rest comes later, and the schedule's lateness
 * tells.
 */
#include "cli/check.h"
#include "worker_parts.h"

enum { ISSUED_AT_ONCE = 10000, UNSENT_SHOWN = 10000 };

#define NS_PER_MS UINT64_C(1000000)
#define BEHIND_NS UINT64_C(100000000)

void tlr_load_due_run(struct tlr_load_worker *worker)
{
    struct tlr_load_context *context = &worker->context;
    bool late = tlr_load_plan_dials_late(worker->crew->plan);
    uint64_t now = uv_hrtime();
    uint32_t slot;
    uint64_t due;
    unsigned left = ISSUED_AT_ONCE;
    uint64_t by = worker->ends != 0 && now >= worker->ends ? worker->ends - 1
                                                           : now;
    if (!tlr_load_worker_runs(worker)) {
        return;
    }
    while (left-- > 0 &&
           tlr_load_schedule_next(&context->schedule, by, &slot, &due)) {
        struct tlr_load_session *session =
            tlr_load_worker_session(worker, slot);
        if (due >= context->figures_from) {
            tlr_load_histogram_add(
                &context->figures->latency[TLR_LOAD_LATENESS], now - due);
        }
        tlr_load_session_is_due(session);
        if (late && !session->failed && !session->over &&
            (session->state == TLR_LOAD_NEW ||
                session->state == TLR_LOAD_CLOSED)) {
            tlr_load_slots_dial(worker, slot);
        }
    }
}

static void on_check(uv_check_t *check)
{
    tlr_load_due_run(check->data);
}

void tlr_load_due_start(struct tlr_load_worker *worker)
{
    const struct tlr_load_plan *plan = worker->crew->plan;
    if (plan->rate == 0) {
        return;
    }
    uint64_t now = uv_hrtime();
    tlr_load_schedule_init(&worker->context.schedule, plan->rate,
        plan->connections, worker->count, worker->index, plan->loops, now);
    if (plan->duration_ms != 0) {
        worker->ends =
            now + (plan->warmup_ms + plan->duration_ms) * NS_PER_MS;
    }
    int err = uv_check_start(&worker->check, on_check);
    TLR_CLI_CHECK(err == 0); /* it has a callback */
}

/* From when it was due. */
static struct tlr_load_histogram *latency_of_due(
    const struct tlr_load_worker *worker)
{
    bool late = tlr_load_plan_dials_late(worker->crew->plan);
    return &worker->context.figures
                ->latency[late ? TLR_LOAD_CONNECTING : TLR_LOAD_ROUND_TRIP];
}

void tlr_load_due_note_least(struct tlr_load_worker *worker)
{
    uint64_t least = latency_of_due(worker)->min;
    worker->least = least < worker->least ? least : worker->least;
}

/* What was due and is not sent has waited for so long at least: which tells
 * something from `least` on, the shortest time that was measured. */
static void add_waiting(struct tlr_load_worker *worker, uint32_t slot,
    uint64_t message, uint64_t count, uint64_t now, uint64_t least)
{
    struct tlr_load_context *context = &worker->context;
    uint64_t due = tlr_load_schedule_due(&context->schedule, slot, message);
    if (due >= context->figures_from && now - due >= least) {
        tlr_load_histogram_add_many(
            latency_of_due(worker), now - due, count);
    }
}

static uint64_t least_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Messages of the slot that are due by then, of those that it was asked for. */
static uint64_t due_by(const struct tlr_load_worker *worker,
    const struct tlr_load_session *session, uint64_t time)
{
    return least_of(tlr_load_schedule_due_by(
                        &worker->context.schedule, session->slot, time),
        session->goal);
}

/* A connection that is being made counts for itself; and of a slot that has failed
 * for good nothing would have come: its error is all that there is to tell. Of
 * very many some stand for all, each for those around it. */
static void count_unsent(struct tlr_load_worker *worker,
    struct tlr_load_session *session, bool behind, uint64_t least)
{
    struct tlr_load_context *context = &worker->context;
    uint64_t now = context->finished;
    bool late = tlr_load_plan_dials_late(context->plan);
    uint64_t message = session->begun + (late && session->dialled);
    uint64_t end = behind ? due_by(worker, session, now)
                          : least_of(session->due, session->goal);
    if (message >= end) {
        return;
    }
    context->tally->unsent += end - message;
    uint64_t step = (end - message) / UNSENT_SHOWN + 1;
    while (!session->over && message < end) {
        uint64_t count = step < end - message ? step : end - message;
        add_waiting(
            worker, session->slot, message + count / 2, count, now, least);
        message += count;
    }
}

/* Whether this thread could not even issue what was due. What came due since the
 * last pulse is no sign of that, and not counted. */
static bool is_behind(const struct tlr_load_worker *worker)
{
    const struct tlr_load_schedule *schedule = &worker->context.schedule;
    return schedule->slots != 0 &&
           worker->context.finished >
               tlr_load_schedule_next_at(schedule) + BEHIND_NS;
}

void tlr_load_due_count_unsent(struct tlr_load_worker *worker)
{
    tlr_load_due_note_least(worker);
    uint64_t least = worker->least == UINT64_MAX ? 0 : worker->least;
    bool behind = is_behind(worker);
    for (uint32_t i = 0; i < worker->count; i++) {
        count_unsent(worker, tlr_load_worker_session(worker, i),
            behind, least);
    }
}

uint64_t tlr_load_worker_rest(const struct tlr_load_worker *worker)
{
    uint64_t rest = 0;
    for (uint32_t i = 0; worker->ends != 0 && i < worker->count; i++) {
        const struct tlr_load_session *session =
            tlr_load_worker_session(worker, i);
        uint64_t due = due_by(worker, session, worker->ends - 1);
        rest += due > session->begun ? due - session->begun : 0;
    }
    return rest;
}
