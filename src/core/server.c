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
 * joined; only then is the mailbox closed that the threads reach us by;
 * on_stopped is the last thing.
 *
 * Failures of a start: everything goes the same way, but without on_stopped,
 * and the host loop has to turn once for the handles to be gone;
 * tlr_server_destroy() may come before that and is carried out then.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "connect.h"
#include "handoff.h"
#include "libuv.h"
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

/* Orders to the host, by its mailbox. */
#define HOST_LOOK 1u  /* there is room again, or a worker has closed */
#define HOST_DRAIN 2u /* another thread has called tlr_server_drain() */

struct tlr_server {
    struct tlr_config config;
    struct tlr_pool pool;
    uv_loop_t *host;
    struct tlr_mailbox mailbox; /* by which other threads reach the host */
    uv_timer_t deadline;
    struct endpoint *endpoints; /* in the order of the calls */
    void (*on_stopped)(struct tlr_server *server);
    int backlog;
    int state;            /* enum server_state */
    unsigned listeners;   /* on the host loop, not closed yet */
    unsigned handles;     /* likewise, of mailbox and deadline */
    uint64_t due;         /* of the deadline, as uv_now() of the host loop */
    unsigned orders;      /* to the workers, when the listeners are closed */
    bool unreferenced;    /* none of our handles keeps the loop alive */
    bool receiving;       /* messages are being worked through */
    bool failed;          /* the start did: nobody is told about the end */
    bool destroyed;       /* and the memory goes at the end */
    _Atomic uintptr_t thread; /* the host's, from the start on; else 0 */
    _Atomic uint64_t asked;   /* the deadline with HOST_DRAIN */
    _Atomic uint64_t posts;   /* to TLR_HOST, that have run */
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

static bool on_host(const struct tlr_server *server)
{
    return server->pool.kind == TLR_WORKER_HOST;
}

unsigned tlr_version(void)
{
    return TLR_VERSION_HEX;
}

const char *tlr_version_string(void)
{
    return TLR_VERSION_STRING;
}

/* ---- creating and listening ----------------------------------------- */

static void on_wake(struct tlr_pool *pool);

static void configure(struct tlr_server *server,
                      const struct tlr_options *options)
{
    struct tlr_config *config = &server->config;

    config->server = server;
    config->handler = options->handler;
    config->allocator = options->allocator;
    config->conn_data_size = options->conn_data_size;
    config->read_buffer = options->read_buffer;
    config->mailbox = options->mailbox;
    config->send_queue = options->send_queue;
    config->low_water = options->low_water;
    config->high_water = options->high_water;
    config->stack_size = options->stack_size;
    config->first_serial = uv_hrtime(); /* no earlier server had got so far */
    (void)snprintf(config->thread_name, sizeof(config->thread_name), "%s",
                   options->thread_name);
    config->user = options->user;
    config->on_worker_start = options->on_worker_start;
    config->on_worker_end = options->on_worker_end;
    config->trampoline = options->trampoline;
    config->resolve = options->resolve;
}

static void pin_workers(struct tlr_pool *pool,
                        const struct tlr_options *options)
{
    unsigned i;

    for (i = 0; i < pool->count; i++) {
        pool->workers[i].cpu =
            options->cpu_count == 0
                ? TLR_ANY_CPU
                : options->cpus[i % options->cpu_count];
    }
}

static enum tlr_worker_kind worker_kind(const struct tlr_options *options)
{
    switch (options->loops) {
    case TLR_LOOPS_HOST:
        return TLR_WORKER_HOST;
    case TLR_LOOPS_BORROWED:
        return TLR_WORKER_BORROWED;
    default:
        return TLR_WORKER_OWN;
    }
}

static int init(struct tlr_server *server, uv_loop_t *host,
                const struct tlr_options *options)
{
    int err;

    configure(server, options);
    server->host = host;
    server->on_stopped = options->on_stopped;
    server->backlog = options->backlog;
    atomic_store(&server->asked, TLR_NO_DEADLINE);
    err = tlr_mailbox_create(&server->mailbox, &server->config.allocator,
                             options->mailbox);
    if (err != 0) {
        return err;
    }
    err = tlr_pool_init(&server->pool, tlr_options_workers(options),
                        worker_kind(options), &server->config, on_wake);
    if (err != 0) {
        tlr_mailbox_destroy(&server->mailbox);
        return err;
    }
    server->pool.balance = options->balance;
    server->pool.limit = options->max_connections;
    pin_workers(&server->pool, options);
    return 0;
}

int tlr_server_create(struct tlr_server **server, uv_loop_t *host,
                      const struct tlr_options *options)
{
    struct tlr_options checked;
    struct tlr_server *created;
    const char *why;
    int err = tlr_options_read(options, &checked);

    if (err == 0) {
        err = tlr_libuv_check(host, &why);
    }
    if (err != 0) {
        return err;
    }
    created = tlr_calloc(&checked.allocator, sizeof(*created));
    if (created == NULL) {
        return UV_ENOMEM;
    }
    err = init(created, host, &checked);
    if (err != 0) {
        tlr_free(&checked.allocator, created);
        return err;
    }
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
    tlr_mailbox_destroy(&server->mailbox);
    tlr_free(&allocator, server);
}

static void call_stopped(void *argument)
{
    struct tlr_server *server = argument;

    server->on_stopped(server);
}

static void stopped(struct tlr_server *server)
{
    enter_state(server, SERVER_STOPPED);
    if (on_host(server) && !server->failed) { /* see tlr_server_start() */
        tlr_handoff_sigpipe_restore();
    }
    if (server->destroyed) {
        release(server);
    } else if (!server->failed && server->on_stopped != NULL) {
        tlr_config_call(&server->config, call_stopped, server);
    }
}

static void handle_closed(struct tlr_server *server)
{
    server->handles--;
    if (server->handles == 0) {
        stopped(server);
    }
}

static void on_mailbox_closed(uv_handle_t *handle)
{
    handle_closed(TLR_CONTAINER_OF(handle, struct tlr_server, mailbox.async));
}

static void on_deadline_closed(uv_handle_t *handle)
{
    handle_closed(TLR_CONTAINER_OF(handle, struct tlr_server, deadline));
}

struct delivery {
    struct tlr_server *server;
    const struct tlr_message *message;
};

static void run_post(void *argument)
{
    struct delivery *delivery = argument;

    delivery->message->to.post(delivery->server, TLR_HOST,
                               delivery->message->data);
}

/* Only posts are sent to the host. */
static unsigned receive(struct tlr_server *server)
{
    const struct tlr_messages *messages;
    unsigned orders = tlr_mailbox_receive(&server->mailbox, &messages);
    size_t i;

    for (i = 0; i < messages->count; i++) {
        struct delivery delivery = {server, &messages->items[i]};

        atomic_fetch_add(&server->posts, 1);
        tlr_config_call(&server->config, run_post, &delivery);
    }
    return orders;
}

static bool is_done(struct tlr_server *server)
{
    return (server->state == SERVER_DRAINING || server->failed) &&
           server->listeners == 0 && tlr_pool_all_closed(&server->pool);
}

/*
 * Once no listener and no worker is left: nobody wakes us any more, and those
 * that post are refused, after what they posted before.
 */
static void close_if_done(struct tlr_server *server)
{
    if (server->receiving || server->state == SERVER_CLOSING ||
        !is_done(server)) {
        return;
    }
    tlr_pool_join(&server->pool);
    enter_state(server, SERVER_CLOSING);
    tlr_mailbox_shut(&server->mailbox);
    (void)receive(server); /* orders have no meaning any more */
    tlr_mailbox_close(&server->mailbox, on_mailbox_closed);
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

    if (on_host(server)) {
        tlr_port_enter(&server->pool.workers[0].conns.port);
    }
}

static void leave(struct tlr_listener *listener)
{
    struct tlr_server *server = listener->owner;

    if (on_host(server)) {
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

static void look(struct tlr_server *server)
{
    if (tlr_pool_was_full(&server->pool)) {
        each_listener(server, tlr_listener_resume);
        if (has_own_listeners(server)) {
            tlr_pool_order(&server->pool, TLR_ORDER_RESUME);
        }
    }
}

static void drain(struct tlr_server *server, uint64_t deadline);

static void on_async(uv_async_t *async)
{
    struct tlr_server *server =
        TLR_CONTAINER_OF(async, struct tlr_server, mailbox.async);
    unsigned orders;

    server->receiving = true;
    orders = receive(server);
    server->receiving = false;
    if ((orders & HOST_LOOK) != 0) {
        look(server);
    }
    if ((orders & HOST_DRAIN) != 0) {
        drain(server, atomic_load(&server->asked));
    }
    close_if_done(server);
}

static void on_wake(struct tlr_pool *pool)
{
    struct tlr_server *server =
        TLR_CONTAINER_OF(pool, struct tlr_server, pool);

    tlr_mailbox_post_orders(&server->mailbox, HOST_LOOK);
}

static void ref_handle(const struct tlr_server *server, uv_handle_t *handle)
{
    if (server->unreferenced) {
        uv_unref(handle);
    } else {
        uv_ref(handle);
    }
}

static void ref_handles(struct tlr_server *server)
{
    ref_handle(server, (uv_handle_t *)&server->mailbox.async);
    ref_handle(server, (uv_handle_t *)&server->deadline);
}

static int put_handles(struct tlr_server *server)
{
    int err = tlr_mailbox_open(&server->mailbox, server->host, on_async);

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
    if (on_host(server)) {
        order_workers(server);
    } else {
        tlr_pool_end(&server->pool);
    }
    close_if_done(server);
}

static int start_all(struct tlr_server *server)
{
    int err = tlr_pool_make(&server->pool, server->host);

    if (err == 0) {
        err = put_endpoints(server);
    }
    if (err == 0) {
        err = tlr_pool_start(&server->pool);
    }
    return err;
}

static void ref_listener(struct tlr_listener *listener)
{
    struct tlr_server *server = listener->owner;

    tlr_listener_ref(listener, !server->unreferenced);
}

static void ref_all(struct tlr_server *server)
{
    ref_handles(server);
    each_listener(server, ref_listener);
    if (on_host(server)) {
        tlr_worker_ref(&server->pool.workers[0], !server->unreferenced);
    }
}

static void ref_server(struct tlr_server *server, bool ref)
{
    server->unreferenced = !ref;
    if (server->state == SERVER_RUNNING || server->state == SERVER_DRAINING) {
        ref_all(server);
    }
}

void tlr_server_ref(struct tlr_server *server)
{
    ref_server(server, true);
}

void tlr_server_unref(struct tlr_server *server)
{
    ref_server(server, false);
}

int tlr_server_start(struct tlr_server *server)
{
    int err;

    if (server->state != SERVER_NEW || server->failed) {
        return UV_EINVAL;
    }
    atomic_store(&server->thread, tlr_handoff_thread_id());
    err = tlr_handoff_loop_is_closed(server->host) ? UV_EBADF
                                                   : put_handles(server);
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
    if (on_host(server)) {
        tlr_handoff_sigpipe_block();
    }
    enter_state(server, SERVER_RUNNING);
    each_listener(server, tlr_listener_start);
    if (server->unreferenced) {
        ref_all(server);
    }
    return 0;
}

int tlr_server_attach(struct tlr_server *server, unsigned worker,
                      uv_loop_t *loop)
{
    const char *why;
    int err;

    if (server->pool.kind != TLR_WORKER_BORROWED ||
        worker >= server->pool.count) {
        return UV_EINVAL;
    }
    err = tlr_libuv_check(loop, &why);
    return err != 0 ? err : tlr_pool_attach(&server->pool, worker, loop);
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

static void drain(struct tlr_server *server, uint64_t deadline)
{
    bool first = server->state == SERVER_RUNNING;

    if (!first && server->state != SERVER_DRAINING) {
        return;
    }
    if (first) {
        enter_state(server, SERVER_DRAINING);
        server->due = UINT64_MAX;
        tlr_pool_shut(&server->pool);
        if (deadline > 0) {
            tlr_pool_order(&server->pool, TLR_ORDER_DRAIN);
        }
        end_listening(server,
                      deadline == 0 ? TLR_ORDER_STOP : TLR_ORDER_FINISH);
        close_if_done(server); /* if no borrowed loop ever came */
    } else if (deadline == 0 && server->orders != TLR_ORDER_STOP) {
        hurry(server);
    }
    if (deadline > 0 && server->state == SERVER_DRAINING) {
        set_deadline(server, deadline);
    }
}

static void ask_host(struct tlr_server *server, uint64_t deadline)
{
    uint64_t asked = atomic_load(&server->asked);

    while (deadline < asked && !atomic_compare_exchange_weak(
                                   &server->asked, &asked, deadline)) {
    }
    tlr_mailbox_post_orders(&server->mailbox, HOST_DRAIN);
}

/* In the middle of a start it is put off until after it, by the mailbox. */
void tlr_server_drain(struct tlr_server *server, uint64_t deadline)
{
    if (atomic_load(&server->thread) == tlr_handoff_thread_id() &&
        server->state != SERVER_NEW) {
        drain(server, deadline);
    } else {
        ask_host(server, deadline);
    }
}

void tlr_server_stop(struct tlr_server *server)
{
    tlr_server_drain(server, 0);
}

/* How long there still is, by the deadline that is in force. */
static uint64_t time_left(const struct tlr_server *server)
{
    uint64_t now = uv_now(server->host);

    if (server->orders == TLR_ORDER_STOP || server->due <= now) {
        return 0;
    }
    return server->due == UINT64_MAX ? UINT64_MAX : server->due - now;
}

/*
 * Without a turn of the host loop nothing is heard of its listeners any more: so
 * they end here and now, and the workers get their orders at once.
 */
static void wait_for_workers(struct tlr_server *server)
{
    each_listener(server, tlr_listener_end);
    tlr_pool_order(&server->pool, server->orders);
    if (!tlr_pool_wait(&server->pool, time_left(server))) {
        tlr_pool_order(&server->pool, TLR_ORDER_STOP);
        (void)tlr_pool_wait(&server->pool, UINT64_MAX);
    }
    tlr_pool_join(&server->pool);
}

int tlr_server_stop_wait(struct tlr_server *server, uint64_t deadline)
{
    uintptr_t thread = atomic_load(&server->thread);

    if (thread != 0 && thread != tlr_handoff_thread_id()) {
        return UV_EINVAL;
    }
    drain(server, deadline);
    if (server->state != SERVER_DRAINING) {
        return 0;
    }
    if (on_host(server)) {
        return UV_EAGAIN;
    }
    wait_for_workers(server);
    close_if_done(server); /* else the listeners are still closing */
    return 0;
}

/* ---- across threads ------------------------------------------------- */

static struct tlr_mailbox *find_mailbox(struct tlr_server *server,
                                        unsigned worker)
{
    if (worker == TLR_HOST) {
        return &server->mailbox;
    }
    return worker < server->pool.count ? &server->pool.workers[worker].mailbox
                                       : NULL;
}

int tlr_post(struct tlr_server *server, unsigned worker, tlr_post_cb fn,
             void *data)
{
    struct tlr_message message = {.kind = TLR_MESSAGE_POST, .data = data};
    struct tlr_mailbox *mailbox = find_mailbox(server, worker);

    message.to.post = fn;
    return mailbox == NULL ? UV_EINVAL : tlr_mailbox_post(mailbox, &message);
}

/* The worker that an id belongs to, or NULL. */
static struct tlr_worker *worker_of(struct tlr_server *server,
                                    struct tlr_id id)
{
    if (id.server != (uint64_t)(uintptr_t)server ||
        id.serial < server->config.first_serial ||
        id.worker >= server->pool.count) {
        return NULL;
    }
    return &server->pool.workers[id.worker];
}

static int post_to_id(struct tlr_server *server, struct tlr_id id,
                      struct tlr_message *message)
{
    struct tlr_worker *worker = worker_of(server, id);

    if (worker == NULL) {
        return UV_EINVAL;
    }
    message->slot = id.slot;
    message->serial = id.serial;
    return tlr_mailbox_post(&worker->mailbox, message);
}

int tlr_post_conn(struct tlr_server *server, struct tlr_id id,
                  tlr_post_conn_cb fn, void *data)
{
    struct tlr_message message = {.kind = TLR_MESSAGE_POST_CONN,
                                  .data = data};

    message.to.post_conn = fn;
    return post_to_id(server, id, &message);
}

int tlr_resolved(struct tlr_server *server, struct tlr_id id, int status,
                 const struct sockaddr_storage *addresses, size_t count)
{
    struct tlr_message message = {.kind = TLR_MESSAGE_RESOLVED};
    struct tlr_resolution *resolution;
    int err = tlr_resolution_create(&resolution, &server->config.allocator,
                                    status, addresses, count);

    if (err != 0) {
        return err;
    }
    message.data = resolution;
    err = post_to_id(server, id, &message);
    if (err != 0) {
        tlr_free(&server->config.allocator, resolution);
    }
    return err;
}

static int adopt(struct tlr_pool *pool, unsigned worker, uv_os_sock_t sock)
{
    struct tlr_worker *chosen;
    int err;

    if (!tlr_pool_reserve(pool)) {
        return atomic_load(&pool->missing) > 0 ? UV_EAGAIN : UV_ENOBUFS;
    }
    chosen = worker == TLR_NEXT_WORKER ? tlr_pool_choose(pool)
                                       : &pool->workers[worker];
    err = tlr_worker_adopt(chosen, sock);
    if (err != 0) {
        tlr_pool_unreserve(pool);
    }
    return err;
}

int tlr_adopt(struct tlr_server *server, unsigned worker, uv_os_sock_t sock)
{
    struct tlr_pool *pool = &server->pool;
    bool inherited;
    int err;

    if (worker != TLR_NEXT_WORKER && worker >= pool->count) {
        return UV_EINVAL;
    }
    err = tlr_handoff_adopt(sock, &inherited);
    if (err != 0) {
        return err;
    }
    err = adopt(pool, worker, sock);
    if (err != 0) {
        tlr_handoff_return(sock, inherited);
    }
    return err;
}

/* ---- on a worker ---------------------------------------------------- */

uv_loop_t *tlr_server_loop(const struct tlr_server *server, unsigned worker)
{
    if (worker == TLR_HOST) {
        return server->host;
    }
    return worker < server->pool.count ? server->pool.workers[worker].loop
                                       : NULL;
}

static int conns_of(struct tlr_server *server, unsigned worker,
                    struct tlr_conns **conns)
{
    if (worker >= server->pool.count) {
        return UV_EINVAL;
    }
    if (server->pool.workers[worker].loop == NULL) {
        return UV_EAGAIN;
    }
    *conns = &server->pool.workers[worker].conns;
    TLR_CHECK((*conns)->thread == tlr_handoff_thread_id());
    return 0;
}

int tlr_connect(struct tlr_server *server, unsigned worker,
                const struct sockaddr *address,
                const struct tlr_handler *handler, struct tlr_conn **conn)
{
    struct tlr_conns *conns;
    int err = conns_of(server, worker, &conns);

    return err != 0 ? err
                    : tlr_conn_connect(conns, address, handler, conn);
}

int tlr_connect_name(struct tlr_server *server, unsigned worker,
                     const char *node, const char *service,
                     const struct tlr_handler *handler,
                     struct tlr_conn **conn)
{
    struct tlr_conns *conns;
    int err = conns_of(server, worker, &conns);

    return err != 0 ? err
                    : tlr_conn_connect_name(conns, node, service, handler,
                                            conn);
}

int tlr_server_find(struct tlr_server *server, struct tlr_id id,
                    struct tlr_conn **conn)
{
    struct tlr_worker *worker = worker_of(server, id);

    if (worker == NULL) {
        return UV_EINVAL;
    }
    if (worker->loop == NULL) {
        return UV_ENOTCONN;
    }
    TLR_CHECK(worker->conns.thread == tlr_handoff_thread_id());
    *conn = tlr_ids_find(&worker->conns.ids, id.slot, id.serial);
    return *conn == NULL ? UV_ENOTCONN : 0;
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

/* All of them are of one type. */
static void add(struct tlr_counters *sum, const struct tlr_counters *one)
{
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)one;
    size_t i;

    for (i = 0; i < sizeof(*sum) / sizeof(*to); i++) {
        to[i] += from[i];
    }
}

int tlr_server_counters(const struct tlr_server *server, unsigned worker,
                        struct tlr_counters *counters, size_t size)
{
    struct tlr_counters sum = {0};
    struct tlr_counters one = {0};
    unsigned i;

    memset(counters, 0, size);
    if (worker != TLR_ALL_WORKERS && worker >= server->pool.count) {
        return UV_EINVAL;
    }
    for (i = 0; i < server->pool.count; i++) {
        if (worker == TLR_ALL_WORKERS || worker == i) {
            tlr_worker_counters(&server->pool.workers[i], &one);
            add(&sum, &one);
        }
    }
    memcpy(counters, &sum, size < sizeof(sum) ? size : sizeof(sum));
    return 0;
}
