/* SPDX-License-Identifier: MIT */
/*
 * The timeouts of a connection: behind it in memory, if the options ask for any
 * (TLR_CONN_TIMED). Used on its loop's thread only.
 *
 * Traffic does not touch the wheel: it leaves the time at which it came. When
 * the deadline passes, which is the earliest of what might be due then, it is
 * looked whether it is, and if not it is set again.
 */
#ifndef TLR_TIMEOUTS_H
#define TLR_TIMEOUTS_H

#include "conn.h"

/* Times are tlr_deadlines_clock(), or milliseconds. */
struct tlr_timeouts {
    struct tlr_deadline deadline;
    struct tlr_conn *conn;
    uint64_t active;    /* a byte was read, or the kernel took one */
    uint64_t asked;     /* the read that is under way was asked for */
    uint64_t ends;      /* its life; or TLR_NEVER */
    uint64_t expires;   /* after UV_ETIMEDOUT: the reset; or TLR_NEVER */
    uint64_t window;    /* the time in which the peer has to take `due` bytes */
    uint64_t due;
    int64_t begun_at;   /* position() at its beginning */
    uint64_t taken;     /* by the kernel, of writes that had to be queued */
    uint64_t seen;      /* of these, when it was looked last */
    unsigned idle;      /* the timeouts; 0: none */
    unsigned read;
    unsigned write;
    bool open;    /* a window is */
    bool own_life; /* the program has set it: the option does not */
    bool ending;  /* its life has ended, and what is left is the grace */
    bool drained; /* on_drain was called, or is not to be */
};

#define TLR_NEVER UINT64_MAX

/* Whether connections have timeouts, and so the memory for them. */
static inline bool tlr_timeouts_wanted(const struct tlr_config *config)
{
    return config->idle_timeout != 0 || config->read_timeout != 0 ||
           config->write_timeout != 0 || config->max_lifetime != 0;
}

/* Of one with TLR_CONN_TIMED. */
static inline struct tlr_timeouts *tlr_timeouts_of(const struct tlr_conn *conn)
{
    return (struct tlr_timeouts *)((char *)conn + conn->conns->timeouts_at);
}

/* What follows is for such connections only, but for the last three. */

/* In memory that is all zeroes. */
void tlr_timeouts_init(struct tlr_conn *conn);

/* It begins to connect; it is open, and on_open is about to be called. */
void tlr_timeouts_connecting(struct tlr_conn *conn);
void tlr_timeouts_opened(struct tlr_conn *conn);

/* A read is asked for; says whether it may be: else it has timed out. */
bool tlr_timeouts_asked(struct tlr_conn *conn);

/* A byte was read, or taken at once. */
static inline void tlr_timeouts_active(struct tlr_conn *conn)
{
    tlr_timeouts_of(conn)->active = tlr_deadlines_clock();
}

/* Something had to be queued; or FIN, which the kernel has to take, too. */
void tlr_timeouts_queued(struct tlr_conn *conn);

/* So many bytes of it are with the kernel. */
void tlr_timeouts_written(struct tlr_conn *conn, size_t size);

/* Nothing is queued any more. */
void tlr_timeouts_flushed(struct tlr_conn *conn);

/* Whether its life has ended. Likewise. */
static inline bool tlr_timeouts_ending(const struct tlr_conn *conn)
{
    return (conn->flags & TLR_CONN_TIMED) != 0 &&
           tlr_timeouts_of(conn)->ending;
}

/* Whether on_drain may be called: the first time only. For every connection. */
bool tlr_timeouts_may_drain(struct tlr_conn *conn);

/* It closes, or lingers, which has a deadline of its own. Likewise. */
void tlr_timeouts_end(struct tlr_conn *conn);

#endif
