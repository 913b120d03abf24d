/* SPDX-License-Identifier: MIT */
/* See pool.h. */
#include "pool.h"

/* ---- room ----------------------------------------------------------- */

static bool try_reserve(struct tlr_pool *pool)
{
    uint64_t total = atomic_load(&pool->total);

    while (total < pool->limit) {
        if (atomic_compare_exchange_weak(&pool->total, &total, total + 1)) {
            return true;
        }
    }
    return false;
}

/*
 * A connection may go between the first attempt and `full` becoming true, and
 * then nobody would wake us: so it is tried again after. Either that sees the
 * room, or who makes the room sees `full`.
 */
bool tlr_pool_reserve(struct tlr_pool *pool)
{
    if (pool->limit == 0 || try_reserve(pool)) {
        return true;
    }
    atomic_store(&pool->full, true);
    return try_reserve(pool);
}

void tlr_pool_unreserve(struct tlr_pool *pool)
{
    if (pool->limit == 0) {
        return;
    }
    atomic_fetch_sub(&pool->total, 1);
    if (atomic_load(&pool->full)) {
        pool->wake(pool);
    }
}

bool tlr_pool_was_full(struct tlr_pool *pool)
{
    return atomic_exchange(&pool->full, false);
}

/* ---- choosing ------------------------------------------------------- */

static struct tlr_worker *take_turn(struct tlr_pool *pool, unsigned index)
{
    pool->next = index + 1 == pool->count ? 0 : index + 1;
    return &pool->workers[index];
}

/* The first with the fewest, from the one whose turn it is. */
static struct tlr_worker *least(struct tlr_pool *pool)
{
    unsigned best = pool->next;
    uint64_t fewest = atomic_load(&pool->workers[best].load);
    unsigned i;

    for (i = 1; i < pool->count && fewest > 0; i++) {
        unsigned index = (pool->next + i) % pool->count;
        uint64_t load = atomic_load(&pool->workers[index].load);

        if (load < fewest) {
            fewest = load;
            best = index;
        }
    }
    return take_turn(pool, best);
}

void tlr_pool_give(struct tlr_pool *pool, uv_os_sock_t sock)
{
    struct tlr_worker *worker = pool->balance == TLR_BALANCE_LEAST
                                    ? least(pool)
                                    : take_turn(pool, pool->next);

    tlr_worker_give(worker, sock);
}

/* ---- the workers ---------------------------------------------------- */

static bool on_reserve(struct tlr_worker *worker)
{
    return tlr_pool_reserve(worker->owner);
}

static void on_unreserve(struct tlr_worker *worker)
{
    tlr_pool_unreserve(worker->owner);
}

static void on_closed(struct tlr_worker *worker)
{
    struct tlr_pool *pool = worker->owner;

    atomic_fetch_add(&pool->closed, 1);
    pool->wake(pool);
}

static const struct tlr_worker_callbacks callbacks = {
    .reserve = on_reserve,
    .unreserve = on_unreserve,
    .closed = on_closed,
};

int tlr_pool_init(struct tlr_pool *pool, unsigned count,
                  const struct tlr_config *config,
                  void (*wake)(struct tlr_pool *pool))
{
    pool->workers = tlr_calloc(&config->allocator,
                               count * sizeof(struct tlr_worker));
    if (pool->workers == NULL) {
        return UV_ENOMEM;
    }
    pool->count = count;
    pool->config = config;
    pool->wake = wake;
    return 0;
}

int tlr_pool_make(struct tlr_pool *pool, uv_loop_t *host)
{
    int err = 0;

    while (pool->made < pool->count && err == 0) {
        err = tlr_worker_init(&pool->workers[pool->made], pool->made, host,
                              pool->config, &callbacks, pool);
        if (err == 0) {
            pool->made++;
        }
    }
    if (err != 0) {
        /* With a host there is one worker, so none was made. */
        tlr_pool_end(pool);
        tlr_pool_unmake(pool);
    }
    return err;
}

int tlr_pool_start(struct tlr_pool *pool)
{
    int err = 0;

    while (pool->running < pool->count && err == 0) {
        err = tlr_worker_start(&pool->workers[pool->running]);
        if (err == 0) {
            pool->running++;
        }
    }
    return err;
}

void tlr_pool_end(struct tlr_pool *pool)
{
    unsigned i;

    for (i = 0; i < pool->made; i++) {
        tlr_worker_end(&pool->workers[i], i < pool->running);
    }
    pool->running = 0;
}

void tlr_pool_order(struct tlr_pool *pool, unsigned orders)
{
    unsigned i;

    for (i = 0; i < pool->made; i++) {
        tlr_worker_order(&pool->workers[i], orders);
    }
}

bool tlr_pool_all_closed(const struct tlr_pool *pool)
{
    return atomic_load((_Atomic unsigned *)&pool->closed) == pool->made;
}

void tlr_pool_join(struct tlr_pool *pool)
{
    unsigned i;

    for (i = 0; i < pool->running; i++) {
        tlr_worker_join(&pool->workers[i]);
    }
    pool->running = 0;
}

void tlr_pool_unmake(struct tlr_pool *pool)
{
    unsigned i;

    for (i = 0; i < pool->made; i++) {
        tlr_worker_destroy(&pool->workers[i]);
    }
    pool->made = 0;
    atomic_store(&pool->closed, 0);
}

void tlr_pool_destroy(struct tlr_pool *pool)
{
    tlr_free(&pool->config->allocator, pool->workers);
}
