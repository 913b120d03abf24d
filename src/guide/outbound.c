/* SPDX-License-Identifier: MIT */
/*
 * For each peer the server connects to another server by name, asks it, and
 * passes the answer on. The resolver is libuv's, on the host's loop.
 */
#include <teller.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

static char backend_port[8];

/* [resolver] */
struct resolver {
    uv_loop_t *host;
    unsigned asked; /* counted by the host's thread alone */
    int stopped;
};

struct question {
    uv_getaddrinfo_t request;
    struct tlr_server *server;
    struct tlr_id id;
    char node[256];
    char service[32];
};

static void end_if_idle(struct tlr_server *server)
{
    struct resolver *resolver = tlr_server_user(server);

    if (resolver->stopped && resolver->asked == 0) {
        tlr_server_destroy(server); /* nobody will answer any more */
    }
}

static void on_stopped(struct tlr_server *server)
{
    struct resolver *resolver = tlr_server_user(server);

    resolver->stopped = 1;
    end_if_idle(server);
}

static void found(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct question *question = request->data;
    struct resolver *resolver = tlr_server_user(question->server);
    struct sockaddr_storage addresses[8];
    const struct addrinfo *next = list;
    size_t count = 0;

    for (; next != NULL && count < 8; next = next->ai_next) {
        memcpy(&addresses[count++], next->ai_addr, next->ai_addrlen);
    }
    if (status == 0 && count == 0) {
        status = UV_EAI_NODATA;
    }
    (void)tlr_resolved(question->server, question->id, status, addresses,
                       count);
    uv_freeaddrinfo(list);
    resolver->asked--;
    end_if_idle(question->server);
    free(question);
}

static void look_up(struct tlr_server *server, unsigned worker, void *data)
{
    struct question *question = data;
    struct resolver *resolver = tlr_server_user(server);
    struct addrinfo hints;
    int err;

    (void)worker; /* TLR_HOST */
    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;
    question->request.data = question;
    err = uv_getaddrinfo(resolver->host, &question->request, found,
                         question->node, question->service, &hints);
    if (err == 0) {
        resolver->asked++;
    } else {
        (void)tlr_resolved(server, question->id, err, NULL, 0);
        free(question);
    }
}

static int resolve(struct tlr_server *server, struct tlr_id id,
                   const char *node, const char *service)
{
    struct question *question = malloc(sizeof(*question));
    int err;

    if (question == NULL) {
        return UV_ENOMEM;
    }
    question->server = server;
    question->id = id;
    if ((size_t)snprintf(question->node, sizeof(question->node), "%s", node) >=
            sizeof(question->node) ||
        (size_t)snprintf(question->service, sizeof(question->service), "%s",
                         service) >= sizeof(question->service)) {
        free(question);
        return UV_ENAMETOOLONG;
    }
    err = tlr_post(server, TLR_HOST, look_up, question);
    if (err != 0) {
        free(question);
    }
    return err;
}
/* [/resolver] */

/* [pair] */
struct session {
    struct tlr_conn *other; /* the backend's connection, or the peer's */
    uv_timer_t *timer;      /* the backend's: until it is connected */
};

static void on_close(struct tlr_conn *conn, enum tlr_cause cause)
{
    struct session *session = tlr_conn_data(conn);
    struct session *other;

    (void)cause;
    if (session->other != NULL) {
        other = tlr_conn_data(session->other);
        other->other = NULL; /* this one is gone when on_close returns */
        tlr_close(session->other);
    }
}
/* [/pair] */

/* [timer] */
#define PATIENCE 3000 /* milliseconds */

static void on_timeout(uv_timer_t *timer)
{
    tlr_reset(timer->data);
}

static void free_timer(uv_handle_t *timer)
{
    free(timer);
}

static void start_timer(struct tlr_conn *backend)
{
    struct session *session = tlr_conn_data(backend);

    session->timer = malloc(sizeof(*session->timer));
    if (session->timer == NULL) {
        tlr_reset(backend);
        return;
    }
    (void)uv_timer_init(tlr_conn_loop(backend), session->timer); /* always 0 */
    session->timer->data = backend;
    (void)uv_timer_start(session->timer, on_timeout, PATIENCE, 0);
}

static void on_connect(struct tlr_conn *backend, int status)
{
    struct session *session = tlr_conn_data(backend);

    (void)status; /* not 0: on_close is next */
    if (session->timer != NULL) {
        uv_close((uv_handle_t *)session->timer, free_timer);
        session->timer = NULL;
    }
}
/* [/timer] */

/* [backend] */
static void on_backend_open(struct tlr_conn *backend)
{
    if (tlr_send(backend, "time?\n", 6) != 0 || tlr_read(backend) != 0) {
        tlr_close(backend);
    }
}

static void on_backend_read(struct tlr_conn *backend, ssize_t nread,
                            char *data)
{
    struct session *session = tlr_conn_data(backend);

    if (nread > 0 && session->other != NULL) {
        (void)tlr_send(session->other, data, (size_t)nread);
    }
    tlr_close(backend); /* and its on_close closes the peer */
}

static const struct tlr_handler backend_handler = {
    .on_connect = on_connect,
    .on_open = on_backend_open,
    .on_read = on_backend_read,
    .on_close = on_close,
};
/* [/backend] */

/* [connect] */
static void on_open(struct tlr_conn *conn)
{
    struct session *session = tlr_conn_data(conn);
    struct session *other;

    if (tlr_connect_name(tlr_conn_server(conn), tlr_conn_worker(conn),
                         "localhost", backend_port, &backend_handler,
                         &session->other) != 0) {
        tlr_close(conn);
        return;
    }
    other = tlr_conn_data(session->other);
    other->other = conn;
    start_timer(session->other);
}
/* [/connect] */

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    (void)conn;
    (void)nread;
    (void)data;
}

/* The other server: whatever it is asked, it is noon. */
static void on_asked(struct tlr_conn *conn, ssize_t nread, char *data)
{
    (void)data;
    if (nread > 0) {
        (void)tlr_send(conn, "noon\n", 5);
    }
    tlr_close(conn);
}

static void ask(struct tlr_conn *conn)
{
    (void)tlr_read(conn);
}

static struct tlr_server *start(uv_loop_t *host, struct tlr_options *options)
{
    struct sockaddr_in address = any_port();
    struct tlr_server *server;

    must(tlr_server_create(&server, host, options) == 0);
    must(tlr_server_listen(server, (struct sockaddr *)&address, 0) == 0);
    must(tlr_server_start(server) == 0);
    return server;
}

static struct tlr_server *backend;

static void stop(void *argument)
{
    tlr_server_stop(argument);
    tlr_server_stop(backend);
}

int main(void)
{
    struct tlr_options options;
    struct tlr_server *server;
    struct sockaddr_storage bound;
    struct resolver resolver = {NULL, 0, 0};
    uv_loop_t host;

    must(uv_loop_init(&host) == 0);
    tlr_options_init(&options, sizeof(options));
    options.loops = 1;
    options.handler.on_open = ask;
    options.handler.on_read = on_asked;
    options.on_stopped = tlr_server_destroy;
    backend = start(&host, &options);
    must(tlr_server_address(backend, 0, &bound) == 0);
    (void)snprintf(backend_port, sizeof(backend_port), "%u",
                   ntohs(((struct sockaddr_in *)&bound)->sin_port));

    resolver.host = &host;
    /* [options] */
    options.user = &resolver;
    options.resolve = resolve;
    options.on_stopped = on_stopped;
    options.conn_data_size = sizeof(struct session);
    options.handler.on_open = on_open;
    options.handler.on_read = on_read;
    options.handler.on_close = on_close;
    /* [/options] */
    server = start(&host, &options);
    client_talk(&host, server, "", "noon\n", stop, server);
    must(uv_run(&host, UV_RUN_DEFAULT) == 0);
    must(uv_loop_close(&host) == 0);
    return 0;
}
