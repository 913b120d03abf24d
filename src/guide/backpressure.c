/* SPDX-License-Identifier: MIT */
/*
 * Sends as many lines as it was sent bytes, and then 200,000 more, no faster
 * than the peer reads them.
 */
#include <teller.h>

#include <stdio.h>
#include <stdlib.h>

#include "client.h"

#define LINES 200000u

/* [feed] */
struct feed {
    unsigned next; /* tlr_conn_data(): zero at first */
    int high;      /* the peer is behind: see on_high_water() */
    char portion[16384];
};

static void feed_on(struct tlr_conn *conn)
{
    struct feed *feed = tlr_conn_data(conn);
    size_t size = 0;

    while (feed->next < LINES && size < sizeof(feed->portion) - 16) {
        size += (size_t)snprintf(feed->portion + size, 16, "%u\n", feed->next);
        feed->next++;
    }
    if (size == 0 || tlr_write(conn, feed->portion, size) != 0) {
        tlr_close(conn);
    }
}

static void on_write(struct tlr_conn *conn, int status)
{
    if (status == 0) {
        feed_on(conn); /* the kernel has the last portion: the next one */
    } else {
        tlr_close(conn); /* the peer has gone */
    }
}
/* [/feed] */

/* [send] */
static void read_on(struct tlr_conn *conn)
{
    int err = tlr_read(conn);

    if (err != 0 && err != UV_EBUSY) { /* UV_EBUSY: it is asked for already */
        tlr_close(conn);
    }
}

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    struct feed *feed = tlr_conn_data(conn);
    ssize_t i;

    (void)data;
    if (nread < 0) {
        feed_on(conn); /* the peer has ended; behind all that was sent */
        return;
    }
    for (i = 0; i < nread; i++) {
        if (tlr_send(conn, "once\n", 5) != 0) {
            tlr_reset(conn); /* UV_ENOBUFS, say: too far behind */
            return;
        }
    }
    if (!feed->high) {
        read_on(conn);
    }
}

static void on_high_water(struct tlr_conn *conn)
{
    struct feed *feed = tlr_conn_data(conn);

    feed->high = 1; /* nothing more is read, and so nothing more is sent */
}

static void on_low_water(struct tlr_conn *conn)
{
    struct feed *feed = tlr_conn_data(conn);

    feed->high = 0;
    read_on(conn);
}
/* [/send] */

static void stop(void *argument)
{
    tlr_server_stop(argument);
}

/* What the client expects: 0 to LINES - 1 after those for its own bytes. */
static char *all_lines(void)
{
    char *text = malloc((size_t)LINES * 8);
    char *end = text;
    unsigned i;

    must(text != NULL);
    end += snprintf(end, 16, "once\nonce\nonce\n");
    for (i = 0; i < LINES; i++) {
        end += snprintf(end, 8, "%u\n", i);
    }
    return text;
}

int main(void)
{
    struct sockaddr_in address = any_port();
    struct tlr_options options;
    struct tlr_server *server;
    char *lines = all_lines();
    uv_loop_t host;

    must(uv_loop_init(&host) == 0);
    tlr_options_init(&options, sizeof(options));
    options.conn_data_size = sizeof(struct feed);
    options.handler.on_open = read_on;
    options.handler.on_read = on_read;
    options.handler.on_write = on_write;
    /* [marks] */
    options.high_water = 65536;
    options.low_water = 16384;
    options.handler.on_high_water = on_high_water;
    options.handler.on_low_water = on_low_water;
    options.send_queue = 1 << 20;
    /* [/marks] */
    options.on_stopped = tlr_server_destroy;
    must(tlr_server_create(&server, &host, &options) == 0);
    must(tlr_server_listen(server, (struct sockaddr *)&address, 0) == 0);
    must(tlr_server_start(server) == 0);
    client_talk(&host, server, "abc", lines, stop, server);
    must(uv_run(&host, UV_RUN_DEFAULT) == 0);
    must(uv_loop_close(&host) == 0);
    free(lines);
    return 0;
}
