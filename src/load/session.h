/* SPDX-License-Identifier: MIT */
/*
 * One connection of the load: connects, waits for the go, sends its stream in
 * messages, verifies what comes back, ends its side and reads until the server
 * ends its own. It fails at most once, by cause; then it closes.
 *
 * A session lives in the memory of its worker, on its worker's loop and thread,
 * from tlr_load_session_init until on_closed has been called.
 */
#ifndef TLR_LOAD_SESSION_H
#define TLR_LOAD_SESSION_H

#include <stdbool.h>

#include <uv.h>

#include "outbox.h"
#include "plan.h"
#include "problems.h"
#include "tally.h"

struct tlr_load_session;

typedef void (*tlr_load_session_cb)(struct tlr_load_session *session);

/* What the sessions of one loop share. The worker's; same thread. */
struct tlr_load_context {
    uv_loop_t *loop;
    const struct tlr_load_plan *plan;
    struct tlr_load_problems *problems;
    struct tlr_load_tally *tally;
    char *receive;          /* TLR_LOAD_CHUNK bytes, for one read at a time */
    char *send;             /* the same for one attempt to write */
    struct tlr_load_chunk *spare; /* chunks not in use */
    size_t address;         /* the one that worked last */
    tlr_load_session_cb on_ready;  /* connected, waits for _go */
    tlr_load_session_cb on_closed; /* the last callback; memory is free */
    void *data;             /* the worker's */
};

enum tlr_load_state {
    TLR_LOAD_NEW,
    TLR_LOAD_DIALING,
    TLR_LOAD_REDIALING, /* gives up one address, the next one follows */
    TLR_LOAD_READY,
    TLR_LOAD_RUNNING,
    TLR_LOAD_EXAMINING, /* a wrong byte came: some more, to tell whose */
    TLR_LOAD_ENDING,    /* all is back, our end is sent, the server's due */
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
        uv_write_t write;
        uv_shutdown_t shutdown;
    } request;
    struct tlr_load_context *context;
    struct tlr_load_chunk *chunk; /* being written, or NULL */
    struct tlr_load_evidence *evidence;
    uint32_t number;
    uint8_t state; /* enum tlr_load_state */
    bool was_ready;
    uint32_t tries;       /* addresses tried */
    size_t address;       /* the one tried now */
    uint64_t sent;        /* bytes handed to the system or to uv_write */
    uint64_t received;    /* right bytes that came */
    uint64_t end;         /* where the stream ends */
    uint64_t begun;       /* messages whose first bytes were sent */
    uint64_t back;        /* messages that are back */
    uint64_t boundary;    /* end of the message that comes back next */
    uint64_t progress_at; /* uv_now() */
    uint64_t stamps[];    /* uv_hrtime() of messages on the way: depth */
};

/* Bytes that a session takes for a plan: its memory is the caller's. */
size_t tlr_load_session_size(const struct tlr_load_plan *plan);

void tlr_load_session_init(struct tlr_load_session *session,
    struct tlr_load_context *context, uint32_t number);

/* Connects. on_ready or on_closed follows, never from inside this call. */
void tlr_load_session_dial(struct tlr_load_session *session);

/* Begins to send; for one that is ready. */
void tlr_load_session_go(struct tlr_load_session *session);

/* Sends no more: what is on the way is still awaited and verified. One that is
 * not connected yet just closes. */
void tlr_load_session_finish(struct tlr_load_session *session);

/* Closes at once. Bytes still on the way make it a failure. */
void tlr_load_session_abort(struct tlr_load_session *session);

/* Looks for a stall; to be called a few times per timeout. */
void tlr_load_session_tick(struct tlr_load_session *session);

#endif
