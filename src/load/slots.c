/* SPDX-License-Identifier: MIT */
/*
 * Which slots have a connection. One whose connection is closed is over, or is
 * dialled again: at once, at the next tick if it has failed (a server that refuses
 * must not make this a loop), or when its next connection is due.
 */
#include "worker_parts.h"

/* More at once would overrun the backlog of a server that is just starting; and
 * the servers of IDLE are asked so many at once, or that share of all. */
enum { AT_ONCE = 64, ASKED_SHARE = 16 };

#define NS_PER_MS UINT64_C(1000000)

void tlr_load_slots_dial(struct tlr_load_worker *worker, uint32_t slot)
{
    struct tlr_load_session *session = tlr_load_worker_session(worker, slot);
    worker->dialing++;
    tlr_load_session_dial(session);
}

/* How many of the slots may have been dialled by now. */
static uint32_t ramped(const struct tlr_load_worker *worker)
{
    uint64_t ramp = worker->crew->plan->ramp_ms * NS_PER_MS;
    uint64_t passed = uv_hrtime() - worker->started;
    return passed >= ramp ? worker->count
                          : (uint32_t)((double)worker->count *
                                       (double)passed / (double)ramp) +
                                1;
}

void tlr_load_slots_dial_more(struct tlr_load_worker *worker)
{
    const struct tlr_load_plan *plan = worker->crew->plan;
    bool late = tlr_load_plan_dials_late(plan);
    uint32_t most = ramped(worker);
    if (late ? !tlr_load_worker_runs(worker) || plan->rate > 0
             : worker->phase != TLR_LOAD_PHASE_CONNECT) {
        return;
    }
    while (worker->dialing < AT_ONCE && worker->next < most) {
        tlr_load_slots_dial(worker, worker->next++);
    }
}

static void settle(
    struct tlr_load_worker *worker, struct tlr_load_session *session)
{
    if (session->settled) {
        return;
    }
    session->settled = true;
    worker->unsettled--;
    if (worker->unsettled == 0) {
        tlr_load_worker_add(worker, &worker->crew->settled);
    }
}

static void connected_or_closed(
    struct tlr_load_worker *worker, struct tlr_load_session *session)
{
    worker->dialing -= session->dialled;
    session->dialled = false;
    settle(worker, session);
}

static void be_over(
    struct tlr_load_worker *worker, struct tlr_load_session *session)
{
    settle(worker, session);
    session->over = true;
    worker->left--;
    if (worker->left == 0) {
        tlr_load_worker_add(worker, &worker->crew->closed);
    }
}

void tlr_load_slots_on_ready(struct tlr_load_session *session)
{
    struct tlr_load_worker *worker = tlr_load_worker_of(session);
    connected_or_closed(worker, session);
    /* After the end comes one that was on the way: if it has nothing to show by
     * itself, it only leaves. */
    if (tlr_load_worker_runs(worker) ||
        (worker->phase == TLR_LOAD_PHASE_FINISH &&
            tlr_load_plan_dials_late(worker->crew->plan))) {
        tlr_load_session_go(session);
    } else if (worker->phase == TLR_LOAD_PHASE_FINISH) {
        tlr_load_session_abort(session);
    }
    tlr_load_slots_dial_more(worker);
}

void tlr_load_slots_on_failed(struct tlr_load_session *session)
{
    struct tlr_load_crew *crew = tlr_load_worker_of(session)->crew;
    if (!atomic_exchange(&crew->failed, true) || crew->plan->abort_on_error) {
        tlr_load_worker_notify(tlr_load_worker_of(session));
    }
}

/* One that has no connection is over; the others take the step. */
static void step_or_be_over(struct tlr_load_worker *worker,
    struct tlr_load_session *session, tlr_load_session_cb step)
{
    if (session->over) {
        return;
    }
    if (session->state == TLR_LOAD_NEW || session->state == TLR_LOAD_CLOSED) {
        be_over(worker, session);
    } else {
        step(session);
    }
}

/* The next ones. Where one has not answered, all are: they wait no longer than
 * their timeout together. */
static void ask_more(struct tlr_load_worker *worker)
{
    while (worker->asked < worker->ask_most && worker->next < worker->count) {
        struct tlr_load_session *session =
            tlr_load_worker_session(worker, worker->next++);
        if (session->state == TLR_LOAD_RUNNING) {
            worker->asked++;
            tlr_load_session_ask(session);
        } else {
            step_or_be_over(worker, session, tlr_load_session_finish);
        }
    }
}

void tlr_load_slots_ask(struct tlr_load_worker *worker)
{
    uint32_t share = worker->count / ASKED_SHARE;
    worker->ask_most = share > AT_ONCE ? share : AT_ONCE;
    worker->next = 0;
    ask_more(worker);
}

static bool is_due(const struct tlr_load_session *session)
{
    const struct tlr_load_plan *plan = session->context->plan;
    return plan->rate == 0 || !tlr_load_plan_dials_late(plan) ||
           session->due > session->begun;
}

static void dial_again(
    struct tlr_load_worker *worker, struct tlr_load_session *session)
{
    if (session->failed) {
        worker->waiting++;
    } else if (is_due(session)) {
        tlr_load_slots_dial(worker, session->slot);
    }
}

/* Whether the slot gets another connection: before the go, when it comes. Without
 * a duration one that cannot be made is the last one, or it would be tried for
 * ever. */
static bool is_reopened(const struct tlr_load_worker *worker,
    const struct tlr_load_session *session)
{
    const struct tlr_load_plan *plan = worker->crew->plan;
    bool in_vain = session->failed && session->dialled;
    return worker->phase < TLR_LOAD_PHASE_FINISH &&
           tlr_load_plan_reopens(plan) &&
           !tlr_load_session_is_done(session) &&
           !(in_vain && plan->duration_ms == 0);
}

void tlr_load_slots_on_closed(struct tlr_load_session *session)
{
    struct tlr_load_worker *worker = tlr_load_worker_of(session);
    bool reopened = is_reopened(worker, session);
    connected_or_closed(worker, session);
    if (reopened) {
        dial_again(worker, session);
    } else {
        be_over(worker, session);
    }
    if (worker->phase == TLR_LOAD_PHASE_FINISH && worker->asked > 0 &&
        session->begun > 0) {
        worker->asked--;
        worker->ask_most = session->failed ? worker->count : worker->ask_most;
        ask_more(worker);
    }
    tlr_load_slots_dial_more(worker);
}

void tlr_load_slots_each(
    struct tlr_load_worker *worker, tlr_load_session_cb step)
{
    for (uint32_t i = 0; i < worker->count; i++) {
        step_or_be_over(worker, tlr_load_worker_session(worker, i), step);
    }
}

void tlr_load_slots_dial_failed(struct tlr_load_worker *worker)
{
    uint32_t waiting = worker->waiting;
    worker->waiting = 0;
    for (uint32_t i = 0; waiting > 0 && i < worker->count; i++) {
        struct tlr_load_session *session = tlr_load_worker_session(worker, i);
        if (session->state == TLR_LOAD_CLOSED && session->failed &&
            !session->over) {
            waiting--;
            session->failed = false;
            if (is_due(session)) {
                tlr_load_slots_dial(worker, i);
            }
        }
    }
}
