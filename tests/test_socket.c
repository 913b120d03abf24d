/* SPDX-License-Identifier: MIT */
/* What is known of a connection's socket, and sockets from elsewhere. */
#include "script.h"

#include <string.h>

#include "core/handoff.h"
#include "echo/echo.h"

/* ---- options -------------------------------------------------------- */

static int get(struct tlr_conn *conn, enum tlr_socket_option option)
{
    int value = -1;

    assert_int_equal(tlr_conn_get(conn, option, &value), 0);
    return value;
}

static void look_at_nodelay(struct tlr_conn *conn)
{
    assert_int_equal(get(conn, TLR_NODELAY), 1);
    assert_int_equal(tlr_conn_set(conn, TLR_NODELAY, 0), 0);
    assert_int_equal(get(conn, TLR_NODELAY), 0);
    assert_int_equal(tlr_conn_set(conn, TLR_NODELAY, 2), UV_EINVAL);
    assert_int_equal(tlr_conn_set(conn, TLR_NODELAY, -1), UV_EINVAL);
    assert_int_equal(get(conn, TLR_NODELAY), 0);
    assert_int_equal(tlr_conn_set(conn, TLR_NODELAY, 1), 0);
    assert_int_equal(get(conn, TLR_NODELAY), 1);
}

static void look_at_keepalive(struct tlr_conn *conn)
{
    int err;

    assert_int_equal(get(conn, TLR_KEEPALIVE), 0);
    err = tlr_conn_set(conn, TLR_KEEPALIVE, 30);
    if (err != 0 && !late_resets_are_told()) {
        return; /* Wine 8 cannot say after how many seconds */
    }
    assert_int_equal(err, 0);
    assert_int_equal(get(conn, TLR_KEEPALIVE), 30);
    assert_int_equal(tlr_conn_set(conn, TLR_KEEPALIVE, -1), UV_EINVAL);
    assert_int_equal(get(conn, TLR_KEEPALIVE), 30);
    assert_int_equal(tlr_conn_set(conn, TLR_KEEPALIVE, 0), 0);
    assert_int_equal(get(conn, TLR_KEEPALIVE), 0);
}

static void look_at_buffers(struct tlr_conn *conn)
{
    static const enum tlr_socket_option options[] = {TLR_SEND_BUFFER,
                                                     TLR_RECEIVE_BUFFER};
    size_t i;

    for (i = 0; i < COUNT(options); i++) {
        assert_in_range(get(conn, options[i]), 1, INT32_MAX);
        assert_int_equal(tlr_conn_set(conn, options[i], 40000), 0);
        assert_in_range(get(conn, options[i]), 40000, 80000);
        assert_int_equal(tlr_conn_set(conn, options[i], 0), UV_EINVAL);
        assert_int_equal(tlr_conn_set(conn, options[i], -1), UV_EINVAL);
        assert_in_range(get(conn, options[i]), 40000, 80000);
    }
}

static void look_at_others(struct tlr_conn *conn)
{
    int value = 0;

    assert_int_equal(tlr_conn_set(conn, (enum tlr_socket_option)99, 1),
                     UV_EINVAL);
    assert_int_equal(tlr_conn_get(conn, (enum tlr_socket_option)99, &value),
                     UV_EINVAL);
}

static void look_at_all(struct tlr_conn *conn)
{
    look_at_nodelay(conn);
    look_at_keepalive(conn);
    look_at_buffers(conn);
    look_at_others(conn);
    assert_int_equal(tlr_read(conn), 0);
}

static void look_without_socket(struct tlr_conn *conn)
{
    struct sockaddr_storage address;
    int value;

    assert_int_equal(tlr_conn_set(conn, TLR_NODELAY, 1), UV_EBADF);
    assert_int_equal(tlr_conn_get(conn, TLR_NODELAY, &value), UV_EBADF);
    assert_int_equal(tlr_conn_get(conn, TLR_SEND_BUFFER, &value), UV_EBADF);
    assert_int_equal(tlr_conn_peer(conn, &address), UV_EBADF);
    assert_int_equal(tlr_conn_local(conn, &address), UV_EBADF);
}

static void options_can_be_set_and_read(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = look_at_all;
    script.received = read_on;
    script.closed = look_without_socket;
    start_server(f);
    client_connect(f, &client);
    wait_opened(f);
    client_close(f, &client);
    wait_close(f);
}

/* ---- addresses ------------------------------------------------------ */

static struct sockaddr_storage peer;
static struct sockaddr_storage local;

static void note_addresses(struct tlr_conn *conn)
{
    memset(&peer, 0, sizeof(peer));
    memset(&local, 0, sizeof(local));
    assert_int_equal(tlr_conn_peer(conn, &peer), 0);
    assert_int_equal(tlr_conn_local(conn, &local), 0);
}

static void compare_addresses(struct fixture *f, size_t size)
{
    struct sockaddr_storage name;
    struct client client;
    int length = sizeof(name);

    script.opened = note_addresses;
    start_created(f);
    client_connect(f, &client);
    wait_opened(f);
    assert_memory_equal(&local, &f->address, size);
    memset(&name, 0, sizeof(name));
    assert_int_equal(uv_tcp_getsockname(&client.tcp, (struct sockaddr *)&name,
                                        &length),
                     0);
    assert_memory_equal(&peer, &name, size);
    client_close(f, &client);
}

static void both_addresses_are_known(void **state)
{
    create_server(*state);
    listen_on(*state, "127.0.0.1", 0);
    compare_addresses(*state, sizeof(struct sockaddr_in));
}

static void both_addresses_of_ipv6_are_known(void **state)
{
    struct sockaddr_in6 any;
    uv_os_sock_t sock;

    assert_int_equal(uv_ip6_addr("::1", 0, &any), 0);
    if (tlr_handoff_listen((struct sockaddr *)&any, 0, 0, &sock) != 0) {
        return; /* there is no IPv6 here */
    }
    tlr_handoff_close(sock);
    create_server(*state);
    listen_on(*state, "::1", 0);
    compare_addresses(*state, sizeof(struct sockaddr_in6));
}

/* ---- adopting ------------------------------------------------------- */

static uv_os_sock_t listener;
static struct sockaddr_storage elsewhere; /* where it listens */

static int set_up(void **state)
{
    struct sockaddr_in any;
    struct fixture *f;
    int err = script_setup(state);

    f = *state;
    memset(&f->options.handler, 0, sizeof(f->options.handler));
    tlr_echo_handler(&f->options.handler);
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &any), 0);
    assert_int_equal(
        tlr_handoff_listen((struct sockaddr *)&any, 0, 0, &listener), 0);
    assert_int_equal(tlr_handoff_name(listener, &elsewhere), 0);
    return err;
}

static int tear_down(void **state)
{
    tlr_handoff_close(listener);
    return script_teardown(state);
}

/* The other end of the client's connection. */
static uv_os_sock_t accept_one(struct fixture *f, struct client *client)
{
    struct sockaddr_storage address;
    uv_os_sock_t sock;

    client_dial_to(f, client, &elsewhere);
    client_wait_connected(f, client);
    assert_int_equal(tlr_handoff_accept(listener, &sock, &address), 0);
    return sock;
}

static void an_adopted_socket_is_served(void **state)
{
    struct fixture *f = *state;
    struct client clients[4];
    unsigned i;

    create_server(f); /* listens nowhere */
    start_created(f);
    for (i = 0; i < COUNT(clients); i++) {
        uv_os_sock_t sock = accept_one(f, &clients[i]);

        assert_int_equal(tlr_adopt(f->server, TLR_NEXT_WORKER, sock), 0);
    }
    for (i = 0; i < COUNT(clients); i++) {
        client_exchange(f, &clients[i]);
    }
    wait_open(f, COUNT(clients));
    for (i = 0; i < tlr_server_workers(f->server); i++) {
        assert_int_equal(counters_of(f, i).open,
                         COUNT(clients) / tlr_server_workers(f->server));
    }
    for (i = 0; i < COUNT(clients); i++) {
        client_close(f, &clients[i]);
    }
    wait_open(f, 0);
}

static void a_worker_may_be_named(void **state)
{
    struct fixture *f = *state;
    unsigned last;
    struct client clients[3];
    size_t i;

    start_server(f);
    last = tlr_server_workers(f->server) - 1;
    for (i = 0; i < COUNT(clients); i++) {
        uv_os_sock_t sock = accept_one(f, &clients[i]);

        assert_int_equal(tlr_adopt(f->server, last, sock), 0);
        client_exchange(f, &clients[i]);
    }
    assert_int_equal(counters_of(f, last).accepted, COUNT(clients));
    for (i = 0; i < COUNT(clients); i++) {
        client_close(f, &clients[i]);
    }
}

static atomic_uint posts;

static void count_post(struct tlr_server *server, unsigned worker, void *data)
{
    (void)server;
    (void)worker;
    (void)data;
    atomic_fetch_add(&posts, 1);
}

static bool has_post(void *data)
{
    return atomic_load(&posts) >= *(unsigned *)data;
}

static void post_to(struct fixture *f, unsigned worker, unsigned count)
{
    assert_int_equal(tlr_post(f->server, worker, count_post, NULL), 0);
    run_until(&f->loop, has_post, &count);
}

/* It has said that it is empty: but it is not any more, and so the others stay
 * for what it may post to them. */
static void an_adopted_one_keeps_all_workers_of_a_drain(void **state)
{
    struct fixture *f = *state;
    struct client first;
    struct client second;

    atomic_store(&posts, 0);
    start_server(f);
    assert_int_equal(tlr_adopt(f->server, 1, accept_one(f, &first)), 0);
    client_exchange(f, &first);
    tlr_server_drain(f->server, TLR_NO_DEADLINE);
    post_to(f, 0, 1); /* behind the order: it is empty, and has said so */
    run_for(&f->loop, 50);
    assert_int_equal(tlr_adopt(f->server, 0, accept_one(f, &second)), 0);
    client_exchange(f, &second);
    client_close(f, &first);
    wait_open(f, 1);
    run_for(&f->loop, 50);
    post_to(f, 1, 2);
    client_close(f, &second);
    run_until(&f->loop, is_stopped, f);
}

struct adoption {
    struct tlr_server *server;
    uv_os_sock_t sock;
    int err;
};

static void adopt_on_a_thread(void *arg)
{
    struct adoption *adoption = arg;

    adoption->err =
        tlr_adopt(adoption->server, TLR_NEXT_WORKER, adoption->sock);
}

static void any_thread_may_have_it_adopted(void **state)
{
    struct fixture *f = *state;
    struct adoption adoption;
    struct client client;
    uv_thread_t thread;

    start_server(f);
    adoption.server = f->server;
    adoption.sock = accept_one(f, &client);
    assert_int_equal(uv_thread_create(&thread, adopt_on_a_thread, &adoption),
                     0);
    assert_int_equal(uv_thread_join(&thread), 0);
    assert_int_equal(adoption.err, 0);
    client_exchange(f, &client);
    client_close(f, &client);
}

static void children_do_not_inherit_it(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uv_os_sock_t sock;
    size_t before;

    start_server(f);
    sock = accept_one(f, &client);
    before = count_inheritable();
    make_inheritable(sock);
    assert_int_equal(count_inheritable(), before + 1);
    assert_int_equal(tlr_adopt(f->server, 0, sock), 0);
    assert_int_equal(count_inheritable(), before);
    client_exchange(f, &client);
    client_close(f, &client);
}

/* It is still ours, and as it was: it can be sent from. */
static void expect_unchanged(struct fixture *f, struct client *client,
                             uv_os_sock_t sock, size_t inheritable)
{
    assert_int_equal(count_inheritable(), inheritable);
    assert_int_equal(send(sock, "mine", 4, 0), 4);
    client_wait(f, client, 4);
    tlr_handoff_close(sock);
    client_wait_end(f, client);
    client_close(f, client);
}

static void what_is_refused_stays_the_callers(void **state)
{
    struct fixture *f = *state;
    struct client first;
    struct client client;
    uv_os_sock_t sock;
    size_t inheritable;

    f->options.max_connections = 1;
    start_server(f);
    client_connect(f, &first);
    wait_open(f, 1);
    sock = accept_one(f, &client);
    make_inheritable(sock);
    inheritable = count_inheritable();
    assert_int_equal(tlr_adopt(f->server, 0, sock), UV_ENOBUFS);
    assert_int_equal(tlr_adopt(f->server, TLR_NEXT_WORKER, sock), UV_ENOBUFS);
    assert_int_equal(tlr_adopt(f->server, 9, sock), UV_EINVAL);
    assert_int_equal(tlr_adopt(f->server, TLR_HOST, sock), UV_EINVAL);
    expect_unchanged(f, &client, sock, inheritable);
    client_close(f, &first);
    wait_open(f, 0);
}

static void it_has_to_run(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uv_os_sock_t sock;
    size_t inheritable;

    f->options.max_connections = 1;
    create_server(f);
    sock = accept_one(f, &client);
    make_inheritable(sock);
    inheritable = count_inheritable();
    assert_int_equal(tlr_adopt(f->server, 0, sock), UV_EAGAIN);
    assert_int_equal(tlr_adopt(f->server, 0, sock), UV_EAGAIN);
    assert_int_equal(count_inheritable(), inheritable);
    start_created(f);
    drain_server(f, 0);
    assert_int_equal(tlr_adopt(f->server, 0, sock), UV_ECANCELED);
    assert_int_equal(tlr_adopt(f->server, 0, sock), UV_ECANCELED);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).accepted, 0);
    expect_unchanged(f, &client, sock, inheritable);
}

static void borrowed_loops_have_to_be_there(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uv_os_sock_t sock;
    size_t inheritable;

    f->options.loops = TLR_LOOPS_BORROWED;
    f->options.borrowed = 1;
    create_server(f);
    start_created(f);
    sock = accept_one(f, &client);
    inheritable = count_inheritable();
    assert_int_equal(tlr_adopt(f->server, 0, sock), UV_EAGAIN);
    drain_server(f, 0); /* and now it is hopeless */
    assert_int_equal(tlr_adopt(f->server, 0, sock), UV_ECANCELED);
    expect_unchanged(f, &client, sock, inheritable);
}

static void but_only_the_one_that_is_to_serve(void **state)
{
    struct fixture *f = *state;
    struct tlr_conn *conn;
    struct client client;
    uv_os_sock_t sock;

    f->options.loops = TLR_LOOPS_BORROWED;
    f->options.borrowed = 2;
    create_server(f);
    start_created(f);
    assert_int_equal(tlr_server_attach(f->server, 1, &f->loop), 0);
    sock = accept_one(f, &client);
    assert_int_equal(tlr_adopt(f->server, 0, sock), UV_EAGAIN);
    assert_int_equal(tlr_adopt(f->server, 1, sock), 0);
    client_exchange(f, &client);
    client_close(f, &client);
    drain_server(f, 0);
    assert_int_equal(tlr_connect(f->server, 1,
                                 (struct sockaddr *)&elsewhere, NULL, &conn),
                     UV_ECANCELED);
}

static void without_memory_it_is_refused(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uv_os_sock_t sock;
    size_t inheritable;

    start_server(f);
    sock = accept_one(f, &client);
    make_inheritable(sock);
    inheritable = count_inheritable();
    f->memory.fail_to = UINT32_MAX;
    f->memory.fail_from = 1;
    assert_int_equal(tlr_adopt(f->server, 0, sock), UV_ENOMEM);
    f->memory.fail_from = 0;
    expect_unchanged(f, &client, sock, inheritable);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).accepted, 0);
}

static void adopt_one_of(struct fixture *f, uv_os_sock_t sock, int err)
{
    assert_int_equal(tlr_adopt(f->server, 0, sock), err);
    assert_int_equal(tlr_adopt(f->server, TLR_NEXT_WORKER, sock), err);
}

static void only_a_connected_tcp_socket_is_adopted(void **state)
{
    struct fixture *f = *state;
    uv_os_sock_t pair[2];
    uv_os_sock_t sock;
    int err;

    start_server(f);
    err = tlr_adopt(f->server, 0, (uv_os_sock_t)-1);
    assert_true(err == UV_EBADF || err == UV_ENOTSOCK);
    adopt_one_of(f, listener, UV_ENOTCONN);
    sock = socket(AF_INET, SOCK_STREAM, 0);
    adopt_one_of(f, sock, UV_ENOTCONN);
    tlr_handoff_close(sock);
    sock = socket(AF_INET, SOCK_DGRAM, 0);
    adopt_one_of(f, sock, UV_ENOTSUP);
    assert_int_equal(connect(sock, (struct sockaddr *)&elsewhere,
                             sizeof(struct sockaddr_in)),
                     0);
    adopt_one_of(f, sock, UV_ENOTSUP);
    tlr_handoff_close(sock);
    if (connect_locally(pair)) {
        adopt_one_of(f, pair[0], UV_ENOTSUP);
        tlr_handoff_close(pair[0]);
        tlr_handoff_close(pair[1]);
    }
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).accepted, 0);
}

static void adopted_ones_count_in_the_limit(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct client waiting;
    uv_os_sock_t sock;

    f->options.max_connections = 1;
    start_server(f);
    sock = accept_one(f, &client);
    assert_int_equal(tlr_adopt(f->server, 0, sock), 0);
    client_exchange(f, &client);
    client_connect(f, &waiting); /* in the kernel's queue */
    client_send(&waiting, "x", 1);
    run_for(&f->loop, 20);
    assert_int_equal(waiting.received, 0);
    client_close(f, &client);
    client_wait(f, &waiting, 1);
    client_close(f, &waiting);
}

#define ON(function, mode)                                                \
    cmocka_unit_test_prestate_setup_teardown(function, set_up, tear_down, \
                                             &(mode))
#define TWICE(function) \
    ON(function, script_on_host), ON(function, script_two)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_EVERYWHERE(options_can_be_set_and_read),
        TEST_EVERYWHERE(both_addresses_are_known),
        TEST_ON_HOST(both_addresses_of_ipv6_are_known),
        TWICE(an_adopted_socket_is_served),
        TWICE(a_worker_may_be_named),
        ON(an_adopted_one_keeps_all_workers_of_a_drain, script_two),
        TWICE(any_thread_may_have_it_adopted),
        TWICE(children_do_not_inherit_it),
        TWICE(what_is_refused_stays_the_callers),
        TWICE(it_has_to_run),
        ON(borrowed_loops_have_to_be_there, script_on_host),
        ON(but_only_the_one_that_is_to_serve, script_on_host),
        TWICE(without_memory_it_is_refused),
        TWICE(only_a_connected_tcp_socket_is_adopted),
        TWICE(adopted_ones_count_in_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
