/* SPDX-License-Identifier: MIT */
/*
 * The echo handler, and the example to read first.
 *
 * The next read is asked for when the write has completed, not before. So a
 * peer that does not read what it gets is not read from either, and a
 * connection never holds more than one buffer. When the peer half-closes all
 * it sent has been written already, and closing sends our FIN behind it.
 */
#include "echo.h"

static void on_open(struct tlr_conn *conn)
{
    if (tlr_read(conn) != 0) {
        tlr_close(conn);
    }
}

/* Writing the buffer that was lent takes it: nothing is copied. */
static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    if (nread < 0 || tlr_write(conn, data, (size_t)nread) != 0) {
        tlr_close(conn);
    }
}

static void on_write(struct tlr_conn *conn, int status)
{
    if (status != 0 || tlr_read(conn) != 0) {
        tlr_close(conn);
    }
}

/*
 * While the server drains its clients may go on until they end by themselves or
 * its deadline passes. Their lives have no end then: as this is called only once
 * they would not be told of it, but reset in the middle of things. At the end of
 * its own life a connection closes: what is being written goes first.
 */
static void on_drain(struct tlr_conn *conn)
{
    struct tlr_progress progress;

    tlr_server_progress(tlr_conn_server(conn), &progress, sizeof(progress));
    if (progress.phase == TLR_PHASE_RUNNING) {
        tlr_close(conn);
    } else { /* UV_ENOTSUP: it has no timeouts, and so no end */
        (void)tlr_conn_set_timeout(conn, TLR_TIMEOUT_LIFETIME, 0);
    }
}

void tlr_echo_handler(struct tlr_handler *handler)
{
    handler->on_open = on_open;
    handler->on_read = on_read;
    handler->on_write = on_write;
    handler->on_drain = on_drain;
}
