/* SPDX-License-Identifier: MIT */
/*
 * Iterative: one connection from accept to close, then the next. All the others
 * wait in the system's queue.
 *
 * Serves well: one peer at a time, or sessions so short that nobody notices the
 * queue; nothing is cheaper for each of them. Ends: with the first peer that
 * keeps its connection open and says nothing.
 *
 * Stopping: Windows interrupts no call for Ctrl-C, but has the handler run on a
 * thread of its own, which breaks what the only thread waits in.
 */
#include "model_win.h"

static const struct model model = {
    .name = "model_iterative",
    .summary = "An echo server that serves one connection at a time.",
};

static SOCKET listener;
static SRWLOCK lock = SRWLOCK_INIT;
static SOCKET current = INVALID_SOCKET; /* what is served; by the lock */

static void wake(void)
{
    AcquireSRWLockExclusive(&lock);
    (void)closesocket(listener);
    if (current != INVALID_SOCKET) {
        model_break(current);
    }
    ReleaseSRWLockExclusive(&lock);
}

static void set_current(SOCKET sock)
{
    AcquireSRWLockExclusive(&lock);
    current = sock;
    ReleaseSRWLockExclusive(&lock);
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
    static char buffer[MODEL_BUFFER];
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
        SOCKET sock = accept(listener, NULL, NULL);
        if (sock == INVALID_SOCKET) {
            if (!model_accept_again(WSAGetLastError()) && !model_stopping()) {
                Sleep(MODEL_PAUSE_MS);
            }
            continue;
        }
        model_nodelay(sock);
        set_current(sock);
        if (!model_stopping()) { /* else wake() may have missed it */
            serve(sock, model_delay(&options));
        }
        set_current(INVALID_SOCKET);
        (void)closesocket(sock); /* what was sent still goes out, then a FIN */
    }
    return model_end();
}
