/* SPDX-License-Identifier: MIT */
/*
 * One connection.
 *
 * Allocated when its socket is opened on the loop, or begins to connect; freed
 * when on_close has returned, which is after libuv's close callback. All of it
 * happens on the loop's thread; the public functions on connections check that.
 *
 * conn.c has its states, from opening to closing, and delivers what has
 * completed; reading.c, writing.c, connect.c and socket.c do what their names
 * say, and share what is in the second half of this file.
 */
#ifndef TLR_CONN_H
#define TLR_CONN_H

#include "check.h"
#include "conns.h"
#include "handoff.h"
#include "input.h"
#include "output.h"

struct tlr_extra;

/*
 * Kept small: an idle connection costs this and its slot in libuv's table. On
 * 64-bit Linux: 376 bytes, of which libuv's handle 248 and a shutdown 80. What a
 * connection must not lack at its end is here: a shutdown, and the deadline that
 * comes after it, share their memory. What it needs for some time only is in a
 * struct tlr_request, and what only some connections need in a struct tlr_extra.
 */
struct tlr_conn {
    /* The transport: the one place that names uv_tcp_t. */
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
    } uv;
    /*
     * Requests begin with `data`, which libuv leaves alone, and so it is used
     * even while none is under way: for the struct tlr_extra, if there is one,
     * else for the struct tlr_request, or NULL.
     */
    union {
        void *data;
        uv_shutdown_t shutdown;
        struct {
            void *data;
            struct tlr_deadline deadline;
        } lingering;
    } req;
    struct tlr_conns *conns;
    struct tlr_list link;        /* in conns->all */
    struct tlr_port_entry entry; /* in conns->port */
    uint32_t rest;               /* bytes in the queued write */
    int16_t read_status;         /* of what `done` says has completed */
    int16_t write_status;
    int16_t shutdown_status;
    uint8_t state;               /* enum tlr_conn_state */
    uint8_t reading;             /* enum tlr_reading */
    uint8_t writing;             /* enum tlr_writing */
    uint8_t cause;               /* enum tlr_cause, or TLR_NO_CAUSE yet */
    uint8_t done;                /* completed, not delivered: TLR_DONE_ bits */
    uint8_t flags;               /* TLR_CONN_ bits */
};

/* What libuv needs while it connects, or has a write of the connection's. */
struct tlr_request {
    union {
        uv_connect_t connect;
        uv_write_t write;
    } uv;
    struct tlr_buffer *shared; /* by the write, or NULL */
};

/* What only some connections have need of; allocated with the first. */
struct tlr_extra {
    const struct tlr_handler *handler; /* NULL: the server's */
    struct tlr_request *request;
    uint64_t serial;           /* its id, if TLR_CONN_NAMED */
    uint32_t slot;
    int end_status; /* of TLR_READ_ENDED; without an extra: read_status */
    struct tlr_input input;
    struct tlr_output output;
    struct tlr_resolution *addresses; /* while connecting */
    size_t next_address;
};

/*
 * Opens a connected socket. When it fails the socket is still the caller's,
 * and on_gone is called, now or later. peer: whose it is, or NULL.
 */
int tlr_conn_open(struct tlr_conns *conns, uv_os_sock_t sock,
                  struct tlr_peer *peer);

/* Calls on_drain, if the connection is open. */
void tlr_conn_drain(struct tlr_conn *conn);

/*
 * Closes now. If the peer is still owed bytes it gets RST, so that it cannot
 * take what came for everything.
 */
void tlr_conn_stop(struct tlr_conn *conn);

/* Has its handle keep the loop alive or not, as conns->unreferenced says. */
void tlr_conn_ref(struct tlr_conn *conn);

/* tlr_port_cb of a connection. */
void tlr_conn_deliver(struct tlr_port_entry *entry);

/* ---- for conn.c, reading.c, writing.c, connect.c, socket.c ------------- */

enum tlr_conn_state {
    TLR_CONN_OPENING,
    TLR_CONN_CONNECTING, /* tlr_connect(): resolving, or trying addresses */
    TLR_CONN_OPEN,
    TLR_CONN_FLUSHING,
    TLR_CONN_FINISHING,
    TLR_CONN_LINGERING,
    TLR_CONN_CLOSING,
    TLR_CONN_CLOSED,
    TLR_CONN_DISCARDED
};

enum tlr_reading {
    TLR_READ_STOPPED, /* libuv does not watch for data */
    TLR_READ_PAUSED,  /* it does, a read was delivered, none is asked for yet */
    TLR_READ_ASKED,   /* it does, and the next data may complete the read */
    TLR_READ_DROPPED, /* it does, and what comes is thrown away: closing */
    TLR_READ_ENDED    /* the end of the stream or an error: read_status */
};

enum tlr_writing {
    TLR_WRITE_IDLE,
    TLR_WRITE_QUEUED,     /* a rest is with libuv */
    TLR_WRITE_QUEUED_FIN, /* and tlr_shutdown() waits behind it */
    TLR_WRITE_FIN,        /* tlr_shutdown()'s uv_shutdown is under way */
    TLR_WRITE_LAST_FIN,   /* tlr_close()'s */
    TLR_WRITE_ENDED       /* FIN was sent, or TLR_CONN_TORN */
};

/* In the order in which they are delivered. */
enum tlr_done {
    TLR_DONE_CONNECT = 1, /* read_status says how */
    TLR_DONE_READ = 2,
    TLR_DONE_WRITE = 4,
    TLR_DONE_SHUTDOWN = 8,
    TLR_DONE_HIGH = 16,
    TLR_DONE_LOW = 32,
    TLR_DONE_CLOSE = 64
};

enum tlr_conn_flag {
    TLR_CONN_EXTRA = 1,    /* req.data is a struct tlr_extra */
    TLR_CONN_NAMED = 2,    /* it has a slot in conns->ids */
    TLR_CONN_OUTBOUND = 4, /* from tlr_connect(): no room is reserved for it */
    TLR_CONN_COUNTED = 8,  /* on_open was called */
    TLR_CONN_HIGH = 16,    /* above the high water mark, not yet at the low */
    TLR_CONN_TIMED = 32,   /* has a struct tlr_timeouts */
    TLR_CONN_TORN = 64,    /* bytes are missing in what was written */
    TLR_CONN_RESET = 128   /* and a write was told, so that no read will be */
};

/* read_status of a completed read whose data is in the input. */
#define TLR_READ_READY 1

#define TLR_NO_CAUSE TLR_CAUSES

/* Where its timeouts are, from its beginning on; 0: it has none. */
size_t tlr_conn_timeouts_at(const struct tlr_config *config);

struct tlr_conn *tlr_conn_allocate(struct tlr_conns *conns);

/* Its request, allocated if it has none; NULL: no memory. */
struct tlr_request *tlr_conn_take_request(struct tlr_conn *conn);

/* libuv has it no more. There may be none. */
void tlr_conn_drop_request(struct tlr_conn *conn);

/* Gives back what tlr_conn_allocate() gave; for one without a handle. */
void tlr_conn_release(struct tlr_conn *conn);

void tlr_conn_enter_state(struct tlr_conn *conn, enum tlr_conn_state next);

static inline void tlr_conn_check_thread(const struct tlr_conn *conn)
{
    TLR_CHECK(conn->conns->thread == tlr_handoff_thread_id());
}

/* Counts it, and calls on_open, and if the server drains on_drain. */
void tlr_conn_call_open(struct tlr_conn *conn);

/* Has the port deliver it. */
static inline void tlr_conn_complete(struct tlr_conn *conn, enum tlr_done what)
{
    conn->done |= (uint8_t)what;
    tlr_port_post(&conn->conns->port, &conn->entry);
}

/* To TLR_CONN_CLOSING; and, by libuv, to TLR_CONN_CLOSED. */
void tlr_conn_close_handle(struct tlr_conn *conn);
void tlr_conn_handle_closed(uv_handle_t *handle);
void tlr_conn_set_cause(struct tlr_conn *conn, enum tlr_cause cause);

/* The same, but in place of another, unless the connection is broken. */
void tlr_conn_blame(struct tlr_conn *conn, enum tlr_cause cause);

/* Both, and with RST. */
void tlr_conn_abort(struct tlr_conn *conn, enum tlr_cause cause);

/* Nothing is under way any more: on to FIN, and then to the peer's. */
void tlr_conn_finish(struct tlr_conn *conn);

/* FIN is sent, or could not be. */
void tlr_conn_linger(struct tlr_conn *conn);

/* NULL: no memory. */
struct tlr_extra *tlr_conn_extra(struct tlr_conn *conn);

static inline struct tlr_extra *tlr_conn_has_extra(const struct tlr_conn *conn)
{
    return (conn->flags & TLR_CONN_EXTRA) != 0 ? conn->req.data : NULL;
}

/* Its request, or NULL: it has none. */
static inline struct tlr_request *tlr_conn_request(const struct tlr_conn *conn)
{
    const struct tlr_extra *extra = tlr_conn_has_extra(conn);

    return extra != NULL ? extra->request : conn->req.data;
}

/* Where there is one for sure. */
static inline struct tlr_extra *tlr_conn_the_extra(const struct tlr_conn *conn)
{
    return conn->req.data;
}

static inline const struct tlr_handler *
tlr_conn_handler(const struct tlr_conn *conn)
{
    const struct tlr_extra *extra = tlr_conn_has_extra(conn);

    return extra != NULL && extra->handler != NULL
               ? extra->handler
               : &conn->conns->config->handler;
}

/* reading.c: delivers a read that completed outside of libuv's callback. */
void tlr_reading_deliver(struct tlr_conn *conn);

/* The read that is asked for will not be. */
void tlr_reading_cancel(struct tlr_conn *conn);

/* It completes with UV_ETIMEDOUT. */
void tlr_reading_time_out(struct tlr_conn *conn);

/* Reads on, only to keep what the peer still sends from becoming an RST. */
int tlr_reading_drop(struct tlr_conn *conn);

/* No more can be read; closes, with RST if not all has been written. */
void tlr_reading_lose(struct tlr_conn *conn);

/* writing.c */
int tlr_writing_send_fin(struct tlr_conn *conn, enum tlr_writing why);
bool tlr_writing_under_way(const struct tlr_conn *conn);

/* libuv has a request of its writes. */
static inline bool tlr_writing_is_queued(const struct tlr_conn *conn)
{
    return conn->writing == TLR_WRITE_QUEUED ||
           conn->writing == TLR_WRITE_QUEUED_FIN;
}

/* The end of the connection that a write has met, told or not yet told, or 0. */
int tlr_writing_error(const struct tlr_conn *conn);

/* connect.c: calls on_connect, and on_open if it is connected. */
void tlr_connect_deliver(struct tlr_conn *conn);

/* It was not connected in time. */
void tlr_connect_time_out(struct tlr_conn *conn);

#endif
