/* SPDX-License-Identifier: MIT */
/*
 * The workers of a server: which one is next, and how many connections there
 * may be.
 *
 * Owned by the server. Used on the host's thread, but for the reservations, which
 * any thread makes and gives back, and where something else is said.
 */
#ifndef TLR_POOL_H
#define TLR_POOL_H

#include "worker.h"

struct tlr_pool {
    struct tlr_worker *workers;
    unsigned count;
    unsigned created; /* how many are there */
    unsigned made;    /* how many have, or had, a loop; under the mutex */
    unsigned running; /* how many threads of ours have been started */
    bool attachable;  /* borrowed loops are waited for; under the mutex */
    bool nudged;      /* see tlr_pool_nudge(); under the mutex */
    bool ending;      /* the workers have been ordered to; under the mutex */
    enum tlr_worker_kind kind;
    uv_mutex_t mutex;
    uv_cond_t cond; /* one more is about to be closed */
    enum tlr_balance balance;
    const struct tlr_config *config;
    void (*wake)(struct tlr_pool *pool); /* see tlr_pool_init() */
    uint64_t limit;                      /* connections; 0: none */
    uint64_t worker_limit;               /* of each worker; 0: none */
    char before[TLR_CACHE_LINE];
    _Atomic uint64_t total; /* reserved; not counted without a limit */
    _Atomic bool full;      /* a reservation was denied since the last look */
    _Atomic unsigned next;  /* whose turn it is */
    _Atomic unsigned missing; /* borrowed loops that have not come yet */
    _Atomic unsigned idle;    /* those that have finished, and are empty */
    _Atomic unsigned closing; /* as `closed`, and on the way there */
    _Atomic unsigned closed;  /* those that touch nothing any more */
    char after[TLR_CACHE_LINE];
};

/*
 * Allocates `count` workers of a kind. Borrows `config`. UV_ENOMEM, or whatever
 * uv_mutex_init() says.
 *
 * `wake` is called on any thread when there may be something to do for
 * tlr_pool_was_full(), tlr_pool_end_if_idle() or tlr_pool_all_closed().
 */
int tlr_pool_init(struct tlr_pool *pool, unsigned count,
                  enum tlr_worker_kind kind, const struct tlr_config *config,
                  void (*wake)(struct tlr_pool *pool));

/*
 * Gives the workers their loops: ones of their own, the host's to the only one
 * (TLR_WORKER_HOST), or none: they are for tlr_pool_attach(). When it fails those
 * that were made are for tlr_pool_end().
 */
int tlr_pool_make(struct tlr_pool *pool, uv_loop_t *host);

/*
 * Starts the threads; borrowed loops may come from now on, which does not fail.
 * When it fails the others are for tlr_pool_end().
 */
int tlr_pool_start(struct tlr_pool *pool);

/* tlr_server_attach(), on the thread of the loop. */
int tlr_pool_attach(struct tlr_pool *pool, unsigned index, uv_loop_t *loop);

/* From now on no borrowed loop is taken. */
void tlr_pool_shut(struct tlr_pool *pool);

/*
 * Ends workers with loops of their own, whether their threads were started or
 * not, and waits for them.
 */
void tlr_pool_end(struct tlr_pool *pool);

/* tlr_worker_order() for all. */
void tlr_pool_order(struct tlr_pool *pool, unsigned orders);

/* Room for one more connection, in all. Any thread. */
bool tlr_pool_reserve(struct tlr_pool *pool);

void tlr_pool_unreserve(struct tlr_pool *pool);

/*
 * Room for one more on a worker that is chosen by the balance, or NULL. Any
 * thread.
 */
struct tlr_worker *tlr_pool_take(struct tlr_pool *pool);

/* It got one: the next one's turn has come. */
void tlr_pool_advance(struct tlr_pool *pool, const struct tlr_worker *worker);

/* Room on a certain one. */
bool tlr_pool_take_on(struct tlr_pool *pool, struct tlr_worker *worker);

/* That room is not needed. */
void tlr_pool_give_back(struct tlr_pool *pool, struct tlr_worker *worker);

/* Whether all loops are there; if not, tlr_pool_was_full() tells when. */
bool tlr_pool_is_ready(struct tlr_pool *pool);

/* Whether a reservation was denied since the last call, and may do now. */
bool tlr_pool_was_full(struct tlr_pool *pool);

/* Whether borrowed loops are missing. */
bool tlr_pool_is_incomplete(const struct tlr_pool *pool);

/* Has them end if all have finished, and after tlr_pool_shut() only. */
void tlr_pool_end_if_idle(struct tlr_pool *pool);

/* After tlr_pool_shut(), or without borrowed loops: */
bool tlr_pool_all_closed(struct tlr_pool *pool);

/* Waits for that, `milliseconds` at most; says whether it is so. */
bool tlr_pool_wait(struct tlr_pool *pool, uint64_t milliseconds);

/* From any thread: ends that waiting, or the next one, before its time. */
void tlr_pool_nudge(struct tlr_pool *pool);

/* Waits for the threads of workers that have all closed. */
void tlr_pool_join(struct tlr_pool *pool);

/* Releases the memory, when all have closed and are joined. */
void tlr_pool_destroy(struct tlr_pool *pool);

#endif
