/* SPDX-License-Identifier: MIT */
/*
 * select on one thread: the kernel is asked which of all the sockets are ready,
 * and these are served, without blocking, one after the other.
 *
 * Serves well: some dozens of connections, or hundreds that are all busy, on
 * every system there is; no thread waits for another, and nothing has to be
 * locked. Ends: at 1024 descriptors (FD_SETSIZE); with many that are open and
 * few that are busy, since each call looks through all of them, here and in the
 * kernel; and with a handler that blocks, for which everybody waits.
 *
 * From: Stevens, Fenner, Rudoff, "UNIX Network Programming", volume 1, I/O
 * multiplexing.
 */
#include "model.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct model model = {
    .name = "model_select",
    .summary = "An echo server on one thread that waits with select.",
};

struct conn {
    bool open;
    unsigned delay;
    struct model_rest rest;
};

static struct conn conns[FD_SETSIZE]; /* by descriptor */
static fd_set reading; /* what is waited for; select gets copies */
static fd_set writing;
static int highest; /* descriptor that is in one of them */
static struct model_pause pause_of_accept;
static int woken; /* an eventfd, never read: it stays readable */

static void wake(void)
{
    uint64_t one = 1;
    ssize_t written = write(woken, &one, sizeof(one));
    (void)written; /* its count is not full */
}

/* ---- a connection ---- */

/* Who is owed something waits to be written to, and is not read from. */
static void wait_for(int sock, bool to_write)
{
    FD_CLR(sock, to_write ? &reading : &writing);
    FD_SET(sock, to_write ? &writing : &reading);
}

/* One read, answered at once. Returns false if the connection is over: at the
 * peer's end nothing is owed, or we would not have read. */
static bool on_readable(int sock)
{
    static char buffer[MODEL_BUFFER];
    struct conn *conn = &conns[sock];
    ssize_t size = read(sock, buffer, sizeof(buffer));
    if (size < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    if (size == 0) {
        return false;
    }
    model_work(conn->delay);
    bool open = model_write(sock, buffer, (size_t)size, &conn->rest);
    wait_for(sock, conn->rest.bytes != NULL);
    return open;
}

static bool on_writable(int sock)
{
    struct conn *conn = &conns[sock];
    bool open = model_write_rest(sock, &conn->rest);
    wait_for(sock, conn->rest.bytes != NULL);
    return open;
}

/* ---- all of them ---- */

static void watch(int sock)
{
    FD_SET(sock, &reading);
    highest = sock > highest ? sock : highest;
}

static void drop(int sock)
{
    FD_CLR(sock, &reading);
    FD_CLR(sock, &writing);
    free(conns[sock].rest.bytes);
    conns[sock] = (struct conn){0};
    (void)close(sock);
    while (!FD_ISSET(highest, &reading) && !FD_ISSET(highest, &writing)) {
        highest--; /* to `woken` at least */
    }
}

static void accept_all(int listener, const struct model_options *options)
{
    for (;;) {
        int sock = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (sock >= 0) {
            conns[sock] =
                (struct conn){.open = true, .delay = model_delay(options)};
            watch(sock);
        } else if (errno == EAGAIN) {
            return;
        } else if (!model_accept_again(errno)) {
            FD_CLR(listener, &reading);
            model_pause_begin(&pause_of_accept);
            return;
        }
    }
}

static int wait_ready(fd_set *readable, fd_set *writable)
{
    int ms = model_pause_timeout(&pause_of_accept);
    struct timeval timeout = {.tv_sec = 0, .tv_usec = (suseconds_t)ms * 1000};
    *readable = reading;
    *writable = writing;
    return select(
        highest + 1, readable, writable, NULL, ms < 0 ? NULL : &timeout);
}

static int serve(int listener, const struct model_options *options)
{
    fd_set readable;
    fd_set writable;
    while (!model_stopping()) {
        int ready = wait_ready(&readable, &writable);
        if (ready < 0 && errno != EINTR) {
            return model_fail("select", uv_translate_sys_error(errno));
        }
        if (ready > 0 && FD_ISSET(listener, &readable)) {
            FD_CLR(listener, &readable);
            ready--;
            accept_all(listener, options); /* these are in neither set yet */
        }
        for (int sock = 0; sock < FD_SETSIZE && ready > 0; sock++) {
            bool can_read = FD_ISSET(sock, &readable);
            bool can_write = FD_ISSET(sock, &writable);
            ready -= can_read || can_write;
            if (conns[sock].open && ((can_read && !on_readable(sock)) ||
                                        (can_write && !on_writable(sock)))) {
                drop(sock);
            }
        }
        if (model_pause_over(&pause_of_accept)) {
            watch(listener);
        }
    }
    return TLR_CLI_STATUS_OK;
}

/* One descriptor more could not be put into a set. With none left who comes
 * waits in the kernel's queue. */
static void limit_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur > FD_SETSIZE) {
        limit.rlim_cur = FD_SETSIZE;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* less may always be had */
    }
}

int main(int argc, char **argv)
{
    struct model_options options;
    int listener;
    int status;
    if (!model_begin(&model, argc, argv, &options, &status)) {
        return status;
    }
    limit_descriptors();
    if (!model_listen(&options, MODEL_NONBLOCKING, &listener)) {
        return TLR_CLI_STATUS_FAILURE;
    }
    woken = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (woken < 0) {
        return model_fail("cannot start", uv_translate_sys_error(errno));
    }
    watch(listener);
    watch(woken);
    model_on_stop(wake);
    model_announce(&options);
    status = serve(listener, &options);
    for (int sock = 0; sock < FD_SETSIZE; sock++) {
        if (conns[sock].open) {
            drop(sock);
        }
    }
    (void)close(woken);
    (void)close(listener);
    return status == TLR_CLI_STATUS_OK ? model_end() : status;
}
