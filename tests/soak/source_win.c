/* SPDX-License-Identifier: MIT */
#include "source.h"

int source_bind(uv_tcp_t *tcp, const struct sockaddr *source)
{
    return uv_tcp_bind(tcp, source, 0);
}
