/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "core/buffers.h"

enum { BYTES = 1000, MANY = 100 };

static struct memory memory;
static struct tlr_buffers buffers;

static int set_up(void **state)
{
    (void)state;
    memory_init(&memory);
    assert_int_equal(tlr_buffers_init(&buffers, &memory.allocator, BYTES), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tlr_buffers_close(&buffers);
    assert_int_equal(atomic_load(&memory.live), 0);
    return 0;
}

static void lending_and_returning_allocates_nothing(void **state)
{
    unsigned before = atomic_load(&memory.allocations);
    int i;

    (void)state;
    for (i = 0; i < MANY; i++) {
        assert_non_null(tlr_buffers_lend(&buffers));
        tlr_buffers_return_lent(&buffers);
    }
    assert_int_equal(atomic_load(&memory.allocations), before);
}

static void the_lent_buffer_may_be_shared_by_any_part_of_it(void **state)
{
    static const size_t offsets[] = {0, 1, BYTES / 2, BYTES - 1};
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(offsets); i++) {
        struct tlr_buffer *lent = tlr_buffers_lend(&buffers);

        assert_ptr_equal(tlr_buffers_share(&buffers, lent->data + offsets[i]),
                         lent);
        tlr_buffers_return_lent(&buffers);
        tlr_buffers_put(&buffers, lent);
    }
}

static void memory_of_others_is_not_shared(void **state)
{
    struct tlr_buffer *lent = tlr_buffers_lend(&buffers);
    char other[BYTES];

    (void)state;
    assert_null(tlr_buffers_share(&buffers, other));
    assert_null(tlr_buffers_share(&buffers, lent->data + BYTES));
    assert_null(tlr_buffers_share(&buffers, (char *)lent));
    assert_null(tlr_buffers_share(&buffers, NULL));
    tlr_buffers_return_lent(&buffers);
    assert_null(tlr_buffers_share(&buffers, lent->data)); /* not lent */
}

/* A message for several slow peers: the last one gives its memory back. */
static void a_shared_buffer_stays_until_its_last_user_is_done(void **state)
{
    struct tlr_buffer *lent = tlr_buffers_lend(&buffers);
    struct tlr_buffer *other;

    (void)state;
    assert_ptr_equal(tlr_buffers_share(&buffers, lent->data), lent);
    assert_ptr_equal(tlr_buffers_share(&buffers, lent->data), lent);
    tlr_buffers_put(&buffers, lent);
    tlr_buffers_return_lent(&buffers);
    other = tlr_buffers_lend(&buffers);
    assert_ptr_not_equal(other, lent);
    tlr_buffers_return_lent(&buffers);
    tlr_buffers_put(&buffers, lent);
    assert_ptr_equal(tlr_buffers_lend(&buffers), lent);
    tlr_buffers_return_lent(&buffers);
}

/* When a crowd has gone, so has most of the memory it needed. */
static void only_some_are_kept(void **state)
{
    struct tlr_buffer *taken[MANY];
    int i;

    (void)state;
    for (i = 0; i < MANY; i++) {
        taken[i] = tlr_buffers_lend(&buffers);
        assert_non_null(tlr_buffers_share(&buffers, taken[i]->data));
        tlr_buffers_return_lent(&buffers);
    }
    assert_int_equal(atomic_load(&memory.live), MANY);
    for (i = 0; i < MANY; i++) {
        tlr_buffers_put(&buffers, taken[i]);
    }
    assert_in_range(atomic_load(&memory.live), 1, 16);
}

static void without_memory_nothing_is_lent(void **state)
{
    struct tlr_buffer *only = tlr_buffers_lend(&buffers);

    (void)state;
    assert_ptr_equal(tlr_buffers_share(&buffers, only->data), only);
    tlr_buffers_return_lent(&buffers);
    memory.fail_from = atomic_load(&memory.allocations) + 1;
    memory.fail_to = memory.fail_from;
    assert_null(tlr_buffers_lend(&buffers));
    tlr_buffers_return_lent(&buffers);
    tlr_buffers_put(&buffers, only);
    assert_ptr_equal(tlr_buffers_lend(&buffers), only);
    tlr_buffers_return_lent(&buffers);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lending_and_returning_allocates_nothing),
        TEST(the_lent_buffer_may_be_shared_by_any_part_of_it),
        TEST(memory_of_others_is_not_shared),
        TEST(a_shared_buffer_stays_until_its_last_user_is_done),
        TEST(only_some_are_kept),
        TEST(without_memory_nothing_is_lent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
