/* SPDX-License-Identifier: MIT */
/* Sends 200,000 lines, no faster than the peer reads them. */
#include <teller.h>

#include <stdio.h>
#include <stdlib.h>

#include "client.h"

#define LINES 200000u

/* [pump] */
#define HIGH_WATER 65536 /* options.high_water */

struct feed {
    unsigned next; /* tlr_conn_data(): zero at first */
};

static void pump(struct tlr_conn *conn)
{
    struct feed *feed = tlr_conn_data(conn);
    char line[32];
    int length;

    while (feed->next < LINES && tlr_conn_queued(conn) < HIGH_WATER) {
        length = snprintf(line, sizeof(line), "%u\n", feed->next);
        if (tlr_send(conn, line, (size_t)length) != 0) {
            tlr_reset(conn);
            return;
        }
        feed->next++;
    }
    if (feed->next == LINES) {
        tlr_close(conn); /* sends what is queued first */
    }
    /* Else the high-water mark was passed, and on_low_water will come. */
}

static void on_low_water(struct tlr_conn *conn)
{
    pump(conn);
}
/* [/pump] */

/* [lost] */
static void on_write(struct tlr_conn *conn, int status)
{
    if (status != 0) { /* the peer has gone, and with it what was queued */
        tlr_close(conn);
    }
}
/* [/lost] */

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    (void)conn;
    (void)nread;
    (void)data;
}

static void stop(void *argument)
{
    tlr_server_stop(argument);
}

/* What the client expects: 0 to LINES - 1. */
static char *all_lines(void)
{
    char *text = malloc(LINES * 8u);
    char *end = text;
    unsigned i;

    must(text != NULL);
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
    /* [marks] */
    options.conn_data_size = sizeof(struct feed);
    options.high_water = HIGH_WATER;
    options.low_water = HIGH_WATER / 4;
    options.send_queue = 2 * HIGH_WATER;
    options.handler.on_open = pump;
    options.handler.on_low_water = on_low_water;
    options.handler.on_write = on_write;
    /* [/marks] */
    options.handler.on_read = on_read;
    options.on_stopped = tlr_server_destroy;
    must(tlr_server_create(&server, &host, &options) == 0);
    must(tlr_server_listen(server, (struct sockaddr *)&address, 0) == 0);
    must(tlr_server_start(server) == 0);
    client_talk(&host, server, "", lines, stop, server);
    must(uv_run(&host, UV_RUN_DEFAULT) == 0);
    must(uv_loop_close(&host) == 0);
    free(lines);
    return 0;
}
