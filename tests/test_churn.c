/* SPDX-License-Identifier: MIT */
/* Connections come and go, and nothing of them stays. */
#include "support.h"

#include <stdlib.h>

#include "core/handoff.h"

/* A loop's first stream opens a spare descriptor of libuv's. */
static void use_every_loop(struct fixture *f)
{
    unsigned worker = 0;

    while (worker < tlr_server_workers(f->server)) {
        struct client client;

        client_connect(f, &client);
        client_send(&client, "x", 1);
        client_wait(f, &client, 1);
        client_close(f, &client);
        wait_open(f, 0);
        worker += counters_of(f, worker).accepted > 0;
    }
}

static void ten_thousand_connections_leave_no_descriptor(void **state)
{
    struct fixture *f = *state;
    const int rounds = (int)rounds_here(100);
    struct client *clients = calloc(100, sizeof(*clients));
    size_t before;
    int round;
    int i;

    assert_non_null(clients);
    start_server(f);
    use_every_loop(f);
    before = count_descriptors();
    for (round = 0; round < rounds; round++) {
        for (i = 0; i < 100; i++) {
            client_dial(f, &clients[i]);
        }
        wait_open(f, 100);
        for (i = 0; i < 100; i++) {
            client_hang_up(&clients[i]);
        }
        for (i = 0; i < 100; i++) {
            client_close(f, &clients[i]);
        }
        wait_open(f, 0);
    }
    assert_int_equal(count_descriptors(), before);
    assert_in_range(counters_of(f, TLR_ALL_WORKERS).accepted,
                    (uintmax_t)rounds * 100, (uintmax_t)rounds * 100 + 100);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).refused, 0);
    free(clients);
}

static void and_over_a_listener_for_each_loop(void **state)
{
    if (!tlr_handoff_has_reuseport()) {
        skip();
    }
    ten_thousand_connections_leave_no_descriptor(state);
}

static struct mode on_host = {TLR_LOOPS_HOST, TLR_BALANCE_LEAST};
static struct mode two = {2, TLR_BALANCE_LEAST};
static struct mode reuseport = {2, TLR_BALANCE_REUSEPORT};

#define TEST_AS(function, mode) \
    cmocka_unit_test_prestate_setup_teardown(function, setup, teardown, mode)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_AS(ten_thousand_connections_leave_no_descriptor, &on_host),
        TEST_AS(ten_thousand_connections_leave_no_descriptor, &two),
        TEST_AS(and_over_a_listener_for_each_loop, &reuseport),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
