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
    struct model_rest rest;
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
static struct loop *loops;
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

/* One read, answered at once. Returns false if the connection is over: at the
 * peer's end nothing is owed, or we would not have read. */
static bool on_readable(struct loop *loop, struct conn *conn)
{
    ssize_t size = read(conn->sock, loop->buffer, MODEL_BUFFER);
    if (size <= 0) {
        return size < 0 && (errno == EAGAIN || errno == EINTR);
    }
    model_work(conn->delay);
    return model_write(conn->sock, loop->buffer, (size_t)size, &conn->rest);
}

/* Who is owed something waits to be written to, and is not read from. */
static bool on_ready(struct loop *loop, struct conn *conn)
{
    bool owed = conn->rest.bytes != NULL;
    bool open = owed ? model_write_rest(conn->sock, &conn->rest)
                     : on_readable(loop, conn);
    bool owes = conn->rest.bytes != NULL;
    return open && (owes == owed ||
                       control(loop, EPOLL_CTL_MOD, conn->sock,
                           owes ? EPOLLOUT : EPOLLIN, conn));
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
    free(conn->rest.bytes);
    free(conn);
}

/* To be exclusive it has to be put in anew, it cannot be changed. */
static bool watch_listener(struct loop *loop)
{
    uint32_t exclusive = options.balance == EXCLUSIVE ? EPOLLEXCLUSIVE : 0;
    return control(
        loop, EPOLL_CTL_ADD, loop->listener, EPOLLIN | exclusive, loop);
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
            (void)control(loop, EPOLL_CTL_DEL, loop->listener, 0, NULL);
            model_pause_begin(&loop->pause_of_accept);
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
            void *data = events[i].data.ptr;
            if (data == loop) {
                accept_some(loop);
            } else if (data != &woken && !on_ready(loop, data)) {
                drop(loop, data); /* each has one event at most */
            }
        }
    }
    return NULL;
}

static bool has_listener_of_its_own(const struct loop *loop)
{
    return options.balance == REUSEPORT || loop->number == 0;
}

/* And starts it. False: it has said why. */
static bool start_loop(unsigned number)
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
    bool ready = loop->epoll >= 0 && watch_listener(loop) &&
                 control(loop, EPOLL_CTL_ADD, woken, EPOLLIN, &woken);
    int err = ready ? pthread_create(&loop->thread, NULL, serve, loop) : errno;
    if (err != 0) {
        (void)model_fail("cannot start", uv_translate_sys_error(err));
    }
    return err == 0;
}

static void close_loop(struct loop *loop)
{
    (void)pthread_join(loop->thread, NULL); /* ours: cannot fail */
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
    loops = calloc(options.threads, sizeof(*loops));
    woken = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loops == NULL || woken < 0) {
        return model_fail("cannot start", uv_translate_sys_error(errno));
    }
    model_on_stop(wake);
    for (unsigned i = 0; i < options.threads; i++) {
        if (!start_loop(i)) {
            return TLR_CLI_STATUS_FAILURE; /* it ends those that have started */
        }
    }
    model_announce(&options);
    for (unsigned i = options.threads; i-- > 0;) {
        close_loop(&loops[i]); /* the last one has the listener of all */
    }
    free(loops);
    (void)close(woken);
    return model_end();
}
