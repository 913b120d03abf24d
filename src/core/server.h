/* SPDX-License-Identifier: MIT */
/*
 * A server: what server.c (its life), endpoints.c (its listening sockets) and
 * reach.c (getting at it from other threads, and at its workers) share.
 *
 * Lives on the host's thread, but for what is atomic or has a lock.
 */
#ifndef TLR_SERVER_H
#define TLR_SERVER_H

#include "listener.h"
#include "pool.h"
#include "watchdog.h"

enum server_state {
    SERVER_NEW,
    SERVER_RUNNING,
    SERVER_DRAINING,
    SERVER_CLOSING, /* the last of the host's handles are closing */
    SERVER_STOPPED
};

/* What one call of tlr_server_listen() made. */
struct endpoint {
    struct endpoint *next;
    struct sockaddr_storage address;
    unsigned opened;                 /* listeners with a socket */
    struct tlr_listener listeners[]; /* one, or one for each worker */
};

struct tlr_server {
    struct tlr_config config;
    struct tlr_pool pool;
    uv_loop_t *host;
    struct tlr_mailbox mailbox; /* by which other threads reach the host */
    uv_timer_t deadline;
    struct tlr_door door;
    struct tlr_door_tally door_tally; /* of the listeners on the host's loop */
    struct tlr_watchdog watchdog; /* if stall_time > 0 */
    unsigned stall_time;          /* milliseconds; 0: no watchdog */
    struct endpoint *endpoints; /* in the order of the calls */
    void (*on_stopped)(struct tlr_server *server);
    void (*on_stall)(struct tlr_server *server, unsigned worker,
                     uint64_t milliseconds, int over);
    void (*on_warning)(struct tlr_server *server,
                       const struct tlr_warning *warning);
    int backlog;
    unsigned max_connections; /* these three as in tlr_options */
    unsigned max_per_worker;
    unsigned max_per_peer;
    int state;            /* enum server_state */
    unsigned listeners;   /* on the host loop, not closed yet */
    unsigned handles;     /* likewise, of mailbox, timers and the like */
    uint64_t due;         /* of the deadline, as uv_now() of the host loop */
    unsigned orders;      /* to the workers, when the listeners are closed */
    bool unreferenced;    /* none of our handles keeps the loop alive */
    bool receiving;       /* messages are being worked through */
    bool failed;          /* the start did: nobody is told about the end */
    bool lent_here;       /* a borrowed loop is run on the host's thread */
    bool destroyed;       /* and the memory goes at the end */
    _Atomic uintptr_t thread; /* the host's, from the start on; else 0 */
    _Atomic uint64_t asked;   /* the deadline with HOST_DRAIN */
    _Atomic uint64_t posts;   /* to TLR_HOST, that have run */
    _Atomic int phase;        /* enum tlr_phase, for other threads */
    _Atomic uint64_t until;   /* the deadline, as uv_hrtime(); or 0 */
};

/* No threads: the worker's loop is the host's. */
static inline bool tlr_server_on_host(const struct tlr_server *server)
{
    return server->pool.kind == TLR_WORKER_HOST;
}

/* limits.c: what TLR_AUTO comes to. When the loops are there, before threads. */
void tlr_server_set_limits(struct tlr_server *server);

/* Once no listener and no worker is left: closes the rest. */
void tlr_server_close_if_done(struct tlr_server *server);

/* endpoints.c */

/*
 * Puts the listeners on their loops: the host's, or each worker's its own. When
 * it fails some are, and the others are for tlr_endpoints_abandon().
 */
int tlr_endpoints_put(struct tlr_server *server);

/* Calls for each listener that is on the host's loop. */
void tlr_endpoints_each(struct tlr_server *server,
                        void (*call)(struct tlr_listener *listener));

/* Whether the workers have listeners of their own instead. */
bool tlr_endpoints_are_workers(const struct tlr_server *server);

/* Gives the workers their orders, if no listener on the host's loop is left. */
void tlr_endpoints_order_workers(struct tlr_server *server);

/* Closes the sockets that are on no loop, and releases the memory. */
void tlr_endpoints_abandon(struct tlr_server *server);

#endif
