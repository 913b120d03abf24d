/* SPDX-License-Identifier: MIT */
/*
 * Outbound connections. The server is an echo, and connects to itself, or to
 * where nobody listens; the log is of the outbound end.
 */
#include "script.h"

#include <stdlib.h>
#include <string.h>

#include "core/handoff.h"
#include "echo/echo.h"

enum { DATA = 64 };

static struct tlr_server *server;
static struct sockaddr_storage targets[2];
static size_t target_count;
static struct tlr_id asked; /* of the resolver */
static atomic_uint questions;
static uv_os_sock_t deaf; /* bound, but not listening */
static int result;        /* of the call */

static int set_up(void **state)
{
    int err = script_setup(state);
    struct fixture *f = *state;

    memset(&f->options.handler, 0, sizeof(f->options.handler));
    tlr_echo_handler(&f->options.handler);
    f->options.conn_data_size = DATA;
    memset(targets, 0, sizeof(targets));
    target_count = 1;
    atomic_store(&questions, 0);
    deaf = socket(AF_INET, SOCK_STREAM, 0);
    result = 1;
    return err;
}

static int tear_down(void **state)
{
    tlr_handoff_close(deaf);
    return script_teardown(state);
}

static void begin(struct fixture *f)
{
    create_server(f);
    listen_on(f, "127.0.0.1", 0);
    server = f->server;
    targets[0] = f->address;
    start_created(f);
}

/* Where nobody listens, and nobody else can. */
static void bind_deaf(struct sockaddr_storage *address)
{
    struct sockaddr_in any;

    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &any), 0);
    assert_int_equal(bind(deaf, (struct sockaddr *)&any, sizeof(any)), 0);
    assert_int_equal(tlr_handoff_name(deaf, address), 0);
}

/* ---- the program's side ----------------------------------------------- */

static void look_at_data(struct tlr_conn *conn)
{
    char *data = tlr_conn_data(conn);
    size_t i;

    for (i = 0; i < DATA; i++) {
        assert_int_equal(data[i], 0);
        data[i] = 'd';
    }
}

static void look_before(struct tlr_conn *conn)
{
    struct sockaddr_storage address;
    int value;

    look_at_data(conn);
    assert_int_equal(tlr_conn_peer(conn, &address), UV_EBADF);
    assert_int_equal(tlr_conn_local(conn, &address), UV_EBADF);
    assert_int_equal(tlr_conn_get(conn, TLR_NODELAY, &value), UV_EBADF);
    assert_int_equal(tlr_conn_set(conn, TLR_NODELAY, 1), UV_EBADF);
    assert_ptr_equal(tlr_conn_server(conn), server);
    assert_int_equal(tlr_conn_queued(conn), 0);
}

static void dial(void)
{
    result = tlr_connect(server, script.worker, (struct sockaddr *)targets,
                         &script.handler, &script.conn);
    if (result == 0) {
        look_before(script.conn);
    }
}

static void dial_name(void)
{
    result = tlr_connect_name(server, script.worker, "node", "service",
                              &script.handler, &script.conn);
    if (result == 0) {
        look_before(script.conn);
    }
}

static void dial_and_close(void)
{
    dial();
    tlr_close(script.conn);
    tlr_close(script.conn);
}

static void dial_and_reset(void)
{
    dial();
    tlr_reset(script.conn);
    tlr_close(script.conn);
}

static void dial_name_and_close(void)
{
    dial_name();
    tlr_close(script.conn);
}

struct errand {
    void (*run)(void);
    atomic_uint done;
};

static void run_errand(struct tlr_server *on, unsigned worker, void *data)
{
    struct errand *errand = data;

    (void)on;
    (void)worker;
    errand->run();
    atomic_store(&errand->done, 1);
}

/* On the worker, and waits until it has run. */
static void on_first_worker(struct fixture *f, void (*run)(void))
{
    struct errand errand;

    errand.run = run;
    atomic_init(&errand.done, 0);
    assert_int_equal(tlr_post(f->server, 0, run_errand, &errand), 0);
    wait_for(f, &errand.done, 1);
}

/* The outbound end says hello, hears it, and closes. */
static void say_hello(struct tlr_conn *conn)
{
    struct sockaddr_storage address;
    int on = 0;

    assert_int_equal(((char *)tlr_conn_data(conn))[DATA - 1], 'd');
    assert_int_equal(tlr_conn_peer(conn, &address), 0);
    assert_int_equal(tlr_conn_local(conn, &address), 0);
    assert_int_equal(tlr_conn_get(conn, TLR_NODELAY, &on), 0);
    assert_int_equal(on, 1);
    assert_int_equal(tlr_write(conn, "hello", 5), 0);
    assert_int_equal(tlr_read_exactly(conn, 5), 0);
}

static void hear_hello(struct tlr_conn *conn, ssize_t nread, char *data)
{
    assert_int_equal(nread, 5);
    assert_memory_equal(data, "hello", 5);
    tlr_close(conn);
}

static void expect_hello(struct fixture *f)
{
    expect(f, "connect ok, open, write ok, read 5, close handler");
    assert_int_equal(result, 0);
    wait_open(f, 0);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).connected, 1);
}

static void greet(void)
{
    script.opened = say_hello;
    script.received = hear_hello;
}

/* ---- by address ------------------------------------------------------- */

static void a_post_may_connect(void **state)
{
    struct fixture *f = *state;

    greet();
    begin(f);
    on_first_worker(f, dial);
    expect_hello(f);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).accepted, 2);
}

static void connect_when_started(struct tlr_server *started, unsigned worker)
{
    assert_ptr_equal(started, server);
    if (worker == 0) {
        dial();
    }
}

static void a_worker_may_connect_when_it_starts(void **state)
{
    struct fixture *f = *state;

    greet();
    f->options.on_worker_start = connect_when_started;
    begin(f);
    expect_hello(f);
}

static void connect_when_opened(struct tlr_conn *conn)
{
    if (atomic_fetch_add(&questions, 1) == 0) { /* not for our own again */
        script.worker = tlr_conn_worker(conn);
        dial();
    }
    assert_int_equal(tlr_read(conn), 0);
}

static void a_connection_may_connect(void **state)
{
    struct fixture *f = *state;
    struct client client;

    greet();
    f->options.handler.on_open = connect_when_opened;
    begin(f);
    client_connect(f, &client);
    expect(f, "connect ok, open, write ok, read 5, close handler");
    client_exchange(f, &client);
    client_close(f, &client);
}

static void dial_with_no_handler(void)
{
    result = tlr_connect(server, 0, (struct sockaddr *)targets, NULL,
                         &script.conn);
}

static bool are_both_open(void *data)
{
    (void)data;
    return count_log("open") == 2;
}

static void without_a_handler_it_is_the_servers(void **state)
{
    struct fixture *f = *state;

    f->options.handler = script.handler;
    begin(f);
    on_first_worker(f, dial_with_no_handler);
    assert_int_equal(result, 0);
    run_until(&f->loop, are_both_open, NULL);
    assert_int_equal(count_log("connect ok"), 1);
    drain_server(f, 0);
    assert_int_equal(count_log("close stop"), 2);
}

static void nobody_there_is_refused(void **state)
{
    struct fixture *f = *state;

    begin(f);
    bind_deaf(&targets[0]);
    on_first_worker(f, dial);
    expect(f, "connect ECONNREFUSED, close error");
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).accepted, 0);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).connected, 0);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).closed[3], 0);
}

static void closing_cancels_the_connect(void **state)
{
    struct fixture *f = *state;

    begin(f);
    on_first_worker(f, dial_and_close);
    expect(f, "connect ECANCELED, close handler");
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).connected, 0);
}

static void a_reset_cancels_the_connect(void **state)
{
    struct fixture *f = *state;

    begin(f);
    on_first_worker(f, dial_and_reset);
    expect(f, "connect ECANCELED, close reset");
}

static void close_when_connected(struct tlr_conn *conn, int status)
{
    assert_int_equal(status, 0);
    tlr_close(conn);
}

/* on_open is not called: so it does not count. */
static void on_connect_may_close(void **state)
{
    struct fixture *f = *state;

    script.connected = close_when_connected;
    begin(f);
    on_first_worker(f, dial);
    expect(f, "connect ok, close handler");
    wait_accepted(f, 1);
    wait_open(f, 0);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).connected, 0);
}

/* The queue of who listens is full, and so nothing answers. */
static void stopping_cancels_the_connect(void **state)
{
    struct fixture *f = *state;
    struct client clients[8];
    uv_os_sock_t listener;
    size_t i;

    begin(f);
    ((struct sockaddr_in *)targets)->sin_port = 0;
    assert_int_equal(tlr_handoff_listen((struct sockaddr *)targets, 1, 0,
                                        &listener),
                     0);
    assert_int_equal(tlr_handoff_name(listener, targets), 0);
    for (i = 0; i < COUNT(clients); i++) {
        client_dial_to(f, &clients[i], targets);
    }
    run_for(&f->loop, 20);
    on_first_worker(f, dial);
    assert_int_equal(result, 0);
    run_for(&f->loop, 20);
    drain_server(f, 0);
    assert_int_equal(count_log("connect"), 1);
    assert_int_equal(count_log("close"), 1);
    if (count_log("connect ok") == 0) { /* else the queue was longer */
        expect_so_far("connect ECANCELED, close stop");
    }
    for (i = 0; i < COUNT(clients); i++) {
        client_close(f, &clients[i]);
    }
    tlr_handoff_close(listener);
}

static void outbound_ones_take_no_room(void **state)
{
    struct fixture *f = *state;

    f->options.max_connections = 1;
    greet();
    begin(f);
    on_first_worker(f, dial);
    expect_hello(f);
    clear_log();
    on_first_worker(f, dial); /* and give none back */
    expect(f, "connect ok, open, write ok, read 5, close handler");
    wait_open(f, 0);
}

/* ---- by name ---------------------------------------------------------- */

static void answer(int status)
{
    assert_int_equal(
        tlr_resolved(server, asked, status, targets, target_count), 0);
}

static int note(struct tlr_server *asking, struct tlr_id id, const char *node,
                const char *service)
{
    assert_ptr_equal(asking, server);
    assert_string_equal(node, "node");
    assert_string_equal(service, "service");
    asked = id;
    atomic_fetch_add(&questions, 1);
    return 0;
}

static int answer_at_once(struct tlr_server *asking, struct tlr_id id,
                          const char *node, const char *service)
{
    (void)note(asking, id, node, service);
    answer(0);
    return 0;
}

static int answer_with_an_error(struct tlr_server *asking, struct tlr_id id,
                                const char *node, const char *service)
{
    (void)note(asking, id, node, service);
    answer(UV_EAI_NONAME);
    return 0;
}

static int refuse_to_resolve(struct tlr_server *asking, struct tlr_id id,
                             const char *node, const char *service)
{
    (void)note(asking, id, node, service);
    return UV_EAI_FAIL;
}

static int reset_and_refuse(struct tlr_server *asking, struct tlr_id id,
                            const char *node, const char *service)
{
    struct tlr_conn *conn;

    (void)note(asking, id, node, service);
    assert_int_equal(tlr_server_find(asking, id, &conn), 0);
    tlr_reset(conn);
    return UV_EAI_FAIL;
}

static void answer_from_a_thread(void *arg)
{
    (void)arg;
    answer(0);
}

static void a_resolver_may_answer_at_once(void **state)
{
    struct fixture *f = *state;

    greet();
    f->options.resolve = answer_at_once;
    begin(f);
    on_first_worker(f, dial_name);
    expect_hello(f);
}

static void a_resolver_may_answer_on_any_thread(void **state)
{
    struct fixture *f = *state;
    uv_thread_t thread;

    greet();
    f->options.resolve = note;
    begin(f);
    on_first_worker(f, dial_name);
    run_for(&f->loop, 5);
    expect_so_far("");
    assert_int_equal(uv_thread_create(&thread, answer_from_a_thread, NULL),
                     0);
    assert_int_equal(uv_thread_join(&thread), 0);
    expect_hello(f);
}

static void a_resolver_may_never_answer(void **state)
{
    struct fixture *f = *state;

    f->options.resolve = note;
    begin(f);
    on_first_worker(f, dial_name);
    drain_server(f, 0);
    expect_so_far("connect ECANCELED, close stop");
    assert_int_equal(tlr_resolved(f->server, asked, 0, targets, 1),
                     UV_ECANCELED);
}

static void a_resolvers_error_is_told(void **state)
{
    struct fixture *f = *state;

    f->options.resolve = answer_with_an_error;
    begin(f);
    on_first_worker(f, dial_name);
    expect(f, "connect EAI_NONAME, close error");
}

static void a_resolver_may_refuse(void **state)
{
    struct fixture *f = *state;

    f->options.resolve = refuse_to_resolve;
    begin(f);
    on_first_worker(f, dial_name);
    assert_int_equal(result, 0);
    expect(f, "connect EAI_FAIL, close error");
}

static void a_resolver_may_reset_what_it_refuses(void **state)
{
    struct fixture *f = *state;

    f->options.resolve = reset_and_refuse;
    begin(f);
    on_first_worker(f, dial_name);
    expect(f, "connect ECANCELED, close reset");
}

static void the_next_address_is_tried(void **state)
{
    struct fixture *f = *state;

    greet();
    f->options.resolve = answer_at_once;
    begin(f);
    targets[1] = targets[0];
    bind_deaf(&targets[0]);
    target_count = 2;
    on_first_worker(f, dial_name);
    expect_hello(f);
}

static void the_last_addresss_error_is_told(void **state)
{
    struct fixture *f = *state;

    f->options.resolve = answer_at_once;
    begin(f);
    bind_deaf(&targets[0]);
    targets[1] = targets[0];
    target_count = 2;
    on_first_worker(f, dial_name);
    expect(f, "connect ECONNREFUSED, close error");
}

/* At each moment between two addresses. */
static void closing_between_addresses_cancels(void **state)
{
    struct fixture *f = *state;
    unsigned turns;

    f->options.resolve = answer_at_once;
    begin(f);
    bind_deaf(&targets[0]);
    targets[1] = targets[0];
    target_count = 2;
    for (turns = 0; turns < 8; turns++) {
        unsigned i;

        clear_log();
        on_first_worker(f, dial_name);
        for (i = 0; i < turns && script.conn != NULL; i++) {
            (void)uv_run(&f->loop, UV_RUN_NOWAIT);
        }
        if (script.conn != NULL) {
            tlr_close(script.conn);
        }
        wait_close(f);
        assert_int_equal(count_log("connect"), 1);
        assert_int_equal(count_log("close"), 1);
    }
}

static void a_second_answer_is_ignored(void **state)
{
    struct fixture *f = *state;

    greet();
    f->options.resolve = note;
    begin(f);
    on_first_worker(f, dial_name);
    answer(0);
    answer(UV_EAI_FAIL);
    answer(0);
    expect_hello(f);
    answer(0); /* it has gone */
    wait_open(f, 0);
}

static void an_answer_to_what_was_closed_is_ignored(void **state)
{
    struct fixture *f = *state;

    f->options.resolve = answer_at_once;
    begin(f);
    on_first_worker(f, dial_name_and_close);
    expect(f, "connect ECANCELED, close handler");
    answer(0);
    run_for(&f->loop, 5);
    expect_so_far("connect ECANCELED, close handler");
}

/* ---- errors --------------------------------------------------------- */

static void connect_wrongly(void)
{
    struct tlr_handler handler = script.handler;
    struct sockaddr_storage other;
    struct tlr_conn *conn;

    assert_int_equal(tlr_connect(server, 9, (struct sockaddr *)targets, NULL,
                                 &conn),
                     UV_EINVAL);
    memset(&other, 0, sizeof(other));
    assert_int_equal(
        tlr_connect(server, 0, (struct sockaddr *)&other, NULL, &conn),
        UV_EINVAL);
    handler.on_read = NULL;
    assert_int_equal(tlr_connect(server, 0, (struct sockaddr *)targets,
                                 &handler, &conn),
                     UV_EINVAL);
    assert_int_equal(
        tlr_connect_name(server, 0, "node", "service", NULL, &conn),
        UV_ENOTSUP);
}

static void wrong_calls_are_refused(void **state)
{
    struct fixture *f = *state;
    struct tlr_conn *conn;

    create_server(f);
    listen_on(f, "127.0.0.1", 0);
    assert_int_equal(tlr_connect(f->server, 0,
                                 (struct sockaddr *)&f->address, NULL, &conn),
                     UV_EAGAIN);
    server = f->server;
    targets[0] = f->address;
    start_created(f);
    on_first_worker(f, connect_wrongly);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).accepted, 0);
}

static void wrong_answers_are_refused(void **state)
{
    static struct sockaddr_storage many[65];
    struct fixture *f = *state;
    struct tlr_id other;
    size_t i;

    greet();
    f->options.resolve = note;
    begin(f);
    for (i = 0; i < COUNT(many); i++) {
        many[i] = targets[0];
    }
    on_first_worker(f, dial_name);
    other = asked;
    other.server++;
    assert_int_equal(tlr_resolved(server, other, 0, many, 1), UV_EINVAL);
    assert_int_equal(tlr_resolved(server, asked, 0, many, 0), UV_EINVAL);
    assert_int_equal(tlr_resolved(server, asked, 0, many, 65), UV_EINVAL);
    many[1].ss_family = 0;
    assert_int_equal(tlr_resolved(server, asked, 0, many, 2), UV_EINVAL);
    many[1] = many[0];
    assert_int_equal(tlr_resolved(server, asked, 0, many, 64), 0);
    expect_hello(f);
}

static void connect_at_the_end(struct tlr_server *ending, unsigned worker)
{
    struct tlr_conn *conn;

    assert_int_equal(tlr_connect(ending, worker, (struct sockaddr *)targets,
                                 NULL, &conn),
                     UV_ECANCELED);
    atomic_fetch_add(&questions, 1);
}

static void a_worker_that_ends_connects_no_more(void **state)
{
    struct fixture *f = *state;

    f->options.on_worker_end = connect_at_the_end;
    begin(f);
    drain_server(f, 0);
    assert_int_equal(atomic_load(&questions), tlr_server_workers(f->server));
}

static void connecting_without_memory_is_told(void **state)
{
    struct fixture *f = *state;
    unsigned failed = 0;
    unsigned n;

    script.opened = close_it;
    f->options.resolve = note;
    begin(f);
    on_first_worker(f, dial_name); /* the mailbox has its memory */
    answer(0);
    expect(f, "connect ok, open, close handler");
    on_first_worker(f, dial_name);
    answer(UV_EAI_FAIL);
    for (n = 1; n < 8; n++) {
        int err;

        wait_close(f);
        wait_open(f, 0);
        clear_log();
        f->memory.fail_from = atomic_load(&f->memory.allocations) + n;
        f->memory.fail_to = f->memory.fail_from;
        on_first_worker(f, dial_name);
        if (result != 0) {
            assert_int_equal(result, UV_ENOMEM);
            failed++;
            f->memory.fail_from = 0;
            on_first_worker(f, dial_name);
        }
        assert_int_equal(result, 0);
        err = tlr_resolved(server, asked, 0, targets, 1);
        if (err != 0) {
            assert_int_equal(err, UV_ENOMEM);
            failed++;
            answer(0);
        }
    }
    wait_close(f);
    f->memory.fail_from = 0;
    assert_in_range(failed, 1, 6); /* the other end may have had it */
}

#define ON(function, mode)                                                \
    cmocka_unit_test_prestate_setup_teardown(function, set_up, tear_down, \
                                             &(mode))
#define ON_HOST(function) ON(function, script_on_host)
#define TWICE(function) \
    ON(function, script_on_host), ON(function, script_two)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TWICE(a_post_may_connect),
        TWICE(a_worker_may_connect_when_it_starts),
        TWICE(a_connection_may_connect),
        ON_HOST(without_a_handler_it_is_the_servers),
        TWICE(nobody_there_is_refused),
        TWICE(closing_cancels_the_connect),
        TWICE(a_reset_cancels_the_connect),
        TWICE(on_connect_may_close),
        TWICE(stopping_cancels_the_connect),
        TWICE(outbound_ones_take_no_room),
        TWICE(a_resolver_may_answer_at_once),
        TWICE(a_resolver_may_answer_on_any_thread),
        TWICE(a_resolver_may_never_answer),
        TWICE(a_resolvers_error_is_told),
        TWICE(a_resolver_may_refuse),
        TWICE(a_resolver_may_reset_what_it_refuses),
        TWICE(the_next_address_is_tried),
        TWICE(the_last_addresss_error_is_told),
        ON_HOST(closing_between_addresses_cancels),
        TWICE(a_second_answer_is_ignored),
        TWICE(an_answer_to_what_was_closed_is_ignored),
        ON_HOST(wrong_calls_are_refused),
        TWICE(wrong_answers_are_refused),
        TWICE(a_worker_that_ends_connects_no_more),
        TWICE(connecting_without_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
