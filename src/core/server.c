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
#include "server.h"

#include <stdio.h>

#include "check.h"
#include "handoff.h"
#include "libuv.h"
#include "options.h"
#include "point.h"

#define TO(state) (1u << (state))

static const unsigned successors[] = {
    [SERVER_NEW] = TO(SERVER_RUNNING) | TO(SERVER_CLOSING) |
                   TO(SERVER_STOPPED),
    [SERVER_RUNNING] = TO(SERVER_DRAINING),
    [SERVER_DRAINING] = TO(SERVER_CLOSING),
    [SERVER_CLOSING] = TO(SERVER_STOPPED),
    [SERVER_STOPPED] = 0,
};

/* Orders to the host, by its mailbox. */
#define HOST_LOOK 1u  /* there is room again, or a worker has closed */
#define HOST_DRAIN 2u /* another thread has called tlr_server_drain() */
#define HOST_WARN 4u  /* there is something for on_warning */
#define HOST_RESUME 8u /* its listeners may go on, too */

static const enum tlr_phase phases[] = {
    [SERVER_NEW] = TLR_PHASE_NEW,
    [SERVER_RUNNING] = TLR_PHASE_RUNNING,
    [SERVER_DRAINING] = TLR_PHASE_DRAINING,
    [SERVER_CLOSING] = TLR_PHASE_STOPPING,
    [SERVER_STOPPED] = TLR_PHASE_STOPPED,
};

static void enter_state(struct tlr_server *server, enum server_state next)
{
    TLR_CHECK((successors[server->state] & TO(next)) != 0);
    server->state = next;
    atomic_store(&server->phase, phases[next]);
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
    config->budget = &server->budget;
    config->handler = options->handler;
    config->allocator = options->allocator;
    config->conn_data_size = options->conn_data_size;
    config->worker_data_size = options->worker_data_size;
    config->read_buffer = options->read_buffer;
    config->mailbox = options->mailbox;
    config->send_queue = options->send_queue;
    config->low_water = options->low_water;
    config->high_water = options->high_water;
    config->stack_size = options->stack_size;
    config->idle_timeout = options->idle_timeout;
    config->read_timeout = options->read_timeout;
    config->write_timeout = options->write_timeout;
    config->write_rate = options->write_rate;
    config->max_lifetime = options->max_lifetime;
    config->lifetime_grace = options->lifetime_grace;
    config->jitter = options->jitter;
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
    tlr_budget_init(&server->budget, options->max_queued,
                    tlr_options_workers(options));
    server->host = host;
    server->on_stopped = options->on_stopped;
    server->on_stall = options->on_stall;
    server->on_warning = options->on_warning;
    server->max_connections = options->max_connections;
    server->max_per_worker = options->max_per_worker;
    server->max_per_peer = options->max_per_peer;
    server->config.door = &server->door;
    server->stall_time = options->loops == TLR_LOOPS_HOST
                             ? 0
                             : options->stall_time;
    server->backlog = options->backlog;
    atomic_store(&server->asked, TLR_NO_DEADLINE);
    err = tlr_mailbox_create(&server->mailbox, &server->config.allocator,
                             options->mailbox);
    if (err != 0) {
        return err;
    }
    err = tlr_door_init(&server->door, &server->config.allocator, options);
    if (err != 0) {
        goto err_after_mailbox;
    }
    err = tlr_pool_init(&server->pool, tlr_options_workers(options),
                        worker_kind(options), &server->config, on_wake);
    if (err != 0) {
        goto err_after_door;
    }
    server->pool.balance = options->balance;
    pin_workers(&server->pool, options);
    return 0;

err_after_door:
    tlr_door_close(&server->door, &server->config.allocator);
err_after_mailbox:
    tlr_mailbox_destroy(&server->mailbox);
    return err;
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

/* ---- the end -------------------------------------------------------- */

static void release(struct tlr_server *server)
{
    struct tlr_allocator allocator = server->config.allocator;

    tlr_takeover_forget(server);
    tlr_offer_release(server);
    tlr_endpoints_abandon(server);
    tlr_pool_destroy(&server->pool);
    tlr_door_close(&server->door, &allocator);
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
    if (tlr_server_on_host(server) && !server->failed) { /* see tlr_server_start() */
        tlr_handoff_sigpipe_restore();
    }
    if (server->destroyed) {
        release(server);
    } else if (!server->failed && server->on_stopped != NULL) {
        tlr_config_call(&server->config, call_stopped, server);
    }
}

static void stop_if_closed(struct tlr_server *server)
{
    if (server->handles == 0 && server->listeners == 0) {
        stopped(server);
    }
}

static void handle_closed(struct tlr_server *server)
{
    server->handles--;
    stop_if_closed(server);
}

/* Those that close earlier than the mailbox and the deadline change nothing. */
void tlr_server_handle_closed(struct tlr_server *server)
{
    handle_closed(server);
}

static void on_mailbox_closed(uv_handle_t *handle)
{
    handle_closed(TLR_CONTAINER_OF(handle, struct tlr_server, mailbox.async));
}

static void on_deadline_closed(uv_handle_t *handle)
{
    handle_closed(TLR_CONTAINER_OF(handle, struct tlr_server, deadline));
}

static void on_watchdog_closed(uv_handle_t *handle)
{
    handle_closed(
        TLR_CONTAINER_OF(handle, struct tlr_server, watchdog.timer));
}

static void on_warnings_closed(uv_handle_t *handle)
{
    handle_closed(
        TLR_CONTAINER_OF(handle, struct tlr_server, door.warnings.timer));
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
 * Once no worker is left, and no listener but such as are closing: nobody wakes
 * us any more, and those that post are refused, after what they posted before.
 */
static void close_handles(struct tlr_server *server)
{
    tlr_pool_join(&server->pool);
    enter_state(server, SERVER_CLOSING);
    tlr_mailbox_shut(&server->mailbox);
    TLR_POINT(server_ending);
    (void)receive(server); /* orders have no meaning any more */
    tlr_mailbox_close(&server->mailbox, on_mailbox_closed);
    tlr_libuv_close((uv_handle_t *)&server->deadline, on_deadline_closed);
    if (server->stall_time > 0) {
        tlr_watchdog_close(&server->watchdog, on_watchdog_closed);
    }
    if (server->on_warning != NULL) {
        tlr_warnings_close(&server->door.warnings, on_warnings_closed);
    }
}

void tlr_server_close_if_done(struct tlr_server *server)
{
    if (server->state == SERVER_CLOSING) {
        stop_if_closed(server);
    } else if (!server->receiving && is_done(server)) {
        close_handles(server);
    }
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

/* ---- starting ------------------------------------------------------- */

static void look(struct tlr_server *server, unsigned orders)
{
    if (server->state == SERVER_DRAINING) {
        tlr_pool_end_if_idle(&server->pool);
    }
    TLR_POINT(server_look);
    if ((orders & HOST_RESUME) != 0 ||
        (!tlr_endpoints_are_workers(server) &&
         tlr_pool_was_full(&server->pool))) {
        tlr_endpoints_each(server, tlr_listener_resume);
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
        look(server, orders);
    }
    if ((orders & HOST_DRAIN) != 0) {
        drain(server, atomic_load(&server->asked));
    }
    if ((orders & HOST_WARN) != 0) {
        tlr_warnings_tell(&server->door.warnings);
    }
    tlr_server_close_if_done(server);
}

/*
 * The workers' own listeners are told from here, on any thread: the host's loop
 * does not turn while tlr_server_stop_wait() waits for them.
 */
static void on_wake(struct tlr_pool *pool)
{
    struct tlr_server *server =
        TLR_CONTAINER_OF(pool, struct tlr_server, pool);

    unsigned orders = HOST_LOOK;

    if (tlr_endpoints_are_workers(server) && tlr_pool_was_full(pool)) {
        tlr_pool_order(pool, TLR_ORDER_RESUME);
        orders |= HOST_RESUME;
    }
    tlr_mailbox_post_orders(&server->mailbox, orders);
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

struct stall {
    struct tlr_server *server;
    unsigned worker;
    uint64_t milliseconds;
    int over;
};

static void call_stall(void *argument)
{
    struct stall *stall = argument;

    stall->server->on_stall(stall->server, stall->worker, stall->milliseconds,
                            stall->over);
}

static void on_stall(struct tlr_watchdog *watchdog, unsigned worker,
                     uint64_t milliseconds, bool over)
{
    struct stall stall = {
        TLR_CONTAINER_OF(watchdog, struct tlr_server, watchdog), worker,
        milliseconds, over};

    if (stall.server->on_stall != NULL) {
        tlr_config_call(&stall.server->config, call_stall, &stall);
    }
}

static void wake_to_warn(struct tlr_warnings *warnings)
{
    struct tlr_server *server =
        TLR_CONTAINER_OF(warnings, struct tlr_server, door.warnings);

    tlr_mailbox_post_orders(&server->mailbox, HOST_WARN);
}

struct notice {
    struct tlr_server *server;
    const struct tlr_warning *warning;
};

static void call_warning(void *argument)
{
    struct notice *notice = argument;

    notice->server->on_warning(notice->server, notice->warning);
}

static void on_warning(struct tlr_warnings *warnings,
                       const struct tlr_warning *warning)
{
    struct notice notice = {
        TLR_CONTAINER_OF(warnings, struct tlr_server, door.warnings),
        warning};

    tlr_config_call(&notice.server->config, call_warning, &notice);
}

static const struct tlr_warnings_callbacks warnings_callbacks = {
    .wake = wake_to_warn,
    .told = on_warning,
};

static int put_handles(struct tlr_server *server)
{
    int err = tlr_mailbox_open(&server->mailbox, server->host, on_async);

    if (err != 0) {
        return err;
    }
    TLR_CHECK(uv_timer_init(server->host, &server->deadline) == 0);
    server->handles = 2;
    if (server->stall_time > 0) {
        tlr_watchdog_init(&server->watchdog, server->host, &server->pool,
                          server->stall_time, on_stall);
        server->handles++;
    }
    if (server->on_warning != NULL) {
        tlr_warnings_init(&server->door.warnings, server->host,
                          &warnings_callbacks);
        server->handles++;
    }
    return 0;
}

static void close_taking_queued(struct tlr_listener *listener)
{
    tlr_listener_close(listener, true);
}

static void close_at_once(struct tlr_listener *listener)
{
    tlr_listener_close(listener, false);
}

/* Takes back a start, after put_handles(). */
static void undo_start(struct tlr_server *server)
{
    server->failed = true;
    server->orders = TLR_ORDER_STOP;
    tlr_takeover_forget(server);
    tlr_offer_close(server);
    tlr_endpoints_each(server, close_at_once);
    if (tlr_server_on_host(server)) {
        tlr_endpoints_order_workers(server);
    } else {
        tlr_pool_end(&server->pool);
    }
    tlr_server_close_if_done(server);
}

static int start_all(struct tlr_server *server)
{
    int err = tlr_pool_make(&server->pool, server->host);

    if (err == 0) {
        err = tlr_endpoints_put(server);
    }
    if (err == 0) {
        err = tlr_offer_put(server);
    }
    if (err == 0 && server->pool.kind == TLR_WORKER_BORROWED) {
        err = tlr_takeover_commit(server); /* before any loop can come */
    }
    if (err == 0) {
        tlr_server_set_limits(server);
        err = tlr_pool_start(&server->pool);
    }
    if (err == 0) {
        err = tlr_takeover_commit(server); /* what is committed stays so */
    }
    return err;
}

static void begin_to_accept(struct tlr_server *server)
{
    tlr_endpoints_each(server, tlr_listener_start);
    if (server->config.held) {
        tlr_pool_order(&server->pool, TLR_ORDER_ACCEPT);
    }
}

static void ref_listener(struct tlr_listener *listener)
{
    struct tlr_server *server = listener->owner;

    tlr_listener_ref(listener, !server->unreferenced);
}

static void ref_all(struct tlr_server *server)
{
    ref_handles(server);
    tlr_endpoints_each(server, ref_listener);
    if (tlr_server_on_host(server)) {
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
    err = tlr_handoff_loop_is_closed(server->host) ? UV_EBADF
                                                   : put_handles(server);
    if (err != 0) {
        server->failed = true;
        enter_state(server, SERVER_STOPPED);
        return err;
    }
    /* Behind the mailbox, or a deadline could be kept and its order lost. */
    atomic_store(&server->thread, tlr_handoff_thread_id());
    TLR_POINT(server_known);
    err = start_all(server);
    if (err != 0) {
        undo_start(server);
        return err;
    }
    if (tlr_server_on_host(server)) {
        tlr_handoff_sigpipe_block();
    }
    enter_state(server, SERVER_RUNNING);
    begin_to_accept(server);
    tlr_offer_begin(server);
    if (server->unreferenced) {
        ref_all(server);
    }
    return 0;
}

bool tlr_server_is_host(const struct tlr_server *server)
{
    return atomic_load((_Atomic uintptr_t *)&server->thread) ==
           tlr_handoff_thread_id();
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
    if (err == 0) {
        err = tlr_pool_attach(&server->pool, worker, loop);
    }
    if (err == 0 && tlr_server_is_host(server)) {
        server->lent_here = true;
    }
    return err;
}

/* ---- stopping ------------------------------------------------------- */

/* Order is kept: what the listeners still take comes before the order. */
static void end_listening(struct tlr_server *server, unsigned orders)
{
    /* Without all of its workers the server takes nobody. */
    bool at_once = orders == TLR_ORDER_STOP || server->taken_over ||
                   tlr_pool_is_incomplete(&server->pool);

    server->orders = orders;
    if (orders == TLR_ORDER_STOP) {
        atomic_store(&server->phase, TLR_PHASE_STOPPING);
    }
    tlr_endpoints_each(server, at_once ? close_at_once : close_taking_queued);
    tlr_endpoints_order_workers(server);
}

static void hurry(struct tlr_server *server)
{
    end_listening(server, TLR_ORDER_STOP);
}

static void on_deadline(uv_timer_t *timer)
{
    hurry(TLR_CONTAINER_OF(timer, struct tlr_server, deadline));
}

/* In milliseconds: hundreds of years, which are as good as for ever. */
#define YEARS (UINT64_MAX / 2000000)

static void set_deadline(struct tlr_server *server, uint64_t milliseconds)
{
    uint64_t now;

    uv_update_time(server->host); /* it may have been busy for long */
    now = uv_now(server->host);
    if (server->due <= now || milliseconds >= server->due - now) {
        return; /* passed, or not sooner */
    }
    server->due = now + milliseconds;
    atomic_store(&server->until, milliseconds < YEARS
                                     ? uv_hrtime() + milliseconds * 1000000
                                     : 0);
    if (!uv_is_closing((uv_handle_t *)&server->deadline)) { /* by the host */
        TLR_CHECK(uv_timer_start(&server->deadline, on_deadline, milliseconds,
                                 0) == 0);
    }
}

static void drain(struct tlr_server *server, uint64_t deadline)
{
    bool first = server->state == SERVER_RUNNING;

    if (!first && server->state != SERVER_DRAINING) {
        return;
    }
    if (uv_is_closing((uv_handle_t *)&server->mailbox.async)) {
        tlr_mailbox_shut(&server->mailbox); /* the host has closed it */
    }
    if (first) {
        enter_state(server, SERVER_DRAINING);
        server->due = UINT64_MAX;
        tlr_offer_close(server);
        tlr_pool_shut(&server->pool);
        if (deadline > 0) {
            tlr_pool_order(&server->pool,
                           server->taken_over
                               ? TLR_ORDER_LEAVE | TLR_ORDER_DRAIN
                               : TLR_ORDER_DRAIN);
        }
        end_listening(server,
                      deadline == 0 ? TLR_ORDER_STOP : TLR_ORDER_FINISH);
        tlr_server_close_if_done(server); /* if no borrowed loop ever came */
    } else if (deadline == 0 && server->orders != TLR_ORDER_STOP) {
        hurry(server);
    }
    if (deadline > 0 && server->state == SERVER_DRAINING) {
        set_deadline(server, deadline);
    }
}

/*
 * Closing a listening socket resets what the kernel has queued for it, but not
 * as long as another process has it, too: that one accepts what is queued. To
 * empty the queue first would be to race it for connections.
 */
void tlr_server_leave(struct tlr_server *server, uint64_t deadline)
{
    server->taken_over = true;
    drain(server, deadline);
}

static void ask_host(struct tlr_server *server, uint64_t deadline)
{
    uint64_t asked = atomic_load(&server->asked);

    if (atomic_load(&server->thread) == 0) {
        return; /* not started: it must not be remembered, either */
    }
    while (deadline < asked && !atomic_compare_exchange_weak(
                                   &server->asked, &asked, deadline)) {
    }
    TLR_POINT(server_asked);
    tlr_mailbox_post_orders(&server->mailbox, HOST_DRAIN);
    tlr_pool_nudge(&server->pool); /* tlr_server_stop_wait() */
}

/* In the middle of a start it is put off until after it, by the mailbox. */
void tlr_server_drain(struct tlr_server *server, uint64_t deadline)
{
    if (tlr_server_is_host(server) && server->state != SERVER_NEW) {
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
    uint64_t now;

    if (server->orders == TLR_ORDER_STOP || server->due == UINT64_MAX) {
        return UINT64_MAX; /* until they have ended */
    }
    uv_update_time(server->host);
    now = uv_now(server->host);
    return server->due > now ? server->due - now : 0;
}

/*
 * Without a turn of the host loop nothing is heard of its listeners any more: so
 * they end here and now, and the workers get their orders at once. So does what
 * is offered to another process.
 */
static void wait_for_workers(struct tlr_server *server)
{
    tlr_offer_end(server);
    tlr_endpoints_each(server, tlr_listener_end);
    tlr_pool_order(&server->pool, server->orders);
    while (!tlr_pool_wait(&server->pool, time_left(server))) {
        /* The time has passed, or another thread wants it to. */
        drain(server, time_left(server) == 0 ? 0
                                             : atomic_load(&server->asked));
        tlr_pool_order(&server->pool, server->orders);
    }
    tlr_pool_join(&server->pool);
}

int tlr_server_stop_wait(struct tlr_server *server, uint64_t deadline)
{
    if (atomic_load(&server->thread) != 0 && !tlr_server_is_host(server)) {
        return UV_EINVAL;
    }
    drain(server, deadline);
    if (server->state != SERVER_DRAINING) {
        return 0;
    }
    if (tlr_server_on_host(server) || server->lent_here) {
        return UV_EAGAIN;
    }
    wait_for_workers(server);
    if (!server->receiving) {
        /* All at once: what comes next may be the host closing its loop. */
        close_handles(server);
    }
    return 0;
}
