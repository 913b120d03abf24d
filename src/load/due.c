/* SPDX-License-Identifier: MIT */
/* The open loop: what is due is sent, and what was due and could not be is counted
 * at the end, with the time that it had waited. */
#include "cli/check.h"
#include "worker_parts.h"

void tlr_load_due_run(struct tlr_load_worker *worker)
{
    struct tlr_load_context *context = &worker->context;
    bool late = tlr_load_plan_dials_late(worker->crew->plan);
    uint64_t now = uv_hrtime();
    uint32_t slot;
    uint64_t due;
    if (!tlr_load_worker_runs(worker)) {
        return;
    }
    while (tlr_load_schedule_next(&context->schedule, now, &slot, &due)) {
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
    tlr_load_schedule_init(&worker->context.schedule, plan->rate,
        plan->connections, worker->count, worker->index, plan->loops,
        uv_hrtime());
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
 * something from `least` on, the shortest time that was measured. A connection
 * that is being made counts for itself. */
static void count_unsent(struct tlr_load_worker *worker,
    struct tlr_load_session *session, uint64_t least)
{
    struct tlr_load_context *context = &worker->context;
    const struct tlr_load_plan *plan = context->plan;
    bool late = tlr_load_plan_dials_late(plan);
    struct tlr_load_histogram *latency = latency_of_due(worker);
    uint64_t now = uv_hrtime();
    uint64_t message = session->begun + (late && session->dialled);
    uint64_t end = session->due;
    if (plan->round_trips != 0 && end > plan->round_trips) {
        end = plan->round_trips; /* it was not asked for more */
    }
    for (; message < end; message++) {
        uint64_t due = tlr_load_schedule_due(
            &context->schedule, session->slot, message);
        context->tally->unsent++;
        if (due >= context->figures_from && now - due >= least) {
            tlr_load_histogram_add(latency, now - due);
        }
    }
}

void tlr_load_due_count_unsent(struct tlr_load_worker *worker)
{
    tlr_load_due_note_least(worker);
    uint64_t least = worker->least == UINT64_MAX ? 0 : worker->least;
    for (uint32_t i = 0; i < worker->count; i++) {
        count_unsent(worker, tlr_load_worker_session(worker, i), least);
    }
}
