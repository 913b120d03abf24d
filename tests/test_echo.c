/* SPDX-License-Identifier: MIT */
/*
 * The echo server from end to end, over real sockets, in every way of sharing
 * loops and connections.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/handoff.h"
#include "echo/echo.h"

#define KIB 1024
#define MIB (1024 * 1024)

static void every_byte_comes_back_of_one_byte_pieces(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uint64_t i;

    start_server(f);
    client_connect_as(f, &client, CLIENT_CHECKING);
    assert_int_equal(uv_tcp_nodelay(&client.tcp, 1), 0);
    for (i = 0; i < 500; i++) {
        client_send_pattern(&client, i, 1);
        if (i % 5 == 0) { /* some come alone, some in a row */
            client_wait(f, &client, i + 1);
        }
    }
    client_wait(f, &client, 500);
    assert_false(client.wrong);
    client_close(f, &client);
}

static void a_message_of_a_mebibyte_comes_back(void **state)
{
    struct fixture *f = *state;
    struct client client;
    int i;

    start_server(f);
    client_connect_as(f, &client, CLIENT_CHECKING);
    for (i = 0; i < 3; i++) {
        client_send_pattern(&client, client.received, MIB);
        client_wait(f, &client, (uint64_t)(i + 1) * MIB);
    }
    assert_false(client.wrong);
    client_close(f, &client);
}

static void a_read_buffer_of_one_byte_serves(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.read_buffer = 1;
    start_server(f);
    client_connect_as(f, &client, CLIENT_CHECKING);
    client_send_pattern(&client, 0, 5000);
    client_half_close(&client);
    client_wait_end(f, &client);
    assert_int_equal(client.received, 5000);
    assert_false(client.wrong);
    client_close(f, &client);
}

/* ---- many connections ------------------------------------------------ */

struct crowd {
    struct fixture *f;
    struct client *clients;
    size_t count;
    uint64_t each; /* bytes that each is to get */
};

static void gather(struct crowd *crowd, struct fixture *f, size_t count)
{
    size_t i;

    crowd->f = f;
    crowd->count = count;
    crowd->each = 0;
    crowd->clients = calloc(count, sizeof(*crowd->clients));
    assert_non_null(crowd->clients);
    for (i = 0; i < count; i++) {
        client_dial(f, &crowd->clients[i]);
        crowd->clients[i].checking = true;
        if (i % 100 == 99) {
            run_for(&f->loop, 1); /* the queue of a listener is not endless */
        }
    }
    wait_open(f, count);
}

static void scatter(struct crowd *crowd)
{
    size_t i;

    for (i = 0; i < crowd->count; i++) {
        client_hang_up(&crowd->clients[i]);
    }
    for (i = 0; i < crowd->count; i++) {
        client_close(crowd->f, &crowd->clients[i]);
    }
    free(crowd->clients);
}

static bool all_got_theirs(void *data)
{
    const struct crowd *crowd = data;
    size_t i;

    for (i = 0; i < crowd->count; i++) {
        if (crowd->clients[i].received < crowd->each &&
            crowd->clients[i].error == 0) {
            return false;
        }
    }
    return true;
}

static void a_thousand_connections_are_served(void **state)
{
    struct fixture *f = *state;
    struct crowd crowd;
    size_t i;

    start_server(f);
    gather(&crowd, f, 1000);
    crowd.each = 100;
    for (i = 0; i < crowd.count; i++) {
        client_send_pattern(&crowd.clients[i], 0, 100);
    }
    run_until(&f->loop, all_got_theirs, &crowd);
    for (i = 0; i < crowd.count; i++) {
        assert_int_equal(crowd.clients[i].error, 0);
        assert_int_equal(crowd.clients[i].received, 100);
        assert_false(crowd.clients[i].wrong);
    }
    scatter(&crowd);
    wait_open(f, 0);
    assert_int_equal(
        counters_of(f, TLR_ALL_WORKERS).closed[TLR_CLOSED_BY_PEER], 1000);
}

/* ---- half-close, resets, peers that do not read ---------------------- */

static void twelve_mebibytes_survive_a_half_close(void **state)
{
    struct fixture *f = *state;
    struct client client;

    start_server(f);
    client_connect_as(f, &client, CLIENT_CHECKING | CLIENT_PATIENT);
    client_send_pattern(&client, 0, 12 * MIB);
    client_half_close(&client);
    client_wait_stalled(f, &client, 1);
    assert_int_equal(client.received, 0);
    client_read(&client);
    client_wait_end(f, &client);
    assert_int_equal(client.received, 12 * MIB);
    assert_false(client.wrong);
    client_close(f, &client);
    wait_open(f, 0);
    assert_int_equal(
        counters_of(f, TLR_ALL_WORKERS).closed[TLR_CLOSED_BY_PEER], 1);
}

static void a_peer_that_never_reads_costs_one_buffer(void **state)
{
    struct fixture *f = *state;
    struct client lazy[4];
    struct client busy;
    size_t before;
    size_t i;

    start_server(f);
    client_connect_as(f, &busy, CLIENT_CHECKING);
    for (i = 0; i < COUNT(lazy); i++) {
        client_connect_as(f, &lazy[i], CLIENT_PATIENT);
    }
    wait_open(f, COUNT(lazy) + 1);
    before = atomic_load(&f->memory.bytes);
    for (i = 0; i < COUNT(lazy); i++) {
        client_send_pattern(&lazy[i], 0, 12 * MIB);
    }
    client_wait_stalled(f, lazy, COUNT(lazy));
    /* Half a kibibyte beside each buffer, and one buffer for each loop. */
    assert_in_range(atomic_load(&f->memory.most), before,
                    before + (COUNT(lazy) + 4) * (64 * KIB + 512));
    /* And the others do not notice. */
    client_send_pattern(&busy, 0, MIB);
    client_wait(f, &busy, MIB);
    assert_false(busy.wrong);
    client_close(f, &busy);
    for (i = 0; i < COUNT(lazy); i++) {
        client_reset(f, &lazy[i]);
    }
    wait_open(f, 0);
    /* Some buffers are kept for the next time, 16 of each loop at most. */
    assert_in_range(atomic_load(&f->memory.bytes), 0, before + 16 * 2 * 65 * KIB);
}

static void resets_in_the_middle_harm_nobody_else(void **state)
{
    struct fixture *f = *state;
    struct client steady;
    struct client broken;
    uint64_t i;

    start_server(f);
    client_connect_as(f, &steady, CLIENT_CHECKING);
    for (i = 0; i < 50; i++) {
        client_connect_as(f, &broken, i % 2 ? CLIENT_PATIENT : 0);
        client_send_pattern(&broken, 0, i % 3 ? 100 : 2 * MIB);
        if (i % 15 == 0) {
            client_wait_stalled(f, &broken, 1);
        }
        client_reset(f, &broken);
        client_send_pattern(&steady, i * 1000, 1000);
        client_wait(f, &steady, (i + 1) * 1000);
    }
    assert_false(steady.wrong);
    client_close(f, &steady);
    wait_accepted(f, 51); /* the last one may be on its way yet */
    wait_open(f, 0);
    /* A reset may come before the server has looked at the data. */
    assert_in_range(
        counters_of(f, TLR_ALL_WORKERS).closed[TLR_CLOSED_BY_ERROR], 1, 50);
}

/* ---- a drain --------------------------------------------------------- */

static atomic_uint drained;

/* Its life would be over in a moment. */
static void drain_late_in_life(struct tlr_conn *conn)
{
    struct tlr_handler echo = {0};

    tlr_echo_handler(&echo);
    (void)tlr_conn_set_timeout(conn, TLR_TIMEOUT_LIFETIME, 10);
    echo.on_drain(conn);
    atomic_fetch_add(&drained, 1);
}

static bool has_drained(void *data)
{
    (void)data;
    return atomic_load(&drained) > 0;
}

static void no_life_ends_while_it_drains(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.max_lifetime = 3600000;
    f->options.lifetime_grace = 10;
    f->options.handler.on_drain = drain_late_in_life;
    start_server(f);
    client_connect_as(f, &client, CLIENT_CHECKING);
    client_send_pattern(&client, 0, 1000);
    client_wait(f, &client, 1000);
    atomic_store(&drained, 0);
    tlr_server_drain(f->server, TLR_NO_DEADLINE);
    run_until(&f->loop, has_drained, NULL);
    run_for(&f->loop, 100);
    assert_int_equal(client.error, 0);
    client_send_pattern(&client, 1000, 100000);
    client_half_close(&client);
    client_wait_end(f, &client);
    assert_int_equal(client.received, 101000);
    assert_false(client.wrong);
    client_close(f, &client);
    run_until(&f->loop, is_stopped, f);
    assert_int_equal(
        counters_of(f, TLR_ALL_WORKERS).closed[TLR_CLOSED_BY_LIFETIME], 0);
}

/* ---- several servers, and nothing to inherit ------------------------- */

static void two_servers_do_not_know_of_each_other(void **state)
{
    struct fixture *f = *state;
    struct fixture *other;
    void *other_state = NULL;
    struct client here;
    struct client there;

    assert_int_equal(setup(&other_state), 0);
    other = other_state;
    start_server(f);
    start_server(other);
    client_connect(f, &here);
    client_connect(other, &there);
    client_send(&here, "here", 4);
    client_send(&there, "there", 5);
    client_wait(f, &here, 4);
    client_wait(other, &there, 5);
    client_close(f, &here);
    drain_server(f, 1000);
    client_send(&there, "still", 5);
    client_wait(other, &there, 10);
    assert_memory_equal(there.kept, "therestill", 10);
    assert_int_equal(counters_of(other, TLR_ALL_WORKERS).accepted, 1);
    client_close(other, &there);
    other->descriptors = 0; /* the other teardown counts for both */
    assert_int_equal(teardown(&other_state), 0);
}

/* Whoever runs the tests may have left some to us: the rest is ours. */
static void nothing_is_inherited_by_children(void **state)
{
    struct fixture *f = *state;
    struct client clients[8];
    size_t before = count_inheritable();
    size_t descriptors;
    size_t i;

    descriptors = count_descriptors();
    start_server(f);
    for (i = 0; i < COUNT(clients); i++) {
        client_connect(f, &clients[i]);
        client_send(&clients[i], "x", 1);
        client_wait(f, &clients[i], 1);
    }
    /* The accepted ones and a listener: else the look proves nothing. */
    assert_in_range(count_descriptors(), descriptors + 9, SIZE_MAX);
    assert_int_equal(count_inheritable(), before);
    for (i = 0; i < COUNT(clients); i++) {
        client_close(f, &clients[i]);
    }
}

/* ---- in every mode --------------------------------------------------- */

static struct mode modes[] = {
    {TLR_LOOPS_HOST, TLR_BALANCE_LEAST},
    {1, TLR_BALANCE_LEAST},
    {2, TLR_BALANCE_ROUND_ROBIN},
    {4, TLR_BALANCE_LEAST},
    {2, TLR_BALANCE_REUSEPORT}, /* last: only some systems have it */
};

struct named {
    const char *name;
    CMUnitTestFunction function;
};

#define NAMED(function) {#function, function}

static const struct named tests[] = {
    NAMED(every_byte_comes_back_of_one_byte_pieces),
    NAMED(a_message_of_a_mebibyte_comes_back),
    NAMED(a_read_buffer_of_one_byte_serves),
    NAMED(a_thousand_connections_are_served),
    NAMED(twelve_mebibytes_survive_a_half_close),
    NAMED(a_peer_that_never_reads_costs_one_buffer),
    NAMED(resets_in_the_middle_harm_nobody_else),
    NAMED(no_life_ends_while_it_drains),
    NAMED(two_servers_do_not_know_of_each_other),
    NAMED(nothing_is_inherited_by_children),
};

int main(void)
{
    struct CMUnitTest all[COUNT(modes) * COUNT(tests)];
    static char names[COUNT(modes) * COUNT(tests)][96];
    size_t mode_count = COUNT(modes) - (tlr_handoff_has_reuseport() ? 0 : 1);
    size_t count = 0;
    size_t mode;
    size_t i;

    for (mode = 0; mode < mode_count; mode++) {
        for (i = 0; i < COUNT(tests); i++, count++) {
            static const char *const balances[] = {"least", "rr", "reuseport"};

            (void)snprintf(names[count], sizeof(names[count]),
                           "%s (loops %d, %s)", tests[i].name,
                           modes[mode].loops, balances[modes[mode].balance]);
            all[count] = (struct CMUnitTest){
                names[count], tests[i].function, setup, teardown, &modes[mode]};
        }
    }
    return _cmocka_run_group_tests("echo", all, count, NULL, NULL);
}
