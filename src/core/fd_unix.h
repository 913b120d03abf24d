/* SPDX-License-Identifier: MIT */
/* What the library's files for Unix share about descriptors. */
#ifndef TLR_FD_UNIX_H
#define TLR_FD_UNIX_H

#include <errno.h>
#include <fcntl.h>

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

#endif
