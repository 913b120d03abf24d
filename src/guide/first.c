/* SPDX-License-Identifier: MIT */
/* The first server: it says everything back. */
#include <teller.h>

#include "client.h"

/* [handler] */
static void on_open(struct tlr_conn *conn)
{
    (void)tlr_read(conn); /* cannot fail on a new connection */
}

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
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
/* [/handler] */

/* [serve] */
static int serve(struct tlr_server **server, uv_loop_t *loop,
                 const struct sockaddr *address)
{
    struct tlr_options options;
    int err;

    tlr_options_init(&options, sizeof(options));
    options.handler.on_open = on_open;
    options.handler.on_read = on_read;
    options.handler.on_write = on_write;
    options.on_stopped = tlr_server_destroy;
    err = tlr_server_create(server, loop, &options);
    if (err != 0) {
        return err;
    }
    err = tlr_server_listen(*server, address, 0);
    if (err == 0) {
        err = tlr_server_start(*server);
    }
    if (err != 0) {
        tlr_server_destroy(*server);
    }
    return err;
}
/* [/serve] */

static void stop(void *argument)
{
    tlr_server_stop(argument);
}

int main(void)
{
    struct sockaddr_in address = any_port();
    uv_loop_t *loop = uv_default_loop();
    struct tlr_server *server;

    must(serve(&server, loop, (struct sockaddr *)&address) == 0);
    client_talk(loop, server, "hello", "hello", stop, server);
    must(uv_run(loop, UV_RUN_DEFAULT) == 0);
    must(uv_loop_close(loop) == 0);
    return 0;
}
