/* SPDX-License-Identifier: MIT */
/*
 * What a plan asks for beside its mode: when connections are opened, what is left
 * out, whence and whereto they go, how long they wait, and the open loop.
 */
#include "loaded.h"

#include <stdio.h>
#include <string.h>

/* ---- ramp, warm-up, duration ---- */

static void a_ramp_spreads_the_opening(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    (void)state;
    plan.connections = 40;
    plan.loops = 2;
    plan.ramp_ms = 1000;
    loaded_run(&plan);
    double seconds = (double)(seen->last_at - seen->first_at) / 1e9;
    assert_true(said->good);
    assert_int_equal(seen->accepted, 40);
    assert_in_time(seconds > 0.85 && seconds < 1.9);
}

static void the_warm_up_is_in_no_figure(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    const struct tlr_load_histogram *trips;
    (void)state;
    lies->delay_ms = 400;
    lies->delay_until = 300;
    plan.warmup_ms = 1000;
    plan.duration_ms = 500;
    plan.session = 5;
    loaded_run(&plan);
    assert_true(said->good);
    assert_false(said->unmeasured);
    trips = &said->figures->latency[TLR_LOAD_ROUND_TRIP];
    assert_true(trips->count > 0);
    assert_in_time(trips->max < 350 * 1000 * 1000);
    assert_true(trips->count == said->figures->round_trips);
    assert_true(said->figures->bytes_sent < said->total.bytes_sent);
    assert_true(said->figures->bytes_verified < said->total.bytes_verified);
    assert_true(said->figures->bytes_verified / 64 <= trips->count + 3);
    assert_true(said->figures->sessions < said->total.whole);
    assert_in_time(said->seconds > 0.4 && said->seconds < 1);
    assert_in_time(said->interval_seconds > 0.4 && said->interval_seconds < 1);
    assert_true(said->figures->elapsed_ns > 4e8 &&
                said->figures->elapsed_ns < 1e9);
}

/* All figures are those of nothing. */
static void expect_unmeasured(void)
{
    assert_true(said->good);
    assert_true(said->unmeasured);
    assert_true(said->total.bytes_verified > 0);
    assert_true(said->figures->round_trips == 0);
    assert_true(said->figures->bytes_sent == 0);
    assert_true(said->figures->sessions <= 3);
    assert_true(said->figures->latency[TLR_LOAD_ROUND_TRIP].count == 0);
    assert_true(said->figures->elapsed_ns < UINT64_C(5000000000));
    assert_in_time(said->seconds < 1);
}

static void stopped_in_the_warm_up_there_are_no_figures(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    (void)state;
    plan.warmup_ms = 60000;
    stops->after[0] = 200;
    loaded_run(&plan);
    assert_true(said->stopped_early);
    expect_unmeasured();
}

/* Messages that had not begun when it was over are of those that are asked for. */
static void the_round_trips_count_from_the_end_of_the_warm_up(void **state)
{
    static const struct {
        uint32_t depth;
        uint64_t session;
        double rate;
    } runs[] = {{1, 0, 0}, {64, 0, 0}, {4, 3, 0}, {8, 0, 200}};
    (void)state;
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
        loaded_setup(NULL);
        lies->delay_ms = 2;
        plan.warmup_ms = 150;
        plan.round_trips = 10;
        plan.duration_ms = 0;
        plan.depth = runs[i].depth;
        plan.session = runs[i].session;
        plan.rate = runs[i].rate;
        loaded_run(&plan);
        assert_true(said->good);
        if (said->figures->round_trips != 10 * plan.connections) {
            print_message("run %u: %u round trips\n", (unsigned)i,
                (unsigned)said->figures->round_trips);
        }
        assert_true(said->figures->round_trips == 10 * plan.connections);
        assert_true(
            said->total.bytes_verified / 64 > said->figures->round_trips);
    }
}

static void a_short_duration_is_kept(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    (void)state;
    plan.duration_ms = 20;
    loaded_run(&plan);
    assert_true(said->good);
    assert_in_time(said->figures->round_trips > 0);
    assert_int_equal(said->intervals, 1);
    assert_in_time(said->seconds > 0.01 && said->seconds < 0.5);
}

static void each_second_is_an_interval(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    (void)state;
    plan.duration_ms = 2200;
    plan.connections = 4;
    plan.loops = 2;
    lies->delay_ms = 5;
    loaded_run(&plan);
    assert_true(said->good);
    assert_in_time(said->intervals >= 2 && said->intervals <= 4);
    assert_in_time(said->interval_seconds > 2.1 && said->interval_seconds < 3);
    assert_int_equal(said->open_most, 4);
}

/* ---- whence and whereto ---- */

static void sources_are_taken_in_turn(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    struct sockaddr_storage sources[3] = {{0}};
    (void)state;
    (void)uv_ip4_addr("127.0.0.2", 0, (struct sockaddr_in *)&sources[0]);
    (void)uv_ip6_addr("::1", 0, (struct sockaddr_in6 *)&sources[1]);
    (void)uv_ip4_addr("127.0.0.3", 0, (struct sockaddr_in *)&sources[2]);
    plan.sources = sources;
    plan.source_count = 3;
    plan.connections = 30;
    loaded_run(&plan);
    if (said->total.errors[TLR_LOAD_MACHINE] == 30) {
        print_message("127.0.0.2 is not an address of this machine\n");
        skip();
    }
    assert_true(said->good);
    assert_int_equal(seen->source_count, 2);
    for (unsigned i = 0; i < 2; i++) {
        bool second = strcmp(seen->sources[i].address, "127.0.0.2") == 0;
        assert_true(
            second || strcmp(seen->sources[i].address, "127.0.0.3") == 0);
        assert_int_equal(seen->sources[i].count, second ? 10 : 20);
    }
}

static void a_source_of_elsewhere_is_named(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    struct sockaddr_storage source = {0};
    (void)state;
    (void)uv_ip4_addr("192.0.2.1", 0, (struct sockaddr_in *)&source);
    plan.sources = &source;
    plan.source_count = 1;
    loaded_run(&plan);
    assert_int_equal(said->total.errors[TLR_LOAD_MACHINE], 3);
    loaded_expect("connection 0: cannot connect (");
}

/* A port that was free a moment ago. */
static void find_free(struct sockaddr_storage *address)
{
    int length = sizeof(*address);
    uv_loop_t loop;
    uv_tcp_t tcp;
    memset(address, 0, sizeof(*address));
    (void)uv_ip4_addr("127.0.0.1", 0, (struct sockaddr_in *)address);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_tcp_init(&loop, &tcp), 0);
    assert_int_equal(uv_tcp_bind(&tcp, (struct sockaddr *)address, 0), 0);
    assert_int_equal(
        uv_tcp_getsockname(&tcp, (struct sockaddr *)address, &length), 0);
    uv_close((uv_handle_t *)&tcp, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void connect_to_itself(void)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    struct sockaddr_storage address;
    find_free(&address);
    plan.addresses = &address;
    plan.address_count = 1;
    plan.sources = &address;
    plan.source_count = 1;
    plan.connections = 1;
    loaded_run(&plan);
}

/* A port of ours that nobody listens on may be chosen for our side too: what is
 * sent there comes back, from nobody. Others may have taken the port meanwhile. */
static void connected_to_itself_is_refused(void **state)
{
    unsigned tries = 0;
    (void)state;
    do {
        assert_int_not_equal(tries, 10);
        tries++;
        connect_to_itself();
    } while (said->total.errors[TLR_LOAD_REFUSED] != 1);
    assert_int_equal(said->total.bytes_sent, 0);
}

static void the_address_that_works_is_found(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    struct sockaddr_storage addresses[3];
    (void)state;
    loaded_nobody(&addresses[0]);
    memset(&addresses[1], 0, sizeof(addresses[1]));
    loaded_nobody(&addresses[2]);
    plan.addresses = addresses;
    plan.address_count = 3;
    plan.session = 2;
    loaded_run(&plan);
    assert_true(said->total.reached == tlr_load_tally_reached(1));
    assert_true(said->good);
    assert_int_equal(said->lines, 0);
    assert_true(said->total.whole >= 3);
}

static void ipv6_is_as_good(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    (void)state;
    lies->on_ipv6 = true;
    loaded_run(&plan);
    assert_true(said->good);
    assert_int_equal(seen->source_count, 1);
    assert_string_equal(seen->sources[0].address, "::1");
}

static void small_buffers_only_slow_it_down(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    (void)state;
    plan.send_buffer = 4096;
    plan.receive_buffer = 4096;
    plan.delay = true;
    plan.size = 300000;
    plan.depth = 4;
    plan.round_trips = 5;
    plan.duration_ms = 0;
    loaded_run(&plan);
    assert_true(said->good);
    assert_true(said->total.bytes_verified == UINT64_C(3) * 5 * 300000);
}

/* ---- how long ---- */

static void a_connect_without_an_answer_times_out(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    (void)state;
    lies->takes_none = true;
    plan.connections = 12;
    plan.timeout_ms = 400;
    loaded_run(&plan);
    assert_false(said->good);
    assert_int_equal(said->total.errors[TLR_LOAD_TIMEOUT], 12);
    if (said->total.connected < 12) { /* where a full row refuses nobody */
        loaded_expect(": no answer to the connect for 0.4 s");
    }
}

/* Each of them has its own time: it is not that of the first one. */
static void connects_without_an_answer_time_out_one_by_one(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_CHURN);
    (void)state;
    lies->takes_none = true;
    plan.connections = 12;
    plan.duration_ms = 1500;
    plan.timeout_ms = 400;
    loaded_run(&plan);
    assert_false(said->good);
    assert_in_time(said->total.errors[TLR_LOAD_TIMEOUT] >= 12 &&
                   said->total.errors[TLR_LOAD_TIMEOUT] <= 12 * 5);
}

static void an_answer_behind_the_timeout_is_one(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    (void)state;
    lies->delay_ms = 900;
    plan.timeout_ms = 300;
    loaded_run(&plan);
    assert_int_equal(said->total.errors[TLR_LOAD_TIMEOUT], 3);
    loaded_expect(": timeout: stalled at byte 0 for 0.3 s; missing 64 bytes");
}

/* ---- the open loop ---- */

/* Of all that were sent, and of those due that have waited for long. */
static void expect_due_latencies(enum tlr_load_measure measure, uint64_t sent)
{
    assert_in_range(said->figures->latency[measure].count, sent,
        sent + said->total.unsent);
}

static void the_rate_is_kept(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    (void)state;
    plan.connections = 7;
    plan.loops = 3;
    plan.depth = 64;
    plan.rate = 2000;
    plan.duration_ms = 500;
    loaded_run(&plan);
    assert_true(said->good);
    assert_in_time(said->figures->round_trips + said->total.unsent >= 900 &&
                   said->figures->round_trips + said->total.unsent <= 1300);
    expect_due_latencies(TLR_LOAD_ROUND_TRIP, said->figures->round_trips);
    /* Unless a thread stood still for so long before the end that it did not even
     * look at what was due: that is unsent too. */
    assert_in_time(said->figures->latency[TLR_LOAD_LATENESS].count ==
                   said->figures->round_trips + said->total.unsent);
}

/* 2 connections, one message each on the way, 20 ms: 100/s are all that can be. */
static void what_cannot_be_sent_counts_as_waiting(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    (void)state;
    lies->delay_ms = 20;
    plan.connections = 2;
    plan.rate = 1000;
    plan.duration_ms = 500;
    loaded_run(&plan);
    assert_true(said->good);
    assert_in_time(said->figures->round_trips >= 20 &&
                   said->figures->round_trips <= 54);
    assert_in_time(said->figures->round_trips + said->total.unsent >= 450 &&
                   said->figures->round_trips + said->total.unsent <= 650);
    expect_due_latencies(TLR_LOAD_ROUND_TRIP, said->figures->round_trips);
    assert_true(said->figures->latency[TLR_LOAD_ROUND_TRIP].min >
                UINT64_C(19000000));
    /* Most of them have waited from when they were due until the end. */
    assert_true(loaded_ms(&plan, 50) > 200 && loaded_ms(&plan, 50) < 450);
}

static void no_more_is_due_than_is_asked_for(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    (void)state;
    lies->spared = true;
    lies->only = 1;
    lies->delay_ms = 0;
    lies->silent_from = 1;
    plan.connections = 2;
    plan.rate = 1000;
    plan.round_trips = 5;
    plan.duration_ms = 500;
    plan.timeout_ms = 800;
    loaded_run(&plan);
    assert_int_equal(said->figures->round_trips, 5);
    assert_int_equal(said->total.unsent, 4);
    assert_int_equal(said->total.errors[TLR_LOAD_TIMEOUT], 1);
}

static void a_slot_that_failed_leaves_the_others_their_rate(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    (void)state;
    lies->spared = true;
    lies->only = 1;
    lies->closes_from = 640;
    plan.connections = 4;
    plan.rate = 400;
    plan.duration_ms = 500;
    loaded_run(&plan);
    assert_int_equal(tlr_load_tally_failed(&said->total), 1);
    assert_in_time(said->figures->round_trips >= 140 &&
                   said->figures->round_trips <= 200);
    assert_in_time(said->total.unsent >= 30 && said->total.unsent <= 60);
}

static void connects_are_due_too(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_CHURN);
    (void)state;
    plan.connections = 10;
    plan.rate = 300;
    plan.duration_ms = 500;
    loaded_run(&plan);
    assert_true(said->good);
    assert_in_time(seen->accepted >= 135 && seen->accepted <= 195);
    assert_true(said->figures->sessions == seen->accepted);
    expect_due_latencies(TLR_LOAD_CONNECTING, said->figures->sessions);
}

static void a_refused_connect_is_not_due_again(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_CHURN);
    struct sockaddr_storage address;
    (void)state;
    loaded_nobody(&address);
    plan.addresses = &address;
    plan.address_count = 1;
    plan.connections = 10;
    plan.rate = 100;
    plan.duration_ms = 500;
    loaded_run(&plan);
    assert_in_time(said->total.errors[TLR_LOAD_REFUSED] >= 30 &&
                   said->total.errors[TLR_LOAD_REFUSED] <= 65);
    assert_int_equal(said->total.connected, 0);
}

int main(void)
{
#define test(function) cmocka_unit_test_setup(function, loaded_setup)
    const struct CMUnitTest tests[] = {
        test(a_ramp_spreads_the_opening),
        test(the_warm_up_is_in_no_figure),
        test(stopped_in_the_warm_up_there_are_no_figures),
        test(the_round_trips_count_from_the_end_of_the_warm_up),
        test(a_short_duration_is_kept),
        test(each_second_is_an_interval),
        test(sources_are_taken_in_turn),
        test(a_source_of_elsewhere_is_named),
        test(connected_to_itself_is_refused),
        test(the_address_that_works_is_found),
        test(ipv6_is_as_good),
        test(small_buffers_only_slow_it_down),
        test(a_connect_without_an_answer_times_out),
        test(connects_without_an_answer_time_out_one_by_one),
        test(an_answer_behind_the_timeout_is_one),
        test(the_rate_is_kept),
        test(what_cannot_be_sent_counts_as_waiting),
        test(no_more_is_due_than_is_asked_for),
        test(a_slot_that_failed_leaves_the_others_their_rate),
        test(connects_are_due_too),
        test(a_refused_connect_is_not_due_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
