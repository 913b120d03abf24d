/* SPDX-License-Identifier: MIT */
/*
 * Outbound connections.
 *
 * The happy path: the addresses are there, or come from the program's resolver;
 * one connects; the connection is OPEN, and on_connect and on_open are called.
 *
 * Failures. An address that does not connect is followed by the next one, on a
 * new handle, since libuv's cannot try twice. When there is none left the last
 * error goes to on_connect, and the connection to CLOSING. Everything that fails
 * here is told by the port, never inside the call that asked for it. A connection
 * that is closed meanwhile goes to CLOSING at once; answers that come later are
 * dropped.
 */
#include "connect.h"

#include <string.h>

#include "check.h"
#include "conn.h"
#include "handoff.h"
#include "options.h"
#include "timeouts.h"
#include "watchers.h"

#define ADDRESSES_MOST 64

static bool has_port(const struct sockaddr *address)
{
    return address->sa_family == AF_INET || address->sa_family == AF_INET6;
}

int tlr_resolution_create(struct tlr_resolution **resolution,
                          const struct tlr_allocator *allocator, int status,
                          const struct sockaddr_storage *addresses,
                          size_t count)
{
    size_t size = count * sizeof(*addresses);
    size_t i;

    if (status > 0 || count > ADDRESSES_MOST || (status == 0 && count == 0)) {
        return UV_EINVAL;
    }
    for (i = 0; i < count; i++) {
        if (!has_port((const struct sockaddr *)&addresses[i])) {
            return UV_EINVAL;
        }
    }
    *resolution = tlr_malloc(allocator, sizeof(**resolution) + size);
    if (*resolution == NULL) {
        return UV_ENOMEM;
    }
    (*resolution)->status = status;
    (*resolution)->count = count;
    if (count > 0) {
        memcpy((*resolution)->addresses, addresses, size);
    }
    return 0;
}

/* ---- trying --------------------------------------------------------- */

static void fail(struct tlr_conn *conn, int err)
{
    conn->read_status = (int16_t)err;
    conn->cause = TLR_CLOSED_BY_ERROR;
    tlr_conn_complete(conn, TLR_DONE_CONNECT);
    tlr_conn_close_handle(conn);
}

static void try_next(struct tlr_conn *conn);

static void on_failed_closed(uv_handle_t *handle)
{
    struct tlr_conn *conn = TLR_CONTAINER_OF(handle, struct tlr_conn, uv);
    struct tlr_port *port = &conn->conns->port;

    if (conn->state == TLR_CONN_CLOSING) { /* closed meanwhile */
        tlr_conn_handle_closed(handle);
        return;
    }
    tlr_port_enter(port);
    TLR_CHECK(uv_tcp_init(conn->conns->loop, &conn->uv.tcp) == 0);
    tlr_conn_ref(conn);
    try_next(conn);
    tlr_port_leave(port);
}

static void failed(struct tlr_conn *conn, int err)
{
    const struct tlr_extra *extra = tlr_conn_the_extra(conn);

    if (extra->next_address < extra->addresses->count) {
        uv_close(&conn->uv.handle, on_failed_closed);
    } else {
        fail(conn, err);
    }
}

static void connected(struct tlr_conn *conn)
{
    /* As accepted ones are; only speed is lost if it fails. */
    (void)uv_tcp_nodelay(&conn->uv.tcp, 1);
    tlr_conn_drop_request(conn);
    tlr_conn_enter_state(conn, TLR_CONN_OPEN);
    conn->read_status = 0;
    tlr_conn_complete(conn, TLR_DONE_CONNECT);
}

static void on_connected(uv_connect_t *req, int status)
{
    struct tlr_conn *conn =
        TLR_CONTAINER_OF(req->handle, struct tlr_conn, uv.stream);
    struct tlr_port *port = &conn->conns->port;

    tlr_port_enter(port);
    if (conn->state != TLR_CONN_CONNECTING ||
        uv_is_closing(&conn->uv.handle)) {
        /* closed meanwhile, and told; or given up by try_next() */
    } else if (status == 0) {
        connected(conn);
    } else {
        failed(conn, status);
    }
    tlr_port_leave(port);
}

static void try_next(struct tlr_conn *conn)
{
    struct tlr_extra *extra = tlr_conn_the_extra(conn);
    const struct sockaddr_storage *address =
        &extra->addresses->addresses[extra->next_address++];
    struct tlr_request *request = tlr_conn_request(conn);
    int err = uv_tcp_connect(&request->uv.connect, &conn->uv.tcp,
                             (const struct sockaddr *)address, on_connected);

    if (err == 0) {
        err = tlr_watchers_add(&conn->uv.handle);
    }
    if (err != 0) {
        failed(conn, err);
    }
}

void tlr_connect_time_out(struct tlr_conn *conn)
{
    fail(conn, UV_ETIMEDOUT);
    conn->cause = TLR_CLOSED_BY_IDLE;
}

/* Called by the port. */
void tlr_connect_deliver(struct tlr_conn *conn)
{
    const struct tlr_handler *handler = tlr_conn_handler(conn);
    int status = conn->read_status;

    if (status == 0 && conn->state != TLR_CONN_OPEN) {
        status = UV_ECANCELED; /* closed since it was connected */
    }
    if (handler->on_connect != NULL) {
        handler->on_connect(conn, status);
    }
    if (status == 0 && conn->state == TLR_CONN_OPEN) {
        tlr_tally_add(&conn->conns->tally.connected, 1);
        tlr_conn_call_open(conn);
    }
}

/* ---- resolving ------------------------------------------------------ */

void tlr_resolution_arrived(struct tlr_conns *conns, struct tlr_conn *conn,
                            struct tlr_resolution *resolution)
{
    struct tlr_extra *extra =
        conn == NULL ? NULL : tlr_conn_has_extra(conn);

    if (extra == NULL || conn->state != TLR_CONN_CONNECTING ||
        extra->addresses != NULL) {
        tlr_free(&conns->config->allocator, resolution);
        return;
    }
    extra->addresses = resolution;
    if (resolution->status != 0) {
        fail(conn, resolution->status);
    } else {
        try_next(conn);
    }
}

/* ---- asking --------------------------------------------------------- */

static int create(struct tlr_conns *conns, const struct tlr_handler *handler,
                  struct tlr_conn **created)
{
    struct tlr_conn *conn;
    struct tlr_extra *extra;
    int err = handler == NULL ? 0 : tlr_options_check_handler(handler);

    if (err != 0) {
        return err;
    }
    if (conns->stopping) {
        return UV_ECANCELED;
    }
    conn = tlr_conn_allocate(conns);
    if (conn == NULL) {
        return UV_ENOMEM;
    }
    conn->flags |= TLR_CONN_OUTBOUND;
    extra = tlr_conn_extra(conn);
    if (extra == NULL || tlr_conn_take_request(conn) == NULL) {
        tlr_conn_release(conn);
        return UV_ENOMEM;
    }
    extra->handler = handler;
    *created = conn;
    return 0;
}

static void begin(struct tlr_conn *conn)
{
    TLR_CHECK(uv_tcp_init(conn->conns->loop, &conn->uv.tcp) == 0);
    tlr_conn_ref(conn);
    tlr_conn_enter_state(conn, TLR_CONN_CONNECTING);
    if ((conn->flags & TLR_CONN_TIMED) != 0) {
        tlr_timeouts_connecting(conn);
    }
}

static struct sockaddr_storage storage_of(const struct sockaddr *address)
{
    struct sockaddr_storage storage;

    memset(&storage, 0, sizeof(storage));
    memcpy(&storage, address,
           address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                          : sizeof(struct sockaddr_in));
    return storage;
}

int tlr_conn_connect(struct tlr_conns *conns, const struct sockaddr *address,
                     const struct tlr_handler *handler, struct tlr_conn **conn)
{
    struct sockaddr_storage storage;
    struct tlr_conn *created;
    int err;

    if (!has_port(address)) {
        return UV_EINVAL;
    }
    storage = storage_of(address);
    err = create(conns, handler, &created);
    if (err != 0) {
        return err;
    }
    err = tlr_resolution_create(&tlr_conn_the_extra(created)->addresses,
                                &conns->config->allocator, 0, &storage, 1);
    if (err != 0) {
        tlr_conn_release(created);
        return err;
    }
    begin(created);
    *conn = created;
    try_next(created);
    return 0;
}

int tlr_conn_connect_name(struct tlr_conns *conns, const char *node,
                          const char *service,
                          const struct tlr_handler *handler,
                          struct tlr_conn **conn)
{
    const struct tlr_config *config = conns->config;
    struct tlr_conn *created;
    struct tlr_id id;
    int err;

    if (config->resolve == NULL) {
        return UV_ENOTSUP;
    }
    err = create(conns, handler, &created);
    if (err != 0) {
        return err;
    }
    err = tlr_conn_id(created, &id);
    if (err != 0) {
        tlr_conn_release(created);
        return err;
    }
    begin(created);
    *conn = created;
    err = config->resolve(config->server, id, node, service);
    if (err != 0 && created->state == TLR_CONN_CONNECTING) {
        fail(created, err); /* else resolve() has closed it */
    }
    return 0;
}
