/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <stdlib.h>

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
    assert_int_equal(options.max_connections, 0);
    assert_int_equal(options.read_buffer, 65536);
    assert_int_equal(options.conn_data_size, 0);
    assert_null(options.handler.on_open);
    assert_null(options.on_stopped);
}

static void options_of_another_size_are_refused(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(try(f), 0);
    f->options.size--;
    assert_int_equal(try(f), UV_EINVAL);
    f->options.size = 0;
    assert_int_equal(try(f), UV_EINVAL);
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
        TEST(options_of_another_size_are_refused),
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
