/* SPDX-License-Identifier: MIT */
/*
 * A pool of threads that block: each accepts a connection, serves it until it
 * closes, and accepts the next. There is no queue but the system's, and it
 * wakes one thread for each connection.
 *
 * Serves well: short sessions, without a thread's start for each, and handlers
 * that block; the number of threads is a limit of what the machine is asked
 * for. Ends: when as many peers as there are threads keep their connections
 * open: all others wait, though nothing is done.
 *
 * Stopping: the listener is closed while threads wait in accept(), which is how
 * Winsock has them told. Its number may be given out again before the last of
 * them has looked at model_stopping(); accept() fails for whatever has it then.
 */
#include "model_win.h"

#include <process.h>

enum { STACK = MODEL_BUFFER + 131072 }; /* the read buffer is on it */

static const struct model model = {
    .name = "model_thread_pool",
    .summary = "An echo server with a pool of threads (64) that serve one "
               "connection each at a time.",
    .threads = 64,
};

struct worker {
    HANDLE thread;
    SRWLOCK lock;
    SOCKET current; /* what it serves, or INVALID_SOCKET; by the lock */
};

static struct model_options options;
static SOCKET listener;
static struct worker workers[MODEL_THREADS_MOST];

/* What waits for one of them returns, now and whenever it is called again. */
static void wake(void)
{
    unsigned i;
    (void)closesocket(listener);
    for (i = 0; i < options.threads; i++) {
        struct worker *worker = &workers[i];
        AcquireSRWLockExclusive(&worker->lock);
        if (worker->current != INVALID_SOCKET) {
            model_break(worker->current);
        }
        ReleaseSRWLockExclusive(&worker->lock);
    }
}

static void set_current(struct worker *worker, SOCKET sock)
{
    AcquireSRWLockExclusive(&worker->lock);
    worker->current = sock;
    ReleaseSRWLockExclusive(&worker->lock);
}

/* A blocking socket takes all, unless something is wrong; but send() is not
 * documented to do so. */
static bool send_all(SOCKET sock, const char *bytes, int size)
{
    while (size > 0) {
        int sent = send(sock, bytes, size, 0);
        if (sent == SOCKET_ERROR) {
            return false;
        }
        bytes += sent;
        size -= sent;
    }
    return true;
}

/* Until the peer's end, or an error. */
static void serve(SOCKET sock, unsigned delay)
{
    char buffer[MODEL_BUFFER];
    for (;;) {
        int size = recv(sock, buffer, sizeof(buffer), 0);
        if (size <= 0) {
            return;
        }
        model_work(delay);
        if (!send_all(sock, buffer, size)) {
            return;
        }
    }
}

static unsigned __stdcall run(void *arg)
{
    struct worker *worker = arg;
    while (!model_stopping()) {
        SOCKET sock = accept(listener, NULL, NULL);
        if (sock == INVALID_SOCKET) {
            if (!model_accept_again(WSAGetLastError()) && !model_stopping()) {
                Sleep(MODEL_PAUSE_MS);
            }
            continue;
        }
        model_nodelay(sock);
        set_current(worker, sock);
        if (!model_stopping()) { /* else wake() may have missed it */
            serve(sock, model_delay(&options));
        }
        set_current(worker, INVALID_SOCKET);
        (void)closesocket(sock); /* what was sent still goes out, then a FIN */
    }
    return 0;
}

static bool start_all(void)
{
    unsigned i;
    for (i = 0; i < options.threads; i++) {
        struct worker *worker = &workers[i];
        InitializeSRWLock(&worker->lock);
        worker->current = INVALID_SOCKET;
        worker->thread = (HANDLE)_beginthreadex(NULL, STACK, run, worker,
            STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
        if (worker->thread == NULL) {
            (void)model_fail("cannot start a thread", UV_EAGAIN);
            return false;
        }
    }
    return true;
}

/* One by one: WaitForMultipleObjects() takes 64 at most. */
static void join_all(void)
{
    unsigned i;
    for (i = 0; i < options.threads; i++) {
        (void)WaitForSingleObject(workers[i].thread, INFINITE);
        (void)CloseHandle(workers[i].thread);
    }
}

int main(int argc, char **argv)
{
    int status;
    if (!model_begin(&model, argc, argv, &options, &status)) {
        return status;
    }
    if (!model_listen(&options, 0, &listener) || !start_all()) {
        return TLR_CLI_STATUS_FAILURE; /* it ends those that have started */
    }
    model_on_stop(wake);
    model_announce(&options);
    join_all();
    return model_end();
}
