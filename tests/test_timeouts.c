/* SPDX-License-Identifier: MIT */
/*
 * The timeouts of connections, end to end. What is to pass is short; what is not
 * to pass while a test does something is long, since the machine may be busy.
 */
#include "script.h"

#include <string.h>

#include "core/handoff.h"
#include "core/timeouts.h"

#define SOON 200  /* milliseconds: passes */
#define LONG 2000 /* does not while a test keeps on doing what holds it up */
#define FOR_EVER 1000000

/* More than the kernel's buffers on both sides hold. */
#define STUFFING (12 * MIB)
#define PIECE 65536

static int set_up(void **state)
{
    int err = script_setup(state);
    struct fixture *f = *state;

    f->options.jitter = 0;
    (void)script_pattern(); /* here, and on no worker */
    return err;
}

static void do_nothing(struct tlr_conn *conn)
{
    (void)conn;
}

static void connect_client(struct fixture *f, struct client *client)
{
    client_connect_as(f, client, CLIENT_PATIENT | CLIENT_CHECKING);
    wait_opened(f);
}

static void stuff(struct tlr_conn *conn)
{
    assert_int_equal(tlr_write(conn, script_pattern(), STUFFING), 0);
    assert_in_range(tlr_conn_queued(conn), 1, STUFFING);
}

static uint64_t closed_by(struct fixture *f, enum tlr_cause cause)
{
    return counters_of(f, TLR_ALL_WORKERS).closed[cause];
}

/* ---- idle ----------------------------------------------------------- */

static void an_idle_read_is_told(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.idle_timeout = SOON;
    script.opened = read_some;
    script.received = read_on;
    start_server(f);
    client_connect(f, &client);
    client_wait_end(f, &client); /* FIN */
    client_close(f, &client);
    expect(f, "open, read ETIMEDOUT, close idle");
    assert_int_equal(closed_by(f, TLR_CLOSED_BY_IDLE), 1);
}

static void one_that_asks_for_no_read_is_reset(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.idle_timeout = SOON;
    start_server(f);
    client_connect(f, &client);
    client_wait_reset(f, &client);
    client_close(f, &client);
    expect(f, "open, close idle");
}

static void reset_at_timeout(struct tlr_conn *conn, ssize_t nread, char *data)
{
    (void)data;
    assert_int_equal(nread, UV_ETIMEDOUT);
    tlr_reset(conn);
}

static void a_reset_by_the_handler_keeps_the_cause(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.idle_timeout = SOON;
    script.opened = read_some;
    script.received = reset_at_timeout;
    start_server(f);
    client_connect(f, &client);
    client_wait_reset(f, &client);
    client_close(f, &client);
    expect(f, "open, read ETIMEDOUT, close idle");
}

static void say_goodbye(struct tlr_conn *conn, ssize_t nread, char *data)
{
    (void)data;
    assert_int_equal(nread, UV_ETIMEDOUT);
    assert_int_equal(tlr_write(conn, "late", 4), 0);
    tlr_close(conn);
}

static void a_last_word_reaches_the_peer(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.read_timeout = SOON;
    script.opened = read_some;
    script.received = say_goodbye;
    start_server(f);
    client_connect(f, &client);
    client_wait_end(f, &client);
    assert_int_equal(client.received, 4);
    client_close(f, &client);
    expect(f, "open, read ETIMEDOUT, write ok, close read");
}

static void read_again(struct tlr_conn *conn, ssize_t nread, char *data)
{
    (void)data;
    if (nread < 0 && count_log("read") < 3) {
        assert_int_equal(tlr_read(conn), 0);
    }
}

/* It is told whenever it asks, and reset after as long again. */
static void who_does_not_close_it_is_not_asked_for_long(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.idle_timeout = SOON;
    script.opened = read_some;
    script.received = read_again;
    start_server(f);
    client_connect(f, &client);
    client_wait_reset(f, &client);
    client_close(f, &client);
    expect(f, "open, read ETIMEDOUT, read ETIMEDOUT, read ETIMEDOUT, "
              "close idle");
}

static void echo(struct tlr_conn *conn, ssize_t nread, char *data)
{
    if (nread <= 0 || tlr_write(conn, data, (size_t)nread) != 0) {
        tlr_close(conn);
    }
}

static void read_next(struct tlr_conn *conn, int status)
{
    if (status != 0 || tlr_read(conn) != 0) {
        tlr_close(conn);
    }
}

static void serve_echo(struct fixture *f)
{
    script.opened = read_some;
    script.received = echo;
    script.written = read_next;
    script.silent = true;
    start_server(f);
}

static uint64_t milliseconds_since(uint64_t begun)
{
    return (uv_hrtime() - begun) / 1000000;
}

static void exchange_for(struct fixture *f, struct client *client,
                         uint64_t milliseconds)
{
    uint64_t begun = uv_hrtime();

    while (milliseconds_since(begun) < milliseconds) {
        client_exchange(f, client);
    }
}

static void traffic_keeps_it_open(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.idle_timeout = LONG;
    serve_echo(f);
    client_connect(f, &client);
    exchange_for(f, &client, LONG + LONG / 3);
    expect_so_far("open");
    client_close(f, &client);
    expect(f, "open, read EOF, close peer");
}

static uint64_t deadline_tick;
static uint64_t last_active;

static void look_at_timeouts(struct tlr_conn *conn)
{
    const struct tlr_timeouts *timeouts = tlr_timeouts_of(conn);

    deadline_tick = timeouts->deadline.tick;
    last_active = timeouts->active;
    assert_int_equal(conn->conns->deadlines.count, 1);
}

/* It is only noted, and looked at when the deadline passes. */
static void traffic_does_not_touch_the_wheel(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uint64_t tick;
    uint64_t active;

    f->options.idle_timeout = FOR_EVER;
    f->options.read_timeout = FOR_EVER;
    f->options.max_lifetime = FOR_EVER;
    serve_echo(f);
    client_connect(f, &client);
    on_worker(f, look_at_timeouts);
    tick = deadline_tick;
    active = last_active;
    exchange_for(f, &client, 300);
    on_worker(f, look_at_timeouts);
    assert_int_equal(deadline_tick, tick);
    assert_in_range(last_active, active + 100, active + 1000000);
    client_close(f, &client);
    expect(f, "open, read EOF, close peer");
}

static void write_a_byte(struct tlr_conn *conn)
{
    assert_int_equal(tlr_write(conn, "x", 1), 0);
}

static void send_a_byte(struct tlr_conn *conn)
{
    assert_int_equal(tlr_send(conn, "x", 1), 0);
}

static void expect_noted(struct fixture *f, struct client *client,
                         script_cb act)
{
    uint64_t received = client->received;
    uint64_t active;

    on_worker(f, look_at_timeouts);
    active = last_active;
    run_for(&f->loop, 50);
    on_worker(f, act);
    client_wait(f, client, received + 1);
    on_worker(f, look_at_timeouts);
    assert_in_range(last_active, active + 30, active + 1000000);
}

static void what_the_kernel_takes_at_once_is_noted(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.idle_timeout = FOR_EVER;
    start_server(f);
    client_connect(f, &client);
    wait_opened(f);
    expect_noted(f, &client, write_a_byte);
    expect_noted(f, &client, send_a_byte);
    client_close(f, &client);
}

static void stuff_in_part(struct tlr_conn *conn)
{
    stuff(conn);
    assert_in_range(tlr_conn_queued(conn), 1, STUFFING - 1);
}

/* Of what is queued then the kernel has taken none. */
static void what_it_takes_of_a_part_is_noted(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uint64_t active;

    f->options.idle_timeout = FOR_EVER;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    wait_opened(f);
    on_worker(f, look_at_timeouts);
    active = last_active;
    run_for(&f->loop, 50);
    on_worker(f, stuff_in_part);
    on_worker(f, look_at_timeouts);
    assert_in_range(last_active, active + 30, active + 1000000);
    client_close(f, &client);
}

static void expect_nothing_new(struct tlr_conn *conn)
{
    const struct tlr_timeouts *timeouts = tlr_timeouts_of(conn);

    assert_int_equal(tlr_conn_queued(conn), 0);
    assert_in_range(timeouts->taken, 1, STUFFING);
    assert_int_equal(timeouts->seen, timeouts->taken);
}

/* Or it would count as active until the timeout looks at it, as late as that. */
static void a_queued_write_that_is_done_was_seen(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.idle_timeout = FOR_EVER;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    wait_opened(f);
    on_worker(f, stuff_in_part);
    client_read(&client);
    wait_log(f, "write");
    on_worker(f, expect_nothing_new);
    client_close(f, &client);
}

static size_t written;

static void write_pieces(struct tlr_conn *conn, int status)
{
    if (status != 0) {
        tlr_close(conn);
        return;
    }
    assert_int_equal(
        tlr_write(conn, script_pattern() + written % (4 * PIECE), PIECE), 0);
    written += PIECE;
}

static void begin_pieces(struct tlr_conn *conn)
{
    written = 0;
    script.silent = true;
    write_pieces(conn, 0);
}

static void output_that_is_taken_keeps_it_open(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uint64_t begun = uv_hrtime();

    f->options.idle_timeout = LONG;
    script.opened = begin_pieces;
    script.written = write_pieces;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    while (milliseconds_since(begun) < LONG + LONG / 3) {
        client_sip(f, &client, 20);
    }
    assert_int_equal(count_log("close"), 0);
    client_close(f, &client);
}

/* Of one that takes long nothing is told before its end. */
static void a_large_write_that_is_taken_keeps_it_open(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uint64_t begun = uv_hrtime();

    f->options.idle_timeout = writes_show_progress() ? LONG / 2 : FOR_EVER;
    script.opened = stuff;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    while (milliseconds_since(begun) < LONG) {
        client_sip(f, &client, 20);
    }
    assert_in_range(client.received, 1, STUFFING - 1);
    expect_so_far("open, high");
    client_close(f, &client);
}

static void write_and_close(struct tlr_conn *conn)
{
    stuff(conn);
    tlr_close(conn);
}

static void live_on(struct tlr_conn *conn)
{
    assert_int_equal(tlr_conn_set_timeout(conn, TLR_TIMEOUT_LIFETIME, 0), 0);
}

static void a_life_that_has_passed_may_be_prolonged(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.max_lifetime = SOON;
    f->options.lifetime_grace = SOON;
    script.opened = read_some;
    script.drained = live_on;
    script.received = read_on;
    start_server(f);
    connect_client(f, &client);
    wait_log(f, "drain");
    run_for(&f->loop, 3 * SOON);
    expect_so_far("open, drain");
    client_half_close(&client);
    expect(f, "open, drain, read EOF, close peer");
    client_close(f, &client);
}

/* From when the peer took the last, not from when that was looked for. */
static void idle_begins_when_the_peer_stops(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uint64_t stopped;

    f->options.idle_timeout = LONG;
    script.opened = stuff;
    start_server(f);
    connect_client(f, &client);
    client_sip(f, &client, 100);
    client_sip(f, &client, 100);
    stopped = uv_hrtime();
    wait_close(f);
    if (writes_show_progress()) {
        assert_in_range((uv_hrtime() - stopped) / 1000000, LONG / 2,
                        LONG * 3 / 2);
    }
    client_close(f, &client);
}

static void idle_ends_a_close_that_the_peer_holds_up(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.idle_timeout = SOON;
    script.opened = write_and_close;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    expect(f, "open, write ECANCELED, close idle");
    client_read(&client);
    client_wait_reset(f, &client);
    client_close(f, &client);
}

/* ---- connecting ----------------------------------------------------- */

static int never_answer(struct tlr_server *server, struct tlr_id id,
                        const char *node, const char *service)
{
    (void)server;
    (void)id;
    (void)node;
    (void)service;
    return 0;
}

static unsigned own_idle; /* of the next one, if not 0 */

static void connect_out(struct tlr_server *server, unsigned worker,
                        void *data)
{
    (void)data;
    assert_int_equal(tlr_connect_name(server, worker, "x", "1",
                                      &script.handler, &script.conn),
                     0);
    if (own_idle != 0) {
        assert_int_equal(
            tlr_conn_set_timeout(script.conn, TLR_TIMEOUT_IDLE, own_idle), 0);
    }
}

static void begin_to_connect(struct fixture *f)
{
    f->options.resolve = never_answer;
    start_server(f);
    assert_int_equal(tlr_post(f->server, 0, connect_out, NULL), 0);
}

static void connecting_may_take_as_long_as_being_idle(void **state)
{
    struct fixture *f = *state;

    own_idle = 0;
    f->options.idle_timeout = SOON;
    begin_to_connect(f);
    expect(f, "connect ETIMEDOUT, close idle");
}

static void connecting_can_have_a_time_of_its_own(void **state)
{
    struct fixture *f = *state;

    own_idle = SOON;
    f->options.max_lifetime = FOR_EVER;
    begin_to_connect(f);
    expect(f, "connect ETIMEDOUT, close idle");
}

/* ---- reading -------------------------------------------------------- */

static void read_many(struct tlr_conn *conn)
{
    assert_int_equal(tlr_read_exactly(conn, 1000), 0);
}

/* However many bytes come: it is the whole of it that counts. */
static void a_trickle_does_not_put_off_a_read(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.read_timeout = SOON;
    f->options.idle_timeout = LONG;
    script.opened = read_many;
    script.received = read_on;
    start_server(f);
    client_connect(f, &client);
    while (!client.ended && client.sent < 900) {
        client_send(&client, "x", 1);
        run_for(&f->loop, 10);
    }
    client_wait_end(f, &client);
    client_close(f, &client);
    expect(f, "open, read ETIMEDOUT, close read");
}

static void without_a_read_there_is_no_read_timeout(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.read_timeout = SOON;
    script.opened = do_nothing;
    start_server(f);
    client_connect(f, &client);
    wait_opened(f);
    run_for(&f->loop, 3 * SOON);
    expect_so_far("open");
    on_worker(f, read_some);
    wait_log(f, "read ETIMEDOUT");
    on_worker(f, close_it);
    client_close(f, &client);
    expect(f, "open, read ETIMEDOUT, close read");
}

static void be_strict_at_first(struct tlr_conn *conn)
{
    assert_int_equal(tlr_conn_set_timeout(conn, TLR_TIMEOUT_READ, LONG), 0);
    assert_int_equal(tlr_read(conn), 0);
}

static void then_be_patient(struct tlr_conn *conn, ssize_t nread, char *data)
{
    (void)data;
    assert_int_equal(tlr_conn_set_timeout(conn, TLR_TIMEOUT_READ, 0), 0);
    if (nread <= 0 || tlr_read(conn) != 0) {
        tlr_close(conn);
    }
}

static void a_timeout_can_be_taken_off(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.read_timeout = FOR_EVER;
    script.opened = be_strict_at_first;
    script.received = then_be_patient;
    start_server(f);
    client_connect(f, &client);
    client_send(&client, "x", 1);
    wait_log(f, "read 1");
    run_for(&f->loop, LONG + SOON);
    expect_so_far("open, read 1");
    client_close(f, &client);
    expect(f, "open, read 1, read EOF, close peer");
}

static void hurry(struct tlr_conn *conn)
{
    assert_int_equal(tlr_conn_set_timeout(conn, TLR_TIMEOUT_READ, SOON), 0);
}

static void a_shorter_timeout_counts_for_the_read_under_way(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.read_timeout = FOR_EVER;
    script.opened = read_some;
    script.received = read_on;
    start_server(f);
    client_connect(f, &client);
    wait_opened(f);
    on_worker(f, hurry);
    client_wait_end(f, &client);
    client_close(f, &client);
    expect(f, "open, read ETIMEDOUT, close read");
}

static void set_what_is_not_there(struct tlr_conn *conn)
{
    assert_int_equal(tlr_conn_set_timeout(conn, TLR_TIMEOUT_READ, 1),
                     UV_ENOTSUP);
}

static void set_at_the_end(struct tlr_conn *conn)
{
    assert_int_equal(tlr_conn_set_timeout(conn, TLR_TIMEOUT_READ, 1),
                     UV_EBADF);
}

static void set_strange_ones(struct tlr_conn *conn)
{
    assert_int_equal(
        tlr_conn_set_timeout(conn, (enum tlr_timeout)99, 1), UV_EINVAL);
    tlr_close(conn);
}

static void what_cannot_be_set_is_refused(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.write_timeout = FOR_EVER;
    script.opened = set_strange_ones;
    script.closed = set_at_the_end;
    start_server(f);
    client_connect(f, &client);
    client_close(f, &client);
    expect(f, "open, close handler");
}

static void without_timeouts_none_can_be_set(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = set_what_is_not_there;
    start_server(f);
    connect_client(f, &client);
    client_close(f, &client);
}

/* ---- writing -------------------------------------------------------- */

static void a_peer_that_takes_nothing_is_reset(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.write_timeout = SOON;
    script.opened = stuff;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    expect(f, "open, high, write ECANCELED, close write");
    client_read(&client);
    client_wait_reset(f, &client);
    client_close(f, &client);
    assert_int_equal(closed_by(f, TLR_CLOSED_BY_WRITE), 1);
}

static void also_when_it_is_closed_already(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.write_timeout = SOON;
    script.opened = write_and_close;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    expect(f, "open, write ECANCELED, close write");
    client_read(&client);
    client_wait_reset(f, &client);
    client_close(f, &client);
}

/* The kernel takes it, and it is not the peer's fault that there is no more. */
static void what_is_not_queued_is_not_waited_for(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.write_timeout = SOON;
    f->options.write_rate = 1000000000;
    serve_echo(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    client_send(&client, "x", 1);
    wait_bytes_in(f, 1);
    run_for(&f->loop, 3 * SOON);
    expect_so_far("open");
    client_close(f, &client);
}

/* Then there is nothing more to take. */
static void a_peer_that_has_taken_all_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.write_timeout = LONG / 3;
    script.opened = stuff;
    start_server(f);
    client_connect_as(f, &client, CLIENT_CHECKING);
    client_wait(f, &client, STUFFING);
    run_for(&f->loop, LONG + SOON);
    assert_int_equal(count_log("close"), 0);
    client_close(f, &client);
}

static void a_peer_that_takes_some_is_not_reset(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uint64_t begun = uv_hrtime();

    f->options.write_timeout = LONG / 2;
    script.opened = begin_pieces;
    script.written = write_pieces;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    while (milliseconds_since(begun) < LONG) {
        client_sip(f, &client, 20);
    }
    assert_int_equal(count_log("close"), 0);
    client_close(f, &client);
}

/* It takes bytes all the time, but only as many as one read brings. */
static void a_peer_below_the_rate_is_reset(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.write_timeout = LONG / 3;
    f->options.write_rate = 1000000000;
    script.opened = stuff;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    while (count_log("close") == 0 && client.received < STUFFING / 2) {
        client_sip(f, &client, 100);
    }
    assert_in_range(client.received, 1, STUFFING / 2 - 1);
    expect(f, "open, high, write ECANCELED, close write");
    client_close(f, &client);
}

static atomic_size_t unacknowledged;

static void enlarge_and_stuff(struct tlr_conn *conn)
{
    assert_int_equal(tlr_conn_set(conn, TLR_SEND_BUFFER, 2 * MIB), 0);
    stuff(conn);
    atomic_store(&unacknowledged, tlr_handoff_unacknowledged(&conn->uv.tcp));
}

/* So slowly that the kernel takes no more for long: see below. */
static void sip_for(struct fixture *f, struct client *client,
                    uint64_t milliseconds)
{
    uint64_t begun = uv_hrtime();

    while (milliseconds_since(begun) < milliseconds) {
        client_sip(f, client, 200); /* 64 KiB */
    }
    assert_in_range(client->received, 1, MIB + MIB / 2);
}

/*
 * A third of what the kernel holds has to be free before it takes more. That is
 * a long time for this peer, in which it takes something every moment.
 */
static void what_the_peer_has_acknowledged_counts(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.write_timeout = LONG / 3;
    script.opened = enlarge_and_stuff;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    wait_opened(f);
    if (atomic_load(&unacknowledged) == 0) {
        client_close(f, &client);
        return; /* the system does not tell */
    }
    client_wait_stalled(f, &client, 1);
    sip_for(f, &client, LONG + LONG / 3);
    expect_so_far("open, high");
    client_close(f, &client);
}

/* ---- the whole life ------------------------------------------------- */

static void the_end_of_its_life_is_told_and_then_comes(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.max_lifetime = SOON;
    f->options.lifetime_grace = SOON;
    serve_echo(f);
    client_connect(f, &client);
    tlr_handoff_sigpipe_block(); /* the client may write after the reset */
    while (count_log("close") == 0) {
        client_send(&client, "x", 1);
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    tlr_handoff_sigpipe_restore();
    client_close(f, &client);
    wait_close(f);
    assert_int_equal(count_log("open, drain"), 1);
    assert_int_equal(count_log("drain"), 1);
    assert_int_equal(count_log("close lifetime"), 1);
}

static void a_handler_that_heeds_it_closes_in_order(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.max_lifetime = SOON;
    f->options.lifetime_grace = FOR_EVER;
    script.opened = read_some;
    script.received = read_on;
    script.drained = close_it;
    start_server(f);
    client_connect(f, &client);
    client_wait_end(f, &client);
    client_close(f, &client);
    expect(f, "open, drain, read ECANCELED, close lifetime");
    assert_int_equal(closed_by(f, TLR_CLOSED_BY_LIFETIME), 1);
}

static void a_handler_that_is_not_told_is_reset_all_the_same(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.handler.on_drain = NULL;
    f->options.max_lifetime = SOON;
    f->options.lifetime_grace = SOON;
    script.opened = read_some;
    script.received = read_on;
    start_server(f);
    client_connect(f, &client);
    client_wait_reset(f, &client);
    client_close(f, &client);
    expect(f, "open, read ECANCELED, close lifetime");
}

static void limit_life(struct tlr_conn *conn)
{
    assert_int_equal(tlr_conn_set_timeout(conn, TLR_TIMEOUT_LIFETIME, SOON),
                     0);
}

static void a_life_can_be_made_shorter(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.read_timeout = FOR_EVER;
    script.opened = limit_life;
    script.drained = close_it;
    start_server(f);
    client_connect(f, &client);
    client_close(f, &client);
    expect(f, "open, drain, close lifetime");
}

static bool has_drained(void *data)
{
    (void)data;
    return count_log("drain") > 0;
}

static void a_drain_and_the_end_of_a_life_are_told_once(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.max_lifetime = SOON;
    f->options.lifetime_grace = 2 * SOON;
    start_server(f);
    client_connect(f, &client);
    wait_opened(f);
    tlr_server_drain(f->server, TLR_NO_DEADLINE);
    run_until(&f->loop, has_drained, NULL);
    expect(f, "open, drain, close lifetime");
    client_close(f, &client);
}

/* ---- jitter --------------------------------------------------------- */

enum { CROWD = 100 };

static unsigned idles[CROWD];
static uint64_t lives[CROWD];
static atomic_uint crowd;

static void note_timeouts(struct tlr_conn *conn)
{
    const struct tlr_timeouts *timeouts = tlr_timeouts_of(conn);
    unsigned i = atomic_load(&crowd);

    idles[i] = timeouts->idle;
    lives[i] = timeouts->ends - timeouts->active;
    atomic_store(&crowd, i + 1);
}

static void expect_spread(const uint64_t *values)
{
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    int i;

    for (i = 0; i < CROWD; i++) {
        least = values[i] < least ? values[i] : least;
        most = values[i] > most ? values[i] : most;
    }
    assert_in_range(least, 800000, 850000);
    assert_in_range(most, 950000, 1000000);
}

static void those_that_come_together_do_not_go_together(void **state)
{
    static struct client clients[CROWD];
    struct fixture *f = *state;
    uint64_t values[CROWD];
    int i;

    atomic_store(&crowd, 0);
    f->options.idle_timeout = 1000000;
    f->options.max_lifetime = 1000000;
    f->options.jitter = 20;
    script.opened = note_timeouts;
    start_server(f);
    for (i = 0; i < CROWD; i++) {
        client_connect(f, &clients[i]);
    }
    wait_for(f, &crowd, CROWD);
    expect_spread(lives);
    for (i = 0; i < CROWD; i++) {
        values[i] = idles[i];
    }
    expect_spread(values);
    for (i = 0; i < CROWD; i++) {
        client_close(f, &clients[i]);
    }
}

/* ---- what a busy loop is to blame for ------------------------------- */

static atomic_bool held;
static atomic_bool let_go;

static void hold_worker(struct tlr_server *server, unsigned worker, void *data)
{
    (void)server;
    (void)worker;
    (void)data;
    atomic_store(&held, true);
    while (!atomic_load(&let_go)) {
        uv_sleep(1);
    }
}

static bool is_held(void *data)
{
    (void)data;
    return atomic_load(&held);
}

/* The peer has sent in time, and only the worker was late. */
static void a_peer_is_not_late_because_the_worker_is(void **state)
{
    struct fixture *f = *state;
    struct client client;

    atomic_store(&held, false);
    atomic_store(&let_go, false);
    f->options.idle_timeout = LONG / 3;
    f->options.read_timeout = LONG / 3;
    script.opened = read_some;
    start_server(f);
    client_connect(f, &client);
    wait_opened(f);
    assert_int_equal(tlr_post(f->server, script.worker, hold_worker, NULL),
                     0);
    run_until(&f->loop, is_held, NULL);
    client_send(&client, "x", 1);
    run_for(&f->loop, LONG / 3 + 2 * SOON);
    atomic_store(&let_go, true);
    wait_log(f, "read");
    expect_so_far("open, read 1");
    client_close(f, &client);
}

static atomic_bool asked;

static void be_busy_and_read(struct tlr_conn *conn)
{
    uv_sleep(LONG / 2 + SOON);
    assert_int_equal(tlr_read(conn), 0);
    atomic_store(&asked, true);
}

static bool has_asked(void *data)
{
    (void)data;
    return atomic_load(&asked);
}

/* Its time begins when it is asked for, not when the loop's turn did. */
static void a_read_asked_for_late_in_a_turn_has_all_its_time(void **state)
{
    struct fixture *f = *state;
    struct client client;

    atomic_store(&asked, false);
    f->options.read_timeout = LONG / 2;
    script.opened = be_busy_and_read;
    start_server(f);
    client_connect(f, &client);
    run_until(&f->loop, has_asked, NULL);
    run_for(&f->loop, 100);
    client_send(&client, "x", 1);
    wait_log(f, "read");
    expect_so_far("open, read 1");
    client_close(f, &client);
}

/* ---- a drain or a stop in the middle -------------------------------- */

enum middle { NOTHING, DRAIN, STOP };

/*
 * Each state in which a connection can be for long, and what ends it: its
 * timeout, the same while the server drains without a deadline, and a stop before
 * the timeout. The others (OPENING, FINISHING, CLOSING) last for one turn.
 */
static const struct {
    const char *name;
    bool connects;
    script_cb opened;
    script_read_cb received;
    enum tlr_timeout which;
    const char *until; /* it is logged: then the middle begins */
    const char *timed_out;
    const char *drained;
    const char *stopped;
} states[] = {
    {"CONNECTING", true, NULL, NULL, TLR_TIMEOUT_IDLE, NULL,
     "connect ETIMEDOUT, close idle", "connect ETIMEDOUT, close idle",
     "connect ECANCELED, close stop"},
    {"OPEN, reading", false, read_some, read_on, TLR_TIMEOUT_READ, "open",
     "open, read ETIMEDOUT, close read",
     "open, drain, read ETIMEDOUT, close read",
     "open, read ECANCELED, close stop"},
    {"OPEN, not reading", false, do_nothing, NULL, TLR_TIMEOUT_IDLE, "open",
     "open, close idle", "open, drain, close idle", "open, close stop"},
    {"OPEN, writing", false, stuff, NULL, TLR_TIMEOUT_WRITE, "high",
     "open, high, write ECANCELED, close write",
     "open, high, drain, write ECANCELED, close write",
     "open, high, write ECANCELED, close owing"},
    {"FLUSHING", false, write_and_close, NULL, TLR_TIMEOUT_WRITE, "open",
     "open, write ECANCELED, close write",
     "open, write ECANCELED, close write",
     "open, write ECANCELED, close owing"},
    {"LINGERING", false, close_it, NULL, TLR_TIMEOUT_IDLE, "open",
     "open, close handler", "open, close handler", "open, close handler"},
};

static void be_in(struct fixture *f, struct client *client, size_t i,
                  enum middle middle)
{
    unsigned timeout = middle == STOP ? FOR_EVER : 2 * SOON;

    f->options.idle_timeout =
        states[i].which == TLR_TIMEOUT_IDLE ? timeout : 0;
    f->options.read_timeout =
        states[i].which == TLR_TIMEOUT_READ ? timeout : 0;
    f->options.write_timeout =
        states[i].which == TLR_TIMEOUT_WRITE ? timeout : 0;
    script.opened = states[i].opened;
    script.received = states[i].received;
    own_idle = 0;
    if (states[i].connects) {
        begin_to_connect(f);
        run_for(&f->loop, 20);
    } else {
        start_server(f);
        client_connect_as(f, client,
                          states[i].which == TLR_TIMEOUT_WRITE
                              ? CLIENT_PATIENT
                              : CLIENT_CHECKING);
        wait_log(f, states[i].until);
    }
}

static const char *expected(size_t i, enum middle middle)
{
    switch (middle) {
    case NOTHING:
        return states[i].timed_out;
    case DRAIN:
        return states[i].drained;
    default:
        return states[i].stopped;
    }
}

static void a_state_ends(void **state, size_t i, enum middle middle)
{
    struct fixture *f = *state;
    struct client client;

    client.closed = true;
    be_in(f, &client, i, middle);
    if (middle == DRAIN) {
        tlr_server_drain(f->server, TLR_NO_DEADLINE);
    } else if (middle == STOP) {
        tlr_server_stop(f->server);
    }
    if (states[i].opened == close_it && middle != STOP) {
        run_for(&f->loop, 3 * SOON); /* it has five seconds of its own */
        assert_int_equal(count_log("close"), 0);
        client_close(f, &client);
    } else if (states[i].received == read_on && middle != STOP) {
        client_wait_end(f, &client);
        client_close(f, &client);
    }
    wait_close(f);
    if (strcmp(script.log, expected(i, middle)) != 0) {
        print_error("%s, %d: %s\n", states[i].name, (int)middle, script.log);
    }
    expect_so_far(expected(i, middle));
    client_close(f, &client);
}

#define EACH(i)                                                               \
    static void state_##i##_times_out(void **state)                           \
    {                                                                         \
        a_state_ends(state, i, NOTHING);                                      \
    }                                                                         \
    static void state_##i##_times_out_in_a_drain(void **state)                \
    {                                                                         \
        a_state_ends(state, i, DRAIN);                                        \
    }                                                                         \
    static void state_##i##_is_stopped(void **state)                          \
    {                                                                         \
        a_state_ends(state, i, STOP);                                         \
    }

EACH(0)
EACH(1)
EACH(2)
EACH(3)
EACH(4)
EACH(5)

static void what_was_told_before_a_stop_stays_the_cause(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.max_lifetime = SOON;
    f->options.lifetime_grace = FOR_EVER;
    start_server(f);
    client_connect(f, &client);
    wait_log(f, "drain");
    tlr_server_stop(f->server);
    expect(f, "open, drain, close lifetime");
    client_close(f, &client);
}

#define TEST(function)                                                        \
    cmocka_unit_test_prestate_setup_teardown(function, set_up,                \
                                             script_teardown, &script_one)
#define TEST_HOST(function)                                                   \
    cmocka_unit_test_prestate_setup_teardown(function, set_up,                \
                                             script_teardown, &script_on_host)
#define STATE(i)                                                              \
    TEST(state_##i##_times_out), TEST(state_##i##_times_out_in_a_drain),      \
        TEST(state_##i##_is_stopped)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_idle_read_is_told),
        TEST_HOST(an_idle_read_is_told),
        TEST(one_that_asks_for_no_read_is_reset),
        TEST(a_reset_by_the_handler_keeps_the_cause),
        TEST(a_last_word_reaches_the_peer),
        TEST(who_does_not_close_it_is_not_asked_for_long),
        TEST(traffic_keeps_it_open),
        TEST(traffic_does_not_touch_the_wheel),
        TEST(what_the_kernel_takes_at_once_is_noted),
        TEST(what_it_takes_of_a_part_is_noted),
        TEST(a_queued_write_that_is_done_was_seen),
        TEST(output_that_is_taken_keeps_it_open),
        TEST(a_large_write_that_is_taken_keeps_it_open),
        TEST(idle_begins_when_the_peer_stops),
        TEST(a_life_that_has_passed_may_be_prolonged),
        TEST(idle_ends_a_close_that_the_peer_holds_up),
        TEST(connecting_may_take_as_long_as_being_idle),
        TEST(connecting_can_have_a_time_of_its_own),
        TEST(a_trickle_does_not_put_off_a_read),
        TEST(without_a_read_there_is_no_read_timeout),
        TEST(a_timeout_can_be_taken_off),
        TEST(a_shorter_timeout_counts_for_the_read_under_way),
        TEST(what_cannot_be_set_is_refused),
        TEST(without_timeouts_none_can_be_set),
        TEST(a_peer_that_takes_nothing_is_reset),
        TEST_HOST(a_peer_that_takes_nothing_is_reset),
        TEST(also_when_it_is_closed_already),
        TEST(what_is_not_queued_is_not_waited_for),
        TEST(a_peer_that_has_taken_all_is_left_alone),
        TEST(a_peer_that_takes_some_is_not_reset),
        TEST(a_peer_below_the_rate_is_reset),
        TEST(what_the_peer_has_acknowledged_counts),
        TEST(the_end_of_its_life_is_told_and_then_comes),
        TEST(a_handler_that_heeds_it_closes_in_order),
        TEST_HOST(a_handler_that_heeds_it_closes_in_order),
        TEST(a_handler_that_is_not_told_is_reset_all_the_same),
        TEST(a_life_can_be_made_shorter),
        TEST(a_drain_and_the_end_of_a_life_are_told_once),
        TEST(those_that_come_together_do_not_go_together),
        TEST(a_peer_is_not_late_because_the_worker_is),
        TEST(a_read_asked_for_late_in_a_turn_has_all_its_time),
        STATE(0),
        STATE(1),
        STATE(2),
        STATE(3),
        STATE(4),
        STATE(5),
        TEST(what_was_told_before_a_stop_stays_the_cause),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
