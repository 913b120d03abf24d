/* SPDX-License-Identifier: MIT */
/*
 * The page of a made-up result, read as text: what a browser makes of one is
 * for page.mjs.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "load/axis.h"
#include "load/chart.h"
#include "load/html.h"
#include "load/page.h"

enum { MANY = 100000, DEPTH = 32, NAME = 16 };

static struct tlr_load_figures figures; /* too large for a stack */
static struct sockaddr_storage address;
static struct tlr_load_plan plan;
static struct tlr_load_result result;
static struct tlr_load_interval intervals[MANY];
static struct tlr_cli_text text;

/* Of that one, or of more. */
static struct tlr_load_result *runs[] = {&result, &result, &result};
static double merits[] = {0, 2, 1};
static struct tlr_load_series series;

/* A good run of so many seconds, with a peak in its 777th one. */
static void make_result(enum tlr_load_mode mode, size_t seconds)
{
    assert_int_equal(
        uv_ip4_addr("127.0.0.1", 7007, (struct sockaddr_in *)&address), 0);
    plan = (struct tlr_load_plan){.addresses = &address,
        .address_count = 1,
        .mode = mode,
        .connections = 3,
        .loops = 1,
        .depth = 1,
        .size = 64};
    tlr_load_figures_init(&figures);
    for (size_t i = 0; i < seconds; i++) {
        bool peak = i == 776;
        intervals[i] = (struct tlr_load_interval){.from = (double)i,
            .seconds = 1,
            .round_trips = peak ? 4000 : 1000 + i % 7,
            .in_time.round_trips = peak ? 4000 : 1000 + i % 7,
            .open = i + 1,
            .latency = {50000, 60000, 70000, 80000, 90000,
                peak ? 20000000 : 100000}};
        figures.round_trips += intervals[i].round_trips;
        tlr_load_histogram_add(
            &figures.latency[TLR_LOAD_ROUND_TRIP], 50000 + i * 10);
    }
    tlr_load_figures_were_in_time(&figures);
    result = (struct tlr_load_result){.plan = &plan,
        .figures = &figures,
        .intervals = intervals,
        .interval_count = seconds,
        .began = 1709251199, /* the end of a leap day */
        .seconds = (double)seconds};
    tlr_load_tally_init(&result.total);
    result.total.connected = result.total.whole = 3;
    series = (struct tlr_load_series){
        .wanted = 1, .count = 1, .runs = runs, .merits = merits};
}

static const char *page(void)
{
    tlr_load_page(&series, &text);
    assert_false(text.failed);
    return tlr_cli_text_get(&text);
}

static int release(void **state)
{
    (void)state;
    tlr_cli_text_free(&text);
    return 0;
}

static size_t count(const char *string, const char *what)
{
    size_t found = 0;
    while ((string = strstr(string, what)) != NULL) {
        string += strlen(what);
        found++;
    }
    return found;
}

/* ---- well-formed ---- */

/* Each element is ended, in order: as XML wants it, which HTML allows. No "<"
 * stands anywhere else, and each attribute is quoted. */
static bool is_balanced(const char *at)
{
    char open[DEPTH][NAME];
    unsigned depth = 0;
    while ((at = strchr(at, '<')) != NULL) {
        const char *end = strchr(at, '>');
        bool closing = at[1] == '/';
        if (end == NULL || memchr(at + 1, '<', (size_t)(end - at - 1))) {
            return false;
        }
        const char *name = at + (closing ? 2 : 1);
        size_t length = strcspn(name, " />\n");
        size_t quotes = 0;
        for (const char *c = at; c < end; c++) {
            quotes += *c == '"';
        }
        if (length == 0 || length >= NAME || quotes % 2 != 0) {
            return false;
        }
        if (closing) {
            if (depth == 0 || strncmp(open[depth - 1], name, length) != 0 ||
                open[depth - 1][length] != '\0') {
                return false;
            }
            depth--;
        } else if (*name != '!' && end[-1] != '/') {
            if (depth == DEPTH) {
                return false;
            }
            memcpy(open[depth], name, length);
            open[depth++][length] = '\0';
        }
        at = end;
    }
    return depth == 0;
}

static void pages_of_all_modes_are_well_formed(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < TLR_LOAD_MODES; mode++) {
        make_result((enum tlr_load_mode)mode, 5);
        assert_true(is_balanced(page()));
        assert_int_equal(count(text.data, "<figure"), 3);
        assert_int_equal(count(text.data, "://"), 0);
        tlr_cli_text_free(&text);
    }
    assert_false(is_balanced("<p><b>bold</p></b>")); /* it would be seen */
    assert_false(is_balanced("<p>1 < 2</p>"));
    assert_false(is_balanced("<p>"));
}

static void failures_and_notes_are_told(void **state)
{
    (void)state;
    make_result(TLR_LOAD_ECHO, 5);
    result.total.errors[TLR_LOAD_RESET] = 2;
    result.total.whole = 1;
    result.aborted = true;
    figures.busy_ns = UINT64_C(990000000);
    figures.elapsed_ns = UINT64_C(1000000000);
    assert_true(is_balanced(page()));
    assert_non_null(strstr(text.data,
        "<p class=\"verdict bad\">aborted at the first error</p>"));
    assert_non_null(strstr(text.data, ">NOT verified: 2 of 3"));
    assert_non_null(
        strstr(text.data, "<p class=\"note\">the client was the limit"));
    assert_non_null(strstr(
        text.data, "data-name=\"errors.reset\" data-value=\"2\">2</td>"));
    assert_non_null(
        strstr(text.data, "data-name=\"verified\" data-value=\"false\""));
}

static void the_title_says_what_where_and_when(void **state)
{
    (void)state;
    make_result(TLR_LOAD_ECHO, 5);
    assert_non_null(
        strstr(page(), "<title>teller-load: echo, 127.0.0.1:7007</title>"));
    assert_non_null(strstr(text.data, "2024-02-29 23:59:59 UTC"));
}

/* ---- several runs ---- */

static void the_page_of_a_run_has_no_table_of_runs(void **state)
{
    (void)state;
    make_result(TLR_LOAD_ECHO, 5);
    assert_null(strstr(page(), "the median"));
    assert_null(strstr(text.data, "<h2>Runs"));
    assert_null(strstr(text.data, "data-name=\"runs."));
}

static void of_several_runs_the_page_says_which_it_shows(void **state)
{
    static struct tlr_load_result other;
    (void)state;
    make_result(TLR_LOAD_ECHO, 5);
    other = result;
    other.seconds = 10; /* for as many round trips */
    other.total.errors[TLR_LOAD_RESET] = 7;
    runs[1] = &other;
    series.count = 3;
    assert_true(is_balanced(page()));
    runs[1] = &result;
    assert_non_null(strstr(text.data, " &middot; run 3 of 3, the median</p>"));
    assert_int_equal(count(text.data, "<h2>Runs"), 1);
    assert_int_equal(count(text.data, "\">run "), 3);
    assert_int_equal(count(text.data, "\">run 3, the one shown</th>"), 1);
    assert_non_null(strstr(text.data,
        "data-name=\"runs.1.round_trips_per_second\" "
        "data-value=\"501.0\">501</td>"));
    assert_non_null(strstr(text.data,
        "data-name=\"runs.2.round_trips_per_second\" "
        "data-value=\"1002.0\">1,002</td>"));
    assert_int_equal(
        count(text.data, ".latency_us.p99\" data-value=\"50.0"), 3);
    assert_non_null(strstr(text.data,
        "data-name=\"runs.1.errors_total\" data-value=\"7\">7</td>"));
}

static void the_tables_of_runs_of_all_modes_are_well_formed(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < TLR_LOAD_MODES; mode++) {
        make_result((enum tlr_load_mode)mode, 5);
        series.count = 3;
        assert_true(is_balanced(page()));
        assert_int_equal(count(text.data, "data-name=\"runs."),
            mode == TLR_LOAD_STREAM ? 2 * 3 : 4 * 3);
        tlr_cli_text_free(&text);
    }
}

/* ---- charts ---- */

static void without_intervals_there_is_nothing_to_draw(void **state)
{
    (void)state;
    make_result(TLR_LOAD_ECHO, 0);
    assert_true(is_balanced(page()));
    assert_int_equal(count(text.data, "<path"), 0);
    assert_int_equal(count(text.data, "Nothing was measured."), 3);
}

static void a_single_interval_is_a_line_over_the_whole_width(void **state)
{
    (void)state;
    make_result(TLR_LOAD_ECHO, 1);
    assert_true(is_balanced(page()));
    assert_int_equal(count(text.data, "<path"), 1 + 4 + 1);
    assert_int_equal(
        count(text.data, "d=\"M0.0 0.0L500.0 0.0L1000.0 0.0\"/>"), 2);
}

static void a_day_is_thinned_out_and_keeps_its_peak(void **state)
{
    (void)state;
    make_result(TLR_LOAD_ECHO, MANY);
    assert_true(is_balanced(page()));
    char *line = strstr(text.data, "d=\"M");
    assert_non_null(line);
    line[strcspn(line, ">")] = '\0';
    assert_in_range(count(line, "L"), 500, TLR_LOAD_CHART_POINTS);
    /* 4000 is where the axis ends; the others are far below. */
    assert_int_equal(count(line, " 0.0L"), 1);
    assert_true(text.length < 200000);
}

static void seconds_with_errors_are_marked(void **state)
{
    (void)state;
    make_result(TLR_LOAD_ECHO, 10);
    assert_int_equal(count(page(), "class=\"failed\""), 0);
    tlr_cli_text_free(&text);
    intervals[0].errors = 1;
    intervals[9].errors = 7;
    assert_true(is_balanced(page()));
    assert_int_equal(count(text.data, "errors</span>"), 1);
    assert_int_equal(count(text.data,
                         "<path class=\"failed\" d=\"M50.0 1000L50.0 950"
                         "M950.0 1000L950.0 950\"/>"),
        1);
}

static void errors_of_a_day_are_thinned_out_and_not_lost(void **state)
{
    (void)state;
    make_result(TLR_LOAD_ECHO, MANY);
    for (size_t i = MANY / 2; i < MANY; i++) {
        intervals[i].errors = 1;
    }
    intervals[12345].errors = 1;
    assert_true(is_balanced(page()));
    char *marks = strstr(text.data, "<path class=\"failed\"");
    assert_non_null(marks);
    marks[strcspn(marks, ">")] = '\0';
    assert_int_equal(count(marks, "M"), TLR_LOAD_CHART_POINTS / 4 + 1);
}

/* Of the curve's first mark. */
static double median_from_top(void)
{
    const char *mark = strstr(page(), "<circle");
    assert_non_null(mark);
    mark = strstr(mark, "cy=\"");
    assert_non_null(mark);
    return strtod(mark + 4, NULL);
}

static void the_median_has_room_for_its_label_below_it(void **state)
{
    (void)state;
    for (uint64_t high = 50100; high < 5000000000; high *= 3) {
        make_result(TLR_LOAD_ECHO, 0);
        for (unsigned i = 0; i < 1000; i++) {
            tlr_load_histogram_add(&figures.latency[TLR_LOAD_ROUND_TRIP],
                i < 900 ? 50050 : high);
        }
        assert_true(median_from_top() < TLR_LOAD_CHART_HEIGHT - 24);
        assert_non_null(strstr(text.data, "dy=\"18\">50.1&nbsp;"));
        tlr_cli_text_free(&text);
    }
}

/* A gap in the middle, and a lone point in it. */
static bool point_with_gaps(
    const void *data, unsigned line, size_t index, double *x, double *y)
{
    (void)data;
    (void)line;
    *x = (double)index;
    *y = 5;
    return index != 3 && index != 5;
}

static void a_gap_is_not_drawn_over_and_a_lone_point_is_a_dot(void **state)
{
    struct tlr_load_chart chart = {.name = "gaps",
        .title = "t",
        .unit = "u",
        .points = 9,
        .line_count = 1,
        .point = point_with_gaps};
    (void)state;
    tlr_load_axis_seconds(&chart.x, 8);
    tlr_load_axis_count(&chart.y, 10);
    tlr_load_chart_add(&chart, &text);
    assert_non_null(strstr(tlr_cli_text_get(&text),
        "d=\"M0.0 500.0L125.0 500.0L250.0 500.0M500.0 500.0L500.0 "
        "500.0M750.0 500.0L875.0 500.0L1000.0 500.0\""));
}

static void what_comes_from_outside_is_escaped(void **state)
{
    struct tlr_load_chart chart = {.name = "escapes",
        .title = "<script>\"&'\n",
        .unit = "</figure>",
        .points = 9,
        .line_count = 1,
        .lines = {"<b>"},
        .point = point_with_gaps};
    (void)state;
    tlr_load_axis_seconds(&chart.x, 8);
    tlr_load_axis_count(&chart.y, 10);
    tlr_load_chart_add(&chart, &text);
    assert_true(is_balanced(tlr_cli_text_get(&text)));
    assert_null(strstr(text.data, "<script"));
    assert_null(strstr(text.data, "<b>\""));
    assert_int_equal(
        count(text.data, "&#60;script&#62;&#34;&#38;&#39;?"), 2);
    assert_non_null(strstr(text.data, ">&#60;b&#62;</text>"));
}

static void what_is_held_is_drawn_as_open_connections(void **state)
{
    (void)state;
    make_result(TLR_LOAD_IDLE, 4);
    assert_true(is_balanced(page()));
    assert_int_equal(count(text.data, "<figure id=\"open\">"), 1);
    assert_int_equal(count(text.data, "<figure id=\"throughput\">"), 0);
    /* 1 to 4, at the end of each second. */
    assert_int_equal(count(text.data,
                         "d=\"M0.0 750.0L250.0 750.0L500.0 500.0L750.0 250.0"
                         "L1000.0 0.0\"/>"),
        1);
}

/* ---- axes ---- */

static void expect_labels(
    const struct tlr_load_axis *axis, const char *expected)
{
    struct tlr_cli_text labels = {0};
    for (unsigned i = 0; i < axis->count; i++) {
        tlr_cli_text_add(&labels, i == 0 ? "" : " ");
        tlr_load_axis_label(axis, axis->ticks[i], &labels);
    }
    assert_string_equal(tlr_cli_text_get(&labels), expected);
    tlr_cli_text_free(&labels);
}

static void ticks_are_round_numbers_with_units(void **state)
{
    struct tlr_load_axis axis;
    (void)state;
    tlr_load_axis_count(&axis, 183425);
    expect_labels(&axis,
        "0 50&nbsp;k 100&nbsp;k 150&nbsp;k 200&nbsp;k");
    tlr_load_axis_count(&axis, 0);
    expect_labels(&axis, "0 1");
    tlr_load_axis_seconds(&axis, 10.4);
    expect_labels(&axis, "0&nbsp;s 2&nbsp;s 4&nbsp;s 6&nbsp;s 8&nbsp;s "
                         "10&nbsp;s");
    tlr_load_axis_seconds(&axis, 0.03);
    expect_labels(&axis, "0&nbsp;ms 5&nbsp;ms 10&nbsp;ms 15&nbsp;ms "
                         "20&nbsp;ms 25&nbsp;ms 30&nbsp;ms");
    tlr_load_axis_seconds(&axis, 1.1);
    expect_labels(&axis, "0&nbsp;s 0.2&nbsp;s 0.4&nbsp;s 0.6&nbsp;s "
                         "0.8&nbsp;s 1&nbsp;s");
    tlr_load_axis_seconds(&axis, 86400);
    expect_labels(&axis, "0&nbsp;h 4&nbsp;h 8&nbsp;h 12&nbsp;h 16&nbsp;h "
                         "20&nbsp;h 24&nbsp;h");
    tlr_load_axis_latency(&axis, 180e3, 3e6);
    expect_labels(&axis,
        "100&nbsp;&micro;s 200&nbsp;&micro;s 500&nbsp;&micro;s 1&nbsp;ms "
        "2&nbsp;ms 5&nbsp;ms");
    tlr_load_axis_latency(&axis, 21e3, 40e3);
    expect_labels(&axis, "20&nbsp;&micro;s 30&nbsp;&micro;s "
                         "40&nbsp;&micro;s 50&nbsp;&micro;s");
    tlr_load_axis_latency(&axis, 900, 2e9);
    expect_labels(&axis,
        "100&nbsp;ns 1&nbsp;&micro;s 10&nbsp;&micro;s 100&nbsp;&micro;s "
        "1&nbsp;ms 10&nbsp;ms 100&nbsp;ms 1&nbsp;s 10&nbsp;s");
    tlr_load_axis_percent(&axis);
    expect_labels(&axis, "0% 50% 90% 99% 99.9% 99.99% 99.999%");
}

/* Ticks rise, are within the ends, and are not too many. */
static void expect_sound(const struct tlr_load_axis *axis, unsigned most)
{
    assert_in_range(axis->count, 2, most);
    for (unsigned i = 0; i < axis->count; i++) {
        assert_true(axis->ticks[i] >= axis->low * (1 - 1e-9));
        assert_true(axis->ticks[i] <= axis->high * (1 + 1e-9));
        assert_true(i == 0 || axis->ticks[i] > axis->ticks[i - 1]);
    }
}

static void axes_of_any_range_have_few_ticks_and_hold_it(void **state)
{
    struct tlr_load_axis axis;
    (void)state;
    for (double high = 1e-4; high < 1e13; high *= 1.37) {
        tlr_load_axis_count(&axis, high);
        expect_sound(&axis, 6);
        assert_true(axis.high >= high * (1 - 1e-6));
        tlr_load_axis_seconds(&axis, high);
        expect_sound(&axis, 8);
        assert_true(axis.high == high);
        for (double low = 1; high >= 1 && low <= high; low *= 3.1) {
            tlr_load_axis_latency(&axis, low, high);
            expect_sound(&axis, 16);
            assert_true(axis.low <= low && axis.high >= high * (1 - 1e-6));
        }
    }
    tlr_load_axis_latency(&axis, 0, 0);
    expect_sound(&axis, 16);
}

static void places_go_from_0_to_1_and_not_beyond(void **state)
{
    struct tlr_load_axis axis;
    (void)state;
    tlr_load_axis_percent(&axis);
    assert_true(fabs(tlr_load_axis_place(&axis, 90) - 0.2) < 1e-9);
    assert_true(fabs(tlr_load_axis_place(&axis, 99.9) - 0.6) < 1e-9);
    assert_true(tlr_load_axis_place(&axis, 0) == 0);
    assert_true(tlr_load_axis_place(&axis, 100) == 1);
    tlr_load_axis_latency(&axis, 1000, 1e6);
    assert_true(fabs(tlr_load_axis_place(&axis, 1e5) - 2.0 / 3) < 1e-9);
    assert_true(tlr_load_axis_place(&axis, 0) == 0);
    assert_true(tlr_load_axis_place(&axis, 1e9) == 1);
    tlr_load_axis_count(&axis, 10);
    assert_true(tlr_load_axis_place(&axis, NAN) == 0);
}

/* ---- small things ---- */

static void numbers_are_written_for_people(void **state)
{
    (void)state;
    tlr_load_html_count(&text, 0);
    tlr_cli_text_add(&text, " ");
    tlr_load_html_count(&text, 999);
    tlr_cli_text_add(&text, " ");
    tlr_load_html_count(&text, 1002003);
    tlr_cli_text_add(&text, " ");
    tlr_load_html_count(&text, UINT64_MAX);
    tlr_cli_text_add(&text, " ");
    tlr_load_html_rate(&text, 12.34);
    tlr_cli_text_add(&text, " ");
    tlr_load_html_rate(&text, 12345.6);
    tlr_cli_text_add(&text, " ");
    tlr_load_html_time(&text, 412300);
    tlr_cli_text_add(&text, " ");
    tlr_load_html_bytes(&text, 1536);
    tlr_cli_text_add(&text, " ");
    tlr_load_html_duration(&text, 4.5);
    tlr_cli_text_add(&text, " ");
    tlr_load_html_duration(&text, 119.9996);
    tlr_cli_text_add(&text, " ");
    tlr_load_html_duration(&text, 125.6);
    tlr_cli_text_add(&text, " ");
    tlr_load_html_duration(&text, 7199.7);
    assert_string_equal(tlr_cli_text_get(&text),
        "0 999 1,002,003 18,446,744,073,709,551,615 12.3 12,346 "
        "412.3&nbsp;&micro;s 1.5&nbsp;KiB 4.500&nbsp;s 120.000&nbsp;s "
        "2&nbsp;min 6&nbsp;s 2&nbsp;h 0&nbsp;min 0&nbsp;s");
}

static void expect_date(double seconds, const char *expected)
{
    struct tlr_cli_text date = {0};
    tlr_load_html_date(&date, seconds);
    assert_string_equal(tlr_cli_text_get(&date), expected);
    tlr_cli_text_free(&date);
}

static void dates_are_those_of_the_calendar(void **state)
{
    (void)state;
    expect_date(0, "1970-01-01 00:00:00 UTC");
    expect_date(-1, "1970-01-01 00:00:00 UTC");
    expect_date(951782400, "2000-02-29 00:00:00 UTC");
    expect_date(1709251200, "2024-03-01 00:00:00 UTC");
    expect_date(1735689599.9, "2024-12-31 23:59:59 UTC");
    expect_date(4107542400, "2100-03-01 00:00:00 UTC");
}

/* ---- the file ---- */

static void a_file_that_cannot_be_written_is_named(void **state)
{
    struct tlr_cli_text complaint = {0};
    (void)state;
    make_result(TLR_LOAD_ECHO, 2);
    assert_int_equal(tlr_load_page_write(
                         "no-such-folder/page.html", &series, &complaint),
        UV_ENOENT);
    assert_string_equal(tlr_cli_text_get(&complaint),
        "cannot write the report to no-such-folder/page.html: no such file or "
        "directory");
    tlr_cli_text_free(&complaint);
}

static void a_full_disk_is_told(void **state)
{
    struct tlr_cli_text complaint = {0};
    FILE *full = fopen("/dev/full", "wb");
    (void)state;
    if (full == NULL) {
        skip(); /* a device of Linux */
    }
    (void)fclose(full); /* nothing was written */
    make_result(TLR_LOAD_ECHO, 2);
    assert_int_equal(
        tlr_load_page_write("/dev/full", &series, &complaint), UV_ENOSPC);
    assert_non_null(
        strstr(tlr_cli_text_get(&complaint), "/dev/full: no space"));
    tlr_cli_text_free(&complaint);
}

static void a_file_that_was_there_is_written_anew(void **state)
{
    static const char path[] = "test_load_page.html";
    static char got[65536];
    struct tlr_cli_text complaint = {0};
    (void)state;
    make_result(TLR_LOAD_ECHO, 900);
    assert_int_equal(tlr_load_page_write(path, &series, &complaint), 0);
    make_result(TLR_LOAD_ECHO, 2);
    assert_int_equal(tlr_load_page_write(path, &series, &complaint), 0);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t length = fread(got, 1, sizeof(got), file);
    (void)fclose(file); /* it was only read */
    assert_int_equal(remove(path), 0);
    (void)page();
    assert_int_equal(length, text.length);
    assert_memory_equal(got, text.data, length);
    assert_string_equal(tlr_cli_text_get(&complaint), "");
}

#define TEST(name) cmocka_unit_test_teardown(name, release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pages_of_all_modes_are_well_formed),
        TEST(failures_and_notes_are_told),
        TEST(the_title_says_what_where_and_when),
        TEST(the_page_of_a_run_has_no_table_of_runs),
        TEST(of_several_runs_the_page_says_which_it_shows),
        TEST(the_tables_of_runs_of_all_modes_are_well_formed),
        TEST(without_intervals_there_is_nothing_to_draw),
        TEST(a_single_interval_is_a_line_over_the_whole_width),
        TEST(a_day_is_thinned_out_and_keeps_its_peak),
        TEST(seconds_with_errors_are_marked),
        TEST(errors_of_a_day_are_thinned_out_and_not_lost),
        TEST(the_median_has_room_for_its_label_below_it),
        TEST(a_gap_is_not_drawn_over_and_a_lone_point_is_a_dot),
        TEST(what_comes_from_outside_is_escaped),
        TEST(what_is_held_is_drawn_as_open_connections),
        TEST(ticks_are_round_numbers_with_units),
        TEST(axes_of_any_range_have_few_ticks_and_hold_it),
        TEST(places_go_from_0_to_1_and_not_beyond),
        TEST(numbers_are_written_for_people),
        TEST(dates_are_those_of_the_calendar),
        TEST(a_file_that_cannot_be_written_is_named),
        TEST(a_full_disk_is_told),
        TEST(a_file_that_was_there_is_written_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
