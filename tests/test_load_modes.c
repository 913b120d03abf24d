/* SPDX-License-Identifier: MIT */
/*
 * The load's modes: against an honest server, against lies that are to be found
 * in each of them, with nobody there, and asked to stop at any time.
 */
#include "loaded.h"

#include <stdio.h>
#include <string.h>

static const enum tlr_load_mode modes[] = {TLR_LOAD_ECHO, TLR_LOAD_STREAM,
    TLR_LOAD_CHURN, TLR_LOAD_IDLE, TLR_LOAD_HALF_CLOSE, TLR_LOAD_SLOW,
    TLR_LOAD_HELLO};

enum { MODES = sizeof(modes) / sizeof(modes[0]) };

/* Each mode's trial in turn. First to begin it, then to look at what came of it. */
#define EACH_MODE(i) \
    for (unsigned i = 0; i < MODES && (loaded_turn_to(i), true); i++)

static struct tlr_load_plan plan_of(enum tlr_load_mode mode)
{
    struct tlr_load_plan plan = loaded_plan(mode);
    if (mode == TLR_LOAD_SLOW) {
        plan.read_rate = 4096;
        plan.size = 2048;
    }
    if (mode == TLR_LOAD_HALF_CLOSE) {
        plan.size = 40000;
    }
    if (mode == TLR_LOAD_HELLO) {
        lies->hello = "hello";
    }
    return plan;
}

static void say(enum tlr_load_mode mode, const char *what)
{
    print_message("%s %s: %u lines, %u accepted, %.3f s; %s\n",
        tlr_load_mode_name(mode), what, said->lines, seen->accepted, said->took,
        said->lines > 0 ? said->line[0] : "");
}

static bool has_bytes(enum tlr_load_mode mode)
{
    return mode != TLR_LOAD_CHURN && mode != TLR_LOAD_HELLO;
}

/* ---- honest ---- */

static void expect_honest(enum tlr_load_mode mode)
{
    if (!said->good || said->total.whole < 3) {
        say(mode, "is not honest");
    }
    assert_true(said->good);
    assert_int_equal(said->lines, 0);
    assert_true(said->total.whole >= 3);
    assert_int_equal(said->total.connected, seen->accepted);
    if (has_bytes(mode)) {
        assert_true(said->total.bytes_verified == said->total.bytes_sent);
        assert_true(said->total.bytes_received == said->total.bytes_sent);
        assert_true(said->total.bytes_sent == seen->bytes);
        assert_true(said->figures->bytes_sent == seen->bytes);
    }
    assert_true(said->interval_seconds >= 0.29);
    assert_in_time(said->took < 10);
}

static void an_honest_server_is_found_honest_in_each_mode(void **state)
{
    (void)state;
    EACH_MODE(i) {
        struct tlr_load_plan plan = plan_of(modes[i]);
        loaded_begin(&plan);
    }
    loaded_wait();
    EACH_MODE(i) {
        expect_honest(modes[i]);
    }
}

/* In a run that is shorter than a second, too: the one interval knows. */
static void what_is_held_is_open_until_the_end(void **state)
{
    struct tlr_load_plan plan = plan_of(TLR_LOAD_IDLE);
    (void)state;
    plan.connections = 40;
    plan.loops = 2;
    loaded_run(&plan);
    assert_true(said->good);
    assert_int_equal(said->open_most, 40);
}

static void what_is_known_of_the_sum_holds_for_each_shape(void **state)
{
    static const struct {
        uint32_t connections, loops, depth;
        uint64_t size, pieces, session;
        bool table;
    } shapes[] = {
        {1, 1, 1, 1, 0, 0, false},
        {5, 2, 8, 100, 1, 0, false},
        {5, 2, 8, 100, 7, 3, false},
        {4, 4, 1, 200000, 0, 0, false},
        {4, 1, 8, 70000, 0, 2, false},
        {7, 3, 8, 0, 0, 0, true},
        {7, 1, 3, 0, 997, 5, true},
        {2, 2, 65536, 3, 0, 0, false},
    };
    static struct tlr_load_sizes sizes;
    assert_int_equal(
        tlr_load_sizes_parse("1=5,2..300=5,64k..70k=1", &sizes), 0);
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        loaded_setup(state);
        struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
        uint64_t bytes = 0;
        plan.connections = shapes[i].connections;
        plan.loops = shapes[i].loops;
        plan.depth = shapes[i].depth;
        plan.pieces = shapes[i].pieces;
        plan.session = shapes[i].session;
        plan.round_trips = 20;
        plan.duration_ms = 0;
        plan.timeout_ms = 30000; /* a byte at a time takes it under Wine */
        plan.sizes = shapes[i].table ? &sizes : NULL;
        plan.size = shapes[i].table ? tlr_load_sizes_largest(&sizes)
                                    : shapes[i].size;
        for (uint32_t c = 0; c < plan.connections; c++) {
            for (uint64_t m = 0; m < plan.round_trips; m++) {
                bytes += tlr_load_plan_size(&plan, c, m);
            }
        }
        loaded_run(&plan);
        if (!said->good) {
            print_message("shape %u: %s\n", (unsigned)i, said->line[0]);
        }
        assert_true(said->good);
        assert_true(said->total.bytes_verified == bytes);
        assert_true(seen->bytes == bytes);
        assert_true(said->figures->round_trips == 20 * plan.connections);
        assert_true(said->figures->latency[TLR_LOAD_ROUND_TRIP].count ==
                    20 * plan.connections);
        uint64_t per_slot =
            plan.session == 0 ? 1 : (20 + plan.session - 1) / plan.session;
        assert_int_equal(seen->accepted, per_slot * plan.connections);
        assert_true(said->figures->sessions == seen->accepted);
        assert_true(said->figures->latency[TLR_LOAD_FIRST_BYTE].count ==
                    seen->accepted);
        assert_true(said->figures->latency[TLR_LOAD_CONNECTING].count ==
                    seen->accepted);
    }
}

/* ---- lies ---- */

static void expect_cause(enum tlr_load_mode mode, enum tlr_load_cause cause)
{
    if (said->total.errors[cause] == 0 ||
        said->total.errors[cause] != tlr_load_tally_failed(&said->total)) {
        say(mode, "has another cause");
    }
    assert_true(said->total.errors[cause] > 0);
    assert_true(
        said->total.errors[cause] == tlr_load_tally_failed(&said->total));
    assert_false(said->good);
}

enum { WORDS = 3 };

/* What a server does, and what is to be said of it. */
struct lie {
    struct lies lies;
    uint64_t size;       /* of a message; 0: as it is */
    uint64_t timeout_ms; /* 0: as it is */
    enum tlr_load_cause cause;
    const char *words[WORDS];
};

static void begin_with(enum tlr_load_mode mode, const struct lie *lie)
{
    *lies = lie->lies;
    struct tlr_load_plan plan = plan_of(mode);
    plan.size = lie->size == 0 ? plan.size : lie->size;
    plan.timeout_ms = lie->timeout_ms == 0 ? plan.timeout_ms : lie->timeout_ms;
    loaded_begin(&plan);
}

static void expect_found(enum tlr_load_mode mode, const struct lie *lie)
{
    expect_cause(mode, lie->cause);
    assert_in_time(said->took < 10);
    for (unsigned i = 0; i < WORDS && lie->words[i] != NULL; i++) {
        loaded_expect(lie->words[i]);
    }
}

/* In these modes bytes come back: each finds it, and names it. */
static const enum tlr_load_mode with_bytes[] = {TLR_LOAD_ECHO, TLR_LOAD_STREAM,
    TLR_LOAD_IDLE, TLR_LOAD_HALF_CLOSE, TLR_LOAD_SLOW};

enum { WITH_BYTES = sizeof(with_bytes) / sizeof(with_bytes[0]) };

static void expect_found_in_each_mode(const struct lie *lie)
{
    for (unsigned i = 0; i < WITH_BYTES; i++) {
        loaded_turn_to(i);
        begin_with(with_bytes[i], lie);
    }
    loaded_wait();
    for (unsigned i = 0; i < WITH_BYTES; i++) {
        loaded_turn_to(i);
        expect_found(with_bytes[i], lie);
    }
}

static void one_changed_byte_is_found_in_each_mode(void **state)
{
    (void)state;
    expect_found_in_each_mode(&(struct lie){
        .lies = {.spared = true, .only = 1, .flip = 33},
        .cause = TLR_LOAD_WRONG,
        .words = {"connection 1: byte 32 is wrong (expected 0x",
            "1 byte was corrupted, and the stream goes on rightly from byte 33",
            "from byte 24 on expected "},
    });
}

static void more_than_was_sent_is_found_in_each_mode(void **state)
{
    (void)state;
    expect_found_in_each_mode(&(struct lie){
        .lies = {.surplus = true},
        .cause = TLR_LOAD_SURPLUS,
        .words = {"surplus: more came back than the "},
    });
}

static void an_end_before_ours_is_found_in_each_mode(void **state)
{
    (void)state;
    expect_found_in_each_mode(&(struct lie){
        .lies = {.end_after = 40},
        .cause = TLR_LOAD_EARLY,
        .words = {"the server ended it early, after 40 bytes; missing "},
    });
}

static void silence_is_found_in_each_mode(void **state)
{
    (void)state;
    expect_found_in_each_mode(&(struct lie){
        .lies = {.silent_from = 21, .never_ends = true},
        .timeout_ms = 400,
        .cause = TLR_LOAD_TIMEOUT,
        .words = {": timeout: stalled at byte 20 for 0.4 s; missing "},
    });
}

static void a_server_that_does_not_read_is_found_in_each_mode(void **state)
{
    (void)state;
    expect_found_in_each_mode(&(struct lie){
        .lies = {.deaf = true},
        .size = 8 << 20, /* more than all buffers take */
        .timeout_ms = 400,
        .cause = TLR_LOAD_TIMEOUT,
        .words = {": timeout: stalled at byte 0 for 0.4 s; missing "},
    });
}

static void no_end_after_ours_is_found_in_each_mode(void **state)
{
    static const struct lie lie = {
        .lies = {.never_ends = true},
        .timeout_ms = 400,
        .cause = TLR_LOAD_TIMEOUT,
        .words = {"but the server has not ended its side for 0.4 s after we "
                  "ended ours"},
    };
    (void)state;
    EACH_MODE(i) {
        if (modes[i] != TLR_LOAD_HELLO) { /* does not wait for one */
            begin_with(modes[i], &lie);
        }
    }
    loaded_wait();
    EACH_MODE(i) {
        if (modes[i] != TLR_LOAD_HELLO) {
            expect_found(modes[i], &lie);
        }
    }
}

static void a_close_in_the_middle_is_found_in_each_mode(void **state)
{
    static const struct lie lie = {.lies = {.closes_from = 64}, .size = 100000};
    (void)state;
    for (unsigned i = 0; i < WITH_BYTES; i++) {
        loaded_turn_to(i);
        begin_with(with_bytes[i], &lie);
    }
    loaded_wait();
    for (unsigned i = 0; i < WITH_BYTES; i++) {
        loaded_turn_to(i);
        assert_true(said->total.errors[TLR_LOAD_EARLY] +
                        said->total.errors[TLR_LOAD_RESET] ==
                    tlr_load_tally_failed(&said->total));
        assert_true(tlr_load_tally_failed(&said->total) >= 3);
        assert_in_time(said->took < 10);
    }
}

static void a_server_that_closes_at_once_makes_no_loop(void **state)
{
    (void)state;
    EACH_MODE(i) {
        begin_with(modes[i], &(struct lie){.lies = {.closes = true}});
    }
    loaded_wait();
    EACH_MODE(i) {
        assert_in_time(said->took < 10);
        if (modes[i] != TLR_LOAD_CHURN) { /* it cannot be told from an end */
            assert_false(said->good);
            assert_true(seen->accepted < 40);
        }
    }
}

static void a_server_that_never_speaks_fails_hello(void **state)
{
    struct tlr_load_plan plan = plan_of(TLR_LOAD_HELLO);
    (void)state;
    lies->hello = NULL;
    plan.timeout_ms = 400;
    loaded_run(&plan);
    expect_cause(TLR_LOAD_HELLO, TLR_LOAD_TIMEOUT);
    loaded_expect(": timeout: no first byte for 0.4 s");
    assert_int_equal(seen->accepted, 3);
}

/* Each session of a slot goes on in its stream: the second one is known too. */
static void lies_are_found_in_later_sessions(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
    (void)state;
    plan.session = 4;
    plan.depth = 8;
    plan.size = 100;
    plan.round_trips = 40;
    plan.duration_ms = 0;
    lies->flip = 333;
    loaded_run(&plan);
    expect_cause(TLR_LOAD_ECHO, TLR_LOAD_WRONG);
    loaded_expect("byte 332 is wrong");
    assert_int_equal(said->total.errors[TLR_LOAD_WRONG], 3 * 10);
    assert_int_equal(seen->accepted, 3 * 10);
    assert_int_equal(said->figures->round_trips, 3 * 10 * 3);
}

static void one_byte_in_a_million_is_found(void **state)
{
    static const struct {
        uint32_t depth;
        uint64_t size, pieces;
    } shapes[] = {{1, 64, 0}, {8, 5000, 997}, {8, 64, 63}, {1, 100000, 0}};
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        loaded_setup(state);
        struct tlr_load_plan plan = loaded_plan(TLR_LOAD_ECHO);
        plan.depth = shapes[i].depth;
        plan.size = shapes[i].size;
        plan.pieces = shapes[i].pieces;
        plan.round_trips = 1100000 / plan.size;
        plan.connections = 2;
        plan.duration_ms = 0;
        lies->spared = true;
        lies->only = 1;
        lies->flip = 1000001 + 13 * i;
        loaded_run(&plan);
        expect_cause(TLR_LOAD_ECHO, TLR_LOAD_WRONG);
        char words[64];
        (void)snprintf(words, sizeof(words), "connection 1: byte %u is wrong",
            (unsigned)lies->flip - 1);
        loaded_expect(words);
        loaded_expect("1 byte was corrupted");
        assert_int_equal(said->total.whole, 1);
        assert_int_equal(said->total.errors[TLR_LOAD_WRONG], 1);
    }
}

/* ---- nobody ---- */

/* Borrows the address until the trial has begun. */
static struct tlr_load_plan plan_to_nobody(
    enum tlr_load_mode mode, struct sockaddr_storage *address)
{
    struct tlr_load_plan plan = plan_of(mode);
    loaded_nobody(address);
    plan.addresses = address;
    plan.address_count = 1;
    return plan;
}

static void nobody_is_refused_and_makes_no_loop(void **state)
{
    struct sockaddr_storage address;
    (void)state;
    EACH_MODE(i) {
        struct tlr_load_plan plan = plan_to_nobody(modes[i], &address);
        loaded_begin(&plan);
    }
    loaded_wait();
    EACH_MODE(i) {
        expect_cause(modes[i], TLR_LOAD_REFUSED);
        assert_int_equal(said->total.connected, 0);
        assert_true(said->total.errors[TLR_LOAD_REFUSED] <= 3 * 12);
        assert_in_time(said->took < 10);
    }
}

static void nobody_does_not_take_for_ever_without_a_duration(void **state)
{
    struct sockaddr_storage address;
    (void)state;
    EACH_MODE(i) {
        struct tlr_load_plan plan = plan_to_nobody(modes[i], &address);
        plan.duration_ms = 0;
        plan.round_trips = 3;
        stops->after[0] = 3000;
        loaded_begin(&plan);
    }
    loaded_wait();
    EACH_MODE(i) {
        expect_cause(modes[i], TLR_LOAD_REFUSED);
        assert_false(said->stopped_early);
    }
}

static void an_address_that_refuses_leaves_it_to_the_next(void **state)
{
    struct sockaddr_storage addresses[2];
    (void)state;
    EACH_MODE(i) {
        struct tlr_load_plan plan = plan_to_nobody(modes[i], &addresses[0]);
        loaded_nobody(&addresses[1]);
        plan.addresses = addresses;
        plan.address_count = 2;
        loaded_begin(&plan);
    }
    loaded_wait();
    EACH_MODE(i) {
        expect_cause(modes[i], TLR_LOAD_REFUSED);
    }
}

/* ---- asked to stop ---- */

static const unsigned moments[] = {1, 3, 6, 10, 30, 100};

enum { MOMENTS = sizeof(moments) / sizeof(moments[0]) };

/* On two loops, or on one with more than it dials at once. */
static void begin_stopping(
    enum tlr_load_mode mode, bool open_loop, bool on_two)
{
    struct tlr_load_plan plan = plan_of(mode);
    plan.connections = mode == TLR_LOAD_STREAM ? 4 : on_two ? 20 : 80;
    plan.loops = on_two ? 2 : 1;
    plan.duration_ms = 60000;
    plan.timeout_ms = 10000;
    plan.rate = open_loop ? 2000 : 0;
    loaded_begin(&plan);
}

static void expect_stopped(enum tlr_load_mode mode)
{
    if (said->took > 5) {
        say(mode, "has not stopped");
    }
    assert_true(said->stopped_early);
    assert_in_time(said->took < 5); /* by itself, and not by the timeout */
}

/* At each of the moments, which have a trial each. Twice: of a server that does
 * not read. */
static void stop_at_each_moment(
    enum tlr_load_mode mode, bool open_loop, bool twice)
{
    for (unsigned m = 0; m < MOMENTS; m++) {
        loaded_turn_to(m);
        lies->deaf = twice;
        stops->after[0] = moments[m];
        stops->after[1] = twice ? moments[m] + 1 : 0;
        begin_stopping(mode, open_loop, (mode + m) % 2 == 0);
    }
    loaded_wait();
    for (unsigned m = 0; m < MOMENTS; m++) {
        loaded_turn_to(m);
        expect_stopped(mode);
        bool sound = said->good || said->total.connected == 0;
        if (!twice && !sound) {
            say(mode, "has failed");
        }
        assert_true(twice || sound);
    }
}

static void asked_to_stop_each_mode_ends_well(void **state)
{
    for (unsigned i = 0; i < MODES; i++) {
        loaded_setup(state);
        stop_at_each_moment(modes[i], false, false);
    }
}

/* Not all of them are dialled by then. */
static void asked_to_stop_in_the_ramp_each_mode_ends_well(void **state)
{
    (void)state;
    EACH_MODE(i) {
        struct tlr_load_plan plan = plan_of(modes[i]);
        plan.ramp_ms = 3000;
        plan.connections = 30;
        plan.duration_ms = 60000;
        stops->after[0] = 200;
        loaded_begin(&plan);
    }
    loaded_wait();
    EACH_MODE(i) {
        assert_in_time(said->took < 10);
        assert_true(said->good);
        assert_true(seen->accepted > 0);
    }
}

static void asked_twice_each_mode_ends_at_once(void **state)
{
    for (unsigned i = 0; i < MODES; i++) {
        loaded_setup(state);
        stop_at_each_moment(modes[i], false, true);
    }
}

/* What was on the way is given up, and counts. */
static void expect_given_up(unsigned connections)
{
    assert_true(said->stopped_early);
    assert_int_equal(said->total.errors[TLR_LOAD_OTHER], connections);
    assert_int_equal(tlr_load_tally_failed(&said->total), connections);
    loaded_expect(": given up ");
    assert_in_time(said->took < 10);
}

static void asked_twice_each_mode_counts_what_was_on_the_way(void **state)
{
    (void)state;
    EACH_MODE(i) {
        struct tlr_load_plan plan = plan_of(modes[i]);
        plan.duration_ms = 60000;
        plan.timeout_ms = 20000;
        lies->hello = NULL;
        lies->silent_from = 1;
        lies->never_ends = true;
        stops->from = plan.connections;
        stops->after[0] = 300;
        stops->after[1] = 900;
        loaded_begin(&plan);
    }
    loaded_wait();
    EACH_MODE(i) {
        expect_given_up(3);
    }
}

/* Some of them not even connected, where a full row takes no more. */
static void asked_twice_it_counts_connections_that_nobody_took(void **state)
{
    struct tlr_load_plan plan = loaded_plan(TLR_LOAD_CHURN);
    (void)state;
    plan.connections = 12;
    plan.duration_ms = 60000;
    plan.timeout_ms = 20000;
    lies->takes_none = true;
    stops->after[0] = 300;
    stops->after[1] = 900;
    loaded_run(&plan);
    expect_given_up(12);
}

static void asked_to_stop_the_open_loop_ends_well(void **state)
{
    static const enum tlr_load_mode open[] = {
        TLR_LOAD_ECHO, TLR_LOAD_SLOW, TLR_LOAD_CHURN, TLR_LOAD_HELLO};
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
        loaded_setup(state);
        stop_at_each_moment(open[i], true, false);
        loaded_setup(state);
        stop_at_each_moment(open[i], true, true);
    }
}

static void asked_to_stop_a_liar_ends_within_the_timeout(void **state)
{
    (void)state;
    EACH_MODE(i) {
        struct tlr_load_plan plan = plan_of(modes[i]);
        plan.duration_ms = 60000;
        plan.timeout_ms = 500;
        lies->deaf = true;
        lies->hello = NULL;
        stops->from = plan.connections;
        stops->after[0] = 100;
        loaded_begin(&plan);
    }
    loaded_wait();
    EACH_MODE(i) {
        assert_in_time(said->took < 10);
        assert_false(said->good);
    }
}

static void the_first_error_ends_it_if_asked(void **state)
{
    struct sockaddr_storage address;
    (void)state;
    EACH_MODE(i) {
        struct tlr_load_plan plan = plan_to_nobody(modes[i], &address);
        plan.duration_ms = 60000;
        plan.abort_on_error = true;
        loaded_begin(&plan);
    }
    loaded_wait();
    EACH_MODE(i) {
        assert_true(said->aborted);
        assert_in_time(said->took < 10);
    }
}

int main(void)
{
#define test(function) cmocka_unit_test_setup(function, loaded_setup)
    const struct CMUnitTest tests[] = {
        test(an_honest_server_is_found_honest_in_each_mode),
        test(what_is_held_is_open_until_the_end),
        test(what_is_known_of_the_sum_holds_for_each_shape),
        test(one_changed_byte_is_found_in_each_mode),
        test(more_than_was_sent_is_found_in_each_mode),
        test(an_end_before_ours_is_found_in_each_mode),
        test(no_end_after_ours_is_found_in_each_mode),
        test(silence_is_found_in_each_mode),
        test(a_server_that_does_not_read_is_found_in_each_mode),
        test(a_close_in_the_middle_is_found_in_each_mode),
        test(a_server_that_closes_at_once_makes_no_loop),
        test(a_server_that_never_speaks_fails_hello),
        test(lies_are_found_in_later_sessions),
        test(one_byte_in_a_million_is_found),
        test(nobody_is_refused_and_makes_no_loop),
        test(nobody_does_not_take_for_ever_without_a_duration),
        test(an_address_that_refuses_leaves_it_to_the_next),
        test(asked_to_stop_each_mode_ends_well),
        test(asked_to_stop_in_the_ramp_each_mode_ends_well),
        test(asked_twice_each_mode_ends_at_once),
        test(asked_twice_each_mode_counts_what_was_on_the_way),
        test(asked_twice_it_counts_connections_that_nobody_took),
        test(asked_to_stop_the_open_loop_ends_well),
        test(asked_to_stop_a_liar_ends_within_the_timeout),
        test(the_first_error_ends_it_if_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
