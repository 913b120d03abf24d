/* SPDX-License-Identifier: MIT */
/*
 * The wheel. Where hours have to pass they are made to: its beginning is moved
 * back, so that it believes that they have.
 */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "core/deadlines.h"

enum { TIMEOUT = 40, MANY = 2000 };

#define HOUR ((uint64_t)3600 * 1000)

struct item {
    struct tlr_deadline deadline;
    uint64_t due; /* milliseconds since the wheel's beginning */
    bool waits;
};

static struct tlr_deadlines deadlines;
static struct item items[MANY];
static struct item *order[2 * MANY];
static unsigned passed;
static void (*when_passed)(struct item *item);

static uint64_t now(void)
{
    return uv_now(deadlines.timer.loop) - deadlines.begin;
}

static void on_passed(struct tlr_deadline *deadline)
{
    struct item *item = TLR_CONTAINER_OF(deadline, struct item, deadline);

    assert_true(item->waits);
    assert_in_range(now(), item->due, UINT64_MAX);
    item->waits = false;
    order[passed++ % COUNT(order)] = item;
    if (when_passed != NULL) {
        when_passed(item);
    }
}

static void set(struct item *item, uint64_t timeout)
{
    item->deadline.passed = on_passed;
    item->due = now() + timeout;
    item->waits = true;
    tlr_deadlines_set(&deadlines, &item->deadline,
                      deadlines.begin + item->due);
}

static void take_away(struct item *item)
{
    item->waits = false;
    tlr_deadlines_remove(&deadlines, &item->deadline);
}

static int set_up(void **state)
{
    static uv_loop_t loop;

    passed = 0;
    when_passed = NULL;
    memset(items, 0, sizeof(items));
    assert_int_equal(uv_loop_init(&loop), 0);
    tlr_deadlines_init(&deadlines, &loop);
    *state = &loop;
    return 0;
}

static int tear_down(void **state)
{
    int i;

    for (i = 0; i < MANY; i++) {
        take_away(&items[i]);
    }
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

/* Moves the clock on, and has the timer look. */
static void let_pass(uint64_t milliseconds)
{
    uv_timer_t *timer = &deadlines.timer;

    deadlines.begin -= milliseconds;
    if (!uv_is_active((uv_handle_t *)timer)) {
        return;
    }
    uv_timer_set_repeat(timer, 1);
    assert_int_equal(uv_timer_again(timer), 0);
    do { /* not UV_RUN_ONCE: when it is due at once that waits for the next */
        (void)uv_run(timer->loop, UV_RUN_NOWAIT);
    } while (uv_is_active((uv_handle_t *)timer) &&
             (deadlines.waited || uv_timer_get_repeat(timer) != 0));
}

static uint64_t next_wake(void)
{
    return uv_is_active((uv_handle_t *)&deadlines.timer)
               ? (deadlines.wake - now() / TLR_TICK) * TLR_TICK
               : UINT64_MAX;
}

static void equal_deadlines_pass_in_the_order_they_were_set(void **state)
{
    uint64_t begun = uv_hrtime();
    int i;

    uv_update_time(*state);
    for (i = 0; i < MANY; i++) {
        set(&items[i], TIMEOUT);
    }
    run_out(*state);
    assert_int_equal(passed, MANY);
    for (i = 0; i < MANY; i++) {
        assert_ptr_equal(order[i], &items[i]);
    }
    /* A loop's clock ticks in milliseconds. */
    assert_in_range((uv_hrtime() - begun) / 1000000, TIMEOUT - 1, 20000);
}

static void a_removed_deadline_does_not_pass(void **state)
{
    set(&items[0], TIMEOUT);
    set(&items[1], TIMEOUT);
    set(&items[2], TIMEOUT);
    take_away(&items[0]);
    take_away(&items[2]);
    take_away(&items[2]);
    take_away(&items[3]);
    run_out(*state);
    assert_int_equal(passed, 1);
    assert_ptr_equal(order[0], &items[1]);
}

static void with_the_last_one_removed_the_timer_stops(void **state)
{
    set(&items[0], TIMEOUT);
    assert_true(uv_is_active((uv_handle_t *)&deadlines.timer));
    take_away(&items[0]);
    assert_false(uv_is_active((uv_handle_t *)&deadlines.timer));
    run_out(*state);
    assert_int_equal(passed, 0);
}

static void set_once_more(struct item *item)
{
    when_passed = NULL;
    set(item, TIMEOUT);
}

static void a_deadline_may_be_set_again_when_it_passes(void **state)
{
    when_passed = set_once_more;
    set(&items[0], TIMEOUT);
    run_out(*state);
    assert_int_equal(passed, 2);
}

static void set_now_for_ever(struct item *item)
{
    if (passed < 10) {
        set(item, 0);
    }
}

/* Else those that are set to what has passed would keep the loop. */
static void one_that_is_due_at_once_leaves_the_loop_its_turn(void **state)
{
    unsigned before;

    when_passed = set_now_for_ever;
    set(&items[0], 0);
    while (passed < 10) {
        before = passed;
        (void)uv_run(*state, UV_RUN_ONCE);
        assert_in_range(passed, before, before + 1);
    }
}

static void a_deadline_can_be_moved_to_and_fro(void **state)
{
    (void)state;
    set(&items[0], 2 * HOUR);
    set(&items[1], HOUR);
    assert_true(tlr_deadlines_is_later(&deadlines, &items[0].deadline,
                                       deadlines.begin + now() + HOUR));
    assert_false(tlr_deadlines_is_later(&deadlines, &items[0].deadline,
                                        deadlines.begin + now() + 3 * HOUR));
    assert_true(tlr_deadlines_is_later(&deadlines, &items[2].deadline, 0));
    set(&items[0], HOUR / 2);
    set(&items[1], 2 * HOUR);
    let_pass(HOUR / 2 + 100);
    assert_int_equal(passed, 1);
    assert_ptr_equal(order[0], &items[0]);
    let_pass(HOUR);
    assert_int_equal(passed, 1);
    let_pass(HOUR);
    assert_int_equal(passed, 2);
}

static struct item *victim;
static struct item *neighbour;

static void disturb(struct item *item)
{
    if (item == &items[0]) {
        take_away(victim);
        set(neighbour, TIMEOUT);
    }
}

/* All of them are in one slot, of a level that has to come down. */
static void one_that_passes_may_remove_and_move_the_others(void **state)
{
    int i;

    (void)state;
    when_passed = disturb;
    victim = &items[3];
    neighbour = &items[4];
    for (i = 0; i < 6; i++) {
        set(&items[i], HOUR);
    }
    set(&items[6], HOUR + 3 * TLR_TICK);
    let_pass(HOUR + TLR_TICK);
    assert_int_equal(passed, 4);
    assert_true(neighbour->waits);
    let_pass(TIMEOUT + 4 * TLR_TICK);
    assert_int_equal(passed, 6);
    assert_int_equal(deadlines.count, 0);
}

static void set_another(struct item *item)
{
    if (item == &items[0]) {
        set(&items[5], TIMEOUT);
    }
}

/* The first is due as the hands get to the slot, and the others come down. */
static void one_may_be_set_while_others_come_down(void **state)
{
    uint64_t full_turn = 64 * 64 * TLR_TICK;
    int i;

    (void)state;
    when_passed = set_another;
    for (i = 0; i < 4; i++) {
        set(&items[i], full_turn + (uint64_t)i * TLR_TICK - now());
    }
    let_pass(full_turn + 100 * TLR_TICK);
    assert_int_equal(passed, 4);
    let_pass(TIMEOUT + TLR_TICK);
    assert_int_equal(passed, 5);
}

static void the_timer_sleeps_until_something_may_be_due(void **state)
{
    (void)state;
    set(&items[0], 10 * HOUR);
    assert_in_range(next_wake(), HOUR, 10 * HOUR + TLR_TICK);
    set(&items[1], HOUR);
    assert_in_range(next_wake(), HOUR / 4, HOUR + TLR_TICK);
    set(&items[2], 10);
    assert_in_range(next_wake(), 0, 10 + TLR_TICK);
    set(&items[3], HOUR / 20);
    take_away(&items[2]);
    take_away(&items[3]);
    let_pass(100); /* once for nothing */
    assert_in_range(next_wake(), HOUR / 4, HOUR + TLR_TICK);
}

/* One that is due in an hour takes as many wake-ups as there are levels. */
static void an_hour_takes_few_wake_ups(void **state)
{
    unsigned wake_ups = 0;

    (void)state;
    set(&items[0], HOUR);
    while (passed == 0) {
        let_pass(next_wake());
        wake_ups++;
    }
    assert_in_range(wake_ups, 1, TLR_WHEEL_LEVELS);
}

static uint64_t random_below(uint64_t limit)
{
    static uint64_t x = 88172645463325252u; /* Marsaglia's xorshift */

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x % limit;
}

/* Up to 49 days, as many bits as the options have; short ones more often. */
static uint64_t some_timeout(void)
{
    return random_below((uint64_t)1 << random_below(33));
}

static void check_all(void)
{
    uint64_t time = now();
    int i;

    for (i = 0; i < MANY; i++) {
        if (items[i].waits) { /* else on_passed() has looked */
            assert_in_range(items[i].due + 2 * TLR_TICK, time, UINT64_MAX);
        }
    }
}

static void whatever_happens_each_passes_in_its_tick(void **state)
{
    int round;
    int i;

    (void)state;
    for (round = 0; round < 300; round++) {
        for (i = 0; i < MANY / 10; i++) {
            struct item *item = &items[random_below(MANY)];

            if (random_below(4) == 0) {
                take_away(item);
            } else {
                set(item, some_timeout());
            }
        }
        let_pass(some_timeout());
        check_all();
    }
    let_pass(1200 * HOUR); /* more than the longest */
    assert_int_equal(deadlines.count, 0);
    for (i = 0; i < MANY; i++) {
        assert_false(items[i].waits);
    }
}

/* ---- a loop that was held up ---------------------------------------- */

static uv_async_t wakened;
static bool rescued;

static void hold_up(void)
{
    uint64_t begun = uv_hrtime();

    while (uv_hrtime() - begun < 400 * (uint64_t)1000000) {
    }
}

static void on_wakened(uv_async_t *async)
{
    rescued = true;
    take_away(&items[0]);
    uv_close((uv_handle_t *)async, NULL);
}

/* What came while the loop could not turn is heard before. */
static void a_loop_that_was_held_up_first_takes_a_turn(void **state)
{
    rescued = false;
    assert_int_equal(uv_async_init(*state, &wakened, on_wakened), 0);
    uv_update_time(*state);
    set(&items[0], TIMEOUT);
    hold_up();
    assert_int_equal(uv_async_send(&wakened), 0);
    run_out(*state);
    assert_true(rescued);
    assert_int_equal(passed, 0);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(equal_deadlines_pass_in_the_order_they_were_set),
        TEST(a_removed_deadline_does_not_pass),
        TEST(with_the_last_one_removed_the_timer_stops),
        TEST(a_deadline_may_be_set_again_when_it_passes),
        TEST(one_that_is_due_at_once_leaves_the_loop_its_turn),
        TEST(a_deadline_can_be_moved_to_and_fro),
        TEST(one_that_passes_may_remove_and_move_the_others),
        TEST(one_may_be_set_while_others_come_down),
        TEST(the_timer_sleeps_until_something_may_be_due),
        TEST(an_hour_takes_few_wake_ups),
        TEST(whatever_happens_each_passes_in_its_tick),
        TEST(a_loop_that_was_held_up_first_takes_a_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
