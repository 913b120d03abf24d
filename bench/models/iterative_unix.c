/* SPDX-License-Identifier: MIT */
/*
 * Iterative: one connection from accept to close, then the next. All the others
 * wait in the kernel's queue.
 *
 * Serves well: one peer at a time, or sessions so short that nobody notices the
 * queue; nothing is cheaper for each of them. Ends: with the first peer that
 * keeps its connection open and says nothing.
 *
 * From: Stevens, Fenner, Rudoff, "UNIX Network Programming", volume 1, the
 * first of its server designs.
 */
#include "model.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct model model = {
    .name = "model_iterative",
    .summary = "An echo server that serves one connection at a time.",
};

static int listener;
static atomic_int current = -1; /* the connection that is served, or -1 */

/* What blocks on either of them returns, now and whenever it is called again. */
static void wake(void)
{
    int conn = atomic_load(&current);
    (void)shutdown(listener, SHUT_RDWR);
    if (conn >= 0) {
        (void)shutdown(conn, SHUT_RDWR);
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
static void serve(int conn, unsigned delay)
{
    static char buffer[MODEL_BUFFER];
    for (;;) {
        ssize_t size = read(conn, buffer, sizeof(buffer));
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

int main(int argc, char **argv)
{
    struct model_options options;
    int status;
    if (!model_begin(&model, argc, argv, &options, &status)) {
        return status;
    }
    if (!model_listen(&options, 0, &listener)) {
        return TLR_CLI_STATUS_FAILURE;
    }
    model_on_stop(wake);
    model_announce(&options);
    while (!model_stopping()) {
        int conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (conn < 0 && !model_accept_again(errno) && !model_stopping()) {
            uv_sleep(MODEL_PAUSE_MS);
        }
        if (conn < 0) {
            continue;
        }
        atomic_store(&current, conn);
        if (!model_stopping()) { /* else wake() may have missed it */
            serve(conn, model_delay(&options));
        }
        atomic_store(&current, -1);
        (void)close(conn);
    }
    (void)close(listener);
    return model_end();
}
