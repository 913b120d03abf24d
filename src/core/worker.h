/* SPDX-License-Identifier: MIT */
/*
 * A worker: a loop, the thread that runs it, and its connections. Or the same
 * on a loop and a thread of the program's: the host's, where accept and I/O share
 * one, or one that was borrowed for it.
 *
 * Owned by the pool. Messages and orders reach it through its mailbox; all else
 * happens on its own thread.
 */
#ifndef TLR_WORKER_H
#define TLR_WORKER_H

#include "conns.h"
#include "door.h"
#include "listener.h"
#include "mailbox.h"

/* tlr_worker_order() */
#define TLR_ORDER_DRAIN 1u  /* tell the connections; more may come */
#define TLR_ORDER_FINISH 2u /* no more will: say when the last has gone */
#define TLR_ORDER_STOP 4u   /* close everything now */
#define TLR_ORDER_RESUME 8u /* there is room again: own listeners go on */
#define TLR_ORDER_END 16u   /* after FINISH: end, once it is empty */
#define TLR_ORDER_TURN 32u  /* say that the loop turns: see watchdog.h */
#define TLR_ORDER_ACCEPT 64u /* own listeners begin, if config->held */
#define TLR_ORDER_LEAVE 128u /* own listeners close, whatever is queued */

struct tlr_worker;

/* What the pool wants to know; called on the worker's thread. */
struct tlr_worker_callbacks {
    bool (*reserve)(struct tlr_worker *worker);   /* for its own listeners */
    void (*unreserve)(struct tlr_worker *worker); /* and when one is gone */
    void (*idle)(struct tlr_worker *worker); /* it is finished, and empty */
    void (*busy)(struct tlr_worker *worker); /* and not any more */
    void (*closed)(struct tlr_worker *worker); /* it touches nothing more */
};

#define TLR_ANY_CPU (-1)

/* Whose loop it is, and so whose thread runs it. */
enum tlr_worker_kind { TLR_WORKER_OWN, TLR_WORKER_HOST, TLR_WORKER_BORROWED };

/* What the watchdog knows of a worker. */
struct tlr_watch {
    _Atomic bool watched;      /* its loop is expected to turn */
    _Atomic bool asked;        /* and has not answered yet */
    _Atomic bool stalled;      /* the balance avoids it */
    _Atomic uint64_t answered; /* uv_hrtime() of the last answer */
    _Atomic uint64_t stalls;   /* so far */
    uint64_t since;            /* the watchdog's: when it was asked */
    unsigned looks;            /* and how often it has looked since */
};

struct tlr_worker {
    struct tlr_conns conns;
    struct tlr_mailbox mailbox;
    const struct tlr_config *config;
    unsigned index;
    enum tlr_worker_kind kind;
    uv_loop_t *loop;    /* NULL: none yet, or no longer */
    uv_thread_t thread; /* TLR_WORKER_OWN: once started */
    int cpu;            /* and where it runs, or TLR_ANY_CPU */
    void *data;         /* the program's: config->worker_data_size bytes */
    struct tlr_listener *listeners; /* its own ones (SO_REUSEPORT), if any */
    int state;                      /* enum worker_state */
    bool started;                   /* on_worker_start was called */
    bool idle;                      /* and the callback for that */
    bool ending;                    /* it had the order to end */
    bool receiving;                 /* messages are being worked through */
    bool waiting; /* its own listeners do, for room on this worker */
    uint64_t limit; /* of `load`, if it has listeners of its own; 0: none */
    const struct tlr_worker_callbacks *callbacks;
    void *owner;
    /*
     * Connections given to this worker and not gone yet, those in the mailbox
     * included: what the balance goes by. The host counts up, the worker down.
     */
    char before[TLR_CACHE_LINE];
    _Atomic uint64_t load;
    _Atomic uint64_t refused; /* by the host: the mailbox did not take it */
    _Atomic uint64_t refused_memory; /* of these: there was none */
    struct tlr_watch watch;
    char after[TLR_CACHE_LINE];
    struct tlr_door_tally door; /* of its own listeners */
};

/*
 * Fills in a worker that is all zeroes: it has no loop yet, and what is posted to
 * it is refused. Borrows `config`.
 */
int tlr_worker_create(struct tlr_worker *worker, unsigned index,
                      enum tlr_worker_kind kind,
                      const struct tlr_config *config,
                      const struct tlr_worker_callbacks *callbacks,
                      void *owner);

/*
 * Makes the loop, or uses `loop` if that is not NULL, and puts the handles on it.
 * Leaves nothing behind when it fails. On the loop's thread, or before it runs.
 */
int tlr_worker_init(struct tlr_worker *worker, uv_loop_t *loop);

/* Before the start: a listener of its own, not put on a loop yet. */
int tlr_worker_add_listener(struct tlr_worker *worker,
                            struct tlr_listener *listener);

/* Starts its own listeners, and its thread; or on the thread of its loop. */
int tlr_worker_start(struct tlr_worker *worker);

/*
 * Ends a worker that has a thread of its own, whether that was started or
 * not, and waits for it; `closed` is called on the way.
 */
void tlr_worker_end(struct tlr_worker *worker, bool started);

/* Ties its thread, once started, to its CPU, if it has one. */
int tlr_worker_pin(struct tlr_worker *worker);

/* After `closed`: waits for the thread, which is about to return. */
void tlr_worker_join(struct tlr_worker *worker);

/* Whether handles on its loop keep that alive; on the loop's thread. */
void tlr_worker_ref(struct tlr_worker *worker, bool ref);

/* Releases the memory, after that, or if it never had a loop. */
void tlr_worker_destroy(struct tlr_worker *worker);

/*
 * From any thread: room for one more connection, if it has less than `limit`
 * (0: none).
 */
bool tlr_worker_reserve(struct tlr_worker *worker, uint64_t limit);

/* The room is not needed. */
void tlr_worker_unreserve(struct tlr_worker *worker);

/*
 * From the host's thread: gives it a connection that was accepted, and for which
 * room is reserved, of a peer that is counted. Takes all three.
 */
void tlr_worker_give(struct tlr_worker *worker, uv_os_sock_t sock,
                     struct tlr_peer *peer);

/*
 * From any thread: the same, but as a message always. When it fails they are the
 * caller's. Errors: tlr_mailbox_post().
 */
int tlr_worker_adopt(struct tlr_worker *worker, uv_os_sock_t sock,
                     struct tlr_peer *peer);

/* From any thread. */
void tlr_worker_order(struct tlr_worker *worker, unsigned orders);

/* From any thread. */
void tlr_worker_counters(const struct tlr_worker *worker,
                         struct tlr_counters *counters);

#endif
