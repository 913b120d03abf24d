/* SPDX-License-Identifier: MIT */
/*
 * What one connection reads is written to two others from the same buffer, of
 * which one is slower than the other: the buffer stays until both are done.
 */
#include "support.h"

#include "echo/echo.h"

enum { SOURCE, QUICK, SLOW, BYSTANDER, ROLES };

static struct tlr_handler echo;
static struct tlr_conn *conns[ROLES];
static unsigned opened;
static unsigned pending; /* writes of one read */

/* Roles are given in the order of coming. */
static void on_open(struct tlr_conn *conn)
{
    conns[opened++] = conn;
    assert_int_equal(tlr_read(conn), 0);
}

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    if (conn == conns[BYSTANDER] || nread < 0) {
        echo.on_read(conn, nread, data);
        return;
    }
    assert_ptr_equal(conn, conns[SOURCE]);
    pending = 2;
    assert_int_equal(tlr_write(conns[QUICK], data, (size_t)nread), 0);
    assert_int_equal(tlr_write(conns[SLOW], data, (size_t)nread), 0);
}

static void on_write(struct tlr_conn *conn, int status)
{
    if (conn == conns[BYSTANDER]) {
        echo.on_write(conn, status);
    } else if (status == 0 && --pending == 0) {
        (void)tlr_read(conns[SOURCE]); /* it may be closed already */
    }
}

static void a_buffer_stays_until_both_are_done(void **state)
{
    struct fixture *f = *state;
    struct client source;
    struct client quick;
    struct client slow;
    struct client other;
    const size_t size = 16 * 1024 * 1024;

    opened = 0;
    pending = 0;
    tlr_echo_handler(&echo);
    f->options.handler.on_open = on_open;
    f->options.handler.on_read = on_read;
    f->options.handler.on_write = on_write;
    start_server(f);
    client_connect(f, &source);
    wait_open(f, 1);
    client_connect_as(f, &quick, CLIENT_PATIENT | CLIENT_CHECKING);
    wait_open(f, 2);
    client_connect_as(f, &slow, CLIENT_PATIENT | CLIENT_CHECKING);
    wait_open(f, 3);
    client_connect_as(f, &other, CLIENT_CHECKING);
    wait_open(f, 4);
    client_send_pattern(&source, 0, size);
    client_wait_stalled(f, &source, 1);
    /* Both wait with the same buffer; now one of them goes on. */
    client_read(&quick);
    run_for(&f->loop, 100);
    /* And others read into whatever buffers are free. */
    client_send_pattern(&other, 0, 1024 * 1024);
    client_wait(f, &other, 1024 * 1024);
    assert_int_equal(slow.received, 0);
    assert_int_not_equal(quick.received, 0);
    client_read(&slow);
    client_wait(f, &slow, size);
    client_wait(f, &quick, size);
    assert_false(slow.wrong);
    assert_false(quick.wrong);
    assert_false(other.wrong);
    client_close(f, &other);
    client_close(f, &source);
    client_close(f, &quick);
    client_close(f, &slow);
}

static struct mode on_host = {TLR_LOOPS_HOST, TLR_BALANCE_LEAST};
static struct mode one = {1, TLR_BALANCE_LEAST};

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate_setup_teardown(
            a_buffer_stays_until_both_are_done, setup, teardown, &on_host),
        cmocka_unit_test_prestate_setup_teardown(
            a_buffer_stays_until_both_are_done, setup, teardown, &one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
