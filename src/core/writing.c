/* SPDX-License-Identifier: MIT */
/*
 * The writes of a connection.
 *
 * Each is tried at once, and mostly that is all. What the kernel does not take
 * is left to libuv: one request at a time, allocated for as long as it takes.
 * Behind it, what more is sent waits in a struct tlr_output; when the request is
 * done the next ones become one request together.
 *
 * An error loses all that waits, and is told once. Nothing may be written after
 * it: the peer would take what comes behind the missing bytes for them.
 */
#include "conn.h"

#include <string.h>

#include "apart.h"
#include "check.h"
#include "handoff.h"
#include "timeouts.h"
#include "watchers.h"

static struct tlr_output *output_of(const struct tlr_conn *conn)
{
    struct tlr_extra *extra = tlr_conn_has_extra(conn);

    return extra != NULL ? &extra->output : NULL;
}

/* ---- water marks ---------------------------------------------------- */

static size_t queued(const struct tlr_conn *conn)
{
    const struct tlr_output *output = output_of(conn);

    return uv_stream_get_write_queue_size(&conn->uv.stream) +
           (output != NULL ? output->waiting : 0);
}

size_t tlr_conn_queued(const struct tlr_conn *conn)
{
    return queued(conn);
}

/* The other one is not due any more if it was not delivered yet. */
static void cross(struct tlr_conn *conn, enum tlr_done mark,
                  enum tlr_done other)
{
    conn->flags ^= TLR_CONN_HIGH;
    if ((conn->done & other) != 0) {
        conn->done &= (uint8_t)~other;
    } else {
        tlr_conn_complete(conn, mark);
    }
}

static void check_water(struct tlr_conn *conn)
{
    const struct tlr_config *config = conn->conns->config;
    bool high = (conn->flags & TLR_CONN_HIGH) != 0;

    if (!high && queued(conn) >= config->high_water) {
        cross(conn, TLR_DONE_HIGH, TLR_DONE_LOW);
    } else if (high && queued(conn) <= config->low_water) {
        cross(conn, TLR_DONE_LOW, TLR_DONE_HIGH);
    }
}

/* ---- what is queued ------------------------------------------------- */

static bool may_queue(struct tlr_conn *conn, size_t size)
{
    struct tlr_conns *conns = conn->conns;
    const struct tlr_config *config = conns->config;

    if (config->budget == NULL ||
        tlr_budget_allows(config->budget, &conns->spending, queued(conn),
                          size)) {
        return true;
    }
    tlr_tally_add(&conns->tally.queue_refused, 1);
    tlr_config_warn(config, TLR_WARNING_QUEUED, 0);
    return false;
}

/* The connections of the loop have so many bytes more. */
static void count_queued(struct tlr_conns *conns, size_t more)
{
    tlr_tally_add(&conns->tally.queued, more);
    if (conns->config->budget != NULL) {
        tlr_budget_update(conns->config->budget, &conns->spending,
                          tlr_tally_get(&conns->tally.queued) +
                              conns->buffers.kept,
                          conns->spending.holders);
    }
}

/* What is not of this side, nor EPIPE: that is a reset behind the peer's FIN. */
static bool is_reset(int err)
{
    return err != 0 && err != UV_ENOMEM && err != UV_ENOBUFS &&
           err != UV_ENOSPC && err != UV_EIO && err != UV_EPIPE;
}

static void tear(struct tlr_conn *conn, enum tlr_cause cause, int err)
{
    conn->cause = (uint8_t)cause;
    conn->flags |= TLR_CONN_TORN | (is_reset(err) ? TLR_CONN_RESET : 0);
    if (conn->writing == TLR_WRITE_IDLE) {
        conn->writing = TLR_WRITE_ENDED;
    } /* else end_queue() does */
}

/* A request is under way. */
static void begin_queue(struct tlr_conn *conn)
{
    conn->writing = TLR_WRITE_QUEUED;
    conn->conns->spending.holders++;
    if ((conn->flags & TLR_CONN_TIMED) != 0) {
        tlr_timeouts_queued(conn);
    }
}

static void end_window(struct tlr_conn *conn)
{
    if ((conn->flags & TLR_CONN_TIMED) != 0) {
        tlr_timeouts_flushed(conn);
    }
}

/* None is any more. */
static void end_queue(struct tlr_conn *conn)
{
    conn->conns->spending.holders--;
    end_window(conn);
    conn->writing = (conn->flags & TLR_CONN_TORN) != 0 ? TLR_WRITE_ENDED
                                                       : TLR_WRITE_IDLE;
}

/* The kernel has taken so many bytes at once. */
static void count_taken(struct tlr_conn *conn, size_t size)
{
    tlr_tally_add(&conn->conns->tally.bytes_out, size);
    if (size > 0 && (conn->flags & TLR_CONN_TIMED) != 0) {
        tlr_timeouts_active(conn);
    }
}

/* ---- completing ----------------------------------------------------- */

static void complete_write(struct tlr_conn *conn, int status)
{
    if (status == 0) {
        tlr_tally_add(&conn->conns->tally.writes, 1);
    } else if (conn->state == TLR_CONN_OPEN) {
        tear(conn, TLR_CLOSED_BY_ERROR, status);
    }
    conn->write_status = (int16_t)status;
    tlr_conn_complete(conn, TLR_DONE_WRITE);
}

static void complete_shutdown(struct tlr_conn *conn, int status)
{
    conn->writing = TLR_WRITE_ENDED;
    conn->shutdown_status = (int16_t)status;
    tlr_conn_complete(conn, TLR_DONE_SHUTDOWN);
}

static void on_fin_sent(uv_shutdown_t *req, int status)
{
    struct tlr_conn *conn =
        TLR_CONTAINER_OF(req, struct tlr_conn, req.shutdown);
    struct tlr_port *port = &conn->conns->port;

    tlr_port_enter(port);
    if (conn->writing == TLR_WRITE_FIN) {
        complete_shutdown(conn, status);
    }
    conn->writing = TLR_WRITE_ENDED;
    end_window(conn);
    if (conn->state == TLR_CONN_FLUSHING ||
        conn->state == TLR_CONN_FINISHING) {
        if (status == 0) {
            tlr_conn_linger(conn);
        } else {
            tlr_conn_close_handle(conn);
        }
    }
    tlr_port_leave(port);
}

int tlr_writing_send_fin(struct tlr_conn *conn, enum tlr_writing why)
{
    int err = uv_shutdown(&conn->req.shutdown, &conn->uv.stream, on_fin_sent);

    if (err == 0) {
        conn->writing = (uint8_t)why;
        if ((conn->flags & TLR_CONN_TIMED) != 0) {
            tlr_timeouts_queued(conn);
        }
    }
    return err;
}

int tlr_writing_error(const struct tlr_conn *conn)
{
    int err = 0;

    if ((conn->flags & TLR_CONN_RESET) != 0) {
        err = UV_ECONNRESET;
    } else if (tlr_writing_is_queued(conn)) {
        err = tlr_handoff_write_error(&tlr_conn_request(conn)->uv.write);
    }
    return is_reset(err) ? err : 0;
}

bool tlr_writing_under_way(const struct tlr_conn *conn)
{
    return tlr_writing_is_queued(conn) || conn->writing == TLR_WRITE_FIN;
}

int tlr_shutdown(struct tlr_conn *conn)
{
    int err;

    tlr_conn_check_thread(conn);
    if (conn->state != TLR_CONN_OPEN) {
        return UV_EBADF;
    }
    if ((conn->flags & TLR_CONN_TORN) != 0) {
        return UV_EPIPE;
    }
    if (conn->writing == TLR_WRITE_QUEUED) {
        conn->writing = TLR_WRITE_QUEUED_FIN;
        return 0;
    }
    if (conn->writing != TLR_WRITE_IDLE) {
        return UV_EPIPE;
    }
    err = tlr_writing_send_fin(conn, TLR_WRITE_FIN);
    if (err != 0) {
        complete_shutdown(conn, err);
    }
    return 0;
}

/* ---- one request after the other ------------------------------------ */

static void on_written(uv_write_t *req, int status);

/* libuv calls back what it has written while it destroys the handle. */
static bool is_closing(const struct tlr_conn *conn)
{
    return conn->state >= TLR_CONN_CLOSING;
}

/* What comes after the last queued write. */
static void after_writes(struct tlr_conn *conn, int status)
{
    enum tlr_writing was = (enum tlr_writing)conn->writing;

    end_queue(conn);
    if (status == 0 && is_closing(conn)) {
        status = UV_ECANCELED;
    }
    if (was == TLR_WRITE_QUEUED_FIN) {
        if (status == 0) {
            status = tlr_writing_send_fin(conn, TLR_WRITE_FIN);
        }
        if (status != 0) {
            complete_shutdown(conn, status);
        }
    }
    if (conn->state == TLR_CONN_FLUSHING && status != 0) {
        tlr_conn_abort(conn, TLR_CLOSED_BY_ERROR); /* no end in order */
    } else if (conn->state == TLR_CONN_FLUSHING &&
               conn->writing != TLR_WRITE_FIN) {
        tlr_conn_finish(conn);
    }
}

/* One that is done: the program hears of its own writes, and of errors. */
static void shift(struct tlr_conn *conn, struct tlr_output *output, int status)
{
    struct tlr_conns *conns = conn->conns;
    struct tlr_buffer *shared = output->first->shared;
    size_t size = output->first->size;
    unsigned writes = output->first->writes;
    bool borrowed = tlr_output_shift(output, &conns->config->allocator);

    tlr_tally_add(&conns->tally.queued, 0 - (uint64_t)size);
    if (shared != NULL) {
        tlr_buffers_unshare(&conns->buffers, shared);
    }
    if (borrowed || status != 0) {
        complete_write(conn, status);
    } else {
        tlr_tally_add(&conn->conns->tally.writes, writes);
    }
}

/* If it is not read from, the kernel may not know it, or not any more. */
static int start_request(struct tlr_conn *conn, const uv_buf_t *buffers,
                         unsigned count)
{
    struct tlr_request *request = tlr_conn_take_request(conn);
    int err = 0;

    if (request == NULL) {
        return UV_ENOMEM;
    }
    if (conn->reading == TLR_READ_STOPPED) {
        err = tlr_watchers_add_stream(&conn->uv.stream);
    } else if (conn->reading == TLR_READ_ENDED &&
               conn->cause != TLR_CLOSED_BY_ERROR) {
        err = tlr_watchers_add(&conn->uv.handle);
    }
    if (err == 0) {
        err = tlr_handoff_write(&request->uv.write, &conn->uv.stream, buffers,
                                count, on_written);
    }
    if (err != 0) {
        tlr_conn_drop_request(conn);
    }
    return err;
}

static int start_next(struct tlr_conn *conn, struct tlr_output *output)
{
    unsigned chunks = tlr_output_next(output);
    const struct tlr_chunk *chunk = output->first;
    uv_buf_t several[TLR_CHUNKS_AT_ONCE];
    const uv_buf_t *buffers = several;
    unsigned count = chunks;
    unsigned i;

    if (chunk->capacity == 0) { /* the program's, alone */
        buffers = chunk->buffers;
        count = chunk->count;
    } else {
        for (i = 0; i < chunks; i++, chunk = chunk->next) {
            several[i] = chunk->buffers[0];
        }
    }
    conn->rest = (uint32_t)tlr_output_start(output, chunks);
    return start_request(conn, buffers, count);
}

/* The request is done; the chunks that it was made of, and what is next. */
static int go_on(struct tlr_conn *conn, struct tlr_output *output, int status)
{
    while (output->under_way > 0) {
        shift(conn, output, status);
    }
    if (status == 0 && output->first != NULL) {
        status = is_closing(conn) ? UV_ECANCELED : start_next(conn, output);
    }
    while (status != 0 && output->first != NULL) {
        shift(conn, output, status);
    }
    return status;
}

static void on_written(uv_write_t *req, int status)
{
    struct tlr_conn *conn =
        TLR_CONTAINER_OF(req->handle, struct tlr_conn, uv.stream);
    struct tlr_conns *conns = conn->conns;
    struct tlr_output *output = output_of(conn);
    struct tlr_request *request = tlr_conn_request(conn);
    struct tlr_buffer *shared = request->shared;
    bool direct = output == NULL || output->under_way == 0;

    tlr_port_enter(&conns->port);
    request->shared = NULL; /* it may be the next one's */
    if (status == 0 && !tlr_handoff_all_written(req)) {
        status = UV_EIO;
    } else if (status == UV_ECANCELED && !is_closing(conn)) {
        status = UV_ECONNRESET; /* libuv has that word for WSAECONNABORTED */
    }
    if (status == 0) {
        tlr_tally_add(&conns->tally.bytes_out, conn->rest);
        if ((conn->flags & TLR_CONN_TIMED) != 0) {
            tlr_timeouts_written(conn, conn->rest);
        }
    }
    if (direct) {
        tlr_tally_add(&conns->tally.queued, 0 - (uint64_t)conn->rest);
        complete_write(conn, status);
    }
    if (output != NULL) {
        status = go_on(conn, output, status);
    }
    if (shared != NULL) {
        tlr_buffers_unshare(&conns->buffers, shared);
    }
    if (output == NULL || output->first == NULL) {
        tlr_conn_drop_request(conn);
        after_writes(conn, status);
    }
    count_queued(conns, 0);
    check_water(conn);
    tlr_port_leave(&conns->port);
}

/* ---- asking --------------------------------------------------------- */

static int check_open(const struct tlr_conn *conn)
{
    tlr_conn_check_thread(conn);
    if (conn->state != TLR_CONN_OPEN) {
        return UV_EBADF;
    }
    return (conn->writing != TLR_WRITE_IDLE &&
            conn->writing != TLR_WRITE_QUEUED) ||
                   (conn->flags & TLR_CONN_TORN) != 0
               ? UV_EPIPE
               : 0;
}

static bool has_queued_write(const struct tlr_conn *conn)
{
    const struct tlr_output *output = output_of(conn);
    const struct tlr_chunk *chunk;

    if (output == NULL || output->under_way == 0) {
        return true;
    }
    for (chunk = output->first; chunk != NULL; chunk = chunk->next) {
        if (chunk->capacity == 0) {
            return true;
        }
    }
    return false;
}

/* A tlr_write() that has not been completed, and told. */
static bool has_write(const struct tlr_conn *conn)
{
    return (conn->done & TLR_DONE_WRITE) != 0 ||
           (conn->writing == TLR_WRITE_QUEUED && has_queued_write(conn));
}

static bool sum_up(const uv_buf_t *buffers, unsigned count, size_t *size)
{
    unsigned i;

    *size = 0;
    if (count > TLR_WRITE_BUFFERS_MOST) {
        return false;
    }
    for (i = 0; i < count; i++) {
        if (buffers[i].len > TLR_WRITE_MOST - *size) {
            return false;
        }
        *size += buffers[i].len;
    }
    return true;
}

/*
 * What the kernel takes of it now, 0 if nothing. ENOBUFS is Winsock's word for
 * a moment without memory: queued, the write waits for some.
 */
static int try_write(struct tlr_conn *conn, const uv_buf_t *buffers,
                     unsigned count)
{
    int written = uv_try_write(&conn->uv.stream, buffers, count);

    return written == UV_EAGAIN || written == UV_ENOBUFS ? 0 : written;
}

/* The beginning, where not too much may be offered. */
static TLR_APART int write_some(struct tlr_conn *conn, const uv_buf_t *buffers)
{
    uv_buf_t some;

    while (buffers->len == 0) {
        buffers++;
    }
    some = *buffers;
    if (some.len > tlr_handoff_write_at_once) {
        some.len = tlr_handoff_write_at_once;
    }
    return try_write(conn, &some, 1);
}

static int write_at_once(struct tlr_conn *conn, const uv_buf_t *buffers,
                         unsigned count, size_t size)
{
    if (size == 0) {
        return 0;
    }
    return size > tlr_handoff_write_at_once ? write_some(conn, buffers)
                                            : try_write(conn, buffers, count);
}

/* Skips what has been written. Returns how many buffers are left. */
static unsigned skip(uv_buf_t *buffers, unsigned count, size_t written)
{
    unsigned done = 0;
    unsigned i;

    while (done < count && written >= buffers[done].len) {
        written -= buffers[done++].len;
    }
    for (i = done; i < count; i++) {
        buffers[i - done] = buffers[i];
    }
    count -= done;
    if (count > 0) {
        buffers[0] =
            uv_buf_init(buffers[0].base + written,
                        (unsigned)(buffers[0].len - written));
    }
    return count;
}

/* The loop's buffer that some of these lie in, shared until they are written. */
static struct tlr_buffer *share(struct tlr_conn *conn, const uv_buf_t *buffers,
                                unsigned count)
{
    struct tlr_buffer *shared = NULL;
    unsigned i;

    for (i = 0; i < count && shared == NULL; i++) {
        shared = tlr_buffers_share(&conn->conns->buffers, buffers[i].base);
    }
    return shared;
}

static void stop_sharing(struct tlr_conn *conn, struct tlr_buffer *shared)
{
    if (shared != NULL) {
        tlr_buffers_unshare(&conn->conns->buffers, shared);
        count_queued(conn->conns, 0);
    }
}

/* Whether so many bytes may be queued, which keep `shared`. If not it is lost. */
static bool admit_write(struct tlr_conn *conn, struct tlr_buffer *shared,
                        size_t size)
{
    count_queued(conn->conns, 0);
    if (may_queue(conn, size)) {
        return true;
    }
    stop_sharing(conn, shared);
    complete_write(conn, UV_ENOBUFS);
    conn->cause = TLR_CLOSED_BY_QUEUED;
    return false;
}

/* The kernel did not take all of it: libuv waits until it takes the rest. */
static void queue_write(struct tlr_conn *conn, const uv_buf_t *buffers,
                        unsigned count, size_t size)
{
    struct tlr_buffer *shared = share(conn, buffers, count);
    int err;

    if (!admit_write(conn, shared, size)) {
        return;
    }
    conn->rest = (uint32_t)size;
    err = start_request(conn, buffers, count);
    if (err != 0) {
        stop_sharing(conn, shared);
        complete_write(conn, err);
        return;
    }
    tlr_conn_request(conn)->shared = shared;
    begin_queue(conn);
    count_queued(conn->conns, size);
    check_water(conn);
}

/* A part of it is written, and the array is the program's: so a copy of that. */
static void queue_rest(struct tlr_conn *conn, const uv_buf_t *buffers,
                       unsigned count, size_t size, size_t written)
{
    uv_buf_t rest[TLR_WRITE_BUFFERS_MOST];

    memcpy(rest, buffers, count * sizeof(*rest));
    count = skip(rest, count, written);
    queue_write(conn, rest, count, size - written);
}

static TLR_APART int write_rest(struct tlr_conn *conn, const uv_buf_t *buffers,
                                unsigned count, size_t size, int written)
{
    if (written < 0) {
        complete_write(conn, written);
        return 0;
    }
    count_taken(conn, (size_t)written);
    if (written == 0) {
        queue_write(conn, buffers, count, size);
    } else {
        queue_rest(conn, buffers, count, size, (size_t)written);
    }
    return 0;
}

static inline int write_now(struct tlr_conn *conn, const uv_buf_t *buffers,
                            unsigned count, size_t size)
{
    int written = write_at_once(conn, buffers, count, size);

    if (written < 0 || (size_t)written != size) {
        return write_rest(conn, buffers, count, size, written);
    }
    tlr_tally_add(&conn->conns->tally.bytes_out, size);
    complete_write(conn, 0);
    return 0;
}

/*
 * Behind what tlr_send() has queued. libuv wants one buffer at least, and adds to
 * its base, which must not be NULL for that.
 */
static int write_later(struct tlr_conn *conn, const uv_buf_t *buffers,
                       unsigned count, size_t size)
{
    struct tlr_buffer *shared = share(conn, buffers, count);
    static char none;
    const uv_buf_t nothing = uv_buf_init(&none, 0);
    int err;

    if (!admit_write(conn, shared, size)) {
        return 0;
    }
    err = tlr_output_borrow(&tlr_conn_the_extra(conn)->output,
                            &conn->conns->config->allocator,
                            count == 0 ? &nothing : buffers,
                            count == 0 ? 1 : count, shared);
    if (err == 0) {
        count_queued(conn->conns, size);
    } else {
        stop_sharing(conn, shared);
    }
    check_water(conn);
    return err;
}

static int check_write(const struct tlr_conn *conn)
{
    int err = check_open(conn);

    return err == 0 && has_write(conn) ? UV_EBUSY : err;
}

int tlr_writev(struct tlr_conn *conn, const uv_buf_t *buffers, unsigned count)
{
    size_t size;
    int err = check_write(conn);

    if (err != 0) {
        return err;
    }
    if (!sum_up(buffers, count, &size)) {
        return UV_EINVAL;
    }
    return conn->writing == TLR_WRITE_QUEUED
               ? write_later(conn, buffers, count, size)
               : write_now(conn, buffers, count, size);
}

/* As tlr_writev(), but the usual case does not pay for that. */
int tlr_write(struct tlr_conn *conn, const void *data, size_t size)
{
    uv_buf_t buffer;

    buffer.base = (char *)data;
    buffer.len = (unsigned)size;
    tlr_conn_check_thread(conn);
    if (size > TLR_WRITE_MOST) {
        return UV_EINVAL;
    }
    if (conn->state != TLR_CONN_OPEN || conn->writing != TLR_WRITE_IDLE ||
        (conn->done & TLR_DONE_WRITE) != 0) {
        return tlr_writev(conn, &buffer, 1);
    }
    return write_now(conn, &buffer, 1, size);
}

/* ---- sending -------------------------------------------------------- */

static int send_later(struct tlr_conn *conn, const char *data, size_t size)
{
    const struct tlr_config *config = conn->conns->config;
    struct tlr_extra *extra = tlr_conn_extra(conn);
    int err = extra == NULL ? UV_ENOMEM
                            : tlr_output_copy(&extra->output,
                                              &config->allocator, data, size);

    if (err == 0) {
        count_queued(conn->conns, size);
    }
    return err;
}

/*
 * Not if nothing is queued: a request under way may have written all of it, and
 * its callback is still to come.
 */
static bool is_too_much(const struct tlr_conn *conn, size_t size)
{
    size_t before = queued(conn);

    return before > 0 && before + size > conn->conns->config->send_queue;
}

/* A part of it may have gone, and the rest cannot follow. */
static int fail_send(struct tlr_conn *conn, int err)
{
    tear(conn, TLR_CLOSED_BY_ERROR, err);
    return err;
}

static int send_rest(struct tlr_conn *conn, const char *data, size_t size)
{
    struct tlr_output *output;
    int err = send_later(conn, data, size);

    if (err != 0) {
        return fail_send(conn, err);
    }
    output = &tlr_conn_the_extra(conn)->output;
    err = start_next(conn, output);
    if (err != 0) {
        (void)tlr_output_shift(output, &conn->conns->config->allocator);
        count_queued(conn->conns, 0 - size);
        return fail_send(conn, err);
    }
    begin_queue(conn);
    return 0;
}

/* Of what was begun: then no more may follow, or of what was not. */
static int refuse_send(struct tlr_conn *conn, bool begun)
{
    if (!begun) {
        return UV_ENOBUFS;
    }
    tear(conn, TLR_CLOSED_BY_QUEUED, UV_ENOBUFS);
    return UV_ENOMEM;
}

static int send_now(struct tlr_conn *conn, const char *data, size_t size)
{
    uv_buf_t buffer = uv_buf_init((char *)data, (unsigned)size);
    int written = write_at_once(conn, &buffer, 1, size);

    if (written < 0) {
        return fail_send(conn, written);
    }
    count_taken(conn, (size_t)written);
    if ((size_t)written == size) {
        tlr_tally_add(&conn->conns->tally.writes, 1);
        return 0;
    }
    size -= (size_t)written;
    return may_queue(conn, size) ? send_rest(conn, data + written, size)
                                 : refuse_send(conn, written > 0);
}

int tlr_send(struct tlr_conn *conn, const void *data, size_t size)
{
    int err = check_open(conn);

    if (err != 0) {
        return err;
    }
    if (size > TLR_WRITE_MOST) {
        return UV_EINVAL;
    }
    if (size == 0) { /* queued, nothing would limit how many there are */
        tlr_tally_add(&conn->conns->tally.writes, 1);
        return 0;
    }
    if (conn->writing == TLR_WRITE_IDLE) {
        err = send_now(conn, data, size);
    } else if (is_too_much(conn, size) || !may_queue(conn, size)) {
        err = UV_ENOBUFS;
    } else {
        err = send_later(conn, data, size);
        if (err != 0) {
            err = fail_send(conn, err);
        }
    }
    check_water(conn);
    return err;
}
