/* SPDX-License-Identifier: MIT */
/*
 * A server: the order of starting and stopping.
 *
 *     NEW ─► RUNNING ─► DRAINING ─► CLOSING ─► STOPPED
 *       └────────────────────────────┘ a start that failed
 *
 * Starting: first all that can fail and be taken back at once (the workers'
 * loops), then the host loop's handles, then the threads.
 *
 * Stopping: the workers tell their connections; the listeners close, so that no
 * more sockets come; then each worker gets the order to finish or to stop, which
 * is behind every socket in its mailbox; when all have closed, the threads are
 * joined; only then is the handle closed that the threads wake us by;
 * on_stopped is the last thing.
 *
 * Failures of a start: everything goes the same way, but without on_stopped,
 * and the host loop has to turn once for the handles to be gone;
 * tlr_server_destroy() may come before that and is carried out then.
 */
#include <string.h>

#include "check.h"
#include "handoff.h"
#include "listener.h"
#include "options.h"
#include "pool.h"

enum server_state {
    SERVER_NEW,
    SERVER_RUNNING,
    SERVER_DRAINING,
    SERVER_CLOSING, /* the last of the host's handles are closing */
    SERVER_STOPPED
};

#define TO(state) (1u << (state))

static const unsigned successors[] = {
    [SERVER_NEW] = TO(SERVER_RUNNING) | TO(SERVER_CLOSING) |
                   TO(SERVER_STOPPED),
    [SERVER_RUNNING] = TO(SERVER_DRAINING),
    [SERVER_DRAINING] = TO(SERVER_CLOSING),
    [SERVER_CLOSING] = TO(SERVER_STOPPED),
    [SERVER_STOPPED] = 0,
};

/* What one call of tlr_server_listen() made. */
struct endpoint {
    struct endpoint *next;
    struct sockaddr_storage address;
    unsigned opened;                 /* listeners with a socket */
    struct tlr_listener listeners[]; /* one, or one for each worker */
};

struct tlr_server {
    struct tlr_config config;
    struct tlr_pool pool;
    uv_loop_t *host;
    uv_async_t async; /* the workers wake us by it */
    uv_timer_t deadline;
    struct endpoint *endpoints; /* in the order of the calls */
    void (*on_stopped)(struct tlr_server *server);
    int backlog;
    int state;            /* enum server_state */
    unsigned listeners;   /* on the host loop, not closed yet */
    unsigned handles;     /* likewise, of async and deadline */
    uint64_t due;         /* of the deadline, as uv_now() of the host loop */
    unsigned orders;      /* to the workers, when the listeners are closed */
    bool on_host;         /* no threads: the worker's loop is the host's */
    bool failed;          /* the start did: nobody is told about the end */
    bool destroyed;       /* and the memory goes at the end */
};

static void enter_state(struct tlr_server *server, enum server_state next)
{
    TLR_CHECK((successors[server->state] & TO(next)) != 0);
    server->state = next;
}

static unsigned listeners_each(const struct tlr_server *server)
{
    return server->pool.balance == TLR_BALANCE_REUSEPORT ? server->pool.count
                                                         : 1;
}

unsigned tlr_version(void)
{
    return TLR_VERSION_HEX;
}

/* ---- creating and listening ----------------------------------------- */

static void on_wake(struct tlr_pool *pool);

int tlr_server_create(struct tlr_server **server, uv_loop_t *host,
                      const struct tlr_options *options)
{
    struct tlr_options checked;
    struct tlr_server *created;
    int err = tlr_options_read(options, &checked);

    if (err != 0) {
        return err;
    }
    created = tlr_calloc(&checked.allocator, sizeof(*created));
    if (created == NULL) {
        return UV_ENOMEM;
    }
    created->config.handler = checked.handler;
    created->config.allocator = checked.allocator;
    created->config.conn_data_size = checked.conn_data_size;
    created->config.read_buffer = checked.read_buffer;
    created->config.user = checked.user;
    created->host = host;
    created->on_stopped = checked.on_stopped;
    created->backlog = checked.backlog;
    created->on_host = checked.loops == TLR_LOOPS_HOST;
    err = tlr_pool_init(&created->pool, tlr_options_workers(&checked),
                        &created->config, on_wake);
    if (err != 0) {
        tlr_free(&checked.allocator, created);
        return err;
    }
    created->pool.balance = checked.balance;
    created->pool.limit = checked.max_connections;
    *server = created;
    return 0;
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

/* ---- the end -------------------------------------------------------- */

static void release(struct tlr_server *server)
{
    struct tlr_allocator allocator = server->config.allocator;

    while (server->endpoints != NULL) {
        struct endpoint *endpoint = server->endpoints;

        server->endpoints = endpoint->next;
        abandon(server, endpoint);
    }
    tlr_pool_destroy(&server->pool);
    tlr_free(&allocator, server);
}

static void stopped(struct tlr_server *server)
{
    enter_state(server, SERVER_STOPPED);
    tlr_pool_unmake(&server->pool);
    if (server->on_host && !server->failed) { /* see tlr_server_start() */
        tlr_handoff_sigpipe_restore();
    }
    if (server->destroyed) {
        release(server);
    } else if (!server->failed && server->on_stopped != NULL) {
        server->on_stopped(server);
    }
}

static void handle_closed(struct tlr_server *server)
{
    server->handles--;
    if (server->handles == 0) {
        stopped(server);
    }
}

static void on_async_closed(uv_handle_t *handle)
{
    handle_closed(TLR_CONTAINER_OF(handle, struct tlr_server, async));
}

static void on_deadline_closed(uv_handle_t *handle)
{
    handle_closed(TLR_CONTAINER_OF(handle, struct tlr_server, deadline));
}

/* Once no listener and no worker is left: nobody wakes us any more. */
static void close_if_done(struct tlr_server *server)
{
    if (server->state == SERVER_CLOSING || server->listeners > 0 ||
        !tlr_pool_all_closed(&server->pool)) {
        return;
    }
    tlr_pool_join(&server->pool);
    enter_state(server, SERVER_CLOSING);
    uv_close((uv_handle_t *)&server->async, on_async_closed);
    uv_close((uv_handle_t *)&server->deadline, on_deadline_closed);
}

void tlr_server_destroy(struct tlr_server *server)
{
    if (server == NULL) {
        return;
    }
    if (server->state == SERVER_STOPPED ||
        (server->state == SERVER_NEW && !server->failed)) {
        release(server);
        return;
    }
    TLR_CHECK(server->failed); /* else it has to be stopped first */
    server->destroyed = true;
}

/* ---- the host's listeners ------------------------------------------- */

static bool reserve(struct tlr_listener *listener)
{
    struct tlr_server *server = listener->owner;

    return tlr_pool_reserve(&server->pool);
}

static void unreserve(struct tlr_listener *listener)
{
    struct tlr_server *server = listener->owner;

    tlr_pool_unreserve(&server->pool);
}

static void accepted(struct tlr_listener *listener, uv_os_sock_t sock)
{
    struct tlr_server *server = listener->owner;

    tlr_pool_give(&server->pool, sock);
}

/* Without threads the connections are opened right here. */
static void enter(struct tlr_listener *listener)
{
    struct tlr_server *server = listener->owner;

    if (server->on_host) {
        tlr_port_enter(&server->pool.workers[0].conns.port);
    }
}

static void leave(struct tlr_listener *listener)
{
    struct tlr_server *server = listener->owner;

    if (server->on_host) {
        tlr_port_leave(&server->pool.workers[0].conns.port);
    }
}

static void order_workers(struct tlr_server *server)
{
    if (server->listeners == 0) {
        tlr_pool_order(&server->pool, server->orders);
    }
}

static void closed(struct tlr_listener *listener)
{
    struct tlr_server *server = listener->owner;

    server->listeners--;
    order_workers(server);
    close_if_done(server);
}

static const struct tlr_listener_callbacks host_listener = {
    .reserve = reserve,
    .unreserve = unreserve,
    .accepted = accepted,
    .enter = enter,
    .leave = leave,
    .closed = closed,
};

static bool has_own_listeners(const struct tlr_server *server)
{
    return listeners_each(server) > 1;
}

static void each_listener(struct tlr_server *server,
                          void (*call)(struct tlr_listener *listener))
{
    struct endpoint *endpoint;

    if (has_own_listeners(server)) {
        return; /* they are the workers' */
    }
    for (endpoint = server->endpoints; endpoint != NULL;
         endpoint = endpoint->next) {
        if (endpoint->opened == 0) {
            call(&endpoint->listeners[0]);
        }
    }
}

static void close_taking_queued(struct tlr_listener *listener)
{
    tlr_listener_close(listener, true);
}

static void close_at_once(struct tlr_listener *listener)
{
    tlr_listener_close(listener, false);
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

static int put_endpoints(struct tlr_server *server)
{
    struct endpoint *endpoint;
    int err = 0;

    for (endpoint = server->endpoints; endpoint != NULL && err == 0;
         endpoint = endpoint->next) {
        err = put_endpoint(server, endpoint);
    }
    return err;
}

/* ---- starting ------------------------------------------------------- */

static void on_async(uv_async_t *async)
{
    struct tlr_server *server =
        TLR_CONTAINER_OF(async, struct tlr_server, async);

    if (tlr_pool_was_full(&server->pool)) {
        each_listener(server, tlr_listener_resume);
        if (has_own_listeners(server)) {
            tlr_pool_order(&server->pool, TLR_ORDER_RESUME);
        }
    }
    close_if_done(server);
}

static void on_wake(struct tlr_pool *pool)
{
    struct tlr_server *server =
        TLR_CONTAINER_OF(pool, struct tlr_server, pool);

    TLR_CHECK(uv_async_send(&server->async) == 0); /* closed after they are */
}

static int put_handles(struct tlr_server *server)
{
    int err = uv_async_init(server->host, &server->async, on_async);

    if (err != 0) {
        return err;
    }
    TLR_CHECK(uv_timer_init(server->host, &server->deadline) == 0);
    server->handles = 2;
    return 0;
}

/* Takes back a start, after put_handles(). */
static void undo_start(struct tlr_server *server)
{
    server->failed = true;
    server->orders = TLR_ORDER_STOP;
    each_listener(server, close_at_once);
    if (server->on_host) {
        order_workers(server);
    } else {
        tlr_pool_end(&server->pool);
    }
    close_if_done(server);
}

static int start_all(struct tlr_server *server)
{
    int err = tlr_pool_make(&server->pool,
                            server->on_host ? server->host : NULL);

    if (err == 0) {
        err = put_endpoints(server);
    }
    if (err == 0) {
        err = tlr_pool_start(&server->pool);
    }
    return err;
}

int tlr_server_start(struct tlr_server *server)
{
    int err;

    if (server->state != SERVER_NEW || server->failed) {
        return UV_EINVAL;
    }
    err = put_handles(server);
    if (err != 0) {
        server->failed = true;
        enter_state(server, SERVER_STOPPED);
        return err;
    }
    err = start_all(server);
    if (err != 0) {
        undo_start(server);
        return err;
    }
    if (server->on_host) {
        tlr_handoff_sigpipe_block();
    }
    enter_state(server, SERVER_RUNNING);
    each_listener(server, tlr_listener_start);
    return 0;
}

/* ---- stopping ------------------------------------------------------- */

/* Order is kept: what the listeners still take comes before the order. */
static void end_listening(struct tlr_server *server, unsigned orders)
{
    server->orders = orders;
    each_listener(server, orders == TLR_ORDER_STOP ? close_at_once
                                                   : close_taking_queued);
    order_workers(server);
}

static void hurry(struct tlr_server *server)
{
    end_listening(server, TLR_ORDER_STOP);
}

static void on_deadline(uv_timer_t *timer)
{
    hurry(TLR_CONTAINER_OF(timer, struct tlr_server, deadline));
}

static void set_deadline(struct tlr_server *server, uint64_t milliseconds)
{
    uint64_t now;

    uv_update_time(server->host); /* it may have been busy for long */
    now = uv_now(server->host);
    if (server->due <= now || milliseconds >= server->due - now) {
        return; /* passed, or not sooner */
    }
    server->due = now + milliseconds;
    TLR_CHECK(uv_timer_start(&server->deadline, on_deadline, milliseconds,
                             0) == 0);
}

void tlr_server_drain(struct tlr_server *server, uint64_t deadline)
{
    bool first = server->state == SERVER_RUNNING;

    if (!first && server->state != SERVER_DRAINING) {
        return;
    }
    if (first) {
        enter_state(server, SERVER_DRAINING);
        server->due = UINT64_MAX;
        if (deadline > 0) {
            tlr_pool_order(&server->pool, TLR_ORDER_DRAIN);
        }
        end_listening(server,
                      deadline == 0 ? TLR_ORDER_STOP : TLR_ORDER_FINISH);
    } else if (deadline == 0 && server->orders != TLR_ORDER_STOP) {
        hurry(server);
    }
    if (deadline > 0) {
        set_deadline(server, deadline);
    }
}

void tlr_server_stop(struct tlr_server *server)
{
    tlr_server_drain(server, 0);
}

/* ---- looking -------------------------------------------------------- */

void *tlr_server_user(const struct tlr_server *server)
{
    return server->config.user;
}

unsigned tlr_server_workers(const struct tlr_server *server)
{
    return server->pool.count;
}

static void add(struct tlr_counters *sum, const struct tlr_counters *one)
{
    int i;

    for (i = 0; i < TLR_CAUSES; i++) {
        sum->closed[i] += one->closed[i];
    }
    sum->accepted += one->accepted;
    sum->open += one->open;
    sum->refused += one->refused;
    sum->reads += one->reads;
    sum->writes += one->writes;
    sum->bytes_in += one->bytes_in;
    sum->bytes_out += one->bytes_out;
    sum->emulated += one->emulated;
}

int tlr_server_counters(const struct tlr_server *server, unsigned worker,
                        struct tlr_counters *counters)
{
    struct tlr_counters one;
    unsigned i;

    memset(counters, 0, sizeof(*counters));
    if (worker != TLR_ALL_WORKERS && worker >= server->pool.count) {
        return UV_EINVAL;
    }
    for (i = 0; i < server->pool.count; i++) {
        if (worker == TLR_ALL_WORKERS || worker == i) {
            tlr_worker_counters(&server->pool.workers[i], &one);
            add(counters, &one);
        }
    }
    return 0;
}
