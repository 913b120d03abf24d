/* SPDX-License-Identifier: MIT */
/*
 * A question travels from a worker to the host's thread and the answer back, to
 * a connection that may have gone; and each worker has a timer of its own.
 */
#include <teller.h>

#include <stdio.h>
#include <stdlib.h>

#include "client.h"

/* [worker] */
struct mine { /* options.worker_data_size = sizeof(struct mine) */
    uv_timer_t timer;
    unsigned ticks;
};

static void on_tick(uv_timer_t *timer)
{
    struct mine *mine = timer->data;

    mine->ticks++;
}

static void on_worker_start(struct tlr_server *server, unsigned worker)
{
    struct mine *mine = tlr_server_data(server, worker);

    (void)uv_timer_init(tlr_server_loop(server, worker), &mine->timer);
    mine->timer.data = mine;
    (void)uv_timer_start(&mine->timer, on_tick, 0, 1000); /* both: always 0 */
}

static void on_worker_end(struct tlr_server *server, unsigned worker)
{
    struct mine *mine = tlr_server_data(server, worker);

    uv_close((uv_handle_t *)&mine->timer, NULL);
}
/* [/worker] */

/* [question] */
struct question {
    struct tlr_id from;
    int answer;
};

static void on_question(struct tlr_server *server, unsigned worker, void *data);

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    struct question *question;

    (void)data;
    if (nread < 0 || (question = malloc(sizeof(*question))) == NULL) {
        tlr_close(conn);
        return;
    }
    if (tlr_conn_id(conn, &question->from) != 0 ||
        tlr_post(tlr_conn_server(conn), TLR_HOST, on_question, question) != 0) {
        free(question); /* it was not posted, so it is still ours */
        tlr_close(conn);
    }
}
/* [/question] */

/* [answer] */
static int counter; /* the host's thread alone has it: no lock */

static void on_answer(struct tlr_conn *conn, int status, void *data);

static void on_question(struct tlr_server *server, unsigned worker, void *data)
{
    struct question *question = data;

    (void)worker; /* TLR_HOST */
    question->answer = ++counter;
    if (tlr_post_conn(server, question->from, on_answer, question) != 0) {
        free(question); /* the worker has ended, or has too much to do */
    }
}

static void on_answer(struct tlr_conn *conn, int status, void *data)
{
    struct question *question = data;
    char text[32];
    int length;

    if (status == 0) { /* else the connection has gone, and conn is NULL */
        length = snprintf(text, sizeof(text), "you are number %d\n",
                          question->answer);
        if (tlr_send(conn, text, (size_t)length) != 0 || tlr_read(conn) != 0) {
            tlr_close(conn);
        }
    }
    free(question);
}
/* [/answer] */

static void on_open(struct tlr_conn *conn)
{
    (void)tlr_read(conn);
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
    options.handler.on_open = on_open;
    options.handler.on_read = on_read;
    options.on_worker_start = on_worker_start;
    options.on_worker_end = on_worker_end;
    options.on_stopped = tlr_server_destroy;
    options.worker_data_size = sizeof(struct mine);
    options.loops = 2;
    must(tlr_server_create(&server, &host, &options) == 0);
    must(tlr_server_listen(server, (struct sockaddr *)&address, 0) == 0);
    must(tlr_server_start(server) == 0);
    client_talk(&host, server, "?", "you are number 1\n", stop, server);
    must(uv_run(&host, UV_RUN_DEFAULT) == 0);
    must(uv_loop_close(&host) == 0);
    return 0;
}
