/* SPDX-License-Identifier: MIT */
/* The table of a made-up result, and what is said below it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "load/reached.h"
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
    tlr_load_report_verdict(&result, &text);
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

static void what_was_never_sent_is_called_by_its_name(void **state)
{
    (void)state;
    plan.rate = 100;
    result.total.unsent = 7;
    assert_non_null(strstr(
        table(), "note: 7 messages were due and never sent: 1001/s of 100/s"));
    tlr_cli_text_free(&text);
    plan.mode = TLR_LOAD_CHURN;
    result.total.unsent = 1;
    assert_non_null(strstr(table(),
        "note: 1 connection was due and never opened: 0/s of 100/s were "
        "reached; it counts with the time it had waited\n"));
}

/* Its first bytes do not run from when they were due. */
static void hello_has_no_mark_and_no_word_of_one(void **state)
{
    (void)state;
    plan.mode = TLR_LOAD_HELLO;
    plan.rate = 100;
    for (int i = 0; i < 1000; i++) {
        tlr_load_histogram_add(&figures.latency[TLR_LOAD_LATENESS], 900000);
        tlr_load_histogram_add(&figures.latency[TLR_LOAD_FIRST_BYTE], 5000);
        tlr_load_histogram_add(
            &figures.latency[TLR_LOAD_CONNECTING], 1000000);
    }
    assert_null(strchr(table(), '*'));
    assert_non_null(strstr(text.data, "note: the latencies of connects are"));
    tlr_cli_text_free(&text);
    plan.mode = TLR_LOAD_CHURN;
    assert_non_null(strstr(table(), " ms *\n"));
    assert_non_null(strstr(text.data, "note: latencies with * are more"));
}

/* All of its messages come behind the time that a rate is of. */
static void idle_has_no_rates(void **state)
{
    (void)state;
    plan.mode = TLR_LOAD_IDLE;
    assert_non_null(strstr(table(), "round trips                1001\n"));
    assert_null(strstr(text.data, "/s"));
}

static void one_is_in_the_singular(void **state)
{
    (void)state;
    result.total.errors[TLR_LOAD_WRONG] = 1;
    result.total.whole = 0;
    result.total.bytes_sent = 1;
    assert_non_null(strstr(table(), "NOT verified: 1 of 1 connection failed; "
                                    "1 byte sent, 0 came back right\n"));
}

/* A name may have several addresses: what is told is where the load went. */
static void the_addresses_are_those_that_were_reached(void **state)
{
    struct sockaddr_storage addresses[3];
    struct tlr_load_tally other;
    (void)state;
    memset(addresses, 0, sizeof(addresses));
    assert_int_equal(
        uv_ip6_addr("::1", 7, (struct sockaddr_in6 *)&addresses[0]), 0);
    assert_int_equal(
        uv_ip4_addr("127.0.0.1", 7, (struct sockaddr_in *)&addresses[1]), 0);
    assert_int_equal(
        uv_ip4_addr("127.0.0.2", 7, (struct sockaddr_in *)&addresses[2]), 0);
    plan.addresses = addresses;
    plan.address_count = 3;
    tlr_load_reached_add(&result, &text);
    assert_string_equal(
        tlr_cli_text_get(&text), "[::1]:7, 127.0.0.1:7, 127.0.0.2:7");
    assert_ptr_equal(tlr_load_reached_first(&result), &addresses[0]);
    tlr_cli_text_free(&text);
    result.total.reached = tlr_load_tally_reached(1);
    tlr_load_reached_add(&result, &text);
    assert_string_equal(tlr_cli_text_get(&text), "127.0.0.1:7");
    assert_ptr_equal(tlr_load_reached_first(&result), &addresses[1]);
    tlr_cli_text_free(&text);
    tlr_load_tally_init(&other);
    other.reached = tlr_load_tally_reached(2);
    tlr_load_tally_merge(&result.total, &other);
    tlr_load_reached_add(&result, &text);
    assert_string_equal(tlr_cli_text_get(&text), "127.0.0.1:7, 127.0.0.2:7");
}

int main(void)
{
#define test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        test(no_line_ends_with_a_blank),
        test(the_percentiles_are_labelled),
        test(a_run_within_its_warm_up_is_told),
        test(nobody_in_the_warm_up_is_told_by_the_errors_alone),
        test(what_was_never_sent_is_called_by_its_name),
        test(hello_has_no_mark_and_no_word_of_one),
        test(idle_has_no_rates),
        test(one_is_in_the_singular),
        test(the_addresses_are_those_that_were_reached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
