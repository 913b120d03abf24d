/* SPDX-License-Identifier: MIT */
#include "systemd.h"

#include <string.h>

/* Services there are told, and tell, in another way. */
int tlr_cli_systemd_read(struct tlr_cli_systemd *systemd,
                         struct tlr_cli_text *complaint)
{
    (void)complaint;
    memset(systemd, 0, sizeof(*systemd));
    return 0;
}

uv_os_sock_t tlr_cli_systemd_socket(unsigned index)
{
    (void)index; /* there is none */
    return (uv_os_sock_t)-1;
}

int tlr_cli_systemd_address(unsigned index, struct sockaddr_storage *address)
{
    (void)index;
    (void)address;
    return UV_EBADF;
}

void tlr_cli_systemd_close(unsigned index)
{
    (void)index;
}

int tlr_cli_systemd_notify(const struct tlr_cli_systemd *systemd,
                           const char *lines)
{
    (void)systemd;
    (void)lines;
    return 0;
}

void tlr_cli_systemd_free(struct tlr_cli_systemd *systemd)
{
    (void)systemd;
}
