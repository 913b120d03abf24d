/* SPDX-License-Identifier: MIT */
/* Listening sockets that come from elsewhere, and that are passed on. */
#include "support.h"

#include <string.h>

#include "core/handoff.h"

#define REUSEPORT TLR_HANDOFF_REUSEPORT

/* On a free port the first time, then on the same one. */
static uv_os_sock_t open_socket(struct sockaddr_storage *address,
                                unsigned flags)
{
    uv_os_sock_t sock;

    if (address->ss_family == 0) {
        assert_int_equal(
            uv_ip4_addr("127.0.0.1", 0, (struct sockaddr_in *)address), 0);
    }
    assert_int_equal(
        tlr_handoff_listen((struct sockaddr *)address, 0, flags, &sock), 0);
    assert_int_equal(tlr_handoff_name(sock, address), 0);
    return sock;
}

static void exchange_with_some(struct fixture *f, unsigned count)
{
    static struct client clients[64];
    unsigned i;

    for (i = 0; i < count; i++) {
        client_connect(f, &clients[i]);
    }
    for (i = 0; i < count; i++) {
        client_exchange(f, &clients[i]);
    }
    for (i = 0; i < count; i++) {
        client_close(f, &clients[i]);
    }
}

static void a_socket_from_elsewhere_is_an_address_like_any_other(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_storage address = {0};
    struct sockaddr_storage told;
    uv_os_sock_t sock = open_socket(&address, 0);
    uv_os_sock_t given[2] = {0};
    size_t count = 2;
    size_t inheritable = count_inheritable();

    make_inheritable(sock);
    assert_int_equal(count_inheritable(), inheritable + 1);
    create_server(f);
    listen_on(f, "127.0.0.1", 0);
    assert_int_equal(tlr_server_listen_socket(f->server, sock), 0);
    assert_int_equal(tlr_server_addresses(f->server), 2);
    assert_int_equal(tlr_server_address(f->server, 1, &told), 0);
    assert_memory_equal(&told, &address, sizeof(struct sockaddr_in));
    assert_int_equal(tlr_server_sockets(f->server, 1, given, &count), 0);
    assert_int_equal(count, 1);
    assert_true(given[0] == sock);
    assert_int_equal(count_inheritable(), inheritable);
    start_created(f);
    exchange_with_some(f, 4);
    f->address = address;
    exchange_with_some(f, 4);
}

/* libuv's loop would hang in accept(). */
static void it_does_not_block_any_more(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_storage address = {0};
    uv_os_sock_t sock = open_socket(&address, 0);

    make_blocking(sock);
    create_server(f);
    assert_int_equal(tlr_server_listen_socket(f->server, sock), 0);
    f->address = address;
    start_created(f);
    exchange_with_some(f, 8);
}

static void what_does_not_listen_is_refused_and_still_the_callers(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_storage address = {0};
    uv_os_sock_t pair[2];
    uv_os_sock_t bound;

    create_server(f);
    (void)uv_ip4_addr("127.0.0.1", 0, (struct sockaddr_in *)&address);
    assert_int_equal(tlr_handoff_listen((struct sockaddr *)&address, 0,
                                        TLR_HANDOFF_BOUND, &bound),
                     0);
    assert_int_equal(tlr_server_listen_socket(f->server, bound), UV_EINVAL);
    tlr_handoff_close(bound);
    assert_true(tlr_server_listen_socket(f->server, bound) == UV_EBADF ||
                tlr_server_listen_socket(f->server, bound) == UV_ENOTSOCK);
    if (connect_locally(pair)) {
        assert_int_equal(tlr_server_listen_socket(f->server, pair[0]),
                         UV_ENOTSUP);
        tlr_handoff_close(pair[0]);
        tlr_handoff_close(pair[1]);
    }
    assert_int_equal(tlr_server_addresses(f->server), 0);
}

static void a_server_that_has_started_takes_no_more(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_storage address = {0};
    uv_os_sock_t sock = open_socket(&address, 0);

    start_server(f);
    assert_int_equal(tlr_server_listen_socket(f->server, sock), UV_EBUSY);
    tlr_handoff_close(sock);
}

static void without_memory_the_socket_is_still_the_callers(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_storage address = {0};
    uv_os_sock_t sock = open_socket(&address, 0);
    unsigned n;
    int err = UV_ENOMEM;

    create_server(f);
    for (n = 1; err == UV_ENOMEM; n++) {
        unsigned next = atomic_load(&f->memory.allocations) + n;

        atomic_store(&f->memory.fail_to, next);
        atomic_store(&f->memory.fail_from, next);
        err = tlr_server_listen_socket(f->server, sock);
        atomic_store(&f->memory.fail_from, 0);
        assert_int_equal(tlr_server_addresses(f->server), err == 0);
    }
    assert_int_equal(err, 0);
    assert_true(n > 3); /* two of them could fail */
}

static void the_sockets_are_told_until_the_server_drains(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uv_os_sock_t socks[64];
    size_t count = 0;

    start_server(f);
    client_connect(f, &client);
    client_exchange(f, &client);
    assert_int_equal(tlr_server_sockets(f->server, 0, socks, &count),
                     UV_ENOBUFS);
    assert_true(count >= 1);
    assert_int_equal(tlr_server_sockets(f->server, 0, socks, &count), 0);
    assert_int_equal(tlr_server_sockets(f->server, 1, socks, &count),
                     UV_EINVAL);
    tlr_server_drain(f->server, TLR_NO_DEADLINE);
    assert_int_equal(tlr_server_sockets(f->server, 0, socks, &count),
                     UV_ECANCELED);
    client_close(f, &client);
}

/* ---- SO_REUSEPORT ---------------------------------------------------- */

static size_t sockets_of(struct fixture *f)
{
    uv_os_sock_t socks[64];
    size_t count = 64;

    assert_int_equal(tlr_server_sockets(f->server, 0, socks, &count), 0);
    return count;
}

static unsigned serving(struct fixture *f)
{
    unsigned count = 0;
    unsigned i;

    for (i = 0; i < tlr_server_workers(f->server); i++) {
        count += counters_of(f, i).accepted > 0;
    }
    return count;
}

/*
 * So many connections that no worker of three can be left out by chance; more
 * than once, since a worker listens when its thread has begun.
 */
static unsigned workers_that_serve(struct fixture *f)
{
    unsigned tries = 0;

    do {
        exchange_with_some(f, 64);
    } while (serving(f) < tlr_server_workers(f->server) && ++tries < 50);
    return serving(f);
}

static void give_sockets(struct fixture *f, unsigned count, unsigned flags)
{
    struct sockaddr_storage address = {0};
    unsigned i;

    create_server(f);
    for (i = 0; i < count; i++) {
        assert_int_equal(tlr_server_listen_socket(
                             f->server, open_socket(&address, flags)),
                         0);
    }
    f->address = address;
    assert_int_equal(tlr_server_addresses(f->server), 1);
    assert_int_equal(sockets_of(f), count);
}

static void each_worker_gets_a_socket(void **state)
{
    give_sockets(*state, 3, REUSEPORT);
    start_created(*state);
    assert_int_equal(sockets_of(*state), 3);
    assert_int_equal(workers_that_serve(*state), 3);
}

static void too_few_sockets_are_made_up_for(void **state)
{
    give_sockets(*state, 1, REUSEPORT);
    start_created(*state);
    assert_int_equal(sockets_of(*state), 3);
    assert_int_equal(workers_that_serve(*state), 3);
}

/* Of seven sockets none may be left without anybody who accepts. */
static void too_many_sockets_are_several_a_worker(void **state)
{
    give_sockets(*state, 7, REUSEPORT);
    start_created(*state);
    assert_int_equal(sockets_of(*state), 7);
    assert_int_equal(workers_that_serve(*state), 3);
}

static void one_that_shares_no_port_is_watched_by_the_host(void **state)
{
    give_sockets(*state, 1, 0);
    start_created(*state);
    assert_int_equal(sockets_of(*state), 1);
    assert_int_equal(workers_that_serve(*state), 3);
}

/* Both kinds of listeners wait for room, and both go on. */
static void hosts_and_workers_listeners_go_on_when_there_is_room(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_storage other;
    struct client clients[8];
    unsigned i;

    f->options.max_connections = 2;
    give_sockets(f, 1, 0);
    other = f->address;
    listen_on(f, "127.0.0.1", 0);
    assert_int_equal(tlr_server_address(f->server, 1, &f->address), 0);
    start_created(f);
    for (i = 0; i < COUNT(clients); i++) {
        client_dial_to(f, &clients[i], i % 2 == 0 ? &other : &f->address);
    }
    for (i = 0; i < COUNT(clients); i++) {
        client_send(&clients[i], "x", 1);
    }
    wait_open(f, 2);
    for (i = 0; i < COUNT(clients); i++) {
        client_half_close(&clients[i]);
    }
    for (i = 0; i < COUNT(clients); i++) {
        client_wait_end(f, &clients[i]);
        client_close(f, &clients[i]);
    }
    wait_accepted(f, COUNT(clients));
}

static void sockets_for_the_host_loop_may_be_several(void **state)
{
    give_sockets(*state, 5, REUSEPORT);
    start_created(*state);
    assert_int_equal(sockets_of(*state), 5);
    exchange_with_some(*state, 64);
    drain_server(*state, 1000);
}

/* ---- taking over, where there is no such thing ------------------------ */

static void a_system_without_takeovers_says_so(void **state)
{
    struct fixture *f = *state;
    struct tlr_offer offer;
    int err;

    create_server(f);
    tlr_offer_init(&offer, sizeof(offer));
    offer.path = "nobody-is-here";
    err = tlr_server_take_over(f->server, offer.path, 1000, NULL);
    if (err != UV_ENOENT) {
        assert_int_equal(err, UV_ENOTSUP);
        assert_int_equal(tlr_server_offer(f->server, &offer), UV_ENOTSUP);
    }
}

static struct mode least = {3, TLR_BALANCE_LEAST};
static struct mode host = {TLR_LOOPS_HOST, TLR_BALANCE_LEAST};
static struct mode reuseport = {3, TLR_BALANCE_REUSEPORT};

#define WITH(function, mode)                                                   \
    {                                                                          \
        #function " (" #mode ")", function, setup, teardown, &(mode)           \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(a_socket_from_elsewhere_is_an_address_like_any_other, least),
        WITH(a_socket_from_elsewhere_is_an_address_like_any_other, host),
        WITH(it_does_not_block_any_more, least),
        WITH(what_does_not_listen_is_refused_and_still_the_callers, least),
        WITH(a_server_that_has_started_takes_no_more, least),
        WITH(without_memory_the_socket_is_still_the_callers, least),
        WITH(the_sockets_are_told_until_the_server_drains, least),
        WITH(a_system_without_takeovers_says_so, least),
    };
    const struct CMUnitTest shared[] = {
        WITH(the_sockets_are_told_until_the_server_drains, reuseport),
        WITH(sockets_for_the_host_loop_may_be_several, least),
        WITH(each_worker_gets_a_socket, reuseport),
        WITH(too_few_sockets_are_made_up_for, reuseport),
        WITH(too_many_sockets_are_several_a_worker, reuseport),
        WITH(one_that_shares_no_port_is_watched_by_the_host, reuseport),
        WITH(hosts_and_workers_listeners_go_on_when_there_is_room, reuseport),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    if (tlr_handoff_has_reuseport()) {
        failed += cmocka_run_group_tests(shared, NULL, NULL);
    }
    return failed;
}
