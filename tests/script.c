/* SPDX-License-Identifier: MIT */
/* See script.h. */
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct script script;

struct mode script_on_host = {TLR_LOOPS_HOST, TLR_BALANCE_LEAST};
struct mode script_one = {1, TLR_BALANCE_LEAST};
struct mode script_two = {2, TLR_BALANCE_LEAST};

/* ---- the log -------------------------------------------------------- */

static void log_event(const char *name, const char *detail)
{
    size_t used;

    uv_mutex_lock(&script.mutex);
    used = strlen(script.log);
    (void)snprintf(script.log + used, sizeof(script.log) - used, "%s%s%s%s",
                   used == 0 ? "" : ", ", name, detail[0] == 0 ? "" : " ",
                   detail);
    uv_mutex_unlock(&script.mutex);
}

void log_status(const char *name, int status)
{
    log_event(name, status == 0 ? "ok" : uv_err_name(status));
}

void clear_log(void)
{
    uv_mutex_lock(&script.mutex);
    script.log[0] = 0;
    uv_mutex_unlock(&script.mutex);
}

unsigned count_log(const char *words)
{
    const char *at = script.log;
    unsigned count = 0;

    uv_mutex_lock(&script.mutex);
    while ((at = strstr(at, words)) != NULL) {
        at++;
        count++;
    }
    uv_mutex_unlock(&script.mutex);
    return count;
}

static bool has_logged(void *words)
{
    return count_log(words) > 0;
}

void wait_log(struct fixture *f, const char *words)
{
    run_until(&f->loop, has_logged, (void *)words);
}

void wait_close(struct fixture *f)
{
    wait_log(f, "close");
}

void expect_so_far(const char *log)
{
    static char so_far[sizeof(script.log)];

    uv_mutex_lock(&script.mutex); /* given back before the test may fail */
    memcpy(so_far, script.log, sizeof(so_far));
    uv_mutex_unlock(&script.mutex);
    assert_string_equal(so_far, log);
}

void expect(struct fixture *f, const char *log)
{
    wait_close(f);
    expect_so_far(log);
}

/* ---- the handler ---------------------------------------------------- */

static void on_open(struct tlr_conn *conn)
{
    uv_mutex_lock(&script.mutex); /* of several, the last */
    script.conn = conn;
    script.worker = tlr_conn_worker(conn);
    uv_mutex_unlock(&script.mutex);
    log_event("open", "");
    if (script.opened != NULL) {
        script.opened(conn);
    }
}

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    if (nread > 0) {
        char bytes[32];

        (void)snprintf(bytes, sizeof(bytes), "%d", (int)nread);
        if (!script.silent) {
            log_event("read", bytes);
        }
    } else {
        assert_null(data);
        log_status("read", (int)nread);
    }
    if (script.received != NULL) {
        script.received(conn, nread, data);
    }
}

static void on_write(struct tlr_conn *conn, int status)
{
    if (!script.silent || status != 0) {
        log_status("write", status);
    }
    if (script.written != NULL) {
        script.written(conn, status);
    }
}

static void on_shutdown(struct tlr_conn *conn, int status)
{
    (void)conn;
    log_status("shutdown", status);
}

static void on_drain(struct tlr_conn *conn)
{
    log_event("drain", "");
    if (script.drained != NULL) {
        script.drained(conn);
    }
}

static void on_close(struct tlr_conn *conn, enum tlr_cause cause)
{
    static const char *const causes[TLR_CAUSES] = {
        "peer", "handler", "reset", "error",    "stop",  "owing",
        "idle", "read",    "write", "lifetime", "queued"};

    if (script.closed != NULL) {
        script.closed(conn);
    }
    uv_mutex_lock(&script.mutex);
    script.conn = NULL;
    uv_mutex_unlock(&script.mutex);
    log_event("close", causes[cause]); /* what is waited for: so the last */
}

static void on_connect(struct tlr_conn *conn, int status)
{
    log_status("connect", status);
    if (script.connected != NULL) {
        script.connected(conn, status);
    }
}

static void on_high_water(struct tlr_conn *conn)
{
    log_event("high", "");
    if (script.high != NULL) {
        script.high(conn);
    }
}

static void on_low_water(struct tlr_conn *conn)
{
    log_event("low", "");
    if (script.low != NULL) {
        script.low(conn);
    }
}

static void make_handler(struct tlr_handler *handler)
{
    handler->on_open = on_open;
    handler->on_read = on_read;
    handler->on_write = on_write;
    handler->on_shutdown = on_shutdown;
    handler->on_drain = on_drain;
    handler->on_close = on_close;
    handler->on_connect = on_connect;
    handler->on_high_water = on_high_water;
    handler->on_low_water = on_low_water;
}

int script_setup(void **state)
{
    struct fixture *f;

    (void)setup(state);
    f = *state;
    memset(&script, 0, sizeof(script));
    assert_int_equal(uv_mutex_init(&script.mutex), 0);
    make_handler(&script.handler);
    f->options.handler = script.handler;
    return 0;
}

int script_teardown(void **state)
{
    int err = teardown(state);

    uv_mutex_destroy(&script.mutex);
    return err;
}

/* ---- doing ---------------------------------------------------------- */

struct errand {
    script_cb run;
    atomic_bool done;
};

static void run_errand(struct tlr_server *server, unsigned worker, void *data)
{
    struct errand *errand = data;

    (void)server;
    (void)worker;
    errand->run(script.conn);
    atomic_store(&errand->done, true);
}

static bool is_done(void *data)
{
    return atomic_load(&((struct errand *)data)->done);
}

static void do_nothing(struct tlr_conn *conn)
{
    (void)conn;
}

/* The client may be connected before it has been accepted. */
static bool has_conn(void *unused)
{
    bool has;

    (void)unused;
    uv_mutex_lock(&script.mutex);
    has = script.conn != NULL;
    uv_mutex_unlock(&script.mutex);
    return has;
}

void on_worker(struct fixture *f, script_cb run)
{
    struct errand errand;

    if (run != do_nothing) {
        run_until(&f->loop, has_conn, NULL);
    }
    errand.run = run;
    atomic_init(&errand.done, false);
    assert_int_equal(tlr_post(f->server, script.worker, run_errand, &errand),
                     0);
    run_until(&f->loop, is_done, &errand);
}

void wait_opened(struct fixture *f)
{
    wait_log(f, "open");
    on_worker(f, do_nothing);
}

const char *script_pattern(void)
{
    static char pattern[20 * MIB];
    size_t i;

    if (pattern[0] == pattern_at(0)) { /* which is not 0 */
        return pattern;
    }
    for (i = 0; i < sizeof(pattern); i++) {
        pattern[i] = pattern_at(i);
    }
    return pattern;
}

void read_some(struct tlr_conn *conn)
{
    assert_int_equal(tlr_read(conn), 0);
}

void read_on(struct tlr_conn *conn, ssize_t nread, char *data)
{
    (void)data;
    if (nread <= 0 || tlr_read(conn) != 0) {
        tlr_close(conn);
    }
}

void close_it(struct tlr_conn *conn)
{
    tlr_close(conn);
}

void reset_it(struct tlr_conn *conn)
{
    tlr_reset(conn);
}

/* ---- waiting -------------------------------------------------------- */

struct figure {
    struct fixture *f;
    uint64_t value;
};

static bool has_bytes_in(void *data)
{
    const struct figure *figure = data;

    return counters_of(figure->f, TLR_ALL_WORKERS).bytes_in >= figure->value;
}

void wait_bytes_in(struct fixture *f, uint64_t bytes)
{
    struct figure figure = {f, bytes};

    run_until(&f->loop, has_bytes_in, &figure);
}

struct number {
    atomic_uint *number;
    unsigned value;
};

static bool is_reached(void *data)
{
    const struct number *number = data;

    return atomic_load(number->number) >= number->value;
}

void wait_for(struct fixture *f, atomic_uint *number, unsigned value)
{
    struct number wanted = {number, value};

    run_until(&f->loop, is_reached, &wanted);
}
