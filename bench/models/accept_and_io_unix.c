/* SPDX-License-Identifier: MIT */
/*
 * An accept thread and one I/O thread: the main thread blocks in accept and puts
 * each connection into the epoll on which the other thread serves all of them,
 * without blocking. The kernel's table is the hand-over: there is no queue.
 *
 * Serves well: as one thread with epoll does, and peers are let in at once
 * whatever the I/O thread is at: none is refused for a full queue. Ends: with
 * short sessions, for each of which one thread wakes the other; and as with
 * epoll where one processor is not enough, or a handler blocks.
 *
 * From: memcached, whose main thread accepts for its threads.
 */
#include "model.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/list.h"

enum { EVENTS = 256 }; /* at a time */

static const struct model model = {
    .name = "model_accept_and_io",
    .summary = "An echo server with a thread that accepts and one that serves.",
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

/* What the threads share beside the kernel's table: to close them at the end. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct tlr_list conns = {&conns, &conns};

static void wake(void)
{
    uint64_t one = 1;
    ssize_t written = write(woken, &one, sizeof(one));
    (void)written; /* its count is not full */
    (void)shutdown(listener, SHUT_RDWR);
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

/* To close it takes it out of the kernel's table, too. */
static void drop(struct conn *conn)
{
    (void)pthread_mutex_lock(&mutex); /* used as it should be: never fails */
    tlr_list_remove(&conn->link);
    (void)pthread_mutex_unlock(&mutex);
    (void)close(conn->sock);
    free(conn->rest.bytes);
    free(conn);
}

/* ---- the I/O thread ---- */

static void *serve(void *arg)
{
    struct epoll_event events[EVENTS];
    (void)arg;
    while (!model_stopping()) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        if (ready < 0 && errno != EINTR) {
            abort(); /* EBADF, EINVAL: a fault of ours */
        }
        for (int i = 0; i < ready; i++) {
            void *data = events[i].data.ptr;
            if (data != &woken && !on_ready(data)) {
                drop(data); /* each has one event at most */
            }
        }
    }
    return NULL;
}

/* ---- the accept thread ---- */

/* From the last call on it is the other thread's, and may be gone. */
static bool hand_over(int sock, unsigned delay)
{
    struct conn *conn = calloc(1, sizeof(*conn));
    if (conn == NULL) {
        (void)close(sock);
        return false;
    }
    conn->sock = sock;
    conn->delay = delay;
    (void)pthread_mutex_lock(&mutex);
    tlr_list_append(&conns, &conn->link);
    (void)pthread_mutex_unlock(&mutex);
    if (!control(EPOLL_CTL_ADD, sock, EPOLLIN, conn)) {
        drop(conn);
        return false;
    }
    return true;
}

static void accept_all(const struct model_options *options)
{
    while (!model_stopping()) {
        int sock = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        bool well = sock >= 0 ? hand_over(sock, model_delay(options))
                              : model_accept_again(errno);
        if (!well && !model_stopping()) {
            uv_sleep(MODEL_PAUSE_MS);
        }
    }
}

int main(int argc, char **argv)
{
    struct model_options options;
    pthread_t io;
    int status;
    if (!model_begin(&model, argc, argv, &options, &status)) {
        return status;
    }
    if (!model_listen(&options, 0, &listener)) {
        return TLR_CLI_STATUS_FAILURE;
    }
    epoll = epoll_create1(EPOLL_CLOEXEC);
    woken = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (epoll < 0 || woken < 0 ||
        !control(EPOLL_CTL_ADD, woken, EPOLLIN, &woken)) {
        return model_fail("cannot start", uv_translate_sys_error(errno));
    }
    model_on_stop(wake);
    int err = pthread_create(&io, NULL, serve, NULL);
    if (err != 0) {
        return model_fail("no thread", uv_translate_sys_error(err));
    }
    model_announce(&options);
    accept_all(&options);
    (void)pthread_join(io, NULL); /* ours: cannot fail */
    while (!tlr_list_empty(&conns)) {
        drop(TLR_CONTAINER_OF(conns.next, struct conn, link));
    }
    (void)close(epoll);
    (void)close(woken);
    (void)close(listener);
    return model_end();
}
