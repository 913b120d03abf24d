/* SPDX-License-Identifier: MIT */
/* What libuv does not tell of a socket. */
#ifndef TLR_CLI_SOCKETS_H
#define TLR_CLI_SOCKETS_H

#include <uv.h>

/*
 * For a stream of which libuv has just said UV_EOF: UV_EOF, or the error that
 * ended it in truth. On Unix libuv takes a hang-up behind a short read for the
 * end, and so a reset that came with the last bytes, too.
 */
int tlr_cli_end_of_stream(const uv_tcp_t *tcp);

/*
 * Binds a socket that will connect, to an address with port 0. On Linux its port
 * is chosen at the connect, where it has to be free for that peer only: one that
 * bind() chooses has to be free for all, and is searched for: beside 100,000
 * connections in TIME-WAIT there were 544 sessions a second in place of 34,000
 * (teller-load --session 1 --threads 2 --source 127.0.0.2,...,127.0.0.17), and
 * 100,000 connections took 60 s to open. Returns 0 or a UV_E* code.
 */
int tlr_cli_bind_address(uv_tcp_t *tcp, const struct sockaddr *address);

#endif
