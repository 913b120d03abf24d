/* SPDX-License-Identifier: MIT */
/*
 * epoll on one thread, level-triggered: the kernel keeps the table of what is
 * waited for, and tells only who is ready; these are served, without blocking,
 * one after the other.
 *
 * Serves well: thousands of connections of which few are busy at a time, as many
 * as one processor can do; nothing has to be locked. This is what the other
 * models are compared with. Ends: where one processor is not enough, and with a
 * handler that blocks, for which everybody waits.
 *
 * From: epoll(7). An idle connection costs its struct and nothing else, there is
 * one read buffer for all; what is read is written at once, and the kernel is
 * told of a change (EPOLL_CTL_MOD) only when a peer does not keep up.
 */
#include "model.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/list.h"

enum { EVENTS = 256 }; /* at a time */

static const struct model model = {
    .name = "model_epoll",
    .summary = "An echo server on one thread that waits with epoll.",
};

struct conn {
    int sock;
    unsigned delay;
    struct model_rest rest;
    struct tlr_list link; /* in `conns` */
};

static int epoll;
static int woken; /* an eventfd, never read: it stays readable */
static int listener;
static struct tlr_list conns = {&conns, &conns};
static struct model_pause pause_of_accept;

static void wake(void)
{
    uint64_t one = 1;
    ssize_t written = write(woken, &one, sizeof(one));
    (void)written; /* its count is not full */
}

static bool control(int operation, int sock, uint32_t events, void *data)
{
    struct epoll_event event = {.events = events, .data.ptr = data};
    return epoll_ctl(epoll, operation, sock, &event) == 0;
}

/* ---- a connection ---- */

/* One read, answered at once. Returns false if the connection is over: at the
 * peer's end nothing is owed, or we would not have read. */
static bool on_readable(struct conn *conn)
{
    static char buffer[MODEL_BUFFER];
    ssize_t size = read(conn->sock, buffer, sizeof(buffer));
    if (size <= 0) {
        return size < 0 && (errno == EAGAIN || errno == EINTR);
    }
    model_work(conn->delay);
    return model_write(conn->sock, buffer, (size_t)size, &conn->rest);
}

/* Who is owed something waits to be written to, and is not read from. */
static bool on_ready(struct conn *conn)
{
    bool owed = conn->rest.bytes != NULL;
    bool open = owed ? model_write_rest(conn->sock, &conn->rest)
                     : on_readable(conn);
    bool owes = conn->rest.bytes != NULL;
    return open && (owes == owed ||
                       control(EPOLL_CTL_MOD, conn->sock,
                           owes ? EPOLLOUT : EPOLLIN, conn));
}

/* ---- all of them ---- */

static bool add(int sock, unsigned delay)
{
    struct conn *conn = calloc(1, sizeof(*conn));
    if (conn == NULL || !control(EPOLL_CTL_ADD, sock, EPOLLIN, conn)) {
        free(conn);
        (void)close(sock);
        return false;
    }
    conn->sock = sock;
    conn->delay = delay;
    tlr_list_append(&conns, &conn->link);
    return true;
}

/* To close it takes it out of the kernel's table, too. */
static void drop(struct conn *conn)
{
    tlr_list_remove(&conn->link);
    (void)close(conn->sock);
    free(conn->rest.bytes);
    free(conn);
}

static void accept_all(const struct model_options *options)
{
    for (;;) {
        int sock = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        bool well = sock >= 0 ? add(sock, model_delay(options))
                              : model_accept_again(errno);
        if (sock < 0 && errno == EAGAIN) {
            return;
        }
        if (!well) {
            (void)control(EPOLL_CTL_MOD, listener, 0, &listener);
            model_pause_begin(&pause_of_accept);
            return;
        }
    }
}

static int serve(const struct model_options *options)
{
    struct epoll_event events[EVENTS];
    while (!model_stopping()) {
        int ready = epoll_wait(
            epoll, events, EVENTS, model_pause_timeout(&pause_of_accept));
        if (ready < 0 && errno != EINTR) {
            return model_fail("epoll_wait", uv_translate_sys_error(errno));
        }
        if (model_pause_over(&pause_of_accept)) {
            (void)control(EPOLL_CTL_MOD, listener, EPOLLIN, &listener);
        }
        for (int i = 0; i < ready; i++) {
            void *data = events[i].data.ptr;
            if (data == &listener) {
                accept_all(options);
            } else if (data != &woken && !on_ready(data)) {
                drop(data); /* each has one event at most */
            }
        }
    }
    return TLR_CLI_STATUS_OK;
}

int main(int argc, char **argv)
{
    struct model_options options;
    int status;
    if (!model_begin(&model, argc, argv, &options, &status)) {
        return status;
    }
    if (!model_listen(&options, MODEL_NONBLOCKING, &listener)) {
        return TLR_CLI_STATUS_FAILURE;
    }
    epoll = epoll_create1(EPOLL_CLOEXEC);
    woken = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (epoll < 0 || woken < 0 ||
        !control(EPOLL_CTL_ADD, listener, EPOLLIN, &listener) ||
        !control(EPOLL_CTL_ADD, woken, EPOLLIN, &woken)) {
        return model_fail("cannot start", uv_translate_sys_error(errno));
    }
    model_on_stop(wake);
    model_announce(&options);
    status = serve(&options);
    while (!tlr_list_empty(&conns)) {
        drop(TLR_CONTAINER_OF(conns.next, struct conn, link));
    }
    (void)close(epoll);
    (void)close(woken);
    (void)close(listener);
    return status == TLR_CLI_STATUS_OK ? model_end() : status;
}
