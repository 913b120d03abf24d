/* SPDX-License-Identifier: MIT */
/* Raw sockets, by the contract of handoff.h. */
#include "support.h"

#include <string.h>

#include "core/handoff.h"

static uv_os_sock_t listen_somewhere(unsigned flags,
                                     struct sockaddr_storage *address)
{
    struct sockaddr_in any;
    uv_os_sock_t sock;

    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &any), 0);
    assert_int_equal(
        tlr_handoff_listen((struct sockaddr *)&any, 0, flags, &sock), 0);
    assert_int_equal(tlr_handoff_name(sock, address), 0);
    return sock;
}

/* Accepts the client that connects meanwhile. */
static uv_os_sock_t accept_client(struct fixture *f, struct client *client)
{
    uv_os_sock_t listener = listen_somewhere(0, &f->address);
    struct sockaddr_storage peer;
    uv_os_sock_t sock;

    client_connect(f, client);
    assert_int_equal(tlr_handoff_accept(listener, &sock, &peer), 0);
    tlr_handoff_close(listener);
    return sock;
}

static void an_empty_queue_has_nothing_to_accept(void **state)
{
    struct fixture *f = *state;
    uv_os_sock_t listener = listen_somewhere(0, &f->address);
    struct sockaddr_storage peer;
    uv_os_sock_t sock;
    int err = tlr_handoff_accept(listener, &sock, &peer);

    assert_int_equal(err, UV_EAGAIN);
    assert_int_equal(tlr_handoff_classify(err), TLR_ACCEPT_NONE);
    tlr_handoff_close(listener);
}

static void errors_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(tlr_handoff_classify(UV_ECONNABORTED),
                     TLR_ACCEPT_TRANSIENT);
    assert_int_equal(tlr_handoff_classify(UV_ENETDOWN), TLR_ACCEPT_TRANSIENT);
    assert_int_equal(tlr_handoff_classify(UV_EMFILE), TLR_ACCEPT_DESCRIPTORS);
    assert_int_equal(tlr_handoff_classify(UV_ENFILE), TLR_ACCEPT_DESCRIPTORS);
    assert_int_equal(tlr_handoff_classify(UV_ENOBUFS), TLR_ACCEPT_MEMORY);
    assert_int_equal(tlr_handoff_classify(UV_ENOMEM), TLR_ACCEPT_MEMORY);
    assert_int_equal(tlr_handoff_classify(UV_UNKNOWN), TLR_ACCEPT_UNKNOWN);
}

static void a_port_is_shared_only_where_asked_for(void **state)
{
    struct fixture *f = *state;
    unsigned flags =
        tlr_handoff_has_reuseport() ? TLR_HANDOFF_REUSEPORT : 0;
    uv_os_sock_t first = listen_somewhere(flags, &f->address);
    uv_os_sock_t second;

    assert_int_equal(tlr_handoff_listen((struct sockaddr *)&f->address, 0, 0,
                                        &second),
                     UV_EADDRINUSE);
    if (flags != 0) {
        assert_int_equal(tlr_handoff_listen((struct sockaddr *)&f->address, 0,
                                            flags, &second),
                         0);
        tlr_handoff_close(second);
    }
    tlr_handoff_close(first);
}

static void the_queue_holds_what_was_asked_for(void **state)
{
    struct sockaddr_in any;
    uv_os_sock_t sock;

    (void)state;
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &any), 0);
    assert_int_equal(
        tlr_handoff_listen((struct sockaddr *)&any, 7, 0, &sock), 0);
    assert_in_range(tlr_handoff_queue_capacity(sock), 7, 65536);
    tlr_handoff_close(sock);
}

static void no_socket_is_inherited(void **state)
{
    struct fixture *f = *state;
    size_t before = count_inheritable();
    uv_os_sock_t listener = listen_somewhere(0, &f->address);
    struct sockaddr_storage peer;
    struct client client;
    uv_os_sock_t sock;

    client_connect(f, &client);
    assert_int_equal(tlr_handoff_accept(listener, &sock, &peer), 0);
    assert_int_equal(count_inheritable(), before);
    make_inheritable(sock); /* else the count proves nothing */
    assert_int_equal(count_inheritable(), before + 1);
    tlr_handoff_close(sock);
    tlr_handoff_close(listener);
    client_close(f, &client);
}

static void nagle_is_off(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uv_os_sock_t sock = accept_client(f, &client);
    int on = 0;
    socklen_t length = sizeof(on);

    assert_int_equal(getsockopt(sock, IPPROTO_TCP, TCP_NODELAY, (char *)&on,
                                &length),
                     0);
    assert_int_not_equal(on, 0);
    tlr_handoff_close(sock);
    client_close(f, &client);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char bytes[16];

    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(bytes, sizeof(bytes));
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    (void)buf;
    if (nread > 0) {
        *(bool *)stream->data = true;
    }
}

static bool is_true(void *data)
{
    return *(bool *)data;
}

static bool has_closed;

/* Not before a read that is under way has been cancelled, on Windows. */
static void on_closed(uv_handle_t *handle)
{
    (void)handle;
    has_closed = true;
}

/* Opens the socket on the loop and reads a byte from the client. */
static bool is_emulated(struct fixture *f, struct client *client,
                        uv_os_sock_t sock)
{
    uv_tcp_t tcp;
    bool has_read = false;
    bool emulated;

    assert_int_equal(uv_tcp_init(&f->loop, &tcp), 0);
    tcp.data = &has_read;
    assert_int_equal(uv_tcp_open(&tcp, sock), 0);
    assert_int_equal(uv_read_start((uv_stream_t *)&tcp, on_alloc, on_read),
                     0);
    client_send(client, "x", 1);
    run_until(&f->loop, is_true, &has_read);
    emulated = tlr_handoff_emulated(&tcp);
    has_closed = false;
    uv_close((uv_handle_t *)&tcp, on_closed);
    run_until(&f->loop, is_true, &has_closed);
    return emulated;
}

/* What the counter `emulated` counts: never one of ours, but this one. */
static void a_socket_with_another_port_is_found_out(void **state)
{
    struct fixture *f = *state;
    struct client client;
    uv_os_sock_t sock = accept_client(f, &client);

    assert_false(is_emulated(f, &client, sock));
    client_close(f, &client);
    sock = accept_client(f, &client);
    if (give_another_port(sock)) {
        assert_true(is_emulated(f, &client, sock));
    } else {
        tlr_handoff_close(sock);
    }
    client_close(f, &client);
}

static void on_thread(void *arg)
{
    *(uintptr_t *)arg = tlr_handoff_thread_id();
}

static void threads_have_numbers_of_their_own(void **state)
{
    uv_thread_t thread;
    uintptr_t number = 0;

    (void)state;
    assert_int_equal(tlr_handoff_thread(&thread, on_thread, &number, 0), 0);
    assert_int_equal(uv_thread_join(&thread), 0);
    assert_int_not_equal(number, 0);
    assert_int_not_equal(number, tlr_handoff_thread_id());
    assert_int_equal(tlr_handoff_thread_id(), tlr_handoff_thread_id());
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_queue_has_nothing_to_accept),
        TEST(errors_are_told_apart),
        TEST(a_port_is_shared_only_where_asked_for),
        TEST(the_queue_holds_what_was_asked_for),
        TEST(no_socket_is_inherited),
        TEST(nagle_is_off),
        TEST(a_socket_with_another_port_is_found_out),
        TEST(threads_have_numbers_of_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
