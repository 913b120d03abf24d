/* SPDX-License-Identifier: MIT */
/*
 * The timeouts of a connection.
 *
 *     state        idle      read      write     lifetime  else
 *     CONNECTING   fails it  -         -         -
 *     OPEN         tells     tells     resets    tells     resets, once told
 *     FLUSHING     resets    -         resets    resets    resets, once told
 *     FINISHING    resets    -         resets    resets    resets, once told
 *     LINGERING    -         -         -         -         closes, after 5 s
 *
 * "Tells": the read that is asked for completes with UV_ETIMEDOUT, or the
 * connection is reset where none is; on_drain is called. What was told and is
 * not over after as long again (or after lifetime_grace) is reset. States not
 * named here have no timeouts: they last for one turn of the loop.
 *
 * How far a peer has got is what the kernel has taken of queued writes, less
 * what the peer has not acknowledged of it where the system tells: the kernel
 * may take megabytes in one go and then nothing for long, and both would say
 * nothing of the peer. Only differences count, and while a window is open nothing
 * is written past the queue; so the base of it does not matter.
 */
#include "timeouts.h"

#include "check.h"
#include "handoff.h"

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- what the peer takes -------------------------------------------- */

/* Of queued writes by the kernel, the part of the one under way included. */
static uint64_t taken(const struct tlr_conn *conn)
{
    const struct tlr_timeouts *timeouts = tlr_timeouts_of(conn);
    size_t left = uv_stream_get_write_queue_size(&conn->uv.stream);

    return timeouts->taken +
           (tlr_writing_is_queued(conn) && left < conn->rest ? conn->rest - left : 0);
}

static int64_t position(const struct tlr_conn *conn)
{
    return (int64_t)taken(conn) -
           (int64_t)tlr_handoff_unacknowledged(&conn->uv.tcp);
}

static void open_window(struct tlr_conn *conn)
{
    struct tlr_timeouts *timeouts = tlr_timeouts_of(conn);
    uint64_t owed = tlr_conn_queued(conn) +
                    tlr_handoff_unacknowledged(&conn->uv.tcp);
    uint64_t rate = conn->conns->config->write_rate;

    timeouts->open = true;
    timeouts->window = tlr_deadlines_clock() + timeouts->write;
    timeouts->begun_at = position(conn);
    timeouts->due = earlier(rate * timeouts->write / 1000, owed);
    if (timeouts->due == 0) {
        timeouts->due = 1;
    }
}

/* ---- setting the deadline ------------------------------------------- */

/* Time with progress that nobody told of counts as active till now. */
static uint64_t idle_due(struct tlr_conn *conn)
{
    struct tlr_timeouts *timeouts = tlr_timeouts_of(conn);
    uint64_t seen = taken(conn);

    if (timeouts->idle == 0 || timeouts->expires != TLR_NEVER) {
        return TLR_NEVER;
    }
    if (seen != timeouts->seen) {
        timeouts->seen = seen;
        timeouts->active = tlr_deadlines_clock();
    }
    return timeouts->active + timeouts->idle;
}

static uint64_t read_due(const struct tlr_conn *conn)
{
    const struct tlr_timeouts *timeouts = tlr_timeouts_of(conn);

    return timeouts->read != 0 && conn->state == TLR_CONN_OPEN &&
                   conn->reading == TLR_READ_ASKED
               ? timeouts->asked + timeouts->read
               : TLR_NEVER;
}

static uint64_t write_due(const struct tlr_conn *conn)
{
    const struct tlr_timeouts *timeouts = tlr_timeouts_of(conn);

    return timeouts->write != 0 && timeouts->open ? timeouts->window
                                                  : TLR_NEVER;
}

static bool has_timeouts(const struct tlr_conn *conn)
{
    return conn->state >= TLR_CONN_CONNECTING &&
           conn->state <= TLR_CONN_FINISHING;
}

/* To the earliest of what might be due, if it is not set to that or earlier. */
static void arm(struct tlr_conn *conn)
{
    struct tlr_deadlines *deadlines = &conn->conns->deadlines;
    struct tlr_timeouts *timeouts = tlr_timeouts_of(conn);
    uint64_t due = earlier(timeouts->ends, timeouts->expires);

    if (!has_timeouts(conn)) {
        return;
    }
    due = earlier(due, idle_due(conn));
    if (timeouts->idle != 0 && tlr_writing_is_queued(conn)) { /* to see what is taken */
        due = earlier(due, tlr_deadlines_clock() + timeouts->idle / 16 + 1);
    }
    due = earlier(due, read_due(conn));
    due = earlier(due, write_due(conn));
    if (due != TLR_NEVER &&
        tlr_deadlines_is_later(deadlines, &timeouts->deadline, due)) {
        tlr_deadlines_set(deadlines, &timeouts->deadline, due);
    }
}

/* ---- when they pass ------------------------------------------------- */

static void idle_passed(struct tlr_conn *conn)
{
    struct tlr_timeouts *timeouts = tlr_timeouts_of(conn);

    if (conn->state == TLR_CONN_CONNECTING) {
        tlr_connect_time_out(conn);
    } else if (conn->reading == TLR_READ_ASKED) {
        timeouts->expires = tlr_deadlines_clock() + timeouts->idle;
        tlr_conn_blame(conn, TLR_CLOSED_BY_IDLE);
        tlr_reading_time_out(conn);
    } else if ((conn->done & TLR_DONE_READ) != 0) {
        timeouts->active = tlr_deadlines_clock(); /* it has yet to be told of it */
    } else {
        tlr_conn_abort(conn, TLR_CLOSED_BY_IDLE);
    }
}

static void read_passed(struct tlr_conn *conn)
{
    struct tlr_timeouts *timeouts = tlr_timeouts_of(conn);

    timeouts->expires = tlr_deadlines_clock() + timeouts->read;
    tlr_conn_blame(conn, TLR_CLOSED_BY_READ);
    tlr_reading_time_out(conn);
}

static void window_passed(struct tlr_conn *conn)
{
    const struct tlr_timeouts *timeouts = tlr_timeouts_of(conn);
    int64_t progress = position(conn) - timeouts->begun_at;

    if (progress >= (int64_t)timeouts->due) {
        open_window(conn);
    } else {
        tlr_conn_abort(conn, TLR_CLOSED_BY_WRITE);
    }
}

static void life_passed(struct tlr_conn *conn)
{
    struct tlr_timeouts *timeouts = tlr_timeouts_of(conn);

    if (timeouts->ending) {
        tlr_conn_abort(conn, TLR_CLOSED_BY_LIFETIME);
        return;
    }
    timeouts->ending = true;
    timeouts->ends =
        tlr_deadlines_clock() + conn->conns->config->lifetime_grace;
    if (conn->state == TLR_CONN_OPEN) {
        tlr_conn_blame(conn, TLR_CLOSED_BY_LIFETIME);
        tlr_conn_drain(conn);
    }
}

static void look(struct tlr_conn *conn)
{
    const struct tlr_timeouts *timeouts = tlr_timeouts_of(conn);
    uint64_t now = uv_now(conn->conns->loop); /* or a little before it */

    if (timeouts->expires <= now) {
        tlr_conn_abort(conn, (enum tlr_cause)conn->cause);
    } else if (timeouts->ends <= now) {
        life_passed(conn);
    } else if (write_due(conn) <= now) {
        window_passed(conn);
    } else if (read_due(conn) <= now) {
        read_passed(conn);
    } else if (idle_due(conn) <= now) {
        idle_passed(conn);
    }
}

static void on_passed(struct tlr_deadline *deadline)
{
    struct tlr_conn *conn =
        TLR_CONTAINER_OF(deadline, struct tlr_timeouts, deadline)->conn;
    struct tlr_port *port = &conn->conns->port;

    tlr_port_enter(port);
    look(conn);
    arm(conn);
    tlr_port_leave(port);
}

/* ---- the life of a connection --------------------------------------- */

/* Marsaglia's xorshift: what it is for needs no better one. */
static uint64_t random_below(struct tlr_conns *conns, uint64_t limit)
{
    uint64_t x = conns->random;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    conns->random = x;
    return (x >> 11) % limit;
}

/* Of those that came together not all shall go together. */
static unsigned shortened(struct tlr_conns *conns, unsigned timeout)
{
    uint64_t most = (uint64_t)timeout * conns->config->jitter / 100;
    unsigned left = timeout - (unsigned)random_below(conns, most + 1);

    return left == 0 && timeout != 0 ? 1 : left;
}

void tlr_timeouts_init(struct tlr_conn *conn)
{
    struct tlr_conns *conns = conn->conns;
    struct tlr_timeouts *timeouts = tlr_timeouts_of(conn);

    timeouts->conn = conn;
    timeouts->deadline.passed = on_passed;
    timeouts->ends = TLR_NEVER;
    timeouts->expires = TLR_NEVER;
    timeouts->idle = shortened(conns, conns->config->idle_timeout);
    timeouts->read = conns->config->read_timeout;
    timeouts->write = conns->config->write_timeout;
}

void tlr_timeouts_connecting(struct tlr_conn *conn)
{
    tlr_timeouts_active(conn);
    arm(conn);
}

void tlr_timeouts_opened(struct tlr_conn *conn)
{
    struct tlr_conns *conns = conn->conns;
    struct tlr_timeouts *timeouts = tlr_timeouts_of(conn);
    unsigned lifetime = conns->config->max_lifetime;

    tlr_timeouts_active(conn);
    if (lifetime != 0 && !timeouts->own_life) {
        timeouts->ends = tlr_deadlines_clock() + shortened(conns, lifetime);
    }
    arm(conn);
}

bool tlr_timeouts_asked(struct tlr_conn *conn)
{
    struct tlr_timeouts *timeouts = tlr_timeouts_of(conn);

    timeouts->asked = tlr_deadlines_clock();
    if (timeouts->read != 0 &&
        tlr_deadlines_is_later(&conn->conns->deadlines, &timeouts->deadline,
                               timeouts->asked + timeouts->read)) {
        tlr_deadlines_set(&conn->conns->deadlines, &timeouts->deadline,
                          timeouts->asked + timeouts->read);
    }
    return timeouts->expires == TLR_NEVER;
}

void tlr_timeouts_queued(struct tlr_conn *conn)
{
    struct tlr_timeouts *timeouts = tlr_timeouts_of(conn);

    if (timeouts->write != 0 && !timeouts->open) {
        open_window(conn);
    }
    arm(conn);
}

void tlr_timeouts_written(struct tlr_conn *conn, size_t size)
{
    struct tlr_timeouts *timeouts = tlr_timeouts_of(conn);

    timeouts->taken += size;
    timeouts->seen = timeouts->taken;
    tlr_timeouts_active(conn);
}

void tlr_timeouts_flushed(struct tlr_conn *conn)
{
    tlr_timeouts_of(conn)->open = false;
}

bool tlr_timeouts_may_drain(struct tlr_conn *conn)
{
    struct tlr_timeouts *timeouts;

    if ((conn->flags & TLR_CONN_TIMED) == 0) {
        return true;
    }
    timeouts = tlr_timeouts_of(conn);
    if (timeouts->drained) {
        return false;
    }
    timeouts->drained = true;
    return true;
}

void tlr_timeouts_end(struct tlr_conn *conn)
{
    if ((conn->flags & TLR_CONN_TIMED) != 0) {
        tlr_deadlines_remove(&conn->conns->deadlines,
                             &tlr_timeouts_of(conn)->deadline);
    }
}

/* ---- one connection's own ------------------------------------------- */

static int set_timeout(struct tlr_conn *conn, enum tlr_timeout which,
                       unsigned milliseconds)
{
    struct tlr_timeouts *timeouts = tlr_timeouts_of(conn);

    switch (which) {
    case TLR_TIMEOUT_IDLE:
        timeouts->idle = milliseconds;
        break;
    case TLR_TIMEOUT_READ:
        timeouts->read = milliseconds;
        break;
    case TLR_TIMEOUT_WRITE:
        timeouts->write = milliseconds;
        if (milliseconds != 0 && tlr_writing_is_queued(conn)) {
            open_window(conn);
        }
        break;
    case TLR_TIMEOUT_LIFETIME:
        if (!timeouts->ending || conn->state == TLR_CONN_OPEN) {
            if (conn->cause == TLR_CLOSED_BY_LIFETIME) {
                conn->cause = TLR_NO_CAUSE;
            }
            timeouts->ending = false;
            timeouts->own_life = true;
            timeouts->ends = milliseconds == 0
                                 ? TLR_NEVER
                                 : tlr_deadlines_clock() + milliseconds;
        }
        break;
    default:
        return UV_EINVAL;
    }
    arm(conn);
    return 0;
}

int tlr_conn_set_timeout(struct tlr_conn *conn, enum tlr_timeout which,
                         unsigned milliseconds)
{
    tlr_conn_check_thread(conn);
    if ((conn->flags & TLR_CONN_TIMED) == 0) {
        return UV_ENOTSUP;
    }
    return conn->state < TLR_CONN_CLOSING
               ? set_timeout(conn, which, milliseconds)
               : UV_EBADF;
}
