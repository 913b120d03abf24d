/* SPDX-License-Identifier: MIT */
/*
 * A server inside a program that has a loop, and a lock around all that it does
 * with its interpreter; here a mutex.
 */
#include <teller.h>

#include <stdio.h>

#include "client.h"

/* [trampoline] */
struct interpreter {
    uv_mutex_t lock; /* whoever holds it may use the interpreter */
    unsigned calls;
    int stopped;
};

static void with_lock(void (*call)(void *argument), void *argument,
                      void *user)
{
    struct interpreter *interpreter = user; /* options.user */

    uv_mutex_lock(&interpreter->lock);
    call(argument);
    uv_mutex_unlock(&interpreter->lock);
}

static void on_news(struct tlr_server *server, unsigned worker, void *data)
{
    struct interpreter *interpreter = tlr_server_user(server);

    (void)worker; /* TLR_HOST: with_lock() is around this call */
    (void)data;
    interpreter->calls++;
}

static void on_open(struct tlr_conn *conn)
{
    /* On a worker's thread: no lock, and so no interpreter. */
    if (tlr_post(tlr_conn_server(conn), TLR_HOST, on_news, NULL) != 0 ||
        tlr_read(conn) != 0) {
        tlr_close(conn);
    }
}
/* [/trampoline] */

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    if (nread < 0 || tlr_send(conn, data, (size_t)nread) != 0 ||
        tlr_read(conn) != 0) {
        tlr_close(conn);
    }
}

/* [end] */
static void on_stopped(struct tlr_server *server)
{
    struct interpreter *interpreter = tlr_server_user(server);

    interpreter->stopped = 1;
}

static void end(struct tlr_server *server, uv_loop_t *host)
{
    struct interpreter *interpreter = tlr_server_user(server);

    (void)tlr_server_stop_wait(server, 1000); /* no thread of ours is left */
    while (!interpreter->stopped) {
        (void)uv_run(host, UV_RUN_ONCE); /* nor, soon, any handle */
    }
    tlr_server_destroy(server);
}
/* [/end] */

/* [create] */
static int embed(struct tlr_server **server, uv_loop_t *host,
                 struct interpreter *interpreter)
{
    struct tlr_options options;
    const char *why = tlr_libuv_mismatch(host);

    if (why != NULL) {
        (void)fprintf(stderr, "%s\n", why);
        return UV_EXDEV; /* as tlr_server_create() would */
    }
    tlr_options_init(&options, sizeof(options));
    options.handler.on_open = on_open;
    options.handler.on_read = on_read;
    options.user = interpreter;
    options.trampoline = with_lock;
    options.on_stopped = on_stopped;
    return tlr_server_create(server, host, &options);
}
/* [/create] */

static void done(void *argument)
{
    int *ended = argument;

    *ended = 1;
}

int main(void)
{
    struct sockaddr_in address = any_port();
    struct interpreter interpreter;
    struct tlr_server *server = NULL;
    uv_loop_t host;
    int ended = 0;

    must(uv_mutex_init(&interpreter.lock) == 0);
    interpreter.calls = 0;
    interpreter.stopped = 0;
    must(uv_loop_init(&host) == 0);
    must(embed(&server, &host, &interpreter) == 0);
    must(tlr_server_listen(server, (struct sockaddr *)&address, 0) == 0);
    must(tlr_server_start(server) == 0);
    tlr_server_unref(server); /* uv_run() returns when the client is done */
    client_talk(&host, server, "hello", "hello", done, &ended);
    must(uv_run(&host, UV_RUN_DEFAULT) == 0);
    must(ended);
    end(server, &host);
    must(interpreter.calls == 1);
    must(uv_loop_close(&host) == 0);
    uv_mutex_destroy(&interpreter.lock);
    return 0;
}
