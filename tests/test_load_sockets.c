/* SPDX-License-Identifier: MIT */
/* What a session sets on its socket, as the system tells it once it is connected:
 * one session on a loop of its own, without a worker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "load/session.h"
#include "load/settings.h"

enum { RECEIVE = 30000, SEND = 50000 };

static uv_loop_t loop;
static uv_tcp_t listener;
static struct sockaddr_storage address;
static struct tlr_load_problems problems;
static struct tlr_load_tally tally;
static struct tlr_load_figures figures; /* too large for a stack */

static struct {
    int receive;
    int send;
    int nodelay;
    bool ready;
} found;

static void on_connection(uv_stream_t *stream, int status)
{
    (void)stream; /* the handshake is the system's */
    assert_int_equal(status, 0);
}

static int setup(void **state)
{
    int length = sizeof(address);
    (void)state;
    memset(&found, 0, sizeof(found));
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_tcp_init(&loop, &listener), 0);
    assert_int_equal(
        uv_ip4_addr("127.0.0.1", 0, (struct sockaddr_in *)&address), 0);
    assert_int_equal(
        uv_tcp_bind(&listener, (struct sockaddr *)&address, 0), 0);
    assert_int_equal(
        uv_listen((uv_stream_t *)&listener, 8, on_connection), 0);
    assert_int_equal(uv_tcp_getsockname(
        &listener, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(tlr_load_problems_init(&problems), 0);
    tlr_load_tally_init(&tally);
    tlr_load_figures_init(&figures);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tlr_load_problems_close(&problems);
    return uv_loop_close(&loop);
}

static void on_ready(struct tlr_load_session *session)
{
    uv_handle_t *handle = (uv_handle_t *)&session->tcp;
    socklen_t length = sizeof(found.nodelay);
    uv_os_fd_t fd;
    assert_int_equal(uv_recv_buffer_size(handle, &found.receive), 0);
    assert_int_equal(uv_send_buffer_size(handle, &found.send), 0);
    assert_int_equal(uv_fileno(handle, &fd), 0);
    assert_int_equal(getsockopt((uv_os_sock_t)fd, IPPROTO_TCP, TCP_NODELAY,
        (void *)&found.nodelay, &length), 0);
    found.ready = true;
    tlr_load_session_abort(session);
}

static void on_failed(struct tlr_load_session *session)
{
    (void)session;
    fail_msg("it cannot connect");
}

static void on_closed(struct tlr_load_session *session)
{
    (void)session;
    uv_close((uv_handle_t *)&listener, NULL);
}

/* Connects with these settings, and closes when it has looked. */
static void look(unsigned receive, unsigned send, bool delay)
{
    const struct tlr_load_plan plan = {.mode = TLR_LOAD_ECHO,
        .addresses = &address,
        .address_count = 1,
        .connections = 1,
        .loops = 1,
        .depth = 1,
        .size = 64,
        .receive_buffer = receive,
        .send_buffer = send,
        .delay = delay};
    static char receiving[TLR_LOAD_CHUNK];
    static char sending[TLR_LOAD_CHUNK];
    struct tlr_load_context context = {.loop = &loop,
        .plan = &plan,
        .problems = &problems,
        .tally = &tally,
        .figures = &figures,
        .receive = receiving,
        .send = sending,
        .on_ready = on_ready,
        .on_failed = on_failed,
        .on_closed = on_closed};
    struct tlr_load_session *session = malloc(tlr_load_session_size(&plan));
    assert_non_null(session);
    tlr_load_session_init(session, &context, 0, 0);
    tlr_load_session_dial(session);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(found.ready);
    free(session);
}

/* Linux counts what it needs itself, too: it says twice as much. */
static bool is_set(int value, int asked)
{
    return value == asked || value == 2 * asked;
}

static void without_settings_the_buffers_are_the_systems(void **state)
{
    (void)state;
    look(0, 0, false);
    assert_false(is_set(found.receive, RECEIVE));
    assert_false(is_set(found.send, SEND));
}

static void the_receive_buffer_is_as_asked(void **state)
{
    (void)state;
    look(RECEIVE, 0, false);
    assert_true(is_set(found.receive, RECEIVE));
    assert_false(is_set(found.send, SEND));
}

static void the_send_buffer_is_as_asked(void **state)
{
    (void)state;
    look(0, SEND, false);
    assert_true(is_set(found.send, SEND));
    assert_false(is_set(found.receive, RECEIVE));
}

static void nagles_algorithm_is_off(void **state)
{
    (void)state;
    look(0, 0, false);
    assert_true(found.nodelay != 0);
}

static void nagles_algorithm_is_left_on_if_asked(void **state)
{
    (void)state;
    look(0, 0, true);
    assert_true(found.nodelay == 0);
}

/* ---- the options ---- */

static struct tlr_load_plan plan_of(size_t argc, char **argv)
{
    static struct tlr_load_settings settings; /* some KiB */
    int status;
    assert_true(
        tlr_load_settings_read(&settings, (int)argc, argv, &status));
    struct tlr_load_plan plan = settings.plan;
    tlr_load_settings_free(&settings);
    return plan;
}

#define PLAN(...)                                                              \
    plan_of(sizeof((char *[]){"teller-load", "1", __VA_ARGS__}) /              \
                sizeof(char *),                                                \
        (char *[]){"teller-load", "1", __VA_ARGS__})

static void each_option_asks_for_its_own(void **state)
{
    (void)state;
    struct tlr_load_plan plan = PLAN("--rcvbuf", "30000", "--nodelay");
    assert_int_equal(plan.receive_buffer, 30000);
    assert_int_equal(plan.send_buffer, 0);
    assert_false(plan.delay);
    plan = PLAN("--sndbuf", "50k", "--no-nodelay");
    assert_int_equal(plan.receive_buffer, 0);
    assert_int_equal(plan.send_buffer, 50 * 1024);
    assert_true(plan.delay);
    assert_false(PLAN("--quiet").delay);
}

int main(void)
{
#define test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        test(without_settings_the_buffers_are_the_systems),
        test(the_receive_buffer_is_as_asked),
        test(the_send_buffer_is_as_asked),
        test(nagles_algorithm_is_off),
        test(nagles_algorithm_is_left_on_if_asked),
        cmocka_unit_test(each_option_asks_for_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
