/* SPDX-License-Identifier: MIT */
/* Workers on loops and threads of the program's own. */
#include <teller.h>

#include "client.h"

/* [lend] */
struct lender {
    struct tlr_server *server;
    unsigned worker;
    int err;
};

static void lend(void *argument) /* runs on a thread of the program's */
{
    struct lender *lender = argument;
    uv_loop_t loop;

    lender->err = uv_loop_init(&loop);
    if (lender->err != 0) {
        return;
    }
    lender->err = tlr_server_attach(lender->server, lender->worker, &loop);
    (void)uv_run(&loop, UV_RUN_DEFAULT); /* returns when the worker has ended */
    if (uv_loop_close(&loop) != 0) {
        lender->err = UV_EBUSY; /* a handle of the program's is still open */
    }
}
/* [/lend] */

static void on_open(struct tlr_conn *conn)
{
    (void)tlr_read(conn);
}

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    if (nread < 0 || tlr_send(conn, data, (size_t)nread) != 0 ||
        tlr_read(conn) != 0) {
        tlr_close(conn);
    }
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
    struct lender lenders[2];
    uv_thread_t threads[2];
    uv_loop_t host;
    unsigned i;

    must(uv_loop_init(&host) == 0);
    tlr_options_init(&options, sizeof(options));
    options.handler.on_open = on_open;
    options.handler.on_read = on_read;
    options.loops = TLR_LOOPS_BORROWED;
    options.borrowed = 2;
    must(tlr_server_create(&server, &host, &options) == 0);
    must(tlr_server_listen(server, (struct sockaddr *)&address, 0) == 0);
    must(tlr_server_start(server) == 0);
    for (i = 0; i < 2; i++) {
        lenders[i].server = server;
        lenders[i].worker = i;
        must(uv_thread_create(&threads[i], lend, &lenders[i]) == 0);
    }
    client_talk(&host, server, "hello", "hello", stop, server);
    must(uv_run(&host, UV_RUN_DEFAULT) == 0);
    for (i = 0; i < 2; i++) {
        must(uv_thread_join(&threads[i]) == 0);
        must(lenders[i].err == 0);
    }
    tlr_server_destroy(server);
    must(uv_loop_close(&host) == 0);
    return 0;
}
