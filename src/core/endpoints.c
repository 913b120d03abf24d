/* SPDX-License-Identifier: MIT */
/*
 * The addresses that a server listens on, each with one listener on the host's
 * loop, or with SO_REUSEPORT one on each worker's.
 */
#include "server.h"

#include <string.h>

#include "handoff.h"

static unsigned listeners_each(const struct tlr_server *server)
{
    return server->pool.balance == TLR_BALANCE_REUSEPORT ? server->pool.count
                                                         : 1;
}

static void abandon(struct tlr_server *server, struct endpoint *endpoint)
{
    unsigned i;

    for (i = 0; i < endpoint->opened; i++) {
        tlr_listener_abandon(&endpoint->listeners[i]);
    }
    tlr_free(&server->config.allocator, endpoint);
}

/* All listeners of an endpoint share the port that the first one got. */
static int open_endpoint(struct tlr_server *server, struct endpoint *endpoint,
                         unsigned flags)
{
    unsigned count = listeners_each(server);
    int err = 0;

    while (endpoint->opened < count && err == 0) {
        struct tlr_listener *listener = &endpoint->listeners[endpoint->opened];

        err = tlr_listener_open(listener,
                                (struct sockaddr *)&endpoint->address,
                                server->backlog, flags);
        if (err == 0) {
            endpoint->opened++;
            err = tlr_handoff_name(listener->sock, &endpoint->address);
        }
    }
    return err;
}

static void copy_address(struct sockaddr_storage *to,
                         const struct sockaddr *from)
{
    memcpy(to, from,
           from->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                       : sizeof(struct sockaddr_in));
}

static int add_endpoint(struct tlr_server *server,
                        const struct sockaddr *address, unsigned flags)
{
    struct endpoint **end = &server->endpoints;
    size_t size = sizeof(struct endpoint) +
                  listeners_each(server) * sizeof(struct tlr_listener);
    struct endpoint *endpoint = tlr_calloc(&server->config.allocator, size);
    int err;

    if (endpoint == NULL) {
        return UV_ENOMEM;
    }
    copy_address(&endpoint->address, address);
    err = open_endpoint(server, endpoint, flags);
    if (err != 0) {
        abandon(server, endpoint);
        return err;
    }
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = endpoint;
    return 0;
}

int tlr_server_listen(struct tlr_server *server,
                      const struct sockaddr *address, unsigned flags)
{
    unsigned handoff = 0;

    if (server->state != SERVER_NEW) {
        return UV_EBUSY;
    }
    if ((address->sa_family != AF_INET && address->sa_family != AF_INET6) ||
        (flags & ~TLR_LISTEN_IPV6_ONLY) != 0) {
        return UV_EINVAL;
    }
    if ((flags & TLR_LISTEN_IPV6_ONLY) != 0) {
        handoff |= TLR_HANDOFF_V6ONLY;
    }
    if (listeners_each(server) > 1) {
        handoff |= TLR_HANDOFF_REUSEPORT;
    }
    return add_endpoint(server, address, handoff);
}

unsigned tlr_server_addresses(const struct tlr_server *server)
{
    const struct endpoint *endpoint;
    unsigned count = 0;

    for (endpoint = server->endpoints; endpoint != NULL;
         endpoint = endpoint->next) {
        count++;
    }
    return count;
}

int tlr_server_address(const struct tlr_server *server, unsigned index,
                       struct sockaddr_storage *address)
{
    const struct endpoint *endpoint = server->endpoints;

    while (endpoint != NULL && index > 0) {
        endpoint = endpoint->next;
        index--;
    }
    if (endpoint == NULL) {
        return UV_EINVAL;
    }
    *address = endpoint->address;
    return 0;
}

/* ---- the host's listeners ------------------------------------------- */

static enum tlr_admission admit(struct tlr_listener *listener,
                                struct tlr_ticket *ticket)
{
    struct tlr_server *server = listener->owner;
    enum tlr_admission admission;
    struct tlr_worker *worker;

    if (!tlr_pool_is_ready(&server->pool)) {
        return TLR_ADMIT_NONE;
    }
    worker = tlr_pool_take(&server->pool);
    ticket->worker = worker;
    admission = tlr_door_admit(&server->door, &server->door_tally, ticket,
                               tlr_listener_is_emptying(listener));
    if (worker != NULL && ticket->worker == NULL) {
        tlr_pool_give_back(&server->pool, worker);
    }
    return admission;
}

static void dismiss(struct tlr_listener *listener,
                    const struct tlr_ticket *ticket)
{
    struct tlr_server *server = listener->owner;

    tlr_door_dismiss(&server->door, ticket);
    if (ticket->worker != NULL) {
        tlr_pool_give_back(&server->pool, ticket->worker);
    }
}

static void accepted(struct tlr_listener *listener,
                     const struct tlr_ticket *ticket, uv_os_sock_t sock,
                     const struct sockaddr_storage *address)
{
    struct tlr_server *server = listener->owner;
    struct tlr_peer *peer;

    if (tlr_door_enter(&server->door, &server->door_tally, ticket, sock,
                       address, &peer)) {
        tlr_pool_advance(&server->pool, ticket->worker);
        tlr_worker_give(ticket->worker, sock, peer);
    } else if (ticket->worker != NULL) {
        tlr_pool_give_back(&server->pool, ticket->worker);
    }
}

static void trouble(struct tlr_listener *listener,
                    enum tlr_accept_result result, int err)
{
    struct tlr_server *server = listener->owner;

    tlr_door_trouble(&server->door, &server->door_tally, result, err);
}

/* Without threads the connections are opened right here. */
static void enter(struct tlr_listener *listener)
{
    struct tlr_server *server = listener->owner;

    if (tlr_server_on_host(server)) {
        tlr_port_enter(&server->pool.workers[0].conns.port);
    }
}

static void leave(struct tlr_listener *listener)
{
    struct tlr_server *server = listener->owner;

    if (tlr_server_on_host(server)) {
        tlr_port_leave(&server->pool.workers[0].conns.port);
    }
}

void tlr_endpoints_order_workers(struct tlr_server *server)
{
    if (server->listeners == 0) {
        tlr_pool_order(&server->pool, server->orders);
    }
}

static void closed(struct tlr_listener *listener)
{
    struct tlr_server *server = listener->owner;

    server->listeners--;
    tlr_endpoints_order_workers(server);
    tlr_server_close_if_done(server);
}

static const struct tlr_listener_callbacks host_listener = {
    .admit = admit,
    .dismiss = dismiss,
    .accepted = accepted,
    .trouble = trouble,
    .enter = enter,
    .leave = leave,
    .closed = closed,
};

bool tlr_endpoints_are_workers(const struct tlr_server *server)
{
    return listeners_each(server) > 1;
}

void tlr_endpoints_each(struct tlr_server *server,
                          void (*call)(struct tlr_listener *listener))
{
    struct endpoint *endpoint;

    if (tlr_endpoints_are_workers(server)) {
        return; /* they are the workers' */
    }
    for (endpoint = server->endpoints; endpoint != NULL;
         endpoint = endpoint->next) {
        if (endpoint->opened == 0) {
            call(&endpoint->listeners[0]);
        }
    }
}

/*
 * Puts the listeners on their loops. `opened` falls to 0 where that was done:
 * the socket is then the handle's to close.
 */
static int put_endpoint(struct tlr_server *server, struct endpoint *endpoint)
{
    unsigned count = endpoint->opened;
    int err = 0;

    while (endpoint->opened > 0 && err == 0) {
        unsigned i = endpoint->opened - 1;

        if (count == 1) {
            err = tlr_listener_init(&endpoint->listeners[i], server->host,
                                    &host_listener, server);
            server->listeners += err == 0;
        } else {
            err = tlr_worker_add_listener(&server->pool.workers[i],
                                          &endpoint->listeners[i]);
        }
        endpoint->opened -= err == 0;
    }
    return err;
}

int tlr_endpoints_put(struct tlr_server *server)
{
    struct endpoint *endpoint;
    int err = 0;

    for (endpoint = server->endpoints; endpoint != NULL && err == 0;
         endpoint = endpoint->next) {
        err = put_endpoint(server, endpoint);
    }
    return err;
}

void tlr_endpoints_abandon(struct tlr_server *server)
{
    while (server->endpoints != NULL) {
        struct endpoint *endpoint = server->endpoints;

        server->endpoints = endpoint->next;
        abandon(server, endpoint);
    }
}
