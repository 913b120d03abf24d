/* SPDX-License-Identifier: MIT */
/* Getting across threads: posts to workers, to the host, to connections. */
#include "support.h"

#include <string.h>

#define SENDERS 8
#define EACH 100000

static atomic_uint calls;
static atomic_uint wrong;

static void count_call(struct tlr_server *server, unsigned worker, void *data)
{
    (void)server;
    (void)worker;
    (void)data;
    atomic_fetch_add(&calls, 1);
}

static bool has_been_called(void *times)
{
    return atomic_load(&calls) >= *(unsigned *)times;
}

static void wait_calls(struct fixture *f, unsigned times)
{
    run_until(&f->loop, has_been_called, &times);
}

static int set_up(void **state)
{
    atomic_store(&calls, 0);
    atomic_store(&wrong, 0);
    return setup(state);
}

/* ---- to workers, and to the host -------------------------------------- */

struct place {
    unsigned worker;
    uv_thread_t thread;
    uv_loop_t *loop;
};

static void note_place(struct tlr_server *server, unsigned worker, void *data)
{
    struct place *place = data;

    place->worker = worker;
    place->thread = uv_thread_self();
    place->loop = tlr_server_loop(server, worker);
    atomic_fetch_add(&calls, 1);
}

static void a_post_runs_where_it_was_sent_to(void **state)
{
    struct fixture *f = *state;
    struct place places[3];
    uv_thread_t self = uv_thread_self();
    unsigned i;

    start_server(f);
    for (i = 0; i < 3; i++) {
        unsigned worker = i < 2 ? i : TLR_HOST;

        assert_int_equal(tlr_post(f->server, worker, note_place, &places[i]),
                         0);
    }
    wait_calls(f, 3);
    assert_int_equal(places[0].worker, 0);
    assert_int_equal(places[1].worker, 1);
    assert_int_equal(places[2].worker, TLR_HOST);
    assert_true(uv_thread_equal(&places[2].thread, &self));
    assert_false(uv_thread_equal(&places[0].thread, &self));
    assert_false(uv_thread_equal(&places[0].thread, &places[1].thread));
    assert_ptr_equal(places[2].loop, &f->loop);
    assert_ptr_not_equal(places[0].loop, &f->loop);
    assert_ptr_not_equal(places[0].loop, places[1].loop);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).posts, 2);
}

static void with_the_host_loop_it_does_too(void **state)
{
    struct fixture *f = *state;
    struct place place;

    f->options.loops = TLR_LOOPS_HOST;
    start_server(f);
    assert_int_equal(tlr_post(f->server, 0, note_place, &place), 0);
    assert_int_equal(atomic_load(&calls), 0); /* never inside the call */
    wait_calls(f, 1);
    assert_int_equal(place.worker, 0);
    assert_ptr_equal(place.loop, &f->loop);
    assert_int_equal(tlr_post(f->server, 1, note_place, &place), UV_EINVAL);
}

static void a_worker_that_is_not_there_is_refused(void **state)
{
    struct fixture *f = *state;
    struct tlr_conn *conn;
    struct sockaddr_in address;

    assert_int_equal(uv_ip4_addr("127.0.0.1", 1, &address), 0);
    start_server(f);
    assert_int_equal(tlr_post(f->server, 2, count_call, NULL), UV_EINVAL);
    assert_int_equal(
        tlr_post(f->server, TLR_NEXT_WORKER, count_call, NULL), UV_EINVAL);
    assert_int_equal(
        tlr_post(f->server, TLR_ALL_WORKERS, count_call, NULL), UV_EINVAL);
    assert_null(tlr_server_loop(f->server, 2));
    assert_int_equal(tlr_connect(f->server, 2, (struct sockaddr *)&address,
                                 NULL, &conn),
                     UV_EINVAL);
}

static void before_the_start_and_after_the_stop_posts_are_refused(void **state)
{
    struct fixture *f = *state;

    create_server(f);
    assert_int_equal(tlr_post(f->server, 0, count_call, NULL), UV_EAGAIN);
    assert_int_equal(tlr_post(f->server, TLR_HOST, count_call, NULL),
                     UV_EAGAIN);
    start_created(f);
    assert_int_equal(tlr_post(f->server, 0, count_call, NULL), 0);
    assert_int_equal(tlr_post(f->server, TLR_HOST, count_call, NULL), 0);
    tlr_server_stop(f->server);
    run_until(&f->loop, is_stopped, f);
    assert_int_equal(atomic_load(&calls), 2); /* what was taken was run */
    assert_int_equal(tlr_post(f->server, 0, count_call, NULL), UV_ECANCELED);
    assert_int_equal(tlr_post(f->server, TLR_HOST, count_call, NULL),
                     UV_ECANCELED);
}

/* ---- a mailbox that is full ------------------------------------------- */

static uv_sem_t held;
static uv_sem_t release;

static void hold(struct tlr_server *server, unsigned worker, void *data)
{
    (void)server;
    (void)worker;
    (void)data;
    uv_sem_post(&held);
    uv_sem_wait(&release);
}

static void a_full_mailbox_is_an_error_and_never_blocks(void **state)
{
    struct fixture *f = *state;
    unsigned i;

    assert_int_equal(uv_sem_init(&held, 0), 0);
    assert_int_equal(uv_sem_init(&release, 0), 0);
    f->options.mailbox = 10;
    start_server(f);
    assert_int_equal(tlr_post(f->server, 0, hold, NULL), 0);
    uv_sem_wait(&held); /* the worker is busy, and what comes now waits */
    for (i = 0; i < 10; i++) {
        assert_int_equal(tlr_post(f->server, 0, count_call, NULL), 0);
    }
    assert_int_equal(tlr_post(f->server, 0, count_call, NULL), UV_ENOBUFS);
    assert_int_equal(tlr_post(f->server, 1, count_call, NULL), 0);
    assert_int_equal(counters_of(f, 0).posts_refused, 1);
    uv_sem_post(&release);
    wait_calls(f, 11);
    assert_int_equal(tlr_post(f->server, 0, count_call, NULL), 0);
    wait_calls(f, 12);
    uv_sem_destroy(&held);
    uv_sem_destroy(&release);
}

static void a_full_mailbox_still_takes_connections_and_the_stop(void **state)
{
    struct fixture *f = *state;
    struct client clients[4];
    unsigned i;

    assert_int_equal(uv_sem_init(&held, 0), 0);
    assert_int_equal(uv_sem_init(&release, 0), 0);
    f->options.mailbox = 1;
    start_server(f);
    assert_int_equal(tlr_post(f->server, 0, hold, NULL), 0);
    uv_sem_wait(&held);
    assert_int_equal(tlr_post(f->server, 0, count_call, NULL), 0);
    assert_int_equal(tlr_post(f->server, 0, count_call, NULL), UV_ENOBUFS);
    for (i = 0; i < COUNT(clients); i++) {
        client_connect(f, &clients[i]);
    }
    uv_sem_post(&release);
    for (i = 0; i < COUNT(clients); i++) {
        client_exchange(f, &clients[i]);
    }
    assert_int_equal(counters_of(f, 0).accepted, 2);
    assert_int_equal(counters_of(f, 0).refused, 0);
    for (i = 0; i < COUNT(clients); i++) {
        client_close(f, &clients[i]);
    }
    uv_sem_destroy(&held);
    uv_sem_destroy(&release);
}

/* ---- many senders ----------------------------------------------------- */

struct sender {
    uv_thread_t thread;
    struct fixture *f;
    unsigned number;
    unsigned target;
    unsigned taken;
    unsigned refused;
    unsigned odd; /* an answer that nobody expects */
    unsigned last; /* that has run; the worker's */
    unsigned run;
};

struct parcel {
    struct sender *from;
    unsigned number;
};

static struct parcel parcels[SENDERS][EACH];

static void unpack(struct tlr_server *server, unsigned worker, void *data)
{
    struct parcel *parcel = data;
    struct sender *from = parcel->from;

    (void)server;
    if (worker != from->target || parcel->number < from->last) {
        atomic_fetch_add(&wrong, 1);
    }
    from->last = parcel->number;
    from->run++;
}

static void send_all(void *arg)
{
    struct sender *sender = arg;
    unsigned i;

    for (i = 0; i < EACH; i++) {
        struct parcel *parcel = &parcels[sender->number][i];
        int err;

        parcel->from = sender;
        parcel->number = i;
        err = tlr_post(sender->f->server, sender->target, unpack, parcel);
        sender->taken += err == 0;
        sender->refused += err == UV_ECANCELED || err == UV_ENOBUFS;
        sender->odd += err != 0 && err != UV_ECANCELED && err != UV_ENOBUFS;
    }
}

static void start_senders(struct fixture *f, struct sender *senders,
                          unsigned target)
{
    unsigned i;

    memset(senders, 0, SENDERS * sizeof(*senders));
    for (i = 0; i < SENDERS; i++) {
        senders[i].f = f;
        senders[i].number = i;
        senders[i].target = target;
        assert_int_equal(
            uv_thread_create(&senders[i].thread, send_all, &senders[i]), 0);
    }
}

static unsigned taken_of(struct sender *senders)
{
    unsigned taken = 0;
    unsigned i;

    for (i = 0; i < SENDERS; i++) {
        assert_int_equal(uv_thread_join(&senders[i].thread), 0);
        assert_int_equal(senders[i].odd, 0);
        assert_int_equal(senders[i].taken + senders[i].refused, EACH);
        taken += senders[i].taken;
    }
    return taken;
}

/* What was answered 0 is run, and in its sender's order; nothing else is. */
static void check_senders(struct sender *senders)
{
    unsigned taken = taken_of(senders);
    unsigned run = 0;
    unsigned i;

    for (i = 0; i < SENDERS; i++) {
        assert_int_equal(senders[i].run, senders[i].taken);
        run += senders[i].run;
    }
    assert_int_equal(run, taken);
    assert_int_equal(atomic_load(&wrong), 0);
    print_message("%u of %u posts were run, the others refused\n", run,
                  SENDERS * EACH);
}

static void posts_from_many_threads_run_or_are_refused_while_it_stops(
    void **state)
{
    static struct sender senders[SENDERS];
    struct fixture *f = *state;

    start_server(f);
    start_senders(f, senders, 1);
    run_for(&f->loop, 30);
    tlr_server_stop(f->server);
    run_until(&f->loop, is_stopped, f);
    check_senders(senders);
}

static void posts_to_the_host_do_too(void **state)
{
    static struct sender senders[SENDERS];
    struct fixture *f = *state;

    start_server(f);
    start_senders(f, senders, TLR_HOST);
    run_for(&f->loop, 30);
    tlr_server_stop(f->server);
    run_until(&f->loop, is_stopped, f);
    check_senders(senders);
}

static void posts_while_it_stops_blocking_do_too(void **state)
{
    static struct sender senders[SENDERS];
    struct fixture *f = *state;

    start_server(f);
    start_senders(f, senders, 0);
    run_for(&f->loop, 30);
    assert_int_equal(tlr_server_stop_wait(f->server, 0), 0);
    run_until(&f->loop, is_stopped, f);
    check_senders(senders);
}

/* ---- while it drains ----------------------------------------------------- */

static atomic_int answer;

static void count_here(struct tlr_server *server, unsigned worker, void *data)
{
    unsigned *mine = tlr_server_data(server, worker);

    (void)data;
    (*mine)++;
    atomic_fetch_add(&calls, 1);
}

static void ask_the_others(struct tlr_conn *conn, ssize_t nread, char *data)
{
    struct tlr_server *server = tlr_conn_server(conn);
    unsigned i;

    (void)data;
    for (i = 0; i < tlr_server_workers(server); i++) {
        int err = tlr_post(server, i, count_here, NULL);

        if (err != 0) {
            atomic_store(&answer, err);
        }
    }
    if (nread < 0 || tlr_read(conn) != 0) {
        tlr_close(conn);
    }
}

/* Each may own a part of the program's data, as in the example kv. */
static void workers_without_connections_stay_for_posts(void **state)
{
    struct fixture *f = *state;
    struct client client;
    unsigned before;

    f->options.loops = 4;
    f->options.worker_data_size = sizeof(unsigned);
    f->options.handler.on_read = ask_the_others;
    atomic_store(&answer, 0);
    start_server(f);
    client_connect(f, &client);
    client_send(&client, "x", 1);
    wait_calls(f, 4);
    tlr_server_drain(f->server, TLR_NO_DEADLINE);
    run_for(&f->loop, 50); /* three of them have nothing to wait for */
    before = atomic_load(&calls);
    client_send(&client, "x", 1);
    wait_calls(f, before + 4);
    client_close(f, &client);
    run_until(&f->loop, is_stopped, f);
    assert_int_equal(atomic_load(&answer), 0);
    assert_int_equal(*(unsigned *)tlr_server_data(f->server, 0), 3);
    assert_int_equal(*(unsigned *)tlr_server_data(f->server, 3), 3);
    assert_null(tlr_server_data(f->server, 4));
}

static void a_drain_that_is_waited_for_ends_too(void **state)
{
    struct fixture *f = *state;

    f->options.loops = 4;
    start_server(f);
    assert_null(tlr_server_data(f->server, 0));
    assert_int_equal(tlr_server_stop_wait(f->server, TLR_NO_DEADLINE), 0);
}

/* ---- to connections --------------------------------------------------- */

static struct tlr_id id;
static atomic_int status_told;

static void name_and_read(struct tlr_conn *conn)
{
    struct tlr_id again;

    assert_int_equal(tlr_conn_id(conn, &id), 0);
    assert_int_equal(tlr_conn_id(conn, &again), 0);
    if (!tlr_id_equal(id, again)) {
        atomic_fetch_add(&wrong, 1);
    }
    atomic_fetch_add(&calls, 1);
    (void)tlr_read(conn);
}

static void greet(struct tlr_conn *conn, int status, void *data)
{
    struct tlr_conn *found;

    atomic_store(&status_told, status);
    if (conn != NULL) {
        (void)tlr_send(conn, data, strlen(data));
        if (tlr_server_find(tlr_conn_server(conn), id, &found) != 0 ||
            found != conn) {
            atomic_fetch_add(&wrong, 1);
        }
    } else if (status != UV_ENOTCONN) {
        atomic_fetch_add(&wrong, 1);
    }
    atomic_fetch_add(&calls, 1);
}

static void a_connection_is_reached_by_its_id(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.handler.on_open = name_and_read;
    start_server(f);
    client_connect(f, &client);
    wait_calls(f, 1);
    assert_int_equal(tlr_post_conn(f->server, id, greet, "hello"), 0);
    client_wait(f, &client, 5);
    assert_memory_equal(client.kept, "hello", 5);
    assert_int_equal(atomic_load(&status_told), 0);
    assert_int_equal(atomic_load(&wrong), 0);
    client_close(f, &client);
    wait_open(f, 0);
}

static void one_that_has_gone_says_so_whoever_came_after(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct tlr_id old;

    f->options.handler.on_open = name_and_read;
    f->options.loops = 1;
    start_server(f);
    client_connect(f, &client);
    wait_calls(f, 1);
    old = id;
    client_close(f, &client);
    wait_open(f, 0);
    client_connect(f, &client);
    wait_calls(f, 2);
    assert_int_equal(old.slot, id.slot); /* the same place */
    assert_false(tlr_id_equal(old, id));
    assert_int_equal(tlr_post_conn(f->server, old, greet, "hello"), 0);
    wait_calls(f, 3);
    assert_int_equal(atomic_load(&status_told), UV_ENOTCONN);
    assert_int_equal(atomic_load(&wrong), 0);
    client_close(f, &client);
    assert_int_equal(client.received, 0);
    wait_open(f, 0);
}

static void an_id_of_another_server_is_refused(void **state)
{
    struct fixture *f = *state;
    struct tlr_server *other;
    struct client client;
    struct tlr_id none = {0, 0, 0, 0};

    f->options.handler.on_open = name_and_read;
    start_server(f);
    client_connect(f, &client);
    wait_calls(f, 1);
    f->options.on_stopped = NULL;
    assert_int_equal(tlr_server_create(&other, &f->loop, &f->options), 0);
    assert_int_equal(tlr_post_conn(other, id, greet, "hello"), UV_EINVAL);
    assert_int_equal(tlr_post_conn(f->server, none, greet, "hello"),
                     UV_EINVAL);
    id.worker = 2;
    assert_int_equal(tlr_post_conn(f->server, id, greet, "hello"), UV_EINVAL);
    tlr_server_destroy(other);
    client_close(f, &client);
}

/* The same memory, and so the same address, may serve another server. */
static void an_id_of_an_earlier_server_in_the_same_place_is_refused(
    void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct tlr_server *first;
    unsigned i;

    f->options.handler.on_open = name_and_read;
    start_server(f);
    first = f->server;
    client_connect(f, &client);
    wait_calls(f, 1);
    client_close(f, &client);
    tlr_server_stop(f->server);
    run_until(&f->loop, is_stopped, f);
    tlr_server_destroy(f->server);
    f->started = false;
    f->server = NULL;
    for (i = 0; i < 100 && f->server != first; i++) {
        tlr_server_destroy(f->server);
        create_server(f);
    }
    id.server = (uint64_t)(uintptr_t)f->server; /* else there is no telling */
    assert_int_equal(tlr_post_conn(f->server, id, greet, "hello"), UV_EINVAL);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_post_runs_where_it_was_sent_to),
        TEST(with_the_host_loop_it_does_too),
        TEST(a_worker_that_is_not_there_is_refused),
        TEST(before_the_start_and_after_the_stop_posts_are_refused),
        TEST(a_full_mailbox_is_an_error_and_never_blocks),
        TEST(a_full_mailbox_still_takes_connections_and_the_stop),
        TEST(posts_from_many_threads_run_or_are_refused_while_it_stops),
        TEST(posts_to_the_host_do_too),
        TEST(posts_while_it_stops_blocking_do_too),
        TEST(workers_without_connections_stay_for_posts),
        TEST(a_drain_that_is_waited_for_ends_too),
        TEST(a_connection_is_reached_by_its_id),
        TEST(one_that_has_gone_says_so_whoever_came_after),
        TEST(an_id_of_another_server_is_refused),
        TEST(an_id_of_an_earlier_server_in_the_same_place_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
