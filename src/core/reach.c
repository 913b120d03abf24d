/* SPDX-License-Identifier: MIT */
/*
 * Getting at a server from other threads, by the mailboxes of its workers and of
 * the host's loop; at a worker on its own thread; and at its counters.
 */
#include "server.h"

#include <string.h>

#include "check.h"
#include "connect.h"
#include "handoff.h"

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

/* Room for one more on that worker, or on the next one; or NULL. */
static struct tlr_worker *take_room(struct tlr_pool *pool, unsigned worker)
{
    struct tlr_worker *next;

    if (worker == TLR_NEXT_WORKER) {
        next = tlr_pool_take(pool);
        if (next != NULL) {
            tlr_pool_advance(pool, next);
        }
        return next;
    }
    return tlr_pool_take_on(pool, &pool->workers[worker])
               ? &pool->workers[worker]
               : NULL;
}

static int adopt(struct tlr_server *server, unsigned worker, uv_os_sock_t sock,
                 const struct sockaddr_storage *address)
{
    struct tlr_worker *chosen = take_room(&server->pool, worker);
    struct tlr_peer *peer;
    int err;

    if (chosen == NULL) {
        return UV_ENOBUFS;
    }
    err = tlr_door_adopt(&server->door, address, &peer);
    if (err != 0) {
        goto err_after_room;
    }
    err = tlr_worker_adopt(chosen, sock, peer);
    if (err != 0) {
        goto err_after_peer;
    }
    return 0;

err_after_peer:
    tlr_door_leave(&server->door, peer);
err_after_room:
    tlr_pool_give_back(&server->pool, chosen);
    return err;
}

int tlr_adopt(struct tlr_server *server, unsigned worker, uv_os_sock_t sock)
{
    struct sockaddr_storage address;
    bool inherited;
    int err;

    if (worker != TLR_NEXT_WORKER && worker >= server->pool.count) {
        return UV_EINVAL;
    }
    if (!atomic_load(&server->limited)) {
        return UV_EAGAIN; /* room must not be reserved before there are limits */
    }
    err = tlr_handoff_adopt(sock, &inherited, &address);
    if (err != 0) {
        return err;
    }
    err = adopt(server, worker, sock, &address);
    if (err != 0) {
        tlr_handoff_return(sock, inherited);
    }
    return err;
}

/* ---- on a worker ---------------------------------------------------- */

void *tlr_server_data(const struct tlr_server *server, unsigned worker)
{
    return worker < server->pool.count ? server->pool.workers[worker].data
                                       : NULL;
}

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
    *conns = &server->pool.workers[worker].conns;
    if ((*conns)->loop == NULL) {
        return UV_EAGAIN;
    }
    if (server->pool.workers[worker].loop == NULL) {
        return UV_ECANCELED; /* it had one */
    }
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
    if (worker == TLR_ALL_WORKERS) {
        tlr_door_tally_read(&server->door_tally, &sum);
    }
    memcpy(counters, &sum, size < sizeof(sum) ? size : sizeof(sum));
    return 0;
}

static uint64_t remaining(const struct tlr_server *server)
{
    uint64_t until = tlr_tally_get(&server->until);
    uint64_t now = uv_hrtime();

    if (until == 0) {
        return TLR_NO_DEADLINE;
    }
    return until > now ? (until - now) / 1000000 : 0;
}

void tlr_server_progress(const struct tlr_server *server,
                         struct tlr_progress *progress, size_t size)
{
    struct tlr_progress now = {0};
    struct tlr_counters counters;

    (void)tlr_server_counters(server, TLR_ALL_WORKERS, &counters,
                              sizeof(counters)); /* there are workers */
    now.phase = (uint64_t)atomic_load((_Atomic int *)&server->phase);
    now.open = counters.open;
    now.queued = counters.queued;
    now.remaining = remaining(server);
    memset(progress, 0, size);
    memcpy(progress, &now, size < sizeof(now) ? size : sizeof(now));
}
