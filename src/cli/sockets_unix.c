/* SPDX-License-Identifier: MIT */
#include "sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* EPIPE: the end did come, and the reset after it. */
int tlr_cli_end_of_stream(const uv_tcp_t *tcp)
{
    int pending = 0;
    socklen_t length = sizeof(pending);
    uv_os_fd_t fd;
    if (uv_fileno((const uv_handle_t *)tcp, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &pending, &length) != 0 ||
        pending == 0 || pending == EPIPE) {
        return UV_EOF;
    }
    return uv_translate_sys_error(pending);
}

/* Where it fails, the port is chosen sooner, and no more. */
int tlr_cli_bind_address(uv_tcp_t *tcp, const struct sockaddr *address)
{
#if defined(IP_BIND_ADDRESS_NO_PORT) /* of Linux, for IPv6 too */
    int on = 1;
    uv_os_fd_t fd;
    if (uv_fileno((const uv_handle_t *)tcp, &fd) == 0) {
        (void)setsockopt(
            fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    }
#endif
    return uv_tcp_bind(tcp, address, 0);
}
