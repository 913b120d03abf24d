/* SPDX-License-Identifier: MIT */
#include "module.h"

#include <stdlib.h>
#include <string.h>

struct embed {
    struct tlr_server *server;
    struct embed_events events; /* all NULL once nothing is to be told */
    unsigned stats_every;
};

static void on_open(struct tlr_conn *conn)
{
    (void)tlr_read(conn); /* cannot fail on a new connection */
}

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    if (nread < 0 || tlr_write(conn, data, (size_t)nread) != 0) {
        tlr_close(conn);
    }
}

static void on_write(struct tlr_conn *conn, int status)
{
    if (status != 0 || tlr_read(conn) != 0) {
        tlr_close(conn);
    }
}

static void read_counters(const struct tlr_server *server,
                          struct tlr_counters *counters)
{
    (void)tlr_server_counters(server, TLR_ALL_WORKERS, counters,
                              sizeof(*counters)); /* these are there */
}

static void tell_stats(struct tlr_server *server, unsigned worker, void *data)
{
    struct embed *embed = data;
    struct tlr_counters counters;

    (void)worker;
    if (embed->events.stats != NULL) {
        read_counters(server, &counters);
        embed->events.stats(embed->events.user, &counters);
    }
}

/* On the worker's thread, which is not the host's. */
static void on_close(struct tlr_conn *conn, enum tlr_cause cause)
{
    struct tlr_server *server = tlr_conn_server(conn);
    struct embed *embed = tlr_conn_user(conn);
    struct tlr_counters counters;
    uint64_t ended;

    (void)cause;
    (void)tlr_server_counters(server, tlr_conn_worker(conn), &counters,
                              sizeof(counters)); /* it is there */
    ended = counters.accepted - counters.open;
    if (embed->stats_every > 0 && ended % embed->stats_every == 0) {
        /* If the host does not take it there are the next ones. */
        (void)tlr_post(server, TLR_HOST, tell_stats, embed);
    }
}

static void tell_listening(struct tlr_server *server, unsigned worker,
                           void *data)
{
    struct embed *embed = data;

    (void)server;
    (void)worker;
    if (embed->events.listening != NULL) {
        embed->events.listening(embed->events.user, embed_port(embed));
    }
}

static void on_stopped(struct tlr_server *server)
{
    struct embed *embed = tlr_server_user(server);
    struct embed_events events = embed->events;
    struct tlr_counters counters;

    read_counters(server, &counters);
    tlr_server_destroy(server);
    free(embed);
    if (events.stopped != NULL) {
        events.stopped(events.user, &counters);
    }
}

static void trampoline(void (*call)(void *argument), void *argument,
                       void *user)
{
    struct embed *embed = user;

    if (embed->events.trampoline != NULL) {
        embed->events.trampoline(call, argument, embed->events.user);
    } else {
        call(argument);
    }
}

static int start(struct embed *embed, uv_loop_t *loop, int loops)
{
    struct tlr_options options;
    struct sockaddr_in address;
    int err;

    tlr_options_init(&options, sizeof(options));
    options.handler.on_open = on_open;
    options.handler.on_read = on_read;
    options.handler.on_write = on_write;
    options.handler.on_close = on_close;
    options.loops = loops;
    options.on_stopped = on_stopped;
    options.trampoline = trampoline;
    options.user = embed;
    (void)uv_ip4_addr("127.0.0.1", 0, &address); /* it is an address */
    err = tlr_server_create(&embed->server, loop, &options);
    if (err != 0) {
        return err;
    }
    err = tlr_server_listen(embed->server, (struct sockaddr *)&address, 0);
    if (err == 0) {
        err = tlr_server_start(embed->server);
    }
    if (err != 0) {
        tlr_server_destroy(embed->server);
    }
    return err;
}

struct embed *embed_start(uv_loop_t *loop, int loops, unsigned stats_every,
                          const struct embed_events *events, int *err)
{
    struct embed *embed = calloc(1, sizeof(*embed));

    *err = UV_ENOMEM;
    if (embed == NULL) {
        return NULL;
    }
    embed->events = *events;
    embed->stats_every = stats_every;
    *err = start(embed, loop, loops);
    if (*err != 0) {
        free(embed);
        return NULL;
    }
    /* It has just started: there is room for one post. */
    (void)tlr_post(embed->server, TLR_HOST, tell_listening, embed);
    return embed;
}

int embed_port(const struct embed *embed)
{
    struct sockaddr_storage address;

    if (tlr_server_address(embed->server, 0, &address) != 0) {
        return 0;
    }
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

void embed_stats(const struct embed *embed, struct tlr_counters *counters)
{
    read_counters(embed->server, counters);
}

void embed_ref(struct embed *embed)
{
    tlr_server_ref(embed->server);
}

void embed_unref(struct embed *embed)
{
    tlr_server_unref(embed->server);
}

void embed_stop(struct embed *embed, unsigned deadline)
{
    tlr_server_drain(embed->server, deadline);
}

int embed_stop_wait(struct embed *embed, unsigned deadline)
{
    memset(&embed->events, 0, sizeof(embed->events));
    return tlr_server_stop_wait(embed->server, deadline);
}
