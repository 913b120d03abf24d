/* SPDX-License-Identifier: MIT */
/* What a program may know of a connection, and set on its socket. */
#include "conn.h"

#include "check.h"
#include "handoff.h"

void *tlr_conn_user(const struct tlr_conn *conn)
{
    return conn->conns->config->user;
}

struct tlr_server *tlr_conn_server(const struct tlr_conn *conn)
{
    return conn->conns->config->server;
}

unsigned tlr_conn_worker(const struct tlr_conn *conn)
{
    return conn->conns->index;
}

uv_loop_t *tlr_conn_loop(const struct tlr_conn *conn)
{
    return conn->conns->loop;
}

static bool has_socket(const struct tlr_conn *conn)
{
    return conn->state >= TLR_CONN_OPEN && conn->state < TLR_CONN_CLOSING;
}

int tlr_conn_peer(const struct tlr_conn *conn,
                  struct sockaddr_storage *address)
{
    int length = sizeof(*address);

    return has_socket(conn)
               ? uv_tcp_getpeername(&conn->uv.tcp, (struct sockaddr *)address,
                                    &length)
               : UV_EBADF;
}

int tlr_conn_local(const struct tlr_conn *conn,
                   struct sockaddr_storage *address)
{
    int length = sizeof(*address);

    return has_socket(conn)
               ? uv_tcp_getsockname(&conn->uv.tcp, (struct sockaddr *)address,
                                    &length)
               : UV_EBADF;
}

int tlr_conn_set(struct tlr_conn *conn, enum tlr_socket_option option,
                 int value)
{
    int size = value;

    tlr_conn_check_thread(conn);
    if (!has_socket(conn)) {
        return UV_EBADF;
    }
    switch (option) {
    case TLR_NODELAY:
        return value == 0 || value == 1
                   ? uv_tcp_nodelay(&conn->uv.tcp, value)
                   : UV_EINVAL;
    case TLR_KEEPALIVE:
        return value >= 0 ? uv_tcp_keepalive(&conn->uv.tcp, value > 0,
                                             (unsigned)value)
                          : UV_EINVAL;
    case TLR_SEND_BUFFER: /* 0 would ask for it */
        return value > 0 ? uv_send_buffer_size(&conn->uv.handle, &size)
                         : UV_EINVAL;
    case TLR_RECEIVE_BUFFER:
        return value > 0 ? uv_recv_buffer_size(&conn->uv.handle, &size)
                         : UV_EINVAL;
    default:
        return UV_EINVAL;
    }
}

/* libuv asks with a handle that is not const. */
static int buffer_size(const struct tlr_conn *conn,
                       int (*ask)(uv_handle_t *handle, int *value),
                       int *value)
{
    *value = 0; /* says that it is to be read */
    return ask((uv_handle_t *)&conn->uv.handle, value);
}

int tlr_conn_get(const struct tlr_conn *conn, enum tlr_socket_option option,
                 int *value)
{
    tlr_conn_check_thread(conn);
    if (!has_socket(conn)) {
        return UV_EBADF;
    }
    switch (option) {
    case TLR_NODELAY:
        return tlr_handoff_nodelay(&conn->uv.tcp, value);
    case TLR_KEEPALIVE:
        return tlr_handoff_keepalive(&conn->uv.tcp, value);
    case TLR_SEND_BUFFER:
        return buffer_size(conn, uv_send_buffer_size, value);
    case TLR_RECEIVE_BUFFER:
        return buffer_size(conn, uv_recv_buffer_size, value);
    default:
        return UV_EINVAL;
    }
}
