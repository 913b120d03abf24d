/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <uv.h>

#include "cli/parse.h"

static void whole_numbers_are_read_within_their_range(void **state)
{
    uint64_t n = 7;
    (void)state;
    assert_int_equal(tlr_cli_parse_number("0", 0, 10, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(tlr_cli_parse_number("0010", 0, 10, &n), 0);
    assert_int_equal(n, 10);
    assert_int_equal(tlr_cli_parse_number("11", 0, 10, &n), UV_ERANGE);
    assert_int_equal(tlr_cli_parse_number("1", 2, 10, &n), UV_ERANGE);
    assert_int_equal(n, 10);
    assert_int_equal(tlr_cli_parse_number(
        "18446744073709551615", 0, UINT64_MAX, &n), 0);
    assert_true(n == UINT64_MAX);
}

static void what_is_no_whole_number_is_refused(void **state)
{
    static const char *const wrong[] = {
        "", " 1", "1 ", "+1", "-1", "0x10", "1.0", "1e3", "one", "1,000"};
    uint64_t n = 7;
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(
            tlr_cli_parse_number(wrong[i], 0, 10, &n), UV_EINVAL);
    }
    assert_int_equal(n, 7);
}

static void a_number_above_64_bits_is_out_of_range_and_not_wrapped(
    void **state)
{
    static const char *const large[] = {"18446744073709551616",
        "18446744073709551620", "99999999999999999999",
        "340282366920938463463374607431768211457"};
    uint64_t n;
    (void)state;
    for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
        assert_int_equal(
            tlr_cli_parse_number(large[i], 0, UINT64_MAX, &n), UV_ERANGE);
    }
    assert_int_equal(tlr_cli_parse_number(
        "99999999999999999999x", 0, UINT64_MAX, &n), UV_EINVAL);
}

static void sizes_take_binary_suffixes(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } sizes[] = {{"64", 64}, {"64B", 64}, {"64k", 65536}, {"64K", 65536},
        {"64KiB", 65536}, {"1M", 1048576}, {"1MiB", 1048576},
        {"3G", UINT64_C(3221225472)}, {"3GiB", UINT64_C(3221225472)},
        {"17179869183G", UINT64_C(17179869183) << 30}};
    uint64_t n;
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_int_equal(
            tlr_cli_parse_size(sizes[i].text, 0, UINT64_MAX, &n), 0);
        assert_true(n == sizes[i].bytes);
    }
}

static void sizes_refuse_other_suffixes_and_overflow(void **state)
{
    static const char *const wrong[] = {
        "", "k", "1kB", "1 k", "1.5k", "1kk", "1T", "-1k", "1KIB"};
    uint64_t n;
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(
            tlr_cli_parse_size(wrong[i], 0, UINT64_MAX, &n), UV_EINVAL);
    }
    assert_int_equal(
        tlr_cli_parse_size("17179869184G", 0, UINT64_MAX, &n), UV_ERANGE);
    assert_int_equal(tlr_cli_parse_size("1M", 0, 1048575, &n), UV_ERANGE);
}

static void times_are_seconds_unless_a_unit_says_otherwise(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } times[] = {{"0", 0}, {"5", 5000}, {"2.5", 2500}, {"2s", 2000},
        {"500ms", 500}, {"1m", 60000}, {"1.5m", 90000}, {"1h", 3600000},
        {"0.001", 1}, {"0.0001", 1}, {"0.0010000001", 2}, {"0.0000000001", 1},
        {"0.25s", 250}, {"1.999999s", 2000}, {"0.000", 0}};
    uint64_t n;
    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        assert_int_equal(
            tlr_cli_parse_seconds(times[i].text, 0, UINT64_MAX, &n), 0);
        assert_int_equal(n, times[i].ms);
    }
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const wrong[] = {
        "", ".5", "5.", "1,5", "1 s", "s", "-1", "1us", "1d", "nan", "inf"};
    uint64_t n;
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(
            tlr_cli_parse_seconds(wrong[i], 0, UINT64_MAX, &n), UV_EINVAL);
    }
    assert_int_equal(tlr_cli_parse_seconds(
        "18446744073709551615", 0, UINT64_MAX, &n), UV_ERANGE);
    assert_int_equal(tlr_cli_parse_seconds("2", 0, 1999, &n), UV_ERANGE);
    assert_int_equal(tlr_cli_parse_seconds("0", 1, 1999, &n), UV_ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers_are_read_within_their_range),
        cmocka_unit_test(what_is_no_whole_number_is_refused),
        cmocka_unit_test(
            a_number_above_64_bits_is_out_of_range_and_not_wrapped),
        cmocka_unit_test(sizes_take_binary_suffixes),
        cmocka_unit_test(sizes_refuse_other_suffixes_and_overflow),
        cmocka_unit_test(times_are_seconds_unless_a_unit_says_otherwise),
        cmocka_unit_test(what_is_no_time_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
