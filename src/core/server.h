/* SPDX-License-Identifier: MIT */
/*
 * A server: what server.c (its life), endpoints.c (its listening sockets),
 * takeover.c and offer.c (these, from one process to the next) and reach.c
 * (getting at it from other threads, and at its workers) share.
 *
 * Lives on the host's thread, but for what is atomic or has a lock.
 */
#ifndef TLR_SERVER_H
#define TLR_SERVER_H

#include "listener.h"
#include "pool.h"
#include "takeover.h"
#include "watchdog.h"

enum server_state {
    SERVER_NEW,
    SERVER_RUNNING,
    SERVER_DRAINING,
    SERVER_CLOSING, /* the last of the host's handles are closing */
    SERVER_STOPPED
};

/*
 * An address: what one call of tlr_server_listen() made, or the sockets of one
 * address from tlr_server_listen_socket().
 */
struct endpoint {
    struct endpoint *next;
    struct sockaddr_storage address;
    unsigned flags;  /* TLR_HANDOFF_V6ONLY and _REUSEPORT of its sockets */
    unsigned count;  /* listeners with a socket */
    unsigned opened; /* of these, the first so many are on no loop */
    unsigned room;   /* for so many listeners */
    bool workers;    /* they are on the workers' loops, not the host's */
    struct tlr_listener *listeners; /* one, or at least one for each worker */
};

struct tlr_server {
    struct tlr_config config;
    struct tlr_budget budget;
    struct tlr_pool pool;
    uv_loop_t *host;
    struct tlr_mailbox mailbox; /* by which other threads reach the host */
    uv_timer_t deadline;
    struct tlr_door door;
    struct tlr_door_tally door_tally; /* of the listeners on the host's loop */
    struct tlr_watchdog watchdog; /* if stall_time > 0 */
    unsigned stall_time;          /* milliseconds; 0: no watchdog */
    struct endpoint *endpoints; /* in the order of the calls */
    struct tlr_successor successor; /* of another process: takeover.c */
    struct tlr_offering *offering;  /* to another process: offer.c; or NULL */
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
    unsigned handles;     /* likewise, of everything else of ours */
    uint64_t due;         /* of the deadline, as uv_now() of the host loop */
    unsigned orders;      /* to the workers, when the listeners are closed */
    bool unreferenced;    /* none of our handles keeps the loop alive */
    bool receiving;       /* messages are being worked through */
    bool failed;          /* the start did: nobody is told about the end */
    bool lent_here;       /* a borrowed loop is run on the host's thread */
    bool destroyed;       /* and the memory goes at the end */
    bool taken_over;      /* another process has the listening sockets */
    _Atomic bool limited;     /* the limits are set: connections may come */
    _Atomic uintptr_t thread; /* the host's, from the start on; else 0 */
    _Atomic uint64_t asked;   /* the deadline with HOST_DRAIN */
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

/* One of the host loop's handles has closed; counts `handles` down. */
void tlr_server_handle_closed(struct tlr_server *server);

/* Whether this is the host's thread, of a server that has started. */
bool tlr_server_is_host(const struct tlr_server *server);

/* tlr_server_drain() once another process has the listening sockets. */
void tlr_server_leave(struct tlr_server *server, uint64_t deadline);

/* takeover.c */

/*
 * In the middle of a start, when nothing but this can fail any more: tells the
 * process whose sockets these are to leave, and waits for its answer. UV_ETIMEDOUT:
 * it has waited for too long, and goes on; so it does if it could not be told,
 * UV_ENOBUFS or the like. 0 if there is no such process.
 */
int tlr_takeover_commit(struct tlr_server *server);

/* That process goes on, if it has not been told to leave. */
void tlr_takeover_forget(struct tlr_server *server);

/* offer.c */

/* In the middle of a start: puts the handles on the host's loop, if any. */
int tlr_offer_put(struct tlr_server *server);

/* The server has started: the path is ours from now on. */
void tlr_offer_begin(struct tlr_server *server);

/* Nobody may take over any more; asynchronously. */
void tlr_offer_close(struct tlr_server *server);

/*
 * After that closes the sockets, too, before it returns: for a loop that may not
 * turn any more.
 */
void tlr_offer_end(struct tlr_server *server);

/* Releases the memory, and what a server had that never started. */
void tlr_offer_release(struct tlr_server *server);

/* endpoints.c */

/*
 * Puts the listeners on their loops: the host's, or each worker's its own. When
 * it fails some are, and the others are for tlr_endpoints_abandon().
 */
int tlr_endpoints_put(struct tlr_server *server);

/* Calls for each listener that is on the host's loop. */
void tlr_endpoints_each(struct tlr_server *server,
                        void (*call)(struct tlr_listener *listener));

/* Whether workers have listeners of their own. Any thread, once they do. */
bool tlr_endpoints_are_workers(const struct tlr_server *server);

/* Gives the workers their orders, if no listener on the host's loop is left. */
void tlr_endpoints_order_workers(struct tlr_server *server);

/* How many sockets all addresses have. */
size_t tlr_endpoints_sockets(const struct tlr_server *server);

/*
 * Those of them that listen, and how many they are. The others do so later: a
 * worker's, once that has begun; or never, if listen() failed.
 */
size_t tlr_endpoints_listening(const struct tlr_server *server,
                               uv_os_sock_t *socks);

/* Closes the sockets that are on no loop, and releases the memory. */
void tlr_endpoints_abandon(struct tlr_server *server);

#endif
