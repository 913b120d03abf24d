/* SPDX-License-Identifier: MIT */
/* One worker with a thread of its own, and no server around it. */
#include "support.h"

#include <string.h>

#include "core/handoff.h"
#include "core/worker.h"
#include "echo/echo.h"

static struct tlr_config config;
static struct tlr_worker worker;
static uv_os_sock_t listener;
static atomic_uint closed;
static atomic_uint idle;
static atomic_uint unreserved;
static atomic_uint drained;

static bool on_reserve(struct tlr_worker *asking)
{
    (void)asking;
    return true;
}

static void on_unreserve(struct tlr_worker *asking)
{
    assert_ptr_equal(asking, &worker);
    atomic_fetch_add(&unreserved, 1);
}

static void on_closed(struct tlr_worker *asking)
{
    assert_ptr_equal(asking, &worker);
    atomic_fetch_add(&closed, 1);
}

/* The only one there is: so all are. */
static void on_idle(struct tlr_worker *asking)
{
    atomic_fetch_add(&idle, 1);
    tlr_worker_order(asking, TLR_ORDER_END);
}

static const struct tlr_worker_callbacks callbacks = {
    .idle = on_idle,
    .reserve = on_reserve,
    .unreserve = on_unreserve,
    .closed = on_closed,
};

static void on_drain(struct tlr_conn *conn)
{
    (void)conn;
    atomic_fetch_add(&drained, 1);
}

static int set_up(void **state)
{
    struct fixture *f;
    struct sockaddr_in any;

    (void)setup(state);
    f = *state;
    memset(&worker, 0, sizeof(worker));
    memset(&config, 0, sizeof(config));
    tlr_echo_handler(&config.handler);
    config.handler.on_drain = on_drain;
    config.allocator = f->memory.allocator;
    config.read_buffer = 4096;
    atomic_store(&closed, 0);
    atomic_store(&idle, 0);
    atomic_store(&unreserved, 0);
    atomic_store(&drained, 0);
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &any), 0);
    assert_int_equal(
        tlr_handoff_listen((struct sockaddr *)&any, 0, 0, &listener), 0);
    assert_int_equal(tlr_handoff_name(listener, &f->address), 0);
    config.mailbox = 100;
    assert_int_equal(tlr_worker_create(&worker, 5, TLR_WORKER_OWN, &config,
                                       &callbacks, NULL),
                     0);
    worker.cpu = TLR_ANY_CPU;
    assert_int_equal(tlr_worker_init(&worker, NULL), 0);
    return 0;
}

static int tear_down(void **state)
{
    tlr_worker_destroy(&worker);
    tlr_handoff_close(listener);
    assert_int_equal(atomic_load(&closed), 1);
    return teardown(state);
}

/* Connects a client and gives its other end to the worker. */
static void give(struct fixture *f, struct client *client)
{
    struct sockaddr_storage peer;
    uv_os_sock_t sock;

    client_connect(f, client);
    assert_int_equal(tlr_handoff_accept(listener, &sock, &peer), 0);
    assert_true(tlr_worker_reserve(&worker, 0));
    tlr_worker_give(&worker, sock, NULL);
}

static struct tlr_counters counters(void)
{
    struct tlr_counters now;

    memset(&now, 0, sizeof(now));
    tlr_worker_counters(&worker, &now);
    return now;
}

static bool has_closed(void *data)
{
    (void)data;
    return atomic_load(&closed) == 1;
}

static void what_is_given_is_served(void **state)
{
    struct fixture *f = *state;
    struct client client;

    assert_int_equal(tlr_worker_start(&worker), 0);
    give(f, &client);
    client_exchange(f, &client);
    assert_int_equal(counters().accepted, 1);
    assert_int_equal(counters().open, 1);
    assert_int_equal(atomic_load(&worker.load), 1);
    client_close(f, &client);
    tlr_worker_end(&worker, true);
    assert_int_equal(counters().open, 0);
    assert_int_equal(counters().reads, 1);
    assert_int_equal(counters().writes, 1);
    assert_int_equal(atomic_load(&worker.load), 0);
    assert_int_equal(atomic_load(&unreserved), 1);
}

static void what_waits_for_the_thread_is_served_by_it(void **state)
{
    struct fixture *f = *state;
    struct client client;

    give(f, &client);
    assert_int_equal(atomic_load(&worker.load), 1);
    assert_int_equal(tlr_worker_start(&worker), 0);
    client_exchange(f, &client);
    tlr_worker_end(&worker, true);
    assert_int_equal(counters().closed[TLR_CLOSED_BY_STOP], 1);
    client_close(f, &client);
}

static void one_that_never_started_refuses_what_it_was_given(void **state)
{
    struct fixture *f = *state;
    struct client client;

    give(f, &client);
    tlr_worker_end(&worker, false);
    assert_int_equal(atomic_load(&worker.load), 0);
    assert_int_equal(atomic_load(&unreserved), 1);
    client_wait_over(f, &client);
    client_close(f, &client);
}

static void what_comes_too_late_is_refused(void **state)
{
    struct fixture *f = *state;
    struct client client;

    assert_int_equal(tlr_worker_start(&worker), 0);
    tlr_worker_end(&worker, true);
    give(f, &client);
    assert_int_equal(atomic_load(&unreserved), 1);
    assert_int_equal(counters().refused, 1);
    assert_int_equal(counters().accepted, 0);
    assert_int_equal(atomic_load(&worker.load), 0);
    client_wait_over(f, &client);
    client_close(f, &client);
}

static void between_drain_and_finish_more_may_come(void **state)
{
    struct fixture *f = *state;
    struct client early;
    struct client late;

    assert_int_equal(tlr_worker_start(&worker), 0);
    give(f, &early);
    client_exchange(f, &early);
    tlr_worker_order(&worker, TLR_ORDER_DRAIN);
    client_exchange(f, &early);
    client_close(f, &early);
    run_for(&f->loop, 20);
    assert_int_equal(atomic_load(&closed), 0);
    give(f, &late);
    client_exchange(f, &late);
    assert_int_equal(atomic_load(&drained), 2); /* each was told, once */
    tlr_worker_order(&worker, TLR_ORDER_FINISH);
    run_for(&f->loop, 20);
    assert_int_equal(atomic_load(&closed), 0);
    client_exchange(f, &late);
    client_close(f, &late);
    run_until(&f->loop, has_closed, NULL);
    tlr_worker_join(&worker);
    assert_int_equal(counters().closed[TLR_CLOSED_BY_PEER], 2);
}

static void all_orders_at_once_end_it(void **state)
{
    struct fixture *f = *state;
    struct client client;

    give(f, &client);
    tlr_worker_order(&worker, TLR_ORDER_RESUME);
    tlr_worker_order(&worker, TLR_ORDER_DRAIN);
    tlr_worker_order(&worker, TLR_ORDER_FINISH);
    tlr_worker_order(&worker, TLR_ORDER_STOP);
    assert_int_equal(tlr_worker_start(&worker), 0);
    run_until(&f->loop, has_closed, NULL);
    tlr_worker_join(&worker);
    assert_int_equal(counters().accepted, 1);
    assert_int_equal(counters().closed[TLR_CLOSED_BY_STOP], 1);
    assert_int_equal(atomic_load(&drained), 1);
    client_close(f, &client);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_given_is_served),
        TEST(what_waits_for_the_thread_is_served_by_it),
        TEST(one_that_never_started_refuses_what_it_was_given),
        TEST(what_comes_too_late_is_refused),
        TEST(between_drain_and_finish_more_may_come),
        TEST(all_orders_at_once_end_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
