/* SPDX-License-Identifier: MIT */
/* Two servers on one loop, a start that fails, and a stop that waits. */
#include <teller.h>

#include <string.h>

#include "client.h"

static const char welcome[] = "welcome\n";

static void on_open(struct tlr_conn *conn)
{
    /* [user] */
    const char *greeting = tlr_conn_user(conn); /* options.user */

    (void)tlr_send(conn, greeting, strlen(greeting));
    tlr_close(conn); /* behind what was sent */
    /* [/user] */
}

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    (void)conn;
    (void)nread;
    (void)data;
}

/* [stopped] */
static void on_stopped(struct tlr_server *server)
{
    tlr_server_destroy(server);
}
/* [/stopped] */

/* [start] */
static int greet(struct tlr_server **server, uv_loop_t *host,
                 const struct sockaddr *address)
{
    struct tlr_options options;
    int err;

    tlr_options_init(&options, sizeof(options));
    options.handler.on_open = on_open;
    options.handler.on_read = on_read; /* required, though nothing is read */
    options.user = (void *)welcome;
    options.loops = 2;
    options.on_stopped = on_stopped;
    err = tlr_server_create(server, host, &options);
    if (err != 0) {
        return err; /* *server is as it was: there is nothing to destroy */
    }
    err = tlr_server_listen(*server, address, 0);
    if (err == 0) {
        err = tlr_server_start(*server);
    }
    if (err != 0) {
        tlr_server_destroy(*server); /* and on_stopped is not called */
    }
    return err;
}
/* [/start] */

/* [end] */
static void end(struct tlr_server *server, uv_loop_t *host)
{
    if (tlr_server_stop_wait(server, 2000) == 0) {
        /* No thread is left. Some more turns, for the handles on this loop. */
        (void)uv_run(host, UV_RUN_DEFAULT);
    }
}
/* [/end] */

static void stop(void *argument)
{
    tlr_server_stop(argument);
}

int main(void)
{
    struct sockaddr_in any = any_port();
    struct sockaddr_storage taken;
    struct tlr_server *one;
    struct tlr_server *two;
    struct tlr_server *three;
    uv_loop_t host;

    must(uv_loop_init(&host) == 0);
    must(greet(&one, &host, (struct sockaddr *)&any) == 0);
    must(greet(&two, &host, (struct sockaddr *)&any) == 0);
    must(tlr_server_address(one, 0, &taken) == 0);
    must(greet(&three, &host, (struct sockaddr *)&taken) == UV_EADDRINUSE);

    client_talk(&host, one, "", welcome, stop, one);
    client_talk(&host, two, "", welcome, stop, two);
    must(uv_run(&host, UV_RUN_DEFAULT) == 0);

    must(greet(&one, &host, (struct sockaddr *)&any) == 0);
    end(one, &host);
    must(uv_loop_close(&host) == 0);
    return 0;
}
