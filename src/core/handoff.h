/* SPDX-License-Identifier: MIT */
/*
 * The platform seam: raw sockets before libuv owns them, and the few things
 * about threads that libuv does not do. handoff_unix.c and handoff_win.c each
 * hold all of it to this contract; no other file of the library knows its OS, but
 * for those of takeover.h.
 *
 * libuv accepts a connection only onto the loop that listens. A raw socket is
 * not tied to any loop, so it can be accepted here and opened on the worker
 * that was chosen (uv_tcp_open). On Windows that is also what lets the socket
 * have the worker's own completion port: a socket's port is set once, and
 * uv_accept() would set the acceptor's. libuv may one day offer a raw accept
 * itself (libuv#5173, #5111, #4739): then it replaces this file.
 *
 * All sockets are non-blocking or become so in uv_tcp_open(), and none is
 * inherited by child processes. Every function returns 0 or a UV_E* code.
 */
#ifndef TLR_HANDOFF_H
#define TLR_HANDOFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

/* What to do after a failed accept. */
enum tlr_accept_result {
    TLR_ACCEPT_NONE,      /* nothing is waiting */
    TLR_ACCEPT_TRANSIENT, /* that one connection is gone; the next may do */
    TLR_ACCEPT_DESCRIPTORS, /* there are none: wait */
    TLR_ACCEPT_MEMORY,      /* likewise */
    TLR_ACCEPT_UNKNOWN      /* wait, too */
};

/* tlr_handoff_listen(): IPV6_V6ONLY on, and SO_REUSEPORT on. */
#define TLR_HANDOFF_V6ONLY 1u
#define TLR_HANDOFF_REUSEPORT 2u
/* And: it is bound only, and listens once tlr_handoff_begin() is called. */
#define TLR_HANDOFF_BOUND 4u

/* Whether SO_REUSEPORT is there and shares connections out. */
bool tlr_handoff_has_reuseport(void);

/*
 * Opens a listening socket. backlog 0: the longest. IPv6 addresses are dual
 * stack without TLR_HANDOFF_V6ONLY. Gives the socket.
 */
int tlr_handoff_listen(const struct sockaddr *address, int backlog,
                       unsigned flags, uv_os_sock_t *listener);

/* Has a socket listen that was bound with TLR_HANDOFF_BOUND. */
int tlr_handoff_begin(uv_os_sock_t sock, int backlog);

/*
 * Whether this is a listening TCP socket; then accepting from it does not block,
 * children do not inherit it, and flags are those it might have been opened with
 * here. UV_ENOTSOCK, UV_EBADF, UV_ENOTSUP, UV_EINVAL: as for
 * tlr_server_listen_socket(); nothing is changed then.
 */
int tlr_handoff_adopt_listener(uv_os_sock_t sock, unsigned *flags);

/* Whether a socket listens: also one that has been closed does not. */
bool tlr_handoff_is_listening(uv_os_sock_t sock);

/* The address a socket is bound to. */
int tlr_handoff_name(uv_os_sock_t sock, struct sockaddr_storage *address);

/* How many connections the kernel may hold for a listening socket. */
unsigned tlr_handoff_queue_capacity(uv_os_sock_t listener);

/*
 * Whether this is a connected TCP socket; then children do not inherit it from
 * now on. UV_ENOTSOCK, UV_EBADF, UV_ENOTSUP, UV_ENOTCONN: as for tlr_adopt().
 * inherited: whether they did, for tlr_handoff_return(). peer: its address.
 */
int tlr_handoff_adopt(uv_os_sock_t sock, bool *inherited,
                      struct sockaddr_storage *peer);

/* Takes that back. */
void tlr_handoff_return(uv_os_sock_t sock, bool inherited);

/*
 * Accepts one connection, Nagle's algorithm off. Gives the socket, and says who
 * the peer is.
 */
int tlr_handoff_accept(uv_os_sock_t listener, uv_os_sock_t *sock,
                       struct sockaddr_storage *peer);

/* What a failure of tlr_handoff_accept() means. */
enum tlr_accept_result tlr_handoff_classify(int err);

/* Closes a raw socket that no libuv handle owns. */
void tlr_handoff_close(uv_os_sock_t sock);

/* The same with RST: the peer is not to take it for an end in order. */
void tlr_handoff_reset(uv_os_sock_t sock);

/*
 * How many descriptors the process may have, and how many it has; false where
 * there is no such limit.
 */
bool tlr_handoff_descriptors(uint64_t *limit, uint64_t *open);

/*
 * How many of the bytes that the kernel has taken the peer has not acknowledged
 * yet. 0 where the system does not tell: all but Linux.
 */
size_t tlr_handoff_unacknowledged(const uv_tcp_t *tcp);

/* Bytes to offer to one uv_try_write(). */
extern const size_t tlr_handoff_write_at_once;

/* uv_write() that leaves nothing behind when it fails. */
int tlr_handoff_write(uv_write_t *request, uv_stream_t *stream,
                      const uv_buf_t *buffers, unsigned count,
                      uv_write_cb on_written);

/* The error that uv_write() has met and not yet called back with, or 0. */
int tlr_handoff_write_error(const uv_write_t *request);

/* Whether a uv_write() that succeeded has written all that it was given. */
bool tlr_handoff_all_written(const uv_write_t *request);

/*
 * Right before uv_close(): FIN behind what was written, where closing alone
 * might send RST.
 */
void tlr_handoff_send_fin(const uv_tcp_t *tcp);

/* Makes the coming close of a socket send RST and drop what is queued. */
int tlr_handoff_abort_on_close(const uv_tcp_t *tcp);

/* tlr_conn_get() for what libuv can set and not read. */
int tlr_handoff_nodelay(const uv_tcp_t *tcp, int *on);
int tlr_handoff_keepalive(const uv_tcp_t *tcp, int *seconds);

/*
 * The error that is pending on a socket whose stream libuv says has ended, or
 * 0. libuv on Unix takes EPOLLHUP behind a short read for the end without
 * another read(), and so a reset that came with the last data, too.
 */
int tlr_handoff_pending_error(const uv_tcp_t *tcp);

/* Whether libuv emulates a completion port for the socket (Windows). */
bool tlr_handoff_emulated(const uv_tcp_t *tcp);

/*
 * Releases what a failed uv_loop_init() has left open: libuv before 1.51
 * forgets its epoll descriptor (libuv#4757); later ones set it to -1.
 */
void tlr_handoff_clean_failed_loop(const uv_loop_t *loop);

/* Whether uv_loop_close() has been called on a loop, and succeeded. */
bool tlr_handoff_loop_is_closed(const uv_loop_t *loop);

/*
 * Starts a thread on which every signal is blocked, SIGPIPE too: libuv writes
 * in a way that raises it, and a host may have left it at its default.
 * stack_size: as uv_thread_options_t has it.
 */
int tlr_handoff_thread(uv_thread_t *thread, uv_thread_cb entry, void *arg,
                       size_t stack_size);

/* Names the calling thread, as far as the system goes along. */
void tlr_handoff_thread_name(const char *name);

/* The calling thread, as a number that no other running thread has. */
uintptr_t tlr_handoff_thread_id(void);

/*
 * Blocks SIGPIPE for the calling thread, until as many calls of _restore have
 * come on it as of _block: servers may share a thread. The last one also
 * swallows a signal that is pending.
 */
void tlr_handoff_sigpipe_block(void);
void tlr_handoff_sigpipe_restore(void);

#endif
