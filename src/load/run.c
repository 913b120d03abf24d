/* SPDX-License-Identifier: MIT */
/*
 * The phases (worker.h) go up one by one: all workers settled: GO; the time is
 * over or somebody asked: FINISH, ABORT; all connections closed: LEAVE, join,
 * close our two handles, and report when the second one is closed.
 */
#include "run.h"

#include <stdlib.h>
#include <string.h>

#include "cli/check.h"
#include "worker.h"

struct tlr_load_run {
    struct tlr_load_crew crew;
    uv_async_t wake;
    uv_timer_t time;
    unsigned handles; /* of the two, not closed yet */
    struct tlr_load_result result;
    uint64_t go_at; /* uv_hrtime(); 0: not yet */
    tlr_load_problem_cb problem;
    tlr_load_done_cb done;
    void *data;
    uint32_t started; /* workers with a thread */
    struct tlr_load_worker *workers;
};

static void set_phase(struct tlr_load_run *run, enum tlr_load_phase phase)
{
    if ((int)phase <= atomic_load(&run->crew.phase)) {
        return;
    }
    atomic_store(&run->crew.phase, phase);
    for (uint32_t i = 0; i < run->started; i++) {
        tlr_load_worker_wake(&run->workers[i]);
    }
}

static void pass_problems_on(struct tlr_load_run *run)
{
    char line[TLR_LOAD_PROBLEM_LENGTH];
    while (tlr_load_problems_take(&run->crew.problems, line)) {
        if (run->problem != NULL) {
            run->problem(run->data, line);
        }
    }
}

static void free_run(struct tlr_load_run *run)
{
    tlr_load_problems_close(&run->crew.problems);
    free(run->workers);
    free(run);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct tlr_load_run *run = handle->data;
    run->handles--;
    if (run->handles == 0) {
        run->done(run->data, &run->result);
        free_run(run);
    }
}

static void join_all(struct tlr_load_run *run)
{
    for (uint32_t i = 0; i < run->started; i++) {
        tlr_load_worker_join(&run->workers[i]);
    }
}

static void leave(struct tlr_load_run *run)
{
    struct tlr_load_tally *total = &run->result.total;
    set_phase(run, TLR_LOAD_PHASE_LEAVE);
    join_all(run);
    pass_problems_on(run);
    for (uint32_t i = 0; i < run->started; i++) {
        tlr_load_tally_merge(total, &run->workers[i].tally);
        tlr_load_worker_close(&run->workers[i]);
    }
    if (run->go_at != 0 && total->last_byte_at > run->go_at) {
        run->result.seconds =
            (double)(total->last_byte_at - run->go_at) / 1e9;
    }
    uv_close((uv_handle_t *)&run->wake, on_handle_closed);
    uv_close((uv_handle_t *)&run->time, on_handle_closed);
}

static void on_time(uv_timer_t *timer)
{
    set_phase(timer->data, TLR_LOAD_PHASE_FINISH);
}

static void go(struct tlr_load_run *run)
{
    uint64_t duration = run->crew.plan->duration_ms;
    run->go_at = uv_hrtime();
    if (duration != 0) {
        uv_update_time(run->wake.loop);
        int err = uv_timer_start(&run->time, on_time, duration, 0);
        TLR_CLI_CHECK(err == 0); /* it has a callback and is not closing */
    }
    set_phase(run, TLR_LOAD_PHASE_GO);
}

static void on_wake(uv_async_t *async)
{
    struct tlr_load_run *run = async->data;
    pass_problems_on(run);
    if (run->go_at == 0 && atomic_load(&run->crew.settled) == run->started) {
        go(run);
    }
    /* A wake that was on its way may come again while we close. */
    if (atomic_load(&run->crew.closed) == run->started &&
        !uv_is_closing((uv_handle_t *)async)) {
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
    if (run->workers == NULL || tlr_load_problems_init(&run->crew.problems)) {
        free(run->workers);
        free(run);
        return NULL;
    }
    run->crew.plan = plan;
    run->crew.wake = &run->wake;
    atomic_init(&run->crew.phase, TLR_LOAD_PHASE_CONNECT);
    atomic_init(&run->crew.settled, 0);
    atomic_init(&run->crew.closed, 0);
    run->result.plan = plan;
    tlr_load_tally_init(&run->result.total);
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
}

int tlr_load_run_start(struct tlr_load_run **out, uv_loop_t *loop,
    const struct tlr_load_plan *plan, tlr_load_problem_cb problem,
    tlr_load_done_cb done, void *data)
{
    struct tlr_load_run *run = create(plan);
    if (run == NULL) {
        return UV_ENOMEM;
    }
    run->problem = problem;
    run->done = done;
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
    run->handles = 2;
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
    bool again = run->result.stopped_early;
    run->result.stopped_early = true;
    if (phase < TLR_LOAD_PHASE_LEAVE) {
        set_phase(run,
            again ? TLR_LOAD_PHASE_ABORT : TLR_LOAD_PHASE_FINISH);
    }
}

bool tlr_load_result_is_good(const struct tlr_load_result *result)
{
    return tlr_load_tally_failed(&result->total) == 0;
}
