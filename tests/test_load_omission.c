/* SPDX-License-Identifier: MIT */
/*
 * Latency that is known beforehand. A server that stalls for S out of each T is
 * seen by a closed loop only by the few messages that are on the way when it
 * begins: it sends nothing more, and so measures nothing (Gil Tene's coordinated
 * omission). In the open loop all that is due in a stall waits for its end, from
 * S down to nothing, evenly: with f = S/T of all messages in stalls, a share p of
 * them is above S * (1 - p / f).
 *
 * TELLER_STALL=full takes S = 1 s and T = 10 s, for 20 s each, and allows 2% and a
 * millisecond: for a machine with nothing else to do.
 */
#include "loaded.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sanitizers and a machine that is busy may delay what is not in a stall. */
enum { CLOSED_MOST_MS = 20, TRIES = 8 };

#if !defined(LENIENCE)
#define LENIENCE 3 /* what else a machine does while it runs all tests */
#endif

static bool is_full(void)
{
    const char *full = getenv("TELLER_STALL");
    return full != NULL && strcmp(full, "full") == 0;
}

/* How many times as much a figure may be off. */
static double lenience(void)
{
    return is_full() ? 1 : LENIENCE;
}

/* A plan against a server that stalls in the middle of each of these. */
static struct tlr_load_plan stalled_plan(unsigned every_ms)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    lies->stall_ms = is_full() ? 1000 : 400;
    lies->every_ms = every_ms;
    plan.connections = 10;
    plan.duration_ms = is_full() ? 2 * every_ms : every_ms;
    return plan;
}

/* What arithmetic gives, in ms. */
static double expected(double percent)
{
    double share = (100 - percent) / 100;
    double stalled = (double)lies->stall_ms / lies->every_ms;
    return lies->stall_ms * (1 - share / stalled);
}

static bool is_within(
    const struct tlr_load_plan *plan, double percent, double tolerance)
{
    double found = loaded_ms(plan, percent);
    double due = expected(percent);
    print_message("p%g: %.1f ms, by arithmetic %.1f ms\n", percent, found, due);
    return fabs(found - due) <= due * tolerance * lenience();
}

static void a_closed_loop_overlooks_a_stall(void **state)
{
    struct tlr_load_plan plan = stalled_plan(is_full() ? 10000 : 1600);
    (void)state;
    loaded_run(&plan);
    assert_true(said->good);
    print_message("closed loop: p99 %.2f ms, max %.1f ms\n",
        loaded_ms(&plan, 99), loaded_ms(&plan, 100));
    assert_in_time(loaded_ms(&plan, 99) < CLOSED_MOST_MS);
    assert_true(loaded_ms(&plan, 100) > lies->stall_ms * 0.95);
}

/* Side by side, for they have little to do; their stalls are not at once. */
enum { DEEP, ONE_BY_ONE };

static void begin_deep(void)
{
    loaded_turn_to(DEEP);
    struct tlr_load_plan plan = stalled_plan(is_full() ? 10000 : 4000);
    plan.rate = 500;
    plan.depth = 64;
    loaded_begin(&plan);
}

/* Even if a connection can have only one message on the way: that a message has
 * to wait for another one is counted. */
static void begin_one_by_one(void)
{
    loaded_turn_to(ONE_BY_ONE);
    struct tlr_load_plan plan = stalled_plan(is_full() ? 8000 : 3000);
    plan.rate = 500;
    plan.connections = 20; /* ten messages of each in a stall */
    loaded_begin(&plan);
}

static bool tells_the_truth(
    const struct tlr_load_plan *plan, unsigned which, double tolerance)
{
    loaded_turn_to(which);
    assert_true(said->good);
    return said->total.unsent == 0 && is_within(plan, 99, tolerance) &&
           is_within(plan, 95, tolerance) &&
           loaded_ms(plan, 85) < CLOSED_MOST_MS;
}

/* The machine's own stalls count too, and may be worth more tries. What has been
 * found once is found. */
static void the_open_loop_tells_the_truth_of_a_stall(void **state)
{
    const struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    bool deep = false;
    bool one_by_one = false;
    unsigned tries = 0;
    while (!deep || !one_by_one) {
        assert_in_time(tries < TRIES);
        tries++;
        loaded_setup(state);
        begin_deep();
        begin_one_by_one();
        loaded_wait();
        deep |= tells_the_truth(&plan, DEEP, 0.02);
        /* What has waited goes one by one. */
        one_by_one |= tells_the_truth(&plan, ONE_BY_ONE, 0.03);
    }
}

/* The median of a server's that takes 20 ms, in ms. */
static double median_of_20_ms(struct tlr_load_plan *plan)
{
    loaded_setup(NULL);
    lies->delay_ms = 20;
    lies->hello = plan->mode == TLR_LOAD_HELLO ? "hello" : NULL;
    plan->connections = 8;
    plan->duration_ms = is_full() ? 1000 : 300;
    loaded_run(plan);
    assert_true(said->good);
    /* The server may know of a connection before the client does. */
    assert_true(plan->mode == TLR_LOAD_HELLO ||
                said->figures->latency[TLR_LOAD_ROUND_TRIP].min >=
                    UINT64_C(19900000));
    print_message("%s: p50 %.2f ms of 20 ms\n", tlr_load_mode_name(plan->mode),
        loaded_ms(plan, 50));
    return loaded_ms(plan, 50);
}

/* On a machine that has no processor for a millisecond that may take tries. */
static void a_known_delay_is_measured_to_a_millisecond(void **state)
{
    static const struct {
        enum tlr_load_mode mode;
        double rate;
        uint64_t session;
    } runs[] = {{TLR_LOAD_ECHO, 0, 0}, {TLR_LOAD_ECHO, 100, 0},
        {TLR_LOAD_ECHO, 0, 3}, {TLR_LOAD_HALF_CLOSE, 0, 0},
        {TLR_LOAD_HELLO, 0, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        struct tlr_load_plan plan = loaded_plan(runs[i].mode);
        unsigned tries = 0;
        plan.rate = runs[i].rate;
        plan.session = runs[i].session;
        while (fabs(median_of_20_ms(&plan) - 20) > lenience()) {
            tries++;
            assert_in_time(tries < TRIES);
        }
    }
}

int main(void)
{
#define test(function) cmocka_unit_test_setup(function, loaded_setup)
    const struct CMUnitTest tests[] = {
        test(a_known_delay_is_measured_to_a_millisecond),
        test(a_closed_loop_overlooks_a_stall),
        test(the_open_loop_tells_the_truth_of_a_stall),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
