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

static void stall(struct tlr_load_plan *plan)
{
    lies.stall_ms = is_full() ? 1000 : 400;
    lies.every_ms = is_full() ? 10000 : 4000;
    plan->connections = 10;
    plan->depth = 64;
    plan->duration_ms = is_full() ? 20000 : 4000;
}

/* What arithmetic gives, in ms. */
static double expected(double percent)
{
    double share = (100 - percent) / 100;
    double stalled = (double)lies.stall_ms / lies.every_ms;
    return lies.stall_ms * (1 - share / stalled);
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
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    (void)state;
    stall(&plan);
    plan.depth = 1;
    loaded_run(&plan);
    assert_true(said.good);
    print_message("closed loop: p99 %.2f ms, max %.1f ms\n",
        loaded_ms(&plan, 99), loaded_ms(&plan, 100));
    assert_true(loaded_ms(&plan, 99) < CLOSED_MOST_MS);
    assert_true(loaded_ms(&plan, 100) > lies.stall_ms * 0.95);
}

static bool tells_the_truth(struct tlr_load_plan *plan, double tolerance)
{
    loaded_run(plan);
    assert_true(said.good);
    assert_true(said.total.unsent == 0);
    return is_within(plan, 99, tolerance) && is_within(plan, 95, tolerance) &&
           loaded_ms(plan, 85) < CLOSED_MOST_MS;
}

/* The machine's own stalls count too, and may be worth more tries. */
static void expect_the_truth(struct tlr_load_plan *plan, double tolerance)
{
    unsigned tries = 0;
    while (!tells_the_truth(plan, tolerance)) {
        tries++;
        assert_int_not_equal(tries, TRIES);
    }
}

static void the_open_loop_tells_the_truth_of_a_stall(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    (void)state;
    stall(&plan);
    plan.rate = 500;
    expect_the_truth(&plan, 0.02);
}

/* Even if a connection can have only one message on the way: that a message has
 * to wait for another one is counted. */
static void the_open_loop_counts_from_when_it_was_due(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    (void)state;
    stall(&plan);
    plan.rate = 500;
    plan.depth = 1;
    plan.connections = 100;
    expect_the_truth(&plan, 0.03); /* what has waited goes one by one */
}

/* The median of a server's that takes 20 ms, in ms. */
static double median_of_20_ms(struct tlr_load_plan *plan)
{
    loaded_setup(NULL);
    lies.delay_ms = 20;
    lies.hello = plan->mode == TLR_LOAD_HELLO ? "hello" : NULL;
    plan->connections = 8;
    plan->duration_ms = 1000;
    loaded_run(plan);
    assert_true(said.good);
    /* The server may know of a connection before the client does. */
    assert_true(plan->mode == TLR_LOAD_HELLO ||
                said.figures->latency[TLR_LOAD_ROUND_TRIP].min >=
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
            assert_int_not_equal(tries, TRIES);
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
        test(the_open_loop_counts_from_when_it_was_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
