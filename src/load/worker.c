/* SPDX-License-Identifier: MIT */
/*
 * The thread runs the loop until LEAVE closes the two handles that are left.
 * The async handle stays open until then, so that the run can always wake a
 * worker, whatever it has done on its own.
 */
#include "worker.h"

#include <stdlib.h>
#include <string.h>

#include "cli/check.h"

/* More at once would overrun the backlog of a server that is just starting. */
enum { DIAL_AT_ONCE = 64 };

/* Looks for stalls this often. */
enum { TICK_MS = 50 };

static struct tlr_load_session *session_at(
    struct tlr_load_worker *worker, uint32_t i)
{
    return (struct tlr_load_session *)(worker->sessions + i * worker->stride);
}

static void notify(struct tlr_load_worker *worker, atomic_uint *counter)
{
    atomic_fetch_add(counter, 1);
    int err = uv_async_send(worker->crew->wake);
    TLR_CLI_CHECK(err == 0);
}

/* Dials the next ones. A session reports later, never from inside this. */
static void dial_more(struct tlr_load_worker *worker)
{
    while (worker->phase == TLR_LOAD_PHASE_CONNECT &&
           worker->dialing < DIAL_AT_ONCE && worker->next < worker->count) {
        worker->dialing++;
        tlr_load_session_dial(session_at(worker, worker->next++));
    }
}

static void settle(
    struct tlr_load_worker *worker, const struct tlr_load_session *session)
{
    if (session->tries > 0) { /* else it was told to finish before its turn */
        worker->dialing--;
    }
    worker->unsettled--;
    if (worker->unsettled == 0) {
        notify(worker, &worker->crew->settled);
    }
}

static void on_ready(struct tlr_load_session *session)
{
    struct tlr_load_worker *worker = session->context->data;
    settle(worker, session);
    dial_more(worker);
}

static void on_closed(struct tlr_load_session *session)
{
    struct tlr_load_worker *worker = session->context->data;
    if (!session->was_ready) {
        settle(worker, session);
    }
    worker->open--;
    if (worker->open == 0) {
        notify(worker, &worker->crew->closed);
    }
    dial_more(worker);
}

static void close_handles(struct tlr_load_worker *worker)
{
    uv_close((uv_handle_t *)&worker->wake, NULL);
    uv_close((uv_handle_t *)&worker->ticks, NULL);
}

typedef void (*session_step)(struct tlr_load_session *session);

static void for_each(struct tlr_load_worker *worker, session_step step)
{
    for (uint32_t i = 0; i < worker->count; i++) {
        step(session_at(worker, i));
    }
}

static void on_tick(uv_timer_t *timer)
{
    for_each(timer->data, tlr_load_session_tick);
}

static void go_if_ready(struct tlr_load_session *session)
{
    if (session->state == TLR_LOAD_READY) {
        tlr_load_session_go(session);
    }
}

/* A phase may have been skipped: each one does for itself what is needed. */
static void on_wake(uv_async_t *async)
{
    struct tlr_load_worker *worker = async->data;
    int phase = atomic_load(&worker->crew->phase);
    if (phase == worker->phase) {
        return;
    }
    worker->phase = phase;
    switch (phase) {
    case TLR_LOAD_PHASE_GO:
        for_each(worker, go_if_ready);
        break;
    case TLR_LOAD_PHASE_FINISH:
        for_each(worker, tlr_load_session_finish);
        break;
    case TLR_LOAD_PHASE_ABORT:
        for_each(worker, tlr_load_session_abort);
        break;
    default:
        for_each(worker, tlr_load_session_abort);
        close_handles(worker);
        break;
    }
}

static int allocate(struct tlr_load_worker *worker)
{
    struct tlr_load_context *context = &worker->context;
    worker->sessions = calloc(worker->count, worker->stride);
    context->receive = malloc(TLR_LOAD_CHUNK);
    context->send = malloc(TLR_LOAD_CHUNK);
    if (worker->sessions == NULL || context->receive == NULL ||
        context->send == NULL) {
        return UV_ENOMEM;
    }
    return 0;
}

static void release(struct tlr_load_worker *worker)
{
    tlr_load_chunk_clear(&worker->context.spare);
    free(worker->context.send);
    free(worker->context.receive);
    free(worker->sessions);
}

static int init_loop(struct tlr_load_worker *worker)
{
    int err = uv_loop_init(&worker->loop);
    if (err != 0) {
        return err;
    }
    err = uv_async_init(&worker->loop, &worker->wake, on_wake);
    if (err != 0) {
        (void)uv_loop_close(&worker->loop); /* there is no handle on it */
        return err;
    }
    worker->wake.data = worker;
    err = uv_timer_init(&worker->loop, &worker->ticks);
    TLR_CLI_CHECK(err == 0); /* only fills in the struct, as does the next */
    worker->ticks.data = worker;
    err = uv_timer_start(&worker->ticks, on_tick, TICK_MS, TICK_MS);
    TLR_CLI_CHECK(err == 0);
    return 0;
}

int tlr_load_worker_init(struct tlr_load_worker *worker,
    struct tlr_load_crew *crew, uint32_t index)
{
    const struct tlr_load_plan *plan = crew->plan;
    memset(worker, 0, sizeof(*worker));
    tlr_load_tally_init(&worker->tally);
    worker->crew = crew;
    worker->first = index;
    worker->count = (plan->connections - index - 1) / plan->loops + 1;
    worker->unsettled = worker->count;
    worker->open = worker->count;
    worker->stride = tlr_load_session_size(plan);
    worker->context = (struct tlr_load_context){
        .loop = &worker->loop,
        .plan = plan,
        .problems = &crew->problems,
        .tally = &worker->tally,
        .on_ready = on_ready,
        .on_closed = on_closed,
        .data = worker,
    };
    int err = allocate(worker);
    if (err == 0) {
        err = init_loop(worker);
    }
    if (err != 0) {
        release(worker);
        return err;
    }
    for (uint32_t i = 0; i < worker->count; i++) {
        tlr_load_session_init(session_at(worker, i), &worker->context,
            worker->first + i * plan->loops);
    }
    return 0;
}

static void run_thread(void *arg)
{
    struct tlr_load_worker *worker = arg;
    dial_more(worker);
    /* Ends when LEAVE has closed all handles. */
    (void)uv_run(&worker->loop, UV_RUN_DEFAULT);
}

int tlr_load_worker_start(struct tlr_load_worker *worker)
{
    return uv_thread_create(&worker->thread, run_thread, worker);
}

void tlr_load_worker_wake(struct tlr_load_worker *worker)
{
    int err = uv_async_send(&worker->wake);
    TLR_CLI_CHECK(err == 0);
}

void tlr_load_worker_join(struct tlr_load_worker *worker)
{
    int err = uv_thread_join(&worker->thread);
    TLR_CLI_CHECK(err == 0);
}

void tlr_load_worker_close(struct tlr_load_worker *worker)
{
    if (!uv_is_closing((uv_handle_t *)&worker->wake)) {
        close_handles(worker);
        (void)uv_run(&worker->loop, UV_RUN_DEFAULT); /* was never started */
    }
    int err = uv_loop_close(&worker->loop);
    TLR_CLI_CHECK(err == 0);
    release(worker);
}
