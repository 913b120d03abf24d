/* SPDX-License-Identifier: MIT */
/*
 * A connection of the load, and those that follow it in its slot: connects,
 * waits for the go, sends its stream in messages, verifies what comes back, ends
 * its side and reads until the server ends its own. Then, or when it has failed,
 * it is closed, and may be dialled again: its stream goes on where it was.
 *
 * A session lives in the memory of its worker, on its worker's loop and thread,
 * from tlr_load_session_init until on_closed has been called for the last time.
 */
#ifndef TLR_LOAD_SESSION_H
#define TLR_LOAD_SESSION_H

#include <stdbool.h>

#include <uv.h>

#include "figures.h"
#include "outbox.h"
#include "plan.h"
#include "problems.h"
#include "schedule.h"
#include "tally.h"
#include "think.h"

struct tlr_load_session;

typedef void (*tlr_load_session_cb)(struct tlr_load_session *session);

/* What the sessions of one loop share. The worker's; same thread. */
struct tlr_load_context {
    uv_loop_t *loop;
    const struct tlr_load_plan *plan;
    struct tlr_load_problems *problems;
    struct tlr_load_tally *tally;
    struct tlr_load_figures *figures;
    uint64_t figures_from;  /* uv_hrtime(): what began before is not in them */
    uint64_t finished;      /* uv_hrtime(): nothing more is sent; 0: not yet */
    bool forgives; /* what is given up is no failure: something else was */
    struct tlr_load_schedule schedule; /* of the open loop */
    struct tlr_load_thinkers thinkers;
    char *receive;          /* TLR_LOAD_CHUNK bytes, for one read at a time */
    char *send;             /* the same for one attempt to write */
    struct tlr_load_chunk *spare; /* chunks not in use */
    size_t address;         /* the one that worked last */
    uint32_t open;          /* connections */
    uint32_t examining;     /* those of them that look at a wrong byte */
    tlr_load_session_cb on_ready;  /* connected, waits for _go */
    tlr_load_session_cb on_failed; /* counted; on_closed follows */
    tlr_load_session_cb on_closed; /* it may be dialled again, or forgotten */
    void *data;             /* the worker's */
};

enum tlr_load_state {
    TLR_LOAD_NEW,
    TLR_LOAD_DIALING,
    TLR_LOAD_REDIALING, /* gives up one address, the next one follows */
    TLR_LOAD_READY,
    TLR_LOAD_RUNNING,
    TLR_LOAD_EXAMINING, /* a wrong byte came: some more, to tell whose */
    TLR_LOAD_ENDING,    /* our end is sent, the server's due */
    TLR_LOAD_CLOSING,
    TLR_LOAD_CLOSED,
    TLR_LOAD_STATES
};

/* Bytes after a wrong one. */
struct tlr_load_evidence;

struct tlr_load_session {
    uv_tcp_t tcp;
    union { /* one after the other */
        uv_connect_t connect;
        uv_shutdown_t shutdown;
    } request;
    struct tlr_load_context *context;
    struct tlr_load_chunk *chunk; /* being written, or NULL */
    struct tlr_load_evidence *evidence;
    uint32_t number; /* of the slot, in the whole run */
    uint32_t slot;   /* of its worker's */
    uint8_t state;   /* enum tlr_load_state */
    bool failed;     /* its last connection has */
    bool dialled;    /* and not ready yet */
    bool settled;    /* the worker's: its first connection is ready or closed */
    bool over;       /* the worker's: there will be no other connection */
    bool reading;
    bool finishing;  /* sends nothing more */
    uint16_t tries;    /* addresses tried */
    uint16_t address;  /* the one tried now */
    uint32_t session;  /* from 1: how often the slot was dialled */
    uint64_t first;    /* where in the stream this connection began */
    uint64_t sent;     /* bytes handed to the system or to uv_write */
    uint64_t received; /* right bytes that came */
    uint64_t begun;    /* messages whose first bytes were sent */
    uint64_t start;    /* where the next of them begins */
    uint64_t back;     /* messages that are back */
    uint64_t boundary; /* end of the message that comes back next */
    uint64_t opened;   /* messages that may be sent */
    uint64_t window;   /* the end of these */
    uint64_t goal;     /* messages until the slot is done; UINT64_MAX: none */
    uint64_t last;     /* messages until it ends */
    uint64_t due;      /* messages that were due; closed loop: unused */
    uint64_t end;      /* where the stream ends, once it is finishing */
    uint64_t sent_to;  /* uv_hrtime(): SLOW, what is sent is worth up to here */
    uint64_t read_to;  /* likewise, what came */
    uint64_t thinks_from; /* uv_hrtime(): since when it thinks; 0: it does not */
    struct tlr_load_session *thinks_behind; /* thinkers: the one ahead of it */
    struct tlr_load_session *thinks_before; /* and the next one */
    uint64_t since;    /* uv_hrtime(): of the dial; then of the last progress */
    uint64_t stamps[]; /* uv_hrtime() of messages on the way: depth */
};

/* Bytes that a session takes for a plan: its memory is the caller's. */
size_t tlr_load_session_size(const struct tlr_load_plan *plan);

void tlr_load_session_init(struct tlr_load_session *session,
    struct tlr_load_context *context, uint32_t number, uint32_t slot);

/* Connects; one that is closed, anew. on_ready or on_closed follows, never from
 * inside this call. */
void tlr_load_session_dial(struct tlr_load_session *session);

/* Begins to send; for one that is ready. */
void tlr_load_session_go(struct tlr_load_session *session);

/* What it was asked for counts from now on; for any state. */
void tlr_load_session_measure(struct tlr_load_session *session);

/* One more message is due, for any state. */
void tlr_load_session_is_due(struct tlr_load_session *session);

/* It has thought long enough, by `now` (uv_hrtime()): its next message goes. */
void tlr_load_session_has_thought(
    struct tlr_load_session *session, uint64_t now);

/* IDLE: the message at the end; for one that runs. */
void tlr_load_session_ask(struct tlr_load_session *session);

/* Sends no more: what is on the way is still awaited and verified. One that is
 * not connected yet just closes, but where the plan reopens: then on_ready may
 * still come, so that it is counted, as the server does. */
void tlr_load_session_finish(struct tlr_load_session *session);

/* Closes at once. What is still on the way (bytes; with CHURN and HELLO the
 * connection) makes it a failure. */
void tlr_load_session_abort(struct tlr_load_session *session);

/* Looks for a timeout, and what a slow one may go on with; to be called a few
 * times per timeout. `now`: uv_hrtime(); `lost`: ns that the timeout is longer,
 * for nobody looked at what came. */
void tlr_load_session_tick(
    struct tlr_load_session *session, uint64_t now, uint64_t lost);

/* Whether the slot has done all that it was asked for. */
bool tlr_load_session_is_done(const struct tlr_load_session *session);

#endif
