/* SPDX-License-Identifier: MIT */
/*
 * The reads of a connection.
 *
 * One is asked for at a time. tlr_read() takes what comes. The other two kinds
 * look whether there is enough of it: what is missing is waited for, what is
 * over is kept (struct tlr_input), and is what the next read begins with.
 *
 * libuv reads into one of the loop's buffers, from where the handler gets it
 * without a copy. Only the bytes that are kept are copied, into a buffer about
 * as large as they need.
 */
#include "conn.h"

#include <string.h>

#include "apart.h"
#include "check.h"
#include "handoff.h"
#include "timeouts.h"
#include "watchers.h"

static struct tlr_input *input_of(const struct tlr_conn *conn)
{
    struct tlr_extra *extra = tlr_conn_has_extra(conn);

    return extra != NULL ? &extra->input : NULL;
}

static bool keeps_input(const struct tlr_conn *conn)
{
    const struct tlr_input *input = input_of(conn);

    return input != NULL && input->buffer != NULL;
}

/* ---- ending --------------------------------------------------------- */

static void end_of_reading(struct tlr_conn *conn, ssize_t status)
{
    struct tlr_extra *extra = tlr_conn_has_extra(conn);

    conn->reading = TLR_READ_ENDED;
    if (extra != NULL) {
        extra->end_status = (int)status;
    }
    if ((conn->done & (TLR_DONE_READ | TLR_DONE_CONNECT)) == 0) {
        /* else it is that one's, undelivered */
        conn->read_status = (int16_t)status;
    }
    if (status == UV_EOF) {
        tlr_conn_set_cause(conn, TLR_CLOSED_BY_PEER);
    } else if (conn->state == TLR_CONN_OPEN) {
        conn->cause = TLR_CLOSED_BY_ERROR;
    }
}

void tlr_reading_cancel(struct tlr_conn *conn)
{
    if (conn->reading == TLR_READ_ASKED) {
        conn->read_status = UV_ECANCELED;
        tlr_conn_complete(conn, TLR_DONE_READ);
    } else if ((conn->done & TLR_DONE_READ) != 0 &&
               conn->read_status == TLR_READ_READY) {
        conn->read_status = UV_ECANCELED;
    }
    if (keeps_input(conn)) {
        tlr_input_drop(input_of(conn), &conn->conns->buffers);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf);
static void on_data(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);

/* libuv forgets a socket that has data while it is not read from. */
static int start_reading(struct tlr_conn *conn)
{
    int err = uv_read_start(&conn->uv.stream, on_alloc, on_data);

    if (err == 0) {
        err = tlr_watchers_add(&conn->uv.handle);
        if (err != 0) {
            (void)uv_read_stop(&conn->uv.stream); /* always 0 */
        }
    }
    return err;
}

void tlr_reading_lose(struct tlr_conn *conn)
{
    if (tlr_writing_under_way(conn)) {
        tlr_conn_abort(conn, TLR_CLOSED_BY_ERROR);
    } else {
        tlr_conn_close_handle(conn);
    }
}

int tlr_reading_drop(struct tlr_conn *conn)
{
    int err = 0;

    if (conn->reading == TLR_READ_STOPPED) {
        err = start_reading(conn);
    }
    if (conn->reading != TLR_READ_ENDED) {
        conn->reading = TLR_READ_DROPPED;
    }
    return err;
}

/* ---- delivering ----------------------------------------------------- */

struct delivery {
    struct tlr_conn *conn;
    ssize_t nread;
    char *data;
};

static void call_read(void *argument)
{
    struct delivery *delivery = argument;

    tlr_conn_handler(delivery->conn)
        ->on_read(delivery->conn, delivery->nread, delivery->data);
}

/* Not on the usual path, which has no use for the struct. */
static TLR_APART void give_on_host(struct tlr_conn *conn, ssize_t nread, char *data)
{
    struct delivery delivery = {conn, nread, data};

    tlr_conns_call(conn->conns, call_read, &delivery);
}

/* The data lies in the buffer that is lent. The last thing that is done. */
static void give(struct tlr_conn *conn, ssize_t nread, char *data)
{
    tlr_tally_add(&conn->conns->tally.reads, 1);
    if (conn->conns->on_host) {
        give_on_host(conn, nread, data);
    } else {
        tlr_conn_handler(conn)->on_read(conn, nread, data);
    }
}

/* What is wanted is among what is kept, and is lent from now on. */
static char *lend_kept(struct tlr_conn *conn, size_t length)
{
    struct tlr_buffers *buffers = &conn->conns->buffers;
    struct tlr_input *input = input_of(conn);
    char *data = tlr_input_data(input);

    tlr_buffers_lend_taken(buffers, input->buffer);
    tlr_input_consume(input, buffers, length);
    return data;
}

/* Called by the port; over the trampoline already, if there is one. */
void tlr_reading_deliver(struct tlr_conn *conn)
{
    struct tlr_conns *conns = conn->conns;
    ssize_t length;
    char *data;

    if (conn->read_status != TLR_READ_READY) {
        tlr_conn_handler(conn)->on_read(conn, conn->read_status, NULL);
        return;
    }
    length = tlr_input_match(input_of(conn), tlr_input_data(input_of(conn)),
                             tlr_input_length(input_of(conn)));
    TLR_CHECK(length > 0); /* it did when it was asked for */
    data = lend_kept(conn, (size_t)length);
    tlr_tally_add(&conns->tally.reads, 1);
    tlr_conn_handler(conn)->on_read(conn, length, data);
    tlr_buffers_return_lent(&conns->buffers);
}

/* ---- receiving ------------------------------------------------------ */

/*
 * If much is still missing it is read to where it belongs. Else a whole buffer of
 * the loop's is read, though it has to be copied: there may be more to come than
 * this read needs.
 */
static bool reads_in_place(const struct tlr_conn *conn)
{
    const struct tlr_input *input = input_of(conn);

    return conn->reading == TLR_READ_ASKED && keeps_input(conn) &&
           input->buffer->size - input->end >= conn->conns->buffers.size;
}

static TLR_APART void lend_other(struct tlr_conn *conn, uv_buf_t *buf)
{
    struct tlr_conns *conns = conn->conns;
    struct tlr_input *input = input_of(conn);

    if (reads_in_place(conn)) {
        tlr_buffers_lend_taken(&conns->buffers, input->buffer);
        *buf = uv_buf_init(input->buffer->data + input->end,
                           input->buffer->size - input->end);
    } else if (tlr_buffers_lend(&conns->buffers) != NULL) {
        *buf = uv_buf_init(conns->buffers.lent->data,
                           (unsigned)conns->buffers.size);
    } else if (conn->reading == TLR_READ_DROPPED) {
        *buf = uv_buf_init(conns->sink, sizeof(conns->sink));
    } else {
        *buf = uv_buf_init(NULL, 0);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct tlr_conn *conn = TLR_CONTAINER_OF(handle, struct tlr_conn, uv);
    struct tlr_buffers *buffers = &conn->conns->buffers;

    (void)suggested; /* libuv always suggests 64 KiB */
    if ((conn->flags & TLR_CONN_EXTRA) == 0 && buffers->free != NULL) {
        /* the usual case, without a call */
        buf->base = tlr_buffers_lend_free(buffers)->data;
        buf->len = (unsigned)buffers->size;
    } else {
        lend_other(conn, buf);
    }
}

/* A read that cannot complete with data; the next one may. */
static void fail_read(struct tlr_conn *conn, int status)
{
    conn->read_status = (int16_t)status;
    tlr_conn_complete(conn, TLR_DONE_READ);
}

/* Of this read only: the next one may have more luck. */
static void stop_and_fail_read(struct tlr_conn *conn, int status)
{
    (void)uv_read_stop(&conn->uv.stream); /* always 0; else it tries again */
    conn->reading = TLR_READ_STOPPED;
    fail_read(conn, status);
}

void tlr_reading_time_out(struct tlr_conn *conn)
{
    stop_and_fail_read(conn, UV_ETIMEDOUT);
}

static void failed(struct tlr_conn *conn, ssize_t status)
{
    enum tlr_reading before = (enum tlr_reading)conn->reading;

    if (status == UV_ENOBUFS && before == TLR_READ_ASKED) {
        stop_and_fail_read(conn, UV_ENOBUFS);
        return;
    }
    end_of_reading(conn, status);
    if (before == TLR_READ_ASKED) {
        tlr_conn_complete(conn, TLR_DONE_READ);
    } else if (status != UV_EOF) {
        tlr_reading_lose(conn);
    } else if (conn->state == TLR_CONN_LINGERING) {
        tlr_conn_close_handle(conn);
    }
}

/*
 * Bytes that could not be kept are lost, and so is the sense of what follows
 * them: an error of the connection.
 */
static bool keep(struct tlr_conn *conn, const char *data, size_t length)
{
    int err = tlr_input_append(input_of(conn), &conn->conns->buffers, data,
                               length);

    if (err != 0) {
        (void)uv_read_stop(&conn->uv.stream); /* always 0 */
        end_of_reading(conn, err);
        tlr_conn_complete(conn, TLR_DONE_READ);
    }
    return err == 0;
}

/* There is something new at the end of what is kept. */
static void look_at_kept(struct tlr_conn *conn)
{
    struct tlr_input *input = input_of(conn);
    ssize_t length = tlr_input_match(input, tlr_input_data(input),
                                     tlr_input_length(input));

    if (length == 0) {
        return; /* still ASKED */
    }
    conn->reading = TLR_READ_PAUSED;
    if (length < 0) {
        fail_read(conn, (int)length);
        return;
    }
    tlr_buffers_return_lent(&conn->conns->buffers);
    give(conn, (ssize_t)length, lend_kept(conn, (size_t)length));
}

/* Data in the lent buffer, and nothing is kept. */
static void look_at_lent(struct tlr_conn *conn, char *data, size_t length)
{
    ssize_t wanted = tlr_input_match(input_of(conn), data, length);

    if (wanted > 0) {
        if ((size_t)wanted < length &&
            !keep(conn, data + wanted, length - (size_t)wanted)) {
            return;
        }
        input_of(conn)->scanned = 0;
        conn->reading = TLR_READ_PAUSED;
        give(conn, wanted, data);
    } else if (keep(conn, data, length) && wanted < 0) {
        conn->reading = TLR_READ_PAUSED;
        fail_read(conn, (int)wanted);
    }
}

static void received(struct tlr_conn *conn, char *data, size_t length)
{
    struct tlr_input *input;

    tlr_tally_add(&conn->conns->tally.bytes_in, length);
    if ((conn->flags & (TLR_CONN_EXTRA | TLR_CONN_TIMED)) == 0) {
        conn->reading = TLR_READ_PAUSED; /* the usual case */
        give(conn, (ssize_t)length, data);
        return;
    }
    if ((conn->flags & TLR_CONN_TIMED) != 0) {
        tlr_timeouts_active(conn);
    }
    input = input_of(conn);
    if (input == NULL) {
        conn->reading = TLR_READ_PAUSED;
        give(conn, (ssize_t)length, data);
    } else if (input->buffer == NULL) {
        look_at_lent(conn, data, length);
    } else if (data == input->buffer->data + input->end) {
        input->end += (uint32_t)length;
        look_at_kept(conn);
    } else if (keep(conn, data, length)) {
        look_at_kept(conn);
    }
}

/*
 * libuv takes a reset for an end if data came right before it. The system tells
 * of a reset once, and that may have been in a write.
 */
static int end_or_error(const struct tlr_conn *conn)
{
    int err = tlr_writing_error(conn);

    if (err == 0) {
        err = tlr_handoff_pending_error(&conn->uv.tcp);
    }
    return err == 0 ? UV_EOF : err;
}

static void on_data(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct tlr_conn *conn = TLR_CONTAINER_OF(stream, struct tlr_conn, uv);
    struct tlr_conns *conns = conn->conns;

    tlr_port_enter(&conns->port);
    if (nread == UV_EOF) {
        failed(conn, end_or_error(conn));
    } else if (nread < 0) {
        failed(conn, nread);
    } else if (nread > 0 && conn->reading == TLR_READ_ASKED) {
        received(conn, buf->base, (size_t)nread);
    } /* 0 is libuv's EAGAIN; and what is dropped is not counted either */
    tlr_buffers_return_lent(&conns->buffers);
    tlr_port_leave(&conns->port);
    if (conn->reading == TLR_READ_PAUSED) {
        (void)uv_read_stop(stream); /* always 0 */
        conn->reading = TLR_READ_STOPPED;
    }
}

/* ---- asking --------------------------------------------------------- */

static int check_read(const struct tlr_conn *conn)
{
    tlr_conn_check_thread(conn);
    if (conn->state != TLR_CONN_OPEN) {
        return UV_EBADF;
    }
    return conn->reading == TLR_READ_ASKED ||
                   (conn->done & TLR_DONE_READ) != 0
               ? UV_EBUSY
               : 0;
}

/* Of what is kept. */
static bool complete_from_kept(struct tlr_conn *conn)
{
    struct tlr_input *input = input_of(conn);
    ssize_t length;

    if (!keeps_input(conn)) {
        return false;
    }
    length = tlr_input_match(input, tlr_input_data(input),
                             tlr_input_length(input));
    if (length != 0) {
        fail_read(conn, length > 0 ? TLR_READ_READY : (int)length);
    }
    return length != 0;
}

/* The end, or the error, that reading has come to: told as often as asked. */
static void complete_at_end(struct tlr_conn *conn)
{
    const struct tlr_extra *extra = tlr_conn_has_extra(conn);

    if (extra != NULL) {
        conn->read_status = (int16_t)extra->end_status;
    }
    tlr_conn_complete(conn, TLR_DONE_READ);
}

static void ask(struct tlr_conn *conn)
{
    int err;

    if ((conn->flags & TLR_CONN_TIMED) != 0 && !tlr_timeouts_asked(conn)) {
        fail_read(conn, UV_ETIMEDOUT); /* once more */
        return;
    }
    if (complete_from_kept(conn)) {
        return;
    }
    if (conn->reading == TLR_READ_ENDED) {
        complete_at_end(conn);
        return;
    }
    if (keeps_input(conn)) {
        tlr_input_shrink(input_of(conn), &conn->conns->buffers);
    }
    if (conn->reading == TLR_READ_STOPPED) {
        err = start_reading(conn);
        if (err != 0) {
            end_of_reading(conn, err);
            tlr_conn_complete(conn, TLR_DONE_READ);
            return;
        }
    }
    conn->reading = TLR_READ_ASKED;
}

static int read_some(struct tlr_conn *conn)
{
    int err = check_read(conn);

    if (err != 0) {
        return err;
    }
    if ((conn->flags & TLR_CONN_EXTRA) != 0) {
        tlr_conn_the_extra(conn)->input.wanted = TLR_WANT_SOME;
    }
    ask(conn);
    return 0;
}

int tlr_read(struct tlr_conn *conn)
{
    if (conn->state == TLR_CONN_OPEN && conn->reading == TLR_READ_PAUSED &&
        (conn->done & TLR_DONE_READ) == 0 &&
        (conn->flags & (TLR_CONN_EXTRA | TLR_CONN_TIMED)) == 0) {
        tlr_conn_check_thread(conn);
        conn->reading = TLR_READ_ASKED; /* the usual case of ask() */
        return 0;
    }
    return read_some(conn);
}

/* For a read that wants something: where to say what. */
static int want(struct tlr_conn *conn, enum tlr_wanted wanted, size_t size,
                struct tlr_input **input)
{
    int err = check_read(conn);

    if (err != 0) {
        return err;
    }
    if (size > TLR_READ_MOST) {
        return UV_EINVAL;
    }
    if (tlr_conn_extra(conn) == NULL) {
        return UV_ENOMEM;
    }
    *input = &tlr_conn_the_extra(conn)->input;
    (*input)->wanted = (uint8_t)wanted;
    (*input)->size = (uint32_t)size;
    (*input)->scanned = 0;
    return 0;
}

int tlr_read_exactly(struct tlr_conn *conn, size_t size)
{
    struct tlr_input *input;
    int err = size == 0 ? UV_EINVAL : want(conn, TLR_WANT_SIZE, size, &input);

    if (err == 0) {
        ask(conn);
    }
    return err;
}

int tlr_read_until(struct tlr_conn *conn, const void *delimiter,
                   size_t length, size_t most)
{
    struct tlr_input *input;
    int err;

    if (length == 0 || length > TLR_DELIMITER_MOST || most < length) {
        return UV_EINVAL;
    }
    err = want(conn, TLR_WANT_DELIMITER, most, &input);
    if (err == 0) {
        input->length = (uint8_t)length;
        memcpy(input->delimiter, delimiter, length);
        ask(conn);
    }
    return err;
}
