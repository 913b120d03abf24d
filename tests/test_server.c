/* SPDX-License-Identifier: MIT */
/* The life of a server, its addresses, how it shares out, drain and stop. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "core/handoff.h"

/* ---- addresses -------------------------------------------------------- */

static unsigned port_of(const struct sockaddr_storage *address)
{
    return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

static void the_port_that_the_system_chose_can_be_read(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_storage address;

    create_server(f);
    assert_int_equal(tlr_server_addresses(f->server), 0);
    assert_int_equal(tlr_server_address(f->server, 0, &address), UV_EINVAL);
    listen_on(f, "127.0.0.1", 0);
    listen_on(f, "127.0.0.1", 0);
    assert_int_equal(tlr_server_addresses(f->server), 2);
    assert_int_not_equal(port_of(&f->address), 0);
    assert_int_equal(tlr_server_address(f->server, 1, &address), 0);
    assert_int_not_equal(port_of(&address), port_of(&f->address));
    assert_int_equal(tlr_server_address(f->server, 2, &address), UV_EINVAL);
}

static void every_address_is_served(void **state)
{
    struct fixture *f = *state;
    struct client clients[8];
    unsigned i;

    create_server(f);
    for (i = 0; i < COUNT(clients); i++) {
        listen_on(f, "127.0.0.1", 0);
    }
    start_created(f);
    for (i = 0; i < COUNT(clients); i++) {
        struct sockaddr_storage address;

        assert_int_equal(tlr_server_address(f->server, i, &address), 0);
        client_dial_to(f, &clients[i], &address);
        client_exchange(f, &clients[i]);
    }
    clients_close(f, clients, COUNT(clients));
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 address;
    uv_os_sock_t sock;

    assert_int_equal(uv_ip6_addr("::1", 0, &address), 0);
    if (tlr_handoff_listen((struct sockaddr *)&address, 1, 0, &sock) != 0) {
        return false;
    }
    tlr_handoff_close(sock);
    return true;
}

/* A client of 127.0.0.1 at the port that the server has on another address. */
static void dial_ipv4(struct fixture *f, struct client *client)
{
    struct sockaddr_storage address;

    memset(&address, 0, sizeof(address));
    assert_int_equal(uv_ip4_addr("127.0.0.1", (int)port_of(&f->address),
                                 (struct sockaddr_in *)&address),
                     0);
    client_dial_to(f, client, &address);
}

static void ipv6_is_served(void **state)
{
    struct fixture *f = *state;
    struct client client;

    if (!has_ipv6()) {
        skip();
    }
    create_server(f);
    listen_on(f, "::1", 0);
    start_created(f);
    client_connect(f, &client);
    client_exchange(f, &client);
    client_close(f, &client);
}

static void every_ipv6_address_takes_ipv4_too(void **state)
{
    struct fixture *f = *state;
    struct client client;

    if (!has_ipv6()) {
        skip();
    }
    create_server(f);
    listen_on(f, "::", 0);
    start_created(f);
    dial_ipv4(f, &client);
    client_exchange(f, &client);
    client_close(f, &client);
}

static bool has_failed(void *client)
{
    return ((struct client *)client)->error != 0;
}

static void but_not_if_told_ipv6_only(void **state)
{
    struct fixture *f = *state;
    struct client client;

    if (!has_ipv6()) {
        skip();
    }
    create_server(f);
    listen_on(f, "::", TLR_LISTEN_IPV6_ONLY);
    start_created(f);
    dial_ipv4(f, &client);
    run_until(&f->loop, has_failed, &client);
    assert_int_equal(client.error, UV_ECONNREFUSED);
    client_close(f, &client);
}

static void an_address_in_use_is_an_error(void **state)
{
    struct fixture *f = *state;

    create_server(f);
    listen_on(f, "127.0.0.1", 0);
    assert_int_equal(tlr_server_listen(f->server,
                                       (struct sockaddr *)&f->address, 0),
                     UV_EADDRINUSE);
    assert_int_equal(tlr_server_addresses(f->server), 1);
}

static void wrong_addresses_are_errors(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_storage address;

    create_server(f);
    memset(&address, 0, sizeof(address));
    address.ss_family = AF_UNIX;
    assert_int_equal(
        tlr_server_listen(f->server, (struct sockaddr *)&address, 0),
        UV_EINVAL);
    assert_int_equal(
        uv_ip4_addr("127.0.0.1", 0, (struct sockaddr_in *)&address), 0);
    assert_int_equal(
        tlr_server_listen(f->server, (struct sockaddr *)&address, 0x80),
        UV_EINVAL);
    /* Documentation's, so no machine has it. */
    assert_int_equal(
        uv_ip4_addr("192.0.2.1", 0, (struct sockaddr_in *)&address), 0);
    assert_int_equal(
        tlr_server_listen(f->server, (struct sockaddr *)&address, 0),
        UV_EADDRNOTAVAIL);
    assert_int_equal(tlr_server_addresses(f->server), 0);
}

/* ---- life --------------------------------------------------------------- */

static void a_server_that_was_not_started_can_be_destroyed(void **state)
{
    struct fixture *f = *state;

    create_server(f);
    listen_on(f, "127.0.0.1", 0);
    tlr_server_drain(f->server, 1000); /* harmless */
    tlr_server_stop(f->server);
    tlr_server_destroy(f->server);
    f->server = NULL;
    tlr_server_destroy(NULL);
    assert_int_equal(uv_loop_alive(&f->loop), 0);
    assert_int_equal(f->stopped, 0);
}

static void a_server_starts_once(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_storage address = {0};

    start_server(f);
    assert_int_equal(tlr_server_start(f->server), UV_EINVAL);
    address.ss_family = AF_INET;
    assert_int_equal(
        tlr_server_listen(f->server, (struct sockaddr *)&address, 0),
        UV_EBUSY);
    drain_server(f, 0);
    assert_int_equal(tlr_server_start(f->server), UV_EINVAL);
    tlr_server_stop(f->server); /* harmless */
    tlr_server_drain(f->server, 1000);
    run_for(&f->loop, 20);
    assert_int_equal(f->stopped, 1);
    assert_int_equal(uv_loop_alive(&f->loop), 0);
}

static void a_server_without_an_address_runs_and_stops(void **state)
{
    struct fixture *f = *state;

    create_server(f);
    start_created(f);
    run_for(&f->loop, 20);
    assert_int_equal(f->stopped, 0);
    drain_server(f, 1000);
}

static void a_server_may_stop_before_the_first_turn(void **state)
{
    struct fixture *f = *state;

    start_server(f);
    tlr_server_stop(f->server);
    tlr_server_stop(f->server);
    tlr_server_drain(f->server, 10);
    run_until(&f->loop, is_stopped, f);
    run_for(&f->loop, 20);
    assert_int_equal(f->stopped, 1);
}

static void on_stopped_destroy(struct tlr_server *server)
{
    struct fixture *f = tlr_server_user(server);

    f->stopped++;
    f->started = false;
    f->server = NULL;
    tlr_server_destroy(server);
}

static void on_stopped_may_destroy(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.on_stopped = on_stopped_destroy;
    start_server(f);
    client_connect(f, &client);
    client_exchange(f, &client);
    client_close(f, &client);
    drain_server(f, 30000);
}

static void the_host_loop_ends_by_itself(void **state)
{
    struct fixture *f = *state;

    start_server(f);
    tlr_server_stop(f->server);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(f->stopped, 1);
}

/* Each descriptor in turn is the one that is not there any more. */
static void a_start_without_descriptors_is_taken_back(void **state)
{
    struct fixture *f = *state;
    size_t more = 0;
    int err = UV_EMFILE;

    if (!limit_descriptors(SIZE_MAX)) {
        skip();
    }
    for (more = 0; err == UV_EMFILE; more++) {
        size_t before = count_descriptors();

        create_server(f);
        listen_on(f, "127.0.0.1", 0);
        (void)limit_descriptors(more);
        err = tlr_server_start(f->server);
        (void)limit_descriptors(SIZE_MAX);
        if (err != 0) {
            assert_int_equal(err, UV_EMFILE);
            if (more % 2 == 0) { /* before or after the handles are gone */
                (void)uv_run(&f->loop, UV_RUN_DEFAULT);
            }
            tlr_server_destroy(f->server);
            f->server = NULL;
            (void)uv_run(&f->loop, UV_RUN_DEFAULT);
            assert_int_equal(count_descriptors(), before);
            assert_int_equal(atomic_load(&f->memory.live), 0);
        }
    }
    assert_int_equal(err, 0);
    f->started = true;
    assert_in_range(more, 3, 100); /* some starts did fail */
}

/* ---- sharing out --------------------------------------------------------- */

static void expect_each(struct fixture *f, uint64_t open)
{
    unsigned i;

    for (i = 0; i < tlr_server_workers(f->server); i++) {
        assert_int_equal(counters_of(f, i).open, open);
    }
}

static void connections_are_shared_out_evenly(void **state)
{
    struct fixture *f = *state;
    struct client *clients = calloc(64, sizeof(*clients));

    assert_non_null(clients);
    start_server(f);
    clients_dial(f, clients, 64);
    wait_open(f, 64);
    expect_each(f, 64 / tlr_server_workers(f->server));
    clients_close(f, clients, 64);
    free(clients);
}

/* In turn would give one more to each. */
static void the_least_loaded_worker_comes_first(void **state)
{
    struct fixture *f = *state;
    struct client clients[16];
    unsigned i;

    f->options.loops = 4;
    start_server(f);
    for (i = 0; i < 8; i++) {
        client_connect(f, &clients[i]);
        wait_open(f, i + 1);
    }
    expect_each(f, 2);
    /* Those of the first worker and one of the second go. */
    client_close(f, &clients[0]);
    client_close(f, &clients[4]);
    client_close(f, &clients[5]);
    wait_open(f, 5);
    assert_int_equal(counters_of(f, 0).open, 0);
    assert_int_equal(counters_of(f, 1).open, 1);
    clients_dial(f, &clients[8], 3);
    wait_open(f, 8);
    expect_each(f, 2);
    clients_close(f, &clients[1], 3);
    clients_close(f, &clients[6], 5);
}

static void in_turn_takes_no_look_at_the_load(void **state)
{
    struct fixture *f = *state;
    struct client clients[6];

    f->options.balance = TLR_BALANCE_ROUND_ROBIN;
    f->options.loops = 2;
    start_server(f);
    clients_dial(f, clients, 4);
    wait_open(f, 4);
    while (counters_of(f, 0).open > 0) {
        unsigned i;

        for (i = 0; i < 4; i += 2) {
            client_close(f, &clients[i]);
        }
        wait_open(f, 2);
    }
    clients_dial(f, &clients[4], 2);
    wait_open(f, 4);
    assert_int_equal(counters_of(f, 0).open, 1);
    assert_int_equal(counters_of(f, 1).open, 3);
    clients_close(f, &clients[1], 1);
    clients_close(f, &clients[3], 3);
}

static void zero_loops_are_one_for_each_cpu(void **state)
{
    struct fixture *f = *state;

    f->options.loops = TLR_LOOPS_PER_CPU;
    create_server(f);
    assert_int_equal(tlr_server_workers(f->server),
                     uv_available_parallelism());
}

static void every_reuseport_listener_is_served(void **state)
{
    struct fixture *f = *state;
    struct client *clients = calloc(200, sizeof(*clients));

    assert_non_null(clients);
    if (!tlr_handoff_has_reuseport()) {
        assert_int_equal(
            tlr_server_create(&f->server, &f->loop, &f->options), UV_ENOTSUP);
        free(clients);
        return;
    }
    start_server(f);
    clients_dial(f, clients, 200);
    wait_open(f, 200);
    /* The kernel's hash is uneven, and yet never leaves a loop out of 200. */
    assert_int_not_equal(counters_of(f, 0).open, 0);
    assert_int_not_equal(counters_of(f, 1).open, 0);
    clients_close(f, clients, 200);
    free(clients);
}

/* ---- at the limit ----------------------------------------------------------- */

static void at_the_limit_peers_wait_their_turn(void **state)
{
    struct fixture *f = *state;
    struct client clients[9];
    size_t i;

    if (f->options.balance == TLR_BALANCE_REUSEPORT &&
        !tlr_handoff_has_reuseport()) {
        skip();
    }
    f->options.max_connections = 3;
    start_server(f);
    clients_dial(f, clients, COUNT(clients));
    wait_open(f, 3);
    run_for(&f->loop, 50);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).accepted, 3);
    for (i = 0; i < COUNT(clients); i++) {
        client_wait_connected(f, &clients[i]);
        client_send(&clients[i], "x", 1);
    }
    /* Whoever is served leaves, and the next one's turn has come. */
    for (i = 0; i < COUNT(clients);) {
        size_t j;

        assert_in_range(counters_of(f, TLR_ALL_WORKERS).open, 0, 3);
        run_for(&f->loop, 1);
        for (j = 0; j < COUNT(clients); j++) {
            if (!clients[j].closed && clients[j].received > 0) {
                client_close(f, &clients[j]);
                i++;
            }
        }
    }
    wait_open(f, 0);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).accepted,
                     COUNT(clients));
}

static void without_descriptors_the_others_go_on_and_nothing_spins(
    void **state)
{
    struct fixture *f = *state;
    struct client clients[12];
    double cpu;
    size_t i;

    if (!limit_descriptors(SIZE_MAX)) {
        skip();
    }
    start_server(f);
    client_connect(f, &clients[0]);
    client_exchange(f, &clients[0]);
    clients_dial(f, &clients[1], 11);
    (void)limit_descriptors(2);
    wait_open(f, 3);
    cpu = cpu_seconds();
    run_for(&f->loop, 1000);
    cpu = cpu_seconds() - cpu;
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).open, 3);
    assert_in_range((int)(cpu * 1000), 0, 200); /* of 1000; the test's too */
    client_exchange(f, &clients[0]);
    (void)limit_descriptors(SIZE_MAX);
    for (i = 1; i < COUNT(clients); i++) {
        client_exchange(f, &clients[i]);
    }
    clients_close(f, clients, COUNT(clients));
}

/* ---- drain and stop ------------------------------------------------------------ */

static void peers_may_connect_before_the_start(void **state)
{
    struct fixture *f = *state;
    struct client clients[20];
    size_t i;

    create_server(f);
    listen_on(f, "127.0.0.1", 0);
    clients_dial(f, clients, COUNT(clients));
    run_for(&f->loop, 20);
    start_created(f);
    for (i = 0; i < COUNT(clients); i++) {
        client_exchange(f, &clients[i]);
    }
    clients_close(f, clients, COUNT(clients));
}

static void what_the_kernel_has_queued_is_served_by_a_drain(void **state)
{
    struct fixture *f = *state;
    struct client clients[50];
    size_t i;

    if (f->options.balance == TLR_BALANCE_REUSEPORT &&
        !tlr_handoff_has_reuseport()) {
        skip();
    }
    create_server(f);
    listen_on(f, "127.0.0.1", 0);
    for (i = 0; i < COUNT(clients); i++) {
        client_connect(f, &clients[i]);
        client_send_pattern(&clients[i], 0, 1000);
        client_half_close(&clients[i]);
    }
    start_created(f);
    tlr_server_drain(f->server, 30000);
    for (i = 0; i < COUNT(clients); i++) {
        client_wait_end(f, &clients[i]);
        assert_int_equal(clients[i].received, 1000);
    }
    run_until(&f->loop, is_stopped, f);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).accepted,
                     COUNT(clients));
    assert_int_equal(
        counters_of(f, TLR_ALL_WORKERS).closed[TLR_CLOSED_BY_PEER],
        COUNT(clients));
    clients_close(f, clients, COUNT(clients));
}

/* Those that wait for room are not reset: their turn comes in the drain. */
static void a_drain_at_the_limit_serves_who_waits(void **state)
{
    struct fixture *f = *state;
    struct client clients[6];
    size_t i;

    if (f->options.balance == TLR_BALANCE_REUSEPORT &&
        !tlr_handoff_has_reuseport()) {
        skip();
    }
    f->options.max_connections = 2;
    start_server(f);
    for (i = 0; i < COUNT(clients); i++) {
        client_connect(f, &clients[i]);
        client_send_pattern(&clients[i], 0, 1000);
    }
    wait_accepted(f, 2);
    tlr_server_drain(f->server, 30000);
    for (i = 0; i < COUNT(clients); i++) {
        client_half_close(&clients[i]);
    }
    for (i = 0; i < COUNT(clients); i++) {
        client_wait_end(f, &clients[i]);
        assert_int_equal(clients[i].received, 1000);
    }
    run_until(&f->loop, is_stopped, f);
    clients_close(f, clients, COUNT(clients));
}

static void and_the_deadline_ends_the_waiting(void **state)
{
    struct fixture *f = *state;
    struct client clients[3];

    f->options.max_connections = 1;
    start_server(f);
    client_connect(f, &clients[0]);
    client_exchange(f, &clients[0]);
    clients_dial(f, &clients[1], 2);
    run_for(&f->loop, 20);
    tlr_server_drain(f->server, 100);
    run_until(&f->loop, is_stopped, f);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).accepted, 1);
    clients_close(f, clients, 3);
}

static void a_draining_server_accepts_no_more(void **state)
{
    struct fixture *f = *state;
    struct client early;
    struct client late;

    start_server(f);
    client_connect(f, &early);
    client_exchange(f, &early);
    tlr_server_drain(f->server, 30000);
    run_for(&f->loop, 20);
    client_dial(f, &late);
    run_until(&f->loop, has_failed, &late);
    assert_int_equal(late.error, UV_ECONNREFUSED);
    client_close(f, &late);
    client_exchange(f, &early); /* goes on */
    client_close(f, &early);
    run_until(&f->loop, is_stopped, f);
}

static void a_drain_can_be_hurried_and_not_put_off(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uint64_t begun;

    start_server(f);
    client_connect(f, &client);
    client_exchange(f, &client);
    begun = uv_hrtime();
    tlr_server_drain(f->server, TLR_NO_DEADLINE);
    tlr_server_drain(f->server, 40000);
    tlr_server_drain(f->server, 100);
    tlr_server_drain(f->server, 50000);
    run_until(&f->loop, is_stopped, f);
    assert_in_range((uv_hrtime() - begun) / 1000000, 90, 30000);
    assert_int_equal(
        counters_of(f, TLR_ALL_WORKERS).closed[TLR_CLOSED_BY_STOP], 1);
    client_close(f, &client);
}

static void stay_busy(uint64_t milliseconds)
{
    uint64_t end = uv_hrtime() + milliseconds * 1000000;

    while (uv_hrtime() < end) {
    }
}

static void a_deadline_that_has_passed_cannot_be_put_off(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uint64_t begun;

    start_server(f);
    client_connect(f, &client);
    client_exchange(f, &client);
    begun = uv_hrtime();
    tlr_server_drain(f->server, 50);
    stay_busy(100); /* the loop has no turn meanwhile */
    tlr_server_drain(f->server, 40000);
    run_until(&f->loop, is_stopped, f);
    assert_in_range((uv_hrtime() - begun) / 1000000, 90, 30000);
    client_close(f, &client);
}

static void without_a_deadline_a_drain_waits(void **state)
{
    struct fixture *f = *state;
    struct client client;

    start_server(f);
    client_connect(f, &client);
    client_exchange(f, &client);
    tlr_server_drain(f->server, TLR_NO_DEADLINE);
    run_for(&f->loop, 100);
    assert_int_equal(f->stopped, 0);
    client_exchange(f, &client);
    client_close(f, &client);
    run_until(&f->loop, is_stopped, f);
}

/* The teardown counts descriptors: none of those under way may stay. */
static void a_stop_in_the_middle_of_handing_over_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct client *clients = calloc(100, sizeof(*clients));
    const unsigned rounds = rounds_here(30);
    unsigned round;

    assert_non_null(clients);
    for (round = 0; round < rounds; round++) {
        void *inner_state = NULL;
        struct fixture *inner;
        unsigned turns = round % 6;

        assert_int_equal(setup(&inner_state), 0);
        inner = inner_state;
        inner->options = f->options;
        inner->options.allocator = inner->memory.allocator;
        inner->options.user = inner;
        start_server(inner);
        clients_dial(inner, clients, 100);
        while (turns-- > 0) {
            (void)uv_run(&inner->loop, UV_RUN_NOWAIT);
        }
        if (round % 2 == 0) {
            tlr_server_stop(inner->server);
        } else {
            tlr_server_drain(inner->server, 1);
        }
        run_until(&inner->loop, is_stopped, inner);
        assert_int_equal(counters_of(inner, TLR_ALL_WORKERS).open, 0);
        clients_close(inner, clients, 100);
        assert_int_equal(teardown(&inner_state), 0);
    }
    free(clients);
}

/* ---- counters --------------------------------------------------------------------- */

struct reader {
    uv_thread_t thread;
    struct fixture *f;
    atomic_bool enough;
    unsigned looks;
    bool fell; /* a figure that only grows */
    bool odd;  /* more closed than accepted */
};

static void look_on(void *arg)
{
    struct reader *reader = arg;
    struct tlr_counters last = {0};

    do {
        struct tlr_counters now = counters_of(reader->f, TLR_ALL_WORKERS);

        reader->fell = reader->fell || now.accepted < last.accepted ||
                       now.reads < last.reads ||
                       now.bytes_in < last.bytes_in ||
                       now.bytes_out < last.bytes_out;
        reader->odd = reader->odd || now.open > now.accepted;
        last = now;
        reader->looks++;
    } while (!atomic_load(&reader->enough));
}

static void counters_may_be_read_from_any_thread(void **state)
{
    struct fixture *f = *state;
    struct reader reader = {.f = f};
    struct tlr_counters sum = {0};
    unsigned round;
    unsigned i;

    start_server(f);
    assert_int_equal(uv_thread_create(&reader.thread, look_on, &reader), 0);
    for (round = 0; round < 50; round++) {
        struct client clients[4];

        clients_dial(f, clients, 4);
        for (i = 0; i < 4; i++) {
            client_wait_connected(f, &clients[i]);
            client_send_pattern(&clients[i], 0, 5000);
            client_wait(f, &clients[i], 5000);
        }
        clients_close(f, clients, 4);
    }
    wait_open(f, 0);
    atomic_store(&reader.enough, true);
    assert_int_equal(uv_thread_join(&reader.thread), 0);
    assert_false(reader.fell);
    assert_false(reader.odd);
    assert_in_range(reader.looks, 10, UINT32_MAX);
    for (i = 0; i < tlr_server_workers(f->server); i++) {
        struct tlr_counters one = counters_of(f, i);

        sum.accepted += one.accepted;
        sum.bytes_in += one.bytes_in;
        sum.bytes_out += one.bytes_out;
        sum.closed[TLR_CLOSED_BY_PEER] += one.closed[TLR_CLOSED_BY_PEER];
    }
    assert_int_equal(sum.accepted, 200);
    assert_int_equal(sum.bytes_in, 200 * 5000);
    assert_int_equal(sum.bytes_out, 200 * 5000);
    assert_int_equal(sum.closed[TLR_CLOSED_BY_PEER], 200);
    assert_int_equal(tlr_server_counters(
                         f->server, tlr_server_workers(f->server), &sum,
                         sizeof(sum)),
                     UV_EINVAL);
}

/* ---- SIGPIPE ---------------------------------------------------------------------- */

/*
 * On the host loop libuv writes on the host's thread, in a way that raises
 * SIGPIPE: the first server to stop must not unblock it for the other.
 */
static void servers_on_one_thread_survive_peers_that_left(void **state)
{
    struct fixture *f = *state;
    struct tlr_server *first;
    struct client client;
    int round;

    assert_int_equal(tlr_server_create(&first, &f->loop, &f->options), 0);
    assert_int_equal(tlr_server_start(first), 0);
    start_server(f);
    tlr_server_stop(first);
    run_until(&f->loop, is_stopped, f);
    f->stopped = 0;
    tlr_server_destroy(first);
    for (round = 0; round < 20; round++) {
        client_connect(f, &client);
        client_exchange(f, &client);
        client_send_pattern(&client, 0, 100000);
        client_reset(f, &client);
        wait_open(f, 0);
    }
}

static void the_version_is_that_of_the_header(void **state)
{
    (void)state;
    assert_int_equal(tlr_version(), TLR_VERSION_HEX);
}

static struct mode four = {4, TLR_BALANCE_LEAST};
static struct mode four_in_turn = {4, TLR_BALANCE_ROUND_ROBIN};
static struct mode on_host = {TLR_LOOPS_HOST, TLR_BALANCE_LEAST};
static struct mode reuseport = {2, TLR_BALANCE_REUSEPORT};

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, setup, teardown)
#define TEST_AS(function, mode) \
    cmocka_unit_test_prestate_setup_teardown(function, setup, teardown, mode)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_port_that_the_system_chose_can_be_read),
        TEST(every_address_is_served),
        TEST(ipv6_is_served),
        TEST(every_ipv6_address_takes_ipv4_too),
        TEST(but_not_if_told_ipv6_only),
        TEST(an_address_in_use_is_an_error),
        TEST(wrong_addresses_are_errors),
        TEST(a_server_that_was_not_started_can_be_destroyed),
        TEST(a_server_starts_once),
        TEST_AS(a_server_starts_once, &on_host),
        TEST(a_server_without_an_address_runs_and_stops),
        TEST(a_server_may_stop_before_the_first_turn),
        TEST_AS(a_server_may_stop_before_the_first_turn, &on_host),
        TEST(on_stopped_may_destroy),
        TEST_AS(on_stopped_may_destroy, &on_host),
        TEST(the_host_loop_ends_by_itself),
        TEST(a_start_without_descriptors_is_taken_back),
        TEST_AS(connections_are_shared_out_evenly, &four),
        TEST_AS(connections_are_shared_out_evenly, &four_in_turn),
        TEST(the_least_loaded_worker_comes_first),
        TEST(in_turn_takes_no_look_at_the_load),
        TEST(zero_loops_are_one_for_each_cpu),
        TEST_AS(every_reuseport_listener_is_served, &reuseport),
        TEST(at_the_limit_peers_wait_their_turn),
        TEST_AS(at_the_limit_peers_wait_their_turn, &on_host),
        TEST_AS(at_the_limit_peers_wait_their_turn, &reuseport),
        TEST(without_descriptors_the_others_go_on_and_nothing_spins),
        TEST(peers_may_connect_before_the_start),
        TEST(what_the_kernel_has_queued_is_served_by_a_drain),
        TEST_AS(what_the_kernel_has_queued_is_served_by_a_drain, &on_host),
        TEST_AS(what_the_kernel_has_queued_is_served_by_a_drain, &reuseport),
        TEST(a_drain_at_the_limit_serves_who_waits),
        TEST_AS(a_drain_at_the_limit_serves_who_waits, &on_host),
        TEST_AS(a_drain_at_the_limit_serves_who_waits, &reuseport),
        TEST(and_the_deadline_ends_the_waiting),
        TEST(a_draining_server_accepts_no_more),
        TEST(a_drain_can_be_hurried_and_not_put_off),
        TEST(a_deadline_that_has_passed_cannot_be_put_off),
        TEST(without_a_deadline_a_drain_waits),
        TEST(a_stop_in_the_middle_of_handing_over_leaves_nothing),
        TEST_AS(a_stop_in_the_middle_of_handing_over_leaves_nothing, &four),
        TEST(counters_may_be_read_from_any_thread),
        TEST_AS(servers_on_one_thread_survive_peers_that_left, &on_host),
        TEST(the_version_is_that_of_the_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
