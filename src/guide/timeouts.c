/* SPDX-License-Identifier: MIT */
/* Lines are sent back, after a first one within five seconds. */
#include <teller.h>

#include <string.h>

#include "client.h"

/* [login] */
#define LOGIN_MS 5000
#define READ_MS 60000

struct session {
    int known; /* tlr_conn_data(): 0 at first */
};

static void read_line(struct tlr_conn *conn)
{
    if (tlr_read_until(conn, "\n", 1, 128) != 0) {
        tlr_close(conn);
    }
}

static void on_open(struct tlr_conn *conn)
{
    (void)tlr_conn_set_timeout(conn, TLR_TIMEOUT_READ, LOGIN_MS);
    read_line(conn);
}

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    struct session *session = tlr_conn_data(conn);

    if (nread == UV_ETIMEDOUT) {
        (void)tlr_send(conn, "too slow\n", 9); /* a last word */
    }
    if (nread < 0) {
        tlr_close(conn);
        return;
    }
    if (!session->known) {
        session->known = 1;
        (void)tlr_conn_set_timeout(conn, TLR_TIMEOUT_READ, READ_MS);
    }
    if (tlr_send(conn, data, (size_t)nread) != 0) {
        tlr_reset(conn);
        return;
    }
    read_line(conn);
}
/* [/login] */

static void on_drain(struct tlr_conn *conn)
{
    tlr_close(conn);
}

static void set_timeouts(struct tlr_options *options)
{
    /* [options] */
    options->idle_timeout = 10 * 60 * 1000; /* nothing comes or goes */
    options->read_timeout = READ_MS;        /* one read, the whole of it */
    options->write_timeout = 30 * 1000;     /* the peer has to take … */
    options->write_rate = 100;              /* … so many bytes a second */
    options->max_lifetime = 3600 * 1000;    /* then on_drain, and … */
    options->lifetime_grace = 10 * 1000;    /* … so long to close */
    /* [/options] */
}

static void stop(void *argument)
{
    tlr_server_stop(argument);
}

int main(void)
{
    struct sockaddr_in address = any_port();
    struct tlr_options options;
    struct tlr_server *server;
    uv_loop_t host;

    must(uv_loop_init(&host) == 0);
    tlr_options_init(&options, sizeof(options));
    options.conn_data_size = sizeof(struct session);
    options.handler.on_open = on_open;
    options.handler.on_read = on_read;
    options.handler.on_drain = on_drain;
    options.on_stopped = tlr_server_destroy;
    set_timeouts(&options);
    must(tlr_server_create(&server, &host, &options) == 0);
    must(tlr_server_listen(server, (struct sockaddr *)&address, 0) == 0);
    must(tlr_server_start(server) == 0);
    client_talk(&host, server, "I am me\nhello\n", "I am me\nhello\n", stop,
                server);
    must(uv_run(&host, UV_RUN_DEFAULT) == 0);
    must(uv_loop_close(&host) == 0);
    return 0;
}
