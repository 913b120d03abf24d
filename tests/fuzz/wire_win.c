/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include <stdlib.h>
#include <string.h>

#define MUST(condition)     \
    do {                    \
        if (!(condition)) { \
            abort();        \
        }                   \
    } while (0)

void wire_start(void)
{
    WSADATA data;

    MUST(WSAStartup(MAKEWORD(2, 2), &data) == 0);
}

struct sockaddr_in wire_address(unsigned run)
{
    struct sockaddr_in address;

    (void)run;
    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void set_blocking(uv_os_sock_t sock, bool on)
{
    u_long not_blocking = on ? 0 : 1;

    MUST(ioctlsocket(sock, FIONBIO, &not_blocking) == 0);
}

/* Of a kind that libuv can open: overlapped. */
static uv_os_sock_t open_socket(int type)
{
    uv_os_sock_t sock = socket(AF_INET, type, 0);

    MUST(sock != INVALID_SOCKET);
    return sock;
}

/* Before it is connected: not now. */
static int error_of_call(void)
{
    int err = WSAGetLastError();

    return err == WSAEWOULDBLOCK || err == WSAENOTCONN
               ? UV_EAGAIN
               : uv_translate_sys_error(err);
}

int wire_listen(struct sockaddr_in *address, uv_os_sock_t *listener)
{
    int length = sizeof(*address);

    *address = wire_address(0);
    *listener = open_socket(SOCK_STREAM);
    MUST(bind(*listener, (struct sockaddr *)address, length) == 0);
    MUST(listen(*listener, 128) == 0);
    MUST(getsockname(*listener, (struct sockaddr *)address, &length) == 0);
    set_blocking(*listener, false);
    return 0;
}

int wire_accept(uv_os_sock_t listener, uv_os_sock_t *sock)
{
    *sock = accept(listener, NULL, NULL);
    if (*sock == INVALID_SOCKET) {
        return error_of_call();
    }
    set_blocking(*sock, false);
    return 0;
}

int wire_dial(const struct sockaddr_in *address, bool small,
              uv_os_sock_t *sock)
{
    int bytes = 32768;
    int err = 0;

    *sock = open_socket(SOCK_STREAM);
    if (small) {
        MUST(setsockopt(*sock, SOL_SOCKET, SO_RCVBUF, (char *)&bytes,
                        sizeof(bytes)) == 0);
    }
    if (connect(*sock, (const struct sockaddr *)address, sizeof(*address)) !=
        0) {
        err = error_of_call();
    }
    set_blocking(*sock, false);
    return err;
}

static unsigned port_of(int(WSAAPI *ask)(SOCKET, struct sockaddr *, int *),
                        uv_os_sock_t sock)
{
    struct sockaddr_in address;
    int length = sizeof(address);

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
    int sent = send(sock, data, (int)size, 0);

    return sent < 0 ? error_of_call() : sent;
}

ssize_t wire_receive(uv_os_sock_t sock, void *data, size_t size)
{
    int received = recv(sock, data, (int)size, 0);

    return received < 0 ? error_of_call() : received;
}

void wire_half_close(uv_os_sock_t sock)
{
    (void)shutdown(sock, SD_SEND); /* fails after RST */
}

void wire_close(uv_os_sock_t sock)
{
    MUST(closesocket(sock) == 0);
}

void wire_reset(uv_os_sock_t sock)
{
    struct linger at_once = {1, 0};

    (void)setsockopt(sock, SOL_SOCKET, SO_LINGER, (char *)&at_once,
                     sizeof(at_once));
    wire_close(sock);
}

uv_os_sock_t wire_unfit(bool udp)
{
    return open_socket(udp ? SOCK_DGRAM : SOCK_STREAM);
}

size_t wire_descriptors(void)
{
    return 0;
}
