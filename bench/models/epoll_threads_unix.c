/* SPDX-License-Identifier: MIT */
/*
 * N threads, each with its own epoll and its own listening socket: the kernel
 * shares the connections out by a hash of their addresses (SO_REUSEPORT), and
 * the threads have nothing in common. Or (--balance exclusive) one listening
 * socket that each epoll watches: EPOLLEXCLUSIVE wakes one of the threads for a
 * new connection, or a few, and who is first has it.
 *
 * Serves well: as many connections as all processors can do; nothing is locked,
 * nothing is handed over, and accepting scales too. Ends: where connections are
 * few or differ much, since the hash looks at neither number nor load; and with a
 * handler that blocks, for which all connections of its thread wait, and those
 * that the kernel has put into its listener's queue. With one listener nobody
 * waits in the queue of a thread that blocks, but a thread that is often idle
 * comes to have most of the connections.
 *
 * From: epoll(7); the article "The SO_REUSEPORT socket option" (LWN, 2013); nginx
 * with `reuseport`, and without.
 */
#include "model.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/list.h"

enum { EVENTS = 256 }; /* at a time */

enum { REUSEPORT, EXCLUSIVE };
static const char *const balances[] = {"reuseport", "exclusive", NULL};

static const struct model model = {
    .name = "model_epoll_threads",
    .summary = "An echo server on as many threads as there are CPUs, each of "
               "which waits with an epoll of its own.",
    .threads = MODEL_CPUS,
    .balances = balances,
};

struct conn {
    int sock;
    unsigned delay;
    char *rest; /* what the kernel has not taken yet, or NULL */
    size_t begin;
    size_t end;
    struct tlr_list link; /* in its loop's `conns` */
};

/* A thread and all that is its own. */
struct loop {
    pthread_t thread;
    unsigned number;
    int epoll;
    int listener; /* its own, or that of all */
    struct tlr_list conns;
    struct model_pause pause_of_accept;
    char buffer[MODEL_BUFFER];
};

static struct model_options options;
static int woken; /* an eventfd, never read: all loops see it readable */

static void wake(void)
{
    uint64_t one = 1;
    ssize_t written = write(woken, &one, sizeof(one));
    (void)written; /* its count is not full */
}

static bool control(
    struct loop *loop, int operation, int sock, uint32_t events, void *data)
{
    struct epoll_event event = {.events = events, .data.ptr = data};
    return epoll_ctl(loop->epoll, operation, sock, &event) == 0;
}

/* ---- a connection ---- */

/* Returns how many bytes the kernel took, or -1 if the connection is broken. */
static ssize_t write_some(int sock, const char *bytes, size_t size)
{
    ssize_t written = write(sock, bytes, size);
    return written < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : written;
}

/* Who owes something waits to write it, and does not read. */
static bool keep_rest(
    struct loop *loop, struct conn *conn, const char *bytes, size_t size)
{
    conn->rest = malloc(size);
    if (conn->rest == NULL) {
        return false;
    }
    memcpy(conn->rest, bytes, size);
    conn->begin = 0;
    conn->end = size;
    return control(loop, EPOLL_CTL_MOD, conn->sock, EPOLLOUT, conn);
}

/* One read, answered at once. Returns false if the connection is over: at the
 * peer's end nothing is owed, or we would not have read. */
static bool on_readable(struct loop *loop, struct conn *conn)
{
    char *buffer = loop->buffer;
    ssize_t size = read(conn->sock, buffer, MODEL_BUFFER);
    if (size < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    if (size == 0) {
        return false;
    }
    model_work(conn->delay);
    ssize_t written = write_some(conn->sock, buffer, (size_t)size);
    return written == size ||
           (written >= 0 && keep_rest(loop, conn, buffer + written,
                                (size_t)(size - written)));
}

static bool on_writable(struct loop *loop, struct conn *conn)
{
    ssize_t written = write_some(
        conn->sock, conn->rest + conn->begin, conn->end - conn->begin);
    if (written < 0) {
        return false;
    }
    conn->begin += (size_t)written;
    if (conn->begin < conn->end) {
        return true;
    }
    free(conn->rest);
    conn->rest = NULL;
    return control(loop, EPOLL_CTL_MOD, conn->sock, EPOLLIN, conn);
}

/* ---- a loop ---- */

static bool add(struct loop *loop, int sock, unsigned delay)
{
    struct conn *conn = calloc(1, sizeof(*conn));
    if (conn == NULL || !control(loop, EPOLL_CTL_ADD, sock, EPOLLIN, conn)) {
        free(conn);
        (void)close(sock);
        return false;
    }
    conn->sock = sock;
    conn->delay = delay;
    tlr_list_append(&loop->conns, &conn->link);
    model_opened(loop->number);
    return true;
}

/* To close it takes it out of the kernel's table, too. */
static void drop(struct loop *loop, struct conn *conn)
{
    tlr_list_remove(&conn->link);
    model_closed(loop->number);
    (void)close(conn->sock);
    free(conn->rest);
    free(conn);
}

/* To be exclusive it has to be put in anew, it cannot be changed. */
static bool watch_listener(struct loop *loop)
{
    uint32_t exclusive = options.balance == EXCLUSIVE ? EPOLLEXCLUSIVE : 0;
    return control(
        loop, EPOLL_CTL_ADD, loop->listener, EPOLLIN | exclusive, loop);
}

static void pause_accepting(struct loop *loop)
{
    (void)control(loop, EPOLL_CTL_DEL, loop->listener, 0, NULL);
    model_pause_begin(&loop->pause_of_accept);
}

/* Of a listener that all watch one at a time: the next is for who else wakes. */
static void accept_some(struct loop *loop)
{
    do {
        int sock =
            accept4(loop->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        bool well = sock >= 0 ? add(loop, sock, model_delay(&options))
                              : model_accept_again(errno);
        if (sock < 0 && errno == EAGAIN) {
            return;
        }
        if (!well) {
            pause_accepting(loop);
            return;
        }
    } while (options.balance == REUSEPORT);
}

static void *serve(void *arg)
{
    struct loop *loop = arg;
    struct epoll_event events[EVENTS];
    while (!model_stopping()) {
        int ready = epoll_wait(loop->epoll, events, EVENTS,
            model_pause_timeout(&loop->pause_of_accept));
        if (ready < 0 && errno != EINTR) {
            abort(); /* EBADF, EINVAL: a fault of ours */
        }
        if (model_pause_over(&loop->pause_of_accept)) {
            (void)watch_listener(loop);
        }
        for (int i = 0; i < ready; i++) {
            struct conn *conn = events[i].data.ptr;
            if (events[i].data.ptr == loop) {
                accept_some(loop);
            } else if (events[i].data.ptr != &woken &&
                       !(conn->rest != NULL ? on_writable(loop, conn)
                                            : on_readable(loop, conn))) {
                drop(loop, conn); /* each has one event at most */
            }
        }
    }
    return NULL;
}

static bool has_listener_of_its_own(const struct loop *loop)
{
    return options.balance == REUSEPORT || loop->number == 0;
}

static bool open_loop(struct loop *loops, unsigned number)
{
    struct loop *loop = &loops[number];
    unsigned shared = options.balance == REUSEPORT ? MODEL_SHARED : 0;
    loop->number = number;
    loop->listener = loops[0].listener;
    tlr_list_init(&loop->conns);
    if (has_listener_of_its_own(loop) &&
        !model_listen(&options, MODEL_NONBLOCKING | shared, &loop->listener)) {
        return false;
    }
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0 || !watch_listener(loop) ||
        !control(loop, EPOLL_CTL_ADD, woken, EPOLLIN, &woken)) {
        (void)model_fail("cannot start", uv_translate_sys_error(errno));
        return false;
    }
    return true;
}

static void close_loop(struct loop *loop)
{
    while (!tlr_list_empty(&loop->conns)) {
        drop(loop, TLR_CONTAINER_OF(loop->conns.next, struct conn, link));
    }
    (void)close(loop->epoll);
    if (has_listener_of_its_own(loop)) {
        (void)close(loop->listener);
    }
}

int main(int argc, char **argv)
{
    int status;
    if (!model_begin(&model, argc, argv, &options, &status)) {
        return status;
    }
    struct loop *loops = calloc(options.threads, sizeof(*loops));
    woken = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loops == NULL || woken < 0) {
        free(loops);
        return model_fail("cannot start", uv_translate_sys_error(errno));
    }
    for (unsigned i = 0; i < options.threads; i++) {
        if (!open_loop(loops, i)) {
            free(loops);
            return TLR_CLI_STATUS_FAILURE;
        }
    }
    model_on_stop(wake);
    for (unsigned i = 0; i < options.threads; i++) {
        int err = pthread_create(&loops[i].thread, NULL, serve, &loops[i]);
        if (err != 0) {
            return model_fail("no thread", uv_translate_sys_error(err));
        }
    }
    model_announce(&options);
    for (unsigned i = 0; i < options.threads; i++) {
        (void)pthread_join(loops[i].thread, NULL); /* ours: cannot fail */
    }
    for (unsigned i = 0; i < options.threads; i++) {
        close_loop(&loops[i]);
    }
    free(loops);
    (void)close(woken);
    return model_end();
}
