/* SPDX-License-Identifier: MIT */
/*
 * A pool of threads that block: each accepts a connection, serves it until it
 * closes, and accepts the next. There is no queue but the kernel's, and the
 * kernel wakes one thread for each connection.
 *
 * Serves well: short sessions, without a thread's start for each, and handlers
 * that block; the number of threads is a limit of what the machine is asked for.
 * Ends: when as many peers as there are threads keep their connections open: all
 * others wait, though nothing is done.
 *
 * From: Stevens, Fenner, Rudoff, "UNIX Network Programming", volume 1, the
 * prethreaded server in which each thread calls accept. The processes of Apache
 * (prefork) work alike.
 */
#include "model.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* The read buffer is on the stack; what is more is for the C library. */
enum { STACK = MODEL_BUFFER + 192 * 1024 };

static const struct model model = {
    .name = "model_thread_pool",
    .summary = "An echo server with a pool of threads (64) that serve one "
               "connection each at a time.",
    .threads = 64,
};

struct worker {
    pthread_t thread;
    atomic_int current; /* the connection that it serves, or -1 */
};

static struct model_options options;
static int listener;
static struct worker workers[MODEL_THREADS_MOST];

/* What blocks on one of them returns, now and whenever it is called again. The
 * number of a connection may just have become another's: that one ends, too. */
static void wake(void)
{
    (void)shutdown(listener, SHUT_RDWR);
    for (unsigned i = 0; i < options.threads; i++) {
        int conn = atomic_load(&workers[i].current);
        if (conn >= 0) {
            (void)shutdown(conn, SHUT_RDWR);
        }
    }
}

/* A blocking socket takes all, unless something is wrong: but a signal may cut
 * a write short that has begun. */
static bool write_all(int conn, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(conn, bytes, size);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        if (written > 0) {
            bytes += written;
            size -= (size_t)written;
        }
    }
    return true;
}

/* Until the peer's end, or an error. */
static void serve(int conn, unsigned delay, char buffer[MODEL_BUFFER])
{
    for (;;) {
        ssize_t size = read(conn, buffer, MODEL_BUFFER);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size <= 0) {
            return;
        }
        model_work(delay);
        if (!write_all(conn, buffer, (size_t)size)) {
            return;
        }
    }
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    char buffer[MODEL_BUFFER];
    while (!model_stopping()) {
        int conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (conn < 0 && !model_accept_again(errno) && !model_stopping()) {
            uv_sleep(MODEL_PAUSE_MS);
        }
        if (conn < 0) {
            continue;
        }
        atomic_store(&worker->current, conn);
        if (!model_stopping()) { /* else wake() may have missed it */
            serve(conn, model_delay(&options), buffer);
        }
        atomic_store(&worker->current, -1);
        (void)close(conn);
    }
    return NULL;
}

static int start(struct worker *worker)
{
    pthread_attr_t attributes;
    (void)pthread_attr_init(&attributes); /* these cannot fail on Linux */
    (void)pthread_attr_setstacksize(&attributes, STACK);
    int err = pthread_create(&worker->thread, &attributes, work, worker);
    (void)pthread_attr_destroy(&attributes);
    return err;
}

int main(int argc, char **argv)
{
    int status;
    if (!model_begin(&model, argc, argv, &options, &status)) {
        return status;
    }
    if (!model_listen(&options, 0, &listener)) {
        return TLR_CLI_STATUS_FAILURE;
    }
    for (unsigned i = 0; i < options.threads; i++) {
        atomic_init(&workers[i].current, -1);
    }
    model_on_stop(wake);
    for (unsigned i = 0; i < options.threads; i++) {
        int err = start(&workers[i]);
        if (err != 0) {
            return model_fail("no thread", uv_translate_sys_error(err));
        }
    }
    model_announce(&options);
    for (unsigned i = 0; i < options.threads; i++) {
        (void)pthread_join(workers[i].thread, NULL); /* ours: cannot fail */
    }
    (void)close(listener);
    return model_end();
}
