/* SPDX-License-Identifier: MIT */
/* Several runs: which is the median, what is kept, and their CSV. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "json_reader.h"
#include "load/csv.h"
#include "load/result_json.h"
#include "load/series.h"

static struct sockaddr_storage address;
static struct tlr_load_plan plan;
static struct tlr_load_figures *figures;
static struct tlr_load_series series;

static int setup(void **state)
{
    (void)state;
    figures = malloc(sizeof(*figures));
    assert_non_null(figures);
    assert_int_equal(
        uv_ip4_addr("127.0.0.1", 7, (struct sockaddr_in *)&address), 0);
    plan = (struct tlr_load_plan){.mode = TLR_LOAD_ECHO,
        .connections = 1,
        .addresses = &address,
        .address_count = 1};
    series = (struct tlr_load_series){.wanted = 1};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tlr_load_series_free(&series);
    free(figures);
    return 0;
}

/* A run of one second. */
static struct tlr_load_result run(uint64_t round_trips, uint64_t us)
{
    tlr_load_figures_init(figures);
    figures->round_trips = round_trips;
    figures->sessions = 1000 - round_trips;
    tlr_load_figures_were_in_time(figures);
    tlr_load_histogram_add(&figures->latency[TLR_LOAD_ROUND_TRIP], us * 1000);
    return (struct tlr_load_result){.plan = &plan,
        .figures = figures,
        .seconds = 1,
        .total.connected = 1};
}

static void add(uint64_t round_trips, uint64_t us)
{
    struct tlr_load_result result = run(round_trips, us);
    assert_int_equal(tlr_load_series_add(&series, &result), 0);
}

static uint64_t median(void)
{
    return series.runs[tlr_load_series_median(&series)]->figures->round_trips;
}

static void the_median_is_by_the_rate(void **state)
{
    (void)state;
    add(30, 1);
    assert_int_equal(median(), 30);
    add(10, 2);
    assert_int_equal(median(), 10); /* the worse one of two */
    add(20, 3);
    assert_int_equal(median(), 20);
    for (int i = 0; i < 20; i++) {
        add(25, 4);
    }
    assert_int_equal(median(), 25);
}

static void with_a_fixed_rate_it_is_by_the_p99(void **state)
{
    (void)state;
    plan.rate = 1000;
    add(1, 500);
    add(3, 100);
    add(2, 300);
    assert_int_equal(median(), 2);
}

static void connects_are_counted_in_sessions(void **state)
{
    (void)state;
    plan.mode = TLR_LOAD_CHURN;
    add(100, 1); /* 900 sessions */
    add(300, 1);
    add(200, 1);
    add(900, 1);
    assert_int_equal(median(), 300);
}

static void a_result_is_kept_whole(void **state)
{
    struct tlr_load_interval intervals[2] = {{.errors = 1}, {.errors = 2}};
    struct tlr_load_result result = run(7, 1);
    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        tlr_load_histogram_add(&figures->latency[i % TLR_LOAD_MEASURES],
            i * i * 1000);
    }
    result.intervals = intervals;
    result.interval_count = 2;
    assert_int_equal(tlr_load_series_add(&series, &result), 0);
    const struct tlr_load_result *kept = series.runs[0];
    assert_ptr_not_equal(kept->figures, figures);
    assert_memory_equal(kept->figures, figures, sizeof(*figures));
    assert_ptr_not_equal(kept->intervals, intervals);
    assert_memory_equal(kept->intervals, intervals, sizeof(intervals));
}

static void the_table_has_the_range_of_the_runs(void **state)
{
    struct tlr_cli_text text = {0};
    (void)state;
    add(20, 4000);
    tlr_load_series_table(&series, &text);
    assert_string_equal(tlr_cli_text_get(&text), ""); /* of one run */
    add(30, 1000);
    add(40, 2000);
    tlr_load_series_table(&series, &text);
    assert_non_null(strstr(text.data, "3 runs; all of the above is of run 2"));
    assert_non_null(strstr(text.data, "  round trips/s              20         "
                                      "    30             40\n"));
    assert_non_null(strstr(text.data, "  p99                   1.00 ms        "
                                      "2.00 ms        4.00 ms\n"));
    assert_null(strstr(text.data, "NOT verified"));
    series.runs[0]->total.errors[TLR_LOAD_RESET] = 1;
    tlr_load_series_table(&series, &text);
    assert_non_null(strstr(text.data, "NOT verified: 1 of the 3 runs"));
    tlr_cli_text_free(&text);
}

static void the_json_is_the_medians_with_all_runs(void **state)
{
    struct tlr_cli_text text = {0};
    (void)state;
    series.wanted = 3;
    add(20, 4000);
    add(30, 1000);
    tlr_load_series_json(&series, &text);
    json_expect(text.data, "round_trips", 20);
    json_expect(text.data, "repeat", 3);
    json_expect(text.data, "runs.0.round_trips_per_second", 20);
    json_expect(text.data, "runs.1.round_trips_per_second", 30);
    json_expect(text.data, "runs.1.latency_us.max", 1000);
    json_expect(text.data, "runs.1.errors_total", 0);
    tlr_cli_text_free(&text);
}

/* ---- CSV ---- */

static void expect_field(const char *field, const char *written)
{
    struct tlr_cli_text text = {0};
    tlr_load_csv_field(&text, field);
    assert_string_equal(tlr_cli_text_get(&text), written);
    tlr_cli_text_free(&text);
}

static void a_field_is_quoted_where_it_has_to_be(void **state)
{
    (void)state;
    expect_field("", "");
    expect_field("127.0.0.1:7 ; 'x'", "127.0.0.1:7 ; 'x'");
    expect_field("a,b", "\"a,b\"");
    expect_field("say \"no\"", "\"say \"\"no\"\"\"");
    expect_field("two\r\nlines", "\"two\r\nlines\"");
}

/* The fields of a line without quotes; returns how many. */
static size_t split(char *line, const char *fields[], size_t most)
{
    size_t count = 0;
    for (char *p = line; p != NULL && count < most; count++) {
        fields[count] = p;
        p = strpbrk(p, ",\n");
        char end = *p;
        *p = '\0';
        p = end == ',' ? p + 1 : NULL;
    }
    return count;
}

static const char *field_of(const char *const names[],
    const char *const values[], size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return values[i];
        }
    }
    fail_msg("there is no column %s", name);
    return NULL;
}

static void a_line_has_a_value_for_each_name(void **state)
{
    enum { MOST = 200 };
    static const char *names[MOST];
    static const char *values[MOST];
    struct tlr_load_result result = run(7, 1500);
    struct tlr_cli_text first = {0};
    struct tlr_cli_text second = {0};
    (void)state;
    result.total.errors[TLR_LOAD_WRONG] = 5;
    tlr_load_csv_names(&result, &first);
    tlr_load_csv_values(&result, 12, &second);
    size_t count = split(first.data, names, MOST);
    assert_in_range(count, 60, MOST - 1);
    assert_int_equal(split(second.data, values, MOST), count);
#define expect(name, value)                                                    \
    assert_string_equal(field_of(names, values, count, name), value)
    expect("run", "12");
    expect("schema", "teller-load/1");
    expect("mode", "echo");
    expect("address", "127.0.0.1:7");
    expect("round_trips", "7");
    expect("round_trips_per_second", "7.0");
    expect("latency_us_p99", "1500.000");
    expect("latency_us_p99_9", "1500.000");
    expect("lateness_us_count", "0");
    expect("errors_wrong_byte", "5");
    expect("errors_total", "5");
    expect("verified", "false");
    for (size_t i = 0; i < count; i++) {
        assert_string_not_equal(names[i], "repeat");
        assert_null(strstr(names[i], "runs"));
    }
    tlr_cli_text_free(&first);
    tlr_cli_text_free(&second);
}

#define series_test(function)                                                  \
    cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        series_test(the_median_is_by_the_rate),
        series_test(with_a_fixed_rate_it_is_by_the_p99),
        series_test(connects_are_counted_in_sessions),
        series_test(a_result_is_kept_whole),
        series_test(the_table_has_the_range_of_the_runs),
        series_test(the_json_is_the_medians_with_all_runs),
        series_test(a_field_is_quoted_where_it_has_to_be),
        series_test(a_line_has_a_value_for_each_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
