/* SPDX-License-Identifier: MIT */
/*
 * A worker.
 *
 * The happy path: sockets come through the mailbox and are opened here; the
 * connections live until they close; then an order to drain, the last
 * connection goes, the handles are closed, the loop ends and the thread with
 * it.
 *
 *     RUNNING ─► DRAINING ─► FINISHING ─► STOPPING ─► CLOSING ─► CLOSED
 *
 * DRAINING: the connections have been told, and those that the kernel had
 * queued still come. FINISHING: none does; when no connection and no listener is
 * left that is said, once, and an order to end is awaited. Or to stop, which may
 * come at any time. Sockets that come to a STOPPING worker are closed and counted
 * as refused.
 */
#include "worker.h"

#include <string.h>

#include "check.h"
#include "connect.h"
#include "handoff.h"
#include "libuv.h"
#include "point.h"

enum worker_state {
    WORKER_RUNNING,
    WORKER_DRAINING,
    WORKER_FINISHING,
    WORKER_STOPPING,
    WORKER_CLOSING, /* its handles are closing */
    WORKER_CLOSED
};

#define TO(state) (1u << (state))

static const unsigned successors[] = {
    [WORKER_RUNNING] = TO(WORKER_DRAINING) | TO(WORKER_STOPPING),
    [WORKER_DRAINING] = TO(WORKER_FINISHING) | TO(WORKER_STOPPING),
    [WORKER_FINISHING] = TO(WORKER_STOPPING) | TO(WORKER_CLOSING),
    [WORKER_STOPPING] = TO(WORKER_CLOSING),
    [WORKER_CLOSING] = TO(WORKER_CLOSED),
    [WORKER_CLOSED] = 0,
};

static void enter_state(struct tlr_worker *worker, enum worker_state next)
{
    TLR_CHECK((successors[worker->state] & TO(next)) != 0);
    worker->state = next;
}

/* ---- ending --------------------------------------------------------- */

static void unload(struct tlr_worker *worker, struct tlr_peer *peer)
{
    tlr_door_leave(worker->config->door, peer);
    atomic_fetch_sub(&worker->load, 1);
    worker->callbacks->unreserve(worker);
    if (worker->waiting) { /* in a turn to come: it may be accepting just now */
        worker->waiting = false;
        tlr_worker_order(worker, TLR_ORDER_RESUME);
    }
}

static void refuse(struct tlr_worker *worker, uv_os_sock_t sock,
                   struct tlr_peer *peer)
{
    tlr_handoff_close(sock);
    tlr_tally_add(&worker->conns.tally.refused, 1);
    unload(worker, peer);
}

static void take(struct tlr_worker *worker, uv_os_sock_t sock,
                 struct tlr_peer *peer)
{
    if (worker->state >= WORKER_STOPPING) {
        refuse(worker, sock, peer);
    } else {
        tlr_conns_open(&worker->conns, sock, peer);
    }
}

/* ---- messages ------------------------------------------------------- */

struct delivery {
    struct tlr_worker *worker;
    const struct tlr_message *message;
};

static struct tlr_conn *find(struct tlr_worker *worker,
                             const struct tlr_message *message)
{
    return tlr_ids_find(&worker->conns.ids, message->slot, message->serial);
}

static void run_post(void *argument)
{
    struct delivery *delivery = argument;
    struct tlr_worker *worker = delivery->worker;
    const struct tlr_message *message = delivery->message;
    struct tlr_conn *conn;

    if (message->kind == TLR_MESSAGE_POST) {
        message->to.post(worker->config->server, worker->index,
                         message->data);
        return;
    }
    conn = find(worker, message);
    message->to.post_conn(conn, conn == NULL ? UV_ENOTCONN : 0,
                          message->data);
}

static void deliver(struct tlr_worker *worker,
                    const struct tlr_message *message)
{
    struct delivery delivery = {worker, message};

    switch (message->kind) {
    case TLR_MESSAGE_SOCKET:
        take(worker, message->to.sock, message->data);
        break;
    case TLR_MESSAGE_RESOLVED:
        tlr_resolution_arrived(&worker->conns, find(worker, message),
                               message->data);
        break;
    default:
        tlr_tally_add(&worker->conns.tally.posts, 1);
        tlr_conns_call(&worker->conns, run_post, &delivery);
        break;
    }
}

static unsigned receive(struct tlr_worker *worker)
{
    const struct tlr_messages *messages;
    unsigned orders = tlr_mailbox_receive(&worker->mailbox, &messages);
    size_t i;

    for (i = 0; i < messages->count; i++) {
        deliver(worker, &messages->items[i]);
    }
    return orders;
}

/* ---- ending --------------------------------------------------------- */

/*
 * What a program has left on a loop of ours would keep the thread from ending,
 * for ever. Its memory is the program's, and not touched after this.
 */
static void close_left_over(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

/* The last of the handles is closed. */
static void on_conns_closed(struct tlr_conns *conns)
{
    struct tlr_worker *worker =
        TLR_CONTAINER_OF(conns, struct tlr_worker, conns);

    enter_state(worker, WORKER_CLOSED);
    if (worker->kind == TLR_WORKER_OWN) {
        uv_walk(worker->loop, close_left_over, NULL);
        return; /* `closed` is called when the loop has ended, too */
    }
    worker->loop = NULL;
    if (worker->kind == TLR_WORKER_BORROWED) {
        tlr_handoff_sigpipe_restore();
    }
    worker->callbacks->closed(worker);
}

static void on_mailbox_closed(uv_handle_t *handle)
{
    struct tlr_worker *worker =
        TLR_CONTAINER_OF(handle, struct tlr_worker, mailbox.async);

    tlr_conns_close(&worker->conns);
}

static void call_end(void *argument)
{
    struct tlr_worker *worker = argument;

    worker->config->on_worker_end(worker->config->server, worker->index);
}

/* Posts are refused from now on; those that were not come before the end. */
static void end(struct tlr_worker *worker)
{
    enter_state(worker, WORKER_CLOSING);
    atomic_store(&worker->watch.watched, false);
    worker->conns.stopping = true;
    tlr_mailbox_shut(&worker->mailbox);
    TLR_POINT(worker_ending);
    (void)receive(worker); /* orders have no meaning any more */
    if (worker->started && worker->config->on_worker_end != NULL) {
        tlr_conns_call(&worker->conns, call_end, worker);
    }
    tlr_mailbox_close(&worker->mailbox, on_mailbox_closed);
}

/*
 * A worker that has finished stays for what the others may post to it (they may
 * own a part of the program's data each), until all have.
 */
static void end_if_empty(struct tlr_worker *worker)
{
    if (worker->listeners != NULL || !tlr_conns_empty(&worker->conns)) {
        return;
    }
    if (worker->state == WORKER_STOPPING ||
        (worker->state == WORKER_FINISHING && worker->ending)) {
        end(worker);
    } else if (worker->state == WORKER_FINISHING && !worker->idle) {
        worker->idle = true;
        worker->callbacks->idle(worker);
    }
}

/* It was adopted, or connects: the others stay for it. */
static void on_first_conn(struct tlr_conns *conns)
{
    struct tlr_worker *worker =
        TLR_CONTAINER_OF(conns, struct tlr_worker, conns);

    if (worker->idle) {
        worker->idle = false;
        worker->callbacks->busy(worker);
    }
}

static void on_conn_gone(struct tlr_conns *conns, bool counted,
                         struct tlr_peer *peer)
{
    struct tlr_worker *worker =
        TLR_CONTAINER_OF(conns, struct tlr_worker, conns);

    if (counted) {
        unload(worker, peer);
    }
    if (!worker->receiving) { /* else on_wake() looks, when it is through */
        end_if_empty(worker);
    }
}

/* ---- its own listeners ---------------------------------------------- */

/*
 * Whoever has room again will say so: we ourselves, or the pool. (Without
 * tlr_worker_unreserve(), which would wake us to try again, and so on.)
 */
static bool own_reserve(struct tlr_worker *worker)
{
    if (!tlr_worker_reserve(worker, worker->limit)) {
        worker->waiting = true;
        return false;
    }
    if (!worker->callbacks->reserve(worker)) {
        atomic_fetch_sub(&worker->load, 1);
        return false;
    }
    return true;
}

static enum tlr_admission own_admit(struct tlr_listener *listener,
                                    struct tlr_ticket *ticket)
{
    struct tlr_worker *worker = listener->owner;
    enum tlr_admission admission;
    bool reserved = own_reserve(worker);

    ticket->worker = reserved ? worker : NULL;
    admission = tlr_door_admit(worker->config->door, &worker->door, ticket,
                               tlr_listener_is_emptying(listener));
    if (reserved && ticket->worker == NULL) {
        unload(worker, NULL);
    }
    return admission;
}

static void own_dismiss(struct tlr_listener *listener,
                        const struct tlr_ticket *ticket)
{
    struct tlr_worker *worker = listener->owner;

    tlr_door_dismiss(worker->config->door, ticket);
    if (ticket->worker != NULL) {
        unload(worker, NULL);
    }
}

static void own_accepted(struct tlr_listener *listener,
                         const struct tlr_ticket *ticket, uv_os_sock_t sock,
                         const struct sockaddr_storage *address)
{
    struct tlr_worker *worker = listener->owner;
    struct tlr_peer *peer;

    if (tlr_door_enter(worker->config->door, &worker->door, ticket, sock,
                       address, &peer)) {
        take(worker, sock, peer);
    } else if (ticket->worker != NULL) {
        unload(worker, NULL);
    }
}

static void own_trouble(struct tlr_listener *listener,
                        enum tlr_accept_result result, int err)
{
    struct tlr_worker *worker = listener->owner;

    tlr_door_trouble(worker->config->door, &worker->door, result, err);
}

static void own_enter(struct tlr_listener *listener)
{
    struct tlr_worker *worker = listener->owner;

    tlr_port_enter(&worker->conns.port);
}

static void own_leave(struct tlr_listener *listener)
{
    struct tlr_worker *worker = listener->owner;

    tlr_port_leave(&worker->conns.port);
}

static void own_closed(struct tlr_listener *listener)
{
    struct tlr_worker *worker = listener->owner;
    struct tlr_listener **at = &worker->listeners;

    while (*at != listener) {
        at = &(*at)->next;
    }
    *at = listener->next;
    end_if_empty(worker);
}

static const struct tlr_listener_callbacks own_listener = {
    .admit = own_admit,
    .dismiss = own_dismiss,
    .accepted = own_accepted,
    .trouble = own_trouble,
    .enter = own_enter,
    .leave = own_leave,
    .closed = own_closed,
};

int tlr_worker_add_listener(struct tlr_worker *worker,
                            struct tlr_listener *listener)
{
    int err =
        tlr_listener_init(listener, worker->loop, &own_listener, worker);

    if (err == 0) {
        listener->next = worker->listeners;
        worker->listeners = listener;
    }
    return err;
}

static void close_listeners(struct tlr_worker *worker, bool take_queued)
{
    struct tlr_listener *listener;

    for (listener = worker->listeners; listener != NULL;
         listener = listener->next) {
        tlr_listener_close(listener, take_queued);
    }
}

/* ---- orders --------------------------------------------------------- */

static void resume(struct tlr_worker *worker)
{
    struct tlr_listener *listener;

    for (listener = worker->listeners; listener != NULL;
         listener = listener->next) {
        tlr_listener_resume(listener);
    }
}

static void accept_from_now_on(struct tlr_worker *worker)
{
    struct tlr_listener *listener;

    for (listener = worker->listeners; listener != NULL;
         listener = listener->next) {
        tlr_listener_start(listener);
    }
}

static void drain(struct tlr_worker *worker)
{
    if (worker->state != WORKER_RUNNING) {
        return;
    }
    enter_state(worker, WORKER_DRAINING);
    close_listeners(worker, true);
    tlr_port_enter(&worker->conns.port);
    tlr_conns_drain(&worker->conns);
    tlr_port_leave(&worker->conns.port);
}

static void finish(struct tlr_worker *worker)
{
    if (worker->state == WORKER_DRAINING) {
        enter_state(worker, WORKER_FINISHING);
        end_if_empty(worker);
    }
}

static void stop(struct tlr_worker *worker)
{
    if (worker->state >= WORKER_STOPPING) {
        return;
    }
    enter_state(worker, WORKER_STOPPING);
    worker->conns.stopping = true;
    close_listeners(worker, false);
    tlr_port_enter(&worker->conns.port);
    tlr_conns_stop(&worker->conns);
    tlr_port_leave(&worker->conns.port);
    end_if_empty(worker);
}

static void answer(struct tlr_worker *worker)
{
    atomic_store(&worker->watch.answered, uv_hrtime());
    atomic_store(&worker->watch.asked, false);
}

static void obey(struct tlr_worker *worker, unsigned orders)
{
    if ((orders & TLR_ORDER_TURN) != 0) {
        answer(worker);
    }
    if ((orders & TLR_ORDER_ACCEPT) != 0) {
        accept_from_now_on(worker);
    }
    if ((orders & TLR_ORDER_RESUME) != 0) {
        resume(worker);
    }
    if ((orders & TLR_ORDER_LEAVE) != 0) {
        close_listeners(worker, false);
    }
    if ((orders & TLR_ORDER_DRAIN) != 0) {
        drain(worker);
    }
    if ((orders & TLR_ORDER_FINISH) != 0) {
        finish(worker);
    }
    if ((orders & TLR_ORDER_END) != 0) {
        worker->ending = true;
        end_if_empty(worker);
    }
    if ((orders & TLR_ORDER_STOP) != 0) {
        stop(worker);
    }
}

static void on_wake(uv_async_t *async)
{
    struct tlr_worker *worker =
        TLR_CONTAINER_OF(async, struct tlr_worker, mailbox.async);
    unsigned orders;

    tlr_port_enter(&worker->conns.port);
    worker->receiving = true;
    orders = receive(worker);
    worker->receiving = false;
    tlr_port_leave(&worker->conns.port);
    obey(worker, orders);
    end_if_empty(worker);
}

/* ---- starting ------------------------------------------------------- */

static int make_loop(struct tlr_worker *worker)
{
    const struct tlr_allocator *allocator = &worker->config->allocator;
    int err;

    worker->loop = tlr_calloc(allocator, tlr_libuv_loop_size());
    if (worker->loop == NULL) {
        return UV_ENOMEM;
    }
    err = uv_loop_init(worker->loop);
    if (err != 0) {
        tlr_handoff_clean_failed_loop(worker->loop);
        tlr_free(allocator, worker->loop);
        worker->loop = NULL;
    }
    return err;
}

static void unmake_loop(struct tlr_worker *worker)
{
    if (worker->kind == TLR_WORKER_OWN) {
        TLR_CHECK(uv_loop_close(worker->loop) == 0);
        tlr_free(&worker->config->allocator, worker->loop);
    }
    worker->loop = NULL;
}

int tlr_worker_create(struct tlr_worker *worker, unsigned index,
                      enum tlr_worker_kind kind,
                      const struct tlr_config *config,
                      const struct tlr_worker_callbacks *callbacks,
                      void *owner)
{
    int err;

    worker->config = config;
    worker->index = index;
    worker->kind = kind;
    worker->callbacks = callbacks;
    worker->owner = owner;
    worker->state = WORKER_RUNNING;
    if (config->worker_data_size > 0) {
        worker->data = tlr_calloc(&config->allocator,
                                  config->worker_data_size);
        if (worker->data == NULL) {
            return UV_ENOMEM;
        }
    }
    err = tlr_mailbox_create(&worker->mailbox, &config->allocator,
                             config->mailbox);
    if (err != 0) {
        tlr_free(&config->allocator, worker->data);
    }
    return err;
}

int tlr_worker_init(struct tlr_worker *worker, uv_loop_t *loop)
{
    int err;

    worker->loop = loop;
    if (loop == NULL) {
        err = make_loop(worker);
        if (err != 0) {
            return err;
        }
    }
    err = tlr_conns_reserve(&worker->conns, worker->config);
    if (err != 0) {
        goto err_after_loop;
    }
    err = tlr_mailbox_open(&worker->mailbox, worker->loop, on_wake);
    if (err != 0) {
        goto err_after_reserve;
    }
    worker->conns.on_first = on_first_conn;
    tlr_conns_init(&worker->conns, worker->loop, worker->index, on_conn_gone,
                   on_conns_closed);
    worker->conns.on_host = worker->kind == TLR_WORKER_HOST;
    worker->conns.foreign = worker->kind != TLR_WORKER_OWN;
    return 0;

err_after_reserve:
    tlr_conns_unreserve(&worker->conns);
err_after_loop:
    unmake_loop(worker);
    return err;
}

static void call_start(void *argument)
{
    struct tlr_worker *worker = argument;

    worker->config->on_worker_start(worker->config->server, worker->index);
}

/* On the thread of the loop. */
static void begin(struct tlr_worker *worker)
{
    worker->conns.thread = tlr_handoff_thread_id();
    worker->started = true;
    atomic_store(&worker->watch.watched, worker->kind != TLR_WORKER_HOST);
    if (worker->config->on_worker_start != NULL) {
        tlr_conns_call(&worker->conns, call_start, worker);
    }
    if (!worker->config->held) {
        accept_from_now_on(worker);
    }
}

/* A program that calls uv_stop() on our loop does not end it. */
static void run_loop(struct tlr_worker *worker)
{
    worker->conns.thread = tlr_handoff_thread_id();
    while (uv_run(worker->loop, UV_RUN_DEFAULT) != 0 ||
           worker->state != WORKER_CLOSED) {
    }
    unmake_loop(worker);
    worker->callbacks->closed(worker);
}

static void name_thread(const struct tlr_worker *worker)
{
    char name[TLR_THREAD_NAME_SIZE];

    (void)snprintf(name, sizeof(name), "%.48s-%u", worker->config->thread_name,
                   worker->index);
    tlr_handoff_thread_name(name);
}

static void worker_main(void *arg)
{
    struct tlr_worker *worker = arg;

    name_thread(worker);
    begin(worker);
    run_loop(worker);
}

int tlr_worker_start(struct tlr_worker *worker)
{
    if (worker->kind == TLR_WORKER_OWN) {
        return tlr_handoff_thread(&worker->thread, worker_main, worker,
                                  worker->config->stack_size);
    }
    if (worker->kind == TLR_WORKER_BORROWED) {
        tlr_handoff_sigpipe_block();
    }
    begin(worker);
    return 0;
}

int tlr_worker_pin(struct tlr_worker *worker)
{
    if (worker->kind != TLR_WORKER_OWN || worker->cpu == TLR_ANY_CPU) {
        return 0;
    }
    return tlr_libuv_pin(&worker->thread, worker->cpu);
}

void tlr_worker_join(struct tlr_worker *worker)
{
    if (worker->kind == TLR_WORKER_OWN) {
        TLR_CHECK(uv_thread_join(&worker->thread) == 0);
    }
}

/* A thread that was never started: its end is played on this one. */
void tlr_worker_end(struct tlr_worker *worker, bool started)
{
    tlr_worker_order(worker, TLR_ORDER_STOP);
    if (started) {
        tlr_worker_join(worker);
    } else {
        run_loop(worker);
    }
}

void tlr_worker_ref(struct tlr_worker *worker, bool ref)
{
    if (worker->loop != NULL && worker->state < WORKER_CLOSING) {
        tlr_conns_ref(&worker->conns, ref);
        tlr_conns_ref_handle(&worker->conns,
                             (uv_handle_t *)&worker->mailbox.async);
    }
}

void tlr_worker_destroy(struct tlr_worker *worker)
{
    tlr_mailbox_destroy(&worker->mailbox);
    tlr_free(&worker->config->allocator, worker->data);
}

/* ---- from elsewhere ------------------------------------------------- */

bool tlr_worker_reserve(struct tlr_worker *worker, uint64_t limit)
{
    uint64_t load = atomic_load(&worker->load);

    do {
        if (limit > 0 && load >= limit) {
            return false;
        }
    } while (!atomic_compare_exchange_weak(&worker->load, &load, load + 1));
    return true;
}

/* Its own listeners may have been denied that room, on their thread. */
void tlr_worker_unreserve(struct tlr_worker *worker)
{
    atomic_fetch_sub(&worker->load, 1);
    if (worker->limit > 0) {
        tlr_worker_order(worker, TLR_ORDER_RESUME);
    }
}

int tlr_worker_adopt(struct tlr_worker *worker, uv_os_sock_t sock,
                     struct tlr_peer *peer)
{
    struct tlr_message message = {.kind = TLR_MESSAGE_SOCKET, .data = peer};

    message.to.sock = sock;
    return tlr_mailbox_post(&worker->mailbox, &message);
}

void tlr_worker_give(struct tlr_worker *worker, uv_os_sock_t sock,
                     struct tlr_peer *peer)
{
    int err;

    if (worker->kind == TLR_WORKER_HOST) {
        take(worker, sock, peer);
        return;
    }
    err = tlr_worker_adopt(worker, sock, peer);
    if (err != 0) {
        tlr_handoff_reset(sock);
        tlr_tally_add(&worker->refused, 1);
        if (err == UV_ENOMEM) {
            tlr_tally_add(&worker->refused_memory, 1);
            tlr_config_warn(worker->config, TLR_WARNING_MEMORY, err);
        }
        tlr_door_leave(worker->config->door, peer);
        tlr_worker_unreserve(worker);
        worker->callbacks->unreserve(worker);
    }
}

void tlr_worker_order(struct tlr_worker *worker, unsigned orders)
{
    tlr_mailbox_post_orders(&worker->mailbox, orders);
}

void tlr_worker_counters(const struct tlr_worker *worker,
                         struct tlr_counters *counters)
{
    const struct tlr_tally *tally = &worker->conns.tally;
    uint64_t all_closed = 0;
    int i;

    memset(counters, 0, sizeof(*counters));
    /* Closed before accepted: the difference cannot fall below 0. */
    for (i = 0; i < TLR_CAUSES; i++) {
        counters->closed[i] = tlr_tally_get(&tally->closed[i]);
        all_closed += counters->closed[i];
    }
    counters->accepted = tlr_tally_get(&tally->accepted);
    counters->open = counters->accepted - all_closed;
    counters->refused =
        tlr_tally_get(&tally->refused) + tlr_tally_get(&worker->refused);
    counters->refused_memory = tlr_tally_get(&tally->refused_memory) +
                               tlr_tally_get(&worker->refused_memory);
    counters->reads = tlr_tally_get(&tally->reads);
    counters->writes = tlr_tally_get(&tally->writes);
    counters->bytes_in = tlr_tally_get(&tally->bytes_in);
    counters->bytes_out = tlr_tally_get(&tally->bytes_out);
    counters->emulated = tlr_tally_get(&tally->emulated);
    counters->connected = tlr_tally_get(&tally->connected);
    counters->posts = tlr_tally_get(&tally->posts);
    counters->queued = tlr_tally_get(&tally->queued);
    counters->queue_refused = tlr_tally_get(&tally->queue_refused);
    counters->posts_refused = tlr_tally_get(&worker->mailbox.denied);
    counters->stalls = tlr_tally_get(&worker->watch.stalls);
    tlr_door_tally_read(&worker->door, counters);
}
