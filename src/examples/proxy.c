/* SPDX-License-Identifier: MIT */
/*
 * proxy PORT HOST:PORT: connects whoever comes with another server, named by an
 * address: 127.0.0.1:80 or [::1]:80.
 *
 * A connection and the one that is made for it are the two sides of a pair, on
 * one worker and with one handler. What one side brings is written to the other
 * out of the same buffer, and the next read waits for that write: the side that
 * sends is as fast as the one that receives, and each direction has one buffer.
 * The end of one side is passed on as a half-close; when both have ended, both
 * close. A side that fails takes the other one with it.
 */
#include <teller.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serve.h"

struct side {
    struct tlr_conn *other; /* NULL: there is none (yet, or any more) */
    int ended;              /* the peer sends no more */
};

static struct sockaddr_storage upstream;

static struct side *side_of(struct tlr_conn *conn)
{
    return tlr_conn_data(conn);
}

static void link_sides(struct tlr_conn *one, struct tlr_conn *other)
{
    side_of(one)->other = other;
    side_of(other)->other = one;
}

/* Ends the other side, by tlr_close() or tlr_reset(), if there is one. */
static void part(struct tlr_conn *conn, void (*how)(struct tlr_conn *conn))
{
    struct tlr_conn *other = side_of(conn)->other;

    if (other != NULL) {
        side_of(conn)->other = NULL;
        side_of(other)->other = NULL;
        how(other);
    }
}

static void on_connect(struct tlr_conn *conn, int status)
{
    if (status != 0) {
        part(conn, tlr_close);
    }
}

static void on_open(struct tlr_conn *conn)
{
    struct tlr_conn *other = side_of(conn)->other;

    if (other == NULL) { /* accepted */
        if (tlr_connect(tlr_conn_server(conn), tlr_conn_worker(conn),
                        (struct sockaddr *)&upstream, NULL, &other) != 0) {
            tlr_close(conn);
        } else {
            link_sides(conn, other);
        }
    } else if (tlr_read(conn) != 0 || tlr_read(other) != 0) {
        tlr_reset(conn);
    }
}

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    struct side *side = side_of(conn);
    int err = nread < 0 ? (int)nread : 0;

    if (side->other == NULL) {
        tlr_close(conn);
        return;
    } else if (err == 0) {
        err = tlr_write(side->other, data, (size_t)nread);
    } else if (err == UV_EOF) {
        side->ended = 1;
        err = tlr_shutdown(side->other);
    }
    if (err != 0) {
        tlr_reset(conn);
    } else if (side->ended && side_of(side->other)->ended) {
        tlr_close(conn);
        tlr_close(side->other);
    }
}

static void on_write(struct tlr_conn *conn, int status)
{
    struct tlr_conn *other = side_of(conn)->other;

    if (other != NULL && (status != 0 || tlr_read(other) != 0)) {
        tlr_reset(conn);
    }
}

static void on_close(struct tlr_conn *conn, enum tlr_cause cause)
{
    part(conn, cause == TLR_CLOSED_BY_PEER ? tlr_close : tlr_reset);
}

/* HOST:PORT, or [HOST]:PORT for IPv6. */
static int parse(char *text)
{
    char *colon = strrchr(text, ':');

    if (colon == NULL || colon == text) {
        return UV_EINVAL;
    }
    *colon = '\0';
    if (text[0] == '[' && colon[-1] == ']') {
        colon[-1] = '\0';
        return uv_ip6_addr(text + 1, atoi(colon + 1),
                           (struct sockaddr_in6 *)&upstream);
    }
    return uv_ip4_addr(text, atoi(colon + 1), (struct sockaddr_in *)&upstream);
}

int main(int argc, char **argv)
{
    struct tlr_options options;

    if (argc != 3 || parse(argv[2]) != 0) {
        fprintf(stderr, "usage: proxy PORT HOST:PORT, in numbers\n");
        return 2;
    }
    tlr_options_init(&options, sizeof(options));
    options.handler.on_connect = on_connect;
    options.handler.on_open = on_open;
    options.handler.on_read = on_read;
    options.handler.on_write = on_write;
    options.handler.on_close = on_close;
    options.conn_data_size = sizeof(struct side);
    return serve(&options, atoi(argv[1]));
}
