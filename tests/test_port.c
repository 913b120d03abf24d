/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <string.h>

#include "core/list.h"
#include "core/port.h"

struct operation {
    struct tlr_port_entry entry;
    unsigned delivered;
    unsigned again; /* times that it posts itself when delivered */
};

static struct tlr_port port;
static struct operation *order[1024];
static unsigned delivered;
static bool delivering;

static void deliver(struct tlr_port_entry *entry)
{
    struct operation *operation =
        TLR_CONTAINER_OF(entry, struct operation, entry);

    assert_false(delivering);
    delivering = true;
    operation->delivered++;
    order[delivered++ % COUNT(order)] = operation;
    if (operation->again > 0) {
        operation->again--;
        tlr_port_post(&port, entry);
    }
    delivering = false;
}

static int set_up(void **state)
{
    static uv_loop_t loop;

    delivered = 0;
    assert_int_equal(uv_loop_init(&loop), 0);
    tlr_port_init(&port, &loop, deliver);
    *state = &loop;
    return 0;
}

static int tear_down(void **state)
{
    tlr_port_close(&port, NULL);
    (void)uv_run(*state, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(*state), 0);
    return 0;
}

static void what_is_posted_inside_is_delivered_on_leaving(void **state)
{
    struct operation one = {0};
    struct operation two = {0};

    (void)state;
    tlr_port_enter(&port);
    tlr_port_post(&port, &one.entry);
    tlr_port_post(&port, &two.entry);
    assert_int_equal(delivered, 0);
    tlr_port_leave(&port);
    assert_int_equal(delivered, 2);
    assert_ptr_equal(order[0], &one);
    assert_ptr_equal(order[1], &two);
}

static void what_is_posted_twice_is_delivered_once(void **state)
{
    struct operation one = {0};
    struct operation two = {0};

    (void)state;
    tlr_port_enter(&port);
    tlr_port_post(&port, &one.entry);
    tlr_port_post(&port, &two.entry);
    tlr_port_post(&port, &one.entry);
    tlr_port_post(&port, &two.entry);
    tlr_port_leave(&port);
    assert_int_equal(one.delivered, 1);
    assert_int_equal(two.delivered, 1);
}

static void what_is_posted_outside_is_delivered_in_the_next_turn(void **state)
{
    struct operation one = {0};

    tlr_port_post(&port, &one.entry);
    assert_int_equal(one.delivered, 0);
    (void)uv_run(*state, UV_RUN_ONCE);
    assert_int_equal(one.delivered, 1);
    /* And then nothing keeps the loop busy. */
    assert_int_equal(uv_run(*state, UV_RUN_NOWAIT), 0);
    assert_int_equal(one.delivered, 1);
}

static void what_is_delivered_may_be_posted_again(void **state)
{
    struct operation one = {.again = 3};
    struct operation two = {0};

    (void)state;
    tlr_port_enter(&port);
    tlr_port_post(&port, &one.entry);
    tlr_port_post(&port, &two.entry);
    tlr_port_leave(&port);
    assert_int_equal(one.delivered, 4);
    assert_int_equal(two.delivered, 1);
    assert_ptr_equal(order[1], &two); /* nobody is passed by */
}

static void a_row_without_end_gives_the_loop_its_turn(void **state)
{
    struct operation endless = {.again = 2000};
    unsigned first;

    tlr_port_enter(&port);
    tlr_port_post(&port, &endless.entry);
    tlr_port_leave(&port);
    first = endless.delivered;
    assert_in_range(first, 1, 1000);
    (void)uv_run(*state, UV_RUN_ONCE);
    assert_in_range(endless.delivered, first + 1, 2000);
    (void)uv_run(*state, UV_RUN_DEFAULT);
    assert_int_equal(endless.delivered, 2001);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_posted_inside_is_delivered_on_leaving),
        TEST(what_is_posted_twice_is_delivered_once),
        TEST(what_is_posted_outside_is_delivered_in_the_next_turn),
        TEST(what_is_delivered_may_be_posted_again),
        TEST(a_row_without_end_gives_the_loop_its_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
