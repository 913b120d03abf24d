/* SPDX-License-Identifier: MIT */
/*
 * A peer's end of a connection: a plain non-blocking socket, with no libuv in
 * between, so that each operation of a program is one system call: see
 * wire_unix.c. Errors are libuv's; UV_EAGAIN: not now.
 */
#ifndef FUZZ_WIRE_H
#define FUZZ_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

/* Once for the process, before anything else here. */
void wire_start(void);

/* An address of the loopback network, port 0; not always the same one, since a
 * port of one stays taken for a while after a run. */
struct sockaddr_in wire_address(unsigned run);

/* Listens on a port of 127.0.0.1, which it gives with the address. */
int wire_listen(struct sockaddr_in *address, uv_os_sock_t *listener);
int wire_accept(uv_os_sock_t listener, uv_os_sock_t *sock);

/*
 * Connects. `small`: with a small receive window. An error of the connection
 * (UV_ECONNREFUSED, …) is given with the socket all the same.
 */
int wire_dial(const struct sockaddr_in *address, bool small,
              uv_os_sock_t *sock);

/* Its port; that of the other end. 0: there is none (any more). */
unsigned wire_port(uv_os_sock_t sock);
unsigned wire_peer_port(uv_os_sock_t sock);

/* Bytes that were sent or received (0: FIN), or an error. */
ssize_t wire_send(uv_os_sock_t sock, const void *data, size_t size);
ssize_t wire_receive(uv_os_sock_t sock, void *data, size_t size);

/* FIN; FIN, or RST if something is unread; RST. */
void wire_half_close(uv_os_sock_t sock);
void wire_close(uv_os_sock_t sock);
void wire_reset(uv_os_sock_t sock);

/* For what tlr_adopt() does not take: a UDP socket, a TCP one that is not
 * connected. */
uv_os_sock_t wire_unfit(bool udp);

/* Descriptors of this process; 0 where that is not looked at. */
size_t wire_descriptors(void);

#endif
