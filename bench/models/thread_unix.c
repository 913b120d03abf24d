/* SPDX-License-Identifier: MIT */
/*
 * A thread for each connection: the main thread accepts, each connection's own
 * thread serves it with blocking calls and ends with it.
 *
 * Serves well: up to some hundreds of connections whose handlers block or
 * compute, in code that reads from top to bottom; a slow one is slow for itself
 * alone. Ends: with thousands that are open (a stack each, and the scheduler's
 * part), and with sessions of one exchange, which pay for a thread each.
 *
 * From: Stevens, Fenner, Rudoff, "UNIX Network Programming", volume 1, a TCP
 * concurrent server with one thread for each client.
 */
#include "model.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/list.h"

/* The read buffer is on the stack; what is more is for the C library. */
enum { STACK = MODEL_BUFFER + 192 * 1024 };

static const struct model model = {
    .name = "model_thread",
    .summary = "An echo server with a thread for each connection.",
};

struct conn {
    int sock;
    unsigned delay;
    struct tlr_list link; /* in `conns` */
};

static int listener;

/* The connections that are open, to shut them down at the end. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t one_has_gone = PTHREAD_COND_INITIALIZER;
static struct tlr_list conns = {&conns, &conns};

static void wake(void)
{
    (void)shutdown(listener, SHUT_RDWR);
}

/* ---- a connection ---- */

static void enter(struct conn *conn)
{
    (void)pthread_mutex_lock(&mutex); /* used as it should be: never fails */
    tlr_list_append(&conns, &conn->link);
    (void)pthread_mutex_unlock(&mutex);
}

/* Closed within the lock: its number may be another connection's at once. */
static void leave(struct conn *conn)
{
    (void)pthread_mutex_lock(&mutex);
    tlr_list_remove(&conn->link);
    (void)close(conn->sock);
    free(conn);
    (void)pthread_cond_signal(&one_has_gone);
    (void)pthread_mutex_unlock(&mutex);
}

/* A blocking socket takes all, unless something is wrong: but a signal may cut
 * a write short that has begun. */
static bool write_all(int sock, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(sock, bytes, size);
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
static void *serve(void *arg)
{
    struct conn *conn = arg;
    char buffer[MODEL_BUFFER];
    for (;;) {
        ssize_t size = read(conn->sock, buffer, sizeof(buffer));
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size > 0) {
            model_work(conn->delay);
        }
        if (size <= 0 || !write_all(conn->sock, buffer, (size_t)size)) {
            leave(conn);
            return NULL;
        }
    }
}

/* ---- the main thread ---- */

/* Returns whether there was memory and a thread to have. */
static bool start(int sock, unsigned delay, const pthread_attr_t *attributes)
{
    struct conn *conn = calloc(1, sizeof(*conn));
    pthread_t thread;
    if (conn == NULL) {
        (void)close(sock);
        return false;
    }
    conn->sock = sock;
    conn->delay = delay;
    enter(conn);
    if (pthread_create(&thread, attributes, serve, conn) != 0) {
        leave(conn);
        return false;
    }
    return true;
}

static void accept_all(
    const struct model_options *options, const pthread_attr_t *attributes)
{
    while (!model_stopping()) {
        int sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        bool well = sock >= 0 ? start(sock, model_delay(options), attributes)
                              : model_accept_again(errno);
        if (!well && !model_stopping()) {
            uv_sleep(MODEL_PAUSE_MS);
        }
    }
}

/* Whoever blocks on a connection is told of its end, and ends. */
static void end_all(void)
{
    (void)pthread_mutex_lock(&mutex);
    for (struct tlr_list *l = conns.next; l != &conns; l = l->next) {
        struct conn *conn = TLR_CONTAINER_OF(l, struct conn, link);
        (void)shutdown(conn->sock, SHUT_RDWR);
    }
    while (!tlr_list_empty(&conns)) {
        (void)pthread_cond_wait(&one_has_gone, &mutex);
    }
    (void)pthread_mutex_unlock(&mutex);
}

int main(int argc, char **argv)
{
    pthread_attr_t attributes;
    struct model_options options;
    int status;
    if (!model_begin(&model, argc, argv, &options, &status)) {
        return status;
    }
    if (!model_listen(&options, 0, &listener)) {
        return TLR_CLI_STATUS_FAILURE;
    }
    (void)pthread_attr_init(&attributes); /* these cannot fail on Linux */
    (void)pthread_attr_setstacksize(&attributes, STACK);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    model_on_stop(wake);
    model_announce(&options);
    accept_all(&options, &attributes);
    end_all();
    (void)pthread_attr_destroy(&attributes);
    (void)close(listener);
    return model_end();
}
