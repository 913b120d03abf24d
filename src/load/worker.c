/* SPDX-License-Identifier: MIT */
/*
 * The thread runs the loop until LEAVE closes the handles that are left. The
 * async handle stays open until then, so that the run can always wake a worker,
 * whatever it has done on its own.
 */
#include "worker_parts.h"

#include <stdlib.h>
#include <string.h>

#include "cli/check.h"

/* Looks for timeouts this often; where there are many slots at a part of them each
 * time: all of them within so many ticks. */
enum { TICK_MS = 50, ROUND = 20, MANY = 10000 };

/* Of a cache: buffers that begin with one are filled, compared and copied by the
 * kernel in whole ones. */
enum { LINE = 64 };

#define SECOND UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

/* ---- handing over ---- */

void tlr_load_worker_notify(struct tlr_load_worker *worker)
{
    int err = uv_async_send(worker->crew->wake);
    TLR_CLI_CHECK(err == 0);
}

void tlr_load_worker_add(struct tlr_load_worker *worker, atomic_uint *counter)
{
    atomic_fetch_add(counter, 1);
    tlr_load_worker_notify(worker);
}

/* Adds what the loop has done since the last time. */
static void measure_busy(struct tlr_load_worker *worker, uint64_t now)
{
    struct tlr_load_figures *figures = worker->context.figures;
    uint64_t idle = uv_metrics_idle_time(&worker->loop);
    uint64_t elapsed = now - worker->published;
    uint64_t idled = idle - worker->idle_ns;
    figures->elapsed_ns += elapsed;
    figures->busy_ns += idled < elapsed ? elapsed - idled : 0;
    worker->idle_ns = idle;
}

static void publish(struct tlr_load_worker *worker, uint64_t now)
{
    if (atomic_load(&worker->full)) {
        return; /* the run is late: this second becomes longer */
    }
    if (worker->phase < TLR_LOAD_PHASE_FINISH) {
        measure_busy(worker, now);
        tlr_load_figures_were_in_time(worker->context.figures);
    }
    worker->published = now;
    tlr_load_due_note_least(worker);
    worker->context.figures->open = worker->context.open;
    worker->current ^= 1;
    worker->context.figures = &worker->figures[worker->current];
    atomic_store(&worker->full, true);
    tlr_load_worker_notify(worker);
}

bool tlr_load_worker_take(
    struct tlr_load_worker *worker, struct tlr_load_figures *into)
{
    if (!atomic_load(&worker->full)) {
        return false;
    }
    struct tlr_load_figures *figures = &worker->figures[worker->current ^ 1];
    tlr_load_figures_add(into, figures);
    tlr_load_figures_clear(figures);
    atomic_store(&worker->full, false);
    return true;
}

void tlr_load_worker_take_rest(
    struct tlr_load_worker *worker, struct tlr_load_figures *into)
{
    (void)tlr_load_worker_take(worker, into); /* or there is none */
    tlr_load_figures_add(into, worker->context.figures);
}

/* ---- ticks ---- */

/* What came while this thread had no processor, or stood still with the whole
 * machine, is not read yet: that time is not the server's. It is forgotten when
 * as much has passed again. */
static void note_lost_time(struct tlr_load_worker *worker, uint64_t now)
{
    uint64_t passed = now - worker->ticked;
    if (passed > 2 * TICK_MS * NS_PER_MS) {
        worker->lost_ns += passed - TICK_MS * NS_PER_MS;
        worker->lost_at = now;
    } else if (now - worker->lost_at > worker->lost_ns) {
        worker->lost_ns = 0;
    }
    worker->ticked = now;
}

/* Slow ones, and those that wait for a wrong byte's successors, each time. */
static void tick_sessions(struct tlr_load_worker *worker, uint64_t now)
{
    const struct tlr_load_plan *plan = worker->crew->plan;
    bool all = worker->count <= MANY || plan->mode == TLR_LOAD_SLOW ||
               worker->context.examining > 0 ||
               plan->timeout_ms < (uint64_t)TICK_MS * ROUND * 4;
    uint32_t part = all ? worker->count : worker->count / ROUND + 1;
    while (part-- > 0) {
        tlr_load_session_tick(tlr_load_worker_session(worker, worker->tick_at),
            now, worker->lost_ns);
        worker->tick_at = (worker->tick_at + 1) % worker->count;
    }
}

/* The run's thread ends each phase, and takes what was measured. Where it is late
 * with that, it may be we who keep it from the processor: the system's scheduler
 * may let whoever runs go on for as long as it likes (SCHED_FIFO does), and a
 * thread that always has something to send does not wait by itself. */
static void let_run_on(const struct tlr_load_worker *worker, uint64_t now)
{
    uint64_t ends_at = atomic_load(&worker->crew->ends_at);
    uint64_t before = now - TICK_MS * NS_PER_MS;
    bool late = ends_at != 0 && before > ends_at;
    bool unread = before > worker->published && atomic_load(&worker->full);
    if (tlr_load_worker_runs(worker) && (late || unread)) {
        uv_sleep(1);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct tlr_load_worker *worker = timer->data;
    uint64_t now = uv_hrtime();
    note_lost_time(worker, now);
    atomic_store(&worker->open_now, worker->context.open);
    tick_sessions(worker, now);
    if (tlr_load_worker_runs(worker) && worker->waiting > 0) {
        tlr_load_slots_dial_failed(worker);
    }
    if (worker->phase >= TLR_LOAD_PHASE_MEASURE &&
        now - worker->published >= SECOND - TICK_MS * NS_PER_MS / 2) {
        publish(worker, now);
    }
    let_run_on(worker, now);
}

static void on_pulse(uv_timer_t *timer)
{
    struct tlr_load_worker *worker = timer->data;
    if (worker->crew->plan->rate > 0) {
        tlr_load_due_run(worker);
    }
    if (worker->next < worker->count && worker->asked == 0) {
        tlr_load_slots_dial_more(worker);
    } else if (worker->crew->plan->rate == 0) {
        (void)uv_timer_stop(timer); /* the ramp is over; always 0 */
    }
}

/* ---- phases ---- */

/* The first connects are in the result, though they are no part of any second. */
static void keep_opening(struct tlr_load_worker *worker)
{
    struct tlr_load_histogram *connecting =
        &worker->context.figures->latency[TLR_LOAD_CONNECTING];
    tlr_load_histogram_merge(&worker->opening, connecting);
    tlr_load_histogram_clear(connecting);
}

static void begin_to_send(struct tlr_load_worker *worker)
{
    tlr_load_due_start(worker);
    tlr_load_thinking_start(worker);
    for (uint32_t i = 0; i < worker->count; i++) {
        struct tlr_load_session *session = tlr_load_worker_session(worker, i);
        if (session->state == TLR_LOAD_READY) {
            tlr_load_session_go(session);
        }
    }
    tlr_load_slots_dial_more(worker);
}

static void begin_to_measure(struct tlr_load_worker *worker)
{
    uint64_t now = uv_hrtime();
    worker->published = now;
    worker->idle_ns = uv_metrics_idle_time(&worker->loop);
    if (worker->crew->plan->warmup_ms != 0) {
        tlr_load_figures_clear(worker->context.figures);
        worker->context.figures_from = now;
        for (uint32_t i = 0; i < worker->count; i++) {
            tlr_load_session_measure(tlr_load_worker_session(worker, i));
        }
    }
}

/* What is done from now on is the drain's. */
static void end_measuring(struct tlr_load_worker *worker)
{
    uint64_t now = uv_hrtime();
    worker->context.finished = now;
    worker->open_at_end = worker->context.open;
    measure_busy(worker, now);
    tlr_load_figures_were_in_time(worker->context.figures);
}

static void finish(struct tlr_load_worker *worker)
{
    if (worker->crew->plan->rate > 0) {
        tlr_load_due_count_unsent(worker);
    }
    if (worker->crew->plan->mode == TLR_LOAD_IDLE) {
        tlr_load_slots_ask(worker);
    } else {
        tlr_load_slots_each(worker, tlr_load_session_finish);
    }
}

static void close_handles(struct tlr_load_worker *worker)
{
    uv_close((uv_handle_t *)&worker->wake, NULL);
    uv_close((uv_handle_t *)&worker->ticks, NULL);
    uv_close((uv_handle_t *)&worker->pulse, NULL);
    uv_close((uv_handle_t *)&worker->check, NULL);
    uv_close((uv_handle_t *)&worker->thinking, NULL);
    uv_close((uv_handle_t *)&worker->thought, NULL);
}

/* A phase may have been skipped: each one does for itself what is needed. */
static void on_wake(uv_async_t *async)
{
    struct tlr_load_worker *worker = async->data;
    int before = worker->phase;
    int phase = atomic_load(&worker->crew->phase);
    if (phase == before) {
        return;
    }
    worker->phase = phase;
    if (before == TLR_LOAD_PHASE_CONNECT) {
        keep_opening(worker);
    }
    if (phase < TLR_LOAD_PHASE_FINISH && before == TLR_LOAD_PHASE_CONNECT) {
        begin_to_send(worker);
    }
    if (phase >= TLR_LOAD_PHASE_MEASURE && before < TLR_LOAD_PHASE_MEASURE) {
        begin_to_measure(worker); /* even if there is nothing left to */
    }
    if (phase >= TLR_LOAD_PHASE_FINISH && before < TLR_LOAD_PHASE_FINISH) {
        end_measuring(worker);
    }
    switch (phase) {
    case TLR_LOAD_PHASE_WARM:
    case TLR_LOAD_PHASE_MEASURE:
        break;
    case TLR_LOAD_PHASE_FINISH:
        finish(worker);
        break;
    case TLR_LOAD_PHASE_ABORT:
        worker->context.forgives = worker->crew->plan->abort_on_error &&
                                   atomic_load(&worker->crew->failed);
        tlr_load_slots_each(worker, tlr_load_session_abort);
        break;
    default:
        /* None is, but where the start has failed for another worker. */
        tlr_load_slots_each(worker, tlr_load_session_abort);
        close_handles(worker);
        break;
    }
}

/* ---- its life ---- */

static int allocate(struct tlr_load_worker *worker)
{
    struct tlr_load_context *context = &worker->context;
    worker->sessions = calloc(worker->count, worker->stride);
    worker->buffers = malloc(2 * TLR_LOAD_CHUNK + LINE - 1);
    if (worker->sessions == NULL || worker->buffers == NULL) {
        return UV_ENOMEM;
    }
    context->receive =
        worker->buffers + (LINE - (uintptr_t)worker->buffers % LINE) % LINE;
    context->send = context->receive + TLR_LOAD_CHUNK;
    return 0;
}

static void release(struct tlr_load_worker *worker)
{
    tlr_load_chunk_clear(&worker->context.spare);
    free(worker->buffers);
    free(worker->sessions);
}

/* They fail for nothing: init and start only fill in the struct. */
static void init_timers(struct tlr_load_worker *worker)
{
    const struct tlr_load_plan *plan = worker->crew->plan;
    int err = uv_timer_init(&worker->loop, &worker->ticks);
    TLR_CLI_CHECK(err == 0);
    err = uv_timer_init(&worker->loop, &worker->pulse);
    TLR_CLI_CHECK(err == 0);
    err = uv_check_init(&worker->loop, &worker->check);
    TLR_CLI_CHECK(err == 0);
    err = uv_prepare_init(&worker->loop, &worker->thinking);
    TLR_CLI_CHECK(err == 0);
    err = uv_timer_init(&worker->loop, &worker->thought);
    TLR_CLI_CHECK(err == 0);
    worker->ticks.data = worker;
    worker->pulse.data = worker;
    worker->check.data = worker;
    worker->thinking.data = worker;
    err = uv_timer_start(&worker->ticks, on_tick, TICK_MS, TICK_MS);
    TLR_CLI_CHECK(err == 0);
    if (plan->rate > 0 || plan->ramp_ms > 0) {
        err = uv_timer_start(&worker->pulse, on_pulse, 1, 1);
        TLR_CLI_CHECK(err == 0);
    }
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
    /* A loop that cannot only says that it was always busy. */
    (void)uv_loop_configure(&worker->loop, UV_METRICS_IDLE_TIME);
    init_timers(worker);
    return 0;
}

int tlr_load_worker_init(struct tlr_load_worker *worker,
    struct tlr_load_crew *crew, uint32_t index)
{
    const struct tlr_load_plan *plan = crew->plan;
    memset(worker, 0, sizeof(*worker));
    tlr_load_tally_init(&worker->tally);
    tlr_load_histogram_init(&worker->opening);
    tlr_load_figures_init(&worker->figures[0]);
    tlr_load_figures_init(&worker->figures[1]);
    atomic_init(&worker->full, false);
    atomic_init(&worker->open_now, 0);
    worker->crew = crew;
    worker->index = index;
    worker->count = (plan->connections - index - 1) / plan->loops + 1;
    worker->unsettled = worker->count;
    worker->left = worker->count;
    worker->least = UINT64_MAX;
    worker->stride = tlr_load_session_size(plan);
    worker->context = (struct tlr_load_context){
        .loop = &worker->loop,
        .plan = plan,
        .problems = &crew->problems,
        .tally = &worker->tally,
        .figures = &worker->figures[0],
        .on_ready = tlr_load_slots_on_ready,
        .on_failed = tlr_load_slots_on_failed,
        .on_closed = tlr_load_slots_on_closed,
        .data = worker,
    };
    int err = allocate(worker);
    if (err == 0) {
        err = init_loop(worker);
    }
    if (err != 0) {
        release(worker);
    }
    return err;
}

static void run_thread(void *arg)
{
    struct tlr_load_worker *worker = arg;
    const struct tlr_load_plan *plan = worker->crew->plan;
    worker->started = uv_hrtime();
    worker->ticked = worker->started;
    for (uint32_t i = 0; i < worker->count; i++) {
        struct tlr_load_session *session = tlr_load_worker_session(worker, i);
        tlr_load_session_init(session, &worker->context,
            worker->index + i * plan->loops, i);
        session->settled = tlr_load_plan_dials_late(plan);
    }
    if (tlr_load_plan_dials_late(plan)) {
        worker->unsettled = 0;
        tlr_load_worker_add(worker, &worker->crew->settled);
    }
    tlr_load_slots_dial_more(worker);
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
