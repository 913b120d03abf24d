/* SPDX-License-Identifier: MIT */
/*
 * The phases (worker.h) go up one by one: all workers settled: WARM, MEASURE; the
 * time is over or somebody asked: FINISH, ABORT; all connections closed: LEAVE,
 * join, close our handles, and report when the last one is closed. Each
 * second the workers hand over what they have measured: when all have, that is
 * an interval.
 */
#include "run.h"

#include <stdlib.h>
#include <string.h>

#include "cli/check.h"
#include "worker.h"

enum { MEASURABLE = 500 };

const double tlr_load_percents[TLR_LOAD_PERCENTILES] = {
    50, 75, 90, 99, 99.9, 100};

struct tlr_load_run {
    struct tlr_load_crew crew;
    uv_async_t wake;
    uv_timer_t time;
    uv_timer_t seconds; /* until its time is measured */
    unsigned handles;   /* of the three, not closed yet */
    struct tlr_load_result result;
    struct tlr_load_figures interval; /* so far */
    uint32_t taken;                   /* workers whose share is in it */
    size_t room;                      /* for so many intervals */
    uint64_t started_at;  /* uv_hrtime() */
    uint64_t go_at;       /* uv_hrtime(); 0: not yet */
    uint64_t measured_at; /* likewise */
    uint64_t interval_at; /* uv_hrtime(): the end of the last one */
    uint64_t finished_at; /* uv_hrtime(): nothing more is sent; 0: not yet */
    size_t memory_before; /* bytes of this process */
    const struct tlr_load_callbacks *callbacks;
    void *data;
    uint32_t started; /* workers with a thread */
    bool *took;       /* by worker */
    struct tlr_load_worker *workers;
};

static double wall_clock(void)
{
    uv_timeval64_t now = {0};
    (void)uv_gettimeofday(&now); /* then it is 1970 */
    return (double)now.tv_sec + (double)now.tv_usec / 1e6;
}

static void begin_to_measure(struct tlr_load_run *run)
{
    run->measured_at = uv_hrtime();
    run->interval_at = run->measured_at;
    run->result.began = wall_clock();
}

/* For one that ends before its time was taken, that begins and ends there. */
static void note_end(struct tlr_load_run *run)
{
    if (run->measured_at == 0) {
        run->result.unmeasured = true;
        begin_to_measure(run);
    }
    run->finished_at = uv_hrtime();
    (void)uv_timer_stop(&run->time); /* always 0 */
}

static void set_phase(struct tlr_load_run *run, enum tlr_load_phase phase)
{
    if ((int)phase <= atomic_load(&run->crew.phase)) {
        return;
    }
    if (phase >= TLR_LOAD_PHASE_FINISH && run->finished_at == 0) {
        note_end(run);
    }
    atomic_store(&run->crew.phase, phase);
    for (uint32_t i = 0; i < run->started; i++) {
        tlr_load_worker_wake(&run->workers[i]);
    }
}

static void pass_problems_on(struct tlr_load_run *run)
{
    struct tlr_load_result *result = &run->result;
    while (result->problem_count < TLR_LOAD_PROBLEMS) {
        char *line = result->problems[result->problem_count];
        if (!tlr_load_problems_take(&run->crew.problems, line)) {
            return;
        }
        result->problem_count++;
        if (run->callbacks->problem != NULL) {
            run->callbacks->problem(run->data, line);
        }
    }
}

static void free_run(struct tlr_load_run *run)
{
    tlr_load_problems_close(&run->crew.problems);
    free(run->result.intervals);
    free(run->result.figures);
    free(run->workers);
    free(run->took);
    free(run);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct tlr_load_run *run = handle->data;
    run->handles--;
    if (run->handles == 0) {
        run->callbacks->done(run->data, &run->result);
        free_run(run);
    }
}

static void join_all(struct tlr_load_run *run)
{
    for (uint32_t i = 0; i < run->started; i++) {
        tlr_load_worker_join(&run->workers[i]);
    }
}

/* ---- seconds ---- */

enum tlr_load_measure tlr_load_main_measure(const struct tlr_load_plan *plan)
{
    switch (plan->mode) {
    case TLR_LOAD_CHURN:
        return TLR_LOAD_CONNECTING;
    case TLR_LOAD_HELLO:
        return TLR_LOAD_FIRST_BYTE;
    default:
        return TLR_LOAD_ROUND_TRIP;
    }
}

void tlr_load_interval_take(struct tlr_load_interval *interval,
    const struct tlr_load_histogram *latency)
{
    for (unsigned i = 0; i < TLR_LOAD_PERCENTILES; i++) {
        interval->latency[i] =
            tlr_load_histogram_percentile(latency, tlr_load_percents[i]);
    }
}

static struct tlr_load_interval sum_up(
    const struct tlr_load_run *run, uint64_t now)
{
    const struct tlr_load_figures *figures = &run->interval;
    const struct tlr_load_histogram *latency =
        &figures->latency[tlr_load_main_measure(run->crew.plan)];
    struct tlr_load_interval interval = {
        .at = run->result.began +
              (double)(run->interval_at - run->measured_at) / 1e9,
        .from = (double)(run->interval_at - run->measured_at) / 1e9,
        .seconds = (double)(now - run->interval_at) / 1e9,
        .round_trips = figures->round_trips,
        .sessions = figures->sessions,
        .bytes_sent = figures->bytes_sent,
        .bytes_received = figures->bytes_received,
        .errors = figures->errors,
        .open = figures->open,
        .in_time = figures->in_time,
        .busy = tlr_load_figures_busy(figures),
    };
    tlr_load_interval_take(&interval, latency);
    return interval;
}

/* Makes room for one more; false: there is no memory for that. */
static bool make_room(struct tlr_load_run *run)
{
    size_t room = run->room == 0 ? 64 : 2 * run->room;
    struct tlr_load_interval *more;
    if (run->result.interval_count < run->room) {
        return true;
    }
    more = realloc(run->result.intervals, room * sizeof(*more));
    if (more == NULL) {
        return false;
    }
    run->result.intervals = more;
    run->room = room;
    return true;
}

static void end_interval(struct tlr_load_run *run)
{
    const struct tlr_load_callbacks *callbacks = run->callbacks;
    uint64_t now = uv_hrtime();
    struct tlr_load_interval interval = sum_up(run, now);
    if (make_room(run)) { /* else the list ends, and nothing else */
        run->result.intervals[run->result.interval_count++] = interval;
    }
    if (callbacks->interval != NULL) {
        callbacks->interval(run->data, &interval, &run->interval);
    }
    tlr_load_figures_add(run->result.figures, &run->interval);
    tlr_load_figures_clear(&run->interval);
    memset(run->took, 0, run->started * sizeof(*run->took));
    run->taken = 0;
    run->interval_at = now;
}

static void take_seconds(struct tlr_load_run *run)
{
    for (uint32_t i = 0; i < run->started; i++) {
        if (!run->took[i] &&
            tlr_load_worker_take(&run->workers[i], &run->interval)) {
            run->took[i] = true;
            run->taken++;
        }
    }
    if (run->taken == run->started) {
        end_interval(run);
    }
}

/* ---- its course ---- */

/* Without a duration the last byte is the end of it, and not a connection that
 * was awaited in vain. */
static double time_of(const struct tlr_load_run *run)
{
    uint64_t last = run->result.total.last_byte_at;
    uint64_t end = run->finished_at;
    if (run->crew.plan->duration_ms == 0 && last < end) {
        end = last;
    }
    return end > run->measured_at ? (double)(end - run->measured_at) / 1e9 : 0;
}

/* All connections have failed before the time was over: it goes on without them,
 * or a server would keep its rate by dying. */
static void give_out(struct tlr_load_run *run)
{
    struct tlr_load_result *result = &run->result;
    result->gave_out = result->seconds;
    result->seconds = (double)run->crew.plan->duration_ms / 1e3;
    for (uint32_t i = 0; i < run->started; i++) {
        result->total.unsent += tlr_load_worker_rest(&run->workers[i]);
    }
}

static void leave(struct tlr_load_run *run)
{
    struct tlr_load_result *result = &run->result;
    bool in_time = run->finished_at == 0 && run->measured_at != 0;
    uint64_t open = 0;
    set_phase(run, TLR_LOAD_PHASE_LEAVE);
    join_all(run);
    pass_problems_on(run);
    for (uint32_t i = 0; i < run->started; i++) {
        struct tlr_load_worker *worker = &run->workers[i];
        tlr_load_tally_merge(&result->total, &worker->tally);
        tlr_load_worker_take_rest(worker, &run->interval);
        open += worker->open_at_end;
        tlr_load_histogram_merge(
            &result->figures->latency[TLR_LOAD_CONNECTING], &worker->opening);
    }
    run->interval.open = open;
    end_interval(run);
    result->seconds = time_of(run);
    if (in_time && run->crew.plan->duration_ms != 0 &&
        result->total.connected > 0) {
        give_out(run);
    }
    for (uint32_t i = 0; i < run->started; i++) {
        tlr_load_worker_close(&run->workers[i]);
    }
    uv_close((uv_handle_t *)&run->wake, on_handle_closed);
    uv_close((uv_handle_t *)&run->time, on_handle_closed);
    uv_close((uv_handle_t *)&run->seconds, on_handle_closed);
}

static void on_time(uv_timer_t *timer);

/* Tells that it is under way, where no interval does yet. */
static void on_second(uv_timer_t *timer)
{
    struct tlr_load_run *run = timer->data;
    uint64_t now = uv_hrtime();
    uint64_t open = 0;
    if (run->measured_at != 0) {
        (void)uv_timer_stop(timer); /* always 0 */
        return;
    }
    for (uint32_t i = 0; i < run->started; i++) {
        open += atomic_load(&run->workers[i].open_now);
    }
    if (run->callbacks->waiting != NULL) {
        run->callbacks->waiting(run->data,
            (double)(now - run->started_at) / 1e9, open,
            run->go_at == 0 ? -1 : (double)(now - run->go_at) / 1e9);
    }
}

static void set_time(struct tlr_load_run *run, uint64_t milliseconds)
{
    atomic_store(&run->crew.ends_at, uv_hrtime() + milliseconds * 1000000);
    uv_update_time(run->wake.loop);
    int err = uv_timer_start(&run->time, on_time, milliseconds, 0);
    TLR_CLI_CHECK(err == 0); /* it has a callback and is not closing */
}

static void measure(struct tlr_load_run *run)
{
    uint64_t duration = run->crew.plan->duration_ms;
    begin_to_measure(run);
    if (duration != 0) {
        set_time(run, duration);
    }
    set_phase(run, TLR_LOAD_PHASE_MEASURE);
}

static void on_time(uv_timer_t *timer)
{
    struct tlr_load_run *run = timer->data;
    if (run->measured_at == 0) {
        measure(run);
    } else {
        set_phase(run, TLR_LOAD_PHASE_FINISH);
    }
}

/* Of what the connections have added. Of few of them that is what else the process
 * has touched meanwhile. */
static double memory_of_one(const struct tlr_load_run *run)
{
    size_t now = 0;
    if (run->crew.plan->connections < MEASURABLE ||
        uv_resident_set_memory(&now) != 0 || now <= run->memory_before) {
        return 0;
    }
    return (double)(now - run->memory_before) / run->crew.plan->connections;
}

static void go(struct tlr_load_run *run)
{
    uint64_t warmup = run->crew.plan->warmup_ms;
    run->go_at = uv_hrtime();
    run->result.memory = memory_of_one(run);
    if (run->callbacks->begun != NULL) {
        run->callbacks->begun(run->data);
    }
    if (warmup == 0) {
        measure(run);
        return;
    }
    set_time(run, warmup);
    set_phase(run, TLR_LOAD_PHASE_WARM);
}

static void on_wake(uv_async_t *async)
{
    struct tlr_load_run *run = async->data;
    /* A wake that was on its way may come again while we close. */
    if (uv_is_closing((uv_handle_t *)async)) {
        return;
    }
    pass_problems_on(run);
    take_seconds(run);
    if (run->crew.plan->abort_on_error && atomic_load(&run->crew.failed)) {
        run->result.aborted = true;
        set_phase(run, TLR_LOAD_PHASE_ABORT);
    }
    if (run->go_at == 0 && atomic_load(&run->crew.settled) == run->started) {
        go(run);
    }
    if (atomic_load(&run->crew.closed) == run->started) {
        leave(run);
    }
}

/* Undoes what init_workers and start_workers did. */
static void undo_workers(struct tlr_load_run *run, uint32_t initialised)
{
    set_phase(run, TLR_LOAD_PHASE_ABORT);
    set_phase(run, TLR_LOAD_PHASE_LEAVE);
    join_all(run);
    for (uint32_t i = 0; i < initialised; i++) {
        tlr_load_worker_close(&run->workers[i]);
    }
}

static int start_workers(struct tlr_load_run *run)
{
    uint32_t loops = run->crew.plan->loops;
    uint32_t initialised = 0;
    int err = 0;
    while (err == 0 && initialised < loops) {
        err = tlr_load_worker_init(
            &run->workers[initialised], &run->crew, initialised);
        initialised += err == 0;
    }
    /* What the loops need is there: what comes is the connections'. */
    (void)uv_resident_set_memory(&run->memory_before); /* or it is 0 */
    while (err == 0 && run->started < loops) {
        err = tlr_load_worker_start(&run->workers[run->started]);
        run->started += err == 0;
    }
    if (err != 0) {
        undo_workers(run, initialised);
    }
    return err;
}

static struct tlr_load_run *create(const struct tlr_load_plan *plan)
{
    struct tlr_load_run *run = calloc(1, sizeof(*run));
    if (run == NULL) {
        return NULL;
    }
    run->workers = calloc(plan->loops, sizeof(*run->workers));
    run->took = calloc(plan->loops, sizeof(*run->took));
    run->result.figures = calloc(1, sizeof(*run->result.figures));
    if (run->workers == NULL || run->took == NULL ||
        run->result.figures == NULL ||
        tlr_load_problems_init(&run->crew.problems)) {
        free(run->result.figures);
        free(run->took);
        free(run->workers);
        free(run);
        return NULL;
    }
    run->crew.plan = plan;
    run->crew.wake = &run->wake;
    atomic_init(&run->crew.phase, TLR_LOAD_PHASE_CONNECT);
    atomic_init(&run->crew.ends_at, 0);
    atomic_init(&run->crew.settled, 0);
    atomic_init(&run->crew.closed, 0);
    atomic_init(&run->crew.failed, false);
    run->result.plan = plan;
    tlr_load_tally_init(&run->result.total);
    tlr_load_figures_init(run->result.figures);
    tlr_load_figures_init(&run->interval);
    return run;
}

static void on_abandoned(uv_handle_t *handle)
{
    struct tlr_load_run *run = handle->data;
    run->handles--;
    if (run->handles == 0) {
        free_run(run);
    }
}

/* After a failed start: the handles close on the caller's loop, silently. */
static void abandon(struct tlr_load_run *run)
{
    uv_close((uv_handle_t *)&run->wake, on_abandoned);
    uv_close((uv_handle_t *)&run->time, on_abandoned);
    uv_close((uv_handle_t *)&run->seconds, on_abandoned);
}

int tlr_load_run_start(struct tlr_load_run **out, uv_loop_t *loop,
    const struct tlr_load_plan *plan,
    const struct tlr_load_callbacks *callbacks, void *data)
{
    struct tlr_load_run *run = create(plan);
    if (run == NULL) {
        return UV_ENOMEM;
    }
    run->callbacks = callbacks;
    run->data = data;
    int err = uv_async_init(loop, &run->wake, on_wake);
    if (err != 0) {
        free_run(run);
        return err;
    }
    run->wake.data = run;
    err = uv_timer_init(loop, &run->time);
    TLR_CLI_CHECK(err == 0); /* only fills in the struct */
    run->time.data = run;
    err = uv_timer_init(loop, &run->seconds);
    TLR_CLI_CHECK(err == 0);
    run->seconds.data = run;
    run->handles = 3;
    run->started_at = uv_hrtime();
    uv_update_time(loop);
    err = uv_timer_start(&run->seconds, on_second, 1000, 1000);
    TLR_CLI_CHECK(err == 0); /* it has a callback */
    err = start_workers(run);
    if (err != 0) {
        abandon(run);
        return err;
    }
    *out = run;
    return 0;
}

void tlr_load_run_stop(struct tlr_load_run *run)
{
    int phase = atomic_load(&run->crew.phase);
    bool again = phase >= TLR_LOAD_PHASE_FINISH;
    run->result.stopped_early = true;
    if (phase < TLR_LOAD_PHASE_LEAVE) {
        set_phase(run,
            again ? TLR_LOAD_PHASE_ABORT : TLR_LOAD_PHASE_FINISH);
    }
}

bool tlr_load_result_is_good(const struct tlr_load_result *result)
{
    return tlr_load_tally_failed(&result->total) == 0 &&
           (result->total.connected > 0 || result->foreign);
}
