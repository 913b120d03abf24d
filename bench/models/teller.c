/* SPDX-License-Identifier: MIT */
/*
 * teller with a pool of loops; or, built as model_teller_one_loop, with accepting
 * and I/O on the host's loop, and no thread of its own. (teller-echo has a pool
 * too, but no slow handler, and is measured beside the models.)
 *
 * Serves well: as libuv with uv_try_write() does, in the shortest code of all: to
 * ask for one thing at a time is the backpressure, and the end of a connection
 * is the library's. Ends: on one loop as any single one does, at one processor or
 * a handler that blocks; then `loops` is to be changed, and nothing else. In a
 * pool such a handler holds up the connections of its own loop.
 *
 * From: src/core/teller.h.
 */
#include "model.h"

#include "core/teller.h"

enum { ONE_LOOP = MODEL_ONE_LOOP }; /* of the build: 0 or 1 */

/* In the order of enum tlr_balance. */
static const char *const balances[] = {"least", "rr", "reuseport", NULL};

static const struct model model = {
    .name = ONE_LOOP ? "model_teller_one_loop" : "model_teller",
    .summary = ONE_LOOP ? "An echo server with teller, on one loop."
                        : "An echo server with teller, on as many loops as "
                          "there are CPUs.",
    .threads = ONE_LOOP ? 0 : MODEL_CPUS,
    .balances = ONE_LOOP ? NULL : balances,
};

struct conn {
    unsigned delay;
};

static struct model_options options;
static uv_loop_t loop;
static uv_async_t stop;

static void wake(void)
{
    (void)uv_async_send(&stop); /* it is open for as long as the program runs */
}

/* ---- a connection ---- */

static void on_open(struct tlr_conn *conn)
{
    struct conn *own = tlr_conn_data(conn);
    own->delay = model_delay(&options);
    model_opened(tlr_conn_worker(conn));
    (void)tlr_read(conn); /* cannot fail on a new connection */
}

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    const struct conn *own = tlr_conn_data(conn);
    if (nread > 0) {
        model_work(own->delay);
    }
    if (nread < 0 || tlr_write(conn, data, (size_t)nread) != 0) {
        tlr_close(conn); /* the end of the stream, or an error */
    }
}

static void on_write(struct tlr_conn *conn, int status)
{
    if (status != 0 || tlr_read(conn) != 0) {
        tlr_close(conn);
    }
}

static void on_close(struct tlr_conn *conn, enum tlr_cause cause)
{
    (void)cause;
    model_closed(tlr_conn_worker(conn));
}

/* ---- the server ---- */

static void on_stop(uv_async_t *async)
{
    tlr_server_stop(async->data);
}

static void on_stopped(struct tlr_server *server)
{
    (void)server;
    uv_close((uv_handle_t *)&stop, NULL);
}

static int start(struct tlr_server **server)
{
    const struct sockaddr *address = (const struct sockaddr *)&options.address;
    struct tlr_options with;
    tlr_options_init(&with, sizeof(with));
    with.handler.on_open = on_open;
    with.handler.on_read = on_read;
    with.handler.on_write = on_write;
    with.handler.on_close = on_close;
    with.loops = ONE_LOOP ? TLR_LOOPS_HOST : (int)options.threads;
    with.balance = (enum tlr_balance)options.balance;
    with.conn_data_size = sizeof(struct conn);
    with.on_stopped = on_stopped;
    int err = uv_loop_init(&loop);
    if (err != 0 || (err = uv_async_init(&loop, &stop, on_stop)) != 0 ||
        (err = tlr_server_create(server, &loop, &with)) != 0 ||
        (err = tlr_server_listen(*server, address, 0)) != 0 ||
        (err = tlr_server_start(*server)) != 0) {
        return err;
    }
    stop.data = *server;
    return tlr_server_address(*server, 0, &options.address);
}

int main(int argc, char **argv)
{
    struct tlr_server *server = NULL;
    int status;
    if (!model_begin(&model, argc, argv, &options, &status)) {
        return status;
    }
    int err = start(&server);
    if (err == 0) {
        model_on_stop(wake);
        model_announce(&options);
        (void)uv_run(&loop, UV_RUN_DEFAULT); /* until it has stopped */
    }
    tlr_server_destroy(server);
    if (err != 0) {
        return model_fail("cannot serve", err);
    }
    (void)uv_loop_close(&loop); /* nothing is left on it */
    return model_end();
}
