/* SPDX-License-Identifier: MIT */
/* A protocol of lines and of bodies: "PUT 5\n" and five bytes. */
#include <teller.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

/* [session] */
#define LINE_MOST 128
#define BODY_MOST 65536

struct session {
    size_t body; /* bytes of the body that is being read; 0: a line is */
};

static void read_line(struct tlr_conn *conn)
{
    struct session *session = tlr_conn_data(conn);

    session->body = 0;
    if (tlr_read_until(conn, "\n", 1, LINE_MOST) != 0) {
        tlr_close(conn);
    }
}

static void read_body(struct tlr_conn *conn, size_t size)
{
    struct session *session = tlr_conn_data(conn);

    session->body = size;
    if (tlr_read_exactly(conn, size) != 0) {
        tlr_close(conn);
    }
}
/* [/session] */

/* [read] */
static void answer(struct tlr_conn *conn, const char *text)
{
    if (tlr_send(conn, text, strlen(text)) != 0) {
        tlr_close(conn);
    }
}

static void on_line(struct tlr_conn *conn, char *line)
{
    char *end = line;
    unsigned long size = 0;

    if (strncmp(line, "PUT ", 4) == 0 && line[4] >= '0' && line[4] <= '9') {
        size = strtoul(line + 4, &end, 10);
    }
    if (size == 0 || size > BODY_MOST || *end != '\0') {
        answer(conn, "what?\n");
        read_line(conn);
    } else {
        read_body(conn, size);
    }
}

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    struct session *session = tlr_conn_data(conn);

    if (nread < 0) {
        if (nread == UV_EMSGSIZE) {
            answer(conn, "too long\n");
        }
        tlr_close(conn); /* or UV_EOF, or an error */
    } else if (session->body > 0) {
        answer(conn, "stored\n"); /* all nread == session->body of them */
        read_line(conn);
    } else {
        data[nread - 1] = '\0'; /* in place of the '\n' */
        on_line(conn, data);
    }
}
/* [/read] */

static void stop(void *argument)
{
    tlr_server_stop(argument);
}

int main(void)
{
    struct sockaddr_in address = any_port();
    struct tlr_options options;
    struct tlr_server *server;
    char noise[2 * LINE_MOST];
    uv_loop_t host;

    must(uv_loop_init(&host) == 0);
    tlr_options_init(&options, sizeof(options));
    options.conn_data_size = sizeof(struct session);
    options.handler.on_open = read_line;
    options.handler.on_read = on_read;
    options.on_stopped = tlr_server_destroy;
    must(tlr_server_create(&server, &host, &options) == 0);
    must(tlr_server_listen(server, (struct sockaddr *)&address, 0) == 0);
    must(tlr_server_start(server) == 0);
    (void)snprintf(noise, sizeof(noise), "PUT 5\na\nb\ncPUT\nPUT 0\n%0200d", 0);
    client_talk(&host, server, noise, "stored\nwhat?\nwhat?\ntoo long\n", stop,
                server);
    must(uv_run(&host, UV_RUN_DEFAULT) == 0);
    must(uv_loop_close(&host) == 0);
    return 0;
}
