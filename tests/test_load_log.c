/* SPDX-License-Identifier: MIT */
/* Logs that are written, and read and added up again; and wrong ones. What an
 * implementation that is not ours reads in them is tests/load/check.sh's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "load/log.h"
#include "load/log_reader.h"
#include "load/merged.h"
#include "load/squeeze.h"

static const char path[] = "test_load_log.log";
static const char other_path[] = "test_load_log.other.log";

/* Too large for a stack. */
static struct tlr_load_figures second;
static struct tlr_load_figures sum;
static struct tlr_load_hdr_room room;
static struct sockaddr_storage address;
static struct tlr_load_plan plan;
static struct tlr_load_result result;

static void set_up(void)
{
    assert_int_equal(
        uv_ip4_addr("127.0.0.1", 7008, (struct sockaddr_in *)&address), 0);
    plan = (struct tlr_load_plan){
        .addresses = &address,
        .address_count = 1,
        .mode = TLR_LOAD_ECHO,
        .connections = 5,
        .loops = 2,
        .depth = 3,
        .size = 64,
        .rate = 1000,
    };
    result = (struct tlr_load_result){
        .plan = &plan,
        .figures = &sum,
        .began = 1700000000.25,
        .seconds = 2.5,
        .memory = 1000,
    };
    tlr_load_tally_init(&result.total);
    tlr_load_figures_init(&sum);
}

static struct tlr_load_log *open_log(const char *name)
{
    struct tlr_load_log *log = NULL;
    struct tlr_cli_text complaint = {0};
    assert_int_equal(tlr_load_log_open(&log, name, &complaint), 0);
    assert_int_equal(complaint.length, 0);
    return log;
}

static void close_log(struct tlr_load_log *log)
{
    struct tlr_cli_text complaint = {0};
    assert_int_equal(tlr_load_log_close(log, &result, &complaint), 0);
    assert_int_equal(complaint.length, 0);
}

/* A second with these round trips of these nanoseconds. */
static void log_second(struct tlr_load_log *log, double from, uint64_t times,
    uint64_t value)
{
    struct tlr_load_interval interval = {.at = 1700000000.25 + from,
        .from = from, .seconds = 1, .round_trips = times, .open = 5,
        .bytes_sent = 64 * times};
    tlr_load_figures_init(&second);
    for (uint64_t i = 0; i < times; i++) {
        tlr_load_histogram_add(&second.latency[TLR_LOAD_ROUND_TRIP], value);
    }
    tlr_load_histogram_add(&second.latency[TLR_LOAD_CONNECTING], 5000);
    second.round_trips = times;
    second.busy_ns = 100;
    second.elapsed_ns = 400;
    tlr_load_log_interval(log, &interval, &second);
    tlr_load_figures_add(&sum, &second);
}

static void write_log(const char *name, uint64_t value)
{
    struct tlr_load_log *log = open_log(name);
    set_up();
    log_second(log, 0, 10, value);
    log_second(log, 1.01, 20, value + 1000);
    /* Made before the time ran. */
    tlr_load_histogram_add(&sum.latency[TLR_LOAD_CONNECTING], 4000);
    result.total.connected = 8;
    result.total.bytes_sent = 1920;
    result.total.errors[TLR_LOAD_RESET] = 1;
    close_log(log);
}

static struct tlr_load_merged *merged_of(size_t count, const char *const *names)
{
    struct tlr_load_merged *merged = NULL;
    assert_int_equal(tlr_load_merged_create(&merged), 0);
    for (size_t i = 0; i < count; i++) {
        struct tlr_cli_text notes = {0};
        struct tlr_cli_text complaint = {0};
        int err = tlr_load_merged_add(merged, names[i], &notes, &complaint);
        if (err != 0) {
            fail_msg("%s", tlr_cli_text_get(&complaint));
        }
        tlr_cli_text_free(&notes);
    }
    return merged;
}

static void write_text(const char *name, const char *text)
{
    FILE *file = fopen(name, "wb");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* What adding a file of these bytes ends with; its complaint has `words`. */
static void assert_refused(const char *bytes, int err, const char *words)
{
    struct tlr_load_merged *merged = NULL;
    struct tlr_cli_text notes = {0};
    struct tlr_cli_text complaint = {0};
    write_text(other_path, bytes);
    assert_int_equal(tlr_load_merged_create(&merged), 0);
    assert_int_equal(
        tlr_load_merged_add(merged, other_path, &notes, &complaint), err);
    if (strstr(tlr_cli_text_get(&complaint), words) == NULL ||
        strstr(tlr_cli_text_get(&complaint), other_path) == NULL) {
        fail_msg("not \"%s\": %s", words, tlr_cli_text_get(&complaint));
    }
    tlr_load_merged_destroy(merged);
    tlr_cli_text_free(&notes);
    tlr_cli_text_free(&complaint);
}

static char *text_of(const char *name)
{
    char *text = calloc(1, 65536);
    FILE *file = fopen(name, "rb");
    assert_non_null(text);
    assert_non_null(file);
    assert_in_range(fread(text, 1, 65535, file), 1, 65534);
    assert_int_equal(fclose(file), 0);
    return text;
}

/* ---- tests ---- */

static void without_zlib_it_is_refused_in_plain_words(void **state)
{
    struct tlr_load_log *log = NULL;
    struct tlr_cli_text complaint = {0};
    (void)state;
    if (tlr_load_squeeze_is_here()) {
        skip();
    }
    assert_int_equal(
        tlr_load_log_open(&log, path, &complaint), UV_ENOTSUP);
    assert_non_null(strstr(complaint.data, "built without zlib"));
    tlr_cli_text_free(&complaint);
}

static void a_folder_that_is_not_there_is_named(void **state)
{
    struct tlr_load_log *log = NULL;
    struct tlr_cli_text complaint = {0};
    (void)state;
    if (!tlr_load_squeeze_is_here()) {
        skip();
    }
    assert_int_equal(
        tlr_load_log_open(&log, "no/such/folder", &complaint), UV_ENOENT);
    assert_non_null(strstr(complaint.data, "no/such/folder: no such file"));
    tlr_cli_text_free(&complaint);
    set_up();
    assert_int_equal(
        tlr_load_histogram_write("no/such/folder", &sum.latency[0], &complaint),
        UV_ENOENT);
    assert_non_null(strstr(complaint.data, "no/such/folder: no such file"));
    tlr_cli_text_free(&complaint);
}

static void a_log_that_only_closes_is_empty(void **state)
{
    struct tlr_cli_text complaint = {0};
    (void)state;
    if (!tlr_load_squeeze_is_here()) {
        skip();
    }
    struct tlr_load_log *log = open_log(path);
    assert_int_equal(tlr_load_log_close(log, NULL, &complaint), 0);
    assert_refused("", UV_EINVAL, "line 1: no log: it has no histogram");
}

static void all_of_a_result_comes_back(void **state)
{
    static const char *const names[] = {path};
    (void)state;
    if (!tlr_load_squeeze_is_here()) {
        skip();
    }
    write_log(path, 777777);
    struct tlr_load_merged *merged = merged_of(1, names);
    const struct tlr_load_result *back = tlr_load_merged_result(merged);
    assert_non_null(back);
    assert_memory_equal(back->figures, &sum, sizeof(sum));
    assert_memory_equal(&back->total, &result.total, sizeof(result.total));
    assert_memory_equal(
        back->plan->addresses, &address, sizeof(struct sockaddr_in));
    assert_int_equal(back->plan->connections, 5);
    assert_int_equal(back->plan->loops, 2);
    assert_int_equal(back->plan->depth, 3);
    assert_true(back->plan->rate == 1000 && back->memory == 1000);
    assert_true(back->seconds == 2.5 && back->began == 1700000000.25);
    assert_false(back->foreign);
    assert_false(tlr_load_result_is_good(back));
    assert_int_equal(back->interval_count, 2);
    assert_int_equal(back->intervals[1].round_trips, 20);
    assert_int_equal(back->intervals[1].open, 5);
    assert_int_equal(back->intervals[1].latency[0], 778777);
    assert_true(back->intervals[1].busy == 0.25);
    assert_true(back->intervals[1].from == 1.01);
    tlr_load_merged_destroy(merged);
}

static void two_logs_are_added_exactly(void **state)
{
    static const char *const names[] = {path, other_path};
    (void)state;
    if (!tlr_load_squeeze_is_here()) {
        skip();
    }
    write_log(path, 12345);
    write_log(other_path, 999);
    struct tlr_load_merged *merged = merged_of(2, names);
    const struct tlr_load_result *both = tlr_load_merged_result(merged);
    assert_non_null(both);
    const struct tlr_load_histogram *latency =
        &both->figures->latency[TLR_LOAD_ROUND_TRIP];
    assert_int_equal(latency->count, 60);
    assert_int_equal(latency->min, 999);
    assert_int_equal(latency->max, 13345);
    assert_int_equal(latency->slots[tlr_load_histogram_slot(1999)], 20);
    assert_int_equal(
        both->figures->latency[TLR_LOAD_CONNECTING].count, 2 * 3);
    assert_int_equal(both->plan->connections, 10);
    assert_true(both->plan->rate == 2000 && both->seconds == 2.5);
    assert_int_equal(both->total.errors[TLR_LOAD_RESET], 2);
    assert_int_equal(both->interval_count, 2);
    assert_int_equal(both->intervals[0].round_trips, 20);
    assert_int_equal(both->intervals[0].open, 10);
    assert_int_equal(both->intervals[0].latency[0], 999);
    tlr_load_merged_destroy(merged);
}

static void settings_come_back_and_sizes_only_where_they_are_alike(
    void **state)
{
    static const char *const names[] = {path, other_path};
    static struct tlr_load_sizes sizes;
    char text[TLR_LOAD_SIZES_TEXT];
    (void)state;
    if (!tlr_load_squeeze_is_here()) {
        skip();
    }
    assert_int_equal(tlr_load_sizes_parse("64=99,16k=1", &sizes), 0);
    for (size_t i = 0; i < 2; i++) {
        struct tlr_load_log *log = open_log(names[i]);
        set_up();
        plan.sizes = &sizes;
        plan.size = 16384;
        plan.round_trips = 41;
        plan.duration_ms = 42;
        plan.timeout_ms = 43;
        plan.pieces = 44;
        plan.read_rate = 45;
        plan.write_rate = 46;
        plan.send_buffer = 47;
        plan.receive_buffer = 48;
        plan.delay = true;
        plan.source_count = 49;
        plan.think_ms = 50;
        log_second(log, 0, 10, 1000);
        close_log(log);
    }
    struct tlr_load_merged *merged = merged_of(2, names);
    const struct tlr_load_plan *back = tlr_load_merged_result(merged)->plan;
    assert_string_equal(tlr_load_plan_sizes(back, text), "64=99,16384=1");
    assert_true(back->round_trips == 41 && back->duration_ms == 42 &&
                back->timeout_ms == 43 && back->pieces == 44 &&
                back->read_rate == 45 && back->write_rate == 46 &&
                back->send_buffer == 47 && back->receive_buffer == 48 &&
                back->delay && back->source_count == 49 &&
                back->think_ms == 50);
    tlr_load_merged_destroy(merged);
    write_log(path, 1000);
    merged = merged_of(2, names);
    back = tlr_load_merged_result(merged)->plan;
    assert_string_equal(tlr_load_plan_sizes(back, text), "");
    assert_int_equal(back->size, 16384);
    tlr_load_merged_destroy(merged);
    write_log(other_path, 1000);
    merged = merged_of(2, names);
    back = tlr_load_merged_result(merged)->plan;
    assert_null(back->sizes);
    assert_string_equal(tlr_load_plan_sizes(back, text), "64");
    tlr_load_merged_destroy(merged);
}

static void every_cut_is_found_out(void **state)
{
    (void)state;
    if (!tlr_load_squeeze_is_here()) {
        skip();
    }
    write_log(path, 12345);
    char *text = text_of(path);
    size_t length = strlen(text);
    /* Without its last line feed it is whole. */
    for (size_t i = 2; i < length; i += 7) {
        text[length - i] = '\0';
        assert_refused(text, UV_EINVAL, "line ");
    }
    free(text);
}

static void a_missing_line_is_found_out(void **state)
{
    (void)state;
    if (!tlr_load_squeeze_is_here()) {
        skip();
    }
    write_log(path, 12345);
    char *text = text_of(path);
    char *line = strstr(text, "\n1.010,");
    assert_non_null(line);
    char *end = strchr(line + 1, '\n');
    memmove(line, end, strlen(end) + 1);
    assert_refused(text, UV_EINVAL,
        "30 values of round_trip, and the lines before it have 10");
    free(text);
}

/* Takes the word that begins so out of the text. */
static void take_out(char *text, const char *begin)
{
    char *word = strstr(text, begin);
    assert_non_null(word);
    char *end = word + 1 + strcspn(word + 1, " ]");
    memmove(word, end, strlen(end) + 1);
}

static void a_log_from_before_there_was_thinking_is_read(void **state)
{
    static const char *const names[] = {path};
    (void)state;
    if (!tlr_load_squeeze_is_here()) {
        skip();
    }
    write_log(path, 12345);
    char *text = text_of(path);
    take_out(text, " think=");
    take_out(text, " think_count=");
    take_out(text, " think_min=");
    take_out(text, " think_max=");
    write_text(path, text);
    struct tlr_load_merged *merged = merged_of(1, names);
    const struct tlr_load_result *back = tlr_load_merged_result(merged);
    assert_non_null(back);
    assert_int_equal(back->plan->think_ms, 0);
    assert_memory_equal(back->figures, &sum, sizeof(sum));
    tlr_load_merged_destroy(merged);
    take_out(text, " lateness_min=");
    assert_refused(text, UV_EINVAL, "a result that is not whole");
    free(text);
}

static void nothing_is_read_beyond_its_room(void **state)
{
    (void)state;
    char *text = malloc(TLR_LOAD_LOG_LINE + 2);
    assert_non_null(text);
    memset(text, 'a', TLR_LOAD_LOG_LINE + 1);
    text[TLR_LOAD_LOG_LINE + 1] = '\0';
    assert_refused(text, UV_EINVAL, "line 1: longer than any line");
    text[TLR_LOAD_LOG_LINE] = '\0';
    assert_refused(text, UV_EINVAL, "line 1: no line of");
    /* A tag that is longer than any. */
    memcpy(text, "Tag=", 4);
    memcpy(text + 200, ",1,1,1,HIST", sizeof(",1,1,1,HIST"));
    assert_refused(text, UV_EINVAL, "line 1: a histogram damaged");
    free(text);
    assert_refused("#[teller-load log 1]\n#[teller-load interval "
                   "from=00000000000000000000000000000000000000001 seconds=1 "
                   "round_trips=1 sessions=0 bytes_sent=0 bytes_received=0 "
                   "errors=0 open=0 busy=0 elapsed=0]\n",
        UV_EINVAL, "line 2: an interval that is not whole");
}

static void a_log_of_others_is_read(void **state)
{
    struct tlr_cli_text text = {0};
    static const char *const names[] = {other_path};
    (void)state;
    if (!tlr_load_squeeze_is_here()) {
        skip();
    }
    set_up();
    tlr_load_histogram_add(&sum.latency[0], 12345);
    assert_int_equal(tlr_load_hdr_to_text(&sum.latency[0], &room), 0);
    /* Another maximum's unit, times since StartTime, and a tag. */
    tlr_cli_text_add(&text,
        "#[Logged by another program]\r\n"
        "#[StartTime: 1441812279.474 (seconds since epoch), Wed Sep 09]\r\n"
        "\"StartTimestamp\",\"Interval_Length\"\r\n\r\n"
        "0.127,1.007,2.769,%s\r\n"
        "Tag=A,0.127,1.007,2.769,%s\r\n"
        "1.134, 0.999, 0.4, %s\r\n",
        room.text, room.text, room.text);
    FILE *file = fopen(other_path, "wb");
    assert_non_null(file);
    assert_int_equal(tlr_cli_text_print(&text, file), 0);
    assert_int_equal(fclose(file), 0);
    tlr_cli_text_free(&text);
    struct tlr_load_merged *merged = merged_of(1, names);
    const struct tlr_load_result *back = tlr_load_merged_result(merged);
    assert_non_null(back);
    assert_true(back->foreign);
    assert_int_equal(back->figures->latency[TLR_LOAD_ROUND_TRIP].count, 2);
    assert_int_equal(back->figures->round_trips, 2);
    assert_int_equal(back->interval_count, 2);
    assert_float_equal(back->began, 1441812279.601, 1e-6);
    assert_float_equal(back->seconds, 2.006, 1e-9);
    tlr_load_merged_destroy(merged);
}

static void wrong_lines_are_named(void **state)
{
    (void)state;
    assert_refused("\n\nsomething\n", UV_EINVAL, "line 3: no line of");
    assert_refused("1,1,1\n", UV_EINVAL, "line 1: no line of");
    assert_refused(",,,\n", UV_EINVAL, "line 1: no line of");
    assert_refused("1,-1,1,HISTF\n", UV_EINVAL, "line 1: no line of");
    assert_refused("1e9,1,1,HISTF\n", UV_EINVAL, "line 1: no line of");
    assert_refused("18446744074,1,1,HISTF\n", UV_EINVAL, "no line of");
    assert_refused("1.2.3,1,1,HISTF\n", UV_EINVAL, "line 1: no line of");
    assert_refused("#[BaseTime: 18446744073 ]\n1,1,1,HIST\n", UV_EINVAL,
        "line 2: a time that is none");
    assert_refused("1,1,1,HISTF\n", UV_EINVAL, "line 1: a histogram damaged");
    assert_refused("Tag=A,1,1,1,\n", UV_EINVAL, "line 1: no line of");
    assert_refused("#[teller-load before]\n", UV_EINVAL, "has no place here");
    assert_refused("#[teller-load log 1]\n#[teller-load log 1]\n", UV_EINVAL,
        "line 2: a second log");
    assert_refused("#[teller-load log 2]\n", UV_EINVAL, "no place");
    assert_refused("#[teller-load log 1]\n#[teller-load interval from=0]\n",
        UV_EINVAL, "line 2: an interval that is not whole");
    assert_refused("#[teller-load log 1]\n#[teller-load result mode=echo]\n",
        UV_EINVAL, "line 2: a result that is not whole");
    assert_refused("#[teller-load log 1]\n#[teller-load more]\n", UV_EINVAL,
        "line 2: a line of a version");
}

static int tear_down(void **state)
{
    (void)state;
    (void)remove(path); /* where all was skipped it is not there */
    (void)remove(other_path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_zlib_it_is_refused_in_plain_words),
        cmocka_unit_test(a_folder_that_is_not_there_is_named),
        cmocka_unit_test(a_log_that_only_closes_is_empty),
        cmocka_unit_test(all_of_a_result_comes_back),
        cmocka_unit_test(two_logs_are_added_exactly),
        cmocka_unit_test(settings_come_back_and_sizes_only_where_they_are_alike),
        cmocka_unit_test(every_cut_is_found_out),
        cmocka_unit_test(a_missing_line_is_found_out),
        cmocka_unit_test(a_log_from_before_there_was_thinking_is_read),
        cmocka_unit_test(nothing_is_read_beyond_its_room),
        cmocka_unit_test(a_log_of_others_is_read),
        cmocka_unit_test(wrong_lines_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
