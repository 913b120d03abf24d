/* SPDX-License-Identifier: MIT */
/* What all connections together may have queued: the sum, and who is refused. */
#include "script.h"

#include <string.h>

#include "core/budget.h"
#include "core/conn.h"

/* ---- the sum -------------------------------------------------------- */

static struct tlr_budget budget;
static struct tlr_spending loops[2];

static void begin(size_t limit, unsigned count)
{
    memset(&budget, 0, sizeof(budget));
    memset(loops, 0, sizeof(loops));
    tlr_budget_init(&budget, limit, count);
}

static void a_loop_tells_when_it_has_changed_much(void **state)
{
    (void)state;
    begin(32000, 2); /* a grain of 1000 */
    tlr_budget_update(&budget, &loops[0], 999, 1);
    assert_int_equal(atomic_load(&budget.bytes), 0);
    tlr_budget_update(&budget, &loops[1], 1000, 3);
    assert_int_equal(atomic_load(&budget.bytes), 1000);
    assert_int_equal(atomic_load(&budget.holders), 3);
    tlr_budget_update(&budget, &loops[1], 1, 1);
    assert_int_equal(atomic_load(&budget.bytes), 1000);
    tlr_budget_update(&budget, &loops[0], 1000, 2);
    assert_int_equal(atomic_load(&budget.bytes), 2000);
    tlr_budget_update(&budget, &loops[1], 0, 0);
    tlr_budget_update(&budget, &loops[0], 0, 0);
    assert_int_equal(atomic_load(&budget.bytes), 0);
    assert_int_equal(atomic_load(&budget.holders), 0);
}

static void up_to_the_limit_all_are_let(void **state)
{
    (void)state;
    begin(1000, 1);
    assert_true(tlr_budget_allows(&budget, &loops[0], 0, 1000));
    tlr_budget_update(&budget, &loops[0], 900, 1);
    assert_true(tlr_budget_allows(&budget, &loops[0], 900, 100));
    assert_false(tlr_budget_allows(&budget, &loops[0], 900, 101));
}

/* What this loop has not told counts as well, and another's only if told. */
static void beyond_it_only_those_are_that_have_little(void **state)
{
    (void)state;
    begin(32000, 2);
    tlr_budget_update(&budget, &loops[0], 31999, 3);
    assert_true(tlr_budget_allows(&budget, &loops[1], 0, 8000));
    assert_false(tlr_budget_allows(&budget, &loops[1], 0, 8001));
    tlr_budget_update(&budget, &loops[1], 500, 1);
    assert_true(tlr_budget_allows(&budget, &loops[1], 500, 7500));
    assert_false(tlr_budget_allows(&budget, &loops[1], 500, 7501));
    assert_false(tlr_budget_allows(&budget, &loops[0], 20000, 2));
    assert_true(tlr_budget_allows(&budget, &loops[0], 9000, 2));
}

static void beyond_twice_the_limit_nobody_is(void **state)
{
    (void)state;
    begin(1000, 1);
    tlr_budget_update(&budget, &loops[0], 2000, 2);
    assert_false(tlr_budget_allows(&budget, &loops[0], 0, 2));
    tlr_budget_update(&budget, &loops[0], 1990, 2);
    assert_true(tlr_budget_allows(&budget, &loops[0], 0, 2));
}

static void the_default_is_a_part_of_the_memory(void **state)
{
    (void)state;
    begin(0, 1);
    assert_in_range(budget.limit, 1 << 20, uv_get_total_memory() / 8);
    begin(SIZE_MAX, 1);
    assert_true(tlr_budget_allows(&budget, &loops[0], 0,
                                  (uint64_t)1 << 60));
}

/* ---- connections ---------------------------------------------------- */

#define LIMIT (4 * MIB)
#define STUFFING (12 * MIB)

enum { ATTACKERS = 30 };

static int set_up(void **state)
{
    int err = script_setup(state);

    (void)script_pattern(); /* here, and on no worker */
    return err;
}

static uint64_t closed_by(struct fixture *f, enum tlr_cause cause)
{
    return counters_of(f, TLR_ALL_WORKERS).closed[cause];
}

static bool has_room(void *f)
{
    return counters_of(f, TLR_ALL_WORKERS).queued == 0;
}

static void be_narrow(struct tlr_conn *conn)
{
    assert_int_equal(tlr_conn_set(conn, TLR_SEND_BUFFER, 4096), 0);
    read_some(conn);
}

/* One byte asks for much, another one for itself. */
static void serve_much(struct tlr_conn *conn, ssize_t nread, char *data)
{
    int err = 0;
    int i;

    if (nread <= 0) {
        tlr_close(conn);
        return;
    }
    if (data[0] == 'm') {
        for (i = 0; i < 160 && err == 0; i++) {
            err = tlr_send(conn, script_pattern(), 65536);
        }
    } else {
        err = tlr_send(conn, data, (size_t)nread);
    }
    if (tlr_read(conn) != 0) {
        tlr_close(conn);
    }
}

static atomic_uint warnings;

static void on_warning(struct tlr_server *server,
                       const struct tlr_warning *warning)
{
    (void)server;
    if (warning->kind == TLR_WARNING_QUEUED) {
        atomic_fetch_add(&warnings, 1);
    }
}

static bool has_refused(void *f)
{
    return counters_of(f, TLR_ALL_WORKERS).queue_refused >= ATTACKERS;
}

static void those_that_never_read_do_not_take_all_memory(void **state)
{
    static struct client attackers[ATTACKERS];
    struct fixture *f = *state;
    struct client honest;
    size_t before;
    int i;

    atomic_store(&warnings, 0);
    f->options.max_queued = LIMIT;
    f->options.send_queue = STUFFING;
    f->options.on_warning = on_warning;
    script.opened = be_narrow;
    script.received = serve_much;
    script.silent = true;
    start_server(f);
    client_connect(f, &honest);
    client_exchange(f, &honest);
    before = atomic_load(&f->memory.bytes);
    for (i = 0; i < ATTACKERS; i++) {
        client_connect_as(f, &attackers[i], CLIENT_PATIENT);
        client_send(&attackers[i], "m", 1);
    }
    run_until(&f->loop, has_refused, f);
    for (i = 0; i < 100; i++) {
        client_exchange(f, &honest);
    }
    assert_in_range(counters_of(f, TLR_ALL_WORKERS).queued, LIMIT / 2,
                    2 * LIMIT + LIMIT / 16);
    assert_in_range(atomic_load(&f->memory.most), before + LIMIT / 2,
                    before + 2 * LIMIT + LIMIT / 4);
    assert_int_not_equal(atomic_load(&warnings), 0);
    for (i = 0; i < ATTACKERS; i++) {
        client_reset(f, &attackers[i]);
    }
    run_until(&f->loop, has_room, f);
    client_exchange(f, &honest);
    client_close(f, &honest);
}

/* ---- who is refused ------------------------------------------------- */

static void write_much(struct tlr_conn *conn)
{
    assert_int_equal(tlr_write(conn, script_pattern(), STUFFING), 0);
}

static void a_write_that_is_refused_ends_the_connection(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.max_queued = 1000;
    script.opened = write_much;
    script.written = NULL;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    wait_log(f, "write ENOBUFS");
    on_worker(f, close_it);
    expect(f, "open, write ENOBUFS, close queued");
    client_read(&client);
    client_wait_reset(f, &client);
    client_close(f, &client);
    assert_int_equal(closed_by(f, TLR_CLOSED_BY_QUEUED), 1);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).queue_refused, 1);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).queued, 0);
}

static void nothing_more_may_follow(struct tlr_conn *conn)
{
    assert_int_equal(tlr_send(conn, "x", 1), UV_EPIPE);
    assert_int_equal(tlr_write(conn, "x", 1), UV_EPIPE);
    assert_int_equal(tlr_shutdown(conn), UV_EPIPE);
}

static void after_write(struct tlr_conn *conn, int status)
{
    if (status == UV_ENOBUFS) {
        nothing_more_may_follow(conn);
    }
}

static void it_cannot_go_on_with_a_hole_in_it(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.max_queued = 1000;
    script.opened = write_much;
    script.written = after_write;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    wait_log(f, "write ENOBUFS");
    tlr_server_stop(f->server); /* it is not closed in order, either */
    client_read(&client);
    client_wait_reset(f, &client);
    client_close(f, &client);
    expect(f, "open, write ENOBUFS, close queued");
}

static void send_too_much(struct tlr_conn *conn)
{
    assert_int_equal(tlr_send(conn, script_pattern(), STUFFING), UV_ENOMEM);
    nothing_more_may_follow(conn);
    tlr_close(conn);
}

static void a_send_that_was_begun_ends_it_too(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.max_queued = 1000;
    script.opened = send_too_much;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    expect(f, "open, close queued");
    client_read(&client);
    client_wait_reset(f, &client);
    client_close(f, &client);
}

static size_t sent;

static void send_to_the_limit(struct tlr_conn *conn)
{
    sent = 0;
    while (tlr_send(conn, script_pattern() + sent % MIB, 1024) == 0) {
        sent += 1024;
    }
    assert_in_range(tlr_conn_queued(conn), 1, LIMIT);
    assert_int_equal(tlr_send(conn, "x", 1024), UV_ENOBUFS);
}

static void send_one_more(struct tlr_conn *conn)
{
    assert_int_equal(tlr_send(conn, script_pattern() + sent % MIB, 1024), 0);
    sent += 1024;
}

static void a_send_that_is_refused_whole_may_be_tried_again(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.max_queued = LIMIT;
    f->options.send_queue = 2 * LIMIT;
    f->options.high_water = 3 * LIMIT;
    script.opened = send_to_the_limit;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    wait_opened(f);
    client_read(&client);
    client_wait(f, &client, sent);
    run_until(&f->loop, has_room, f);
    on_worker(f, send_one_more);
    client_wait(f, &client, sent);
    client_close(f, &client);
    expect_so_far("open");
}

static void write_behind_the_limit(struct tlr_conn *conn)
{
    send_to_the_limit(conn);
    assert_int_equal(tlr_write(conn, script_pattern(), 2048), 0);
}

/* What was sent before goes on its way, and nothing after it. */
static void a_write_behind_what_is_queued_is_refused_too(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.max_queued = LIMIT;
    f->options.send_queue = 2 * LIMIT;
    f->options.high_water = 3 * LIMIT;
    script.opened = write_behind_the_limit;
    script.written = after_write;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    wait_log(f, "write ENOBUFS");
    client_read(&client);
    client_wait(f, &client, sent);
    run_until(&f->loop, has_room, f);
    on_worker(f, nothing_more_may_follow);
    on_worker(f, close_it);
    client_wait_reset(f, &client);
    client_close(f, &client);
    expect(f, "open, write ENOBUFS, close queued");
}

/* ---- what counts ---------------------------------------------------- */

static void keep_the_buffer(struct tlr_conn *conn, ssize_t nread, char *data)
{
    assert_in_range(nread, 2, 65536);
    assert_int_equal(tlr_send(conn, script_pattern(), STUFFING), 0);
    assert_int_equal(tlr_write(conn, data + 1, 1), 0);
}

static uint64_t spent;
static uint64_t left_queued;

static void look_at_spending(struct tlr_conn *conn)
{
    spent = conn->conns->spending.bytes;
    left_queued = tlr_tally_get(&conn->conns->tally.queued);
    assert_int_equal(conn->conns->spending.holders, 1);
}

/* A byte of it that is written keeps the whole. */
static void read_buffers_count_as_long_as_writes_keep_them(void **state)
{
    struct fixture *f = *state;
    struct client client;

    f->options.send_queue = 2 * STUFFING;
    script.opened = read_some;
    script.received = keep_the_buffer;
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT);
    client_send(&client, "xy", 2);
    wait_log(f, "high");
    on_worker(f, look_at_spending);
    assert_int_equal(spent, left_queued + f->options.read_buffer);
    assert_in_range(left_queued, 1, STUFFING + 1);
    client_read(&client);
    client_wait(f, &client, STUFFING + 1);
    run_until(&f->loop, has_room, f);
    client_close(f, &client);
}

#define TEST(function)                                                        \
    cmocka_unit_test_prestate_setup_teardown(function, set_up,                \
                                             script_teardown, &script_one)
#define TEST_TWO(function)                                                    \
    cmocka_unit_test_prestate_setup_teardown(function, set_up,                \
                                             script_teardown, &script_two)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_tells_when_it_has_changed_much),
        cmocka_unit_test(up_to_the_limit_all_are_let),
        cmocka_unit_test(beyond_it_only_those_are_that_have_little),
        cmocka_unit_test(beyond_twice_the_limit_nobody_is),
        cmocka_unit_test(the_default_is_a_part_of_the_memory),
        TEST(those_that_never_read_do_not_take_all_memory),
        TEST_TWO(those_that_never_read_do_not_take_all_memory),
        TEST(a_write_that_is_refused_ends_the_connection),
        TEST(it_cannot_go_on_with_a_hole_in_it),
        TEST(a_send_that_was_begun_ends_it_too),
        TEST(a_send_that_is_refused_whole_may_be_tried_again),
        TEST(a_write_behind_what_is_queued_is_refused_too),
        TEST(read_buffers_count_as_long_as_writes_keep_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
