/* SPDX-License-Identifier: MIT */
/*
 * A worker: a loop, the thread that runs it, and its connections. Or, where
 * accept and I/O share the host loop, the same on the host's loop and thread.
 *
 * Owned by the pool. Sockets and orders reach it through its mailbox from the
 * host's thread; all else happens on its own.
 */
#ifndef TLR_WORKER_H
#define TLR_WORKER_H

#include "conns.h"
#include "listener.h"
#include "mailbox.h"

/* tlr_worker_order() */
#define TLR_ORDER_DRAIN 1u  /* tell the connections; more may come */
#define TLR_ORDER_FINISH 2u /* no more will: end with the last of them */
#define TLR_ORDER_STOP 4u   /* close everything now */
#define TLR_ORDER_RESUME 8u /* there is room again: own listeners go on */

struct tlr_worker;

/* What the pool wants to know; called on the worker's thread. */
struct tlr_worker_callbacks {
    bool (*reserve)(struct tlr_worker *worker);   /* for its own listeners */
    void (*unreserve)(struct tlr_worker *worker); /* and when one is gone */
    void (*closed)(struct tlr_worker *worker);    /* it touches nothing more */
};

struct tlr_worker {
    struct tlr_conns conns;
    struct tlr_mailbox mailbox;
    uv_loop_t *loop;
    bool threaded;      /* the loop is ours, and run by a thread of ours */
    uv_thread_t thread; /* then, once started */
    struct tlr_listener *listeners; /* its own ones (SO_REUSEPORT), if any */
    int state;                      /* enum worker_state */
    const struct tlr_worker_callbacks *callbacks;
    void *owner;
    /*
     * Connections given to this worker and not gone yet, those in the mailbox
     * included: what the balance goes by. The host counts up, the worker down.
     */
    char before[TLR_CACHE_LINE];
    _Atomic uint64_t load;
    _Atomic uint64_t refused; /* by the host: the mailbox had no memory */
    char after[TLR_CACHE_LINE];
};

/*
 * Fills in a worker that is all zeroes: makes the loop (or uses `host` if it is not NULL) and puts the handles on
 * it. Leaves nothing behind when it fails.
 */
int tlr_worker_init(struct tlr_worker *worker, unsigned index, uv_loop_t *host,
                    const struct tlr_config *config,
                    const struct tlr_worker_callbacks *callbacks, void *owner);

/* Before the start: a listener of its own, not put on a loop yet. */
int tlr_worker_add_listener(struct tlr_worker *worker,
                            struct tlr_listener *listener);

/* Starts the thread, if it has one, and its own listeners. */
int tlr_worker_start(struct tlr_worker *worker);

/*
 * Ends a worker that has a thread of its own, whether that was started or
 * not, and waits for it; `closed` is called on the way.
 */
void tlr_worker_end(struct tlr_worker *worker, bool started);

/* After `closed`: waits for the thread, which is about to return. */
void tlr_worker_join(struct tlr_worker *worker);

/* Releases the memory, after that. */
void tlr_worker_destroy(struct tlr_worker *worker);

/* From the host's thread: gives it a connection. Takes the socket. */
void tlr_worker_give(struct tlr_worker *worker, uv_os_sock_t sock);

/* From the host's thread. */
void tlr_worker_order(struct tlr_worker *worker, unsigned orders);

/* From any thread. */
void tlr_worker_counters(const struct tlr_worker *worker,
                         struct tlr_counters *counters);

#endif
