/* SPDX-License-Identifier: MIT */
/*
 * How a run ends, and what its figures are of: the time in which something was
 * sent, whatever becomes of the server in it and however long the rest takes.
 */
#include "loaded.h"

#include <string.h>

static uint64_t failed(void)
{
    return tlr_load_tally_failed(&said->total);
}

/* ---- a server that dies ---- */

static void a_server_that_dies_does_not_keep_its_rate(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    (void)state;
    lies->closes_from = 64 * 10;
    plan.duration_ms = 3000;
    loaded_run(&plan);
    assert_true(failed() == plan.connections);
    assert_in_time(said->took < 2.5); /* there is nothing left to wait for */
    assert_in_time(said->gave_out > 0 && said->gave_out < 2.5);
    assert_true(said->seconds == 3);
}

static void what_would_have_been_due_to_it_is_unsent(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    (void)state;
    lies->closes_from = 64 * 10;
    plan.rate = 1000;
    plan.duration_ms = 3000;
    loaded_run(&plan);
    assert_true(failed() == plan.connections);
    uint64_t begun = said->total.bytes_sent / 64;
    assert_in_range(said->total.unsent + begun, 2990, 3003);
    assert_true(said->figures->in_time.round_trips < 40);
}

/* The others go on: what was due to the one that is gone is unsent, and is not told
 * as if somebody had waited for it. */
static void nobody_waits_for_one_that_is_gone(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    (void)state;
    lies->spared = true;
    lies->only = 1;
    lies->closes_from = 64;
    plan.rate = 300;
    plan.duration_ms = 3000;
    plan.connections = 3;
    loaded_run(&plan);
    assert_true(failed() == 1);
    assert_in_time(said->total.unsent >= 250 && said->total.unsent <= 310);
    assert_true(said->gave_out == 0 && said->seconds > 2.9);
    assert_true(said->figures->latency[TLR_LOAD_ROUND_TRIP].count < 660);
    assert_in_time(loaded_ms(&plan, 50) < 500);
}

/* ---- a server that is late ---- */

/* It holds the last messages for a second: that is not in the time. */
static void what_comes_late_is_not_in_the_time(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    (void)state;
    lies->delay_ms = 1000;
    plan.duration_ms = 500;
    loaded_run(&plan);
    assert_true(said->good);
    assert_in_time(said->seconds < 0.9);
    assert_true(said->figures->in_time.round_trips == 0);
    assert_true(said->figures->round_trips == plan.connections);
    assert_in_time(said->figures->elapsed_ns < UINT64_C(900000000) * plan.loops);
}

static void a_stream_ends_a_timeout_after_its_time(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_STREAM);
    (void)state;
    lies->trickle = 1000; /* 65 ms for each read */
    plan.connections = 1;
    plan.duration_ms = 200;
    plan.timeout_ms = 400;
    loaded_run(&plan);
    assert_true(failed() == 1);
    assert_true(said->total.errors[TLR_LOAD_TIMEOUT] == 1);
    loaded_expect(" sent were not back, though they kept coming");
    assert_in_time(said->took < 3);
}

/* Each is asked; they are waited for together. */
static void the_silent_ones_of_idle_are_waited_for_once(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_IDLE);
    (void)state;
    lies->silent_from = 1;
    plan.connections = 400;
    plan.duration_ms = 100;
    plan.timeout_ms = 800;
    loaded_run(&plan);
    assert_true(said->total.errors[TLR_LOAD_TIMEOUT] == 400);
    assert_in_time(said->took < 4);
}

/* ---- asked to stop ---- */

static void stopped_in_the_warm_up_no_interval_is_longer_than_it(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    (void)state;
    lies->delay_ms = 1200; /* so that a second passes while it ends */
    plan.warmup_ms = 20000;
    stops->after[0] = 100;
    stops->from = plan.connections;
    loaded_run(&plan);
    assert_true(said->unmeasured);
    assert_in_time(said->interval_seconds < 10);
}

static void a_signal_while_it_ends_ends_it_at_once(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    (void)state;
    lies->silent_from = 1;
    plan.duration_ms = 100;
    plan.timeout_ms = 30000;
    stops->after[0] = 600;
    loaded_run(&plan);
    assert_in_time(said->took < 15);
    assert_true(failed() == plan.connections);
}

static void nothing_is_verified_where_nothing_was_connected(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    struct sockaddr_storage nobody;
    (void)state;
    loaded_nobody(&nobody);
    plan.addresses = &nobody;
    plan.address_count = 1;
    loaded_run(&plan);
    assert_false(said->good);
}

static void what_the_first_error_breaks_off_is_no_error(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    (void)state;
    lies->spared = true;
    lies->only = 1;
    lies->flip = 64 * 3;
    plan.connections = 20;
    plan.duration_ms = 20000;
    plan.abort_on_error = true;
    loaded_run(&plan);
    assert_true(said->aborted);
    assert_true(failed() == 1);
    assert_true(said->total.errors[TLR_LOAD_WRONG] == 1);
}

/* ---- more than can be ---- */

static void a_rate_that_cannot_be_is_told_in_time(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    (void)state;
    plan.rate = 1e8;
    plan.duration_ms = 300;
    plan.timeout_ms = 30000;
    loaded_run(&plan);
    assert_true(said->good);
    assert_true(said->total.unsent > 20 * 1000 * 1000);
    assert_in_time(said->took < 10);
}

/* A second is lost to the server: it is not caught up with. */
static void a_slow_one_does_not_catch_up(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_SLOW);
    (void)state;
    lies->delay_ms = 1500;
    plan.connections = 1;
    plan.loops = 1;
    plan.size = 256 * 1024;
    plan.read_rate = 16 * 1024;
    plan.duration_ms = 2000;
    loaded_run(&plan);
    assert_true(said->figures->in_time.bytes_received > 0);
    assert_in_time(said->figures->in_time.bytes_received < 16 * 1024);
    assert_true(said->figures->round_trips == 0); /* it hurries at the end */
}

static void a_slow_one_that_waits_by_itself_times_nobody_out(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_SLOW);
    (void)state;
    plan.connections = 1;
    plan.loops = 1;
    plan.size = 64;
    plan.read_rate = 1;
    plan.duration_ms = 2500;
    plan.timeout_ms = 700;
    loaded_run(&plan);
    assert_in_time(said->good);
}

int main(void)
{
#define test(function) cmocka_unit_test_setup(function, loaded_setup)
    const struct CMUnitTest tests[] = {
        test(a_server_that_dies_does_not_keep_its_rate),
        test(what_would_have_been_due_to_it_is_unsent),
        test(nobody_waits_for_one_that_is_gone),
        test(what_comes_late_is_not_in_the_time),
        test(a_stream_ends_a_timeout_after_its_time),
        test(the_silent_ones_of_idle_are_waited_for_once),
        test(stopped_in_the_warm_up_no_interval_is_longer_than_it),
        test(a_signal_while_it_ends_ends_it_at_once),
        test(nothing_is_verified_where_nothing_was_connected),
        test(what_the_first_error_breaks_off_is_no_error),
        test(a_rate_that_cannot_be_is_told_in_time),
        test(a_slow_one_does_not_catch_up),
        test(a_slow_one_that_waits_by_itself_times_nobody_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
