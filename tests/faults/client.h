/* SPDX-License-Identifier: MIT */
/*
 * The clients of one case: 20 connections to the server and 2 from it, each
 * with random bytes that have to come back, and an end of its own.
 */
#ifndef TLR_FAULTS_CLIENT_H
#define TLR_FAULTS_CLIENT_H

#include "server.h"

#include <stddef.h>

/* How a connection behaves. */
enum peer_kind {
    PEER_ROUNDS, /* one piece after the other, then half-closes */
    PEER_AT_ONCE, /* all, half-closes, and reads meanwhile */
    PEER_LATE,    /* reads only when the server takes no more */
    PEER_RESETS,  /* in the middle */
    PEER_GONE,    /* resets before it has said anything */
    PEER_DRAINED, /* open when the drain begins, and goes on */
    PEER_STOPPED  /* open and idle when the server stops */
};

enum peer_way { WAY_ECHO, WAY_FRAMES, WAY_ADOPTED, WAY_OUTBOUND };

enum peer_state {
    PEER_WAITING, /* for the server to connect */
    PEER_RUNNING,
    PEER_GOOD,
    PEER_LOST, /* it did not get all that it is owed */
    PEER_WRONG /* it got something else */
};

struct peer {
    enum peer_kind kind;
    enum peer_way way;
    const char *data;
    size_t size;  /* of all of it */
    size_t piece; /* PEER_ROUNDS: sent without an answer */
    enum peer_state state;
    int fd;
    unsigned port; /* its own */
    size_t sent;
    size_t received;
    int error;     /* that ended it */
    bool stalled;  /* PEER_LATE: it may read now */
    bool finished; /* it has half-closed */
};

#define PEERS 22

enum clients_phase { PHASE_SERVING, PHASE_DRAINING, PHASE_STOPPING };

struct clients {
    struct peer peers[PEERS];
    struct server *server;
    enum clients_phase phase;
    bool may_starve; /* the server has too few descriptors for all of them */
    int listener; /* for the server's connections */
    unsigned listener_port;
};

/* Makes the data of all: once, for all cases. `scale` of the large ones in KiB. */
void clients_make_data(size_t scale);

/* The listener, and the socket that the server is given to adopt. */
void clients_open(struct clients *clients, int *adopted);

/* Connects and serves them until all have reached the end, or the server has. */
bool clients_run(struct clients *clients, struct server *server,
                 unsigned patience);

unsigned clients_count(const struct clients *clients, enum peer_state state);

void clients_close(struct clients *clients);

#endif
