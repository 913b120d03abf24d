/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "cli/sockets.h"

static uv_tcp_t listener;
static uv_tcp_t served;

static void on_connection(uv_stream_t *stream, int status)
{
    assert_int_equal(status, 0);
    assert_int_equal(uv_tcp_init(stream->loop, &served), 0);
    assert_int_equal(uv_accept(stream, (uv_stream_t *)&served), 0);
}

static void serve(bool resets)
{
    uv_buf_t buf = uv_buf_init("last", 4);

    assert_int_equal(uv_try_write((uv_stream_t *)&served, &buf, 1), 4);
    if (resets) {
        assert_int_equal(uv_tcp_close_reset(&served, NULL), 0);
    } else {
        uv_close((uv_handle_t *)&served, NULL);
    }
}

struct end {
    uv_tcp_t tcp;
    uv_connect_t connect;
    size_t received;
    int by_libuv;
    int in_truth;
};

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char bytes[64];

    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(bytes, sizeof(bytes));
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct end *end = stream->data;

    (void)buf;
    if (nread > 0) {
        end->received += (size_t)nread;
    } else if (nread < 0) {
        end->by_libuv = (int)nread;
        end->in_truth = nread == UV_EOF ? tlr_cli_end_of_stream(&end->tcp)
                                        : (int)nread;
        (void)uv_read_stop(stream);
    }
}

static void on_connected(uv_connect_t *req, int status)
{
    (void)req;
    assert_int_equal(status, 0);
}

static bool has_ended(void *data)
{
    return ((struct end *)data)->by_libuv != 0;
}

/* What a client finds that begins to read when all is there. */
static void meet(struct fixture *f, struct end *end, bool resets)
{
    struct sockaddr_storage address;
    struct sockaddr_in any;
    int length = sizeof(address);

    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &any), 0);
    assert_int_equal(uv_tcp_init(&f->loop, &listener), 0);
    assert_int_equal(uv_tcp_bind(&listener, (struct sockaddr *)&any, 0), 0);
    assert_int_equal(
        uv_listen((uv_stream_t *)&listener, 1, on_connection), 0);
    assert_int_equal(uv_tcp_getsockname(&listener,
                                        (struct sockaddr *)&address, &length),
                     0);
    assert_int_equal(uv_tcp_init(&f->loop, &end->tcp), 0);
    end->tcp.data = end;
    assert_int_equal(uv_tcp_connect(&end->connect, &end->tcp,
                                    (struct sockaddr *)&address, on_connected),
                     0);
    run_for(&f->loop, 50);
    serve(resets);
    run_for(&f->loop, 20);
    assert_int_equal(
        uv_read_start((uv_stream_t *)&end->tcp, on_alloc, on_read), 0);
    run_until(&f->loop, has_ended, end);
    uv_close((uv_handle_t *)&end->tcp, NULL);
    uv_close((uv_handle_t *)&listener, NULL);
    run_for(&f->loop, 1);
    assert_int_equal(end->received, 4);
}

static void an_end_is_an_end(void **state)
{
    struct end end = {.received = 0};

    meet(*state, &end, false);
    assert_int_equal(end.in_truth, UV_EOF);
}

static void a_reset_behind_the_last_bytes_is_none(void **state)
{
    struct end end = {.received = 0};

    meet(*state, &end, true);
    if (late_resets_are_told()) {
        assert_int_equal(end.in_truth, UV_ECONNRESET);
    }
}

/* The port that a socket has before it connects; 0: none yet. */
static unsigned bound_port(struct fixture *f)
{
    uv_tcp_t tcp;
    struct sockaddr_in address;
    struct sockaddr_in bound = {0};
    int length = sizeof(bound);

    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &address), 0);
    assert_int_equal(uv_tcp_init_ex(&f->loop, &tcp, AF_INET), 0);
    assert_int_equal(
        tlr_cli_bind_address(&tcp, (const struct sockaddr *)&address), 0);
    assert_int_equal(
        uv_tcp_getsockname(&tcp, (struct sockaddr *)&bound, &length), 0);
    uv_close((uv_handle_t *)&tcp, NULL);
    run_for(&f->loop, 1);
    assert_int_equal(bound.sin_addr.s_addr, address.sin_addr.s_addr);
    return ntohs(bound.sin_port);
}

static void a_port_is_chosen_for_the_peer(void **state)
{
    unsigned port = bound_port(*state);

    if (ports_are_chosen_late()) {
        assert_int_equal(port, 0);
    }
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_end_is_an_end),
        TEST(a_reset_behind_the_last_bytes_is_none),
        TEST(a_port_is_chosen_for_the_peer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
