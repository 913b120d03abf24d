/* SPDX-License-Identifier: MIT */
/* The defaults of the options, and whether they make sense. */
#include "options.h"

#include <stdlib.h>
#include <string.h>

#include "handoff.h"
#include "libuv.h"

#define READ_BUFFER 65536
#define READ_BUFFER_MOST (1u << 30)
#define LOOPS_MOST 1024
#define CONN_DATA_MOST ((size_t)1 << 30)
#define MAILBOX 65536
#define MAILBOX_MOST (1u << 24)
#define SEND_QUEUE ((size_t)1 << 20)
#define LOW_WATER 16384
#define HIGH_WATER 65536
#define ACCEPT_RATE 50000
#define PREFIX_IPV4 32
#define PREFIX_IPV6 64
#define RULES_MOST 65536
#define WRITE_RATE 1
#define LIFETIME_GRACE 5000
#define JITTER 10
#define STALL_TIME 1000

/* What 0.1.0 had, and what no version is going to have. */
#define OLDEST_SIZE                                                            \
    (offsetof(struct tlr_options, resolve) +                                   \
     sizeof(((struct tlr_options *)0)->resolve))
#define SIZE_MOST 65536

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void *c_malloc(size_t size, void *user)
{
    (void)user;
    return malloc(size);
}

static void *c_calloc(size_t count, size_t size, void *user)
{
    (void)user;
    return calloc(count, size);
}

static void *c_realloc(void *memory, size_t size, void *user)
{
    (void)user;
    return realloc(memory, size);
}

static void c_free(void *memory, void *user)
{
    (void)user;
    free(memory);
}

static const struct tlr_options defaults = {
    .loops = TLR_LOOPS_PER_CPU,
    .balance = TLR_BALANCE_LEAST,
    .read_buffer = READ_BUFFER,
    .mailbox = MAILBOX,
    .send_queue = SEND_QUEUE,
    .low_water = LOW_WATER,
    .high_water = HIGH_WATER,
    .max_connections = TLR_AUTO,
    .max_per_worker = TLR_AUTO,
    .max_per_peer = TLR_AUTO,
    .peer_prefix_ipv4 = PREFIX_IPV4,
    .peer_prefix_ipv6 = PREFIX_IPV6,
    .accept_rate = ACCEPT_RATE,
    .write_rate = WRITE_RATE,
    .lifetime_grace = LIFETIME_GRACE,
    .jitter = JITTER,
    .stall_time = STALL_TIME,
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

void tlr_options_init(struct tlr_options *options, size_t size)
{
    memset(options, 0, size);
    memcpy(options, &defaults, smaller(size, sizeof(defaults)));
    if (size >= sizeof(options->size)) {
        options->size = size;
    }
}

static int check_allocator(struct tlr_allocator *allocator)
{
    if (allocator->malloc == NULL && allocator->calloc == NULL &&
        allocator->realloc == NULL && allocator->free == NULL) {
        allocator->malloc = c_malloc;
        allocator->calloc = c_calloc;
        allocator->realloc = c_realloc;
        allocator->free = c_free;
        return 0;
    }
    if (allocator->malloc == NULL || allocator->calloc == NULL ||
        allocator->realloc == NULL || allocator->free == NULL) {
        return UV_EINVAL;
    }
    return 0;
}

static bool between(size_t value, size_t least, size_t most)
{
    return value >= least && value <= most;
}

static bool good_numbers(const struct tlr_options *options)
{
    return options->loops >= TLR_LOOPS_BORROWED &&
           options->loops <= LOOPS_MOST &&
           (options->loops != TLR_LOOPS_BORROWED ||
            between(options->borrowed, 1, LOOPS_MOST)) &&
           options->backlog >= 0 &&
           between(options->read_buffer, 1, READ_BUFFER_MOST) &&
           options->conn_data_size <= CONN_DATA_MOST &&
           options->worker_data_size <= CONN_DATA_MOST &&
           between(options->mailbox, 1, MAILBOX_MOST) &&
           options->low_water < options->high_water;
}

static bool good_limits(const struct tlr_options *options)
{
    return between(options->peer_prefix_ipv4, 1, 32) &&
           between(options->peer_prefix_ipv6, 1, 128) &&
           between(options->at_limit, TLR_AT_LIMIT_WAIT, TLR_AT_LIMIT_CLOSE) &&
           options->jitter <= 100;
}

static bool good_rules(const struct tlr_options *options)
{
    size_t i;

    if (options->access_count > RULES_MOST ||
        (options->access_count > 0 && options->access == NULL)) {
        return false;
    }
    for (i = 0; i < options->access_count; i++) {
        const struct tlr_access_rule *rule = &options->access[i];

        if (rule->allow > 1 || rule->ipv6 > 1 ||
            rule->prefix > (rule->ipv6 ? 128 : 32)) {
            return false;
        }
    }
    return true;
}

static int check_cpus(const struct tlr_options *options)
{
    size_t i;

    if (options->cpu_count == 0) {
        return 0;
    }
    if (options->cpus == NULL) {
        return UV_EINVAL;
    }
    for (i = 0; i < options->cpu_count; i++) {
        if (options->cpus[i] < 0) {
            return UV_EINVAL;
        }
    }
    return tlr_libuv_can_pin() ? 0 : UV_ENOTSUP;
}

static int check_balance(const struct tlr_options *options)
{
    switch (options->balance) {
    case TLR_BALANCE_LEAST:
    case TLR_BALANCE_ROUND_ROBIN:
        return 0;
    case TLR_BALANCE_REUSEPORT:
        /* A listener for a loop that has not come cannot be put on it. */
        return tlr_handoff_has_reuseport() &&
                       options->loops != TLR_LOOPS_BORROWED
                   ? 0
                   : UV_ENOTSUP;
    default:
        return UV_EINVAL;
    }
}

/*
 * A newer program may know more options than we do. As long as they are all
 * zeroes, which is as good as not set, nothing is lost.
 */
static int copy(const struct tlr_options *from, struct tlr_options *to)
{
    const char *bytes = (const char *)from;
    size_t i;

    if (!between(from->size, OLDEST_SIZE, SIZE_MOST)) {
        return UV_EINVAL;
    }
    for (i = sizeof(*to); i < from->size; i++) {
        if (bytes[i] != 0) {
            return UV_E2BIG;
        }
    }
    *to = defaults;
    memcpy(to, from, smaller(from->size, sizeof(*to)));
    return 0;
}

int tlr_options_check_handler(const struct tlr_handler *handler)
{
    size_t i;

    if (handler->on_open == NULL || handler->on_read == NULL) {
        return UV_EINVAL;
    }
    for (i = 0; i < COUNT(handler->reserved); i++) {
        if (handler->reserved[i] != NULL) {
            return UV_E2BIG;
        }
    }
    return 0;
}

int tlr_options_read(const struct tlr_options *from, struct tlr_options *to)
{
    int err = copy(from, to);

    if (err != 0) {
        return err;
    }
    err = tlr_options_check_handler(&to->handler);
    if (err != 0) {
        return err;
    }
    if (!good_numbers(to) || !good_limits(to) || !good_rules(to)) {
        return UV_EINVAL;
    }
    if (to->thread_name == NULL) {
        to->thread_name = "teller";
    }
    err = check_allocator(&to->allocator);
    if (err == 0) {
        err = check_balance(to);
    }
    return err != 0 ? err : check_cpus(to);
}

unsigned tlr_options_workers(const struct tlr_options *options)
{
    switch (options->loops) {
    case TLR_LOOPS_HOST:
        return 1;
    case TLR_LOOPS_BORROWED:
        return options->borrowed;
    case TLR_LOOPS_PER_CPU:
        return uv_available_parallelism();
    default:
        return (unsigned)options->loops;
    }
}
