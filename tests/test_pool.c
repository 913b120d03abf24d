/* SPDX-License-Identifier: MIT */
/* The pool by itself: room for connections, and whose turn it is. */
#include "support.h"

#include <string.h>

#include "core/pool.h"

enum { LIMIT = 7, THREADS = 4, EACH = 20000 };

static struct memory memory;
static struct tlr_config config;
static struct tlr_pool pool;
static atomic_uint wakes;

static void on_wake(struct tlr_pool *woken)
{
    assert_ptr_equal(woken, &pool);
    atomic_fetch_add(&wakes, 1);
}

static int set_up(void **state)
{
    unsigned i;

    (void)state;
    memory_init(&memory);
    memset(&config, 0, sizeof(config));
    memset(&pool, 0, sizeof(pool));
    config.allocator = memory.allocator;
    atomic_store(&wakes, 0);
    assert_int_equal(
        tlr_pool_init(&pool, 3, TLR_WORKER_OWN, &config, on_wake), 0);
    for (i = 0; i < 3; i++) {
        pool.workers[i].cpu = TLR_ANY_CPU;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tlr_pool_destroy(&pool);
    assert_int_equal(atomic_load(&memory.live), 0);
    return 0;
}

static void without_a_limit_there_is_always_room(void **state)
{
    unsigned i;

    (void)state;
    for (i = 0; i < 1000; i++) {
        assert_true(tlr_pool_reserve(&pool));
    }
    assert_false(tlr_pool_was_full(&pool));
    tlr_pool_unreserve(&pool);
    assert_int_equal(atomic_load(&wakes), 0);
}

static void at_the_limit_there_is_none_until_one_goes(void **state)
{
    unsigned i;

    (void)state;
    pool.limit = LIMIT;
    for (i = 0; i < LIMIT; i++) {
        assert_true(tlr_pool_reserve(&pool));
    }
    assert_false(tlr_pool_was_full(&pool)); /* nobody was denied */
    assert_false(tlr_pool_reserve(&pool));
    assert_int_equal(atomic_load(&wakes), 0);
    tlr_pool_unreserve(&pool);
    assert_int_equal(atomic_load(&wakes), 1);
    assert_true(tlr_pool_was_full(&pool));
    assert_false(tlr_pool_was_full(&pool));
    assert_true(tlr_pool_reserve(&pool));
}

static void nobody_is_woken_who_was_not_denied(void **state)
{
    (void)state;
    pool.limit = LIMIT;
    assert_true(tlr_pool_reserve(&pool));
    tlr_pool_unreserve(&pool);
    assert_int_equal(atomic_load(&wakes), 0);
}

struct taker {
    uv_thread_t thread;
    unsigned got;
};

static atomic_uint held;
static atomic_uint most_held;

static void take_and_give_back(void *arg)
{
    struct taker *taker = arg;
    unsigned i;

    for (i = 0; i < EACH; i++) {
        if (tlr_pool_reserve(&pool)) {
            unsigned now = atomic_fetch_add(&held, 1) + 1;

            if (now > atomic_load(&most_held)) {
                atomic_store(&most_held, now);
            }
            taker->got++;
            atomic_fetch_sub(&held, 1);
            tlr_pool_unreserve(&pool);
        }
    }
}

static void many_threads_never_pass_the_limit(void **state)
{
    struct taker takers[THREADS];
    unsigned got = 0;
    unsigned i;

    (void)state;
    memset(takers, 0, sizeof(takers));
    atomic_store(&held, 0);
    atomic_store(&most_held, 0);
    pool.limit = 2;
    for (i = 0; i < THREADS; i++) {
        assert_int_equal(uv_thread_create(&takers[i].thread,
                                          take_and_give_back, &takers[i]),
                         0);
    }
    for (i = 0; i < THREADS; i++) {
        assert_int_equal(uv_thread_join(&takers[i].thread), 0);
        got += takers[i].got;
    }
    assert_in_range(atomic_load(&most_held), 1, 2);
    assert_in_range(got, 1, THREADS * EACH);
    assert_int_equal(atomic_load(&pool.total), 0);
}

static void without_memory_there_is_no_pool(void **state)
{
    struct tlr_pool other = {0};

    (void)state;
    atomic_store(&memory.fail_to, UINT32_MAX);
    atomic_store(&memory.fail_from, 1);
    assert_int_equal(tlr_pool_init(&other, 3, TLR_WORKER_OWN, &config,
                                   on_wake), UV_ENOMEM);
    atomic_store(&memory.fail_from, 0);
}

static void workers_are_made_and_ended_together(void **state)
{
    size_t descriptors;
    uv_loop_t first; /* brings what libuv opens once for the process */

    (void)state;
    assert_int_equal(uv_loop_init(&first), 0);
    descriptors = count_descriptors();
    config.read_buffer = 1000;
    assert_int_equal(tlr_pool_make(&pool, NULL), 0);
    assert_int_equal(pool.made, 3);
    assert_false(tlr_pool_all_closed(&pool));
    assert_int_equal(tlr_pool_start(&pool), 0);
    assert_int_equal(pool.running, 3);
    tlr_pool_end(&pool);
    assert_true(tlr_pool_all_closed(&pool));
    assert_int_equal(atomic_load(&wakes), 3);
    assert_int_equal(count_descriptors(), descriptors);
    assert_int_equal(uv_loop_close(&first), 0);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_limit_there_is_always_room),
        TEST(at_the_limit_there_is_none_until_one_goes),
        TEST(nobody_is_woken_who_was_not_denied),
        TEST(many_threads_never_pass_the_limit),
        TEST(without_memory_there_is_no_pool),
        TEST(workers_are_made_and_ended_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
