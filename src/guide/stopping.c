/* SPDX-License-Identifier: MIT */
/* The first Ctrl-C drains, the second one stops. */
#include <teller.h>

#include "client.h"

/* [signal] */
#define PATIENCE 10000 /* milliseconds */

struct program {
    struct tlr_server *server;
    uv_signal_t interrupt;
    int interrupted;
};

static void on_interrupt(uv_signal_t *signal, int number)
{
    struct program *program = signal->data;

    (void)number;
    tlr_server_drain(program->server, program->interrupted ? 0 : PATIENCE);
    program->interrupted = 1;
}

static int catch_interrupt(struct program *program, uv_loop_t *host)
{
    int err = uv_signal_init(host, &program->interrupt);

    if (err != 0) {
        return err;
    }
    program->interrupt.data = program;
    return uv_signal_start(&program->interrupt, on_interrupt, SIGINT);
}

static void on_stopped(struct tlr_server *server)
{
    struct program *program = tlr_server_user(server);

    uv_close((uv_handle_t *)&program->interrupt, NULL); /* and uv_run() ends */
    tlr_server_destroy(server);
}
/* [/signal] */

/* [drain] */
static void on_drain(struct tlr_conn *conn)
{
    (void)tlr_send(conn, "bye\n", 4); /* behind all that is under way */
    tlr_close(conn);                  /* and FIN behind that */
}
/* [/drain] */

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    if (nread < 0 || tlr_send(conn, data, (size_t)nread) != 0 ||
        tlr_read(conn) != 0) {
        tlr_close(conn);
    }
}

/* What Ctrl-C does, without a terminal. */
static void press(struct tlr_server *server, unsigned worker, void *data)
{
    struct program *program = tlr_server_user(server);

    (void)worker;
    (void)data;
    on_interrupt(&program->interrupt, SIGINT);
}

static void on_open(struct tlr_conn *conn)
{
    (void)tlr_send(conn, "hi\n", 3);
    must(tlr_post(tlr_conn_server(conn), TLR_HOST, press, NULL) == 0);
}

static void done(void *argument)
{
    int *ended = argument;

    *ended = 1;
}

int main(void)
{
    struct sockaddr_in address = any_port();
    struct program program = {0};
    struct tlr_options options;
    uv_loop_t host;
    int ended = 0;

    must(uv_loop_init(&host) == 0);
    tlr_options_init(&options, sizeof(options));
    options.user = &program;
    options.handler.on_open = on_open;
    options.handler.on_read = on_read;
    options.handler.on_drain = on_drain;
    options.on_stopped = on_stopped;
    must(tlr_server_create(&program.server, &host, &options) == 0);
    must(tlr_server_listen(program.server, (struct sockaddr *)&address, 0) ==
         0);
    must(tlr_server_start(program.server) == 0);
    must(catch_interrupt(&program, &host) == 0);
    client_talk(&host, program.server, "", "hi\nbye\n", done, &ended);
    must(uv_run(&host, UV_RUN_DEFAULT) == 0);
    must(ended);
    must(uv_loop_close(&host) == 0);
    return 0;
}
