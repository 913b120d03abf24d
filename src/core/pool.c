/* SPDX-License-Identifier: MIT */
/* See pool.h. */
#include "pool.h"

#include "point.h"

/* ---- room ----------------------------------------------------------- */

static bool try_reserve(struct tlr_pool *pool)
{
    uint64_t total = atomic_load(&pool->total);

    if (pool->limit == 0) {
        return true;
    }
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
    if (try_reserve(pool)) {
        return true;
    }
    atomic_store(&pool->full, true);
    TLR_POINT(pool_full);
    return try_reserve(pool);
}

/* Likewise: the last loop may come meanwhile. */
bool tlr_pool_is_ready(struct tlr_pool *pool)
{
    if (!tlr_pool_is_incomplete(pool)) {
        return true;
    }
    atomic_store(&pool->full, true);
    return !tlr_pool_is_incomplete(pool);
}

static void wake_if_full(struct tlr_pool *pool)
{
    if (atomic_load(&pool->full)) {
        pool->wake(pool);
    }
}

void tlr_pool_unreserve(struct tlr_pool *pool)
{
    if (pool->limit > 0) {
        atomic_fetch_sub(&pool->total, 1);
        TLR_POINT(pool_unreserved);
    }
    wake_if_full(pool); /* it may be the worker that had no room */
}

bool tlr_pool_is_incomplete(const struct tlr_pool *pool)
{
    return atomic_load((_Atomic unsigned *)&pool->missing) > 0;
}

bool tlr_pool_was_full(struct tlr_pool *pool)
{
    return atomic_exchange(&pool->full, false);
}

/* ---- choosing ------------------------------------------------------- */

static bool is_stalled(const struct tlr_worker *worker)
{
    return atomic_load((_Atomic bool *)&worker->watch.stalled);
}

/* Of load_of(): the one is taken only if all are, the other one never. */
#define STALLED (UINT64_MAX - 1)
#define FULL UINT64_MAX

/* What the balance goes by. */
static uint64_t load_of(const struct tlr_pool *pool,
                        const struct tlr_worker *worker)
{
    uint64_t load = atomic_load((_Atomic uint64_t *)&worker->load);

    if (pool->worker_limit > 0 && load >= pool->worker_limit) {
        return FULL;
    }
    if (is_stalled(worker)) {
        return STALLED;
    }
    /* In turn all that turn are alike. */
    return pool->balance == TLR_BALANCE_LEAST ? load : 0;
}

/* The first with the fewest, from the one whose turn it is; or NULL. */
static struct tlr_worker *choose(struct tlr_pool *pool)
{
    unsigned turn = atomic_load(&pool->next);
    struct tlr_worker *best = NULL;
    uint64_t fewest = FULL;
    unsigned i;

    for (i = 0; i < pool->count && fewest > 0; i++) {
        struct tlr_worker *worker = &pool->workers[(turn + i) % pool->count];
        uint64_t load = load_of(pool, worker);

        if (load < fewest) {
            fewest = load;
            best = worker;
        }
    }
    return best;
}

/* As tlr_pool_reserve(): either this sees the room, or who makes it `full`. */
static struct tlr_worker *choose_or_wait(struct tlr_pool *pool)
{
    struct tlr_worker *worker = choose(pool);

    if (worker == NULL) {
        atomic_store(&pool->full, true);
        worker = choose(pool);
    }
    return worker;
}

bool tlr_pool_take_on(struct tlr_pool *pool, struct tlr_worker *worker)
{
    if (!tlr_pool_reserve(pool)) {
        return false;
    }
    if (tlr_worker_reserve(worker, pool->worker_limit)) {
        return true;
    }
    tlr_pool_unreserve(pool);
    return false;
}

/*
 * Room on a worker is looked for first: giving back what was reserved in all,
 * for want of it, would wake us up again, and so on without an end. It is only
 * done where another thread was faster.
 */
struct tlr_worker *tlr_pool_take(struct tlr_pool *pool)
{
    struct tlr_worker *worker;

    do {
        worker = choose_or_wait(pool);
        if (worker == NULL || !tlr_pool_reserve(pool)) {
            return NULL;
        }
        if (tlr_worker_reserve(worker, pool->worker_limit)) {
            break;
        }
        tlr_pool_unreserve(pool);
    } while (true);
    return worker;
}

void tlr_pool_advance(struct tlr_pool *pool, const struct tlr_worker *worker)
{
    atomic_store(&pool->next, (worker->index + 1) % pool->count);
}

void tlr_pool_give_back(struct tlr_pool *pool, struct tlr_worker *worker)
{
    tlr_worker_unreserve(worker);
    tlr_pool_unreserve(pool);
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

static void on_idle(struct tlr_worker *worker)
{
    struct tlr_pool *pool = worker->owner;

    uv_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->idle, 1);
    uv_cond_signal(&pool->cond);
    uv_mutex_unlock(&pool->mutex);
    TLR_POINT(pool_said_idle);
    pool->wake(pool);
}

/* Unless the end has been ordered: then the others have gone, or go. */
static void on_busy(struct tlr_worker *worker)
{
    struct tlr_pool *pool = worker->owner;

    uv_mutex_lock(&pool->mutex);
    if (!pool->ending) {
        atomic_fetch_sub(&pool->idle, 1);
    }
    uv_mutex_unlock(&pool->mutex);
}

/*
 * Whoever is waiting has to be woken before the last thing, and that is
 * `closed`: then the server may go, and with it what we would wake.
 */
static void on_closed(struct tlr_worker *worker)
{
    struct tlr_pool *pool = worker->owner;

    uv_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->closing, 1);
    uv_cond_signal(&pool->cond);
    uv_mutex_unlock(&pool->mutex);
    pool->wake(pool);
    TLR_POINT(pool_closing);
    atomic_fetch_add(&pool->closed, 1);
}

static const struct tlr_worker_callbacks callbacks = {
    .reserve = on_reserve,
    .unreserve = on_unreserve,
    .idle = on_idle,
    .busy = on_busy,
    .closed = on_closed,
};

static void destroy_workers(struct tlr_pool *pool)
{
    while (pool->created > 0) {
        tlr_worker_destroy(&pool->workers[--pool->created]);
    }
    tlr_free(&pool->config->allocator, pool->workers);
}

static int create_workers(struct tlr_pool *pool)
{
    int err = 0;

    pool->workers = tlr_calloc(&pool->config->allocator,
                               pool->count * sizeof(struct tlr_worker));
    if (pool->workers == NULL) {
        return UV_ENOMEM;
    }
    while (pool->created < pool->count && err == 0) {
        err = tlr_worker_create(&pool->workers[pool->created], pool->created,
                                pool->kind, pool->config, &callbacks, pool);
        pool->created += err == 0;
    }
    if (err != 0) {
        destroy_workers(pool);
    }
    return err;
}

int tlr_pool_init(struct tlr_pool *pool, unsigned count,
                  enum tlr_worker_kind kind, const struct tlr_config *config,
                  void (*wake)(struct tlr_pool *pool))
{
    int err = uv_mutex_init(&pool->mutex);

    if (err != 0) {
        return err;
    }
    err = uv_cond_init(&pool->cond);
    if (err != 0) {
        goto err_after_mutex;
    }
    pool->count = count;
    pool->kind = kind;
    pool->config = config;
    pool->wake = wake;
    err = create_workers(pool);
    if (err != 0) {
        goto err_after_cond;
    }
    return 0;

err_after_cond:
    uv_cond_destroy(&pool->cond);
err_after_mutex:
    uv_mutex_destroy(&pool->mutex);
    return err;
}

/* Posting to workers that will never have a loop is hopeless from now on. */
static void give_up(struct tlr_pool *pool)
{
    unsigned i;

    for (i = 0; i < pool->count; i++) {
        if (pool->workers[i].loop == NULL) {
            tlr_mailbox_shut(&pool->workers[i].mailbox);
        }
    }
}

int tlr_pool_make(struct tlr_pool *pool, uv_loop_t *host)
{
    int err = 0;

    if (pool->kind == TLR_WORKER_BORROWED) {
        atomic_store(&pool->missing, pool->count);
        return 0;
    }
    if (pool->kind == TLR_WORKER_OWN) {
        host = NULL;
    }
    while (pool->made < pool->count && err == 0) {
        err = tlr_worker_init(&pool->workers[pool->made], host);
        pool->made += err == 0;
    }
    if (err != 0) {
        give_up(pool);
    }
    return err;
}

int tlr_pool_start(struct tlr_pool *pool)
{
    int err = 0;

    if (pool->kind == TLR_WORKER_BORROWED) {
        uv_mutex_lock(&pool->mutex);
        pool->attachable = true;
        uv_mutex_unlock(&pool->mutex);
        return 0;
    }
    while (pool->running < pool->made && err == 0) {
        err = tlr_worker_start(&pool->workers[pool->running]);
        if (err == 0) {
            err = tlr_worker_pin(&pool->workers[pool->running++]);
        }
    }
    return err;
}

static int attach(struct tlr_pool *pool, struct tlr_worker *worker,
                  uv_loop_t *loop)
{
    int err;

    if (!pool->attachable) {
        return UV_ECANCELED;
    }
    if (worker->mailbox.state != TLR_MAILBOX_CREATED) {
        return UV_EBUSY;
    }
    err = tlr_worker_init(worker, loop);
    pool->made += err == 0;
    return err;
}

int tlr_pool_attach(struct tlr_pool *pool, unsigned index, uv_loop_t *loop)
{
    struct tlr_worker *worker = &pool->workers[index];
    int err;

    uv_mutex_lock(&pool->mutex);
    err = attach(pool, worker, loop);
    uv_mutex_unlock(&pool->mutex);
    if (err != 0) {
        return err;
    }
    (void)tlr_worker_start(worker); /* no thread: cannot fail */
    if (atomic_fetch_sub(&pool->missing, 1) == 1) {
        wake_if_full(pool);
    }
    return 0;
}

void tlr_pool_shut(struct tlr_pool *pool)
{
    uv_mutex_lock(&pool->mutex);
    if (pool->attachable) {
        pool->attachable = false;
        give_up(pool);
    }
    uv_mutex_unlock(&pool->mutex);
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

    for (i = 0; i < pool->count; i++) {
        tlr_worker_order(&pool->workers[i], orders);
    }
}

/* Under the mutex. */
static void end_if_idle(struct tlr_pool *pool)
{
    if (!pool->attachable && !pool->ending &&
        atomic_load(&pool->idle) == pool->made) {
        pool->ending = true;
        tlr_pool_order(pool, TLR_ORDER_END);
    }
}

void tlr_pool_end_if_idle(struct tlr_pool *pool)
{
    uv_mutex_lock(&pool->mutex);
    end_if_idle(pool);
    uv_mutex_unlock(&pool->mutex);
}

static unsigned made(struct tlr_pool *pool)
{
    unsigned count;

    uv_mutex_lock(&pool->mutex);
    count = pool->made;
    uv_mutex_unlock(&pool->mutex);
    return count;
}

/* The last few instructions of the last of them are waited for here. */
bool tlr_pool_all_closed(struct tlr_pool *pool)
{
    unsigned all = made(pool);

    if (atomic_load(&pool->closing) != all) {
        return false;
    }
    while (atomic_load(&pool->closed) != all) {
        uv_sleep(0);
    }
    return true;
}

#define FOR_EVER (UINT64_MAX / 1000000)

bool tlr_pool_wait(struct tlr_pool *pool, uint64_t milliseconds)
{
    uint64_t start = uv_hrtime();
    uint64_t left = milliseconds < FOR_EVER ? milliseconds * 1000000
                                            : UINT64_MAX;
    uint64_t past = 0;

    uv_mutex_lock(&pool->mutex);
    end_if_idle(pool);
    while (atomic_load(&pool->closing) != pool->made && past < left &&
           !pool->nudged) {
        TLR_POINT(pool_wait);
        if (left == UINT64_MAX) {
            uv_cond_wait(&pool->cond, &pool->mutex);
        } else {
            (void)uv_cond_timedwait(&pool->cond, &pool->mutex, left - past);
        }
        end_if_idle(pool);
        past = uv_hrtime() - start;
    }
    pool->nudged = false;
    uv_mutex_unlock(&pool->mutex);
    return tlr_pool_all_closed(pool);
}

void tlr_pool_nudge(struct tlr_pool *pool)
{
    uv_mutex_lock(&pool->mutex);
    pool->nudged = true;
    uv_cond_signal(&pool->cond);
    uv_mutex_unlock(&pool->mutex);
}

void tlr_pool_join(struct tlr_pool *pool)
{
    unsigned i;

    for (i = 0; i < pool->running; i++) {
        tlr_worker_join(&pool->workers[i]);
    }
    pool->running = 0;
}

void tlr_pool_destroy(struct tlr_pool *pool)
{
    destroy_workers(pool);
    uv_cond_destroy(&pool->cond);
    uv_mutex_destroy(&pool->mutex);
}
