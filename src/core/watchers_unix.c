/* SPDX-License-Identifier: MIT */
/* See watchers.h. */
#include "watchers.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/epoll.h>
#endif

#include "check.h"
#include "fd_unix.h"

#if !defined(SOCK_CLOEXEC)
#define SOCK_CLOEXEC 0 /* for a moment, then it is closed */
#endif

/*
 * libuv sizes the table so that with two entries of its own it is a power of
 * two. With a limit of 1,024 descriptors it is 16 KiB for each loop, with 20,000
 * 256 KiB (measured: VmRSS of teller-echo with 16 loops rises from 2.5 to 6.6
 * MB), which is what it would grow to under load anyway, since descriptors are
 * the process's and not the loop's. Half a megabyte is the most that is spent on
 * this; beyond, libuv's own growing comes in.
 */
#define HIGHEST (65536 - 3)

/* As high as descriptors go here, or -1. */
static int highest(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == 0) {
        return -1;
    }
    return limit.rlim_cur > HIGHEST ? HIGHEST : (int)limit.rlim_cur - 1;
}

/* A socket with that number, or if it is taken with any above half of it. */
static int open_highest(void)
{
    int most = highest();
    int sock =
        most == -1 ? -1 : socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int moved;

    if (sock == -1) {
        return -1;
    }
    moved = fcntl(sock, F_DUPFD_CLOEXEC, most);
    if (moved == -1) {
        moved = fcntl(sock, F_DUPFD_CLOEXEC, most / 2);
    }
    (void)close(sock);
    return moved;
}

/* Of streams that are watched for no turn of their loop: not called. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(NULL, 0);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    (void)stream;
    (void)nread;
    (void)buf;
}

bool tlr_watchers_grow(uv_loop_t *loop, uv_tcp_t *handle, uv_close_cb cb)
{
    int sock = open_highest();

    if (sock == -1) { /* it is only a precaution */
        return false;
    }
    TLR_CHECK(uv_tcp_init(loop, handle) == 0);
    if (uv_tcp_open(handle, sock) != 0) {
        (void)close(sock);
    } else {
        /*
         * Up to 1.51 libuv aborts if there is no memory. The coming 1.52 keeps
         * the error to itself, having freed the table that it goes on to use
         * (uv__reallocf): nothing can be done about that from here.
         */
        (void)uv_read_start((uv_stream_t *)handle, on_alloc, on_read);
    }
    uv_close((uv_handle_t *)handle, cb);
    return true;
}

/*
 * libuv adds a socket when the loop is about to poll, and aborts if the kernel
 * says no; but not if it says that the socket is there already: then it only
 * changes what it is watched for, which takes no memory. Any other error is
 * left for libuv to see.
 */
int tlr_watchers_add(const uv_handle_t *handle)
{
#if defined(__linux__)
    struct epoll_event event;
    uv_os_fd_t fd;
    int err = uv_fileno(handle, &fd);

    if (err != 0) {
        return err;
    }
    memset(&event, 0, sizeof(event)); /* for nothing yet */
    event.data.fd = fd;               /* as libuv has it */
    if (epoll_ctl(uv_backend_fd(handle->loop), EPOLL_CTL_ADD, fd, &event) !=
            0 &&
        (errno == ENOMEM || errno == ENOSPC)) {
        return tlr_fd_error();
    }
#endif
    (void)handle;
    return 0;
}

/*
 * Until it is watched the kernel may tell of its end, and libuv then looks for
 * it in the table: so that has to reach as far.
 */
int tlr_watchers_add_stream(uv_stream_t *stream)
{
    int err = uv_read_start(stream, on_alloc, on_read);

    if (err == 0) {
        err = tlr_watchers_add((const uv_handle_t *)stream);
        (void)uv_read_stop(stream); /* always 0 */
    }
    return err;
}
