/* SPDX-License-Identifier: MIT */
/*
 * The way of the commands. What a connection has sent travels: it is posted to
 * the worker that owns the first key, runs there, goes on to the owner of the
 * next one, and at last home with the replies. So commands and replies keep
 * their order, whatever is pipelined. The connection is not read meanwhile.
 */
#include "kv.h"

#include <stdlib.h>
#include <string.h>

enum { REPLIES_MOST = 1 << 16 };

/* Belongs to the connection while at home, and else to the worker it is on. */
struct kv_visit {
    struct tlr_id home;
    struct kv_text in;
    struct kv_text out;
    size_t done; /* bytes of `in` that have been run */
    int failed;
};

static void release(struct kv_visit *visit)
{
    if (visit != NULL) {
        free(visit->in.base);
        free(visit->out.base);
        free(visit);
    }
}

static struct kv_visit **home_of(struct tlr_conn *conn)
{
    return tlr_conn_data(conn); /* NULL there: it travels */
}

static void arrive(struct tlr_conn *conn, int status, void *data)
{
    struct kv_visit *visit = data;

    if (status != 0) { /* the connection has gone */
        release(visit);
        return;
    }
    *home_of(conn) = visit;
    visit->in.length -= visit->done;
    memmove(visit->in.base, visit->in.base + visit->done, visit->in.length);
    visit->done = 0;
    if (visit->out.length > 0) {
        status = tlr_write(conn, visit->out.base, visit->out.length);
    }
    if (status != 0 || visit->failed != 0 ||
        (visit->out.length == 0 && tlr_read(conn) != 0)) {
        tlr_close(conn); /* behind the replies */
    }
}

static void travel(struct tlr_server *server, unsigned worker, void *data)
{
    struct kv_visit *visit = data;
    struct kv_command command;
    unsigned owner;
    int ok = 1;

    while (visit->out.length < REPLIES_MOST && visit->failed == 0 &&
           (ok = kv_parse(&visit->in, visit->done, &command)) > 0) {
        owner = kv_hash(command.argv[command.argc > 1]) %
                tlr_server_workers(server);
        if (owner == worker) {
            visit->failed = kv_run(tlr_server_data(server, worker), &command,
                                   &visit->out);
        } else if (tlr_post(server, owner, travel, visit) == 0) {
            return;
        } else { /* the server stops, and does not wait for connections */
            visit->failed = kv_say(&visit->out, "-ERR shutting down\r\n");
        }
        visit->done = command.end;
    }
    if (ok < 0) {
        (void)kv_say(&visit->out, "-ERR Protocol error\r\n"); /* closes anyway */
        visit->failed = ok;
    }
    if (tlr_post_conn(server, visit->home, arrive, visit) != 0) {
        release(visit); /* the server stops, and the connection with it */
    }
}

static void depart(struct tlr_conn *conn, int status)
{
    struct kv_visit *visit = *home_of(conn);

    if (status != 0 || visit->failed != 0) {
        tlr_close(conn);
        return;
    }
    *home_of(conn) = NULL;
    visit->out.length = 0;
    travel(tlr_conn_server(conn), tlr_conn_worker(conn), visit);
}

static void on_open(struct tlr_conn *conn)
{
    struct kv_visit *visit = *home_of(conn) = calloc(1, sizeof(*visit));

    if (visit == NULL || tlr_conn_id(conn, &visit->home) != 0 ||
        tlr_read(conn) != 0) {
        tlr_close(conn);
    }
}

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    struct kv_visit *visit = *home_of(conn);

    depart(conn, nread < 0 ? (int)nread
                           : kv_append(&visit->in, data, (size_t)nread));
}

static void on_write(struct tlr_conn *conn, int status)
{
    depart(conn, status); /* there may be more commands */
}

static void on_close(struct tlr_conn *conn, enum tlr_cause cause)
{
    (void)cause;
    release(*home_of(conn));
}

void kv_serve(struct tlr_options *options)
{
    options->conn_data_size = sizeof(struct kv_visit *);
    options->handler.on_open = on_open;
    options->handler.on_read = on_read;
    options->handler.on_write = on_write;
    options->handler.on_close = on_close;
}
