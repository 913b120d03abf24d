/* SPDX-License-Identifier: MIT */
/* A token bucket, with a clock of the test's own. */
#include "support.h"

#include "core/bucket.h"

#define SECOND 1000000000u
#define NOW ((uint64_t)1000 * SECOND)

enum { THREADS = 4, EACH = 50000 };

static struct tlr_bucket bucket;

/* How many there are at once. */
static unsigned take_all(uint64_t now)
{
    unsigned taken = 0;

    while (tlr_bucket_take(&bucket, now) == 0) {
        taken++;
    }
    return taken;
}

static void without_a_rate_there_is_always_one(void **state)
{
    unsigned i;

    (void)state;
    tlr_bucket_init(&bucket, 0, 1);
    for (i = 0; i < 100000; i++) {
        assert_int_equal(tlr_bucket_take(&bucket, NOW), 0);
    }
    tlr_bucket_give_back(&bucket);
}

static void at_first_it_is_full(void **state)
{
    (void)state;
    tlr_bucket_init(&bucket, 1000, 0);
    assert_int_equal(take_all(NOW), 1000);
    tlr_bucket_init(&bucket, 1000, 200);
    assert_int_equal(take_all(NOW), 200);
}

static void it_fills_at_the_rate(void **state)
{
    (void)state;
    tlr_bucket_init(&bucket, 1000, 200);
    (void)take_all(NOW);
    assert_int_equal(take_all(NOW + SECOND / 1000 - 1), 0);
    assert_int_equal(take_all(NOW + SECOND / 1000), 1);
    assert_int_equal(take_all(NOW + SECOND / 10), 99);
    assert_int_equal(take_all(NOW + 100 * (uint64_t)SECOND), 200);
}

static void it_says_how_long_the_next_one_takes(void **state)
{
    (void)state;
    tlr_bucket_init(&bucket, 100, 50);
    (void)take_all(NOW);
    assert_int_equal(tlr_bucket_take(&bucket, NOW), SECOND / 100);
    assert_int_equal(tlr_bucket_take(&bucket, NOW + SECOND / 400),
                     SECOND / 100 - SECOND / 400);
}

static void one_that_was_given_back_is_there(void **state)
{
    (void)state;
    tlr_bucket_init(&bucket, 100, 50);
    (void)take_all(NOW);
    tlr_bucket_give_back(&bucket);
    tlr_bucket_give_back(&bucket);
    assert_int_equal(take_all(NOW), 2);
}

/* Timers come late: who looks each 16 ms is to get what was asked for. */
static void a_small_bucket_loses_nothing_to_late_timers(void **state)
{
    static const unsigned rates[] = {10, 19, 20, 100, 1000, 50000, 1000000};
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rates); i++) {
        uint64_t taken = 0;
        uint64_t at;

        tlr_bucket_init(&bucket, rates[i], 1);
        (void)take_all(NOW);
        for (at = 1; at <= 10000 / 16; at++) {
            taken += take_all(NOW + at * 16000000);
        }
        assert_in_range(taken, 9 * (uint64_t)rates[i],
                        10 * (uint64_t)rates[i]);
    }
}

static void the_largest_rate_is_one(void **state)
{
    (void)state;
    tlr_bucket_init(&bucket, UINT32_MAX, UINT32_MAX);
    assert_int_equal(tlr_bucket_take(&bucket, NOW), 0);
    tlr_bucket_init(&bucket, 1, UINT32_MAX);
    assert_int_equal(tlr_bucket_take(&bucket, NOW), 0);
    assert_int_equal(tlr_bucket_take(&bucket, NOW), 0);
}

static atomic_uint taken_by_all;

static void take_many(void *arg)
{
    unsigned i;

    (void)arg;
    for (i = 0; i < EACH; i++) {
        if (tlr_bucket_take(&bucket, NOW) == 0) {
            atomic_fetch_add(&taken_by_all, 1);
        }
    }
}

static void many_threads_take_no_more_than_there_are(void **state)
{
    uv_thread_t threads[THREADS];
    unsigned i;

    (void)state;
    tlr_bucket_init(&bucket, 100000, 0);
    atomic_store(&taken_by_all, 0);
    for (i = 0; i < THREADS; i++) {
        assert_int_equal(uv_thread_create(&threads[i], take_many, NULL), 0);
    }
    for (i = 0; i < THREADS; i++) {
        assert_int_equal(uv_thread_join(&threads[i]), 0);
    }
    assert_int_equal(atomic_load(&taken_by_all), 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_rate_there_is_always_one),
        cmocka_unit_test(at_first_it_is_full),
        cmocka_unit_test(it_fills_at_the_rate),
        cmocka_unit_test(it_says_how_long_the_next_one_takes),
        cmocka_unit_test(one_that_was_given_back_is_there),
        cmocka_unit_test(a_small_bucket_loses_nothing_to_late_timers),
        cmocka_unit_test(the_largest_rate_is_one),
        cmocka_unit_test(many_threads_take_no_more_than_there_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
