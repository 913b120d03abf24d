/* SPDX-License-Identifier: MIT */
/* The table of a made-up result, and what is said below it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "load/report.h"

static struct tlr_load_figures figures; /* too large for a stack */
static struct tlr_load_plan plan;
static struct tlr_load_result result;
static struct tlr_cli_text text;

/* A thousand round trips of 15 us, and one of 15 ms. */
static int setup(void **state)
{
    struct tlr_load_histogram *latency = &figures.latency[TLR_LOAD_ROUND_TRIP];
    (void)state;
    plan = (struct tlr_load_plan){
        .mode = TLR_LOAD_ECHO, .connections = 1, .loops = 1};
    tlr_load_figures_init(&figures);
    for (int i = 0; i < 1000; i++) {
        tlr_load_histogram_add(latency, 15000);
    }
    tlr_load_histogram_add(latency, 15000000);
    figures.round_trips = latency->count;
    result = (struct tlr_load_result){
        .plan = &plan, .figures = &figures, .seconds = 1};
    tlr_load_tally_init(&result.total);
    result.total.connected = result.total.whole = 1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tlr_cli_text_free(&text);
    return 0;
}

static const char *table(void)
{
    tlr_load_report_table(&result, &text);
    assert_false(text.failed);
    return tlr_cli_text_get(&text);
}

static void no_line_ends_with_a_blank(void **state)
{
    (void)state;
    assert_non_null(strstr(table(), "up to     20 us  99.900% ####"));
    assert_non_null(strstr(text.data, "up to     50 us   0.000%\n"));
    assert_non_null(strstr(text.data, "up to     20 ms   0.100%\n"));
    assert_null(strstr(text.data, " \n"));
}

static void the_percentiles_are_labelled(void **state)
{
    (void)state;
    assert_non_null(strstr(table(), "  p50                      15.0 us\n"
                                    "  p90                      15.0 us\n"
                                    "  p99                      15.0 us\n"
                                    "  p99.9                    15.0 us\n"
                                    "  p99.99                  15.00 ms\n"
                                    "  max                     15.00 ms\n"));
}

/* What is measured is nothing; all that there was was before. */
static void make_unmeasured(void)
{
    tlr_load_figures_init(&figures);
    plan.warmup_ms = 2500;
    result.unmeasured = true;
}

static void a_run_within_its_warm_up_is_told(void **state)
{
    (void)state;
    make_unmeasured();
    assert_non_null(strstr(table(),
        "\nnote: nothing was measured: the run ended within its warm-up of "
        "2.5 s\n"));
}

static void nobody_in_the_warm_up_is_told_by_the_errors_alone(void **state)
{
    (void)state;
    make_unmeasured();
    result.total.connected = result.total.whole = 0;
    assert_null(strstr(table(), "warm-up"));
}

int main(void)
{
#define test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        test(no_line_ends_with_a_blank),
        test(the_percentiles_are_labelled),
        test(a_run_within_its_warm_up_is_told),
        test(nobody_in_the_warm_up_is_told_by_the_errors_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
