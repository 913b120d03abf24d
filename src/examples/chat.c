/* SPDX-License-Identifier: MIT */
/*
 * chat [PORT [LOOPS]]: a line from one goes to all, on whichever worker they are.
 *
 * Each worker has a list of its own connections, that no other thread looks at.
 * A line walks through the workers by posts, is sent to everybody there, and at
 * last comes back to the one who said it, who is listened to again only then:
 * one who talks fast waits for the slowest worker, and not more lines are on
 * their way than there are connections. As all walk the same way, everybody
 * sees the same lines in the same order. Who does not read is thrown out when
 * too much waits for him, and nobody else has to notice.
 */
#include <teller.h>

#include <stdlib.h>
#include <string.h>

#include "serve.h"

enum { LINE_MOST = 8192 };

/* The user memory of a connection. */
struct member {
    struct tlr_conn *next; /* on the same worker */
    struct tlr_conn **link; /* what points to this one */
};

struct line {
    struct tlr_id from;
    size_t length;
    char text[];
};

/* The worker's memory: the first of its list. */
static struct tlr_conn **members(struct tlr_server *server, unsigned worker)
{
    return tlr_server_data(server, worker);
}

static void listen_to(struct tlr_conn *conn)
{
    if (tlr_read_until(conn, "\n", 1, LINE_MOST) != 0) {
        tlr_close(conn); /* or it is closing already */
    }
}

static void come_home(struct tlr_conn *conn, int status, void *line)
{
    free(line);
    if (status == 0) { /* else it has gone meanwhile */
        listen_to(conn);
    }
}

static void walk(struct tlr_server *server, unsigned worker, void *data)
{
    struct line *line = data;
    struct tlr_conn *conn = *members(server, worker);
    int err;

    while (conn != NULL) {
        err = tlr_send(conn, line->text, line->length);
        if (err != 0 && err != UV_EBADF) { /* UV_EBADF: it is closing */
            tlr_reset(conn);
        }
        conn = ((struct member *)tlr_conn_data(conn))->next;
    }
    /*
     * A worker that takes no more posts (UV_ENOBUFS; UV_ECANCELED: it has ended,
     * and all on it have left) is passed over: nobody waits for it.
     */
    do {
        worker++;
    } while (worker < tlr_server_workers(server) &&
             tlr_post(server, worker, walk, line) != 0);
    if (worker == tlr_server_workers(server) &&
        tlr_post_conn(server, line->from, come_home, line) != 0) {
        free(line); /* he is not heard again: until he leaves, it is quiet */
    }
}

static void on_open(struct tlr_conn *conn)
{
    struct tlr_conn **first =
        members(tlr_conn_server(conn), tlr_conn_worker(conn));
    struct member *member = tlr_conn_data(conn);

    member->next = *first;
    member->link = first;
    if (*first != NULL) {
        ((struct member *)tlr_conn_data(*first))->link = &member->next;
    }
    *first = conn;
    listen_to(conn);
}

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    struct line *line = nread > 0 ? malloc(sizeof(*line) + (size_t)nread)
                                  : NULL;

    if (line == NULL || tlr_conn_id(conn, &line->from) != 0) {
        free(line);
        tlr_close(conn); /* the end, an error, or too long a line */
        return;
    }
    line->length = (size_t)nread;
    memcpy(line->text, data, line->length);
    if (tlr_post(tlr_conn_server(conn), 0, walk, line) != 0) {
        free(line);
        tlr_close(conn); /* worker 0 is stuck, or the server stops */
    }
}

static void on_close(struct tlr_conn *conn, enum tlr_cause cause)
{
    struct member *member = tlr_conn_data(conn);

    (void)cause;
    *member->link = member->next;
    if (member->next != NULL) {
        ((struct member *)tlr_conn_data(member->next))->link = member->link;
    }
}

int main(int argc, char **argv)
{
    struct tlr_options options;

    tlr_options_init(&options, sizeof(options));
    options.handler.on_open = on_open;
    options.handler.on_read = on_read;
    options.handler.on_drain = tlr_close;
    options.handler.on_close = on_close;
    options.conn_data_size = sizeof(struct member);
    options.worker_data_size = sizeof(struct tlr_conn *);
    options.loops = argc > 2 ? atoi(argv[2]) : TLR_LOOPS_PER_CPU;
    return serve(&options, argc > 1 ? atoi(argv[1]) : 7007);
}
