/* SPDX-License-Identifier: MIT */
/* Limits at the door of a server: who waits, who is turned away, and why. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include "core/handoff.h"
#include "core/server.h"

static struct tlr_counters counters(struct fixture *f)
{
    return counters_of(f, TLR_ALL_WORKERS);
}

#define wait_for(f, member, value)                                             \
    wait_counter(f, offsetof(struct tlr_counters, member), value)

/* Skips what this platform does not have. */
static void start(struct fixture *f)
{
    if (f->options.balance == TLR_BALANCE_REUSEPORT &&
        !tlr_handoff_has_reuseport()) {
        skip();
    }
    start_server(f);
}

/* ---- one peer ------------------------------------------------------- */

static void a_peer_has_so_many_connections_and_no_more(void **state)
{
    struct fixture *f = *state;
    struct client first;
    struct client second;
    struct client refused[3];
    struct client later;
    size_t i;

    f->options.max_per_peer = 2;
    start(f);
    client_connect(f, &first);
    client_connect(f, &second);
    client_exchange(f, &first);
    client_exchange(f, &second);
    clients_dial(f, refused, COUNT(refused));
    for (i = 0; i < COUNT(refused); i++) {
        client_wait_reset(f, &refused[i]);
    }
    assert_int_equal(counters(f).refused_peer, COUNT(refused));
    assert_int_equal(counters(f).refused, COUNT(refused));
    assert_int_equal(counters(f).accepted, 2);
    client_close(f, &first);
    wait_open(f, 1);
    client_connect(f, &later);
    client_exchange(f, &later);
    client_exchange(f, &second);
    client_close(f, &later);
    client_close(f, &second);
    clients_close(f, refused, COUNT(refused));
}

static void which_is_not_the_other_peers_business(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_storage ipv6;
    struct sockaddr_in6 any;
    struct client ipv4_client;
    struct client refused;
    struct client ipv6_client;

    f->options.max_per_peer = 1;
    create_server(f);
    listen_on(f, "127.0.0.1", 0);
    assert_int_equal(uv_ip6_addr("::1", 0, &any), 0);
    if (tlr_server_listen(f->server, (struct sockaddr *)&any, 0) != 0) {
        skip();
    }
    assert_int_equal(tlr_server_address(f->server, 1, &ipv6), 0);
    start_created(f);
    client_connect(f, &ipv4_client);
    client_exchange(f, &ipv4_client);
    client_dial(f, &refused);
    client_wait_reset(f, &refused);
    client_dial_to(f, &ipv6_client, &ipv6);
    client_exchange(f, &ipv6_client);
    client_close(f, &refused);
    client_dial_to(f, &refused, &ipv6);
    client_wait_reset(f, &refused);
    assert_int_equal(counters(f).refused_peer, 2);
    client_close(f, &ipv4_client);
    client_close(f, &ipv6_client);
    client_close(f, &refused);
}

/* By the defaults one address may have all of a small server. */
static void unless_it_is_asked_for_they_wait(void **state)
{
    struct fixture *f = *state;
    struct client clients[12];
    size_t i;

    f->options.max_connections = 8;
    start(f);
    for (i = 0; i < 8; i++) {
        client_connect(f, &clients[i]);
        client_exchange(f, &clients[i]);
    }
    for (i = 8; i < COUNT(clients); i++) {
        client_connect(f, &clients[i]);
    }
    for (i = 0; i < 8; i++) {
        client_close(f, &clients[i]);
    }
    for (i = 8; i < COUNT(clients); i++) {
        client_exchange(f, &clients[i]);
        client_close(f, &clients[i]);
    }
    assert_int_equal(counters(f).refused, 0);
}

static size_t peers_of(struct fixture *f)
{
    struct tlr_peers *peers = &f->server->door.peers;
    size_t count;

    uv_mutex_lock(&peers->mutex);
    count = peers->count;
    uv_mutex_unlock(&peers->mutex);
    return count;
}

/* A peer is counted until the last byte it is owed is gone, not longer. */
static void thousands_leave_no_trace_of_a_peer(void **state)
{
    struct fixture *f = *state;
    struct client clients[10];
    unsigned round;

    f->options.max_per_peer = COUNT(clients);
    start(f);
    for (round = 0; round < 50; round++) {
        size_t i;

        clients_dial(f, clients, COUNT(clients));
        for (i = 0; i < COUNT(clients); i++) {
            client_exchange(f, &clients[i]);
        }
        assert_int_equal(peers_of(f), 1);
        clients_close(f, clients, COUNT(clients));
        wait_open(f, 0);
        run_for(&f->loop, 1); /* the room comes right after on_close */
        while (f->server->pool.total > 0) {
            run_for(&f->loop, 1);
        }
    }
    assert_int_equal(counters(f).refused, 0);
    drain_server(f, 1000);
    assert_int_equal(f->server->door.peers.count, 0);
}

/* ---- one worker ------------------------------------------------------ */

static void a_worker_has_so_many_and_the_others_take_the_rest(void **state)
{
    struct fixture *f = *state;
    struct client clients[8];
    unsigned i;

    f->options.loops = 3;
    f->options.max_per_worker = 2;
    start(f);
    clients_dial(f, clients, COUNT(clients));
    wait_open(f, 6);
    run_for(&f->loop, 30);
    for (i = 0; i < 3; i++) {
        assert_int_equal(counters_of(f, i).open, 2);
    }
    assert_in_range(counters(f).waited_limit, 1, 10);
    /* Whoever leaves, on whatever worker, makes room for one. */
    for (i = 0; i < 6; i++) {
        client_exchange(f, &clients[i]);
    }
    client_close(f, &clients[0]);
    client_exchange(f, &clients[6]);
    client_close(f, &clients[5]);
    client_exchange(f, &clients[7]);
    assert_int_equal(counters(f).refused, 0);
    clients_close(f, clients, COUNT(clients));
}

static void also_where_the_kernel_chooses(void **state)
{
    struct fixture *f = *state;
    struct client clients[40];
    unsigned served = 0;
    bool done[COUNT(clients)] = {false};

    if (!tlr_handoff_has_reuseport()) {
        skip();
    }
    f->options.loops = 2;
    f->options.max_per_worker = 3;
    f->options.balance = TLR_BALANCE_REUSEPORT;
    start(f);
    clients_dial(f, clients, COUNT(clients));
    wait_open(f, 6);
    while (served < COUNT(clients)) {
        unsigned i;

        run_for(&f->loop, 1);
        assert_in_range(counters_of(f, 0).open, 0, 3);
        assert_in_range(counters_of(f, 1).open, 0, 3);
        for (i = 0; i < COUNT(clients); i++) {
            if (clients[i].connected && clients[i].sent == 0) {
                client_send(&clients[i], "x", 1);
                clients[i].sent = 1;
            }
            if (!done[i] && clients[i].received > 0) {
                client_close(f, &clients[i]);
                done[i] = true;
                served++;
            }
        }
    }
    assert_int_equal(counters(f).refused, 0);
    assert_in_range(counters(f).waited_limit, 2, 1000);
}

/* ---- room that comes while a worker accepts -------------------------- */

/* So many completions are always due that one at the end of them takes three
 * goes (port.c). */
#define BUSY 640
#define ROOM 8

static struct {
    struct tlr_conn *open[ROOM];
    unsigned count;
    struct sockaddr_storage address; /* where the busy ones connect to */
    atomic_uint busy;
} crowd;

static void join_the_crowd(struct tlr_conn *conn)
{
    if (tlr_conn_worker(conn) == 0 && crowd.count < ROOM) {
        crowd.open[crowd.count++] = conn;
    }
}

static void read_nothing(struct tlr_conn *conn, ssize_t nread, char *data)
{
    (void)conn;
    (void)nread;
    (void)data;
}

static void keep_busy(struct tlr_conn *conn, int status)
{
    if (status == 0) {
        (void)tlr_write(conn, "", 0);
    }
}

static void begin_to_be_busy(struct tlr_conn *conn)
{
    atomic_fetch_add(&crowd.busy, 1);
    keep_busy(conn, 0);
}

static void connect_busy_ones(struct tlr_server *server, unsigned worker,
                              void *data)
{
    static const struct tlr_handler busy = {.on_open = begin_to_be_busy,
                                            .on_read = read_nothing,
                                            .on_write = keep_busy};
    const struct sockaddr *address = (struct sockaddr *)&crowd.address;
    struct tlr_conn *conn;
    unsigned i;

    (void)data;
    for (i = 0; i < BUSY; i++) {
        assert_int_equal(tlr_connect(server, worker, address, &busy, &conn),
                         0);
    }
}

static bool all_are_busy(void *data)
{
    (void)data;
    return atomic_load(&crowd.busy) == BUSY;
}

static bool has_filled_twice(void *fixture)
{
    return counters_of(fixture, 0).accepted == BUSY + 2 * ROOM;
}

/*
 * The last on_close of these comes in the turn after the others': when the
 * worker has accepted as many as there was room for, and was denied more.
 */
static void leave_all_at_once(struct tlr_server *server, unsigned worker,
                              void *data)
{
    unsigned i;

    (void)server;
    (void)worker;
    (void)data;
    for (i = 0; i < ROOM; i++) {
        tlr_reset(crowd.open[i]);
    }
}

static void room_may_come_in_the_turn_that_it_was_denied(void **state)
{
    struct fixture *f = *state;
    struct client clients[100]; /* some half of them for either worker */
    struct sockaddr_in any;
    uv_os_sock_t silent;

    memset(&crowd, 0, sizeof(crowd));
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &any), 0);
    assert_int_equal(
        tlr_handoff_listen((struct sockaddr *)&any, BUSY, 0, &silent), 0);
    assert_int_equal(tlr_handoff_name(silent, &crowd.address), 0);
    memset(&f->options.handler, 0, sizeof(f->options.handler));
    f->options.handler.on_open = join_the_crowd;
    f->options.handler.on_read = read_nothing;
    f->options.max_per_worker = ROOM;
    start(f);
    clients_dial(f, clients, COUNT(clients));
    wait_accepted(f, 2 * ROOM);
    wait_for(f, waited_limit, 2);
    assert_int_equal(tlr_post(f->server, 0, connect_busy_ones, NULL), 0);
    run_until(&f->loop, all_are_busy, NULL);
    assert_int_equal(tlr_post(f->server, 0, leave_all_at_once, NULL), 0);
    run_until(&f->loop, has_filled_twice, f);
    clients_close(f, clients, COUNT(clients));
    tlr_handoff_close(silent);
}

/* ---- closing at the limit -------------------------------------------- */

static void at_the_limit_peers_can_be_closed(void **state)
{
    struct fixture *f = *state;
    struct client served[2];
    struct client refused[5];
    struct client later;
    size_t i;

    f->options.max_connections = 2;
    f->options.at_limit = TLR_AT_LIMIT_CLOSE;
    start(f);
    for (i = 0; i < COUNT(served); i++) {
        client_connect(f, &served[i]);
        client_exchange(f, &served[i]);
    }
    clients_dial(f, refused, COUNT(refused));
    for (i = 0; i < COUNT(refused); i++) {
        client_wait_reset(f, &refused[i]);
    }
    assert_int_equal(counters(f).refused_limit, COUNT(refused));
    assert_int_equal(counters(f).refused, COUNT(refused));
    assert_int_equal(counters(f).waited_limit, 0);
    client_exchange(f, &served[1]);
    client_close(f, &served[0]);
    wait_open(f, 1);
    while (atomic_load(&f->server->pool.total) > 1) {
        run_for(&f->loop, 1);
    }
    client_connect(f, &later);
    client_exchange(f, &later);
    client_close(f, &later);
    client_close(f, &served[1]);
    clients_close(f, refused, COUNT(refused));
}

static void or_wait_which_is_counted(void **state)
{
    struct fixture *f = *state;
    struct client clients[4];

    f->options.max_connections = 2;
    start(f);
    clients_dial(f, clients, COUNT(clients));
    wait_open(f, 2);
    wait_for(f, waited_limit, 1);
    run_for(&f->loop, 50);
    assert_in_range(counters(f).waited_limit, 1, 20); /* it does not spin */
    assert_int_equal(counters(f).refused, 0);
    assert_int_equal(counters(f).accepted, 2);
    clients_close(f, clients, COUNT(clients));
}

/* ---- the accept rate -------------------------------------------------- */

/* So slow that a busy machine accepts faster than that. */
#define RATE 20
#define BURST 5
#define MANY 15

/* All of them are in the kernel's queue when the server starts. */
static void start_with_queued(struct fixture *f, struct client *clients,
                              size_t count)
{
    size_t i;

    if (f->options.balance == TLR_BALANCE_REUSEPORT &&
        !tlr_handoff_has_reuseport()) {
        skip();
    }
    create_server(f);
    listen_on(f, "127.0.0.1", 0);
    clients_dial(f, clients, count);
    for (i = 0; i < count; i++) {
        client_wait_connected(f, &clients[i]);
    }
    start_created(f);
}

/* Whatever the machine is doing: never more than the bucket gave. */
static void the_rate_is_not_passed(void **state)
{
    static struct client clients[MANY];
    struct fixture *f = *state;
    uint64_t accepted = 0;
    uint64_t begun;
    double most;

    f->options.accept_rate = RATE;
    f->options.accept_burst = BURST;
    begun = uv_hrtime();
    start_with_queued(f, clients, MANY);
    while (accepted < MANY) {
        run_for(&f->loop, 1);
        accepted = counters(f).accepted;
        most = BURST + 1 + RATE * (double)(uv_hrtime() - begun) / 1e9;
        assert_in_range(accepted, 0, (uint64_t)most);
    }
    assert_in_range((uv_hrtime() - begun) / 1000000,
                    (MANY - BURST - 1) * 1000 / RATE, DEADLINE);
    assert_in_range(counters(f).waited_rate, 1, 10 * MANY);
    assert_int_equal(counters(f).refused, 0);
    clients_close(f, clients, MANY);
}

static void beyond_the_rate_peers_can_be_closed(void **state)
{
    struct fixture *f = *state;
    struct client clients[10];
    unsigned over = 0;

    f->options.accept_rate = 1;
    f->options.accept_burst = 4;
    f->options.at_limit = TLR_AT_LIMIT_CLOSE;
    start_with_queued(f, clients, COUNT(clients));
    while (counters(f).accepted + counters(f).refused < COUNT(clients)) {
        run_for(&f->loop, 1);
    }
    assert_in_range(counters(f).accepted, 4, COUNT(clients) - 1);
    assert_int_equal(counters(f).refused_rate, counters(f).refused);
    while (over < counters(f).refused) {
        size_t i;

        run_for(&f->loop, 1);
        for (i = 0, over = 0; i < COUNT(clients); i++) {
            over += clients[i].ended || clients[i].error != 0;
        }
    }
    assert_int_equal(counters(f).waited_rate, 0);
    clients_close(f, clients, COUNT(clients));
}

/* What is refused anyway is none of those that come in in a second. */
static void the_refused_take_nothing_of_the_rate(void **state)
{
    struct fixture *f = *state;
    struct client kept[3];
    struct client refused[20];
    size_t i;

    f->options.accept_rate = 1;
    f->options.accept_burst = 4;
    f->options.max_per_peer = 3;
    start(f);
    for (i = 0; i < COUNT(kept); i++) {
        client_connect(f, &kept[i]);
        client_exchange(f, &kept[i]);
    }
    clients_dial(f, refused, COUNT(refused));
    for (i = 0; i < COUNT(refused); i++) {
        client_wait_reset(f, &refused[i]);
    }
    assert_int_equal(counters(f).refused_peer, COUNT(refused));
    assert_int_equal(counters(f).waited_rate, 0);
    clients_close(f, kept, COUNT(kept));
    clients_close(f, refused, COUNT(refused));
}

/* What the kernel has queued would be reset by the end of the listener. */
static void a_drain_does_not_keep_to_the_rate(void **state)
{
    struct fixture *f = *state;
    struct client clients[30];
    size_t i;

    f->options.accept_rate = 1;
    f->options.accept_burst = 2;
    start_with_queued(f, clients, COUNT(clients));
    for (i = 0; i < COUNT(clients); i++) {
        client_send(&clients[i], "x", 1);
        client_half_close(&clients[i]);
    }
    wait_for(f, waited_rate, 1);
    tlr_server_drain(f->server, 20000);
    for (i = 0; i < COUNT(clients); i++) {
        client_wait_end(f, &clients[i]);
        assert_int_equal(clients[i].received, 1);
    }
    run_until(&f->loop, is_stopped, f);
    assert_int_equal(counters(f).accepted, COUNT(clients));
    clients_close(f, clients, COUNT(clients));
}

/* ---- who may in ------------------------------------------------------- */

static void access_is(struct fixture *f, const char *network, int allow)
{
    static struct tlr_access_rule rules[4];

    if (f->options.access == NULL) {
        f->options.access = rules;
        f->options.access_count = 0;
    }
    assert_int_equal(tlr_access_parse(network, allow,
                                      &rules[f->options.access_count]),
                     0);
    f->options.access_count++;
}

static void who_may_not_in_costs_no_memory(void **state)
{
    struct fixture *f = *state;
    struct client clients[5];
    unsigned allocations;
    size_t i;

    access_is(f, "127.0.0.0/8", 0);
    start(f);
    run_for(&f->loop, 20);
    allocations = atomic_load(&f->memory.allocations);
    clients_dial(f, clients, COUNT(clients));
    for (i = 0; i < COUNT(clients); i++) {
        client_wait_reset(f, &clients[i]);
    }
    assert_int_equal(atomic_load(&f->memory.allocations), allocations);
    assert_int_equal(counters(f).refused_access, COUNT(clients));
    assert_int_equal(counters(f).refused, COUNT(clients));
    assert_int_equal(counters(f).accepted, 0);
    clients_close(f, clients, COUNT(clients));
}

static void who_may_is_served(void **state)
{
    struct fixture *f = *state;
    struct client client;

    access_is(f, "0.0.0.0/0", 0);
    access_is(f, "127.0.0.1", 1);
    start(f);
    client_connect(f, &client);
    client_exchange(f, &client);
    client_close(f, &client);
}

static void ipv4_on_an_ipv6_socket_is_seen_as_ipv4(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in6 any;
    struct sockaddr_in loopback;
    struct sockaddr_storage bound;
    struct client client;

    access_is(f, "127.0.0.1", 0);
    access_is(f, "::/0", 1);
    create_server(f);
    assert_int_equal(uv_ip6_addr("::", 0, &any), 0);
    if (tlr_server_listen(f->server, (struct sockaddr *)&any, 0) != 0) {
        skip();
    }
    assert_int_equal(tlr_server_address(f->server, 0, &bound), 0);
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &loopback), 0);
    loopback.sin_port = ((struct sockaddr_in6 *)&bound)->sin6_port;
    memset(&f->address, 0, sizeof(f->address));
    memcpy(&f->address, &loopback, sizeof(loopback));
    start_created(f);
    client_dial(f, &client);
    client_wait_reset(f, &client);
    assert_int_equal(counters(f).refused_access, 1);
    client_close(f, &client);
}

static void rules_have_to_make_sense(void **state)
{
    struct fixture *f = *state;
    struct tlr_access_rule rule;

    assert_int_equal(tlr_access_parse("10.0.0.0/8", 1, &rule), 0);
    rule.prefix = 33;
    f->options.access = &rule;
    f->options.access_count = 1;
    assert_int_equal(tlr_server_create(&f->server, &f->loop, &f->options),
                     UV_EINVAL);
    f->options.access = NULL;
    assert_int_equal(tlr_server_create(&f->server, &f->loop, &f->options),
                     UV_EINVAL);
}

/* ---- what the library thinks fit --------------------------------------- */

static void the_limits_follow_the_descriptors(void **state)
{
    struct fixture *f = *state;
    uint64_t limit;
    uint64_t taken;

    if (!limit_descriptors(SIZE_MAX)) {
        start(f);
        assert_int_equal(f->server->pool.limit, 0);
        assert_int_equal(f->server->pool.worker_limit, 0);
        assert_int_equal(f->server->door.peers.most, 0);
        return;
    }
    create_server(f);
    listen_on(f, "127.0.0.1", 0);
    (void)limit_descriptors(100);
    start_created(f);
    assert_true(tlr_handoff_descriptors(&limit, &taken));
    /* Counting them may have opened one. */
    assert_in_range(count_descriptors() - taken, 0, 1);
    assert_int_equal(f->server->pool.limit, limit - taken - 8);
    assert_int_equal(f->server->pool.worker_limit,
                     f->options.loops == 2 ? limit - taken - 8
                                           : 2 * (limit - taken - 8));
    assert_int_equal(f->server->door.peers.most, 0); /* they are few */
}

static void one_peer_cannot_have_all_of_many(void **state)
{
    struct fixture *f = *state;

    f->options.max_connections = 1000;
    start(f);
    assert_int_equal(f->server->door.peers.most, 875);
    assert_true(f->server->door.peers.but_loopback);
}

/* With them the last descriptor is never reached. */
static void and_so_the_server_does_not_run_out(void **state)
{
    static struct client clients[60];
    struct fixture *f = *state;

    if (!limit_descriptors(SIZE_MAX)) {
        skip();
    }
    f->options.max_per_peer = 0;
    create_server(f);
    listen_on(f, "127.0.0.1", 0);
    clients_dial(f, clients, COUNT(clients)); /* their descriptors come first */
    (void)limit_descriptors(40);
    start_created(f);
    wait_for(f, waited_limit, 1);
    run_for(&f->loop, 100);
    assert_in_range(counters(f).open, 15, 40 - 8);
    assert_int_equal(counters(f).out_of_descriptors, 0);
    (void)limit_descriptors(SIZE_MAX);
    clients_close(f, clients, COUNT(clients));
}

/* ---- running out ------------------------------------------------------- */

static void wait_here(struct tlr_server *server, unsigned worker, void *sem)
{
    (void)server;
    (void)worker;
    uv_sem_wait(sem);
}

/* Nobody accepts before there is nothing to accept with. */
static void no_descriptors_are_counted_and_over_when_they_are(void **state)
{
    struct fixture *f = *state;
    struct client clients[10];
    uv_sem_t limited;
    size_t i;

    if (!limit_descriptors(SIZE_MAX)) {
        skip();
    }
    assert_int_equal(uv_sem_init(&limited, 0), 0);
    start(f);
    for (i = 0; i < tlr_server_workers(f->server); i++) {
        assert_int_equal(tlr_post(f->server, i, wait_here, &limited), 0);
    }
    clients_dial(f, clients, COUNT(clients));
    (void)limit_descriptors(0);
    for (i = 0; i < tlr_server_workers(f->server); i++) {
        uv_sem_post(&limited);
    }
    wait_for(f, out_of_descriptors, 3);
    assert_int_equal(counters(f).out_of_memory, 0);
    (void)limit_descriptors(SIZE_MAX);
    for (i = 0; i < COUNT(clients); i++) {
        client_exchange(f, &clients[i]);
    }
    assert_int_equal(counters(f).refused, 0);
    clients_close(f, clients, COUNT(clients));
    uv_sem_destroy(&limited);
}

static void no_memory_of_the_kernels_is_another_figure(void **state)
{
    struct fixture *f = *state;
    struct client client;

    if (!fail_accepts(UV_ENOBUFS, 1)) {
        skip();
    }
    start(f);
    client_connect(f, &client);
    client_exchange(f, &client);
    assert_int_equal(counters(f).out_of_memory, 1);
    assert_int_equal(counters(f).out_of_descriptors, 0);
    client_close(f, &client);
}

/* Each of these is one connection's, and the next one is accepted at once. */
static void an_error_that_passes_never_stops_the_listener(void **state)
{
    static const int errors[] = {
        UV_ECONNABORTED, UV_EPROTO, UV_EPERM, UV_ENETDOWN, UV_ENETUNREACH,
        UV_EHOSTDOWN, UV_EHOSTUNREACH, UV_ENOPROTOOPT, UV_ENOTSUP,
        UV_ETIMEDOUT, UV_EINTR};
    struct fixture *f = *state;
    struct client client;
    unsigned failed = 0;
    size_t i;

    if (!fail_accepts(UV_EIO, 0)) {
        skip();
    }
    start(f);
    for (i = 0; i < COUNT(errors); i++) {
        (void)fail_accepts(errors[i], 10);
        client_connect(f, &client);
        client_exchange(f, &client);
        client_close(f, &client);
        failed += errors[i] == UV_EINTR ? 0 : 10; /* which is no error */
        assert_int_equal(accepts_to_fail(), 0);
    }
    assert_int_equal(counters(f).accept_errors, failed);
    assert_int_equal(counters(f).out_of_descriptors, 0);
    assert_int_equal(counters(f).out_of_memory, 0);
}

/* Nor does it spin when it does not pass. */
static void but_one_after_the_other_is_taken_slowly(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uint64_t errors;

    if (!fail_accepts(UV_ENETDOWN, UINT32_MAX)) {
        skip();
    }
    start(f);
    client_dial(f, &client);
    run_for(&f->loop, 200);
    errors = counters(f).accept_errors;
    assert_in_range(errors, 64, 64 * (200 / 5 + 10) * 2);
    (void)fail_accepts(UV_ENETDOWN, 0);
    client_exchange(f, &client);
    client_close(f, &client);
}

static void an_unknown_error_is_waited_out(void **state)
{
    struct fixture *f = *state;
    struct client client;

    if (!fail_accepts(UV_EIO, 2)) {
        skip();
    }
    start(f);
    client_connect(f, &client);
    client_exchange(f, &client);
    assert_int_equal(counters(f).accept_errors, 2);
    client_close(f, &client);
}

static void no_memory_for_a_connection_is_counted(void **state)
{
    struct fixture *f = *state;
    struct client steady;
    struct client refused[3];
    size_t i;

    start(f);
    client_connect(f, &steady);
    client_exchange(f, &steady);
    atomic_store(&f->memory.fail_to, UINT32_MAX);
    atomic_store(&f->memory.fail_from, 1);
    clients_dial(f, refused, COUNT(refused));
    for (i = 0; i < COUNT(refused); i++) {
        client_wait_over(f, &refused[i]);
    }
    wait_for(f, refused_memory, COUNT(refused));
    atomic_store(&f->memory.fail_from, 0);
    assert_int_equal(counters(f).refused, COUNT(refused));
    client_exchange(f, &steady);
    client_close(f, &steady);
    clients_close(f, refused, COUNT(refused));
}

/* ---- warnings ----------------------------------------------------------- */

static struct {
    uv_thread_t thread;
    uint64_t times[TLR_WARNINGS];
    unsigned calls[TLR_WARNINGS];
    uint64_t last[TLR_WARNINGS];
    uint64_t shortest; /* nanoseconds between two of a kind */
    int error;
    unsigned through;
    bool stop;
} told;

static void on_warning(struct tlr_server *server,
                       const struct tlr_warning *warning)
{
    uv_thread_t self = uv_thread_self();
    uint64_t now = uv_hrtime();

    assert_true(uv_thread_equal(&self, &told.thread));
    assert_in_range(warning->times, 1, UINT64_MAX);
    if (told.calls[warning->kind] > 0 &&
        now - told.last[warning->kind] < told.shortest) {
        told.shortest = now - told.last[warning->kind];
    }
    told.last[warning->kind] = now;
    told.calls[warning->kind]++;
    told.times[warning->kind] += warning->times;
    told.error = warning->error;
    if (told.stop) {
        tlr_server_stop(server);
    }
}

static void trampoline(void (*call)(void *argument), void *argument,
                       void *user)
{
    (void)user;
    told.through++;
    call(argument);
}

static void start_telling(struct fixture *f)
{
    memset(&told, 0, sizeof(told));
    told.thread = uv_thread_self();
    told.shortest = UINT64_MAX;
    f->options.on_warning = on_warning;
    start(f);
}

static bool is_told(void *kind)
{
    return told.calls[*(int *)kind] > 0;
}

static void expect_told(struct fixture *f, int kind)
{
    run_until(&f->loop, is_told, &kind);
}

static void each_trouble_is_told_of(void **state)
{
    struct fixture *f = *state;
    struct client clients[5];

    f->options.max_per_peer = 1;
    f->options.trampoline = trampoline;
    start_telling(f);
    clients_dial(f, clients, COUNT(clients));
    wait_for(f, refused_peer, COUNT(clients) - 1);
    expect_told(f, TLR_WARNING_PEER);
    assert_int_equal(told.error, 0);
    assert_in_range(told.through, 1, 1000);
    if (fail_accepts(UV_EMFILE, 1)) {
        clients_close(f, clients, COUNT(clients));
        wait_open(f, 0);
        client_connect(f, &clients[0]);
        expect_told(f, TLR_WARNING_DESCRIPTORS);
        assert_int_equal(told.error, UV_EMFILE);
        (void)fail_accepts(UV_ENOMEM, 1);
        client_connect(f, &clients[1]);
        expect_told(f, TLR_WARNING_MEMORY);
        assert_int_equal(told.error, UV_ENOMEM);
        (void)fail_accepts(UV_EPERM, 1);
        client_connect(f, &clients[2]);
        expect_told(f, TLR_WARNING_ACCEPT);
        assert_int_equal(told.error, UV_EPERM);
        clients_close(f, clients, 3);
    } else {
        clients_close(f, clients, COUNT(clients));
    }
}

static void reaching_a_limit_is_told_of(void **state)
{
    struct fixture *f = *state;
    struct client clients[5];

    f->options.max_connections = 3;
    f->options.accept_rate = 2;
    f->options.accept_burst = 2;
    start_telling(f);
    clients_dial(f, clients, COUNT(clients));
    expect_told(f, TLR_WARNING_RATE);
    expect_told(f, TLR_WARNING_CONNECTIONS);
    clients_close(f, clients, COUNT(clients));
}

/* Nothing is lost meanwhile: it comes with the next one. */
static void but_once_a_second_for_each_kind(void **state)
{
    struct fixture *f = *state;
    struct client kept;
    unsigned refused = 0;

    f->options.max_per_peer = 1;
    start_telling(f);
    client_connect(f, &kept);
    client_exchange(f, &kept);
    while (told.calls[TLR_WARNING_PEER] < 3) {
        struct client client;

        client_dial(f, &client);
        client_wait_over(f, &client);
        client_close(f, &client);
        refused++;
    }
    assert_in_range(refused, 3, UINT32_MAX);
    assert_in_range(told.shortest, 1000000000, UINT64_MAX);
    while (told.times[TLR_WARNING_PEER] < refused) {
        run_for(&f->loop, 10);
    }
    assert_int_equal(told.times[TLR_WARNING_PEER], refused);
    assert_in_range(told.calls[TLR_WARNING_PEER], 3, 4);
    client_close(f, &kept);
}

static void whoever_is_told_may_stop_the_server(void **state)
{
    struct fixture *f = *state;
    struct client clients[3];

    f->options.max_per_peer = 1;
    start_telling(f);
    told.stop = true;
    clients_dial(f, clients, COUNT(clients));
    run_until(&f->loop, is_stopped, f);
    clients_close(f, clients, COUNT(clients));
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, setup, teardown)
#define TEST_IN(function, mode) \
    { #function " (" #mode ")", function, setup, teardown, &mode }

int main(void)
{
    static struct mode threads = {2, TLR_BALANCE_LEAST};
    static struct mode in_turn = {2, TLR_BALANCE_ROUND_ROBIN};
    static struct mode host = {TLR_LOOPS_HOST, TLR_BALANCE_LEAST};
    static struct mode reuseport = {2, TLR_BALANCE_REUSEPORT};
    const struct CMUnitTest tests[] = {
        TEST_IN(a_peer_has_so_many_connections_and_no_more, threads),
        TEST_IN(a_peer_has_so_many_connections_and_no_more, host),
        TEST_IN(a_peer_has_so_many_connections_and_no_more, reuseport),
        TEST(which_is_not_the_other_peers_business),
        TEST_IN(unless_it_is_asked_for_they_wait, threads),
        TEST_IN(unless_it_is_asked_for_they_wait, host),
        TEST_IN(thousands_leave_no_trace_of_a_peer, threads),
        TEST_IN(thousands_leave_no_trace_of_a_peer, host),
        TEST_IN(thousands_leave_no_trace_of_a_peer, reuseport),
        TEST_IN(a_worker_has_so_many_and_the_others_take_the_rest, threads),
        TEST_IN(a_worker_has_so_many_and_the_others_take_the_rest, in_turn),
        TEST(also_where_the_kernel_chooses),
        TEST_IN(room_may_come_in_the_turn_that_it_was_denied, reuseport),
        TEST_IN(at_the_limit_peers_can_be_closed, threads),
        TEST_IN(at_the_limit_peers_can_be_closed, host),
        TEST_IN(at_the_limit_peers_can_be_closed, reuseport),
        TEST_IN(or_wait_which_is_counted, threads),
        TEST_IN(or_wait_which_is_counted, host),
        TEST_IN(or_wait_which_is_counted, reuseport),
        TEST_IN(the_rate_is_not_passed, threads),
        TEST_IN(the_rate_is_not_passed, host),
        TEST_IN(the_rate_is_not_passed, reuseport),
        TEST_IN(beyond_the_rate_peers_can_be_closed, threads),
        TEST_IN(beyond_the_rate_peers_can_be_closed, reuseport),
        TEST_IN(the_refused_take_nothing_of_the_rate, threads),
        TEST_IN(the_refused_take_nothing_of_the_rate, host),
        TEST_IN(a_drain_does_not_keep_to_the_rate, threads),
        TEST_IN(a_drain_does_not_keep_to_the_rate, host),
        TEST_IN(a_drain_does_not_keep_to_the_rate, reuseport),
        TEST_IN(who_may_not_in_costs_no_memory, threads),
        TEST_IN(who_may_not_in_costs_no_memory, reuseport),
        TEST(who_may_is_served),
        TEST(ipv4_on_an_ipv6_socket_is_seen_as_ipv4),
        TEST(rules_have_to_make_sense),
        TEST_IN(the_limits_follow_the_descriptors, threads),
        TEST(one_peer_cannot_have_all_of_many),
        TEST_IN(the_limits_follow_the_descriptors, host),
        TEST_IN(and_so_the_server_does_not_run_out, threads),
        TEST_IN(and_so_the_server_does_not_run_out, reuseport),
        TEST_IN(no_descriptors_are_counted_and_over_when_they_are, threads),
        TEST_IN(no_descriptors_are_counted_and_over_when_they_are, reuseport),
        TEST_IN(no_memory_of_the_kernels_is_another_figure, threads),
        TEST_IN(no_memory_of_the_kernels_is_another_figure, reuseport),
        TEST_IN(an_error_that_passes_never_stops_the_listener, threads),
        TEST_IN(an_error_that_passes_never_stops_the_listener, reuseport),
        TEST_IN(but_one_after_the_other_is_taken_slowly, threads),
        TEST_IN(but_one_after_the_other_is_taken_slowly, reuseport),
        TEST(an_unknown_error_is_waited_out),
        TEST_IN(no_memory_for_a_connection_is_counted, threads),
        TEST_IN(no_memory_for_a_connection_is_counted, reuseport),
        TEST_IN(each_trouble_is_told_of, threads),
        TEST_IN(each_trouble_is_told_of, host),
        TEST_IN(each_trouble_is_told_of, reuseport),
        TEST_IN(reaching_a_limit_is_told_of, threads),
        TEST_IN(reaching_a_limit_is_told_of, reuseport),
        TEST_IN(but_once_a_second_for_each_kind, threads),
        TEST_IN(but_once_a_second_for_each_kind, reuseport),
        TEST_IN(whoever_is_told_may_stop_the_server, threads),
        TEST_IN(whoever_is_told_may_stop_the_server, host),
        TEST_IN(whoever_is_told_may_stop_the_server, reuseport),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
