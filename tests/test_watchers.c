/* SPDX-License-Identifier: MIT */
/*
 * What libuv would end the process for, out of the way of connections: a worker
 * has room in its loop's table for all of them when it starts.
 */
#include "support.h"

#include <stdlib.h>

#define MANY 200

static uv_thread_t host;
static _Atomic unsigned workers_calls; /* for memory, by libuv */

static void count(void)
{
    uv_thread_t self = uv_thread_self();

    if (!uv_thread_equal(&self, &host)) {
        workers_calls++;
    }
}

static void *count_malloc(size_t size)
{
    count();
    return malloc(size);
}

static void *count_calloc(size_t number, size_t size)
{
    count();
    return calloc(number, size);
}

static void *count_realloc(void *memory, size_t size)
{
    count();
    return realloc(memory, size);
}

static void connections_take_no_memory_of_libuvs(void **state)
{
    struct fixture *f = *state;
    struct client clients[MANY];
    size_t i;

    start_server(f);
    client_connect(f, &clients[0]);
    client_exchange(f, &clients[0]);
    workers_calls = 0;
    for (i = 1; i < MANY; i++) {
        client_connect(f, &clients[i]);
        client_exchange(f, &clients[i]);
    }
    assert_int_equal(workers_calls, 0);
    for (i = 0; i < MANY; i++) {
        client_close(f, &clients[i]);
    }
}

static struct mode one = {1, TLR_BALANCE_LEAST};
static struct mode own = {2, TLR_BALANCE_REUSEPORT};

#define TEST(mode)                                                       \
    cmocka_unit_test_prestate_setup_teardown(                            \
        connections_take_no_memory_of_libuvs, setup, teardown, mode)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(&one),
        TEST(&own),
    };

    host = uv_thread_self();
    if (uv_replace_allocator(count_malloc, count_realloc, count_calloc,
                             free) != 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
