/* SPDX-License-Identifier: MIT */
/* What a run says while it goes on, to a file instead of stderr. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "load/progress.h"

static struct tlr_load_plan plan;
static struct tlr_load_progress progress;
static char said[4096];

static int set_up(void **state)
{
    (void)state;
    memset(&plan, 0, sizeof(plan));
    plan.duration_ms = 30000;
    tlr_load_progress_init(&progress, &plan, false);
    progress.to = tmpfile();
    return progress.to == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    return fclose(progress.to);
}

/* The `second`-th, from 0, with so many round trips. */
static void add(unsigned second, uint64_t trips)
{
    struct tlr_load_interval interval = {.from = second,
        .seconds = 1,
        .round_trips = trips,
        .bytes_received = trips * 1024,
        .errors = second == 2,
        .open = 50,
        .latency = {1000, 2000, 3000, 592000, 5000, 6000}};
    tlr_load_progress_add(&progress, &interval);
}

static const char *all_said(void)
{
    size_t length;
    rewind(progress.to);
    length = fread(said, 1, sizeof(said) - 1, progress.to);
    said[length] = '\0';
    return said;
}

static void elsewhere_a_line_comes_each_ten_seconds(void **state)
{
    (void)state;
    progress.terminal = false;
    for (unsigned i = 0; i < 25; i++) {
        add(i, i < 10 ? 1024 : 2048);
    }
    assert_string_equal(all_said(),
        "teller-load: 20 s left, 50 open, 1024 round trips/s, 1.0 MiB/s, "
        "p99 592.0 us, 1 error\n"
        "teller-load: 10 s left, 50 open, 2048 round trips/s, 2.0 MiB/s, "
        "p99 592.0 us, 1 error\n");
}

static void until_something_is_measured_it_says_what_it_waits_for(void **state)
{
    (void)state;
    progress.terminal = false;
    plan.connections = 50;
    plan.warmup_ms = 20000;
    for (unsigned i = 1; i < 25; i++) {
        tlr_load_progress_wait(&progress, i, i, i < 12 ? -1 : i - 12.0);
    }
    for (unsigned i = 0; i < 12; i++) {
        add(i, 1024);
    }
    assert_string_equal(all_said(),
        "teller-load: connecting, 10 of 50 open\n"
        "teller-load: warming up, 12 s left, 20 open\n"
        "teller-load: 20 s left, 50 open, 1024 round trips/s, 1.0 MiB/s, "
        "p99 592.0 us, 1 error\n");
}

static void on_a_terminal_one_line_is_written_over(void **state)
{
    (void)state;
    progress.terminal = true;
    add(0, 1000000);
    add(1, 1);
    tlr_load_progress_clear(&progress);
    tlr_load_progress_clear(&progress);
    const char *text = all_said();
    assert_int_equal(text[0], '\r');
    assert_null(strchr(text, '\n'));
    const char *second = strchr(text + 1, '\r');
    assert_non_null(strstr(second, "28 s left"));
    assert_null(strstr(second, "1000000"));
    /* Spaces where the longer one was; and at last over all of it. */
    const char *third = strchr(second + 1, '\r');
    assert_int_equal(third - second, second - text);
    assert_int_equal(strspn(third + 1, " "), strlen(third) - 2);
}

static void quiet_is_quiet(void **state)
{
    (void)state;
    progress.silent = true;
    progress.terminal = true;
    add(0, 1000);
    add(11, 1000);
    tlr_load_progress_clear(&progress);
    assert_string_equal(all_said(), "");
}

static void a_run_without_an_end_says_how_long_it_has_been(void **state)
{
    (void)state;
    plan.duration_ms = 0;
    plan.mode = TLR_LOAD_CHURN;
    progress.terminal = false;
    for (unsigned i = 0; i < 10; i++) {
        add(i, 0);
    }
    assert_string_equal(all_said(), "teller-load: 10 s, 50 open, 0 "
                                    "connections/s, p99 592.0 us, 1 error\n");
}

int main(void)
{
#define test(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        test(elsewhere_a_line_comes_each_ten_seconds),
        test(until_something_is_measured_it_says_what_it_waits_for),
        test(on_a_terminal_one_line_is_written_over),
        test(quiet_is_quiet),
        test(a_run_without_an_end_says_how_long_it_has_been),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
