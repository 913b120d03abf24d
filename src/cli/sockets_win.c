/* SPDX-License-Identifier: MIT */
#include "sockets.h"

/* Winsock's reads tell a reset from an end by themselves. */
int tlr_cli_end_of_stream(const uv_tcp_t *tcp)
{
    (void)tcp;
    return UV_EOF;
}

int tlr_cli_bind_address(uv_tcp_t *tcp, const struct sockaddr *address)
{
    return uv_tcp_bind(tcp, address, 0);
}
