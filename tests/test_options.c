/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "core/handoff.h"

/* What tlr_server_create() says; destroys what it gives. */
static int try(struct fixture *f)
{
    struct tlr_server *server = NULL;
    int err = tlr_server_create(&server, &f->loop, &f->options);

    tlr_server_destroy(server);
    return err;
}

static void the_defaults_are_those_of_the_header(void **state)
{
    struct tlr_options options;

    (void)state;
    tlr_options_init(&options, sizeof(options));
    assert_int_equal(options.size, sizeof(options));
    assert_int_equal(options.loops, TLR_LOOPS_PER_CPU);
    assert_int_equal(options.balance, TLR_BALANCE_LEAST);
    assert_int_equal(options.backlog, 0);
    assert_true(options.max_connections == TLR_AUTO);
    assert_true(options.max_per_worker == TLR_AUTO);
    assert_true(options.max_per_peer == TLR_AUTO);
    assert_int_equal(options.peer_prefix_ipv4, 32);
    assert_int_equal(options.peer_prefix_ipv6, 64);
    assert_int_equal(options.accept_rate, 50000);
    assert_int_equal(options.accept_burst, 0);
    assert_int_equal(options.at_limit, TLR_AT_LIMIT_WAIT);
    assert_int_equal(options.max_queued, 0);
    assert_int_equal(options.idle_timeout, 0);
    assert_int_equal(options.write_timeout, 0);
    assert_int_equal(options.stall_time, 1000);
    assert_int_equal(options.read_buffer, 65536);
    assert_int_equal(options.conn_data_size, 0);
    assert_null(options.handler.on_open);
    assert_null(options.on_stopped);
}

static void options_of_no_versions_size_are_refused(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(try(f), 0);
    f->options.size = offsetof(struct tlr_options, resolve);
    assert_int_equal(try(f), UV_EINVAL);
    f->options.size = 0;
    assert_int_equal(try(f), UV_EINVAL);
    f->options.size = SIZE_MAX;
    assert_int_equal(try(f), UV_EINVAL);
}

/* Compiled with a later version, which has more of them. */
struct newer {
    struct tlr_options options;
    int unknown[4];
};

static void unknown_options_are_refused_if_they_are_set(void **state)
{
    struct fixture *f = *state;
    struct newer newer;
    struct tlr_server *server;

    memset(&newer, 0xff, sizeof(newer));
    tlr_options_init(&newer.options, sizeof(newer));
    assert_int_equal(newer.options.size, sizeof(newer));
    assert_int_equal(newer.unknown[0], 0);
    assert_int_equal(newer.unknown[3], 0);
    assert_int_equal(newer.options.read_buffer, 65536);
    newer.options.handler = f->options.handler;
    assert_int_equal(tlr_server_create(&server, &f->loop, &newer.options), 0);
    tlr_server_destroy(server);
    newer.unknown[3] = 1;
    assert_int_equal(tlr_server_create(&server, &f->loop, &newer.options),
                     UV_E2BIG);
}

/* Compiled with an earlier one: nothing is written behind what it has. */
static void an_older_programs_memory_is_left_alone(void **state)
{
    struct {
        struct tlr_counters counters;
        uint64_t behind;
    } seen;
    struct fixture *f = *state;
    char options[64];
    size_t i;

    memset(options, 0x55, sizeof(options));
    tlr_options_init((struct tlr_options *)(void *)options, 40);
    for (i = 40; i < sizeof(options); i++) {
        assert_int_equal(options[i], 0x55);
    }
    assert_int_equal(tlr_server_create(&f->server, &f->loop, &f->options), 0);
    memset(&seen, 0x55, sizeof(seen));
    assert_int_equal(tlr_server_counters(f->server, TLR_ALL_WORKERS,
                                         &seen.counters,
                                         sizeof(seen.counters) - 8),
                     0);
    assert_int_equal(seen.counters.accepted, 0);
    assert_true(seen.counters.stalls == UINT64_C(0x5555555555555555));
    assert_int_equal(
        tlr_server_counters(f->server, 0, &seen.counters, sizeof(seen)), 0);
    assert_int_equal(seen.behind, 0); /* what we do not know is 0 */
}

static void later_callback(void)
{
}

static void unknown_callbacks_are_refused(void **state)
{
    struct fixture *f = *state;

    f->options.handler.reserved[0] = later_callback;
    assert_int_equal(try(f), UV_E2BIG);
}

static void water_marks_have_an_order(void **state)
{
    struct fixture *f = *state;

    f->options.low_water = f->options.high_water;
    assert_int_equal(try(f), UV_EINVAL);
    f->options.low_water = 0;
    f->options.high_water = 1;
    assert_int_equal(try(f), 0);
}

static void mailboxes_have_bounds(void **state)
{
    struct fixture *f = *state;

    f->options.mailbox = 0;
    assert_int_equal(try(f), UV_EINVAL);
    f->options.mailbox = (1u << 24) + 1;
    assert_int_equal(try(f), UV_EINVAL);
    f->options.mailbox = 1u << 24;
    assert_int_equal(try(f), 0);
}

static void borrowed_loops_have_a_number(void **state)
{
    struct fixture *f = *state;

    f->options.loops = TLR_LOOPS_BORROWED;
    assert_int_equal(try(f), UV_EINVAL);
    f->options.borrowed = 1025;
    assert_int_equal(try(f), UV_EINVAL);
    f->options.borrowed = 3;
    assert_int_equal(try(f), 0);
    f->options.balance = TLR_BALANCE_REUSEPORT;
    assert_int_equal(try(f), UV_ENOTSUP);
}

static void callbacks_that_are_needed_have_to_be_there(void **state)
{
    struct fixture *f = *state;
    struct tlr_handler whole = f->options.handler;

    f->options.handler.on_open = NULL;
    assert_int_equal(try(f), UV_EINVAL);
    f->options.handler = whole;
    f->options.handler.on_read = NULL;
    assert_int_equal(try(f), UV_EINVAL);
    f->options.handler = whole;
    f->options.handler.on_write = NULL; /* for who never writes */
    assert_int_equal(try(f), 0);
}

static void loops_have_bounds(void **state)
{
    static const int good[] = {TLR_LOOPS_HOST, TLR_LOOPS_PER_CPU, 1, 1024};
    static const int bad[] = {-2, 1025, INT32_MAX, INT32_MIN};
    struct fixture *f = *state;
    size_t i;

    for (i = 0; i < COUNT(good); i++) {
        f->options.loops = good[i];
        assert_int_equal(try(f), 0);
    }
    for (i = 0; i < COUNT(bad); i++) {
        f->options.loops = bad[i];
        assert_int_equal(try(f), UV_EINVAL);
    }
}

static void sizes_have_bounds(void **state)
{
    struct fixture *f = *state;

    f->options.read_buffer = 0;
    assert_int_equal(try(f), UV_EINVAL);
    f->options.read_buffer = SIZE_MAX;
    assert_int_equal(try(f), UV_EINVAL);
    f->options.read_buffer = 1;
    assert_int_equal(try(f), 0);
    f->options.conn_data_size = SIZE_MAX;
    assert_int_equal(try(f), UV_EINVAL);
    f->options.conn_data_size = 1;
    assert_int_equal(try(f), 0);
    f->options.backlog = -1;
    assert_int_equal(try(f), UV_EINVAL);
}

static void only_known_balances_are_taken(void **state)
{
    struct fixture *f = *state;

    f->options.balance = TLR_BALANCE_ROUND_ROBIN;
    assert_int_equal(try(f), 0);
    f->options.balance = TLR_BALANCE_REUSEPORT;
    assert_int_equal(try(f), tlr_handoff_has_reuseport() ? 0 : UV_ENOTSUP);
    f->options.balance = (enum tlr_balance)3;
    assert_int_equal(try(f), UV_EINVAL);
}

static void an_allocator_is_whole_or_left_out(void **state)
{
    struct fixture *f = *state;
    struct tlr_allocator none = {0};
    struct tlr_allocator whole = f->options.allocator;

    f->options.allocator.malloc = NULL;
    assert_int_equal(try(f), UV_EINVAL);
    f->options.allocator = whole;
    f->options.allocator.calloc = NULL;
    assert_int_equal(try(f), UV_EINVAL);
    f->options.allocator = whole;
    f->options.allocator.realloc = NULL;
    assert_int_equal(try(f), UV_EINVAL);
    f->options.allocator = whole;
    f->options.allocator.free = NULL;
    assert_int_equal(try(f), UV_EINVAL);
    f->options.allocator = none;
    assert_int_equal(try(f), 0);
}

static void without_an_allocator_the_c_library_serves(void **state)
{
    struct fixture *f = *state;
    struct tlr_allocator none = {0};
    struct client client;

    f->options.allocator = none;
    start_server(f);
    client_connect(f, &client);
    client_exchange(f, &client);
    client_close(f, &client);
    assert_int_equal(atomic_load(&f->memory.allocations), 0);
}

static void nothing_of_the_options_is_kept(void **state)
{
    struct fixture *f = *state;
    struct tlr_options *passing = malloc(sizeof(*passing));
    struct client client;

    assert_non_null(passing);
    *passing = f->options;
    assert_int_equal(tlr_server_create(&f->server, &f->loop, passing), 0);
    free(passing);
    listen_on(f, "127.0.0.1", 0);
    start_created(f);
    assert_ptr_equal(tlr_server_user(f->server), f);
    client_connect(f, &client);
    client_exchange(f, &client);
    client_close(f, &client);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_defaults_are_those_of_the_header),
        TEST(options_of_no_versions_size_are_refused),
        TEST(unknown_options_are_refused_if_they_are_set),
        TEST(unknown_callbacks_are_refused),
        TEST(an_older_programs_memory_is_left_alone),
        TEST(water_marks_have_an_order),
        TEST(mailboxes_have_bounds),
        TEST(borrowed_loops_have_a_number),
        TEST(callbacks_that_are_needed_have_to_be_there),
        TEST(loops_have_bounds),
        TEST(sizes_have_bounds),
        TEST(only_known_balances_are_taken),
        TEST(an_allocator_is_whole_or_left_out),
        TEST(without_an_allocator_the_c_library_serves),
        TEST(nothing_of_the_options_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
