/* SPDX-License-Identifier: MIT */
/*
 * libuv as its own guide shows it: one loop on one thread, callbacks; a buffer
 * from malloc for each read, and uv_write() with a request from malloc for each
 * answer.
 *
 * Serves well: thousands of connections, on every system with its own best way to
 * wait (epoll, kqueue, a completion port), in code that is written once. Ends:
 * as any single loop does at one processor or a handler that blocks; and by what
 * each message costs: two allocations, and a write that is reported by way of the
 * loop.
 *
 * From: the user guide of libuv, the TCP echo server of "Networking". Added is
 * what the rules ask for and it leaves out: not to read while a peer owes us a
 * read, and to end a connection by uv_shutdown(), behind what is queued.
 */
#include "model.h"

#include <stdlib.h>

static const struct model model = {
    .name = "model_uv_guide",
    .summary = "An echo server on a libuv loop, as libuv's guide writes one.",
};

struct conn {
    uv_tcp_t tcp; /* the first: a handle's memory is the connection's */
    uv_shutdown_t shutdown;
    unsigned delay;
    bool stopped; /* reading, while something is queued */
};

struct answer {
    uv_write_t request; /* the first, likewise */
    uv_buf_t buf;
};

static struct model_options options;
static uv_loop_t loop;
static uv_tcp_t listener;
static uv_async_t stop;

static void wake(void)
{
    (void)uv_async_send(&stop); /* it is open for as long as the program runs */
}

/* ---- a connection ---- */

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void end(struct conn *conn)
{
    if (!uv_is_closing((uv_handle_t *)&conn->tcp)) {
        uv_close((uv_handle_t *)&conn->tcp, on_closed);
    }
}

static void on_shut_down(uv_shutdown_t *request, int status)
{
    (void)status; /* closed either way */
    end(request->data);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    buf->base = malloc(suggested); /* NULL: the read gets UV_ENOBUFS */
    buf->len = buf->base != NULL ? suggested : 0;
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);

static void on_written(uv_write_t *request, int status)
{
    struct answer *answer = (struct answer *)request;
    struct conn *conn = request->data;
    free(answer->buf.base);
    free(answer);
    if (status != 0 || uv_is_closing((uv_handle_t *)&conn->tcp)) {
        end(conn);
    } else if (conn->stopped) { /* by this one: it was the last */
        conn->stopped = false;
        (void)uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read);
    }
}

/* Takes the memory of `buf`. */
static void answer_with(struct conn *conn, const uv_buf_t *buf, size_t size)
{
    uv_stream_t *stream = (uv_stream_t *)&conn->tcp;
    struct answer *answer = malloc(sizeof(*answer));
    if (answer == NULL) {
        free(buf->base);
        end(conn);
        return;
    }
    answer->request.data = conn;
    answer->buf = uv_buf_init(buf->base, (unsigned)size);
    if (uv_write(&answer->request, stream, &answer->buf, 1, on_written) != 0) {
        free(buf->base);
        free(answer);
        end(conn);
    } else if (uv_stream_get_write_queue_size(stream) > 0) {
        conn->stopped = true;
        (void)uv_read_stop(stream); /* always 0 */
    }
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct conn *conn = (struct conn *)stream;
    if (nread > 0) {
        model_work(conn->delay);
        answer_with(conn, buf, (size_t)nread);
        return;
    }
    free(buf->base);
    if (nread == UV_EOF) {
        conn->shutdown.data = conn;
        if (uv_shutdown(&conn->shutdown, stream, on_shut_down) != 0) {
            end(conn);
        }
    } else if (nread < 0) {
        end(conn);
    }
}

/* ---- all of them ---- */

/* Of descriptors that run out libuv takes care itself: it has a spare one. */
static void on_connection(uv_stream_t *server, int status)
{
    struct conn *conn = status == 0 ? calloc(1, sizeof(*conn)) : NULL;
    if (conn == NULL) {
        uv_sleep(MODEL_PAUSE_MS); /* no memory: libuv tries it again at once */
        return;
    }
    (void)uv_tcp_init(&loop, &conn->tcp); /* opens no socket: cannot fail */
    conn->delay = model_delay(&options);
    if (uv_accept(server, (uv_stream_t *)&conn->tcp) != 0 ||
        uv_tcp_nodelay(&conn->tcp, 1) != 0 ||
        uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read) != 0) {
        end(conn);
    }
}

static void close_each(uv_handle_t *handle, void *arg)
{
    bool ours =
        handle == (uv_handle_t *)&listener || handle == (uv_handle_t *)&stop;
    (void)arg;
    if (!uv_is_closing(handle)) {
        uv_close(handle, ours ? NULL : on_closed);
    }
}

static void on_stop(uv_async_t *async)
{
    uv_walk(async->loop, close_each, NULL);
}

static int start(void)
{
    struct sockaddr *address = (struct sockaddr *)&options.address;
    int length = sizeof(options.address);
    int err = uv_loop_init(&loop);
    if (err != 0 || (err = uv_async_init(&loop, &stop, on_stop)) != 0 ||
        (err = uv_tcp_init(&loop, &listener)) != 0 ||
        (err = uv_tcp_bind(&listener, address, 0)) != 0 ||
        (err = uv_listen((uv_stream_t *)&listener, MODEL_BACKLOG,
             on_connection)) != 0) {
        return err;
    }
    return uv_tcp_getsockname(&listener, address, &length);
}

int main(int argc, char **argv)
{
    int status;
    if (!model_begin(&model, argc, argv, &options, &status)) {
        return status;
    }
    int err = start();
    if (err != 0) {
        return model_fail("cannot listen", err);
    }
    model_on_stop(wake);
    model_announce(&options);
    (void)uv_run(&loop, UV_RUN_DEFAULT); /* until all is closed */
    (void)uv_loop_close(&loop);          /* nothing is left on it */
    return model_end();
}
