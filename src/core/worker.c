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
 * queued still come. FINISHING is left when no connection and no listener is
 * left, or by the order to stop, which may come at any time. Sockets that come
 * to a STOPPING worker are closed and counted as refused.
 */
#include "worker.h"

#include "check.h"
#include "handoff.h"

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

static void unload(struct tlr_worker *worker)
{
    atomic_fetch_sub(&worker->load, 1);
    worker->callbacks->unreserve(worker);
}

static void refuse(struct tlr_worker *worker, uv_os_sock_t sock)
{
    tlr_handoff_close(sock);
    tlr_tally_add(&worker->conns.tally.refused, 1);
    unload(worker);
}

/* The last of the handles is closed. */
static void on_conns_closed(struct tlr_conns *conns)
{
    struct tlr_worker *worker =
        TLR_CONTAINER_OF(conns, struct tlr_worker, conns);
    const struct tlr_sockets *late;
    size_t i;

    (void)tlr_mailbox_receive(&worker->mailbox, &late);
    for (i = 0; i < late->count; i++) {
        refuse(worker, late->items[i]);
    }
    enter_state(worker, WORKER_CLOSED);
    if (!worker->threaded) {
        worker->callbacks->closed(worker);
    } /* else when the loop has ended, too */
}

static void on_mailbox_closed(uv_handle_t *handle)
{
    struct tlr_worker *worker =
        TLR_CONTAINER_OF(handle, struct tlr_worker, mailbox.async);

    tlr_conns_close(&worker->conns);
}

static void end_if_empty(struct tlr_worker *worker)
{
    if ((worker->state == WORKER_FINISHING ||
         worker->state == WORKER_STOPPING) &&
        worker->listeners == NULL && tlr_conns_empty(&worker->conns)) {
        enter_state(worker, WORKER_CLOSING);
        tlr_mailbox_close(&worker->mailbox, on_mailbox_closed);
    }
}

static void on_conn_gone(struct tlr_conns *conns)
{
    struct tlr_worker *worker =
        TLR_CONTAINER_OF(conns, struct tlr_worker, conns);

    unload(worker);
    end_if_empty(worker);
}

/* ---- its own listeners ---------------------------------------------- */

static bool own_reserve(struct tlr_listener *listener)
{
    struct tlr_worker *worker = listener->owner;

    return worker->callbacks->reserve(worker);
}

static void own_unreserve(struct tlr_listener *listener)
{
    struct tlr_worker *worker = listener->owner;

    worker->callbacks->unreserve(worker);
}

static void take(struct tlr_worker *worker, uv_os_sock_t sock)
{
    if (worker->state >= WORKER_STOPPING) {
        refuse(worker, sock);
    } else {
        tlr_conns_open(&worker->conns, sock);
    }
}

static void own_accepted(struct tlr_listener *listener, uv_os_sock_t sock)
{
    struct tlr_worker *worker = listener->owner;

    atomic_fetch_add(&worker->load, 1);
    take(worker, sock);
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
    .reserve = own_reserve,
    .unreserve = own_unreserve,
    .accepted = own_accepted,
    .enter = own_enter,
    .leave = own_leave,
    .closed = own_closed,
};

int tlr_worker_add_listener(struct tlr_worker *worker,
                            struct tlr_listener *listener)
{
    int err = tlr_listener_init(listener, worker->loop, &own_listener, worker);

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
    close_listeners(worker, false);
    tlr_port_enter(&worker->conns.port);
    tlr_conns_stop(&worker->conns);
    tlr_port_leave(&worker->conns.port);
    end_if_empty(worker);
}

static void on_wake(uv_async_t *async)
{
    struct tlr_worker *worker =
        TLR_CONTAINER_OF(async, struct tlr_worker, mailbox.async);
    const struct tlr_sockets *sockets;
    unsigned orders = tlr_mailbox_receive(&worker->mailbox, &sockets);
    size_t i;

    tlr_port_enter(&worker->conns.port);
    for (i = 0; i < sockets->count; i++) {
        take(worker, sockets->items[i]);
    }
    tlr_port_leave(&worker->conns.port);
    if ((orders & TLR_ORDER_RESUME) != 0) {
        resume(worker);
    }
    if ((orders & TLR_ORDER_DRAIN) != 0) {
        drain(worker);
    }
    if ((orders & TLR_ORDER_FINISH) != 0) {
        finish(worker);
    }
    if ((orders & TLR_ORDER_STOP) != 0) {
        stop(worker);
    }
}

/* ---- starting ------------------------------------------------------- */

static size_t loop_size(void)
{
    size_t size = uv_loop_size();

    /* It has grown within a version of libuv; the larger one holds both. */
    return size > sizeof(uv_loop_t) ? size : sizeof(uv_loop_t);
}

static int make_loop(struct tlr_worker *worker,
                     const struct tlr_allocator *allocator)
{
    int err;

    worker->loop = tlr_calloc(allocator, loop_size());
    if (worker->loop == NULL) {
        return UV_ENOMEM;
    }
    err = uv_loop_init(worker->loop);
    if (err != 0) {
        tlr_handoff_clean_failed_loop(worker->loop);
        tlr_free(allocator, worker->loop);
    }
    return err;
}

static void unmake_loop(struct tlr_worker *worker,
                        const struct tlr_allocator *allocator)
{
    if (worker->threaded) {
        TLR_CHECK(uv_loop_close(worker->loop) == 0);
        tlr_free(allocator, worker->loop);
        worker->loop = NULL;
    }
}

int tlr_worker_init(struct tlr_worker *worker, unsigned index, uv_loop_t *host,
                    const struct tlr_config *config,
                    const struct tlr_worker_callbacks *callbacks, void *owner)
{
    int err;

    worker->callbacks = callbacks;
    worker->owner = owner;
    worker->loop = host;
    worker->threaded = host == NULL;
    worker->state = WORKER_RUNNING;
    if (worker->threaded) {
        err = make_loop(worker, &config->allocator);
        if (err != 0) {
            return err;
        }
    }
    err = tlr_conns_reserve(&worker->conns, config);
    if (err != 0) {
        goto err_after_loop;
    }
    err = tlr_mailbox_init(&worker->mailbox, worker->loop, &config->allocator,
                           on_wake);
    if (err != 0) {
        goto err_after_reserve;
    }
    tlr_conns_init(&worker->conns, worker->loop, index, on_conn_gone,
                   on_conns_closed);
    return 0;

err_after_reserve:
    tlr_conns_unreserve(&worker->conns);
err_after_loop:
    unmake_loop(worker, &config->allocator);
    return err;
}

static void start_listeners(struct tlr_worker *worker)
{
    struct tlr_listener *listener;

    for (listener = worker->listeners; listener != NULL;
         listener = listener->next) {
        tlr_listener_start(listener);
    }
}

static void run_loop(struct tlr_worker *worker)
{
    worker->conns.thread = tlr_handoff_thread_id();
    (void)uv_run(worker->loop, UV_RUN_DEFAULT); /* 0: all is closed */
    TLR_CHECK(worker->state == WORKER_CLOSED);
    unmake_loop(worker, &worker->conns.config->allocator);
    worker->callbacks->closed(worker);
}

static void worker_main(void *arg)
{
    struct tlr_worker *worker = arg;

    start_listeners(worker);
    run_loop(worker);
}

int tlr_worker_start(struct tlr_worker *worker)
{
    if (!worker->threaded) {
        worker->conns.thread = tlr_handoff_thread_id();
        start_listeners(worker);
        return 0;
    }
    return tlr_handoff_thread(&worker->thread, worker_main, worker);
}

void tlr_worker_join(struct tlr_worker *worker)
{
    if (worker->threaded) {
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

void tlr_worker_destroy(struct tlr_worker *worker)
{
    tlr_mailbox_destroy(&worker->mailbox);
}

/* ---- from the host -------------------------------------------------- */

void tlr_worker_give(struct tlr_worker *worker, uv_os_sock_t sock)
{
    int err;

    atomic_fetch_add(&worker->load, 1);
    if (!worker->threaded) {
        take(worker, sock);
        return;
    }
    err = tlr_mailbox_post_socket(&worker->mailbox, sock);
    if (err != 0) {
        tlr_handoff_close(sock);
        tlr_tally_add(&worker->refused, 1);
        unload(worker);
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

    /* Closed before accepted: the difference cannot fall below 0. */
    for (i = 0; i < TLR_CAUSES; i++) {
        counters->closed[i] = tlr_tally_get(&tally->closed[i]);
        all_closed += counters->closed[i];
    }
    counters->accepted = tlr_tally_get(&tally->accepted);
    counters->open = counters->accepted - all_closed;
    counters->refused =
        tlr_tally_get(&tally->refused) + tlr_tally_get(&worker->refused);
    counters->reads = tlr_tally_get(&tally->reads);
    counters->writes = tlr_tally_get(&tally->writes);
    counters->bytes_in = tlr_tally_get(&tally->bytes_in);
    counters->bytes_out = tlr_tally_get(&tally->bytes_out);
    counters->emulated = tlr_tally_get(&tally->emulated);
}
