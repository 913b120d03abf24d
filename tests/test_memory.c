/* SPDX-License-Identifier: MIT */
/*
 * Memory runs out: the n-th allocation fails, for every n, or all of them do
 * for a while. It costs the connection at hand and no other, nothing hangs,
 * nothing is left, and it heals by itself.
 */
#include "support.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "echo/echo.h"

#define MIB (1024 * 1024)

static void fail_from(struct fixture *f, unsigned from, unsigned to)
{
    f->memory.fail_to = to;
    f->memory.fail_from = from;
}

/* ---- the n-th allocation ----------------------------------------------- */

/* Listens twice and starts; 0 or UV_ENOMEM. Destroys it when that fails. */
static int try_start(struct fixture *f)
{
    struct sockaddr_in any;
    int err = tlr_server_create(&f->server, &f->loop, &f->options);
    int i;

    if (err != 0) {
        f->server = NULL;
        return err;
    }
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &any), 0);
    for (i = 0; i < 2 && err == 0; i++) {
        err = tlr_server_listen(f->server, (struct sockaddr *)&any, 0);
    }
    if (err == 0) {
        err = tlr_server_start(f->server);
    }
    if (err == 0) {
        f->started = true;
        return tlr_server_address(f->server, 0, &f->address);
    }
    tlr_server_destroy(f->server);
    f->server = NULL;
    return err;
}

static bool is_over(void *data)
{
    const struct client *client = data;

    return client->received == client->wanted || client->ended ||
           client->error != 0;
}

/* Connected, or refused before it was noticed that it was. */
static bool is_answered(void *data)
{
    const struct client *client = data;

    return client->connected || client->error != 0;
}

/* Each gets all that it is owed, or its connection is closed. */
static unsigned serve(struct fixture *f, struct client *clients, unsigned count)
{
    unsigned served = 0;
    unsigned i;

    for (i = 0; i < count; i++) {
        client_dial(f, &clients[i]);
        clients[i].checking = true;
    }
    for (i = 0; i < count; i++) {
        run_until(&f->loop, is_answered, &clients[i]);
        clients[i].wanted = 300000;
        if (clients[i].error == 0) {
            client_send_pattern(&clients[i], 0, 300000);
        }
    }
    for (i = 0; i < count; i++) {
        run_until(&f->loop, is_over, &clients[i]);
        assert_false(clients[i].wrong);
        served += clients[i].received == clients[i].wanted;
    }
    for (i = 0; i < count; i++) {
        client_close(f, &clients[i]);
    }
    return served;
}

static void the_nth_allocation_fails_for_every_n(void **state)
{
    const struct mode *mode = *state;
    struct client clients[6];
    unsigned failed_starts = 0;
    unsigned lost = 0;
    unsigned n;
    bool reached;

    for (n = 1, reached = true; reached; n++) {
        void *inner_state = (void *)mode;
        struct fixture *f;
        unsigned served;

        assert_int_equal(setup(&inner_state), 0);
        f = inner_state;
        fail_from(f, n, n);
        if (try_start(f) != 0) {
            failed_starts++;
            assert_int_equal(atomic_load(&f->memory.allocations), n);
            (void)uv_run(&f->loop, UV_RUN_DEFAULT);
        } else {
            served = serve(f, clients, COUNT(clients));
            wait_open(f, 0);
            /* It costs one connection at most; all others are whole. */
            served += serve(f, clients, COUNT(clients));
            assert_in_range(served, 2 * COUNT(clients) - 1,
                            2 * COUNT(clients));
            lost += 2 * (unsigned)COUNT(clients) - served;
            drain_server(f, 30000);
        }
        reached = atomic_load(&f->memory.allocations) >= n;
        assert_int_equal(teardown(&inner_state), 0);
    }
    /* Both kinds came up, or this proves nothing. */
    assert_in_range(failed_starts, 4, 1000);
    assert_in_range(lost, 6, 1000);
}

static int keep_state(void **state)
{
    (void)state;
    return 0;
}

/* ---- no memory for a while ----------------------------------------------- */

static void new_connections_are_refused_meanwhile(void **state)
{
    struct fixture *f = *state;
    struct client steady;
    struct client refused[5];
    struct client later;
    size_t i;

    start_server(f);
    client_connect_as(f, &steady, CLIENT_CHECKING);
    client_send_pattern(&steady, 0, 1000);
    client_wait(f, &steady, 1000);
    fail_from(f, 1, UINT32_MAX);
    for (i = 0; i < COUNT(refused); i++) {
        client_dial(f, &refused[i]);
    }
    for (i = 0; i < COUNT(refused); i++) {
        client_wait_over(f, &refused[i]);
        client_close(f, &refused[i]);
    }
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).refused, COUNT(refused));
    client_send_pattern(&steady, 1000, 1000);
    client_wait(f, &steady, 2000);
    assert_false(steady.wrong);
    fail_from(f, 0, 0);
    client_connect(f, &later);
    client_exchange(f, &later);
    client_close(f, &later);
    client_close(f, &steady);
}

/*
 * A worker has one buffer from the start, and the echo of a peer that does not
 * read keeps that.
 */
static void take_the_buffer(struct fixture *f, struct client *lazy)
{
    client_connect_as(f, lazy, CLIENT_PATIENT | CLIENT_CHECKING);
    client_send_pattern(lazy, 0, 16 * MIB);
    client_wait_stalled(f, lazy, 1);
}

static void without_a_buffer_that_connection_ends_alone(void **state)
{
    struct fixture *f = *state;
    struct client lazy;
    struct client unlucky;
    struct client later;

    start_server(f);
    take_the_buffer(f, &lazy);
    client_connect(f, &unlucky);
    wait_open(f, 2);
    fail_from(f, 1, UINT32_MAX);
    client_send(&unlucky, "x", 1);
    client_wait_over(f, &unlucky);
    assert_int_equal(unlucky.received, 0);
    client_close(f, &unlucky);
    fail_from(f, 0, 0);
    client_connect(f, &later);
    client_exchange(f, &later);
    client_close(f, &later);
    /* And the one that had it gets all of its bytes. */
    client_read(&lazy);
    client_half_close(&lazy);
    client_wait_end(f, &lazy);
    assert_int_equal(lazy.received, 16 * MIB);
    assert_false(lazy.wrong);
    client_close(f, &lazy);
}

/* ---- a handler of its own -------------------------------------------------- */

static struct {
    struct tlr_handler echo;
    unsigned opened;
    unsigned without; /* reads that got no buffer */
    char *promise;    /* 8 MiB of the pattern */
    atomic_bool promised;
} own;

/* The first connection is an echo; the others are promised and closed. */
static void promise_and_close(struct tlr_conn *conn)
{
    if (own.opened++ == 0) {
        own.echo.on_open(conn);
        return;
    }
    assert_int_equal(tlr_write(conn, own.promise, 8 * MIB), 0);
    tlr_close(conn);
    atomic_store(&own.promised, true);
}

static bool is_promised(void *unused)
{
    (void)unused;
    return atomic_load(&own.promised);
}

/* What a closed connection still sends is dropped: that takes no memory. */
static void what_was_promised_is_kept_without_memory(void **state)
{
    struct fixture *f = *state;
    struct client lazy;
    struct client promised;
    size_t i;

    own.opened = 0;
    atomic_store(&own.promised, false);
    own.promise = malloc(8 * MIB);
    assert_non_null(own.promise);
    for (i = 0; i < 8 * MIB; i++) {
        own.promise[i] = pattern_at(i);
    }
    tlr_echo_handler(&own.echo);
    f->options.handler.on_open = promise_and_close;
    start_server(f);
    take_the_buffer(f, &lazy);
    client_connect_as(f, &promised, CLIENT_PATIENT | CLIENT_CHECKING);
    run_until(&f->loop, is_promised, NULL);
    fail_from(f, 1, UINT32_MAX);
    client_send(&promised, "late", 4);
    run_for(&f->loop, 50);
    client_read(&promised);
    client_wait_end(f, &promised);
    assert_int_equal(promised.received, 8 * MIB);
    assert_false(promised.wrong);
    client_close(f, &promised);
    fail_from(f, 0, 0);
    client_reset(f, &lazy);
    wait_open(f, 0);
    free(own.promise);
}

static void try_again(struct tlr_conn *conn, ssize_t nread, char *data)
{
    if (nread == UV_ENOBUFS) {
        struct fixture *f = tlr_conn_user(conn);

        own.without++;
        fail_from(f, 0, 0);
        assert_int_equal(tlr_read(conn), 0);
    } else {
        own.echo.on_read(conn, nread, data);
    }
}

static void a_read_without_memory_can_be_tried_again(void **state)
{
    struct fixture *f = *state;
    struct client lazy;
    struct client client;

    own.without = 0;
    tlr_echo_handler(&own.echo);
    f->options.handler.on_read = try_again;
    start_server(f);
    take_the_buffer(f, &lazy);
    client_connect(f, &client);
    wait_open(f, 2);
    fail_from(f, 1, UINT32_MAX);
    client_exchange(f, &client);
    assert_int_equal(own.without, 1);
    client_close(f, &client);
    client_reset(f, &lazy);
}

static struct mode on_host = {TLR_LOOPS_HOST, TLR_BALANCE_LEAST};
static struct mode one = {1, TLR_BALANCE_LEAST};
static struct mode two = {2, TLR_BALANCE_ROUND_ROBIN};

#define EACH(mode)                                                       \
    cmocka_unit_test_prestate_setup_teardown(                            \
        the_nth_allocation_fails_for_every_n, keep_state, keep_state, mode)
#define TEST(function)                                                    \
    cmocka_unit_test_prestate_setup_teardown(function, setup, teardown,   \
                                             &on_host),                   \
        cmocka_unit_test_prestate_setup_teardown(function, setup, teardown, \
                                                 &one)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(&on_host),
        EACH(&two),
        TEST(new_connections_are_refused_meanwhile),
        TEST(without_a_buffer_that_connection_ends_alone),
        TEST(what_was_promised_is_kept_without_memory),
        TEST(a_read_without_memory_can_be_tried_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
