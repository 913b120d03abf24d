/* SPDX-License-Identifier: MIT */
/*
 * One connection at a time, on the host loop: what its handler is told, in
 * which order, and what the peer sees. Each test gives the handler something
 * to do in one of its callbacks; the handler writes down all that it is told.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/conn.h"

#define MIB (1024 * 1024)

/* The test's, in f->data. */
struct script {
    char log[1024];
    struct tlr_conn *conn; /* from on_open to on_close */
    bool inside;           /* a callback is running */
    void (*opened)(struct tlr_conn *conn);
    void (*received)(struct tlr_conn *conn, ssize_t nread, char *data);
    void (*written)(struct tlr_conn *conn, int status);
    void (*closed)(struct tlr_conn *conn);
    void (*drained)(struct tlr_conn *conn);
    unsigned step; /* a test's own */
    char *large;   /* MIB bytes of the pattern, twenty times */
};

static struct script script;

static void log_event(const char *name, const char *detail)
{
    size_t used = strlen(script.log);

    (void)snprintf(script.log + used, sizeof(script.log) - used, "%s%s%s%s",
                   used == 0 ? "" : ", ", name, detail[0] == 0 ? "" : " ",
                   detail);
}

static void log_status(const char *name, int status)
{
    log_event(name, status == 0 ? "ok" : uv_err_name(status));
}

/* No callback ever runs inside another one. */
static void begin(void)
{
    assert_false(script.inside);
    script.inside = true;
}

static void end(void)
{
    script.inside = false;
}

static void on_open(struct tlr_conn *conn)
{
    begin();
    log_event("open", "");
    script.conn = conn;
    if (script.opened != NULL) {
        script.opened(conn);
    }
    end();
}

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    begin();
    if (nread > 0) {
        char bytes[32];

        (void)snprintf(bytes, sizeof(bytes), "%d", (int)nread);
        log_event("read", bytes);
    } else {
        assert_null(data);
        log_status("read", (int)nread);
    }
    if (script.received != NULL) {
        script.received(conn, nread, data);
    }
    end();
}

static void on_write(struct tlr_conn *conn, int status)
{
    begin();
    log_status("write", status);
    if (script.written != NULL) {
        script.written(conn, status);
    }
    end();
}

static void on_shutdown(struct tlr_conn *conn, int status)
{
    (void)conn;
    begin();
    log_status("shutdown", status);
    end();
}

static void on_drain(struct tlr_conn *conn)
{
    begin();
    log_event("drain", "");
    if (script.drained != NULL) {
        script.drained(conn);
    }
    end();
}

static void on_close(struct tlr_conn *conn, enum tlr_cause cause)
{
    static const char *const causes[TLR_CAUSES] = {
        "peer", "handler", "reset", "error",    "stop",  "owing",
        "idle", "read",    "write", "lifetime", "queued"};

    begin();
    log_event("close", causes[cause]);
    assert_ptr_equal(conn, script.conn);
    if (script.closed != NULL) {
        script.closed(conn);
    }
    script.conn = NULL;
    end();
}

static int set_up(void **state)
{
    static struct mode on_host = {TLR_LOOPS_HOST, TLR_BALANCE_LEAST};
    struct fixture *f;
    size_t i;

    *state = &on_host;
    (void)setup(state);
    f = *state;
    memset(&script, 0, sizeof(script));
    script.large = malloc(20 * MIB);
    assert_non_null(script.large);
    for (i = 0; i < MIB; i++) {
        script.large[i] = pattern_at(i);
    }
    for (i = 1; i < 20; i++) {
        memcpy(script.large + i * MIB, script.large, MIB);
    }
    f->options.handler.on_open = on_open;
    f->options.handler.on_read = on_read;
    f->options.handler.on_write = on_write;
    f->options.handler.on_shutdown = on_shutdown;
    f->options.handler.on_drain = on_drain;
    f->options.handler.on_close = on_close;
    return 0;
}

static int tear_down(void **state)
{
    free(script.large);
    return teardown(state);
}

static bool is_closed(void *data)
{
    (void)data;
    return strstr(script.log, "close") != NULL;
}

static bool has_logged(void *words)
{
    return strstr(script.log, words) != NULL;
}

static void wait_log(struct fixture *f, char *words)
{
    run_until(&f->loop, has_logged, words);
}

static void expect(struct fixture *f, const char *log)
{
    run_until(&f->loop, is_closed, NULL);
    assert_string_equal(script.log, log);
}

/* ---- what a handler asks for, in on_open ----------------------------- */

static void read_once(struct tlr_conn *conn)
{
    assert_int_equal(tlr_read(conn), 0);
}

static void read_and_close(struct tlr_conn *conn)
{
    assert_int_equal(tlr_read(conn), 0);
    tlr_close(conn);
}

static void close_at_once(struct tlr_conn *conn)
{
    tlr_close(conn);
    tlr_close(conn);
}

static void reset_at_once(struct tlr_conn *conn)
{
    tlr_reset(conn);
    tlr_reset(conn);
    tlr_close(conn);
}

static void greet(struct tlr_conn *conn)
{
    assert_int_equal(tlr_write(conn, "hello", 5), 0);
}

static void greet_and_close(struct tlr_conn *conn)
{
    greet(conn);
    tlr_close(conn);
}

static void write_much(struct tlr_conn *conn)
{
    assert_int_equal(tlr_write(conn, script.large, 20 * MIB), 0);
}

static void write_much_and_close(struct tlr_conn *conn)
{
    write_much(conn);
    tlr_close(conn);
}

static void write_much_and_shut_down(struct tlr_conn *conn)
{
    write_much(conn);
    assert_int_equal(tlr_shutdown(conn), 0);
    assert_int_equal(tlr_read(conn), 0);
}

static void write_much_and_reset(struct tlr_conn *conn)
{
    write_much(conn);
    assert_int_equal(tlr_read(conn), 0);
    tlr_reset(conn);
}

static void write_much_and_read(struct tlr_conn *conn)
{
    write_much(conn);
    assert_int_equal(tlr_read(conn), 0);
}

static void shut_down_and_read(struct tlr_conn *conn)
{
    assert_int_equal(tlr_shutdown(conn), 0);
    assert_int_equal(tlr_read(conn), 0);
}

/* ---- and in on_read --------------------------------------------------- */

static void read_again(struct tlr_conn *conn, ssize_t nread, char *data)
{
    (void)data;
    if (nread > 0) {
        assert_int_equal(tlr_read(conn), 0);
    } else {
        tlr_close(conn);
    }
}

static void close_on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    (void)nread;
    (void)data;
    tlr_close(conn);
}

static void read_twice_after_the_end(struct tlr_conn *conn, ssize_t nread,
                                     char *data)
{
    (void)data;
    if (nread > 0 || script.step++ < 2) {
        assert_int_equal(tlr_read(conn), 0);
    } else {
        tlr_close(conn);
    }
}

static void echo_and_close(struct tlr_conn *conn, ssize_t nread, char *data)
{
    if (nread > 0) {
        assert_int_equal(tlr_write(conn, data, (size_t)nread), 0);
    }
    tlr_close(conn);
}

/* ---- reading --------------------------------------------------------- */

static void one_read_completes_once(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = read_once;
    start_server(f);
    client_connect(f, &client);
    client_send(&client, "12345", 5);
    wait_log(f, "read 5");
    client_send(&client, "678", 3);
    run_for(&f->loop, 50);
    assert_string_equal(script.log, "open, read 5");
    assert_int_equal(tlr_read(script.conn), 0);
    assert_int_equal(tlr_read(script.conn), UV_EBUSY);
    wait_log(f, "read 3");
    assert_string_equal(script.log, "open, read 5, read 3");
    client_close(f, &client);
}

/* The kernel's buffers fill, and the peer has to wait. */
static void nothing_is_read_that_was_not_asked_for(void **state)
{
    struct fixture *f = *state;
    struct client client;

    start_server(f);
    client_connect(f, &client);
    client_send(&client, script.large, 20 * MIB);
    run_for(&f->loop, 100);
    assert_string_equal(script.log, "open");
    assert_int_equal(client.sent, 0);
    assert_int_equal(counters_of(f, 0).bytes_in, 0);
    client_reset(f, &client);
}

static void the_end_of_the_stream_is_read_again_and_again(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = read_once;
    script.received = read_twice_after_the_end;
    start_server(f);
    client_connect(f, &client);
    client_send(&client, "1", 1);
    client_half_close(&client);
    expect(f, "open, read 1, read EOF, read EOF, read EOF, close peer");
    client_wait_end(f, &client);
    client_close(f, &client);
}

static void a_reset_is_an_error_of_the_read(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = read_once;
    script.received = close_on_read;
    start_server(f);
    client_connect(f, &client);
    wait_log(f, "open");
    client_reset(f, &client);
    expect(f, "open, read ECONNRESET, close error");
    assert_int_equal(counters_of(f, 0).closed[TLR_CLOSED_BY_ERROR], 1);
}

/* Both are there before the server looks, and libuv sees an end in that. */
static void a_reset_right_behind_data_is_no_end(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = read_once;
    script.received = read_again;
    start_server(f);
    client_connect(f, &client);
    wait_log(f, "open");
    client_send(&client, "12345", 5);
    client_reset(f, &client);
    run_until(&f->loop, is_closed, NULL);
    if (late_resets_are_told()) {
        assert_null(strstr(script.log, "EOF"));
        assert_non_null(strstr(script.log, "read ECONNRESET, close error"));
    }
}

/* The system tells it once, so that is all that the read could go by. */
static void a_reset_that_a_write_was_told_is_no_end(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.received = read_again;
    start_server(f);
    client_connect(f, &client);
    wait_log(f, "open");
    client_send(&client, "12345", 5);
    client_reset(f, &client);
    run_for(&f->loop, 20);
    assert_int_equal(tlr_write(script.conn, "x", 1), 0);
    assert_int_equal(tlr_read(script.conn), 0);
    run_until(&f->loop, is_closed, NULL);
    if (late_resets_are_told()) {
        assert_string_equal(script.log, "open, write ECONNRESET, read 5, "
                                        "read ECONNRESET, close error");
    }
}

static void nothing_is_written_behind_a_write_that_failed(void **state)
{
    struct fixture *f = *state;
    struct client client;

    start_server(f);
    client_connect(f, &client);
    wait_log(f, "open");
    client_reset(f, &client);
    run_for(&f->loop, 20);
    assert_int_equal(tlr_write(script.conn, "x", 1), 0);
    assert_int_equal(tlr_write(script.conn, "y", 1), UV_EPIPE);
    wait_log(f, "write");
    assert_null(strstr(script.log, "write ok"));
    assert_int_equal(tlr_write(script.conn, "y", 1), UV_EPIPE);
    assert_int_equal(tlr_send(script.conn, "y", 1), UV_EPIPE);
    assert_int_equal(tlr_shutdown(script.conn), UV_EPIPE);
    tlr_close(script.conn);
    run_until(&f->loop, is_closed, NULL);
    assert_non_null(strstr(script.log, "close error"));
}

static void an_error_of_the_read_stays(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = read_once;
    start_server(f);
    client_connect(f, &client);
    wait_log(f, "open");
    client_reset(f, &client);
    wait_log(f, "read ECONNRESET");
    run_for(&f->loop, 20);
    script.received = close_on_read;
    assert_int_equal(tlr_read(script.conn), 0);
    expect(f, "open, read ECONNRESET, read ECONNRESET, close error");
}

static void closing_cancels_the_read(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = read_and_close;
    start_server(f);
    client_connect(f, &client);
    client_wait_end(f, &client);
    client_close(f, &client);
    expect(f, "open, read ECANCELED, close handler");
}

/* ---- writing ---------------------------------------------------------- */

static void a_greeting_is_written_before_anything_is_read(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = greet;
    start_server(f);
    client_connect(f, &client);
    client_wait(f, &client, 5);
    assert_memory_equal(client.kept, "hello", 5);
    wait_log(f, "write ok");
    assert_string_equal(script.log, "open, write ok");
    client_close(f, &client);
}

static void write_again(struct tlr_conn *conn, int status)
{
    if (status == 0 && script.step++ < 9) {
        assert_int_equal(tlr_write(conn, "0123456789", 10), 0);
    } else {
        tlr_close(conn);
    }
}

static void writes_follow_one_another(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = greet;
    script.written = write_again;
    start_server(f);
    client_connect(f, &client);
    client_wait_end(f, &client);
    assert_int_equal(client.received, 95);
    client_close(f, &client);
    run_until(&f->loop, is_closed, NULL);
    assert_int_equal(counters_of(f, 0).writes, 10);
    assert_int_equal(counters_of(f, 0).bytes_out, 95);
}

static void write_nothing(struct tlr_conn *conn)
{
    assert_int_equal(tlr_write(conn, "", 0), 0);
    assert_int_equal(tlr_write(conn, "", 0), UV_EBUSY);
}

static void writing_nothing_completes_too(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = write_nothing;
    start_server(f);
    client_connect(f, &client);
    wait_log(f, "write ok");
    client_close(f, &client);
}

static void one_write_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = write_much;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    wait_log(f, "open");
    run_for(&f->loop, 50);
    assert_string_equal(script.log, "open");
    assert_int_equal(tlr_write(script.conn, "x", 1), UV_EBUSY);
    client_read(&client);
    client_wait(f, &client, 20 * MIB);
    assert_memory_equal(client.kept, script.large, 20 * MIB);
    wait_log(f, "write ok");
    assert_int_equal(tlr_write(script.conn, "x", 1), 0);
    client_wait(f, &client, 20 * MIB + 1);
    client_close(f, &client);
}

static void a_reset_fails_the_queued_write(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = write_much;
    script.written = NULL;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    wait_log(f, "open");
    client_reset(f, &client);
    wait_log(f, "write");
    assert_null(strstr(script.log, "write ok"));
    tlr_close(script.conn);
    run_until(&f->loop, is_closed, NULL);
    assert_non_null(strstr(script.log, "close error"));
}

/* And if the system fails to write all of it, then the handler is told. */
static void what_is_queued_outlives_the_peers_end(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = write_much_and_read;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    wait_log(f, "open");
    client_half_close(&client);
    wait_log(f, "read EOF");
    client_read(&client);
    wait_log(f, "write");
    if (ends_leave_writes_alone() ||
        strstr(script.log, "write ok") != NULL) {
        client_wait(f, &client, 20 * MIB);
        assert_memory_equal(client.kept, script.large, 20 * MIB);
        assert_non_null(strstr(script.log, "write ok"));
    }
    tlr_close(script.conn);
    run_until(&f->loop, is_closed, NULL);
    client_close(f, &client);
}

static void take_and_forward(struct tlr_conn *conn, ssize_t nread, char *data)
{
    if (nread > 2) {
        /* From the middle of the lent buffer. */
        assert_int_equal(tlr_write(conn, data + 1, (size_t)nread - 2), 0);
    }
}

static void a_part_of_what_was_read_may_be_written(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = read_once;
    script.received = take_and_forward;
    start_server(f);
    client_connect(f, &client);
    client_send(&client, "<inner>", 7);
    client_wait(f, &client, 5);
    assert_memory_equal(client.kept, "inner", 5);
    client_close(f, &client);
}

/* ---- half-close -------------------------------------------------------- */

static void half_closing_leaves_the_other_direction(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = shut_down_and_read;
    script.received = read_again;
    start_server(f);
    client_connect(f, &client);
    client_wait_end(f, &client);
    client_send(&client, "late", 4);
    wait_log(f, "read 4");
    assert_int_equal(tlr_write(script.conn, "x", 1), UV_EPIPE);
    assert_int_equal(tlr_shutdown(script.conn), UV_EPIPE);
    client_half_close(&client);
    expect(f, "open, shutdown ok, read 4, read EOF, close peer");
    client_close(f, &client);
}

static void fin_follows_a_queued_write(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = write_much_and_shut_down;
    script.received = close_on_read;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    wait_log(f, "open");
    assert_int_equal(tlr_write(script.conn, "x", 1), UV_EPIPE);
    assert_int_equal(tlr_shutdown(script.conn), UV_EPIPE);
    client_read(&client);
    client_wait_end(f, &client);
    assert_int_equal(client.received, 20 * MIB);
    client_half_close(&client);
    expect(f, "open, write ok, shutdown ok, read EOF, close peer");
    client_close(f, &client);
}

static void shut_down_then_close(struct tlr_conn *conn)
{
    assert_int_equal(tlr_shutdown(conn), 0);
    tlr_close(conn);
}

static void closing_after_a_half_close_tells_of_both(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = shut_down_then_close;
    start_server(f);
    client_connect(f, &client);
    client_wait_end(f, &client);
    client_close(f, &client);
    expect(f, "open, shutdown ok, close handler");
}

/* ---- closing ----------------------------------------------------------- */

static void closing_at_once_ends_the_stream(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = close_at_once;
    start_server(f);
    client_connect(f, &client);
    client_wait_end(f, &client);
    assert_int_equal(client.received, 0);
    client_close(f, &client);
    expect(f, "open, close handler");
    assert_int_equal(counters_of(f, 0).closed[TLR_CLOSED_BY_HANDLER], 1);
}

static void closing_sends_what_was_written(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = greet_and_close;
    start_server(f);
    client_connect(f, &client);
    client_wait_end(f, &client);
    assert_memory_equal(client.kept, "hello", 5);
    client_close(f, &client);
    expect(f, "open, write ok, close handler");
}

static void closing_waits_for_a_queued_write(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = write_much_and_close;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    wait_log(f, "open");
    run_for(&f->loop, 50);
    assert_string_equal(script.log, "open");
    client_read(&client);
    client_wait_end(f, &client);
    assert_int_equal(client.received, 20 * MIB);
    assert_memory_equal(client.kept, script.large, 20 * MIB);
    client_close(f, &client);
    expect(f, "open, write ok, close handler");
}

/*
 * What the peer goes on to send must not turn our FIN into a reset, which
 * would take from it what it has not read yet.
 */
static void late_bytes_do_not_reset_a_closed_connection(void **state)
{
    struct fixture *f = *state;
    struct client client;
    int i;

    script.opened = write_much_and_close;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    for (i = 0; i < 20; i++) {
        client_send(&client, script.large, MIB);
    }
    wait_log(f, "open");
    run_for(&f->loop, 100);
    client_read(&client);
    client_wait_end(f, &client);
    assert_int_equal(client.received, 20 * MIB);
    assert_int_equal(client.error, 0);
    client_half_close(&client);
    expect(f, "open, write ok, close handler");
    assert_int_equal(client.error, 0);
    client_close(f, &client);
}

static void a_peer_that_never_ends_is_awaited_for_five_seconds(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uint64_t begun;
    uint64_t milliseconds;

    script.opened = close_at_once;
    start_server(f);
    client_connect(f, &client);
    client_wait_end(f, &client);
    begun = uv_hrtime();
    run_until(&f->loop, is_closed, NULL);
    milliseconds = (uv_hrtime() - begun) / 1000000;
    assert_in_range(milliseconds, 4500, 15000);
    assert_string_equal(script.log, "open, close handler");
    client_close(f, &client);
}

static void a_peer_that_resets_after_our_end_is_not_awaited(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uint64_t begun = uv_hrtime();

    script.opened = close_at_once;
    start_server(f);
    client_connect(f, &client);
    client_wait_end(f, &client);
    client_reset(f, &client);
    expect(f, "open, close handler");
    assert_in_range((uv_hrtime() - begun) / 1000000, 0, 4000);
}

static void a_reset_while_the_last_write_is_queued_ends_it(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = write_much_and_close;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    wait_log(f, "open");
    client_reset(f, &client);
    run_until(&f->loop, is_closed, NULL);
    assert_null(strstr(script.log, "write ok"));
    assert_non_null(strstr(script.log, "write "));
}

static void echoing_and_closing_answers_first(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = read_once;
    script.received = echo_and_close;
    start_server(f);
    client_connect(f, &client);
    client_send(&client, "bye", 3);
    client_wait_end(f, &client);
    assert_memory_equal(client.kept, "bye", 3);
    client_close(f, &client);
    expect(f, "open, read 3, write ok, close handler");
}

/* ---- resetting ---------------------------------------------------------- */

static void a_reset_reaches_the_peer_as_one(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = reset_at_once;
    start_server(f);
    client_dial(f, &client);
    client_wait_reset(f, &client);
    client_close(f, &client);
    expect(f, "open, close reset");
    assert_int_equal(counters_of(f, 0).closed[TLR_CLOSED_BY_RESET], 1);
}

static void a_reset_cancels_what_is_under_way(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = write_much_and_reset;
    start_server(f);
    client_dial(f, &client);
    client_wait_reset(f, &client);
    client_close(f, &client);
    expect(f, "open, read ECANCELED, write ECANCELED, close reset");
}

static void a_reset_hurries_a_close_on(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = write_much_and_close;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    wait_log(f, "open");
    tlr_reset(script.conn);
    expect(f, "open, write ECANCELED, close reset");
    client_close(f, &client);
}

static void nothing_can_be_asked_of_a_closed_connection(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = write_much_and_close;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    wait_log(f, "open");
    assert_int_equal(tlr_read(script.conn), UV_EBADF);
    assert_int_equal(tlr_write(script.conn, "x", 1), UV_EBADF);
    assert_int_equal(tlr_shutdown(script.conn), UV_EBADF);
    tlr_reset(script.conn);
    assert_int_equal(tlr_read(script.conn), UV_EBADF);
    run_until(&f->loop, is_closed, NULL);
    client_close(f, &client);
}

/* ---- drain and stop ------------------------------------------------------ */

static void draining_tells_each_connection(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.drained = close_at_once;
    start_server(f);
    client_connect(f, &client);
    wait_log(f, "open");
    tlr_server_drain(f->server, 30000);
    client_wait_end(f, &client);
    client_close(f, &client);
    run_until(&f->loop, is_stopped, f);
    assert_string_equal(script.log, "open, drain, close handler");
}

static void a_connection_finishes_during_a_drain(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = read_once;
    script.received = read_again;
    start_server(f);
    client_connect(f, &client);
    wait_log(f, "open");
    tlr_server_drain(f->server, 30000);
    wait_log(f, "drain");
    client_send(&client, "work", 4);
    wait_log(f, "read 4");
    client_half_close(&client);
    client_wait_end(f, &client);
    run_until(&f->loop, is_stopped, f);
    assert_string_equal(script.log,
                        "open, drain, read 4, read EOF, close peer");
    client_close(f, &client);
}

static void the_deadline_of_a_drain_closes_what_is_left(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uint64_t begun;

    script.opened = read_once;
    start_server(f);
    client_connect(f, &client);
    wait_log(f, "open");
    begun = uv_hrtime();
    drain_server(f, 200);
    assert_in_range((uv_hrtime() - begun) / 1000000, 150, 20000);
    assert_string_equal(script.log,
                        "open, drain, read ECANCELED, close stop");
    client_wait_end(f, &client);
    client_close(f, &client);
}

/* What was promised and not sent must not look like all there was. */
static void stopping_resets_a_peer_that_is_owed_bytes(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = write_much_and_read;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    wait_log(f, "open");
    tlr_server_stop(f->server);
    run_until(&f->loop, is_stopped, f);
    assert_string_equal(
        script.log, "open, read ECANCELED, write ECANCELED, close owing");
    client_read(&client);
    client_wait_reset(f, &client);
    client_close(f, &client);
}

static void stopping_does_not_wait_for_peers_that_were_closed(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uint64_t begun = uv_hrtime();

    script.opened = close_at_once;
    start_server(f);
    client_connect(f, &client);
    client_wait_end(f, &client);
    tlr_server_stop(f->server);
    run_until(&f->loop, is_stopped, f);
    assert_in_range((uv_hrtime() - begun) / 1000000, 0, 4000);
    assert_string_equal(script.log, "open, close handler");
    client_close(f, &client);
}

static void stop_the_server(struct tlr_conn *conn)
{
    struct fixture *f = tlr_conn_user(conn);

    tlr_server_stop(f->server);
}

static void shut_down_and_stop(struct tlr_conn *conn, int status)
{
    assert_int_equal(status, 0);
    assert_int_equal(tlr_shutdown(conn), 0);
    tlr_conn_stop(conn);
}

/* All of it is with the kernel: only FIN is owed, and closing sends that. */
static void stopping_resets_nobody_whose_fin_is_under_way(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = greet;
    script.written = shut_down_and_stop;
    start_server(f);
    client_connect(f, &client);
    client_wait_end(f, &client);
    assert_memory_equal(client.kept, "hello", 5);
    client_close(f, &client);
    expect(f, "open, write ok, shutdown ECANCELED, close stop");
}

static void a_handler_may_stop_its_own_server(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = stop_the_server;
    start_server(f);
    client_connect(f, &client);
    run_until(&f->loop, is_stopped, f);
    assert_string_equal(script.log, "open, close stop");
    client_wait_end(f, &client);
    client_close(f, &client);
}

/* ---- what belongs to a connection ---------------------------------------- */

struct own {
    unsigned char bytes[100];
};

static void look_at_own_memory(struct tlr_conn *conn)
{
    struct own *own = tlr_conn_data(conn);
    struct own zeroes = {{0}};

    assert_int_equal((uintptr_t)own % 16, 0);
    assert_memory_equal(own, &zeroes, sizeof(zeroes));
    memset(own, 0xaa, sizeof(*own));
    assert_int_equal(tlr_read(conn), 0);
}

static void look_again(struct tlr_conn *conn)
{
    struct own *own = tlr_conn_data(conn);

    assert_int_equal(own->bytes[0], 0xaa);
    assert_int_equal(own->bytes[99], 0xaa);
}

static void user_memory_lasts_until_on_close(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.conn_data_size = sizeof(struct own);
    script.opened = look_at_own_memory;
    script.received = read_again;
    script.closed = look_again;
    start_server(f);
    client_connect(f, &client);
    client_send(&client, "x", 1);
    wait_log(f, "read 1");
    look_again(script.conn);
    client_close(f, &client);
    expect(f, "open, read 1, read EOF, close peer");
}

static void look_around(struct tlr_conn *conn)
{
    struct fixture *f = tlr_conn_user(conn);
    struct sockaddr_storage peer;

    assert_ptr_equal(tlr_conn_loop(conn), &f->loop);
    assert_int_equal(tlr_conn_worker(conn), 0);
    assert_int_equal(tlr_conn_peer(conn, &peer), 0);
    assert_int_equal(peer.ss_family, AF_INET);
    script.step = ntohs(((struct sockaddr_in *)&peer)->sin_port);
}

static void a_connection_knows_its_peer_and_loop(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct sockaddr_in address;
    int length = sizeof(address);

    script.opened = look_around;
    start_server(f);
    client_connect(f, &client);
    wait_log(f, "open");
    assert_int_equal(uv_tcp_getsockname(
                         &client.tcp, (struct sockaddr *)&address, &length),
                     0);
    assert_int_equal(script.step, ntohs(address.sin_port));
    client_close(f, &client);
}

/* ---- outside of callbacks, and without end -------------------------------- */

/* From a timer of the program's own: reported in the loop's next turn. */
static void on_program_timer(uv_timer_t *timer)
{
    assert_int_equal(tlr_write(script.conn, "timer", 5), 0);
    assert_null(strstr(script.log, "write"));
    uv_close((uv_handle_t *)timer, NULL);
}

static void a_program_may_ask_outside_of_callbacks(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uv_timer_t timer;

    start_server(f);
    client_connect(f, &client);
    wait_log(f, "open");
    assert_int_equal(uv_timer_init(&f->loop, &timer), 0);
    assert_int_equal(uv_timer_start(&timer, on_program_timer, 0, 0), 0);
    client_wait(f, &client, 5);
    wait_log(f, "write ok");
    client_close(f, &client);
}

static void write_for_ever(struct tlr_conn *conn, int status)
{
    script.log[0] = 0;
    script.step++;
    if (status != 0 || tlr_write(conn, "", 0) != 0) {
        tlr_close(conn);
    }
}

/* Completions without end leave the loop its turns. */
static void a_handler_that_never_waits_starves_nobody(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = write_nothing;
    script.written = write_for_ever;
    start_server(f);
    client_connect(f, &client);
    run_for(&f->loop, 50);
    assert_in_range(script.step, 1000, UINT32_MAX);
    tlr_reset(script.conn);
    run_until(&f->loop, is_closed, NULL);
    client_close(f, &client);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_read_completes_once),
        TEST(nothing_is_read_that_was_not_asked_for),
        TEST(the_end_of_the_stream_is_read_again_and_again),
        TEST(a_reset_is_an_error_of_the_read),
        TEST(a_reset_right_behind_data_is_no_end),
        TEST(a_reset_that_a_write_was_told_is_no_end),
        TEST(nothing_is_written_behind_a_write_that_failed),
        TEST(an_error_of_the_read_stays),
        TEST(closing_cancels_the_read),
        TEST(a_greeting_is_written_before_anything_is_read),
        TEST(writes_follow_one_another),
        TEST(writing_nothing_completes_too),
        TEST(one_write_at_a_time),
        TEST(a_reset_fails_the_queued_write),
        TEST(what_is_queued_outlives_the_peers_end),
        TEST(a_part_of_what_was_read_may_be_written),
        TEST(half_closing_leaves_the_other_direction),
        TEST(fin_follows_a_queued_write),
        TEST(closing_after_a_half_close_tells_of_both),
        TEST(closing_at_once_ends_the_stream),
        TEST(closing_sends_what_was_written),
        TEST(closing_waits_for_a_queued_write),
        TEST(late_bytes_do_not_reset_a_closed_connection),
        TEST(a_peer_that_never_ends_is_awaited_for_five_seconds),
        TEST(a_peer_that_resets_after_our_end_is_not_awaited),
        TEST(a_reset_while_the_last_write_is_queued_ends_it),
        TEST(echoing_and_closing_answers_first),
        TEST(a_reset_reaches_the_peer_as_one),
        TEST(a_reset_cancels_what_is_under_way),
        TEST(a_reset_hurries_a_close_on),
        TEST(nothing_can_be_asked_of_a_closed_connection),
        TEST(draining_tells_each_connection),
        TEST(a_connection_finishes_during_a_drain),
        TEST(the_deadline_of_a_drain_closes_what_is_left),
        TEST(stopping_resets_a_peer_that_is_owed_bytes),
        TEST(stopping_does_not_wait_for_peers_that_were_closed),
        TEST(stopping_resets_nobody_whose_fin_is_under_way),
        TEST(a_handler_may_stop_its_own_server),
        TEST(user_memory_lasts_until_on_close),
        TEST(a_connection_knows_its_peer_and_loop),
        TEST(a_program_may_ask_outside_of_callbacks),
        TEST(a_handler_that_never_waits_starves_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
