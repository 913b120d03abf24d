/* SPDX-License-Identifier: MIT */
/*
 * One connection.
 *
 * The happy path of an echo: a read is asked for (ASKED), libuv brings data
 * (PAUSED while on_read runs), on_read writes it, the kernel takes all of it
 * at once, the completion goes to the port, and on_write asks for the next
 * read (ASKED again) before libuv's callback returns. Reading was never
 * stopped in libuv, so that round trip costs a read, a write and a share of
 * epoll_wait.
 *
 * Closing, in the order of the states:
 *
 *     OPEN ─► FLUSHING   a write is under way: it completes first
 *          ─► FINISHING  our FIN is on its way (uv_shutdown)
 *          ─► LINGERING  until the peer's FIN, or five seconds
 *          ─► CLOSING    uv_close() was called; its callback ends it (CLOSED)
 *
 * each left out where there is nothing to do in it. When the peer's FIN has
 * been read already close() alone does it all: the kernel goes on to deliver
 * what it has and then sends FIN.
 *
 * Failures. An error of a read or a write marks the connection as broken
 * (cause TLR_CLOSED_BY_ERROR): from then on a close goes straight to CLOSING.
 * No memory for a read buffer fails that read only, and the connection can go
 * on or close in order: what was written is still owed. A socket that cannot be
 * opened goes from OPENING to DISCARDED, without any callback.
 */
#include "conn.h"

#include "check.h"
#include "handoff.h"

enum state {
    OPENING,
    OPEN,
    FLUSHING,
    FINISHING,
    LINGERING,
    CLOSING,
    CLOSED,
    DISCARDED
};

enum reading {
    READ_STOPPED, /* libuv does not watch for data */
    READ_PAUSED,  /* it does, a read was delivered, none is asked for yet */
    READ_ASKED,   /* it does, and the next data completes the read */
    READ_DROPPED, /* it does, and what comes is thrown away: closing */
    READ_ENDED    /* the end of the stream or an error: read_status */
};

enum writing {
    WRITE_IDLE,
    WRITE_QUEUED,     /* a rest is with libuv */
    WRITE_QUEUED_FIN, /* and tlr_shutdown() waits behind it */
    WRITE_FIN,        /* tlr_shutdown()'s uv_shutdown is under way */
    WRITE_LAST_FIN,   /* tlr_close()'s */
    WRITE_ENDED       /* FIN was sent */
};

/* In the order in which they are delivered. */
enum done {
    DONE_READ = 1,
    DONE_WRITE = 2,
    DONE_SHUTDOWN = 4,
    DONE_CLOSE = 8
};

#define NO_CAUSE TLR_CAUSES

#define TO(state) (1u << (state))

static const unsigned successors[] = {
    [OPENING] = TO(OPEN) | TO(DISCARDED),
    [OPEN] = TO(FLUSHING) | TO(FINISHING) | TO(LINGERING) | TO(CLOSING),
    [FLUSHING] = TO(FINISHING) | TO(LINGERING) | TO(CLOSING),
    [FINISHING] = TO(LINGERING) | TO(CLOSING),
    [LINGERING] = TO(CLOSING),
    [CLOSING] = TO(CLOSED),
    [CLOSED] = 0,
    [DISCARDED] = 0,
};

static void enter_state(struct tlr_conn *conn, enum state next)
{
    TLR_CHECK((successors[conn->state] & TO(next)) != 0);
    conn->state = (uint8_t)next;
}

static void check_thread(const struct tlr_conn *conn)
{
    TLR_CHECK(conn->conns->thread == tlr_handoff_thread_id());
}

static void complete(struct tlr_conn *conn, enum done what)
{
    conn->done |= (uint8_t)what;
    tlr_port_post(&conn->conns->port, &conn->entry);
}

static bool broken(const struct tlr_conn *conn)
{
    return conn->cause == TLR_CLOSED_BY_ERROR;
}

/* ---- closing -------------------------------------------------------- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct tlr_conn *conn = TLR_CONTAINER_OF(handle, struct tlr_conn, uv);
    struct tlr_port *port = &conn->conns->port;

    tlr_port_enter(port);
    enter_state(conn, CLOSED);
    complete(conn, DONE_CLOSE);
    tlr_port_leave(port);
}

static void cancel_read(struct tlr_conn *conn)
{
    if (conn->reading == READ_ASKED) {
        conn->read_status = UV_ECANCELED;
        complete(conn, DONE_READ);
    }
}

static void close_handle(struct tlr_conn *conn)
{
    struct tlr_conns *conns = conn->conns;

    if (conn->state == LINGERING) {
        tlr_deadlines_remove(&conns->lingering, &conn->req.deadline);
    }
    enter_state(conn, CLOSING);
    cancel_read(conn);
    conn->reading = READ_ENDED;
    if (tlr_handoff_emulated(&conn->uv.tcp)) {
        tlr_tally_add(&conns->tally.emulated, 1);
    }
    uv_close(&conn->uv.handle, on_handle_closed);
}

static void set_cause(struct tlr_conn *conn, enum tlr_cause cause)
{
    if (conn->cause == NO_CAUSE) {
        conn->cause = (uint8_t)cause;
    }
}

static void end_of_reading(struct tlr_conn *conn, ssize_t status)
{
    conn->reading = READ_ENDED;
    if ((conn->done & DONE_READ) == 0) { /* else it has one, undelivered */
        conn->read_status = (int16_t)status;
    }
    if (status == UV_EOF) {
        set_cause(conn, TLR_CLOSED_BY_PEER);
    } else if (conn->state == OPEN) {
        conn->cause = TLR_CLOSED_BY_ERROR;
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf);
static void on_data(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);

/* Reads on, only to keep what the peer still sends from becoming an RST. */
static int drop_input(struct tlr_conn *conn)
{
    int err = 0;

    if (conn->reading == READ_STOPPED) {
        err = uv_read_start(&conn->uv.stream, on_alloc, on_data);
    }
    if (conn->reading != READ_ENDED) {
        conn->reading = READ_DROPPED;
    }
    return err;
}

static void linger(struct tlr_conn *conn)
{
    if (conn->reading == READ_ENDED) {
        close_handle(conn);
        return;
    }
    enter_state(conn, LINGERING);
    tlr_deadlines_add(&conn->conns->lingering, &conn->req.deadline);
}

void tlr_conn_linger_passed(struct tlr_deadline *deadline)
{
    struct tlr_conn *conn =
        TLR_CONTAINER_OF(deadline, struct tlr_conn, req.deadline);
    struct tlr_port *port = &conn->conns->port;

    tlr_port_enter(port);
    close_handle(conn);
    tlr_port_leave(port);
}

static int send_fin(struct tlr_conn *conn, enum writing why);

/* Nothing is under way any more: on to FIN, and then to the peer's. */
static void finish(struct tlr_conn *conn)
{
    if (conn->reading == READ_ENDED) {
        close_handle(conn);
    } else if (conn->writing == WRITE_ENDED) {
        linger(conn);
    } else if (send_fin(conn, WRITE_LAST_FIN) == 0) {
        enter_state(conn, FINISHING);
    } else {
        close_handle(conn);
    }
}

static bool write_under_way(const struct tlr_conn *conn)
{
    return conn->writing == WRITE_QUEUED ||
           conn->writing == WRITE_QUEUED_FIN || conn->writing == WRITE_FIN;
}

void tlr_close(struct tlr_conn *conn)
{
    check_thread(conn);
    if (conn->state != OPEN) {
        return;
    }
    if (broken(conn)) {
        close_handle(conn);
        return;
    }
    set_cause(conn, TLR_CLOSED_BY_HANDLER);
    cancel_read(conn);
    if (drop_input(conn) != 0) {
        close_handle(conn);
    } else if (write_under_way(conn)) {
        enter_state(conn, FLUSHING);
    } else {
        finish(conn);
    }
}

/* close_handle(), but with RST. */
static void abort_handle(struct tlr_conn *conn)
{
    /* It fails when the peer has reset already: then there is no need. */
    (void)tlr_handoff_abort_on_close(&conn->uv.tcp);
    close_handle(conn);
}

void tlr_reset(struct tlr_conn *conn)
{
    check_thread(conn);
    if (conn->state < CLOSING) {
        conn->cause = TLR_CLOSED_BY_RESET;
        abort_handle(conn);
    }
}

/* ---- reading -------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct tlr_conn *conn = TLR_CONTAINER_OF(handle, struct tlr_conn, uv);
    struct tlr_conns *conns = conn->conns;
    struct tlr_buffer *buffer = tlr_buffers_lend(&conns->buffers);

    (void)suggested; /* libuv always suggests 64 KiB */
    if (buffer != NULL) {
        *buf = uv_buf_init(buffer->data, (unsigned)conns->buffers.size);
    } else if (conn->reading == READ_DROPPED) {
        *buf = uv_buf_init(conns->sink, sizeof(conns->sink));
    } else {
        *buf = uv_buf_init(NULL, 0);
    }
}

static void received(struct tlr_conn *conn, ssize_t nread, char *data)
{
    struct tlr_conns *conns = conn->conns;

    conn->reading = READ_PAUSED;
    tlr_tally_add(&conns->tally.reads, 1);
    tlr_tally_add(&conns->tally.bytes_in, (uint64_t)nread);
    conns->config->handler.on_read(conn, nread, data);
}

/* Of this read only: the next one may have more luck. */
static void failed_for_memory(struct tlr_conn *conn)
{
    (void)uv_read_stop(&conn->uv.stream); /* always 0; else it tries again */
    conn->reading = READ_STOPPED;
    conn->read_status = UV_ENOBUFS;
    complete(conn, DONE_READ);
}

static void failed(struct tlr_conn *conn, ssize_t status)
{
    enum reading before = conn->reading;

    if (status == UV_ENOBUFS && before == READ_ASKED) {
        failed_for_memory(conn);
        return;
    }
    end_of_reading(conn, status);
    if (before == READ_ASKED) {
        complete(conn, DONE_READ);
    } else if (status != UV_EOF || conn->state == LINGERING) {
        close_handle(conn);
    }
}

static void on_data(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct tlr_conn *conn = TLR_CONTAINER_OF(stream, struct tlr_conn, uv);
    struct tlr_conns *conns = conn->conns;

    tlr_port_enter(&conns->port);
    if (nread == UV_EOF) {
        int err = tlr_handoff_pending_error(&conn->uv.tcp);

        failed(conn, err == 0 ? UV_EOF : err);
    } else if (nread < 0) {
        failed(conn, nread);
    } else if (nread > 0 && conn->reading == READ_ASKED) {
        received(conn, nread, buf->base);
    } /* 0 is libuv's EAGAIN; and what is dropped is not counted either */
    tlr_buffers_return_lent(&conns->buffers);
    tlr_port_leave(&conns->port);
    if (conn->reading == READ_PAUSED) {
        (void)uv_read_stop(stream); /* always 0 */
        conn->reading = READ_STOPPED;
    }
}

int tlr_read(struct tlr_conn *conn)
{
    int err;

    check_thread(conn);
    if (conn->state != OPEN) {
        return UV_EBADF;
    }
    if (conn->reading == READ_ASKED || (conn->done & DONE_READ) != 0) {
        return UV_EBUSY;
    }
    if (conn->reading == READ_ENDED) {
        complete(conn, DONE_READ);
        return 0;
    }
    if (conn->reading == READ_STOPPED) {
        err = uv_read_start(&conn->uv.stream, on_alloc, on_data);
        if (err != 0) {
            end_of_reading(conn, err);
            complete(conn, DONE_READ);
            return 0;
        }
    }
    conn->reading = READ_ASKED;
    return 0;
}

/* ---- writing -------------------------------------------------------- */

static void complete_write(struct tlr_conn *conn, int status)
{
    if (status == 0) {
        tlr_tally_add(&conn->conns->tally.writes, 1);
    } else if (conn->state == OPEN) {
        conn->cause = TLR_CLOSED_BY_ERROR;
    }
    conn->write_status = (int16_t)status;
    complete(conn, DONE_WRITE);
}

static void complete_shutdown(struct tlr_conn *conn, int status)
{
    conn->writing = WRITE_ENDED;
    conn->shutdown_status = (int16_t)status;
    complete(conn, DONE_SHUTDOWN);
}

static void on_fin_sent(uv_shutdown_t *req, int status)
{
    struct tlr_conn *conn =
        TLR_CONTAINER_OF(req, struct tlr_conn, req.shutdown);
    struct tlr_port *port = &conn->conns->port;

    tlr_port_enter(port);
    if (conn->writing == WRITE_FIN) {
        complete_shutdown(conn, status);
    }
    conn->writing = WRITE_ENDED;
    if (conn->state == FLUSHING || conn->state == FINISHING) {
        if (status == 0) {
            linger(conn);
        } else {
            close_handle(conn);
        }
    }
    tlr_port_leave(port);
}

static int send_fin(struct tlr_conn *conn, enum writing why)
{
    int err = uv_shutdown(&conn->req.shutdown, &conn->uv.stream, on_fin_sent);

    if (err == 0) {
        conn->writing = (uint8_t)why;
    }
    return err;
}

int tlr_shutdown(struct tlr_conn *conn)
{
    int err;

    check_thread(conn);
    if (conn->state != OPEN) {
        return UV_EBADF;
    }
    if (conn->writing == WRITE_QUEUED) {
        conn->writing = WRITE_QUEUED_FIN;
        return 0;
    }
    if (conn->writing != WRITE_IDLE) {
        return UV_EPIPE;
    }
    err = send_fin(conn, WRITE_FIN);
    if (err != 0) {
        complete_shutdown(conn, err);
    }
    return 0;
}

/* What comes after a queued write. */
static void after_write(struct tlr_conn *conn, int status)
{
    enum writing was = (enum writing)conn->writing;

    conn->writing = WRITE_IDLE;
    if (was == WRITE_QUEUED_FIN) {
        if (status == 0) {
            status = send_fin(conn, WRITE_FIN);
        }
        if (status != 0) {
            complete_shutdown(conn, status);
        }
    }
    if (conn->state == FLUSHING && status != 0) {
        close_handle(conn);
    } else if (conn->state == FLUSHING && conn->writing != WRITE_FIN) {
        finish(conn);
    }
}

static void on_written(uv_write_t *req, int status)
{
    struct tlr_conn *conn = TLR_CONTAINER_OF(req, struct tlr_conn, req.write);
    struct tlr_conns *conns = conn->conns;
    struct tlr_buffer *shared = req->data;

    tlr_port_enter(&conns->port);
    if (shared != NULL) {
        tlr_buffers_put(&conns->buffers, shared);
    }
    if (status == 0) {
        tlr_tally_add(&conns->tally.bytes_out, conn->rest);
    }
    complete_write(conn, status);
    after_write(conn, status);
    tlr_port_leave(&conns->port);
}

/* The kernel did not take all of it: libuv waits until it takes the rest. */
static void queue_write(struct tlr_conn *conn, uv_buf_t rest)
{
    struct tlr_buffers *buffers = &conn->conns->buffers;
    struct tlr_buffer *shared = tlr_buffers_share(buffers, rest.base);
    int err;

    conn->rest = (uint32_t)rest.len;
    err = uv_write(&conn->req.write, &conn->uv.stream, &rest, 1, on_written);
    if (err != 0) {
        if (shared != NULL) {
            tlr_buffers_put(buffers, shared);
        }
        complete_write(conn, err);
        return;
    }
    conn->req.write.data = shared;
    conn->writing = WRITE_QUEUED;
}

static int check_write(const struct tlr_conn *conn, size_t size)
{
    if (conn->state != OPEN) {
        return UV_EBADF;
    }
    if (conn->writing != WRITE_IDLE && conn->writing != WRITE_QUEUED) {
        return UV_EPIPE;
    }
    if (conn->writing == WRITE_QUEUED || (conn->done & DONE_WRITE) != 0) {
        return UV_EBUSY;
    }
    return size > TLR_WRITE_MOST ? UV_EINVAL : 0;
}

/*
 * What the kernel takes of it now, 0 if nothing. ENOBUFS is Winsock's word for
 * a moment without memory: queued, the write waits for some.
 */
static int write_at_once(struct tlr_conn *conn, const void *data, size_t size)
{
    size_t some = size < tlr_handoff_write_at_once ? size
                                                   : tlr_handoff_write_at_once;
    uv_buf_t buf = uv_buf_init((char *)data, (unsigned)some);
    int written = some == 0 ? 0 : uv_try_write(&conn->uv.stream, &buf, 1);

    return written == UV_EAGAIN || written == UV_ENOBUFS ? 0 : written;
}

int tlr_write(struct tlr_conn *conn, const void *data, size_t size)
{
    int written;
    int err;

    check_thread(conn);
    err = check_write(conn, size);
    if (err != 0) {
        return err;
    }
    written = write_at_once(conn, data, size);
    if (written < 0) {
        complete_write(conn, written);
        return 0;
    }
    tlr_tally_add(&conn->conns->tally.bytes_out, (uint64_t)written);
    if ((size_t)written == size) {
        complete_write(conn, 0);
    } else {
        queue_write(conn, uv_buf_init((char *)data + written,
                                      (unsigned)(size - (size_t)written)));
    }
    return 0;
}

/* ---- delivering ----------------------------------------------------- */

static void release(struct tlr_conn *conn)
{
    struct tlr_conns *conns = conn->conns;

    tlr_list_remove(&conn->link);
    tlr_free(&conns->config->allocator, conn);
    conns->on_gone(conns);
}

static void deliver_close(struct tlr_conn *conn)
{
    struct tlr_conns *conns = conn->conns;
    enum tlr_cause cause = (enum tlr_cause)conn->cause;

    tlr_tally_add(&conns->tally.closed[cause], 1);
    if (conns->config->handler.on_close != NULL) {
        conns->config->handler.on_close(conn, cause);
    }
    release(conn);
}

/* One completion; what else has completed goes to the end of the queue. */
void tlr_conn_deliver(struct tlr_port_entry *entry)
{
    struct tlr_conn *conn = TLR_CONTAINER_OF(entry, struct tlr_conn, entry);
    const struct tlr_handler *handler = &conn->conns->config->handler;
    unsigned what = conn->done & (~(unsigned)conn->done + 1); /* lowest bit */

    conn->done &= (uint8_t)~what;
    if (conn->done != 0) {
        tlr_port_post(&conn->conns->port, entry);
    }
    switch (what) {
    case DONE_READ:
        handler->on_read(conn, conn->read_status, NULL);
        break;
    case DONE_WRITE:
        if (handler->on_write != NULL) {
            handler->on_write(conn, conn->write_status);
        }
        break;
    case DONE_SHUTDOWN:
        if (handler->on_shutdown != NULL) {
            handler->on_shutdown(conn, conn->shutdown_status);
        }
        break;
    default:
        deliver_close(conn);
        break;
    }
}

/* ---- opening and stopping -------------------------------------------- */

static size_t data_offset(void)
{
    return (sizeof(struct tlr_conn) + 15) & ~(size_t)15;
}

static struct tlr_conn *allocate(struct tlr_conns *conns)
{
    size_t data = conns->config->conn_data_size;
    size_t size = data == 0 ? sizeof(struct tlr_conn) : data_offset() + data;
    struct tlr_conn *conn = tlr_calloc(&conns->config->allocator, size);

    if (conn != NULL) {
        conn->conns = conns;
        conn->cause = NO_CAUSE;
        tlr_list_append(&conns->all, &conn->link);
    }
    return conn;
}

static void on_discarded(uv_handle_t *handle)
{
    release(TLR_CONTAINER_OF(handle, struct tlr_conn, uv));
}

int tlr_conn_open(struct tlr_conns *conns, uv_os_sock_t sock)
{
    struct tlr_conn *conn = allocate(conns);
    int err;

    if (conn == NULL) {
        conns->on_gone(conns);
        return UV_ENOMEM;
    }
    /* It can only fail where it makes a socket itself. */
    TLR_CHECK(uv_tcp_init(conns->loop, &conn->uv.tcp) == 0);
    err = uv_tcp_open(&conn->uv.tcp, sock);
    if (err != 0) {
        enter_state(conn, DISCARDED);
        uv_close(&conn->uv.handle, on_discarded);
        return err;
    }
    enter_state(conn, OPEN);
    tlr_tally_add(&conns->tally.accepted, 1);
    conns->config->handler.on_open(conn);
    if (conns->draining) {
        tlr_conn_drain(conn);
    }
    return 0;
}

void tlr_conn_drain(struct tlr_conn *conn)
{
    const struct tlr_handler *handler = &conn->conns->config->handler;

    if (conn->state == OPEN && handler->on_drain != NULL) {
        handler->on_drain(conn);
    }
}

void tlr_conn_stop(struct tlr_conn *conn)
{
    if (conn->state >= CLOSING) {
        return;
    }
    if (conn->state == OPEN) {
        conn->cause = TLR_CLOSED_BY_STOP;
    }
    if (conn->writing == WRITE_QUEUED || conn->writing == WRITE_QUEUED_FIN) {
        abort_handle(conn);
    } else {
        tlr_handoff_send_fin(&conn->uv.tcp);
        close_handle(conn);
    }
}

/* ---- what a handler asks -------------------------------------------- */

void *tlr_conn_data(struct tlr_conn *conn)
{
    return (char *)conn + data_offset();
}

void *tlr_conn_user(const struct tlr_conn *conn)
{
    return conn->conns->config->user;
}

unsigned tlr_conn_worker(const struct tlr_conn *conn)
{
    return conn->conns->index;
}

uv_loop_t *tlr_conn_loop(const struct tlr_conn *conn)
{
    return conn->conns->loop;
}

int tlr_conn_peer(const struct tlr_conn *conn,
                  struct sockaddr_storage *address)
{
    int length = sizeof(*address);

    return uv_tcp_getpeername(&conn->uv.tcp, (struct sockaddr *)address,
                              &length);
}
