/* SPDX-License-Identifier: MIT */
/*
 * One connection.
 *
 * Allocated when its socket is opened on the loop, freed when on_close has
 * returned, which is after libuv's close callback. All of it happens on the
 * loop's thread; tlr_read() and the other public functions on connections are
 * in conn.c and check that.
 */
#ifndef TLR_CONN_H
#define TLR_CONN_H

#include "conns.h"

/*
 * Kept small: an idle connection costs this and its slot in libuv's table. On
 * 64-bit Linux: 488 bytes, of which libuv's handle 248 and its request 192.
 * So requests that are never under way together share their memory, and one
 * queued write, one shutdown or one deadline it is.
 */
struct tlr_conn {
    /* The transport: the one place that names uv_tcp_t. */
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
    } uv;
    union {
        uv_write_t write;             /* its data: the buffer it shares */
        uv_shutdown_t shutdown;
        struct tlr_deadline deadline; /* while lingering */
    } req;
    struct tlr_conns *conns;
    struct tlr_list link;        /* in conns->all */
    struct tlr_port_entry entry; /* in conns->port */
    uint32_t rest;               /* bytes in the queued write */
    int16_t read_status;         /* of what `done` says has completed */
    int16_t write_status;
    int16_t shutdown_status;
    uint8_t state;               /* enum state */
    uint8_t reading;             /* enum reading */
    uint8_t writing;             /* enum writing */
    uint8_t cause;               /* enum tlr_cause, or NO_CAUSE yet */
    uint8_t done;                /* completed, not delivered: DONE_ bits */
};

/*
 * Opens an accepted socket. When it fails the socket is still the caller's,
 * and on_gone is called, now or later.
 */
int tlr_conn_open(struct tlr_conns *conns, uv_os_sock_t sock);

/* Calls on_drain, if the connection is open. */
void tlr_conn_drain(struct tlr_conn *conn);

/*
 * Closes now. If the peer is still owed bytes it gets RST, so that it cannot
 * take what came for everything.
 */
void tlr_conn_stop(struct tlr_conn *conn);

/* tlr_port_cb and tlr_deadline_cb of a connection. */
void tlr_conn_deliver(struct tlr_port_entry *entry);
void tlr_conn_linger_passed(struct tlr_deadline *deadline);

#endif
