/* SPDX-License-Identifier: MIT */
#include "source.h"

#include <netinet/in.h>
#include <sys/socket.h>

int source_bind(uv_tcp_t *tcp, const struct sockaddr *source)
{
#ifdef IP_BIND_ADDRESS_NO_PORT
    const int on = 1;
    uv_os_fd_t fd;
    if (uv_fileno((const uv_handle_t *)tcp, &fd) == 0) {
        /* Where it fails the port is searched for: slower, that is all. */
        (void)setsockopt(
            fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    }
#endif
    return uv_tcp_bind(tcp, source, 0);
}
