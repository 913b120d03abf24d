/* SPDX-License-Identifier: MIT */
/* What the library's files for Unix share about descriptors. */
#ifndef TLR_FD_UNIX_H
#define TLR_FD_UNIX_H

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <uv.h>

/* errno, as libuv calls it. */
static inline int tlr_fd_error(void)
{
    return uv_translate_sys_error(errno);
}

/* Makes it non-blocking, and closed on exec. */
static inline int tlr_fd_prepare(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) == -1) {
        return tlr_fd_error();
    }
    return 0;
}

/*
 * Sockets are born that way where the system can, so that no child that another
 * thread starts at that moment inherits one; else made so right after (macOS).
 */
#if defined(SOCK_NONBLOCK) && defined(SOCK_CLOEXEC)
static inline int tlr_fd_socket(int family, int *sock)
{
    *sock = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return *sock == -1 ? tlr_fd_error() : 0;
}

static inline int tlr_fd_accept(int listener, struct sockaddr *peer,
                                socklen_t *length, int *sock)
{
    *sock = accept4(listener, peer, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return *sock == -1 ? tlr_fd_error() : 0;
}
#else
static inline int tlr_fd_prepare_or_close(int sock)
{
    int err;

    if (sock == -1) {
        return tlr_fd_error();
    }
    err = tlr_fd_prepare(sock);
    if (err != 0) {
        (void)close(sock);
    }
    return err;
}

static inline int tlr_fd_socket(int family, int *sock)
{
    *sock = socket(family, SOCK_STREAM, 0);
    return tlr_fd_prepare_or_close(*sock);
}

static inline int tlr_fd_accept(int listener, struct sockaddr *peer,
                                socklen_t *length, int *sock)
{
    *sock = accept(listener, peer, length);
    return tlr_fd_prepare_or_close(*sock);
}
#endif

#endif
