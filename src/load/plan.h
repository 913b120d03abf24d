/* SPDX-License-Identifier: MIT */
/* What a run of teller-load is asked to do. Written before it starts, then
 * read by all its threads. */
#ifndef TLR_LOAD_PLAN_H
#define TLR_LOAD_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "sizes.h"

enum tlr_load_mode {
    TLR_LOAD_ECHO,       /* messages, each verified when it is back */
    TLR_LOAD_STREAM,     /* as many bytes as go through */
    TLR_LOAD_CHURN,      /* connect, end, await the server's end */
    TLR_LOAD_IDLE,       /* hold, and at the end one message each */
    TLR_LOAD_HALF_CLOSE, /* send all, end, and only then read */
    TLR_LOAD_SLOW,       /* echo, but so many bytes a second */
    TLR_LOAD_HELLO,      /* send nothing, await the first byte */
    TLR_LOAD_MODES
};

/* "echo", "stream", "connect", ...: for options and results. */
const char *tlr_load_mode_name(enum tlr_load_mode mode);

struct tlr_load_plan {
    const struct sockaddr_storage *addresses; /* tried in this order */
    size_t address_count;
    const struct sockaddr_storage *sources; /* local ones, taken in turn */
    size_t source_count;                    /* 0: the system chooses */
    enum tlr_load_mode mode;
    uint32_t connections; /* up to TLR_LOAD_PATTERN_CONNECTIONS */
    uint32_t loops;       /* threads, up to connections */
    uint32_t depth;       /* messages on the way per connection, from 1 */
    uint64_t size;        /* bytes of a message, from 1; of the largest one */
    const struct tlr_load_sizes *sizes; /* NULL: all have `size`; of runs that
                                           were merged without rows: differ */
    uint64_t pieces;      /* bytes of a write at most; 0: no limit */
    uint64_t round_trips; /* per connection; 0: until the time is over */
    uint64_t session;     /* of them until it is opened anew; 0: never */
    double rate;          /* messages due a second, in all; 0: closed loop */
    uint64_t think_ms;    /* after a round trip, before the next one; 0: none */
    uint64_t ramp_ms;     /* for opening all of the connections */
    uint64_t warmup_ms;   /* left out of figures.h, but not of tally.h */
    uint64_t duration_ms; /* behind that; 0: until the round trips are done */
    uint64_t timeout_ms;  /* of a connect, of a round trip */
    uint64_t read_rate;   /* SLOW: bytes a second and connection; 0: no limit */
    uint64_t write_rate;
    unsigned send_buffer; /* bytes, SO_SNDBUF; 0: the system's */
    unsigned receive_buffer;
    bool delay; /* leave Nagle's algorithm on */
    bool abort_on_error;
};

/* Whether a connection that has done its part is opened anew. */
bool tlr_load_plan_reopens(const struct tlr_load_plan *plan);

/* Whether the opening of connections is what is measured, so that none is opened
 * before the time runs. */
bool tlr_load_plan_dials_late(const struct tlr_load_plan *plan);

/* Bytes of the `message`-th message of a connection. */
uint64_t tlr_load_plan_size(
    const struct tlr_load_plan *plan, uint32_t connection, uint64_t message);

/* "64", or what else --size was given: writes and returns `text`. */
const char *tlr_load_plan_sizes(
    const struct tlr_load_plan *plan, char text[TLR_LOAD_SIZES_TEXT]);

#endif
