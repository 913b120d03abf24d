/* SPDX-License-Identifier: MIT */
/*
 * tlr_send(), and writes from several buffers: what waits behind what, and
 * that a peer that reads late gets all of it in order. What is sent is always
 * the pattern, from the first byte on.
 */
#include "script.h"

#include <stdlib.h>
#include <string.h>

/* More than the kernel's buffers on both sides hold. */
#define STUFFING (12 * MIB)

static size_t position; /* of the pattern: what has been sent so far */
static size_t piece;    /* a test's own */
static uv_buf_t several[TLR_WRITE_BUFFERS_MOST + 1];

static int set_up(void **state)
{
    int err = script_setup(state);
    struct fixture *f = *state;

    f->options.send_queue = 30 * MIB;
    (void)script_pattern(); /* here, and on no worker */
    position = 0;
    return err;
}

/* libuv's memory for six buffers, which nothing else is as large as. */
static atomic_bool starving;

static void *malloc_or_not(size_t size)
{
    return atomic_load(&starving) && size == 6 * sizeof(uv_buf_t)
               ? NULL
               : malloc(size);
}

static const char *next_bytes(size_t size)
{
    const char *bytes = script_pattern() + position;

    position += size;
    assert_in_range(position, 0, 20 * MIB);
    return bytes;
}

static void send_next(struct tlr_conn *conn, size_t size)
{
    assert_int_equal(tlr_send(conn, next_bytes(size), size), 0);
}

static void write_next(struct tlr_conn *conn, size_t size)
{
    assert_int_equal(tlr_write(conn, next_bytes(size), size), 0);
}

static void stuff(struct tlr_conn *conn)
{
    send_next(conn, STUFFING);
    assert_in_range(tlr_conn_queued(conn), 1, STUFFING);
}

static void stuff_by_writing(struct tlr_conn *conn)
{
    write_next(conn, STUFFING);
    assert_in_range(tlr_conn_queued(conn), 1, STUFFING);
}

static bool has_written(void *count)
{
    return count_log("write ok") >= *(unsigned *)count;
}

static void wait_writes(struct fixture *f, unsigned count)
{
    run_until(&f->loop, has_written, &count);
}

static void connect_late(struct fixture *f, struct client *client)
{
    client_connect_as(f, client, CLIENT_PATIENT | CLIENT_CHECKING);
    wait_opened(f);
}

static atomic_size_t left;

static void note_queued(struct tlr_conn *conn)
{
    atomic_store(&left, tlr_conn_queued(conn));
}

/* The worker hears of it somewhat later than the peer. */
static bool has_sent_all(void *f)
{
    return counters_of(f, TLR_ALL_WORKERS).bytes_out >= position;
}

/* The client reads all that was sent. */
static void wait_all(struct fixture *f, struct client *client)
{
    if (!uv_is_active((uv_handle_t *)&client->tcp)) {
        client_read(client);
    }
    client_wait(f, client, position);
    assert_false(client->wrong);
    run_until(&f->loop, has_sent_all, f);
    on_worker(f, note_queued);
    assert_int_equal(atomic_load(&left), 0);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).bytes_out, position);
}

/* And then FIN. */
static void wait_all_and_end(struct fixture *f, struct client *client)
{
    client_read(client);
    client_wait_end(f, client);
    assert_int_equal(client->received, position);
    assert_false(client->wrong);
    client_close(f, client);
    wait_close(f);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).bytes_out, position);
}

/* ---- sending -------------------------------------------------------- */

static atomic_uint sends;

static void send_in_pieces(struct tlr_conn *conn)
{
    while (position < STUFFING) {
        piece = (piece * 31 + 17) % 5000;
        send_next(conn, piece);
        atomic_fetch_add(&sends, 1);
    }
    while (position < STUFFING + 3000) {
        send_next(conn, 1);
        atomic_fetch_add(&sends, 1);
    }
}

static void many_sends_reach_a_late_reader_in_order(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = send_in_pieces;
    atomic_store(&sends, 0);
    start_server(f);
    connect_late(f, &client);
    wait_all(f, &client);
    assert_int_equal(count_log("write"), 0);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).writes,
                     atomic_load(&sends));
    client_close(f, &client);
}

static void send_a_little(struct tlr_conn *conn)
{
    send_next(conn, 100);
    send_next(conn, 0);
    send_next(conn, 1);
    assert_int_equal(tlr_conn_queued(conn), 0);
}

static void what_the_kernel_takes_is_not_queued(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = send_a_little;
    start_server(f);
    connect_late(f, &client);
    wait_all(f, &client);
    expect_so_far("open");
    client_close(f, &client);
}

static void stuff_and_send_nothing(struct tlr_conn *conn)
{
    struct fixture *f = tlr_conn_user(conn);
    size_t before;
    unsigned i;

    send_next(conn, STUFFING);
    before = atomic_load(&f->memory.live);
    for (i = 0; i < 1000; i++) {
        send_next(conn, 0);
    }
    assert_int_equal(atomic_load(&f->memory.live), before);
}

static void what_is_nothing_is_not_queued(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = stuff_and_send_nothing;
    start_server(f);
    connect_late(f, &client);
    wait_all(f, &client);
    client_close(f, &client);
}

static void fill_the_queue(struct tlr_conn *conn)
{
    size_t most = 15 * MIB;
    size_t queued;

    stuff(conn);
    queued = tlr_conn_queued(conn);
    assert_int_equal(tlr_send(conn, script_pattern(), most - queued + 1),
                     UV_ENOBUFS);
    assert_int_equal(tlr_conn_queued(conn), queued);
    send_next(conn, 1000);
    send_next(conn, most - queued - 1000);
    assert_int_equal(tlr_conn_queued(conn), most);
    assert_int_equal(tlr_send(conn, "x", 1), UV_ENOBUFS);
    assert_int_equal(tlr_conn_queued(conn), most);
}

static void more_than_the_queue_may_hold_is_refused_whole(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.send_queue = 15 * MIB;
    script.opened = fill_the_queue;
    start_server(f);
    connect_late(f, &client);
    wait_all(f, &client);
    client_close(f, &client);
}

static void overfill_the_queue(struct tlr_conn *conn)
{
    stuff(conn);
    assert_int_equal(tlr_send(conn, "x", 1), UV_ENOBUFS);
}

static void a_first_send_may_be_larger_than_the_queue(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.send_queue = 10;
    script.opened = overfill_the_queue;
    start_server(f);
    connect_late(f, &client);
    wait_all(f, &client);
    client_close(f, &client);
}

static void send_when_closed(struct tlr_conn *conn)
{
    uv_buf_t none;

    memset(&none, 0, sizeof(none));
    assert_int_equal(
        tlr_send(conn, script_pattern(), (size_t)TLR_WRITE_MOST + 1),
        UV_EINVAL);
    tlr_close(conn);
    assert_int_equal(tlr_send(conn, "x", 1), UV_EBADF);
    assert_int_equal(tlr_writev(conn, &none, 1), UV_EBADF);
}

static void nothing_is_sent_by_a_closed_connection(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = send_when_closed;
    start_server(f);
    connect_late(f, &client);
    wait_all_and_end(f, &client);
    expect_so_far("open, close handler");
}

/* ---- behind one another --------------------------------------------- */

static void write_behind_sends(struct tlr_conn *conn)
{
    stuff(conn);
    send_next(conn, 10);
    write_next(conn, 1000);
    assert_int_equal(tlr_write(conn, "x", 1), UV_EBUSY);
    send_next(conn, 500);
    send_next(conn, 600);
}

static void write_and_send_more(struct tlr_conn *conn, int status)
{
    assert_int_equal(status, 0);
    if (position < STUFFING + 5000) {
        write_next(conn, 2000);
        send_next(conn, 3000);
    }
}

static void a_write_behind_sends_keeps_the_order(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = write_behind_sends;
    script.written = write_and_send_more;
    start_server(f);
    connect_late(f, &client);
    client_read(&client);
    wait_writes(f, 2);
    wait_all(f, &client);
    assert_int_equal(count_log("write ok"), 2);
    client_close(f, &client);
}

static void send_behind_a_write(struct tlr_conn *conn)
{
    unsigned i;

    stuff_by_writing(conn);
    for (i = 0; i < 1000; i++) {
        send_next(conn, i);
    }
    assert_int_equal(tlr_write(conn, "x", 1), UV_EBUSY);
}

static void sends_behind_a_write_keep_the_order(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = send_behind_a_write;
    start_server(f);
    connect_late(f, &client);
    wait_all(f, &client);
    assert_int_equal(count_log("write ok"), 1);
    client_close(f, &client);
}

static void write_what_was_read(struct tlr_conn *conn, ssize_t nread,
                                char *data)
{
    if (nread <= 0) {
        tlr_close(conn);
        return;
    }
    if (nread == 1000) {
        stuff(conn);
        assert_int_equal(tlr_write(conn, data + 3, 990), 0);
        position += 990;
        send_next(conn, 7);
    } else {
        memset(data, 0, (size_t)nread); /* it is ours to write to */
    }
    assert_int_equal(tlr_read_exactly(conn, 200), 0);
}

static void read_a_thousand(struct tlr_conn *conn)
{
    assert_int_equal(tlr_read_exactly(conn, 1000), 0);
}

/* The buffer waits behind what is queued, and what is read meanwhile is not
 * read into it. */
static void a_read_buffer_is_kept_behind_sends(void **state)
{
    struct fixture *f = *state;
    struct client client;
    size_t i;

    script.opened = read_a_thousand;
    script.received = write_what_was_read;
    start_server(f);
    connect_late(f, &client);
    client_send_pattern(&client, STUFFING - 3, 1000);
    wait_log(f, "read 1000");
    for (i = 0; i < 10; i++) {
        client_send_pattern(&client, 0, 1000);
        wait_bytes_in(f, 2000 + 1000 * i);
    }
    wait_all(f, &client);
    client_close(f, &client);
}

/* ---- several buffers ------------------------------------------------ */

/* `count` buffers of `size` bytes each, every third one empty. */
static void writev_next(struct tlr_conn *conn, unsigned count, size_t size)
{
    unsigned i;

    for (i = 0; i < count; i++) {
        size_t part = i % 3 == 1 ? 0 : size;

        several[i] = uv_buf_init((char *)next_bytes(part), (unsigned)part);
    }
    assert_int_equal(tlr_writev(conn, several, count), 0);
    memset(several, 0, sizeof(several)); /* the array is ours again */
}

static void writev_in_turn(struct tlr_conn *conn, int status)
{
    static const struct {
        unsigned count;
        size_t size;
    } writes[] = {
        {1, 100},   {5, 10},     {1024, 1},   {1024, 15000},
        {5, 20000}, {2, 300000}, {1024, 100}, {0, 0},
        {3, 0},
    };

    assert_int_equal(status, 0);
    if (piece < COUNT(writes)) {
        size_t now = piece++;

        writev_next(conn, writes[now].count, writes[now].size);
    }
}

static void begin_writev(struct tlr_conn *conn)
{
    piece = 0;
    writev_in_turn(conn, 0);
}

static void several_buffers_are_written_in_order(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = begin_writev;
    script.written = writev_in_turn;
    start_server(f);
    connect_late(f, &client);
    client_read(&client);
    wait_writes(f, 9);
    wait_all(f, &client);
    assert_int_equal(count_log("write ok"), 9);
    client_close(f, &client);
}

static void writev_behind_sends(struct tlr_conn *conn, int status)
{
    static const unsigned counts[] = {5, 1024, 1, 0, 2};

    assert_int_equal(status, 0);
    if (piece < COUNT(counts)) {
        send_next(conn, MIB);
        writev_next(conn, counts[piece++], 11);
        send_next(conn, 13);
    } else if (piece++ == COUNT(counts)) {
        unsigned i;

        send_next(conn, MIB);
        for (i = 0; i < 6; i++) { /* nothing but empty ones */
            several[i] = uv_buf_init(NULL, 0);
        }
        assert_int_equal(tlr_writev(conn, several, 6), 0);
    }
}

static void stuff_and_writev(struct tlr_conn *conn)
{
    send_next(conn, 8 * MIB);
    piece = 0;
    writev_behind_sends(conn, 0);
}

static void several_buffers_behind_sends_are_written_in_order(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = stuff_and_writev;
    script.written = writev_behind_sends;
    start_server(f);
    connect_late(f, &client);
    client_read(&client);
    wait_writes(f, 6);
    wait_all(f, &client);
    assert_int_equal(count_log("write ok"), 6);
    client_close(f, &client);
}

static void writev_too_much(struct tlr_conn *conn)
{
    unsigned i;

    for (i = 0; i < COUNT(several); i++) {
        several[i] = uv_buf_init((char *)script_pattern(), 1);
    }
    assert_int_equal(tlr_writev(conn, several, TLR_WRITE_BUFFERS_MOST + 1),
                     UV_EINVAL);
    several[1].len = TLR_WRITE_MOST;
    assert_int_equal(tlr_writev(conn, several, 2), UV_EINVAL);
    for (i = 0; i < 4; i++) {
        several[i].len = 0x7fffffff;
    }
    assert_int_equal(tlr_writev(conn, several, 4), UV_EINVAL);
    assert_int_equal(tlr_write(conn, script_pattern(),
                               (size_t)TLR_WRITE_MOST + 1),
                     UV_EINVAL);
    write_next(conn, 5); /* none of these is under way */
}

static void too_much_at_once_is_refused(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = writev_too_much;
    start_server(f);
    connect_late(f, &client);
    wait_all(f, &client);
    expect_so_far("open, write ok");
    client_close(f, &client);
}

/* ---- water marks ---------------------------------------------------- */

static void the_marks_take_turns(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.high_water = 100000;
    f->options.low_water = 1000;
    start_server(f);
    connect_late(f, &client);
    on_worker(f, stuff);
    wait_log(f, "open, high");
    wait_all(f, &client);
    wait_log(f, "open, high, low");
    assert_int_equal(uv_read_stop((uv_stream_t *)&client.tcp), 0);
    position = 0;
    client.received = 0;
    on_worker(f, stuff_by_writing);
    wait_log(f, "open, high, low, high");
    client_read(&client);
    client_wait(f, &client, position);
    assert_false(client.wrong);
    wait_log(f, "open, high, low, high, write ok, low");
    client_close(f, &client);
}

static size_t below; /* the high mark */

static void send_to_below_the_mark(struct tlr_conn *conn)
{
    stuff(conn);
    send_next(conn, below - tlr_conn_queued(conn));
    assert_int_equal(tlr_conn_queued(conn), below);
}

static void reach_the_mark(struct tlr_conn *conn)
{
    /* The kernel may have taken some more meanwhile. */
    send_next(conn, below + 1 - tlr_conn_queued(conn));
}

static void the_high_mark_is_a_byte_exact(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.high_water = 14 * MIB;
    f->options.low_water = 14 * MIB - 1;
    below = 14 * MIB - 1;
    start_server(f);
    connect_late(f, &client);
    on_worker(f, send_to_below_the_mark);
    on_worker(f, read_some); /* what was told is in the log by now */
    expect_so_far("open");
    on_worker(f, reach_the_mark);
    wait_log(f, "open, high");
    wait_all(f, &client);
    expect_so_far("open, high, low");
    client_close(f, &client);
}

/*
 * Both marks are passed before the first is told of: something else on the
 * loop sends, and the writes are done in the same turn. Then neither is, and
 * the connection is none the worse.
 */
static uint64_t taken; /* by the client, without its loop */

static void send_to_the_mark(uv_async_t *async)
{
    struct fixture *f = async->data;

    if (tlr_conn_queued(script.conn) < f->options.high_water) {
        send_next(script.conn,
                  f->options.high_water - tlr_conn_queued(script.conn));
    }
    uv_close((uv_handle_t *)async, NULL);
}

static void stuff_gently(struct tlr_conn *conn)
{
    while (tlr_conn_queued(conn) == 0) {
        send_next(conn, 10000);
    }
}

/* All that the kernel has: and then it can take something again. */
static void take_directly(struct client *client, size_t bytes)
{
    static char buffer[65536];
    uint64_t end = uv_hrtime() + (uint64_t)DEADLINE * 1000000;
    uv_os_fd_t fd;

    assert_int_equal(uv_fileno((uv_handle_t *)&client->tcp, &fd), 0);
    taken = 0;
    while (taken < bytes) {
        long got = recv((uv_os_sock_t)fd, buffer, sizeof(buffer), 0);
        long i;

        assert_true(uv_hrtime() < end);
        for (i = 0; i < got; i++) {
            assert_int_equal(buffer[i], pattern_at(taken + (uint64_t)i));
        }
        taken += got > 0 ? (uint64_t)got : 0;
    }
}

static void marks_passed_in_one_turn_end_nothing(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uv_async_t async;

    f->options.high_water = 100000;
    f->options.low_water = 99999;
    start_server(f);
    connect_late(f, &client);
    on_worker(f, stuff_gently);
    assert_int_equal(uv_async_init(&f->loop, &async, send_to_the_mark), 0);
    async.data = f;
    assert_int_equal(uv_async_send(&async), 0);
    take_directly(&client, position - tlr_conn_queued(script.conn));
    client.received = taken;
    client_read(&client);
    run_for(&f->loop, 20);
    wait_all(f, &client);
    assert_int_equal(count_log("close"), 0);
    assert_int_equal(count_log("high"), count_log("low"));
    client_close(f, &client);
}

static void send_from_high(struct tlr_conn *conn)
{
    send_next(conn, 100);
    tlr_close(conn);
}

/* None is told once the connection closes. */
static void the_marks_end_with_the_connection(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = stuff;
    script.high = send_from_high;
    start_server(f);
    connect_late(f, &client);
    wait_all_and_end(f, &client);
    expect_so_far("open, high, close handler");
}

/* ---- the end -------------------------------------------------------- */

static void shut_down(struct tlr_conn *conn)
{
    assert_int_equal(tlr_shutdown(conn), 0);
    assert_int_equal(tlr_shutdown(conn), UV_EPIPE);
    assert_int_equal(tlr_send(conn, "x", 1), UV_EPIPE);
    assert_int_equal(tlr_write(conn, "x", 1), UV_EPIPE);
    read_some(conn);
}

static void stuff_and_shut_down(struct tlr_conn *conn)
{
    write_behind_sends(conn);
    shut_down(conn);
}

static void fin_follows_all_that_is_queued(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.high_water = 30 * MIB;
    script.opened = stuff_and_shut_down;
    script.received = read_on;
    start_server(f);
    connect_late(f, &client);
    wait_all_and_end(f, &client);
    expect_so_far("open, write ok, shutdown ok, read EOF, close peer");
}

static void stuff_and_close(struct tlr_conn *conn)
{
    write_behind_sends(conn);
    tlr_close(conn);
}

static void closing_sends_all_that_is_queued(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = stuff_and_close;
    start_server(f);
    connect_late(f, &client);
    wait_all_and_end(f, &client);
    expect_so_far("open, write ok, close handler");
}

static void stuff_and_close_without_memory(struct tlr_conn *conn)
{
    send_next(conn, STUFFING);
    writev_next(conn, 6, 1000);
    atomic_store(&starving, true);
    tlr_close(conn);
}

/* Not with a FIN, which would say that this was all. On Windows it needs none. */
static void closing_resets_if_something_is_lost(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = stuff_and_close_without_memory;
    start_server(f);
    connect_late(f, &client);
    client_read(&client);
    client_wait_over(f, &client);
    atomic_store(&starving, false);
    assert_false(client.wrong);
    if (client.received == position) {
        assert_true(client.ended);
    } else {
        assert_false(client.ended);
        assert_true(client.error < 0);
    }
    client_close(f, &client);
    wait_close(f);
    expect_so_far(client.ended ? "open, write ok, close handler"
                               : "open, write ENOMEM, close error");
}

static void stuff_shut_down_and_close(struct tlr_conn *conn)
{
    stuff_and_shut_down(conn);
    tlr_close(conn);
}

static void closing_behind_a_shutdown_sends_all(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = stuff_shut_down_and_close;
    start_server(f);
    connect_late(f, &client);
    wait_all_and_end(f, &client);
    expect_so_far("open, read ECANCELED, write ok, shutdown ok, "
                  "close handler");
}

static void stuff_and_reset(struct tlr_conn *conn)
{
    write_behind_sends(conn);
    tlr_reset(conn);
}

static void a_reset_drops_what_is_queued(void **state)
{
    struct fixture *f = *state;
    struct client client;

    start_server(f);
    connect_late(f, &client);
    on_worker(f, stuff_and_reset);
    wait_close(f);
    expect_so_far("open, write ECANCELED, close reset");
    client_read(&client);
    client_wait_over(f, &client);
    assert_false(client.wrong);
    assert_in_range(client.received, 0, STUFFING - 1);
    client_close(f, &client);
}

static void reset_only_sends(struct tlr_conn *conn)
{
    stuff(conn);
    send_next(conn, 100000);
    tlr_close(conn);
    tlr_reset(conn);
}

static void a_reset_tells_of_sends_once(void **state)
{
    struct fixture *f = *state;
    struct client client;

    start_server(f);
    connect_late(f, &client);
    on_worker(f, reset_only_sends);
    wait_close(f);
    expect_so_far("open, write ECANCELED, close reset");
    client_close(f, &client);
}

static void close_on_error(struct tlr_conn *conn, int status)
{
    if (status != 0) {
        tlr_close(conn);
    }
}

static void stuff_in_two(struct tlr_conn *conn)
{
    stuff(conn);
    send_next(conn, 100000);
}

static void a_peers_reset_tells_of_lost_sends_once(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.high_water = 30 * MIB;
    script.opened = stuff_in_two;
    script.written = close_on_error;
    start_server(f);
    connect_late(f, &client);
    client_reset(f, &client);
    wait_close(f);
    assert_int_equal(count_log("write"), 1);
    assert_int_equal(count_log("write ok"), 0);
    assert_int_equal(count_log("close error"), 1);
}

static void a_peers_reset_fails_the_write_behind_sends(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.high_water = 30 * MIB;
    script.opened = write_behind_sends;
    script.written = close_on_error;
    start_server(f);
    connect_late(f, &client);
    client_reset(f, &client);
    wait_close(f);
    assert_int_equal(count_log("write"), 1);
    assert_int_equal(count_log("write ok"), 0);
    assert_int_equal(count_log("close error"), 1);
}

static void stopping_drops_what_is_queued(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.high_water = 30 * MIB;
    script.opened = write_behind_sends;
    start_server(f);
    connect_late(f, &client);
    drain_server(f, 0);
    expect_so_far("open, write ECANCELED, close owing");
    client_close(f, &client);
}

/* ---- memory --------------------------------------------------------- */

static atomic_uint told;  /* errors */
static atomic_uint tried; /* times */
static unsigned rounds;

static void try_to_send(struct tlr_conn *conn)
{
    int err = 0;
    unsigned i;

    for (i = 0; i < 8 && err == 0; i++) {
        err = tlr_send(conn, next_bytes(MIB), MIB);
    }
    if (err == 0) {
        err = tlr_write(conn, next_bytes(1000), 1000);
    }
    if (err == 0) {
        err = tlr_send(conn, next_bytes(1000), 1000);
    }
    if (err != 0) {
        assert_int_equal(err, UV_ENOMEM);
        atomic_fetch_add(&told, 1);
    }
    tlr_close(conn);
    atomic_fetch_add(&tried, 1);
}

/* Or it was refused before. */
static bool has_tried(void *data)
{
    return atomic_load(&tried) + counters_of(data, TLR_ALL_WORKERS).refused ==
           rounds;
}

/* All of it comes, or an error was told and what comes is right. */
static void sending_without_memory_is_told(void **state)
{
    struct fixture *f = *state;
    unsigned n;

    atomic_store(&told, 0);
    atomic_store(&tried, 0);
    script.opened = try_to_send;
    start_server(f);
    for (n = 1; n < 16; n++) {
        struct client client;
        unsigned told_before = atomic_load(&told);

        clear_log();
        position = 0;
        f->memory.fail_from = atomic_load(&f->memory.allocations) + n;
        f->memory.fail_to = f->memory.fail_from;
        client_dial(f, &client);
        client.checking = true;
        client.patient = true; /* or nothing would have to be queued */
        rounds = n;
        run_until(&f->loop, has_tried, f);
        client_wait_dialled(f, &client);
        if (client.connected) {
            client_read(&client);
        }
        client_wait_over(f, &client); /* by a reset, where an error was told */
        assert_false(client.wrong);
        if (count_log("open") == 1 && atomic_load(&told) == told_before) {
            assert_int_equal(client.received, 8 * MIB + 2000);
        }
        client_close(f, &client);
        wait_open(f, 0);
    }
    f->memory.fail_from = 0;
    assert_in_range(atomic_load(&told), 3, 14);
}

static void stuff_and_one(struct tlr_conn *conn)
{
    stuff(conn);
    send_next(conn, 1);
}

static void send_and_reset(struct tlr_conn *conn)
{
    send_next(conn, 1);
    assert_int_equal(tlr_shutdown(conn), 0);
    tlr_reset(conn);
}

/* In which the loop finds out that all of it has been written. */
static void a_reset_in_that_turn_cancels(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.high_water = 1;
    f->options.low_water = 0;
    script.opened = stuff_and_one;
    script.low = send_and_reset;
    start_server(f);
    connect_late(f, &client);
    client_read(&client);
    client_wait_over(f, &client);
    client_close(f, &client);
    wait_close(f);
    /* On Windows the last send has been written by then. */
    assert_int_equal(count_log("shutdown"), 1);
    assert_int_equal(count_log("ECANCELED"), 1 + count_log("write"));
}

#define EVERYWHERE(function)                                            \
    cmocka_unit_test_prestate_setup_teardown(function, set_up,          \
                                             script_teardown,           \
                                             &script_on_host),          \
        cmocka_unit_test_prestate_setup_teardown(                       \
            function, set_up, script_teardown, &script_two)
#define ON_HOST(function)                                      \
    cmocka_unit_test_prestate_setup_teardown(function, set_up, \
                                             script_teardown,  \
                                             &script_on_host)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(many_sends_reach_a_late_reader_in_order),
        EVERYWHERE(what_the_kernel_takes_is_not_queued),
        EVERYWHERE(more_than_the_queue_may_hold_is_refused_whole),
        EVERYWHERE(a_first_send_may_be_larger_than_the_queue),
        EVERYWHERE(nothing_is_sent_by_a_closed_connection),
        EVERYWHERE(a_write_behind_sends_keeps_the_order),
        EVERYWHERE(sends_behind_a_write_keep_the_order),
        EVERYWHERE(a_read_buffer_is_kept_behind_sends),
        EVERYWHERE(several_buffers_are_written_in_order),
        EVERYWHERE(several_buffers_behind_sends_are_written_in_order),
        ON_HOST(too_much_at_once_is_refused),
        EVERYWHERE(the_marks_take_turns),
        EVERYWHERE(the_high_mark_is_a_byte_exact),
        ON_HOST(marks_passed_in_one_turn_end_nothing),
        EVERYWHERE(the_marks_end_with_the_connection),
        EVERYWHERE(fin_follows_all_that_is_queued),
        EVERYWHERE(closing_sends_all_that_is_queued),
        EVERYWHERE(closing_behind_a_shutdown_sends_all),
        EVERYWHERE(a_reset_drops_what_is_queued),
        EVERYWHERE(a_reset_tells_of_sends_once),
        EVERYWHERE(a_peers_reset_tells_of_lost_sends_once),
        EVERYWHERE(a_peers_reset_fails_the_write_behind_sends),
        EVERYWHERE(stopping_drops_what_is_queued),
        EVERYWHERE(sending_without_memory_is_told),
        EVERYWHERE(what_is_nothing_is_not_queued),
        EVERYWHERE(closing_resets_if_something_is_lost),
        EVERYWHERE(a_reset_in_that_turn_cancels),
    };

    if (uv_replace_allocator(malloc_or_not, realloc, calloc, free) != 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
