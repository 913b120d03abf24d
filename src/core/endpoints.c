/* SPDX-License-Identifier: MIT */
/*
 * The addresses that a server listens on, each with one listener on the host's
 * loop, or with SO_REUSEPORT one on each worker's. Sockets that come from
 * elsewhere may be more, or fewer.
 */
#include "server.h"

#include <string.h>

#include "handoff.h"

/* How many listeners an address should have. */
static unsigned listeners_each(const struct tlr_server *server)
{
    return server->pool.balance == TLR_BALANCE_REUSEPORT ? server->pool.count
                                                         : 1;
}

static void free_endpoint(struct tlr_server *server,
                          struct endpoint *endpoint)
{
    tlr_free(&server->config.allocator, endpoint->listeners);
    tlr_free(&server->config.allocator, endpoint);
}

static void abandon(struct tlr_server *server, struct endpoint *endpoint)
{
    unsigned i;

    for (i = 0; i < endpoint->opened; i++) {
        tlr_listener_abandon(&endpoint->listeners[i]);
    }
    free_endpoint(server, endpoint);
}

/* Before the start, so that no handle is moved. */
static int make_room(struct tlr_server *server, struct endpoint *endpoint,
                     unsigned room)
{
    size_t size = sizeof(struct tlr_listener);
    struct tlr_listener *more;

    if (room <= endpoint->room) {
        return 0;
    }
    more = tlr_calloc(&server->config.allocator, room * size);
    if (more == NULL) {
        return UV_ENOMEM;
    }
    if (endpoint->count > 0) {
        memcpy(more, endpoint->listeners, endpoint->count * size);
    }
    tlr_free(&server->config.allocator, endpoint->listeners);
    endpoint->listeners = more;
    endpoint->room = room;
    return 0;
}

static void count_up(struct endpoint *endpoint)
{
    endpoint->count++;
    endpoint->opened++;
}

/* All listeners of an endpoint share the port that the first one got. */
static int open_more(struct tlr_server *server, struct endpoint *endpoint,
                     unsigned flags)
{
    struct tlr_listener *listener = &endpoint->listeners[endpoint->count];
    int err = tlr_listener_open(listener,
                                (struct sockaddr *)&endpoint->address,
                                server->backlog, flags);

    if (err == 0) {
        count_up(endpoint);
        err = tlr_handoff_name(listener->sock, &endpoint->address);
    }
    return err;
}

static int open_endpoint(struct tlr_server *server, struct endpoint *endpoint)
{
    unsigned count = listeners_each(server);
    int err = make_room(server, endpoint, count);

    while (endpoint->count < count && err == 0) {
        err = open_more(server, endpoint, endpoint->flags);
    }
    return err;
}

static void append(struct tlr_server *server, struct endpoint *endpoint)
{
    struct endpoint **end = &server->endpoints;

    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = endpoint;
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
    struct endpoint *endpoint =
        tlr_calloc(&server->config.allocator, sizeof(*endpoint));
    int err;

    if (endpoint == NULL) {
        return UV_ENOMEM;
    }
    copy_address(&endpoint->address, address);
    endpoint->flags = flags;
    err = open_endpoint(server, endpoint);
    if (err != 0) {
        abandon(server, endpoint);
        return err;
    }
    append(server, endpoint);
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

/* ---- sockets from elsewhere ------------------------------------------ */

static bool same_address(const struct sockaddr_storage *a,
                         const struct sockaddr_storage *b)
{
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)a;
    const struct sockaddr_in *b4 = (const struct sockaddr_in *)b;
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)a;
    const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)b;

    if (a->ss_family != b->ss_family) {
        return false;
    }
    if (a->ss_family == AF_INET) {
        return a4->sin_port == b4->sin_port &&
               a4->sin_addr.s_addr == b4->sin_addr.s_addr;
    }
    return a6->sin6_port == b6->sin6_port &&
           a6->sin6_scope_id == b6->sin6_scope_id &&
           memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
}

static struct endpoint *find_address(const struct tlr_server *server,
                                     const struct sockaddr_storage *address)
{
    struct endpoint *endpoint = server->endpoints;

    while (endpoint != NULL && !same_address(&endpoint->address, address)) {
        endpoint = endpoint->next;
    }
    return endpoint;
}

static struct endpoint *new_endpoint(struct tlr_server *server,
                                     const struct sockaddr_storage *address,
                                     unsigned flags)
{
    struct endpoint *endpoint =
        tlr_calloc(&server->config.allocator, sizeof(*endpoint));

    if (endpoint != NULL) {
        endpoint->address = *address;
        endpoint->flags = flags;
    }
    return endpoint;
}

/* The room that it needs at last is made at once, if it can be foreseen. */
static int use_socket(struct tlr_server *server, struct endpoint *endpoint,
                      uv_os_sock_t sock)
{
    unsigned room = endpoint->count + 1;
    int err;

    if (room < listeners_each(server)) {
        room = listeners_each(server);
    }
    err = make_room(server, endpoint, room);
    if (err == 0) {
        tlr_listener_use(&endpoint->listeners[endpoint->count], sock);
        count_up(endpoint);
    }
    return err;
}

int tlr_server_listen_socket(struct tlr_server *server, uv_os_sock_t sock)
{
    struct sockaddr_storage address;
    struct endpoint *endpoint;
    unsigned flags;
    int err;

    if (server->state != SERVER_NEW) {
        return UV_EBUSY;
    }
    err = tlr_handoff_adopt_listener(sock, &flags);
    if (err == 0) {
        err = tlr_handoff_name(sock, &address);
    }
    if (err != 0) {
        return err;
    }
    endpoint = find_address(server, &address);
    if (endpoint != NULL) {
        return use_socket(server, endpoint, sock);
    }
    endpoint = new_endpoint(server, &address, flags);
    if (endpoint == NULL) {
        return UV_ENOMEM;
    }
    err = use_socket(server, endpoint, sock);
    if (err != 0) {
        free_endpoint(server, endpoint);
        return err;
    }
    append(server, endpoint);
    return 0;
}

/*
 * Opens what is missing for each worker to have one. If the sockets do not share
 * their port, or are another user's, they do with what there is, on the host's
 * loop. The further ones are bound only until the start has succeeded: a
 * listening one would get connections, which were lost if it failed.
 */
static int complete(struct tlr_server *server, struct endpoint *endpoint)
{
    unsigned count = listeners_each(server);
    int err = 0;

    if ((endpoint->flags & TLR_HANDOFF_REUSEPORT) == 0) {
        return 0;
    }
    while (endpoint->count < count && err == 0) {
        err = open_more(server, endpoint,
                        endpoint->flags | TLR_HANDOFF_BOUND);
    }
    return err == UV_EADDRINUSE || err == UV_EACCES ? 0 : err;
}

int tlr_server_sockets(const struct tlr_server *server, unsigned index,
                       uv_os_sock_t *socks, size_t *count)
{
    const struct endpoint *endpoint = server->endpoints;
    size_t room = *count;
    size_t i;

    for (; endpoint != NULL && index > 0; index--) {
        endpoint = endpoint->next;
    }
    if (endpoint == NULL) {
        return UV_EINVAL;
    }
    if (server->failed ||
        (server->state != SERVER_NEW && server->state != SERVER_RUNNING)) {
        return UV_ECANCELED;
    }
    *count = endpoint->count;
    if (room < endpoint->count) {
        return UV_ENOBUFS;
    }
    for (i = 0; i < endpoint->count; i++) {
        socks[i] = endpoint->listeners[i].sock;
    }
    return 0;
}

size_t tlr_endpoints_sockets(const struct tlr_server *server)
{
    const struct endpoint *endpoint;
    size_t count = 0;

    for (endpoint = server->endpoints; endpoint != NULL;
         endpoint = endpoint->next) {
        count += endpoint->count;
    }
    return count;
}

size_t tlr_endpoints_listening(const struct tlr_server *server,
                               uv_os_sock_t *socks)
{
    const struct endpoint *endpoint;
    size_t count = 0;
    unsigned i;

    for (endpoint = server->endpoints; endpoint != NULL;
         endpoint = endpoint->next) {
        for (i = 0; i < endpoint->count; i++) {
            if (tlr_handoff_is_listening(endpoint->listeners[i].sock)) {
                socks[count++] = endpoint->listeners[i].sock;
            }
        }
    }
    return count;
}

/* ---- the addresses --------------------------------------------------- */

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
    const struct endpoint *endpoint = server->endpoints;

    while (endpoint != NULL && !endpoint->workers) {
        endpoint = endpoint->next;
    }
    return endpoint != NULL;
}

void tlr_endpoints_each(struct tlr_server *server,
                        void (*call)(struct tlr_listener *listener))
{
    struct endpoint *endpoint;
    unsigned i;

    for (endpoint = server->endpoints; endpoint != NULL;
         endpoint = endpoint->next) {
        for (i = endpoint->opened; i < endpoint->count && !endpoint->workers;
             i++) {
            call(&endpoint->listeners[i]);
        }
    }
}

static int put_listener(struct tlr_server *server, struct endpoint *endpoint,
                        unsigned index)
{
    struct tlr_listener *listener = &endpoint->listeners[index];
    int err;

    if (endpoint->workers) {
        index %= server->pool.count;
        return tlr_worker_add_listener(&server->pool.workers[index],
                                       listener);
    }
    err = tlr_listener_init(listener, server->host, &host_listener, server);
    server->listeners += err == 0;
    return err;
}

/*
 * Puts the listeners on their loops. `opened` falls to 0 where that was done:
 * the socket is then the handle's to close.
 */
static int put_endpoint(struct tlr_server *server, struct endpoint *endpoint)
{
    int err = complete(server, endpoint);

    endpoint->workers =
        listeners_each(server) > 1 && endpoint->count >= listeners_each(server);
    while (endpoint->opened > 0 && err == 0) {
        err = put_listener(server, endpoint, endpoint->opened - 1);
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
