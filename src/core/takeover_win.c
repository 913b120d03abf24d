/* SPDX-License-Identifier: MIT */
/*
 * See takeover.h. Windows could do it, by WSADuplicateSocket() and a named
 * pipe; so far it does not. tlr_server_listen_socket() and tlr_server_sockets()
 * are there for programs that pass sockets on by themselves.
 */
#include "takeover.h"

int tlr_takeover_bind(const char *path, const struct tlr_takeover_id *mine,
                      struct tlr_takeover_file *file, uv_os_sock_t *sock)
{
    (void)path;
    (void)mine;
    (void)file;
    (void)sock;
    return UV_ENOTSUP;
}

int tlr_takeover_publish(struct tlr_takeover_file *file)
{
    (void)file;
    return UV_ENOTSUP;
}

void tlr_takeover_remove(struct tlr_takeover_file *file)
{
    (void)file;
}

int tlr_takeover_accept(uv_os_sock_t sock, uv_os_sock_t *link)
{
    (void)sock;
    (void)link;
    return UV_ENOTSUP;
}

int tlr_takeover_connect(const char *path, uint64_t milliseconds,
                         uv_os_sock_t *link, struct tlr_takeover_id *id)
{
    (void)path;
    (void)milliseconds;
    (void)link;
    (void)id;
    return UV_ENOTSUP;
}

int tlr_takeover_send(uv_os_sock_t link,
                      const struct tlr_takeover_message *message,
                      const uv_os_sock_t *socks)
{
    (void)link;
    (void)message;
    (void)socks;
    return UV_ENOTSUP;
}

int tlr_takeover_receive(uv_os_sock_t link, bool socks,
                         struct tlr_takeover_reader *reader)
{
    (void)link;
    (void)socks;
    (void)reader;
    return UV_ENOTSUP;
}

int tlr_takeover_wait(uv_os_sock_t link, uint64_t milliseconds)
{
    (void)link;
    (void)milliseconds;
    return UV_ENOTSUP;
}
