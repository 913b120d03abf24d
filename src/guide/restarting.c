/* SPDX-License-Identifier: MIT */
/*
 * A server that is replaced by the next one. In earnest these are two processes;
 * here each is a thread, with a loop of its own.
 */
#include <teller.h>

#include <stdio.h>

#include "client.h"

/* [listen] */
#define PATIENCE 10000 /* milliseconds */

static int get_sockets(struct tlr_server *server, const char *path,
                       const struct sockaddr *address)
{
    int err = tlr_server_take_over(server, path, PATIENCE, NULL);

    if (err == UV_ENOENT || err == UV_ECONNREFUSED) {
        err = tlr_server_listen(server, address, 0); /* nobody is there */
    }
    return err;
}
/* [/listen] */

/* [offer] */
static void on_taken_over(struct tlr_server *server, int64_t pid)
{
    (void)server; /* drains: on_stopped follows */
    (void)printf("process %lld serves now\n", (long long)pid);
}

static int offer_sockets(struct tlr_server *server, const char *path)
{
    struct tlr_offer offer;

    tlr_offer_init(&offer, sizeof(offer));
    offer.path = path;
    offer.deadline = PATIENCE;
    offer.on_taken_over = on_taken_over;
    return tlr_server_offer(server, &offer);
}
/* [/offer] */

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

/* [serve] */
static int serve(struct tlr_server **server, uv_loop_t *loop,
                 const char *path, const struct sockaddr *address)
{
    struct tlr_options options;
    int err;

    tlr_options_init(&options, sizeof(options));
    options.handler.on_open = on_open;
    options.handler.on_read = on_read;
    options.on_stopped = tlr_server_destroy;
    err = tlr_server_create(server, loop, &options);
    if (err != 0) {
        return err;
    }
    err = get_sockets(*server, path, address);
    if (err == 0) {
        err = offer_sockets(*server, path); /* from the start on */
    }
    if (err == 0) {
        err = tlr_server_start(*server); /* the old one leaves */
    }
    if (err != 0) {
        tlr_server_destroy(*server); /* the old one goes on */
    }
    return err;
}
/* [/serve] */

struct process {
    char path[256];
    struct sockaddr_in address;
    uv_sem_t serves;
    int err;
};

/* The first one: ends by being taken over. */
static void first(void *argument)
{
    struct process *process = argument;
    struct tlr_server *server;
    uv_loop_t loop;

    must(uv_loop_init(&loop) == 0);
    process->err = serve(&server, &loop, process->path,
                         (struct sockaddr *)&process->address);
    uv_sem_post(&process->serves);
    must(uv_run(&loop, UV_RUN_DEFAULT) == 0);
    must(uv_loop_close(&loop) == 0);
}

static void stop(void *argument)
{
    tlr_server_stop(argument);
}

static void second(struct process *process)
{
    struct tlr_server *server;
    uv_loop_t loop;

    must(uv_loop_init(&loop) == 0);
    must(serve(&server, &loop, process->path,
               (struct sockaddr *)&process->address) == 0);
    client_talk(&loop, server, "hello\n", "hello\n", stop, server);
    must(uv_run(&loop, UV_RUN_DEFAULT) == 0);
    must(uv_loop_close(&loop) == 0);
}

int main(void)
{
    struct process process = {.address = any_port()};
    char folder[128];
    size_t size = sizeof(folder);
    uv_thread_t thread;

    must(uv_os_tmpdir(folder, &size) == 0);
    (void)snprintf(process.path, sizeof(process.path), "%s/teller-guide-%d",
                   size < 60 ? folder : "/tmp", (int)uv_os_getpid());
    must(uv_sem_init(&process.serves, 0) == 0);
    must(uv_thread_create(&thread, first, &process) == 0);
    uv_sem_wait(&process.serves);
    if (process.err == 0) {
        second(&process);
    } else {
        must(process.err == UV_ENOTSUP); /* Windows */
    }
    must(uv_thread_join(&thread) == 0);
    uv_sem_destroy(&process.serves);
    return 0;
}
