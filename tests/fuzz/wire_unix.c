/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

#define MUST(condition)  \
    do {                 \
        if (!(condition)) { \
            abort();     \
        }                \
    } while (0)

void wire_start(void)
{
}

struct sockaddr_in wire_address(unsigned run)
{
    struct sockaddr_in address;

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
#if defined(__linux__)
    address.sin_addr.s_addr =
        htonl(UINT32_C(0x7f010001) + (run % (1u << 20)) * 2);
#else
    (void)run;
#endif
    return address;
}

static uv_os_sock_t open_socket(int type)
{
    int sock = socket(AF_INET, type, 0);

    MUST(sock >= 0);
    MUST(fcntl(sock, F_SETFL, O_NONBLOCK) == 0);
    MUST(fcntl(sock, F_SETFD, FD_CLOEXEC) == 0);
    return sock;
}

/*
 * A small window makes a server's writes wait early; and with segments as large
 * as the loopback network has them it would make the kernel wait for timers.
 */
static void make_small(uv_os_sock_t sock)
{
    int bytes = 32768;
    int segment = 1460;

    MUST(setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) == 0);
    MUST(setsockopt(sock, IPPROTO_TCP, TCP_MAXSEG, &segment,
                    sizeof(segment)) == 0);
}

int wire_listen(struct sockaddr_in *address, uv_os_sock_t *listener)
{
    socklen_t length = sizeof(*address);

    memset(address, 0, sizeof(*address));
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *listener = open_socket(SOCK_STREAM);
    make_small(*listener); /* and so all that it accepts */
    MUST(bind(*listener, (struct sockaddr *)address, length) == 0);
    MUST(listen(*listener, 128) == 0);
    MUST(getsockname(*listener, (struct sockaddr *)address, &length) == 0);
    return 0;
}

int wire_accept(uv_os_sock_t listener, uv_os_sock_t *sock)
{
    *sock = accept(listener, NULL, NULL);
    if (*sock < 0) {
        return uv_translate_sys_error(errno);
    }
    MUST(fcntl(*sock, F_SETFL, O_NONBLOCK) == 0);
    return 0;
}

int wire_dial(const struct sockaddr_in *address, bool small,
              uv_os_sock_t *sock)
{
    struct pollfd ready;
    int err = 0;
    socklen_t length = sizeof(err);

    *sock = open_socket(SOCK_STREAM);
    if (small) {
        make_small(*sock);
    }
    if (connect(*sock, (const struct sockaddr *)address, sizeof(*address)) ==
        0) {
        return 0;
    }
    if (errno != EINPROGRESS) {
        return uv_translate_sys_error(errno);
    }
    ready.fd = *sock;
    ready.events = POLLOUT;
    if (poll(&ready, 1, 10000) != 1) {
        return UV_ETIMEDOUT;
    }
    MUST(getsockopt(*sock, SOL_SOCKET, SO_ERROR, &err, &length) == 0);
    return uv_translate_sys_error(err);
}

static unsigned port_of(int (*ask)(int, struct sockaddr *, socklen_t *),
                        uv_os_sock_t sock)
{
    struct sockaddr_in address;
    socklen_t length = sizeof(address);

    if (ask(sock, (struct sockaddr *)&address, &length) != 0) {
        return 0;
    }
    return ntohs(address.sin_port);
}

unsigned wire_port(uv_os_sock_t sock)
{
    return port_of(getsockname, sock);
}

unsigned wire_peer_port(uv_os_sock_t sock)
{
    return port_of(getpeername, sock);
}

ssize_t wire_send(uv_os_sock_t sock, const void *data, size_t size)
{
    ssize_t sent = send(sock, data, size, MSG_NOSIGNAL);

    return sent < 0 ? uv_translate_sys_error(errno) : sent;
}

ssize_t wire_receive(uv_os_sock_t sock, void *data, size_t size)
{
    ssize_t received = recv(sock, data, size, 0);

    return received < 0 ? uv_translate_sys_error(errno) : received;
}

void wire_half_close(uv_os_sock_t sock)
{
    (void)shutdown(sock, SHUT_WR); /* ENOTCONN after RST */
}

void wire_close(uv_os_sock_t sock)
{
    MUST(close(sock) == 0);
}

void wire_reset(uv_os_sock_t sock)
{
    struct linger at_once = {1, 0};

    MUST(setsockopt(sock, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) ==
         0);
    wire_close(sock);
}

uv_os_sock_t wire_unfit(bool udp)
{
    return open_socket(udp ? SOCK_DGRAM : SOCK_STREAM);
}

size_t wire_descriptors(void)
{
    DIR *folder = opendir("/dev/fd");
    size_t count = 0;

    if (folder == NULL) {
        return 0;
    }
    while (readdir(folder) != NULL) {
        count++;
    }
    (void)closedir(folder);
    return count;
}
