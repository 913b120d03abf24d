/* SPDX-License-Identifier: MIT */
/* Workers whose loops do not turn, and how far a drain has got. */
#include "support.h"

#include <string.h>

enum { STALL = 500 }; /* milliseconds: no busy machine makes a thread wait so */

static struct {
    unsigned stalled;
    unsigned over;
    unsigned worker; /* the last one */
    uint64_t milliseconds;
    uv_sem_t go_on;
    atomic_uint stuck;
} seen;

static void on_stall(struct tlr_server *server, unsigned worker,
                     uint64_t milliseconds, int over)
{
    (void)server;
    seen.stalled += !over;
    seen.over += over != 0;
    seen.worker = worker;
    seen.milliseconds = milliseconds;
}

static void stick(struct tlr_server *server, unsigned worker, void *data)
{
    (void)server;
    (void)worker;
    (void)data;
    atomic_fetch_add(&seen.stuck, 1);
    uv_sem_wait(&seen.go_on);
}

static void begin(struct fixture *f, unsigned stall_time)
{
    memset(&seen, 0, sizeof(seen));
    assert_int_equal(uv_sem_init(&seen.go_on, 0), 0);
    f->options.stall_time = stall_time;
    f->options.on_stall = on_stall;
    start_server(f);
}

static bool is_stuck(void *data)
{
    (void)data;
    return atomic_load(&seen.stuck) > 0;
}

static bool has_stalled(void *data)
{
    (void)data;
    return seen.stalled > 0;
}

static bool is_over(void *data)
{
    (void)data;
    return seen.over > 0;
}

static void a_stalled_worker_is_told_and_avoided(void **state)
{
    struct fixture *f = *state;
    struct client clients[8];
    unsigned i;

    begin(f, STALL);
    assert_int_equal(tlr_post(f->server, 1, stick, NULL), 0);
    run_until(&f->loop, has_stalled, NULL);
    assert_int_equal(seen.worker, 1);
    assert_true(seen.milliseconds >= STALL);
    assert_int_equal(counters_of(f, 1).stalls, 1);
    assert_int_equal(counters_of(f, 0).stalls, 0);
    for (i = 0; i < COUNT(clients); i++) {
        client_connect(f, &clients[i]);
        client_exchange(f, &clients[i]);
    }
    assert_int_equal(counters_of(f, 0).accepted, COUNT(clients));
    assert_int_equal(seen.stalled, 1); /* told once */
    assert_int_equal(seen.over, 0);
    uv_sem_post(&seen.go_on);
    run_until(&f->loop, is_over, NULL);
    assert_int_equal(seen.worker, 1);
    assert_true(seen.milliseconds >= STALL);
    for (i = 0; i < COUNT(clients); i++) {
        client_close(f, &clients[i]);
    }
    /* And it has its share again. */
    for (i = 0; i < COUNT(clients); i++) {
        client_connect(f, &clients[i]);
        client_exchange(f, &clients[i]);
    }
    assert_true(counters_of(f, 1).accepted > 0);
    for (i = 0; i < COUNT(clients); i++) {
        client_close(f, &clients[i]);
    }
    drain_server(f, TLR_NO_DEADLINE);
    uv_sem_destroy(&seen.go_on);
}

static void when_all_stall_each_gets_its_share(void **state)
{
    struct fixture *f = *state;
    struct client clients[4];
    unsigned i;

    begin(f, STALL);
    assert_int_equal(tlr_post(f->server, 0, stick, NULL), 0);
    assert_int_equal(tlr_post(f->server, 1, stick, NULL), 0);
    while (seen.stalled < 2) {
        uv_run(&f->loop, UV_RUN_ONCE);
    }
    for (i = 0; i < COUNT(clients); i++) {
        client_connect(f, &clients[i]);
    }
    uv_sem_post(&seen.go_on);
    uv_sem_post(&seen.go_on);
    for (i = 0; i < COUNT(clients); i++) {
        client_exchange(f, &clients[i]);
        client_close(f, &clients[i]);
    }
    drain_server(f, TLR_NO_DEADLINE);
    uv_sem_destroy(&seen.go_on);
}

static void without_a_time_nothing_is_watched(void **state)
{
    struct fixture *f = *state;

    begin(f, 0);
    assert_int_equal(tlr_post(f->server, 0, stick, NULL), 0);
    run_until(&f->loop, is_stuck, NULL);
    run_for(&f->loop, 2 * STALL);
    assert_int_equal(seen.stalled, 0);
    uv_sem_post(&seen.go_on);
    drain_server(f, TLR_NO_DEADLINE);
    uv_sem_destroy(&seen.go_on);
}

static void loops_that_turn_are_not_told(void **state)
{
    struct fixture *f = *state;
    struct client client;

    begin(f, 2000);
    client_connect(f, &client);
    run_for(&f->loop, 2600);
    client_exchange(f, &client);
    assert_int_equal(seen.stalled, 0);
    client_close(f, &client);
    drain_server(f, TLR_NO_DEADLINE);
    uv_sem_destroy(&seen.go_on);
}

/* A worker that ends while it counts as stalled. */
static void a_stalled_worker_may_be_stopped(void **state)
{
    struct fixture *f = *state;

    begin(f, STALL);
    assert_int_equal(tlr_post(f->server, 1, stick, NULL), 0);
    run_until(&f->loop, has_stalled, NULL);
    tlr_server_stop(f->server);
    run_for(&f->loop, STALL);
    assert_int_equal(f->stopped, 0);
    assert_int_equal(seen.stalled, 1);
    uv_sem_post(&seen.go_on);
    run_until(&f->loop, is_stopped, f);
    uv_sem_destroy(&seen.go_on);
}

static void stop_when_told(struct tlr_server *server, unsigned worker,
                           uint64_t milliseconds, int over)
{
    on_stall(server, worker, milliseconds, over);
    tlr_server_stop(server);
    uv_sem_post(&seen.go_on);
}

static void the_callback_may_stop_the_server(void **state)
{
    struct fixture *f = *state;

    begin(f, STALL);
    drain_server(f, TLR_NO_DEADLINE);
    tlr_server_destroy(f->server);
    f->stopped = 0;
    f->options.on_stall = stop_when_told;
    start_server(f);
    assert_int_equal(tlr_post(f->server, 0, stick, NULL), 0);
    run_until(&f->loop, is_stopped, f);
    assert_true(seen.stalled == 1);
    uv_sem_destroy(&seen.go_on);
}

/* ---- progress ------------------------------------------------------- */

static struct tlr_progress progress_of(const struct fixture *f)
{
    struct tlr_progress progress;

    tlr_server_progress(f->server, &progress, sizeof(progress));
    return progress;
}

static void progress_follows_a_drain(void **state)
{
    struct fixture *f = *state;
    struct client client;

    create_server(f);
    assert_int_equal(progress_of(f).phase, TLR_PHASE_NEW);
    listen_on(f, "127.0.0.1", 0);
    start_created(f);
    client_connect(f, &client);
    client_exchange(f, &client);
    assert_int_equal(progress_of(f).phase, TLR_PHASE_RUNNING);
    assert_int_equal(progress_of(f).open, 1);
    assert_true(progress_of(f).remaining == TLR_NO_DEADLINE);
    tlr_server_drain(f->server, TLR_NO_DEADLINE);
    assert_int_equal(progress_of(f).phase, TLR_PHASE_DRAINING);
    assert_true(progress_of(f).remaining == TLR_NO_DEADLINE);
    tlr_server_drain(f->server, 3600 * 1000);
    assert_true(progress_of(f).remaining <= 3600 * 1000);
    assert_true(progress_of(f).remaining > 3000 * 1000);
    client_exchange(f, &client);
    tlr_server_drain(f->server, 100 * 1000); /* hurry */
    assert_true(progress_of(f).remaining <= 100 * 1000);
    tlr_server_drain(f->server, 3600 * 1000); /* is not put off */
    assert_true(progress_of(f).remaining <= 100 * 1000);
    assert_int_equal(progress_of(f).open, 1);
    tlr_server_stop(f->server);
    assert_int_equal(progress_of(f).phase, TLR_PHASE_STOPPING);
    run_until(&f->loop, is_stopped, f);
    assert_int_equal(progress_of(f).phase, TLR_PHASE_STOPPED);
    assert_int_equal(progress_of(f).open, 0);
    client_close(f, &client);
}

static void an_older_program_gets_what_it_knows(void **state)
{
    struct fixture *f = *state;
    struct tlr_progress progress;

    start_server(f);
    memset(&progress, 0x55, sizeof(progress));
    tlr_server_progress(f->server, &progress,
                        offsetof(struct tlr_progress, remaining));
    assert_int_equal(progress.phase, TLR_PHASE_RUNNING);
    assert_int_equal(progress.open, 0);
    assert_true(progress.remaining == UINT64_C(0x5555555555555555));
}

/* Who is owed bytes when the deadline comes is reset, and counted as that. */
static void at_the_deadline_those_who_are_owed_are_counted(void **state)
{
    struct fixture *f = *state;
    struct client owed;
    struct client quiet;

    start_server(f);
    client_connect_as(f, &owed, CLIENT_PATIENT | CLIENT_CHECKING);
    client_connect(f, &quiet);
    client_exchange(f, &quiet);
    client_send_pattern(&owed, 0, 32 * 1024 * 1024);
    client_wait_stalled(f, &owed, 1);
    drain_server(f, 100);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).closed[TLR_CLOSED_OWING],
                     1);
    assert_int_equal(
        counters_of(f, TLR_ALL_WORKERS).closed[TLR_CLOSED_BY_STOP], 1);
    client_read(&owed);
    client_wait_over(f, &owed);
    client_wait_end(f, &quiet);
    assert_int_not_equal(owed.error, 0);
    client_close(f, &owed);
    client_close(f, &quiet);
}

int main(void)
{
    static struct mode in_turn = {2, TLR_BALANCE_ROUND_ROBIN};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_stalled_worker_is_told_and_avoided,
                                        setup, teardown),
        cmocka_unit_test_prestate_setup_teardown(
            a_stalled_worker_is_told_and_avoided, setup, teardown, &in_turn),
        cmocka_unit_test_setup_teardown(when_all_stall_each_gets_its_share,
                                        setup, teardown),
        cmocka_unit_test_prestate_setup_teardown(
            when_all_stall_each_gets_its_share, setup, teardown, &in_turn),
        cmocka_unit_test_setup_teardown(without_a_time_nothing_is_watched,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(loops_that_turn_are_not_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_stalled_worker_may_be_stopped,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(the_callback_may_stop_the_server,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(progress_follows_a_drain, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_older_program_gets_what_it_knows,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            at_the_deadline_those_who_are_owed_are_counted, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
