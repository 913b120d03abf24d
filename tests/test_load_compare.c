/* SPDX-License-Identifier: MIT */
/* teller-load compare: what it reads of results, and how it judges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "load/comparison.h"

#define HEAD "{\"schema\":\"teller-load/1\",\"mode\":\"echo\","
#define PLAN                                                                   \
    "\"connections\":50,\"size\":64,\"depth\":1,\"loops\":1,\"rate\":0.000,"
#define END "\"verified\":true}"

/* A result of `median` round trips a second, and of runs that had so many. */
static struct tlr_load_compared read_rates(
    double median, const double *rates, size_t count)
{
    char json[1024];
    struct tlr_load_compared compared;
    struct tlr_cli_text complaint = {0};
    int length = snprintf(json, sizeof(json),
        HEAD PLAN "\"round_trips_per_second\":%g,\"runs\":[", median);
    for (size_t i = 0; i < count; i++) {
        length += snprintf(json + length, sizeof(json) - (size_t)length,
            "%s{\"round_trips_per_second\":%g}", i == 0 ? "" : ",", rates[i]);
    }
    (void)snprintf(
        json + length, sizeof(json) - (size_t)length, "]," END); /* it fits */
    assert_true(tlr_load_compared_read(&compared, "x", json, &complaint));
    return compared;
}

#define read_runs(median, ...)                                                 \
    read_rates(median, (const double[]){__VA_ARGS__},                          \
        sizeof((const double[]){__VA_ARGS__}) / sizeof(double))

static enum tlr_load_verdict judge(const struct tlr_load_compared *first,
    const struct tlr_load_compared *other)
{
    enum tlr_load_verdict verdict =
        tlr_load_compared_judge(first, other, TLR_LOAD_ROW_RATE);
    assert_int_equal(
        tlr_load_compared_judge(other, first, TLR_LOAD_ROW_RATE), verdict);
    return verdict;
}

static void the_range_is_from_the_least_to_the_most_of_the_runs(void **state)
{
    struct tlr_load_compared a = read_runs(20, 20, 25, 10);
    const struct tlr_load_range *rate = &a.rows[TLR_LOAD_ROW_RATE];
    (void)state;
    assert_int_equal(a.runs, 3);
    assert_true(rate->known);
    assert_true(rate->value == 20 && rate->min == 10 && rate->max == 25);
    assert_false(a.rows[TLR_LOAD_ROW_P99].known);
}

static void a_difference_is_larger_if_no_run_reaches_the_other(void **state)
{
    struct tlr_load_compared a = read_runs(20, 20, 25, 10);
    struct tlr_load_compared above = read_runs(30, 26, 30, 31);
    struct tlr_load_compared reaching = read_runs(30, 25, 30, 31);
    struct tlr_load_compared below = read_runs(8, 9, 8);
    struct tlr_load_compared around = read_runs(20, 1, 20, 100);
    (void)state;
    assert_int_equal(judge(&a, &above), TLR_LOAD_LARGER);
    assert_int_equal(judge(&a, &reaching), TLR_LOAD_WITHIN);
    assert_int_equal(judge(&a, &below), TLR_LOAD_LARGER);
    assert_int_equal(judge(&a, &around), TLR_LOAD_WITHIN);
    assert_int_equal(judge(&a, &a), TLR_LOAD_WITHIN);
}

static void of_one_run_the_spread_is_unknown(void **state)
{
    struct tlr_load_compared a = read_runs(20, 20, 25, 10);
    struct tlr_load_compared one = read_runs(90, 90);
    (void)state;
    assert_int_equal(judge(&a, &one), TLR_LOAD_UNKNOWN);
    assert_int_equal(judge(&one, &one), TLR_LOAD_UNKNOWN);
    assert_string_equal(tlr_load_verdict_text(TLR_LOAD_UNKNOWN),
        "spread unknown (one run)");
}

static void a_ratio_is_to_the_first_and_never_to_nothing(void **state)
{
    struct tlr_load_compared a = read_runs(20, 20);
    struct tlr_load_compared b = read_runs(30, 30);
    struct tlr_load_compared none = read_runs(0, 0);
    double ratio = 0;
    (void)state;
    assert_true(
        tlr_load_compared_ratio(&a, &b, TLR_LOAD_ROW_RATE, &ratio));
    assert_true(ratio == 1.5);
    assert_false(
        tlr_load_compared_ratio(&none, &b, TLR_LOAD_ROW_RATE, &ratio));
    assert_false(tlr_load_compared_ratio(&a, &b, TLR_LOAD_ROW_P50, &ratio));
}

static void the_rate_of_connects_is_that_of_sessions(void **state)
{
    struct tlr_load_compared a;
    struct tlr_cli_text complaint = {0};
    (void)state;
    assert_true(tlr_load_compared_read(&a, "x",
        "{\"schema\":\"teller-load/1\",\"mode\":\"connect\"," PLAN
        "\"round_trips_per_second\":0,\"sessions_per_second\":7,"
        "\"runs\":[{\"sessions_per_second\":9}]," END,
        &complaint));
    assert_true(a.rows[TLR_LOAD_ROW_RATE].value == 7);
    assert_true(a.rows[TLR_LOAD_ROW_RATE].max == 9);
}

static void what_is_no_result_is_refused(void **state)
{
    static const char *const wrong[][2] = {
        {"", "not one whole JSON object"},
        {"{\"schema\":\"teller-load/1\",", "not one whole JSON object"},
        {"[]", "not one whole JSON object"},
        {"{}", "its schema is not teller-load/1"},
        {"{\"schema\":1}", "its schema is not"},
        {"{\"schema\":\"teller-load/2\"}", "its schema is not"},
        {HEAD END, "lacks what was run"},
        {"{\"schema\":\"teller-load/1\",\"mode\":7," PLAN END,
            "lacks what was run"},
        {HEAD "\"connections\":50,\"size\":\"64\"," END, "lacks what was run"},
        {"{\"schema\":\"teller-load/1\","
         "\"mode\":\"much-longer-than-any-mode\"," PLAN END,
            "lacks what was run"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct tlr_load_compared compared;
        struct tlr_cli_text said = {0};
        assert_false(
            tlr_load_compared_read(&compared, "x", wrong[i][0], &said));
        if (strstr(tlr_cli_text_get(&said), wrong[i][1]) == NULL) {
            fail_msg("%s: \"%s\" has no \"%s\"", wrong[i][0],
                tlr_cli_text_get(&said), wrong[i][1]);
        }
        tlr_cli_text_free(&said);
    }
}

static void a_figure_that_cannot_be_is_not_known(void **state)
{
    static const char *const figures[] = {"-1", "1e300", "1e999", "null",
        "\"7\"", "[7]"};
    (void)state;
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        char json[512];
        struct tlr_load_compared a;
        struct tlr_cli_text complaint = {0};
        (void)snprintf(json, sizeof(json),
            HEAD PLAN "\"latency_us\":{\"p50\":%s}," END, figures[i]);
        assert_true(tlr_load_compared_read(&a, "x", json, &complaint));
        assert_false(a.rows[TLR_LOAD_ROW_P50].known);
    }
}

static void what_differs_in_the_plans_is_warned_of(void **state)
{
    struct tlr_load_compared a = read_runs(20, 20);
    struct tlr_load_compared b = a;
    struct tlr_cli_text lines = {0};
    (void)state;
    a.name = "a.json";
    b.name = "b.json";
    tlr_load_compared_warn(&a, &b, &lines);
    assert_string_equal(tlr_cli_text_get(&lines), "");
    (void)snprintf(b.mode, sizeof(b.mode), "slow");
    b.set[TLR_LOAD_SET_CONNECTIONS].value = 51;
    b.set[TLR_LOAD_SET_SIZE].value = 65;
    b.set[TLR_LOAD_SET_DEPTH].value = 2;
    b.set[TLR_LOAD_SET_RATE].value = 1000000;
    tlr_load_compared_warn(&a, &b, &lines);
    assert_string_equal(tlr_cli_text_get(&lines),
        "a.json and b.json differ in mode: echo and slow\n"
        "a.json and b.json differ in connections: 50 and 51\n"
        "a.json and b.json differ in size: 64 and 65\n"
        "a.json and b.json differ in depth: 1 and 2\n"
        "a.json and b.json differ in rate: 0 and 1000000\n");
    tlr_cli_text_free(&lines);
}

/* Of the same largest size. */
static void tables_of_sizes_are_compared_row_by_row(void **state)
{
    struct tlr_load_compared a;
    struct tlr_load_compared b;
    struct tlr_cli_text said = {0};
    (void)state;
    assert_true(tlr_load_compared_read(&a, "a.json",
        HEAD PLAN "\"sizes\":\"64=99,16384=1\"," END, &said));
    assert_true(tlr_load_compared_read(
        &b, "b.json", HEAD PLAN "\"sizes\":\"16384\"," END, &said));
    tlr_load_compared_warn(&a, &b, &said);
    assert_string_equal(tlr_cli_text_get(&said),
        "a.json and b.json differ in size: 64=99,16384=1 and 16384\n");
    tlr_cli_text_free(&said);
}

/* An older version did not write all of them. */
static void what_one_file_does_not_say_is_no_difference(void **state)
{
    struct tlr_load_compared a;
    struct tlr_load_compared b;
    struct tlr_cli_text said = {0};
    (void)state;
    assert_true(tlr_load_compared_read(&a, "a.json",
        HEAD PLAN "\"sizes\":\"64\",\"timeout\":3,\"nodelay\":true," END,
        &said));
    assert_true(tlr_load_compared_read(&b, "b.json", HEAD PLAN END, &said));
    tlr_load_compared_warn(&a, &b, &said);
    assert_int_equal(said.length, 0);
    assert_true(tlr_load_compared_read(&b, "b.json",
        HEAD PLAN "\"timeout\":4,\"nodelay\":false," END, &said));
    tlr_load_compared_warn(&a, &b, &said);
    assert_string_equal(tlr_cli_text_get(&said),
        "a.json and b.json differ in timeout: 3 and 4\n"
        "a.json and b.json differ in nodelay: 1 and 0\n");
    tlr_cli_text_free(&said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_range_is_from_the_least_to_the_most_of_the_runs),
        cmocka_unit_test(a_difference_is_larger_if_no_run_reaches_the_other),
        cmocka_unit_test(of_one_run_the_spread_is_unknown),
        cmocka_unit_test(a_ratio_is_to_the_first_and_never_to_nothing),
        cmocka_unit_test(the_rate_of_connects_is_that_of_sessions),
        cmocka_unit_test(what_is_no_result_is_refused),
        cmocka_unit_test(a_figure_that_cannot_be_is_not_known),
        cmocka_unit_test(what_differs_in_the_plans_is_warned_of),
        cmocka_unit_test(tables_of_sizes_are_compared_row_by_row),
        cmocka_unit_test(what_one_file_does_not_say_is_no_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
