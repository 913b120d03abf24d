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

#endif
