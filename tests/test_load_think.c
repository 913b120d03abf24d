/* SPDX-License-Identifier: MIT */
/* A time to think between round trips. Bounds are those that a slow machine keeps
 * too: no connection is ever early. */
#include "loaded.h"

#define NS_PER_MS UINT64_C(1000000)

static struct tlr_load_plan thinking_plan(uint64_t think_ms)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    plan.think_ms = think_ms;
    plan.duration_ms = 0;
    return plan;
}

static const struct tlr_load_histogram *thought(void)
{
    return &said->figures->latency[TLR_LOAD_THINKING];
}

static void no_connection_is_early(void **state)
{
    struct tlr_load_plan plan = thinking_plan(30);
    (void)state;
    plan.round_trips = 6;
    plan.pieces = 7;
    loaded_run(&plan);
    assert_true(said->good);
    assert_int_equal(said->figures->round_trips, plan.connections * 6);
    assert_true(said->took >= 0.15); /* five times, by the test's clock */
    assert_int_equal(thought()->count, plan.connections * 5);
    assert_true(thought()->min >= 30 * NS_PER_MS);
}

static void very_many_think_at_once(void **state)
{
    struct tlr_load_plan plan = thinking_plan(10);
    (void)state;
    plan.connections = 500;
    plan.loops = 2;
    plan.duration_ms = 300;
    loaded_run(&plan);
    assert_true(said->good);
    assert_true(thought()->min >= 10 * NS_PER_MS);
    assert_true(thought()->count > 0);
    assert_true((double)said->figures->round_trips <=
                500 * (said->took / 0.01 + 1));
}

static void latency_is_without_thinking(void **state)
{
    struct tlr_load_plan plan = thinking_plan(500);
    (void)state;
    plan.round_trips = 3;
    loaded_run(&plan);
    assert_true(said->good);
    assert_in_time(loaded_ms(&plan, 100) < 400);
}

/* Of the modes, slow has a timeout of progress: the server lets it wait for a few
 * ticks, which look for how long nothing came. */
static void no_timeout_runs_while_it_thinks(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct tlr_load_plan plan = thinking_plan(1500);
        plan.mode = i == 0 ? TLR_LOAD_ECHO : TLR_LOAD_SLOW;
        plan.read_rate = i == 0 ? 0 : 1024 * 1024;
        plan.timeout_ms = 1000;
        plan.round_trips = 2;
        loaded_turn_to(i);
        lies->delay_ms = 200;
        loaded_begin(&plan);
    }
    loaded_wait();
    for (unsigned i = 0; i < 2; i++) {
        loaded_turn_to(i);
        assert_in_time(said->good);
    }
}

static void a_session_ends_without_thinking(void **state)
{
    struct tlr_load_plan plan = thinking_plan(3600 * 1000);
    (void)state;
    plan.session = 1;
    plan.round_trips = 3;
    loaded_run(&plan);
    assert_true(said->good);
    assert_int_equal(said->figures->sessions, plan.connections * 3);
    assert_int_equal(thought()->count, 0);
}

static void the_end_does_not_wait_for_those_who_think(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct tlr_load_plan plan = thinking_plan(3600 * 1000);
        plan.duration_ms = i == 0 ? 200 : 3600 * 1000;
        loaded_turn_to(i);
        stops->after[0] = i == 0 ? 0 : 200;
        loaded_begin(&plan);
    }
    loaded_wait();
    for (unsigned i = 0; i < 2; i++) {
        loaded_turn_to(i);
        assert_true(said->good);
        assert_true(said->took < 60);
        assert_int_equal(said->stopped_early, i == 1);
    }
}

static void what_was_thought_in_the_warm_up_is_no_figure(void **state)
{
    struct tlr_load_plan plan = thinking_plan(600);
    (void)state;
    plan.connections = 1;
    plan.warmup_ms = 200;
    plan.round_trips = 2;
    loaded_run(&plan);
    assert_true(said->good);
    assert_int_equal(said->figures->round_trips, 2);
    assert_in_time(thought()->count == 1);
}

/* Its place in the queue is given up: it thinks to no end, and what it opens anew
 * does not wait for one. */
static void one_that_fails_while_it_thinks_is_opened_anew(void **state)
{
    struct tlr_load_plan plan = thinking_plan(400);
    (void)state;
    plan.session = 3;
    plan.round_trips = 6;
    lies->spared = true;
    lies->only = 1;
    lies->end_after = 64;
    loaded_run(&plan);
    assert_false(said->good);
    /* Of its six messages the last one is a session that has no more to send. */
    assert_int_equal(said->total.errors[TLR_LOAD_EARLY], 5);
    assert_int_equal(said->total.whole, (plan.connections - 1) * 2 + 1);
    /* The others' in two sessions of three each. */
    assert_in_time(thought()->count == (plan.connections - 1) * 4);
}

int main(void)
{
#define test(function) cmocka_unit_test_setup(function, loaded_setup)
    const struct CMUnitTest tests[] = {
        test(no_connection_is_early),
        test(very_many_think_at_once),
        test(latency_is_without_thinking),
        test(no_timeout_runs_while_it_thinks),
        test(a_session_ends_without_thinking),
        test(the_end_does_not_wait_for_those_who_think),
        test(what_was_thought_in_the_warm_up_is_no_figure),
        test(one_that_fails_while_it_thinks_is_opened_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
