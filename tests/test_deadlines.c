/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <string.h>

#include "core/deadlines.h"

enum { TIMEOUT = 40, MANY = 1000 };

static struct tlr_deadlines deadlines;
static struct tlr_deadline many[MANY];
static struct tlr_deadline *order[MANY];
static unsigned passed;
static struct tlr_deadline *renewed; /* is added again when it has passed */

static void on_passed(struct tlr_deadline *deadline)
{
    assert_in_range(uv_now(deadlines.timer.loop), deadline->due, UINT64_MAX);
    order[passed++ % MANY] = deadline;
    if (deadline == renewed) {
        renewed = NULL;
        tlr_deadlines_add(&deadlines, deadline);
    }
}

static int set_up(void **state)
{
    static uv_loop_t loop;

    passed = 0;
    renewed = NULL;
    assert_int_equal(uv_loop_init(&loop), 0);
    tlr_deadlines_init(&deadlines, &loop, TIMEOUT, on_passed);
    *state = &loop;
    return 0;
}

static int tear_down(void **state)
{
    tlr_deadlines_close(&deadlines, NULL);
    (void)uv_run(*state, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(*state), 0);
    return 0;
}

/* Runs until the loop has nothing to wait for: the timer has stopped. */
static void run_out(uv_loop_t *loop)
{
    assert_int_equal(uv_run(loop, UV_RUN_DEFAULT), 0);
}

static void deadlines_pass_in_the_order_they_were_added(void **state)
{
    uint64_t begun = uv_hrtime();
    int i;

    uv_update_time(*state);
    for (i = 0; i < MANY; i++) {
        tlr_deadlines_add(&deadlines, &many[i]);
    }
    run_out(*state);
    assert_int_equal(passed, MANY);
    for (i = 0; i < MANY; i++) {
        assert_ptr_equal(order[i], &many[i]);
    }
    /* A loop's clock ticks in milliseconds. */
    assert_in_range((uv_hrtime() - begun) / 1000000, TIMEOUT - 1, 20000);
}

static void a_removed_deadline_does_not_pass(void **state)
{
    tlr_deadlines_add(&deadlines, &many[0]);
    tlr_deadlines_add(&deadlines, &many[1]);
    tlr_deadlines_add(&deadlines, &many[2]);
    tlr_deadlines_remove(&deadlines, &many[0]);
    tlr_deadlines_remove(&deadlines, &many[2]);
    run_out(*state);
    assert_int_equal(passed, 1);
    assert_ptr_equal(order[0], &many[1]);
}

static void with_the_last_one_removed_the_timer_stops(void **state)
{
    tlr_deadlines_add(&deadlines, &many[0]);
    assert_true(uv_is_active((uv_handle_t *)&deadlines.timer));
    tlr_deadlines_remove(&deadlines, &many[0]);
    assert_false(uv_is_active((uv_handle_t *)&deadlines.timer));
    run_out(*state);
    assert_int_equal(passed, 0);
}

static void a_deadline_may_be_added_again_when_it_passes(void **state)
{
    renewed = &many[0];
    tlr_deadlines_add(&deadlines, &many[0]);
    run_out(*state);
    assert_int_equal(passed, 2);
}

static void on_later(uv_timer_t *timer)
{
    tlr_deadlines_add(&deadlines, &many[1]);
    uv_close((uv_handle_t *)timer, NULL);
}

static void a_later_deadline_has_its_whole_time(void **state)
{
    uv_timer_t timer;

    assert_int_equal(uv_timer_init(*state, &timer), 0);
    assert_int_equal(uv_timer_start(&timer, on_later, TIMEOUT / 2, 0), 0);
    tlr_deadlines_add(&deadlines, &many[0]);
    run_out(*state);
    assert_int_equal(passed, 2);
    assert_in_range(many[1].due - many[0].due, TIMEOUT / 2, 20000);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(deadlines_pass_in_the_order_they_were_added),
        TEST(a_removed_deadline_does_not_pass),
        TEST(with_the_last_one_removed_the_timer_stops),
        TEST(a_deadline_may_be_added_again_when_it_passes),
        TEST(a_later_deadline_has_its_whole_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
