/* SPDX-License-Identifier: MIT */
/*
 * N threads on one epoll: whoever is free takes the next event, of whichever
 * connection. EPOLLONESHOT keeps a connection to one thread at a time: it gives
 * one event and is silent until its thread has armed it again.
 *
 * Serves well: connections that differ much, and handlers that take their time:
 * a slow one takes one thread, and the others go on with all the rest, as at a
 * completion port. Ends: where system calls count, since each event costs one
 * more to arm its connection; and with as many slow handlers as threads.
 *
 * From: epoll(7), "questions and answers". EPOLLEXCLUSIVE says that one thread is
 * enough for a new connection. It is for a listener that several epolls watch;
 * within one of them each event wakes one thread anyway. One that has it cannot
 * be changed, but has to be taken out and put in again.
 */
#include "model.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/list.h"

static const struct model model = {
    .name = "model_epoll_shared",
    .summary = "An echo server on as many threads as there are CPUs, which "
               "wait with one epoll.",
    .threads = MODEL_CPUS,
};

struct conn {
    int sock;
    unsigned delay;
    struct model_rest rest;
    atomic_uint turn; /* what one thread did comes before what the next does */
    struct tlr_list link; /* in `conns` */
};

struct worker {
    pthread_t thread;
    char buffer[MODEL_BUFFER];
};

static struct model_options options;
static int epoll;
static int woken; /* an eventfd, never read: all threads see it readable */
static int listener;

/* What the threads share beside the kernel's table. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct tlr_list conns = {&conns, &conns};

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

/* ---- a connection: by the thread that has its event ---- */

/* One read, answered at once. Returns false if the connection is over: at the
 * peer's end nothing is owed, or we would not have read. */
static bool on_readable(struct conn *conn, char buffer[MODEL_BUFFER])
{
    ssize_t size = read(conn->sock, buffer, MODEL_BUFFER);
    if (size < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    if (size == 0) {
        return false;
    }
    model_work(conn->delay);
    return model_write(conn->sock, buffer, (size_t)size, &conn->rest);
}

/* Who is owed something waits to be written to, and is not read from. */
static bool arm(int operation, struct conn *conn)
{
    uint32_t events = conn->rest.bytes != NULL ? EPOLLOUT : EPOLLIN;
    atomic_fetch_add_explicit(&conn->turn, 1, memory_order_release);
    return control(operation, conn->sock, events | EPOLLONESHOT, conn);
}

/* ThreadSanitizer does not know that the next thread's event comes behind this
 * epoll_ctl, and finds fault when that one closes the socket. */
__attribute__((visibility("default"))) const char *
__tsan_default_suppressions(void); /* NOLINT: its name, not ours */
const char *__tsan_default_suppressions(void) /* NOLINT */
{
    return "race:^arm$\n";
}

/* ---- all of them ---- */

/* Taken out of the kernel's table first. While another thread's epoll_wait goes
 * over the table it holds the socket of each entry that it looks at (since Linux
 * 6.10; epi_fget() in fs/eventpoll.c); is it closed in that moment, then that
 * thread lets go of it only when it returns to us. It may first sleep for as long
 * as nothing else happens, and the peer waits for our end: on Linux 6.18, with 6
 * threads, in 1 of 100 runs of
 * teller-load --size 16k --connections 50 --threads 2 --round-trips 20. */
static void drop(struct conn *conn)
{
    (void)pthread_mutex_lock(&mutex); /* used as it should be: never fails */
    tlr_list_remove(&conn->link);
    (void)pthread_mutex_unlock(&mutex);
    (void)control(EPOLL_CTL_DEL, conn->sock, 0, NULL);
    (void)close(conn->sock);
    free(conn->rest.bytes);
    free(conn);
}

/* From arm() on it may be another thread's already, and gone. */
static bool add(int sock, unsigned delay)
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
    if (!arm(EPOLL_CTL_ADD, conn)) {
        drop(conn);
        return false;
    }
    return true;
}

static bool watch_listener(void)
{
    return control(
        EPOLL_CTL_ADD, listener, EPOLLIN | EPOLLEXCLUSIVE, &listener);
}

/* Of two threads that run out together one takes the listener out. It sleeps,
 * the others serve. */
static void pause_accepting(void)
{
    if (control(EPOLL_CTL_DEL, listener, 0, NULL)) {
        do {
            uv_sleep(MODEL_PAUSE_MS);
        } while (!watch_listener() && !model_stopping());
    }
}

/* One connection for each event: the next one is for who else is free. */
static void accept_one(void)
{
    int sock = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    bool well = sock >= 0 ? add(sock, model_delay(&options))
                          : errno == EAGAIN || model_accept_again(errno);
    if (!well) {
        pause_accepting();
    }
}

static void on_event(void *data, char buffer[MODEL_BUFFER])
{
    struct conn *conn = data;
    if (data == &listener) {
        accept_one();
    } else if (data != &woken) {
        (void)atomic_load_explicit(&conn->turn, memory_order_acquire);
        bool open = conn->rest.bytes != NULL
                        ? model_write_rest(conn->sock, &conn->rest)
                        : on_readable(conn, buffer);
        if (!open || !arm(EPOLL_CTL_MOD, conn)) {
            drop(conn);
        }
    }
}

/* One event at a time: what one thread has taken the others cannot serve. */
static void *serve(void *arg)
{
    struct worker *worker = arg;
    struct epoll_event event;
    while (!model_stopping()) {
        int ready = epoll_wait(epoll, &event, 1, -1);
        if (ready < 0 && errno != EINTR) {
            abort(); /* EBADF, EINVAL: a fault of ours */
        }
        if (ready > 0) {
            on_event(event.data.ptr, worker->buffer);
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    int status;
    if (!model_begin(&model, argc, argv, &options, &status)) {
        return status;
    }
    if (!model_listen(&options, MODEL_NONBLOCKING, &listener)) {
        return TLR_CLI_STATUS_FAILURE;
    }
    struct worker *workers = calloc(options.threads, sizeof(*workers));
    epoll = epoll_create1(EPOLL_CLOEXEC);
    woken = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (workers == NULL || epoll < 0 || woken < 0 || !watch_listener() ||
        !control(EPOLL_CTL_ADD, woken, EPOLLIN, &woken)) {
        free(workers);
        return model_fail("cannot start", uv_translate_sys_error(errno));
    }
    model_on_stop(wake);
    for (unsigned i = 0; i < options.threads; i++) {
        int err = pthread_create(&workers[i].thread, NULL, serve, &workers[i]);
        if (err != 0) {
            return model_fail("no thread", uv_translate_sys_error(err));
        }
    }
    model_announce(&options);
    for (unsigned i = 0; i < options.threads; i++) {
        (void)pthread_join(workers[i].thread, NULL); /* ours: cannot fail */
    }
    while (!tlr_list_empty(&conns)) {
        drop(TLR_CONTAINER_OF(conns.next, struct conn, link));
    }
    free(workers);
    (void)close(epoll);
    (void)close(woken);
    (void)close(listener);
    return model_end();
}
