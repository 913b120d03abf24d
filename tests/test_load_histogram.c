/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "load/histogram.h"

enum { VALUES = 20000 };

static struct tlr_load_histogram histogram; /* too large for a stack */
static struct tlr_load_histogram other;
static uint64_t values[VALUES];

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void make_values(void)
{
    /* xorshift (Marsaglia 2003), then spread over all powers of two. */
    uint64_t seed = 88172645463325252u;
    for (size_t i = 0; i < VALUES; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        values[i] = (seed >> 22) >> (seed % 42);
    }
}

static int within_a_thousandth(uint64_t found, uint64_t exact)
{
    return found >= exact && found - exact <= exact / 1000;
}

static void percentiles_are_those_of_the_sorted_values(void **state)
{
    static const double percents[] = {0, 0.01, 1, 10, 25, 50, 75, 90, 99, 99.9,
        99.99, 100};
    (void)state;
    make_values();
    tlr_load_histogram_init(&histogram);
    for (size_t i = 0; i < VALUES; i++) {
        tlr_load_histogram_add(&histogram, values[i]);
    }
    qsort(values, VALUES, sizeof(values[0]), compare);
    for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
        size_t rank = (size_t)(percents[i] * VALUES / 100 + 0.999);
        uint64_t exact = values[rank == 0 ? 0 : rank - 1];
        uint64_t found =
            tlr_load_histogram_percentile(&histogram, percents[i]);
        assert_true(within_a_thousandth(found, exact));
    }
    assert_true(histogram.min == values[0]);
    assert_true(histogram.max == values[VALUES - 1]);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    tlr_load_histogram_init(&histogram);
    for (uint64_t i = 1; i <= 1000; i++) {
        tlr_load_histogram_add(&histogram, i);
    }
    assert_int_equal(tlr_load_histogram_percentile(&histogram, 50), 500);
    assert_int_equal(tlr_load_histogram_percentile(&histogram, 99), 990);
    assert_int_equal(tlr_load_histogram_percentile(&histogram, 99.9), 999);
    assert_int_equal(tlr_load_histogram_percentile(&histogram, 100), 1000);
}

static void every_value_falls_near_itself(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < TLR_LOAD_HISTOGRAM_BITS; bit++) {
        for (int offset = -1; offset <= 1; offset++) {
            uint64_t value = (UINT64_C(1) << bit) + (uint64_t)(int64_t)offset;
            tlr_load_histogram_init(&histogram);
            tlr_load_histogram_add(&histogram, value);
            tlr_load_histogram_add(&histogram, UINT64_C(1) << 42);
            assert_true(within_a_thousandth(
                tlr_load_histogram_percentile(&histogram, 50), value));
        }
    }
}

static void a_value_above_the_range_counts_and_shows_as_the_maximum(
    void **state)
{
    (void)state;
    tlr_load_histogram_init(&histogram);
    tlr_load_histogram_add(&histogram, 5);
    tlr_load_histogram_add(&histogram, UINT64_MAX);
    assert_int_equal(histogram.count, 2);
    assert_int_equal(tlr_load_histogram_percentile(&histogram, 50), 5);
    assert_true(
        tlr_load_histogram_percentile(&histogram, 99) == UINT64_MAX);
}

static void merging_is_as_adding_all_to_one(void **state)
{
    (void)state;
    make_values();
    tlr_load_histogram_init(&histogram);
    tlr_load_histogram_init(&other);
    for (size_t i = 0; i < VALUES; i++) {
        tlr_load_histogram_add(i % 3 == 0 ? &other : &histogram, values[i]);
    }
    tlr_load_histogram_merge(&histogram, &other);
    tlr_load_histogram_init(&other);
    for (size_t i = 0; i < VALUES; i++) {
        tlr_load_histogram_add(&other, values[i]);
    }
    assert_memory_equal(&histogram, &other, sizeof(other));
}

static void an_empty_one_has_only_zeroes_to_tell(void **state)
{
    (void)state;
    tlr_load_histogram_init(&histogram);
    assert_int_equal(tlr_load_histogram_percentile(&histogram, 50), 0);
    tlr_load_histogram_init(&other);
    tlr_load_histogram_merge(&histogram, &other);
    assert_memory_equal(&histogram, &other, sizeof(other));
}

/* Whatever ranges two have, and whatever they were cleared of before. */
static void clearing_and_merging_leave_nothing_behind(void **state)
{
    static const uint64_t ranges[][2] = {{0, 1}, {5, 1 << 20},
        {1 << 10, UINT64_C(1) << 41}, {UINT64_C(1) << 41, UINT64_MAX},
        {2047, 2049}};
    static struct tlr_load_histogram fresh;
    (void)state;
    tlr_load_histogram_init(&histogram);
    tlr_load_histogram_init(&other);
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        for (size_t j = 0; j < sizeof(ranges) / sizeof(ranges[0]); j++) {
            tlr_load_histogram_clear(&histogram);
            tlr_load_histogram_clear(&other);
            tlr_load_histogram_init(&fresh);
            assert_memory_equal(&histogram, &fresh, sizeof(fresh));
            for (int end = 0; end < 2; end++) {
                tlr_load_histogram_add(&histogram, ranges[i][end]);
                tlr_load_histogram_add(&other, ranges[j][end]);
                tlr_load_histogram_add(&fresh, ranges[i][end]);
                tlr_load_histogram_add(&fresh, ranges[j][end]);
            }
            tlr_load_histogram_merge(&histogram, &other);
            assert_memory_equal(&histogram, &fresh, sizeof(fresh));
        }
    }
}

static void the_mean_is_that_of_the_values(void **state)
{
    double sum = 0;
    (void)state;
    make_values();
    tlr_load_histogram_init(&histogram);
    assert_true(tlr_load_histogram_mean(&histogram) == 0);
    for (size_t i = 0; i < VALUES; i++) {
        tlr_load_histogram_add(&histogram, values[i]);
        sum += (double)values[i];
    }
    double mean = tlr_load_histogram_mean(&histogram);
    assert_true(mean > sum / VALUES * 0.999 && mean < sum / VALUES * 1.001);
    tlr_load_histogram_clear(&histogram);
    tlr_load_histogram_add(&histogram, 3);
    tlr_load_histogram_add(&histogram, 0);
    assert_true(tlr_load_histogram_mean(&histogram) == 1.5);
}

static void up_to_counts_whole_slots(void **state)
{
    (void)state;
    tlr_load_histogram_init(&histogram);
    assert_int_equal(tlr_load_histogram_up_to(&histogram, UINT64_MAX), 0);
    for (uint64_t i = 0; i < 2000; i++) {
        tlr_load_histogram_add(&histogram, i);
    }
    assert_int_equal(tlr_load_histogram_up_to(&histogram, 0), 1);
    assert_int_equal(tlr_load_histogram_up_to(&histogram, 999), 1000);
    assert_int_equal(tlr_load_histogram_up_to(&histogram, 1999), 2000);
    tlr_load_histogram_add(&histogram, UINT64_C(1) << 30);
    tlr_load_histogram_add(&histogram, UINT64_MAX);
    assert_int_equal(
        tlr_load_histogram_up_to(&histogram, (UINT64_C(1) << 30) - 1), 2000);
    assert_int_equal(
        tlr_load_histogram_up_to(&histogram, UINT64_C(1) << 31), 2001);
    assert_int_equal(tlr_load_histogram_up_to(&histogram, UINT64_MAX), 2002);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_are_those_of_the_sorted_values),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(every_value_falls_near_itself),
        cmocka_unit_test(
            a_value_above_the_range_counts_and_shows_as_the_maximum),
        cmocka_unit_test(merging_is_as_adding_all_to_one),
        cmocka_unit_test(an_empty_one_has_only_zeroes_to_tell),
        cmocka_unit_test(clearing_and_merging_leave_nothing_behind),
        cmocka_unit_test(the_mean_is_that_of_the_values),
        cmocka_unit_test(up_to_counts_whole_slots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
