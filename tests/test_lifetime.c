/* SPDX-License-Identifier: MIT */
/*
 * Living inside a program: starting and stopping from anywhere, what keeps the
 * host's loop alive, workers on loops of the program's, and its own callbacks.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/handoff.h"

static atomic_uint started;
static atomic_uint ended;
static atomic_bool has_ended[4]; /* by worker */
static atomic_uint opened;
static atomic_uint closed;
static atomic_uint wrong;

static void open_and_read(struct tlr_conn *conn)
{
    if (atomic_load(&started) == 0) {
        atomic_fetch_add(&wrong, 1);
    }
    atomic_fetch_add(&opened, 1);
    (void)tlr_read(conn);
}

static void count_close(struct tlr_conn *conn, enum tlr_cause cause)
{
    (void)cause;
    if (atomic_load(&has_ended[tlr_conn_worker(conn)])) {
        atomic_fetch_add(&wrong, 1);
    }
    atomic_fetch_add(&closed, 1);
}

static void count_start(struct tlr_server *server, unsigned worker)
{
    (void)server;
    (void)worker;
    atomic_fetch_add(&started, 1);
}

static void count_end(struct tlr_server *server, unsigned worker)
{
    (void)server;
    atomic_store(&has_ended[worker], true);
    atomic_fetch_add(&ended, 1);
}

static int set_up(void **state)
{
    struct fixture *f;
    unsigned i;

    for (i = 0; i < COUNT(has_ended); i++) {
        atomic_store(&has_ended[i], false);
    }
    atomic_store(&started, 0);
    atomic_store(&ended, 0);
    atomic_store(&opened, 0);
    atomic_store(&closed, 0);
    atomic_store(&wrong, 0);
    (void)setup(state);
    f = *state;
    f->options.handler.on_open = open_and_read;
    f->options.handler.on_close = count_close;
    f->options.on_worker_start = count_start;
    f->options.on_worker_end = count_end;
    return 0;
}

static int tear_down(void **state)
{
    int result = teardown(state);

    assert_int_equal(atomic_load(&wrong), 0);
    assert_int_equal(atomic_load(&closed), atomic_load(&opened));
    return result;
}

/* ---- a stop that blocks ----------------------------------------------- */

static void nothing_runs_after_a_blocking_stop(void **state)
{
    struct fixture *f = *state;
    struct client clients[10];
    struct client late;
    unsigned i;

    start_server(f);
    for (i = 0; i < COUNT(clients); i++) {
        client_connect(f, &clients[i]);
        client_exchange(f, &clients[i]);
    }
    assert_int_equal(tlr_server_stop_wait(f->server, 0), 0);
    assert_int_equal(atomic_load(&ended), 2);
    assert_int_equal(atomic_load(&closed), COUNT(clients));
    assert_int_equal(f->stopped, 0); /* the host loop has not turned */
    assert_int_equal(tlr_server_stop_wait(f->server, 0), 0);
    client_dial(f, &late);
    run_until(&f->loop, is_stopped, f);
    client_wait_over(f, &late);
    assert_false(late.connected);
    assert_int_equal(tlr_server_stop_wait(f->server, 0), 0);
    for (i = 0; i < COUNT(clients); i++) {
        client_close(f, &clients[i]);
    }
    client_close(f, &late);
}

static void a_blocking_stop_takes_what_the_kernel_has_queued(void **state)
{
    struct fixture *f = *state;
    struct client clients[10];
    unsigned i;

    create_server(f);
    listen_on(f, "127.0.0.1", 0);
    for (i = 0; i < COUNT(clients); i++) {
        client_connect(f, &clients[i]);
    }
    start_created(f);
    assert_int_equal(tlr_server_stop_wait(f->server, 100), 0);
    assert_int_equal(atomic_load(&closed), COUNT(clients));
    for (i = 0; i < COUNT(clients); i++) {
        client_wait_end(f, &clients[i]);
        client_close(f, &clients[i]);
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_timer(uv_timer_t *timer)
{
    tlr_close(timer->data);
    uv_close((uv_handle_t *)timer, on_timer_closed);
}

static void close_soon(struct tlr_conn *conn)
{
    uv_timer_t *timer = malloc(sizeof(*timer));

    if (timer == NULL || uv_timer_init(tlr_conn_loop(conn), timer) != 0 ||
        uv_timer_start(timer, on_timer, 100, 0) != 0) {
        atomic_fetch_add(&wrong, 1);
        return;
    }
    timer->data = conn;
}

static void close_at_peers_end(struct tlr_conn *conn, ssize_t nread,
                               char *data)
{
    if (nread < 0 || tlr_write(conn, data, (size_t)nread) != 0) {
        tlr_close(conn);
    }
}

static void hang_up(void *arg)
{
    struct client *client = arg;

    client_hang_up(client);
}

static void a_blocking_stop_lets_connections_finish(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uint64_t before;

    f->options.handler.on_drain = close_soon;
    f->options.handler.on_read = close_at_peers_end;
    start_server(f);
    client_connect(f, &client);
    client_exchange(f, &client);
    hang_up(&client); /* its FIN is on its way, and so nothing lingers */
    run_for(&f->loop, 1);
    before = uv_hrtime();
    assert_int_equal(tlr_server_stop_wait(f->server, 30000), 0);
    assert_in_range((uv_hrtime() - before) / 1000000, 0, 20000);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS)
                         .closed[TLR_CLOSED_BY_STOP],
                     0);
    client_close(f, &client);
}

static void and_closes_what_is_left_at_the_deadline(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uint64_t before;

    start_server(f);
    client_connect(f, &client);
    client_exchange(f, &client);
    before = uv_hrtime();
    assert_int_equal(tlr_server_stop_wait(f->server, 50), 0);
    assert_in_range((uv_hrtime() - before) / 1000000, 40, 20000);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS)
                         .closed[TLR_CLOSED_BY_STOP],
                     1);
    client_close(f, &client);
}

static void a_blocking_stop_hurries_a_drain(void **state)
{
    struct fixture *f = *state;
    struct client client;

    start_server(f);
    client_connect(f, &client);
    client_exchange(f, &client);
    tlr_server_drain(f->server, TLR_NO_DEADLINE);
    run_for(&f->loop, 10);
    assert_int_equal(tlr_server_stop_wait(f->server, 0), 0);
    assert_int_equal(atomic_load(&closed), 1);
    client_close(f, &client);
}

static void on_reset_timer(uv_timer_t *timer)
{
    tlr_reset(timer->data);
    uv_close((uv_handle_t *)timer, on_timer_closed);
}

static void reset_soon(struct tlr_conn *conn)
{
    uv_timer_t *timer = malloc(sizeof(*timer));

    if (timer == NULL || uv_timer_init(tlr_conn_loop(conn), timer) != 0 ||
        uv_timer_start(timer, on_reset_timer, 50, 0) != 0) {
        atomic_fetch_add(&wrong, 1);
        return;
    }
    timer->data = conn;
}

/* The workers' own listeners wait for it, and the host's loop does not turn. */
static void a_blocking_stop_goes_on_when_there_is_room(void **state)
{
    struct fixture *f = *state;
    struct client clients[3];
    unsigned i;

    f->options.balance = TLR_BALANCE_REUSEPORT;
    if (!tlr_handoff_has_reuseport()) {
        skip();
    }
    f->options.max_connections = 1;
    f->options.handler.on_drain = reset_soon;
    start_server(f);
    for (i = 0; i < COUNT(clients); i++) {
        client_connect(f, &clients[i]);
    }
    wait_accepted(f, 1);
    assert_int_equal(tlr_server_stop_wait(f->server, TLR_NO_DEADLINE), 0);
    assert_int_equal(atomic_load(&closed), COUNT(clients));
    for (i = 0; i < COUNT(clients); i++) {
        client_close(f, &clients[i]);
    }
}

static void hurry(struct tlr_conn *conn)
{
    tlr_server_stop(tlr_conn_server(conn));
}

static void another_thread_may_hurry_a_blocking_stop(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.handler.on_drain = hurry;
    start_server(f);
    client_connect(f, &client);
    client_exchange(f, &client);
    assert_int_equal(tlr_server_stop_wait(f->server, TLR_NO_DEADLINE), 0);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS)
                         .closed[TLR_CLOSED_BY_STOP],
                     1);
    client_close(f, &client);
}

static void before_the_start_a_stop_is_harmless(void **state)
{
    struct fixture *f = *state;

    create_server(f);
    listen_on(f, "127.0.0.1", 0);
    tlr_server_stop(f->server);
    assert_int_equal(tlr_server_stop_wait(f->server, 0), 0);
    start_created(f);
    run_for(&f->loop, 10);
    assert_int_equal(f->stopped, 0);
}

static void drain_for_ever(void *arg)
{
    tlr_server_drain(((struct fixture *)arg)->server, TLR_NO_DEADLINE);
}

static void and_does_not_shorten_a_later_drain(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uv_thread_t thread;

    f->options.handler.on_drain = NULL;
    create_server(f);
    listen_on(f, "127.0.0.1", 0);
    tlr_server_stop(f->server);
    start_created(f);
    client_connect(f, &client);
    client_exchange(f, &client);
    assert_int_equal(uv_thread_create(&thread, drain_for_ever, f), 0);
    assert_int_equal(uv_thread_join(&thread), 0);
    run_for(&f->loop, 50);
    client_exchange(f, &client);
    client_close(f, &client);
    run_until(&f->loop, is_stopped, f);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS)
                         .closed[TLR_CLOSED_BY_STOP],
                     0);
}

static void stop_blocking(void *arg)
{
    struct fixture *f = arg;

    if (tlr_server_stop_wait(f->server, 0) != UV_EINVAL) {
        atomic_fetch_add(&wrong, 1);
    }
}

static void another_thread_cannot_wait(void **state)
{
    struct fixture *f = *state;
    uv_thread_t thread;

    start_server(f);
    assert_int_equal(uv_thread_create(&thread, stop_blocking, f), 0);
    assert_int_equal(uv_thread_join(&thread), 0);
    run_for(&f->loop, 10);
    assert_int_equal(f->stopped, 0);
}

static void on_the_host_loop_there_is_no_waiting(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.loops = TLR_LOOPS_HOST;
    start_server(f);
    client_connect(f, &client);
    client_exchange(f, &client);
    assert_int_equal(tlr_server_stop_wait(f->server, 0), UV_EAGAIN);
    run_until(&f->loop, is_stopped, f);
    assert_int_equal(tlr_server_stop_wait(f->server, 0), 0);
    client_close(f, &client);
}

/* ---- stops from other threads ------------------------------------------ */

static void stop_it(void *arg)
{
    tlr_server_stop(((struct fixture *)arg)->server);
}

static void drain_it(void *arg)
{
    tlr_server_drain(((struct fixture *)arg)->server, 60);
}

static void any_thread_may_stop_it(void **state)
{
    struct fixture *f = *state;
    uv_thread_t threads[4];
    struct client client;
    unsigned i;

    start_server(f);
    client_connect(f, &client);
    client_exchange(f, &client);
    for (i = 0; i < COUNT(threads); i++) {
        assert_int_equal(uv_thread_create(&threads[i],
                                          i % 2 == 0 ? drain_it : stop_it, f),
                         0);
    }
    run_until(&f->loop, is_stopped, f);
    for (i = 0; i < COUNT(threads); i++) {
        assert_int_equal(uv_thread_join(&threads[i]), 0);
    }
    stop_it(f); /* and harmless ever after */
    assert_int_equal(f->stopped, 1);
    client_close(f, &client);
}

static void another_thread_may_drain_it(void **state)
{
    struct fixture *f = *state;
    uv_thread_t thread;
    struct client client;

    start_server(f);
    client_connect(f, &client);
    client_exchange(f, &client);
    assert_int_equal(uv_thread_create(&thread, drain_it, f), 0);
    run_until(&f->loop, is_stopped, f);
    assert_int_equal(uv_thread_join(&thread), 0);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS)
                         .closed[TLR_CLOSED_BY_STOP],
                     1);
    client_close(f, &client);
}

static void stop_from_start(struct tlr_server *server, unsigned worker)
{
    count_start(server, worker);
    tlr_server_stop(server);
}

static void a_stop_in_the_middle_of_the_start_is_carried_out(void **state)
{
    struct fixture *f = *state;

    f->options.on_worker_start = stop_from_start;
    start_server(f);
    run_until(&f->loop, is_stopped, f);
    assert_int_equal(atomic_load(&ended), atomic_load(&started));
}

/* ---- ref and unref ------------------------------------------------------ */

static void what_is_unreferenced_does_not_keep_the_loop(void **state)
{
    struct fixture *f = *state;
    struct client client;

    start_server(f);
    assert_true(uv_loop_alive(&f->loop));
    tlr_server_unref(f->server);
    assert_false(uv_loop_alive(&f->loop));
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    client_connect(f, &client);
    client_exchange(f, &client); /* it serves all the same */
    client_close(f, &client);
    wait_open(f, 0);
    tlr_server_ref(f->server);
    assert_true(uv_loop_alive(&f->loop));
    tlr_server_unref(f->server);
    tlr_server_unref(f->server);
    tlr_server_stop(f->server); /* closing does keep it, until it is done */
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    if (f->options.loops == TLR_LOOPS_HOST) {
        assert_int_equal(f->stopped, 1);
    } else {
        run_until(&f->loop, is_stopped, f);
    }
}

static void a_server_can_be_born_unreferenced(void **state)
{
    struct fixture *f = *state;

    create_server(f);
    listen_on(f, "127.0.0.1", 0);
    tlr_server_unref(f->server);
    start_created(f);
    assert_false(uv_loop_alive(&f->loop));
}

static void connections_on_the_host_loop_are_unreferenced_too(void **state)
{
    struct fixture *f = *state;
    struct client clients[2];

    f->options.loops = TLR_LOOPS_HOST;
    start_server(f);
    client_connect(f, &clients[0]);
    client_exchange(f, &clients[0]);
    tlr_server_unref(f->server);
    client_connect(f, &clients[1]);
    client_exchange(f, &clients[1]);
    uv_unref((uv_handle_t *)&clients[0].tcp);
    uv_unref((uv_handle_t *)&clients[1].tcp);
    assert_false(uv_loop_alive(&f->loop));
    tlr_server_ref(f->server);
    assert_true(uv_loop_alive(&f->loop));
    client_close(f, &clients[0]);
    client_close(f, &clients[1]);
}

static void look_at_data(uv_handle_t *handle, void *arg)
{
    unsigned *count = arg;

    if (handle->data != NULL) {
        atomic_fetch_add(&wrong, 1);
    }
    (*count)++;
}

/* luv and uvloop cast it, of every handle that they meet. */
static void no_handle_on_the_host_loop_has_data(void **state)
{
    struct fixture *f = *state;
    unsigned count = 0;

    f->options.loops = TLR_LOOPS_HOST;
    f->loop.data = NULL;
    start_server(f);
    uv_walk(&f->loop, look_at_data, &count);
    assert_in_range(count, 5, 20);
    assert_null(f->loop.data);
}

/* ---- hosts that close what they find ----------------------------------- */

static void count_open(uv_handle_t *handle, void *arg)
{
    unsigned *count = arg;

    *count += !uv_is_closing(handle);
}

/* They would close it a second time, or we would. */
static void a_blocking_stop_leaves_the_host_nothing_to_close(void **state)
{
    struct fixture *f = *state;
    unsigned count = 0;

    start_server(f);
    assert_int_equal(tlr_server_stop_wait(f->server, 0), 0);
    uv_walk(&f->loop, count_open, &count);
    assert_int_equal(count, 0);
    assert_int_equal(f->stopped, 0);
    run_until(&f->loop, is_stopped, f);
}

static uv_handle_t *found[20];
static unsigned found_count;

static void find(uv_handle_t *handle, void *arg)
{
    (void)arg;
    assert_in_range(found_count, 0, COUNT(found) - 1);
    found[found_count++] = handle;
}

/* Still reachable, for what finds leaks. */
static struct tlr_server *left[3];
static unsigned left_count;

static void leave_server(struct fixture *f)
{
    left[left_count++] = f->server;
    f->server = NULL;
    f->started = false;
}

static void close_found(void)
{
    unsigned i;

    for (i = 0; i < found_count; i++) {
        if (!uv_is_closing(found[i])) {
            uv_close(found[i], NULL);
        }
    }
}

static void stop_after_the_host_has(struct fixture *f, uint64_t deadline)
{
    struct client client;

    if (under_valgrind()) {
        skip(); /* it leaves a server */
    }
    memset(&f->options.allocator, 0, sizeof(f->options.allocator));
    start_server(f);
    found_count = 0;
    uv_walk(&f->loop, find, NULL);
    client_connect(f, &client);
    client_exchange(f, &client);
    close_found();
    run_for(&f->loop, 10);
    assert_int_equal(tlr_server_stop_wait(f->server, deadline), 0);
    assert_int_equal(atomic_load(&ended), 2);
    assert_int_equal(atomic_load(&closed), 1);
    assert_int_equal(tlr_server_stop_wait(f->server, 0), 0);
    run_for(&f->loop, 10);
    assert_int_equal(f->stopped, 0);
    client_close(f, &client);
    leave_server(f);
}

static void a_blocking_stop_works_after_the_host_has_closed_all(void **state)
{
    stop_after_the_host_has(*state, 0);
}

static void and_with_time_to_drain(void **state)
{
    stop_after_the_host_has(*state, 20);
}

/* The client is on another loop, for it stays. */
static void and_in_the_middle_of_a_drain_and_the_loop_too(void **state)
{
    static struct fixture other;
    struct fixture *f = *state;
    struct client client;

    if (under_valgrind()) {
        skip();
    }
    memset(&f->options.allocator, 0, sizeof(f->options.allocator));
    start_server(f);
    other = *f;
    assert_int_equal(uv_loop_init(&other.loop), 0);
    client_dial(&other, &client);
    wait_open(f, 1);
    client_wait_connected(&other, &client);
    tlr_server_drain(f->server, 20000);
    run_for(&f->loop, 10);
    found_count = 0;
    uv_walk(&f->loop, find, NULL);
    close_found();
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    assert_int_equal(tlr_server_stop_wait(f->server, 0), 0);
    assert_int_equal(atomic_load(&ended), 2);
    client_close(&other, &client);
    assert_int_equal(uv_loop_close(&other.loop), 0);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    leave_server(f);
}

/* ---- the workers' own callbacks ------------------------------------------ */

static uv_timer_t timers[2];

static void tick(uv_timer_t *timer)
{
    (void)timer;
}

static void start_ticking(struct tlr_server *server, unsigned worker)
{
    count_start(server, worker);
    if (uv_timer_init(tlr_server_loop(server, worker), &timers[worker]) !=
            0 ||
        uv_timer_start(&timers[worker], tick, 1, 1) != 0) {
        atomic_fetch_add(&wrong, 1);
    }
}

static void end_timer(struct tlr_server *server, unsigned worker)
{
    count_end(server, worker);
    uv_close((uv_handle_t *)&timers[worker], NULL);
}

static void a_worker_may_have_handles_of_the_programs(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.on_worker_start = start_ticking;
    f->options.on_worker_end = end_timer;
    start_server(f);
    client_connect(f, &client);
    client_exchange(f, &client);
    client_close(f, &client);
    tlr_server_stop(f->server);
    run_until(&f->loop, is_stopped, f);
    assert_int_equal(atomic_load(&started), 2);
    assert_int_equal(atomic_load(&ended), 2);
}

static void what_it_forgets_is_closed_for_it(void **state)
{
    struct fixture *f = *state;

    f->options.on_worker_start = start_ticking;
    start_server(f);
    tlr_server_stop(f->server);
    run_until(&f->loop, is_stopped, f);
    assert_int_equal(atomic_load(&ended), 2);
}

static void unref_timer(struct tlr_server *server, unsigned worker)
{
    start_ticking(server, worker);
    uv_unref((uv_handle_t *)&timers[worker]);
}

static void what_it_forgets_unreferenced_too(void **state)
{
    struct fixture *f = *state;

    f->options.on_worker_start = unref_timer;
    start_server(f);
    tlr_server_stop(f->server);
    run_until(&f->loop, is_stopped, f);
}

static void stop_loop(struct tlr_server *server, unsigned worker, void *data)
{
    (void)data;
    uv_stop(tlr_server_loop(server, worker));
}

static void uv_stop_does_not_end_a_worker(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.loops = 1;
    start_server(f);
    assert_int_equal(tlr_post(f->server, 0, stop_loop, NULL), 0);
    client_connect(f, &client);
    client_exchange(f, &client);
    client_close(f, &client);
}

/* ---- threads -------------------------------------------------------------- */

static char names[2][64];
static size_t stacks[2];

static void look_at_thread(struct tlr_server *server, unsigned worker)
{
    count_start(server, worker);
    thread_name(names[worker], sizeof(names[worker]));
    stacks[worker] = thread_stack_size();
}

static void threads_have_names_and_stacks(void **state)
{
    struct fixture *f = *state;
    char name[] = "bank";

    f->options.on_worker_start = look_at_thread;
    f->options.thread_name = name;
    f->options.stack_size = (size_t)24 << 20; /* smaller ones are reused */
    create_server(f);
    name[0] = '?'; /* it was only lent */
    start_created(f);
    tlr_server_stop(f->server);
    run_until(&f->loop, is_stopped, f);
    if (names[0][0] != '\0') {
        assert_string_equal(names[0], "bank-0");
        assert_string_equal(names[1], "bank-1");
    }
    if (stacks[0] != 0) {
        assert_in_range(stacks[0], (size_t)24 << 20, (size_t)25 << 20);
    }
}

static void a_cpu_that_cannot_be_had_is_refused(void **state)
{
    struct fixture *f = *state;
    const int none[] = {-1};
    const int first[] = {0};
    int err;

    f->options.cpu_count = 1;
    assert_int_equal(tlr_server_create(&f->server, &f->loop, &f->options),
                     UV_EINVAL);
    f->options.cpus = none;
    assert_int_equal(tlr_server_create(&f->server, &f->loop, &f->options),
                     UV_EINVAL);
    f->options.cpus = first;
    err = tlr_server_create(&f->server, &f->loop, &f->options);
    if (err != 0) { /* libuv before 1.45 */
        assert_int_equal(err, UV_ENOTSUP);
        assert_in_range(uv_version(), 0, 0x012cff);
        return;
    }
    start_created(f);
    tlr_server_stop(f->server);
    run_until(&f->loop, is_stopped, f);
    assert_int_equal(atomic_load(&started), 2);
}

#if UV_VERSION_HEX >= 0x012d00

static atomic_int cpus_found;

static void look_at_cpus(struct tlr_server *server, unsigned worker,
                         void *data)
{
    uv_thread_t self = uv_thread_self();
    char mask[4096];
    int size = uv_cpumask_size();
    int found = 0;
    int i;

    (void)server;
    (void)worker;
    (void)data;
    if (uv_thread_getaffinity(&self, mask, (size_t)size) != 0) {
        atomic_fetch_add(&wrong, 1);
    }
    for (i = 0; i < size; i++) {
        found += mask[i];
    }
    atomic_store(&cpus_found, mask[0] == 1 ? found : -1);
}

static bool has_looked(void *data)
{
    (void)data;
    return atomic_load(&cpus_found) != 0;
}

static void a_worker_stays_on_its_cpu(void **state)
{
    struct fixture *f = *state;
    const int first[] = {0};

    if (uv_cpumask_size() < 0) {
        skip();
    }
    f->options.cpus = first;
    f->options.cpu_count = 1;
    atomic_store(&cpus_found, 0);
    start_server(f);
    assert_int_equal(tlr_post(f->server, 1, look_at_cpus, NULL), 0);
    run_until(&f->loop, has_looked, NULL);
    assert_int_equal(atomic_load(&cpus_found), 1);
}

static void a_cpu_that_is_not_there_fails_the_start(void **state)
{
    struct fixture *f = *state;
    const int cpus[] = {0, 1 << 20};

    if (uv_cpumask_size() < 0) {
        skip();
    }
    f->options.cpus = cpus;
    f->options.cpu_count = 2;
    create_server(f);
    assert_int_equal(tlr_server_start(f->server), UV_EINVAL);
    assert_int_equal(atomic_load(&started), atomic_load(&ended));
}

#endif

/* ---- the trampoline -------------------------------------------------------- */

static atomic_uint jumps;
static atomic_bool inside;

static void trampoline(void (*call)(void *argument), void *argument,
                       void *user)
{
    struct fixture *f = user;

    if (f->data != f || atomic_load(&inside)) {
        atomic_fetch_add(&wrong, 1);
    }
    atomic_store(&inside, true);
    call(argument);
    atomic_store(&inside, false);
    atomic_fetch_add(&jumps, 1);
}

static void must_be_inside(bool is)
{
    if (atomic_load(&inside) != is) {
        atomic_fetch_add(&wrong, 1);
    }
}

static void host_post(struct tlr_server *server, unsigned worker, void *data)
{
    (void)server;
    (void)worker;
    *(bool *)data = true;
    must_be_inside(true);
}

static void inside_stopped(struct tlr_server *server)
{
    struct fixture *f = tlr_server_user(server);

    must_be_inside(true);
    f->stopped++;
}

static bool is_true(void *data)
{
    return *(bool *)data;
}

static void prepare_trampoline(struct fixture *f)
{
    atomic_store(&jumps, 0);
    atomic_store(&inside, false);
    f->data = f;
    f->options.trampoline = trampoline;
    f->options.on_stopped = inside_stopped;
}

static void the_hosts_callbacks_go_over_the_trampoline(void **state)
{
    struct fixture *f = *state;
    struct client client;
    bool posted = false;

    prepare_trampoline(f);
    start_server(f);
    client_connect(f, &client);
    client_exchange(f, &client);
    assert_int_equal(atomic_load(&jumps), 0); /* those are the workers' */
    assert_int_equal(tlr_post(f->server, TLR_HOST, host_post, &posted), 0);
    run_until(&f->loop, is_true, &posted);
    assert_int_equal(atomic_load(&jumps), 1);
    client_close(f, &client);
    tlr_server_stop(f->server);
    run_until(&f->loop, is_stopped, f);
    assert_int_equal(atomic_load(&jumps), 2);
}

static void inside_open(struct tlr_conn *conn)
{
    must_be_inside(true);
    open_and_read(conn);
}

static void inside_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    must_be_inside(true);
    close_at_peers_end(conn, nread, data);
}

static void inside_write(struct tlr_conn *conn, int status)
{
    must_be_inside(true);
    if (status != 0 || tlr_read(conn) != 0) {
        tlr_close(conn);
    }
}

static void inside_close(struct tlr_conn *conn, enum tlr_cause cause)
{
    must_be_inside(true);
    count_close(conn, cause);
}

static void inside_drain(struct tlr_conn *conn)
{
    (void)conn;
    must_be_inside(true);
}

static void inside_start(struct tlr_server *server, unsigned worker)
{
    must_be_inside(true);
    count_start(server, worker);
}

static void inside_end(struct tlr_server *server, unsigned worker)
{
    must_be_inside(true);
    count_end(server, worker);
}

static void with_the_host_loop_all_of_them_do(void **state)
{
    struct fixture *f = *state;
    struct client client;
    bool posted = false;

    prepare_trampoline(f);
    f->options.loops = TLR_LOOPS_HOST;
    f->options.handler.on_open = inside_open;
    f->options.handler.on_read = inside_read;
    f->options.handler.on_write = inside_write;
    f->options.handler.on_close = inside_close;
    f->options.handler.on_drain = inside_drain;
    f->options.on_worker_start = inside_start;
    f->options.on_worker_end = inside_end;
    start_server(f);
    client_connect(f, &client);
    client_exchange(f, &client);
    assert_int_equal(tlr_post(f->server, 0, host_post, &posted), 0);
    run_until(&f->loop, is_true, &posted);
    drain_server(f, 30);
    /* start, open, read, write, post, drain, read cancelled, close, end, and
     * stopped */
    assert_in_range(atomic_load(&jumps), 9, 10);
    client_close(f, &client);
}

static void split_open(struct tlr_conn *conn)
{
    must_be_inside(true);
    atomic_fetch_add(&opened, 1);
    (void)tlr_read_exactly(conn, 1); /* cannot fail here */
}

static void split_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    must_be_inside(true);
    if (nread < 0 || tlr_send(conn, data, (size_t)nread) != 0 ||
        tlr_read(conn) != 0) {
        tlr_close(conn);
    }
}

/* What is left over from a read comes by another way than what is received. */
static void the_rest_of_a_read_goes_over_it_once(void **state)
{
    struct fixture *f = *state;
    struct client client;

    prepare_trampoline(f);
    f->options.loops = TLR_LOOPS_HOST;
    f->options.handler.on_open = split_open;
    f->options.handler.on_read = split_read;
    start_server(f);
    client_connect(f, &client);
    client_send(&client, "abc", 3);
    client_wait(f, &client, 3);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).reads, 2);
    assert_int_equal(atomic_load(&wrong), 0); /* it was not inside already */
    client_close(f, &client);
}

/* ---- borrowed loops --------------------------------------------------------- */

struct lender {
    uv_thread_t thread;
    struct fixture *f;
    unsigned worker;
    uv_loop_t loop;
    int attached;
    int again;
    int closed;
};

static atomic_uint lent;

static void lend(void *arg)
{
    struct lender *lender = arg;

    if (uv_loop_init(&lender->loop) != 0) {
        atomic_fetch_add(&wrong, 1);
        return;
    }
    lender->attached = tlr_server_attach(lender->f->server, lender->worker,
                                         &lender->loop);
    lender->again = tlr_server_attach(lender->f->server, lender->worker,
                                      &lender->loop);
    atomic_fetch_add(&lent, 1);
    (void)uv_run(&lender->loop, UV_RUN_DEFAULT);
    lender->closed = uv_loop_close(&lender->loop);
}

static void start_lender(struct fixture *f, struct lender *lender,
                         unsigned worker)
{
    memset(lender, 0, sizeof(*lender));
    lender->f = f;
    lender->worker = worker;
    assert_int_equal(uv_thread_create(&lender->thread, lend, lender), 0);
}

static void join_lender(struct lender *lender, int attached, int again)
{
    assert_int_equal(uv_thread_join(&lender->thread), 0);
    assert_int_equal(lender->attached, attached);
    assert_int_equal(lender->again, again);
    assert_int_equal(lender->closed, 0);
}

static void borrow(struct fixture *f, unsigned count)
{
    f->options.loops = TLR_LOOPS_BORROWED;
    f->options.borrowed = count;
}

static void borrowed_loops_serve_once_all_are_there(void **state)
{
    struct fixture *f = *state;
    struct lender lenders[2];
    struct client clients[8];
    unsigned i;

    borrow(f, 2);
    start_server(f);
    assert_int_equal(tlr_server_workers(f->server), 2);
    start_lender(f, &lenders[0], 0);
    for (i = 0; i < COUNT(clients); i++) {
        client_connect(f, &clients[i]);
    }
    run_for(&f->loop, 30);
    assert_int_equal(atomic_load(&opened), 0);
    start_lender(f, &lenders[1], 1);
    for (i = 0; i < COUNT(clients); i++) {
        client_exchange(f, &clients[i]);
    }
    assert_int_equal(counters_of(f, 0).accepted, COUNT(clients) / 2);
    assert_int_equal(counters_of(f, 1).accepted, COUNT(clients) / 2);
    for (i = 0; i < COUNT(clients); i++) {
        client_close(f, &clients[i]);
    }
    tlr_server_stop(f->server);
    run_until(&f->loop, is_stopped, f);
    join_lender(&lenders[0], 0, UV_EBUSY);
    join_lender(&lenders[1], 0, UV_EBUSY);
    assert_int_equal(atomic_load(&started), 2);
    assert_int_equal(atomic_load(&ended), 2);
}

static void borrowed_loops_are_waited_for_by_a_blocking_stop(void **state)
{
    struct fixture *f = *state;
    struct lender lenders[2];
    struct client client;

    borrow(f, 2);
    atomic_store(&lent, 0);
    start_server(f);
    start_lender(f, &lenders[0], 0);
    start_lender(f, &lenders[1], 1);
    client_connect(f, &client);
    client_exchange(f, &client); /* so both are there */
    while (atomic_load(&lent) < 2) {
        run_for(&f->loop, 1);
    }
    assert_int_equal(tlr_server_stop_wait(f->server, 20), 0);
    assert_int_equal(atomic_load(&ended), 2);
    join_lender(&lenders[0], 0, UV_EBUSY);
    join_lender(&lenders[1], 0, UV_EBUSY);
    client_close(f, &client);
}

static void a_loop_that_never_comes_is_not_waited_for(void **state)
{
    struct fixture *f = *state;
    struct lender lenders[3];

    borrow(f, 3);
    atomic_store(&lent, 0);
    start_server(f);
    start_lender(f, &lenders[1], 1);
    while (atomic_load(&lent) < 1) {
        run_for(&f->loop, 1);
    }
    assert_int_equal(tlr_post(f->server, 0, NULL, NULL), UV_EAGAIN);
    tlr_server_stop(f->server);
    start_lender(f, &lenders[2], 2);
    run_until(&f->loop, is_stopped, f);
    join_lender(&lenders[1], 0, UV_EBUSY);
    join_lender(&lenders[2], UV_ECANCELED, UV_ECANCELED);
    start_lender(f, &lenders[0], 0);
    join_lender(&lenders[0], UV_ECANCELED, UV_ECANCELED);
    assert_int_equal(tlr_post(f->server, 0, NULL, NULL), UV_ECANCELED);
}

static void none_ever_came(void **state)
{
    struct fixture *f = *state;

    borrow(f, 2);
    start_server(f);
    tlr_server_drain(f->server, TLR_NO_DEADLINE);
    run_until(&f->loop, is_stopped, f);
    assert_int_equal(atomic_load(&started), 0);
}

static void attaching_what_does_not_fit_is_refused(void **state)
{
    struct fixture *f = *state;
    uv_loop_t loop;

    assert_int_equal(uv_loop_init(&loop), 0);
    start_server(f);
    assert_int_equal(tlr_server_attach(f->server, 0, &loop), UV_EINVAL);
    tlr_server_stop(f->server);
    run_until(&f->loop, is_stopped, f);
    tlr_server_destroy(f->server);
    f->started = false;
    borrow(f, 1);
    create_server(f);
    assert_int_equal(tlr_server_attach(f->server, 1, &loop), UV_EINVAL);
    assert_int_equal(tlr_server_attach(f->server, 0, &loop), UV_ECANCELED);
    start_created(f);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(tlr_server_attach(f->server, 0, &loop), UV_EBADF);
}

/* Makes the start fail: libuv does not poll what has been closed. */
static bool close_listener(const struct fixture *f)
{
    struct sockaddr_storage address;
    uv_os_sock_t sock;

    for (sock = 3; sock < 200; sock++) {
        if (tlr_handoff_name(sock, &address) == 0 &&
            memcmp(&address, &f->address, sizeof(address)) == 0) {
            tlr_handoff_close(sock);
            return true;
        }
    }
    return false;
}

static void a_start_that_failed_takes_no_loop(void **state)
{
    struct fixture *f = *state;
    uv_os_sock_t again;
    uv_loop_t loop;

    borrow(f, 1);
    create_server(f);
    listen_on(f, "127.0.0.1", 0);
    if (!close_listener(f)) {
        skip(); /* Windows: sockets are no small numbers */
    }
    assert_true(tlr_server_start(f->server) < 0);
    assert_int_equal(tlr_handoff_listen((struct sockaddr *)&f->address, 1, 0,
                                        &again),
                     0); /* the server closes its number once more */
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(tlr_server_attach(f->server, 0, &loop), UV_ECANCELED);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* The same thread may run several, one of them the host's. */
static void the_hosts_own_loop_can_be_borrowed(void **state)
{
    struct fixture *f = *state;
    struct client client;

    borrow(f, 1);
    start_server(f);
    assert_int_equal(tlr_server_attach(f->server, 0, &f->loop), 0);
    client_connect(f, &client);
    client_exchange(f, &client);
    client_close(f, &client);
    assert_int_equal(tlr_server_stop_wait(f->server, 0), UV_EAGAIN);
    run_until(&f->loop, is_stopped, f);
}

/* ---- loops of all kinds ------------------------------------------------------ */

static void a_closed_loop_is_refused(void **state)
{
    struct fixture *f = *state;
    struct tlr_server *server = NULL;
    uv_loop_t loop;

    assert_int_equal(uv_loop_init(&loop), 0);
    f->options.on_stopped = NULL;
    assert_int_equal(tlr_server_create(&server, &loop, &f->options), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(tlr_server_start(server), UV_EBADF);
    assert_int_equal(tlr_server_start(server), UV_EINVAL);
    tlr_server_destroy(server);
    assert_int_equal(tlr_server_create(&server, &loop, &f->options),
                     UV_EBADF);
}

static void other_work_done(uv_async_t *async)
{
    (void)async;
}

/* What a second libuv would have written there is another address. */
static void a_loop_of_another_libuv_is_refused(void **state)
{
    struct fixture *f = *state;
    uv_async_cb ours = f->loop.wq_async.async_cb;
    struct tlr_server *server = NULL;

    assert_null(tlr_libuv_mismatch(&f->loop));
    f->loop.wq_async.async_cb = other_work_done;
    assert_non_null(strstr(tlr_libuv_mismatch(&f->loop), "another libuv"));
    assert_int_equal(tlr_server_create(&server, &f->loop, &f->options),
                     UV_EXDEV);
    assert_null(server);
    f->loop.wq_async.async_cb = ours;
}

static void serve_one(struct fixture *f)
{
    struct client client;

    start_server(f);
    client_connect(f, &client);
    client_exchange(f, &client);
    client_close(f, &client);
    tlr_server_stop(f->server);
    run_until(&f->loop, is_stopped, f);
}

static void own_thread(void *arg)
{
    void *state = NULL;

    (void)arg;
    (void)setup(&state);
    ((struct fixture *)state)->descriptors = 0; /* others open some, too */
    serve_one(state);
    (void)teardown(&state);
}

static void threads_may_each_have_a_host_loop(void **state)
{
    uv_thread_t threads[3];
    unsigned i;

    (void)state;
    for (i = 0; i < COUNT(threads); i++) {
        assert_int_equal(uv_thread_create(&threads[i], own_thread, NULL), 0);
    }
    for (i = 0; i < COUNT(threads); i++) {
        assert_int_equal(uv_thread_join(&threads[i]), 0);
    }
}

/* ---- a stop inside each callback ----------------------------------------------- */

enum place {
    IN_WORKER_START,
    IN_OPEN,
    IN_READ,
    IN_WRITE,
    IN_SHUTDOWN,
    IN_DRAIN,
    IN_CLOSE,
    IN_CONNECT,
    IN_HIGH,
    IN_LOW,
    IN_POST,
    IN_POST_CONN,
    IN_HOST_POST,
    IN_WORKER_END,
    IN_STOPPED,
    PLACES
};

static struct {
    struct fixture *f;
    enum place place;
    atomic_uint hits;
    atomic_bool high;
    int loops;
    char large[1 << 20];
} stops;

static void here(enum place place)
{
    int err;

    if (place != stops.place) {
        return;
    }
    atomic_fetch_add(&stops.hits, 1);
    tlr_server_drain(stops.f->server, 5);
    tlr_server_stop(stops.f->server);
    tlr_server_stop(stops.f->server);
    if (stops.loops != TLR_LOOPS_HOST && place != IN_HOST_POST &&
        place != IN_STOPPED) {
        err = tlr_server_stop_wait(stops.f->server, 0);
        if (err != UV_EINVAL) { /* not on this thread */
            atomic_fetch_add(&wrong, 1);
        }
    }
}

static void s_worker_start(struct tlr_server *server, unsigned worker)
{
    count_start(server, worker);
    here(IN_WORKER_START);
}

static void s_worker_end(struct tlr_server *server, unsigned worker)
{
    here(IN_WORKER_END);
    count_end(server, worker);
}

static void s_post(struct tlr_server *server, unsigned worker, void *data)
{
    (void)server;
    (void)data;
    here(worker == TLR_HOST ? IN_HOST_POST : IN_POST);
}

static void s_post_conn(struct tlr_conn *conn, int status, void *data)
{
    (void)conn;
    (void)status;
    (void)data;
    here(IN_POST_CONN);
}

static void s_out_open(struct tlr_conn *conn)
{
    (void)tlr_read(conn);
}

static void s_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    here(IN_READ);
    if (nread < 0 || tlr_write(conn, data, (size_t)nread) != 0) {
        tlr_close(conn);
    }
}

static void s_write(struct tlr_conn *conn, int status)
{
    here(IN_WRITE);
    if (status != 0 || tlr_read(conn) != 0) {
        tlr_close(conn);
    }
}

static void s_shutdown(struct tlr_conn *conn, int status)
{
    (void)conn;
    (void)status;
    here(IN_SHUTDOWN);
}

static void s_drain(struct tlr_conn *conn)
{
    (void)conn;
    here(IN_DRAIN);
}

static void s_close(struct tlr_conn *conn, enum tlr_cause cause)
{
    here(IN_CLOSE);
    count_close(conn, cause);
}

static void s_connect(struct tlr_conn *conn, int status)
{
    (void)conn;
    (void)status;
    here(IN_CONNECT);
}

static void s_high(struct tlr_conn *conn)
{
    (void)conn;
    atomic_store(&stops.high, true);
    here(IN_HIGH);
}

static void s_low(struct tlr_conn *conn)
{
    (void)conn;
    here(IN_LOW);
}

static const struct tlr_handler outbound = {
    .on_open = s_out_open,
    .on_read = s_read,
    .on_write = s_write,
    .on_connect = s_connect,
};

static void s_open(struct tlr_conn *conn)
{
    struct tlr_server *server = tlr_conn_server(conn);
    unsigned worker = tlr_conn_worker(conn);
    struct tlr_conn *out;
    struct tlr_id named;

    atomic_fetch_add(&opened, 1);
    here(IN_OPEN);
    (void)tlr_read(conn);
    (void)tlr_post(server, worker, s_post, NULL);
    (void)tlr_post(server, TLR_HOST, s_post, NULL);
    if (tlr_conn_id(conn, &named) == 0) {
        (void)tlr_post_conn(server, named, s_post_conn, NULL);
    }
    if (stops.place == IN_HIGH || stops.place == IN_LOW) {
        unsigned i;

        for (i = 0; i < 16; i++) {
            (void)tlr_send(conn, stops.large, sizeof(stops.large));
        }
    } else if (stops.place == IN_SHUTDOWN) {
        (void)tlr_shutdown(conn);
    } else if (stops.place == IN_CONNECT && atomic_load(&opened) == 1) {
        (void)tlr_connect(server, worker,
                          (struct sockaddr *)&stops.f->address, &outbound,
                          &out);
    }
}

static void s_stopped(struct tlr_server *server)
{
    struct fixture *f = tlr_server_user(server);

    f->stopped++;
    here(IN_STOPPED);
}

static bool is_high(void *data)
{
    (void)data;
    return atomic_load(&stops.high);
}

static bool is_decided(void *data)
{
    const struct client *client = data;

    return client->connected || client->error != 0;
}

static void stop_in(struct fixture *f, enum place place)
{
    static struct client client; /* to survive a failure */

    stops.f = f;
    stops.place = place;
    stops.loops = f->options.loops;
    atomic_store(&stops.hits, 0);
    atomic_store(&stops.high, false);
    f->options.handler.on_open = s_open;
    f->options.handler.on_read = s_read;
    f->options.handler.on_write = s_write;
    f->options.handler.on_shutdown = s_shutdown;
    f->options.handler.on_drain = s_drain;
    f->options.handler.on_close = s_close;
    f->options.handler.on_high_water = s_high;
    f->options.handler.on_low_water = s_low;
    f->options.on_worker_start = s_worker_start;
    f->options.on_worker_end = s_worker_end;
    f->options.on_stopped = s_stopped;
    f->options.send_queue = (size_t)64 << 20;
    start_server(f);
    if (place == IN_HIGH || place == IN_LOW) {
        client_connect_as(f, &client, CLIENT_PATIENT);
        run_until(&f->loop, is_high, NULL);
        client_read(&client);
    } else {
        client_dial(f, &client);
        run_until(&f->loop, is_decided, &client);
    }
    if (client.error == 0) {
        client_send(&client, "x", 1);
    }
    if (place == IN_DRAIN) {
        wait_accepted(f, 1);
        tlr_server_drain(f->server, 10000);
    } else if (place == IN_CLOSE) {
        client_wait(f, &client, 1);
        client_half_close(&client);
    } else if (place == IN_WORKER_END || place == IN_STOPPED) {
        wait_accepted(f, 1);
        tlr_server_stop(f->server);
    }
    run_until(&f->loop, is_stopped, f);
    if (atomic_load(&stops.hits) == 0 || f->stopped != 1) {
        fail_msg("place %d, loops %d: %u hits, stopped %u times", place,
                 f->options.loops, atomic_load(&stops.hits), f->stopped);
    }
    assert_int_equal(atomic_load(&ended), atomic_load(&started));
    client_close(f, &client);
}

static void a_stop_inside_each_callback_is_carried_out(void **state)
{
    const int modes[] = {TLR_LOOPS_HOST, 1, 2};
    unsigned i;
    int place;

    (void)tear_down(state);
    for (i = 0; i < COUNT(modes); i++) {
        for (place = 0; place < PLACES; place++) {
            *state = NULL;
            (void)set_up(state);
            ((struct fixture *)*state)->options.loops = modes[i];
            stop_in(*state, (enum place)place);
            (void)tear_down(state);
        }
    }
    *state = NULL;
    (void)set_up(state);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_runs_after_a_blocking_stop),
        TEST(a_blocking_stop_takes_what_the_kernel_has_queued),
        TEST(a_blocking_stop_lets_connections_finish),
        TEST(and_closes_what_is_left_at_the_deadline),
        TEST(a_blocking_stop_hurries_a_drain),
        TEST(a_blocking_stop_goes_on_when_there_is_room),
        TEST(another_thread_may_hurry_a_blocking_stop),
        TEST(before_the_start_a_stop_is_harmless),
        TEST(and_does_not_shorten_a_later_drain),
        TEST(another_thread_cannot_wait),
        TEST(on_the_host_loop_there_is_no_waiting),
        TEST(any_thread_may_stop_it),
        TEST(another_thread_may_drain_it),
        TEST(a_stop_in_the_middle_of_the_start_is_carried_out),
        TEST(what_is_unreferenced_does_not_keep_the_loop),
        TEST(a_server_can_be_born_unreferenced),
        TEST(connections_on_the_host_loop_are_unreferenced_too),
        TEST(no_handle_on_the_host_loop_has_data),
        TEST(a_blocking_stop_leaves_the_host_nothing_to_close),
        TEST(a_blocking_stop_works_after_the_host_has_closed_all),
        TEST(and_with_time_to_drain),
        TEST(and_in_the_middle_of_a_drain_and_the_loop_too),
        TEST(a_worker_may_have_handles_of_the_programs),
        TEST(what_it_forgets_is_closed_for_it),
        TEST(what_it_forgets_unreferenced_too),
        TEST(uv_stop_does_not_end_a_worker),
        TEST(threads_have_names_and_stacks),
        TEST(a_cpu_that_cannot_be_had_is_refused),
#if UV_VERSION_HEX >= 0x012d00
        TEST(a_worker_stays_on_its_cpu),
        TEST(a_cpu_that_is_not_there_fails_the_start),
#endif
        TEST(the_hosts_callbacks_go_over_the_trampoline),
        TEST(the_rest_of_a_read_goes_over_it_once),
        TEST(with_the_host_loop_all_of_them_do),
        TEST(borrowed_loops_serve_once_all_are_there),
        TEST(borrowed_loops_are_waited_for_by_a_blocking_stop),
        TEST(a_loop_that_never_comes_is_not_waited_for),
        TEST(none_ever_came),
        TEST(attaching_what_does_not_fit_is_refused),
        TEST(a_start_that_failed_takes_no_loop),
        TEST(the_hosts_own_loop_can_be_borrowed),
        TEST(a_closed_loop_is_refused),
        TEST(a_loop_of_another_libuv_is_refused),
        TEST(threads_may_each_have_a_host_loop),
        TEST(a_stop_inside_each_callback_is_carried_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
