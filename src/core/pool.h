/* SPDX-License-Identifier: MIT */
/*
 * The workers of a server: which one is next, and how many connections there
 * may be.
 *
 * Owned by the server. Used on the host's thread, but for the reservations,
 * which any worker's thread makes and gives back.
 */
#ifndef TLR_POOL_H
#define TLR_POOL_H

#include "worker.h"

struct tlr_pool {
    struct tlr_worker *workers;
    unsigned count;
    unsigned made;    /* how many have a loop */
    unsigned running; /* how many have been started */
    unsigned next;    /* whose turn it is */
    enum tlr_balance balance;
    const struct tlr_config *config;
    void (*wake)(struct tlr_pool *pool); /* see tlr_pool_init() */
    uint64_t limit;                      /* connections; 0: none */
    char before[TLR_CACHE_LINE];
    _Atomic uint64_t total; /* reserved; not counted without a limit */
    _Atomic bool full;      /* a reservation was denied since the last look */
    _Atomic unsigned closed;
    char after[TLR_CACHE_LINE];
};

/*
 * Allocates `count` workers. Borrows `config`. UV_ENOMEM.
 *
 * `wake` is called on any thread when tlr_pool_was_full() or
 * tlr_pool_all_closed() may have something to say.
 */
int tlr_pool_init(struct tlr_pool *pool, unsigned count,
                  const struct tlr_config *config,
                  void (*wake)(struct tlr_pool *pool));

/*
 * Makes the workers: host NULL, each with a loop and, later, a thread of its
 * own; else there is one, on that loop. All of them or none.
 */
int tlr_pool_make(struct tlr_pool *pool, uv_loop_t *host);

/* Starts the threads. When it fails the others are for tlr_pool_end(). */
int tlr_pool_start(struct tlr_pool *pool);

/*
 * Ends workers with loops of their own, whether their threads were started or
 * not, and waits for them.
 */
void tlr_pool_end(struct tlr_pool *pool);

/* Chooses a worker and gives it a connection, for which room is reserved. */
void tlr_pool_give(struct tlr_pool *pool, uv_os_sock_t sock);

/* tlr_worker_order() for all. */
void tlr_pool_order(struct tlr_pool *pool, unsigned orders);

/* Room for one more connection. Any thread. */
bool tlr_pool_reserve(struct tlr_pool *pool);
void tlr_pool_unreserve(struct tlr_pool *pool);

/* Whether a reservation was denied since the last call, and may do now. */
bool tlr_pool_was_full(struct tlr_pool *pool);

bool tlr_pool_all_closed(const struct tlr_pool *pool);

/* Waits for the threads of workers that have all closed. */
void tlr_pool_join(struct tlr_pool *pool);

/* Releases what tlr_pool_make() made, when all have closed and are joined. */
void tlr_pool_unmake(struct tlr_pool *pool);

/* Releases the memory. */
void tlr_pool_destroy(struct tlr_pool *pool);

#endif
