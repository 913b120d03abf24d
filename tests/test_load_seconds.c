/* SPDX-License-Identifier: MIT */
/* How the intervals of several logs are put together, and what is kept of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "load/base64.h"
#include "load/hdr.h"
#include "load/log_reader.h"
#include "load/seconds.h"
#include "load/shares.h"
#include "load/squeeze.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define BEGIN (UINT64_C(1700000000) * SECOND)

static struct tlr_load_seconds seconds;
static struct tlr_load_interval *intervals;
static size_t count;
/* Too large for a stack. */
static struct tlr_load_histogram histogram;
static uint8_t bytes[TLR_LOAD_HDR_MOST];
static struct tlr_load_hdr_room room;

static void note(size_t log, uint64_t from, uint64_t length, uint64_t times)
{
    struct tlr_load_interval_note one = {.from = from,
        .seconds = length,
        .round_trips = times,
        .bytes_sent = 64 * times + 7,
        .errors = times % 3,
        .open = 10 + log,
        .busy = length / 4,
        .elapsed = length};
    assert_int_equal(
        tlr_load_seconds_note(&seconds, log, BEGIN + from, &one), 0);
}

/* So many values of these nanoseconds. */
static void latencies(size_t log, uint64_t from, uint64_t length,
    uint64_t times, uint64_t value)
{
    tlr_load_histogram_init(&histogram);
    for (uint64_t i = 0; i < times; i++) {
        tlr_load_histogram_add(&histogram, value);
    }
    struct tlr_load_log_line line = {.measure = TLR_LOAD_ROUND_TRIP,
        .histogram = &histogram,
        .packed_size = SIZE_MAX, /* plain is shorter */
        .plain = bytes,
        .plain_size = tlr_load_hdr_encode(&histogram, bytes)};
    assert_int_equal(tlr_load_seconds_histogram(
                         &seconds, log, BEGIN + from, length, &line),
        0);
}

static void put_together(void)
{
    assert_int_equal(tlr_load_seconds_intervals(
                         &seconds, TLR_LOAD_ROUND_TRIP, &intervals, &count),
        0);
}

static void require_order(void)
{
    for (size_t i = 1; i < count; i++) {
        double end = intervals[i - 1].from + intervals[i - 1].seconds;
        assert_true(end <= intervals[i].from + 1e-9);
    }
}

static int tear_down(void **state)
{
    (void)state;
    tlr_load_seconds_free(&seconds);
    free(intervals);
    intervals = NULL;
    return 0;
}

/* ---- tests ---- */

static void what_one_log_says_stays_as_it_is(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 5; i++) {
        note(0, i * 1007 * MS, 1003 * MS, 100 + i);
    }
    put_together();
    assert_int_equal(count, 5);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(intervals[i].round_trips, 100 + i);
        assert_float_equal(intervals[i].from, 1.007 * (double)i, 1e-9);
        assert_float_equal(intervals[i].seconds, 1.003, 1e-9);
        assert_int_equal(intervals[i].open, 10);
        assert_float_equal(intervals[i].busy, 0.25, 1e-6);
    }
}

/* 500 a second each, the second one half a second later; their seconds are a bit
 * longer than that, as those of real runs are. */
static void rates_of_logs_that_begin_apart_are_those_of_both(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 10; i++) {
        note(0, i * 1004 * MS, 1004 * MS, 502);
        note(1, 500 * MS + i * 1004 * MS, 1004 * MS, 502);
    }
    put_together();
    require_order();
    assert_int_equal(count, 11);
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        double rate = (double)intervals[i].round_trips / intervals[i].seconds;
        /* Only both of them from 0.5 s to 10.04 s, of 10.54 s in all. */
        double wanted = i == 0 ? 750 : i == count - 1 ? 580 * 0.5 / 0.54 : 1000;
        assert_float_equal(intervals[i].from, (double)i, 1e-9);
        assert_float_equal(rate, wanted, 4);
        assert_float_equal(intervals[i].busy, 0.25, 1e-6);
        sum += intervals[i].round_trips;
    }
    assert_int_equal(intervals[5].open, 21);
    assert_int_equal(sum, 2 * 10 * 502);
}

static void not_one_count_is_lost_or_doubled(void **state)
{
    uint64_t times = 1;
    uint64_t wanted[3] = {0};
    uint64_t got[3] = {0};
    (void)state;
    for (size_t log = 0; log < 3; log++) {
        uint64_t from = log * 337 * MS;
        for (uint64_t i = 0; i < 50; i++) {
            uint64_t length = (700 + i * 31 % 900) * MS + i;
            note(log, from, length, times);
            wanted[0] += times;
            wanted[1] += 64 * times + 7;
            wanted[2] += times % 3;
            times = times * 13 % 1000003;
            from += length;
        }
    }
    put_together();
    require_order();
    for (size_t i = 0; i < count; i++) {
        got[0] += intervals[i].round_trips;
        got[1] += intervals[i].bytes_sent;
        got[2] += intervals[i].errors;
    }
    assert_memory_equal(got, wanted, sizeof(got));
}

/* Nine tenths of the second log's values lie in the second second. */
static void latencies_weigh_what_of_them_is_in_the_interval(void **state)
{
    (void)state;
    note(0, 0, SECOND, 1000);
    latencies(0, 0, SECOND, 1000, 100000);
    note(1, 900 * MS, SECOND, 1000);
    latencies(1, 900 * MS, SECOND, 1000, 900000);
    put_together();
    assert_int_equal(count, 2);
    /* 50, 75, 90, 99, 99.9, 100 % */
    assert_in_range(intervals[0].latency[2], 100000, 100200);
    assert_in_range(intervals[0].latency[3], 900000, 901000);
    assert_int_equal(intervals[0].latency[5], 900000);
    assert_in_range(intervals[1].latency[0], 900000, 901000);
    assert_int_equal(intervals[1].latency[5], 900000);
}

/* The second log's last one, at whose end all are closed, begins in this second
 * and ends in the next. */
static void what_is_open_is_of_the_last_end_in_the_interval(void **state)
{
    (void)state;
    note(0, 0, SECOND, 1);
    note(1, 0, SECOND / 2, 1);
    note(1, 500 * MS, SECOND, 1);
    for (size_t i = 0; i < 3; i++) {
        seconds.pieces[i].note.open = 10 * i + 3;
    }
    put_together();
    assert_int_equal(count, 2);
    assert_int_equal(intervals[0].open, 3 + 13);
    assert_int_equal(intervals[1].open, 23);
}

static void where_no_log_ran_there_is_no_interval(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 3; i++) {
        note(0, i * SECOND, SECOND, 5);
        note(1, (86400 + i) * SECOND + 250 * MS, SECOND, 5);
    }
    put_together();
    require_order();
    assert_in_range(count, 6, 7);
    assert_float_equal(intervals[3].from, 86400.25, 1e-6);
    assert_float_equal(intervals[3].seconds, 0.75, 1e-6);
}

static void intervals_are_no_shorter_than_the_logs_own(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 3; i++) {
        note(0, i * 60 * SECOND, 60 * SECOND, 600);
        note(1, i * 60 * SECOND, 60 * SECOND, 600);
    }
    put_together();
    assert_int_equal(count, 3);
    assert_int_equal(intervals[1].round_trips, 1200);
    assert_true(intervals[1].seconds == 60);
}

/* A file may say anything. */
static void lengths_that_cannot_be_make_few_intervals(void **state)
{
    static const uint64_t lengths[] = {UINT64_MAX, UINT64_MAX / 2,
        SECOND * 1000000000, 0};
    (void)state;
    for (size_t kind = 0; kind < sizeof(lengths) / sizeof(lengths[0]); kind++) {
        for (uint64_t i = 0; i < 100; i++) {
            note(i % 2, i * SECOND, i == 0 ? lengths[kind] : i, UINT64_MAX);
            note(i % 2, i * SECOND, lengths[kind], 1);
        }
        put_together();
        assert_in_range(count, 1, 3 * 200);
        free(intervals);
        intervals = NULL;
        tlr_load_seconds_free(&seconds);
    }
}

/* Keeps a line of a log, and returns the characters it has. */
static size_t keep(struct tlr_load_log_reader *reader, const char *text)
{
    struct tlr_load_log_line line;
    struct tlr_cli_text complaint = {0};
    char *whole = malloc(strlen(text) + 16);
    assert_non_null(whole);
    size_t length = (size_t)snprintf(
        whole, strlen(text) + 16, "1,1,1,%s", text); /* it fits */
    assert_int_equal(tlr_load_log_reader_line(
                         reader, whole, length, &line, &complaint),
        0);
    assert_int_equal(tlr_load_seconds_histogram(
                         &seconds, 0, line.at, line.seconds, &line),
        0);
    free(whole);
    return length;
}

/* A count of nothing in nine bytes, for each slot but the last: 304 KB that zlib
 * makes 900 bytes of. */
static const char *hollow(void)
{
    size_t size = TLR_LOAD_HDR_HEAD;
    size_t packed = 0;
    tlr_load_histogram_init(&histogram);
    (void)tlr_load_hdr_encode(&histogram, bytes); /* for its head */
    for (size_t i = 0; i + 1 < TLR_LOAD_HISTOGRAM_SLOTS; i++) {
        memcpy(&bytes[size], "\x80\x80\x80\x80\x80\x80\x80\x80\0", 9);
        size += 9;
    }
    bytes[size++] = 2;
    for (int i = 0; i < 4; i++) {
        bytes[4 + i] =
            (uint8_t)((size - TLR_LOAD_HDR_HEAD) >> (24 - 8 * i));
    }
    assert_int_equal(tlr_load_squeeze(bytes, size, room.packed + 8,
                         sizeof(room.packed) - 8, &packed),
        0);
    memcpy(room.packed, "\x1c\x84\x93\x14\0\0", 6);
    room.packed[6] = (uint8_t)(packed >> 8);
    room.packed[7] = (uint8_t)packed;
    tlr_load_base64_encode(room.packed, packed + 8, room.text);
    return room.text;
}

static void a_log_takes_no_more_memory_than_its_text(void **state)
{
    struct tlr_load_log_reader *reader = NULL;
    (void)state;
    if (!tlr_load_squeeze_is_here()) {
        skip();
    }
    assert_int_equal(tlr_load_log_reader_create(&reader), 0);
    size_t length = keep(reader, hollow());
    assert_in_range(length, 1, 4096);
    assert_in_range(seconds.bytes, 1, length);
    /* The same count everywhere: as short in the log, and as long without zlib. */
    tlr_load_histogram_init(&histogram);
    for (size_t i = 0; i < TLR_LOAD_HISTOGRAM_SLOTS; i++) {
        histogram.slots[i] = UINT64_C(1) << 40;
        histogram.count += histogram.slots[i];
    }
    histogram.min = 0;
    histogram.max = (UINT64_C(1) << 42) - 1;
    assert_int_equal(tlr_load_hdr_to_text(&histogram, &room), 0);
    length += keep(reader, room.text);
    assert_in_range(length, 1, 8192);
    assert_in_range(seconds.bytes, 1, length);
    /* And all of it comes back. */
    struct tlr_load_interval_note one = {.seconds = SECOND};
    assert_int_equal(tlr_load_seconds_note(&seconds, 0, SECOND, &one), 0);
    put_together();
    assert_int_equal(count, 1);
    assert_int_equal(intervals[0].latency[5], (UINT64_C(1) << 42) - 1);
    assert_int_equal(intervals[0].latency[0],
        tlr_load_histogram_percentile(&histogram, 50));
    tlr_load_log_reader_destroy(reader);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_teardown(function, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_one_log_says_stays_as_it_is),
        TEST(rates_of_logs_that_begin_apart_are_those_of_both),
        TEST(not_one_count_is_lost_or_doubled),
        TEST(latencies_weigh_what_of_them_is_in_the_interval),
        TEST(what_is_open_is_of_the_last_end_in_the_interval),
        TEST(where_no_log_ran_there_is_no_interval),
        TEST(intervals_are_no_shorter_than_the_logs_own),
        TEST(lengths_that_cannot_be_make_few_intervals),
        TEST(a_log_takes_no_more_memory_than_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
