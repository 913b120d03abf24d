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
 * what it has and then sends FIN. CONNECTING comes before OPEN for those that
 * tlr_connect() makes.
 *
 * Failures. An error of a read or a write marks the connection as broken
 * (cause TLR_CLOSED_BY_ERROR): from then on a close goes straight to CLOSING.
 * No memory for a read buffer fails that read only, and the connection can go
 * on or close in order: what was written is still owed. A socket that cannot be
 * opened goes from OPENING to DISCARDED, without any callback.
 */
#include "conn.h"

#include <string.h>

#include "apart.h"
#include "check.h"
#include "handoff.h"
#include "timeouts.h"

/* How long a closed connection waits for the peer's FIN, in milliseconds. */
#define LINGER 5000

#define TO(state) (1u << (state))

static const unsigned successors[] = {
    [TLR_CONN_OPENING] = TO(TLR_CONN_OPEN) | TO(TLR_CONN_CONNECTING) |
                         TO(TLR_CONN_DISCARDED),
    [TLR_CONN_CONNECTING] = TO(TLR_CONN_OPEN) | TO(TLR_CONN_CLOSING),
    [TLR_CONN_OPEN] = TO(TLR_CONN_FLUSHING) | TO(TLR_CONN_FINISHING) |
                      TO(TLR_CONN_LINGERING) | TO(TLR_CONN_CLOSING),
    [TLR_CONN_FLUSHING] = TO(TLR_CONN_FINISHING) | TO(TLR_CONN_LINGERING) |
                          TO(TLR_CONN_CLOSING),
    [TLR_CONN_FINISHING] = TO(TLR_CONN_LINGERING) | TO(TLR_CONN_CLOSING),
    [TLR_CONN_LINGERING] = TO(TLR_CONN_CLOSING),
    [TLR_CONN_CLOSING] = TO(TLR_CONN_CLOSED),
    [TLR_CONN_CLOSED] = 0,
    [TLR_CONN_DISCARDED] = 0,
};

void tlr_conn_enter_state(struct tlr_conn *conn, enum tlr_conn_state next)
{
    TLR_CHECK((successors[conn->state] & TO(next)) != 0);
    conn->state = (uint8_t)next;
}

void tlr_conn_set_cause(struct tlr_conn *conn, enum tlr_cause cause)
{
    if (conn->cause == TLR_NO_CAUSE) {
        conn->cause = (uint8_t)cause;
    }
}

void tlr_conn_ref(struct tlr_conn *conn)
{
    tlr_conns_ref_handle(conn->conns, &conn->uv.handle);
}

/* ---- memory --------------------------------------------------------- */

/* Right behind the connection; most often that is there for the alignment. */
static size_t data_offset(void)
{
    return (sizeof(struct tlr_conn) + sizeof(struct tlr_peer *) + 15) &
           ~(size_t)15;
}

/*
 * Where it is kept whose connection it is. On a loop of ours libuv's handle has
 * room for it; on others `data` stays NULL, since programs look at it.
 */
static void **peer_of(struct tlr_conn *conn)
{
    return conn->conns->foreign ? (void **)(conn + 1) : &conn->uv.handle.data;
}

void *tlr_conn_data(struct tlr_conn *conn)
{
    return (char *)conn + data_offset();
}

size_t tlr_conn_timeouts_at(const struct tlr_config *config)
{
    return tlr_timeouts_wanted(config)
               ? (data_offset() + config->conn_data_size + 7) & ~(size_t)7
               : 0;
}

static size_t size_of(const struct tlr_conns *conns)
{
    size_t data = conns->config->conn_data_size;

    if (conns->timeouts_at != 0) {
        return conns->timeouts_at + sizeof(struct tlr_timeouts);
    }
    return data == 0 && !conns->foreign ? sizeof(struct tlr_conn)
                                        : data_offset() + data;
}

struct tlr_conn *tlr_conn_allocate(struct tlr_conns *conns)
{
    struct tlr_conn *conn =
        tlr_calloc(&conns->config->allocator, size_of(conns));

    if (conn != NULL) {
        conn->conns = conns;
        conn->cause = TLR_NO_CAUSE;
        if (conns->draining && tlr_conns_empty(conns)) {
            conns->on_first(conns);
        }
        tlr_list_append(&conns->all, &conn->link);
        if (conns->timeouts_at != 0) {
            conn->flags = TLR_CONN_TIMED;
            tlr_timeouts_init(conn);
        }
    }
    return conn;
}

struct tlr_extra *tlr_conn_extra(struct tlr_conn *conn)
{
    struct tlr_extra *extra = tlr_conn_has_extra(conn);

    if (extra == NULL) {
        extra = tlr_calloc(&conn->conns->config->allocator, sizeof(*extra));
        if (extra != NULL) {
            extra->request = conn->req.data;
            extra->end_status = conn->read_status;
            conn->req.data = extra;
            conn->flags |= TLR_CONN_EXTRA;
        }
    }
    return extra;
}

static void set_request(struct tlr_conn *conn, struct tlr_request *request)
{
    struct tlr_extra *extra = tlr_conn_has_extra(conn);

    if (extra != NULL) {
        extra->request = request;
    } else {
        conn->req.data = request;
    }
}

struct tlr_request *tlr_conn_take_request(struct tlr_conn *conn)
{
    struct tlr_request *request = tlr_conn_request(conn);

    if (request == NULL) {
        request = tlr_malloc(&conn->conns->config->allocator, sizeof(*request));
        if (request != NULL) {
            request->shared = NULL;
            set_request(conn, request);
        }
    }
    return request;
}

void tlr_conn_drop_request(struct tlr_conn *conn)
{
    struct tlr_request *request = tlr_conn_request(conn);

    if (request != NULL) {
        set_request(conn, NULL);
        tlr_free(&conn->conns->config->allocator, request);
    }
}

static void release_extra(struct tlr_conn *conn, struct tlr_extra *extra)
{
    struct tlr_conns *conns = conn->conns;
    const struct tlr_allocator *allocator = &conns->config->allocator;

    if ((conn->flags & TLR_CONN_NAMED) != 0) {
        tlr_ids_remove(&conns->ids, extra->slot);
    }
    tlr_input_drop(&extra->input, &conns->buffers);
    TLR_CHECK(extra->output.first == NULL);
    tlr_free(allocator, extra->addresses);
    tlr_free(allocator, extra);
}

void tlr_conn_release(struct tlr_conn *conn)
{
    struct tlr_conns *conns = conn->conns;
    struct tlr_extra *extra = tlr_conn_has_extra(conn);
    bool counted = (conn->flags & TLR_CONN_OUTBOUND) == 0;
    struct tlr_peer *peer = *peer_of(conn);

    tlr_conn_drop_request(conn);
    if (extra != NULL) {
        release_extra(conn, extra);
    }
    tlr_list_remove(&conn->link);
    tlr_free(&conns->config->allocator, conn);
    conns->on_gone(conns, counted, peer);
}

int tlr_conn_id(struct tlr_conn *conn, struct tlr_id *id)
{
    struct tlr_conns *conns = conn->conns;
    struct tlr_extra *extra;
    int err;

    tlr_conn_check_thread(conn);
    extra = tlr_conn_extra(conn);
    if (extra == NULL) {
        return UV_ENOMEM;
    }
    if ((conn->flags & TLR_CONN_NAMED) == 0) {
        err = tlr_ids_add(&conns->ids, conn, &extra->slot, &extra->serial);
        if (err != 0) {
            return err;
        }
        conn->flags |= TLR_CONN_NAMED;
    }
    id->server = (uint64_t)(uintptr_t)conns->config->server;
    id->serial = extra->serial;
    id->worker = conns->index;
    id->slot = extra->slot;
    return 0;
}

/* ---- closing -------------------------------------------------------- */

static bool broken(const struct tlr_conn *conn)
{
    return conn->cause == TLR_CLOSED_BY_ERROR ||
           conn->cause == TLR_CLOSED_BY_QUEUED;
}

void tlr_conn_handle_closed(uv_handle_t *handle)
{
    struct tlr_conn *conn = TLR_CONTAINER_OF(handle, struct tlr_conn, uv);
    struct tlr_port *port = &conn->conns->port;

    tlr_port_enter(port);
    tlr_conn_enter_state(conn, TLR_CONN_CLOSED);
    tlr_conn_complete(conn, TLR_DONE_CLOSE);
    tlr_port_leave(port);
}

static void cancel_connect(struct tlr_conn *conn)
{
    if (conn->state == TLR_CONN_CONNECTING &&
        (conn->done & TLR_DONE_CONNECT) == 0) {
        conn->read_status = UV_ECANCELED;
        tlr_conn_complete(conn, TLR_DONE_CONNECT);
    }
}

void tlr_conn_close_handle(struct tlr_conn *conn)
{
    struct tlr_conns *conns = conn->conns;

    tlr_timeouts_end(conn);
    if (conn->state == TLR_CONN_LINGERING) {
        tlr_deadlines_remove(&conns->deadlines,
                             &conn->req.lingering.deadline);
    }
    cancel_connect(conn);
    tlr_conn_enter_state(conn, TLR_CONN_CLOSING);
    tlr_reading_cancel(conn);
    conn->reading = TLR_READ_ENDED;
    if (tlr_handoff_emulated(&conn->uv.tcp)) {
        tlr_tally_add(&conns->tally.emulated, 1);
    }
    if (!uv_is_closing(&conn->uv.handle)) { /* else connect.c closes it */
        uv_close(&conn->uv.handle, tlr_conn_handle_closed);
    }
}

static void on_linger_passed(struct tlr_deadline *deadline)
{
    struct tlr_conn *conn =
        TLR_CONTAINER_OF(deadline, struct tlr_conn, req.lingering.deadline);
    struct tlr_port *port = &conn->conns->port;

    tlr_port_enter(port);
    tlr_conn_close_handle(conn);
    tlr_port_leave(port);
}

void tlr_conn_linger(struct tlr_conn *conn)
{
    struct tlr_conns *conns = conn->conns;
    struct tlr_deadline *deadline = &conn->req.lingering.deadline;

    if (conn->reading == TLR_READ_ENDED) {
        tlr_conn_close_handle(conn);
        return;
    }
    tlr_conn_enter_state(conn, TLR_CONN_LINGERING);
    tlr_timeouts_end(conn);
    memset(deadline, 0, sizeof(*deadline)); /* requests have used it */
    deadline->passed = on_linger_passed;
    tlr_deadlines_set(&conns->deadlines, deadline,
                      tlr_deadlines_clock() + LINGER);
}

void tlr_conn_finish(struct tlr_conn *conn)
{
    /* NOLINTNEXTLINE(bugprone-branch-clone): the order matters */
    if (conn->reading == TLR_READ_ENDED) {
        tlr_conn_close_handle(conn);
    } else if (conn->writing == TLR_WRITE_ENDED) {
        tlr_conn_linger(conn);
    } else if (tlr_writing_send_fin(conn, TLR_WRITE_LAST_FIN) == 0) {
        tlr_conn_enter_state(conn, TLR_CONN_FINISHING);
    } else {
        tlr_conn_close_handle(conn);
    }
}

/* tlr_conn_close_handle(), but with RST. */
static void abort_handle(struct tlr_conn *conn)
{
    /* It fails when the peer has reset already: then there is no need. */
    (void)tlr_handoff_abort_on_close(&conn->uv.tcp);
    tlr_conn_close_handle(conn);
}

void tlr_conn_blame(struct tlr_conn *conn, enum tlr_cause cause)
{
    if (!broken(conn)) {
        conn->cause = (uint8_t)cause;
    }
}

void tlr_conn_abort(struct tlr_conn *conn, enum tlr_cause cause)
{
    tlr_conn_blame(conn, cause);
    abort_handle(conn);
}

/* A limit of the options has been its end, whoever closes it then. */
static bool is_over_limit(const struct tlr_conn *conn)
{
    return conn->cause >= TLR_CLOSED_BY_IDLE && conn->cause < TLR_CAUSES;
}

void tlr_close(struct tlr_conn *conn)
{
    tlr_conn_check_thread(conn);
    if (conn->state != TLR_CONN_OPEN && conn->state != TLR_CONN_CONNECTING) {
        return;
    }
    if (broken(conn)) { /* the peer must not take it for an end in order */
        abort_handle(conn);
        return;
    }
    tlr_conn_set_cause(conn, TLR_CLOSED_BY_HANDLER);
    if (conn->state == TLR_CONN_CONNECTING) {
        tlr_conn_close_handle(conn);
        return;
    }
    tlr_reading_cancel(conn);
    if (tlr_reading_drop(conn) != 0) {
        tlr_reading_lose(conn);
    } else if (tlr_writing_under_way(conn)) {
        tlr_conn_enter_state(conn, TLR_CONN_FLUSHING);
    } else {
        tlr_conn_finish(conn);
    }
}

void tlr_reset(struct tlr_conn *conn)
{
    tlr_conn_check_thread(conn);
    if (conn->state >= TLR_CONN_CLOSING) {
        return;
    }
    if (!is_over_limit(conn)) {
        conn->cause = TLR_CLOSED_BY_RESET;
    }
    abort_handle(conn);
}

void tlr_conn_stop(struct tlr_conn *conn)
{
    bool lost = broken(conn);

    if (conn->state >= TLR_CONN_CLOSING) {
        return;
    }
    if (conn->state <= TLR_CONN_OPEN && !is_over_limit(conn)) {
        conn->cause = TLR_CLOSED_BY_STOP;
    }
    if (conn->writing == TLR_WRITE_QUEUED ||
        conn->writing == TLR_WRITE_QUEUED_FIN) {
        conn->cause = TLR_CLOSED_OWING; /* whoever has closed it before */
        abort_handle(conn);
    } else if (lost) { /* the peer must not take it for an end in order */
        abort_handle(conn);
    } else {
        tlr_handoff_send_fin(&conn->uv.tcp);
        tlr_conn_close_handle(conn);
    }
}

/* ---- delivering ----------------------------------------------------- */

static void deliver_close(struct tlr_conn *conn)
{
    struct tlr_conns *conns = conn->conns;
    const struct tlr_handler *handler = tlr_conn_handler(conn);
    enum tlr_cause cause = (enum tlr_cause)conn->cause;

    if ((conn->flags & TLR_CONN_COUNTED) != 0) {
        tlr_tally_add(&conns->tally.closed[cause], 1);
    }
    if (handler->on_close != NULL) {
        handler->on_close(conn, cause);
    }
}

static void deliver_water(struct tlr_conn *conn,
                          void (*call)(struct tlr_conn *conn))
{
    if (conn->state == TLR_CONN_OPEN && call != NULL) {
        call(conn);
    }
}

static void deliver_write(struct tlr_conn *conn)
{
    const struct tlr_handler *handler = tlr_conn_handler(conn);

    if ((conn->flags & TLR_CONN_TIMED) != 0 && conn->write_status == 0) {
        tlr_timeouts_active(conn);
    }
    if (handler->on_write != NULL) {
        handler->on_write(conn, conn->write_status);
    }
}

static TLR_APART void deliver_other(struct tlr_conn *conn, unsigned what)
{
    const struct tlr_handler *handler;

    if (what == TLR_DONE_WRITE) {
        deliver_write(conn);
        return;
    }
    handler = tlr_conn_handler(conn);
    switch (what) {
    case TLR_DONE_CONNECT:
        tlr_connect_deliver(conn);
        break;
    case TLR_DONE_READ:
        tlr_reading_deliver(conn);
        break;
    case TLR_DONE_SHUTDOWN:
        if (handler->on_shutdown != NULL) {
            handler->on_shutdown(conn, conn->shutdown_status);
        }
        break;
    case TLR_DONE_HIGH:
        deliver_water(conn, handler->on_high_water);
        break;
    case TLR_DONE_LOW:
        deliver_water(conn, handler->on_low_water);
        break;
    default:
        deliver_close(conn);
        break;
    }
}

static void deliver_one(struct tlr_conn *conn, unsigned what)
{
    const struct tlr_handler *handler = &conn->conns->config->handler;

    if (what == TLR_DONE_WRITE && handler->on_write != NULL &&
        (conn->flags & (TLR_CONN_EXTRA | TLR_CONN_TIMED)) == 0) {
        handler->on_write(conn, conn->write_status); /* the usual case */
    } else {
        deliver_other(conn, what);
    }
}

struct delivery {
    struct tlr_conn *conn;
    unsigned what;
};

static void call_deliver(void *argument)
{
    struct delivery *delivery = argument;

    deliver_one(delivery->conn, delivery->what);
}

/* Not on the usual path, which has no use for the struct. */
static TLR_APART void deliver_on_host(struct tlr_conn *conn, unsigned what)
{
    struct delivery delivery = {conn, what};

    tlr_conns_call(conn->conns, call_deliver, &delivery);
}

/* One completion; what else has completed goes to the end of the queue. */
void tlr_conn_deliver(struct tlr_port_entry *entry)
{
    struct tlr_conn *conn = TLR_CONTAINER_OF(entry, struct tlr_conn, entry);
    unsigned what = conn->done & (~(unsigned)conn->done + 1); /* lowest bit */

    if (what == 0) { /* the marks have cancelled each other: see writing.c */
        return;
    }
    conn->done &= (uint8_t)~what;
    if (conn->done != 0) {
        tlr_port_post(&conn->conns->port, entry);
    }
    if (conn->conns->on_host) {
        deliver_on_host(conn, what);
    } else {
        deliver_one(conn, what);
    }
    if (what == TLR_DONE_CLOSE) {
        tlr_conn_release(conn);
    }
}

/* ---- opening -------------------------------------------------------- */

static void on_discarded(uv_handle_t *handle)
{
    tlr_conn_release(TLR_CONTAINER_OF(handle, struct tlr_conn, uv));
}

void tlr_conn_call_open(struct tlr_conn *conn)
{
    const struct tlr_handler *handler = tlr_conn_handler(conn);

    conn->flags |= TLR_CONN_COUNTED;
    if ((conn->flags & TLR_CONN_TIMED) != 0) {
        tlr_timeouts_opened(conn);
    }
    tlr_tally_add(&conn->conns->tally.accepted, 1);
    handler->on_open(conn);
    if ((conn->conns->draining || tlr_timeouts_ending(conn)) &&
        conn->state == TLR_CONN_OPEN && handler->on_drain != NULL && tlr_timeouts_may_drain(conn)) {
        handler->on_drain(conn);
    }
}

static void call_open(void *argument)
{
    tlr_conn_call_open(argument);
}

int tlr_conn_open(struct tlr_conns *conns, uv_os_sock_t sock,
                  struct tlr_peer *peer)
{
    struct tlr_conn *conn = tlr_conn_allocate(conns);
    int err;

    if (conn == NULL) {
        conns->on_gone(conns, true, peer);
        return UV_ENOMEM;
    }
    *peer_of(conn) = peer;
    /* It can only fail where it makes a socket itself. */
    TLR_CHECK(uv_tcp_init(conns->loop, &conn->uv.tcp) == 0);
    err = uv_tcp_open(&conn->uv.tcp, sock);
    if (err != 0) {
        tlr_conn_enter_state(conn, TLR_CONN_DISCARDED);
        uv_close(&conn->uv.handle, on_discarded);
        return err;
    }
    tlr_conn_ref(conn);
    tlr_conn_enter_state(conn, TLR_CONN_OPEN);
    tlr_conns_call(conns, call_open, conn);
    return 0;
}

static void call_drain(void *argument)
{
    struct tlr_conn *conn = argument;

    tlr_conn_handler(conn)->on_drain(conn);
}

void tlr_conn_drain(struct tlr_conn *conn)
{
    if (conn->state == TLR_CONN_OPEN &&
        (conn->flags & TLR_CONN_COUNTED) != 0 && /* else on_open comes first */
        tlr_conn_handler(conn)->on_drain != NULL &&
        tlr_timeouts_may_drain(conn)) {
        tlr_conns_call(conn->conns, call_drain, conn);
    }
}
