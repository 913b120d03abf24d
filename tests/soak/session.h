/* SPDX-License-Identifier: MIT */
/*
 * One connection of teller-soak: goes its course, checks each byte that comes
 * back, and ends well, by its own doing, or by a failure that has one cause.
 * Frees itself when it is closed, after crowd_ended. All on one loop's thread.
 */
#ifndef TLR_TESTS_SESSION_H
#define TLR_TESTS_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "course.h"
#include "load/outbox.h"

enum cause {
    CAUSE_REFUSED, /* nobody listens */
    CAUSE_RESET,   /* by the server */
    CAUSE_EARLY,   /* the server's end came before all was back */
    CAUSE_WRONG,   /* a byte */
    CAUSE_TIMEOUT, /* no progress, or the system gave up */
    CAUSE_LOCAL,   /* we have no port, descriptor or memory left */
    CAUSE_OTHER,
    CAUSES
};

const char *cause_name(enum cause cause);

enum session_state { DIALING, OPEN, ENDING, CLOSING };

struct crowd;

struct session {
    struct crowd *crowd;
    struct session *next;
    struct session **link; /* what points here */
    struct course course;
    uint32_t number;
    uint8_t state; /* enum session_state */
    uint8_t handles; /* not closed yet */
    bool told; /* to finish */
    uint64_t sent;
    uint64_t received;
    uint64_t dialed_at; /* ns */
    uint64_t offered_at; /* ns: connected; 0: not yet */
    uint64_t due_at; /* ns: when the message was to be sent; 0: when it is */
    uint64_t progress_at; /* ms, on the loop's clock */
    struct tlr_load_chunk *chunk; /* what is being written */
    uv_tcp_t tcp;
    uv_timer_t next_send;
    uv_timer_t next_read;
    union {
        uv_connect_t connect;
        uv_write_t write;
    } request;
    uv_shutdown_t shutdown;
};

/* Begins number `number`. What fails is told to the crowd. */
void session_start(struct crowd *crowd, uint32_t number);

/* Those that would go on for ever: end. */
void session_finish(struct session *session);

/* Fails it if it has waited for the server for longer than the time limit. */
void session_check_time(struct session *session);

/* Closes it without a word. */
void session_abandon(struct session *session);

#endif
