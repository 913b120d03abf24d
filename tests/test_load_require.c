/* SPDX-License-Identifier: MIT */
/* What --require takes, and what it makes of a result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "load/require.h"

#define MS(n) (UINT64_C(1000000) * (n))

static struct tlr_load_plan plan;
static struct tlr_load_figures *figures;
static struct tlr_load_result result;

/* 100 round trips of 1 to 100 ms in two seconds, one connect of 7 ms. */
static int setup(void **state)
{
    (void)state;
    figures = malloc(sizeof(*figures));
    assert_non_null(figures);
    tlr_load_figures_init(figures);
    plan = (struct tlr_load_plan){.mode = TLR_LOAD_ECHO, .connections = 1};
    result = (struct tlr_load_result){
        .plan = &plan, .figures = figures, .seconds = 2};
    for (uint64_t i = 1; i <= 100; i++) {
        tlr_load_histogram_add(
            &figures->latency[TLR_LOAD_ROUND_TRIP], MS(i));
    }
    tlr_load_histogram_add(&figures->latency[TLR_LOAD_CONNECTING], MS(7));
    figures->round_trips = 100;
    figures->sessions = 4;
    figures->bytes_received = 2 * 2048;
    tlr_load_figures_were_in_time(figures);
    figures->busy_ns = 1;
    figures->elapsed_ns = 4;
    result.total.connected = 1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(figures);
    return 0;
}

/* Whether it holds; *line gets what is told. */
static bool holds(const char *text, char *line, size_t size)
{
    struct tlr_load_requirement requirement;
    struct tlr_cli_text said = {0};
    if (tlr_load_require_parse(text, &requirement, &said) != 0) {
        fail_msg("%s: %s", text, tlr_cli_text_get(&said));
    }
    bool held = tlr_load_require_holds(&requirement, &result, &said);
    (void)snprintf(line, size, "%s", tlr_cli_text_get(&said));
    tlr_cli_text_free(&said);
    return held;
}

static void expect_held(const char *text)
{
    char line[128];
    if (!holds(text, line, sizeof(line))) {
        fail_msg("%s", line);
    }
    assert_string_equal(line, "");
}

static void expect_missed(const char *text, const char *words)
{
    char line[128];
    if (holds(text, line, sizeof(line)) || strstr(line, words) == NULL) {
        fail_msg("%s: \"%s\" has no \"%s\"", text, line, words);
    }
}

static void each_name_has_its_figure(void **state)
{
    static const char *const held[] = {"p50<=50.1ms", "p50>=50ms", "p75>74ms",
        "p90<91ms", "p99>=99ms", "p99.9>99ms", "p99.99<=100ms", "p95>94ms",
        "max=100ms", "max=100000us", "max=0.1s", "min=1ms", "mean>50ms",
        "mean<51ms", "connect.p99=7ms", "connect.max<8ms", "round_trip.min=1ms",
        "errors=0", "errors.reset=0", "rate=50", "rate>=50/s", "bytes=2k",
        "bytes=2048", "bytes<=2k/s", "bytes<1M", "bytes<1G/s", "busy=25%",
        "busy=25", "round_trips=100", "sessions=4", "unsent=0", "connected=1"};
    (void)state;
    for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++) {
        expect_held(held[i]);
    }
}

static void each_operator_is_what_it_says(void **state)
{
    static const char *const held[] = {"connected<2", "connected<=1",
        "connected<=2", "connected=1", "connected!=2", "connected>=1",
        "connected>=0", "connected>0", "connected > 0", "connected   >=1"};
    static const char *const missed[] = {"connected<1", "connected<=0",
        "connected=2", "connected!=1", "connected>=2", "connected>1"};
    (void)state;
    for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++) {
        expect_held(held[i]);
    }
    for (size_t i = 0; i < sizeof(missed) / sizeof(missed[0]); i++) {
        expect_missed(missed[i], ", but it was 1");
    }
}

static void a_miss_is_told_with_the_figure(void **state)
{
    (void)state;
    result.memory = 4096;
    expect_missed("max<5ms", "required max<5ms, but it was 100.00 ms");
    expect_missed("rate>1000/s", "required rate>1000/s, but it was 50.0/s");
    expect_missed("bytes>1M", "but it was 2048 bytes/s");
    expect_missed("busy>90%", "but it was 25.0%");
    expect_missed("memory<4k", "but it was 4096 bytes");
    expect_missed("errors>0", "but it was 0");
}

static void what_was_not_measured_is_missed(void **state)
{
    (void)state;
    expect_missed("lateness.p99<1s", "required lateness.p99<1s, but it was "
                                     "not measured");
    expect_missed("first_byte.min>=0s", "not measured");
    expect_missed("memory<1G", "not measured");
}

static void connects_are_what_connect_is_measured_by(void **state)
{
    (void)state;
    plan.mode = TLR_LOAD_CHURN;
    expect_held("max=7ms");
    expect_held("rate=2/s"); /* sessions */
}

static void a_wrong_goal_is_told_with_what_is_wanted(void **state)
{
    static const char *const wrong[][2] = {
        {"", "wants a name, one of"},
        {"p99", "such as p99<5ms"},
        {"<5ms", "wants a name"},
        {"p99~5ms", "wants a name"},
        {"p99<", "wants of p99 a time with its unit"},
        {"p99<5", "such as 500us, 5ms or 1s, not \"5\""},
        {"p99<-5ms", "not \"-5ms\""},
        {"p99<5m", "not \"5m\""},
        {"p99<1e3ms", "not \"1e3ms\""},
        {"p99<5.ms", "not \"5.ms\""},
        {"p99<.5ms", "not \".5ms\""},
        {"p99<5ms ", "not \"5ms \""},
        {"rate>5k", "a number a second"},
        {"bytes>5kB", "bytes a second"},
        {"errors<5%", "a number, such as 0"},
        {"p101<5ms", "knows no \"p101\""},
        {"p<5ms", "knows no \"p\""},
        {"connect.<5ms", "knows no \"connect.\""},
        {"errors.<5", "knows no \"errors.\""},
        {".p99<5ms", "knows no \".p99\""},
        {"p9.<5ms", "knows no \"p9.\""},
        {"errrors=0", "did you mean errors?"},
        {"errors.time_out=0", "did you mean errors.timed_out?"},
        {"conect.p99<1s", "did you mean connect.p99?"},
        {"latenes.p99.9<1s", "did you mean lateness.p99.9?"},
        {"bananas=0", "the names are p50"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct tlr_load_requirement requirement;
        struct tlr_cli_text said = {0};
        assert_int_equal(
            tlr_load_require_parse(wrong[i][0], &requirement, &said),
            UV_EINVAL);
        if (strstr(tlr_cli_text_get(&said), wrong[i][1]) == NULL) {
            fail_msg("%s: \"%s\" has no \"%s\"", wrong[i][0],
                tlr_cli_text_get(&said), wrong[i][1]);
        }
        tlr_cli_text_free(&said);
    }
}

/* ---- which errors are allowed ---- */

static bool allows(const char *one, const char *other)
{
    struct tlr_load_requirements all = {.count = 0};
    const struct tlr_cli_option row = {.target = &all};
    struct tlr_cli_text said = {0};
    assert_int_equal(tlr_load_require_apply(&row, one, &said), 0);
    if (other != NULL) {
        assert_int_equal(tlr_load_require_apply(&row, other, &said), 0);
    }
    return tlr_load_require_allows(&all, &result);
}

static void errors_are_allowed_by_a_requirement_that_holds(void **state)
{
    (void)state;
    assert_true(allows("p99<1us", NULL)); /* there are none */
    result.total.errors[TLR_LOAD_RESET] = 3;
    assert_false(allows("p99<1s", NULL));
    assert_true(allows("errors<=5", NULL));
    assert_false(allows("errors<=2", NULL));
    assert_true(allows("errors.reset=3", NULL));
    assert_false(allows("errors.timed_out=0", NULL));
    assert_true(allows("errors=0", "errors.reset<4"));
}

static void each_cause_needs_one_that_allows_it(void **state)
{
    (void)state;
    result.total.errors[TLR_LOAD_RESET] = 3;
    result.total.errors[TLR_LOAD_WRONG] = 1;
    assert_false(allows("errors.reset<5", NULL));
    assert_true(allows("errors.reset<5", "errors.wrong_byte=1"));
    assert_true(allows("errors=4", NULL));
}

static void what_was_aborted_is_never_allowed(void **state)
{
    (void)state;
    result.total.errors[TLR_LOAD_RESET] = 1;
    result.aborted = true;
    assert_false(allows("errors<=5", NULL));
}

static void there_is_an_end_to_how_many_are_taken(void **state)
{
    struct tlr_load_requirements all = {.count = 0};
    const struct tlr_cli_option row = {.target = &all};
    struct tlr_cli_text said = {0};
    (void)state;
    for (int i = 0; i < TLR_LOAD_REQUIREMENTS; i++) {
        assert_int_equal(tlr_load_require_apply(&row, "errors=0", &said), 0);
    }
    assert_int_equal(
        tlr_load_require_apply(&row, "errors=0", &said), UV_EINVAL);
    assert_string_equal(
        tlr_cli_text_get(&said), "may be given 32 times at most");
    tlr_cli_text_free(&said);
}

#define require_test(function)                                                 \
    cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        require_test(each_name_has_its_figure),
        require_test(each_operator_is_what_it_says),
        require_test(a_miss_is_told_with_the_figure),
        require_test(what_was_not_measured_is_missed),
        require_test(connects_are_what_connect_is_measured_by),
        require_test(a_wrong_goal_is_told_with_what_is_wanted),
        require_test(errors_are_allowed_by_a_requirement_that_holds),
        require_test(each_cause_needs_one_that_allows_it),
        require_test(what_was_aborted_is_never_allowed),
        require_test(there_is_an_end_to_how_many_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
