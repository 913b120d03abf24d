/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <uv.h>

#include "load/sizes.h"

enum { MANY = 200000 };

static struct tlr_load_sizes sizes;

static void a_number_is_the_size_of_all(void **state)
{
    (void)state;
    assert_int_equal(tlr_load_sizes_parse("64", &sizes), 0);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(tlr_load_sizes_of(&sizes, i % 7, i), 64);
    }
    assert_int_equal(tlr_load_sizes_largest(&sizes), 64);
    assert_true(tlr_load_sizes_mean(&sizes) == 64);
}

static void a_range_is_even_and_has_both_its_ends(void **state)
{
    unsigned counts[11] = {0};
    (void)state;
    assert_int_equal(tlr_load_sizes_parse("10..20", &sizes), 0);
    for (uint32_t i = 0; i < MANY; i++) {
        uint64_t size = tlr_load_sizes_of(&sizes, i % 100, i / 100);
        assert_in_range(size, 10, 20);
        counts[size - 10]++;
    }
    for (unsigned i = 0; i < 11; i++) {
        assert_in_range(counts[i], MANY / 11 * 0.95, MANY / 11 * 1.05);
    }
    assert_true(tlr_load_sizes_mean(&sizes) == 15);
}

static void a_table_has_its_weights_and_its_mean(void **state)
{
    unsigned small = 0;
    unsigned middle = 0;
    unsigned large = 0;
    double sum = 0;
    (void)state;
    assert_int_equal(tlr_load_sizes_parse("64=70,1k..4k=25,1M=5", &sizes), 0);
    for (uint32_t i = 0; i < MANY; i++) {
        uint64_t size = tlr_load_sizes_of(&sizes, 3, i);
        small += size == 64;
        middle += size >= 1024 && size <= 4096;
        large += size == 1 << 20;
        sum += (double)size;
    }
    assert_int_equal(small + middle + large, MANY);
    assert_in_range(small, MANY * 0.69, MANY * 0.71);
    assert_in_range(middle, MANY * 0.24, MANY * 0.26);
    assert_in_range(large, MANY * 0.048, MANY * 0.052);
    assert_in_range(sum / MANY, tlr_load_sizes_mean(&sizes) * 0.96,
        tlr_load_sizes_mean(&sizes) * 1.04);
    assert_int_equal(tlr_load_sizes_largest(&sizes), 1 << 20);
}

static void without_weights_all_rows_are_alike(void **state)
{
    unsigned ones = 0;
    (void)state;
    assert_int_equal(tlr_load_sizes_parse("1,2,3=2", &sizes), 0);
    for (uint32_t i = 0; i < MANY; i++) {
        ones += tlr_load_sizes_of(&sizes, 0, i) == 1;
    }
    assert_in_range(ones, MANY * 0.24, MANY * 0.26);
}

static void two_runs_send_the_same_and_two_connections_do_not(void **state)
{
    unsigned alike = 0;
    (void)state;
    assert_int_equal(tlr_load_sizes_parse("1..1000", &sizes), 0);
    for (uint32_t i = 0; i < 1000; i++) {
        uint64_t size = tlr_load_sizes_of(&sizes, 1, i);
        assert_true(size == tlr_load_sizes_of(&sizes, 1, i));
        alike += size == tlr_load_sizes_of(&sizes, 2, i);
    }
    assert_in_range(alike, 0, 10);
}

static void what_is_no_size_is_refused(void **state)
{
    static const char *const wrong[] = {"", ",", "0", "64,", ",64", "x", "-1",
        "64=", "64=0", "64=x", "64=1=1", "=1", "1..", "..1", "1.2", "1...2",
        "4..3", "1..2..3", "0..4", "64 ", "1 ..2", "2000000000000",
        "18446744073709551616", "1..18446744073709551615", "1=1000000001",
        "111111111111111111111111111111111111111111111"};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (tlr_load_sizes_parse(wrong[i], &sizes) != UV_EINVAL) {
            fail_msg("\"%s\" is taken for sizes", wrong[i]);
        }
    }
}

static void what_is_written_of_sizes_is_what_is_read(void **state)
{
    static const char *const texts[][2] = {{"16k", "16384"},
        {"1..4k", "1..4096"}, {"64=99,16k", "64=99,16384=1"},
        {"5=5", "5"}, {"1..2=3,4..4,1k", "1..2=3,4=1,1024=1"}};
    char text[TLR_LOAD_SIZES_TEXT];
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(tlr_load_sizes_parse(texts[i][0], &sizes), 0);
        assert_string_equal(
            tlr_load_sizes_format(&sizes, text), texts[i][1]);
        assert_int_equal(tlr_load_sizes_parse(text, &sizes), 0);
        assert_string_equal(
            tlr_load_sizes_format(&sizes, text), texts[i][1]);
    }
    /* The longest one has room. */
    for (size_t i = 0; i < TLR_LOAD_SIZES_MOST; i++) {
        sizes.rows[i].low = (UINT64_C(1) << 40) - 1;
        sizes.rows[i].high = UINT64_C(1) << 40;
        sizes.rows[i].weight = (i + 1) * UINT64_C(1000000000);
    }
    sizes.count = TLR_LOAD_SIZES_MOST;
    struct tlr_load_sizes wanted = sizes;
    assert_int_equal(tlr_load_sizes_parse(
                         tlr_load_sizes_format(&sizes, text), &sizes),
        0);
    assert_memory_equal(&sizes, &wanted, sizeof(sizes));
}

static void a_table_has_up_to_64_rows(void **state)
{
    char text[2 * 65 + 1];
    (void)state;
    for (unsigned i = 0; i < 65; i++) {
        text[2 * i] = '7';
        text[2 * i + 1] = ',';
    }
    text[2 * 64 - 1] = '\0';
    assert_int_equal(tlr_load_sizes_parse(text, &sizes), 0);
    assert_int_equal(sizes.count, 64);
    text[2 * 64 - 1] = ',';
    text[2 * 65 - 1] = '\0';
    assert_int_equal(tlr_load_sizes_parse(text, &sizes), UV_EINVAL);
}

static void the_largest_sizes_and_weights_are_no_overflow(void **state)
{
    (void)state;
    assert_int_equal(tlr_load_sizes_parse(
        "1..1024G=1000000000,1=1000000000", &sizes), 0);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_in_range(tlr_load_sizes_of(&sizes, 1048575, UINT64_MAX - i), 1,
            UINT64_C(1) << 40);
    }
    assert_true(tlr_load_sizes_largest(&sizes) == UINT64_C(1) << 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_the_size_of_all),
        cmocka_unit_test(a_range_is_even_and_has_both_its_ends),
        cmocka_unit_test(a_table_has_its_weights_and_its_mean),
        cmocka_unit_test(without_weights_all_rows_are_alike),
        cmocka_unit_test(two_runs_send_the_same_and_two_connections_do_not),
        cmocka_unit_test(what_is_no_size_is_refused),
        cmocka_unit_test(what_is_written_of_sizes_is_what_is_read),
        cmocka_unit_test(a_table_has_up_to_64_rows),
        cmocka_unit_test(the_largest_sizes_and_weights_are_no_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
