/* SPDX-License-Identifier: MIT */
/*
 * libuv with uv_try_write(): one loop on one thread, callbacks; all reads share
 * one buffer, and an answer is written from it at once. Only what the kernel does
 * not take is copied and queued by uv_write().
 *
 * Serves well: as libuv's guide does, without an allocation for each message, and
 * without a turn of the loop for each write. Ends: as any single loop does, at
 * one processor or a handler that blocks.
 *
 * From: the documentation of uv_try_write(); Node's streams write in this way.
 */
#include "model.h"

#include <stdlib.h>
#include <string.h>

static const struct model model = {
    .name = "model_uv_try_write",
    .summary = "An echo server on a libuv loop that writes at once if it can.",
};

struct conn {
    uv_tcp_t tcp; /* the first: a handle's memory is the connection's */
    uv_shutdown_t shutdown;
    unsigned delay;
};

/* What the kernel has not taken yet. */
struct rest {
    uv_write_t request; /* the first, likewise */
    char bytes[];
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

/* No callback comes between this and the read's. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char buffer[MODEL_BUFFER];
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(buffer, sizeof(buffer));
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);

static void on_written(uv_write_t *request, int status)
{
    struct conn *conn = request->data;
    free(request);
    if (status != 0 ||
        uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read) != 0) {
        end(conn);
    }
}

/* Nothing is read until it is written. */
static void queue_rest(struct conn *conn, const char *bytes, size_t size)
{
    uv_stream_t *stream = (uv_stream_t *)&conn->tcp;
    struct rest *rest = malloc(sizeof(*rest) + size);
    if (rest == NULL) {
        end(conn);
        return;
    }
    memcpy(rest->bytes, bytes, size);
    rest->request.data = conn;
    uv_buf_t buf = uv_buf_init(rest->bytes, (unsigned)size);
    (void)uv_read_stop(stream); /* always 0 */
    if (uv_write(&rest->request, stream, &buf, 1, on_written) != 0) {
        free(rest);
        end(conn);
    }
}

static void answer(struct conn *conn, char *bytes, size_t size)
{
    uv_buf_t buf = uv_buf_init(bytes, (unsigned)size);
    int written = uv_try_write((uv_stream_t *)&conn->tcp, &buf, 1);
    if (written == UV_EAGAIN) {
        written = 0;
    }
    if (written < 0) {
        end(conn);
    } else if ((size_t)written < size) {
        queue_rest(conn, bytes + written, size - (size_t)written);
    }
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct conn *conn = (struct conn *)stream;
    if (nread > 0) {
        model_work(conn->delay);
        answer(conn, buf->base, (size_t)nread);
    } else if (nread == UV_EOF) {
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
