/* SPDX-License-Identifier: MIT */
/*
 * A completion port with N threads. Each socket is associated with the port
 * once, with its connection as the key; an operation that is done is a packet
 * in the port's queue, and whichever thread waits there takes it. The port lets
 * as many threads run as there are processors (its concurrency, 0) and knows
 * when one of them blocks: then the next packet wakes another, if there is one.
 * The thread that came last is woken first, while its stack and data are in the
 * caches. The main thread accepts.
 *
 * Serves well: thousands of connections, silent or not, on all processors, and
 * no connection belongs to a thread: a slow handler takes one thread, and all
 * others are served by the rest. Ends: when as many handlers block as there are
 * threads (N is the number of processors; --threads for more); each round trip
 * costs two packets, and sessions of one message an association each; and a
 * connection holds its read buffer while it is silent, which Windows keeps in
 * memory as long as the read waits.
 *
 * A connection has one operation under way at any time, so its data belong to
 * that operation, or to the thread that has taken its packet, and need no lock.
 */
#include "model_win.h"

#include <stdlib.h>
#include <string.h>

static const struct model model = {
    .name = "model_iocp",
    .summary = "An echo server with N threads at a completion port; another "
               "one accepts.",
    .threads = MODEL_CPUS,
};

enum direction { RECEIVE, SEND };

/* What GetQueuedCompletionStatus() gives back is its first member. */
struct operation {
    OVERLAPPED overlapped;
    enum direction direction;
};

struct conn {
    struct model_conn base;
    struct operation operation;
    DWORD sent; /* of the size bytes in the buffer */
    DWORD size;
    char buffer[MODEL_BUFFER];
};

static SOCKET listener;
static HANDLE port;

static void wake(void)
{
    (void)closesocket(listener);
}

/* An operation that is done at once has its packet, too: behind either call the
 * connection may be another thread's, or gone. */
static bool receive(struct conn *conn)
{
    OVERLAPPED *overlapped = &conn->operation.overlapped;
    WSABUF buffer = {sizeof(conn->buffer), conn->buffer};
    DWORD flags = 0;
    memset(&conn->operation, 0, sizeof(conn->operation));
    conn->operation.direction = RECEIVE;
    return WSARecv(conn->base.sock, &buffer, 1, NULL, &flags, overlapped,
               NULL) == 0 ||
           WSAGetLastError() == WSA_IO_PENDING;
}

static bool send_rest(struct conn *conn)
{
    OVERLAPPED *overlapped = &conn->operation.overlapped;
    WSABUF rest = {conn->size - conn->sent, conn->buffer + conn->sent};
    memset(&conn->operation, 0, sizeof(conn->operation));
    conn->operation.direction = SEND;
    return WSASend(conn->base.sock, &rest, 1, NULL, 0, overlapped, NULL) == 0 ||
           WSAGetLastError() == WSA_IO_PENDING;
}

/* Begins the next operation. False: the connection is over. */
static bool on_received(struct conn *conn, DWORD size)
{
    if (size == 0) {
        return false; /* the peer's end */
    }
    model_work(conn->base.delay);
    conn->sent = 0;
    conn->size = size;
    return send_rest(conn);
}

/* All is sent, or it has failed; but that is not documented. */
static bool on_sent(struct conn *conn, DWORD size)
{
    conn->sent += size;
    return conn->sent < conn->size ? send_rest(conn) : receive(conn);
}

static unsigned __stdcall work(void *arg)
{
    (void)arg;
    for (;;) {
        DWORD size;
        ULONG_PTR key;
        OVERLAPPED *overlapped = NULL;
        BOOL succeeded = GetQueuedCompletionStatus(
            port, &size, &key, &overlapped, INFINITE);
        struct conn *conn = (struct conn *)key;
        struct operation *operation = (struct operation *)overlapped;
        if (operation == NULL) {
            return 0; /* the packet of end_all() */
        }
        if (!succeeded || !(operation->direction == RECEIVE
                                  ? on_received(conn, size)
                                  : on_sent(conn, size))) {
            model_leave(&conn->base);
        }
    }
}

/* Takes the socket. False: there is no memory for it. */
static bool begin(SOCKET sock, unsigned delay)
{
    struct conn *conn = malloc(sizeof(*conn));
    if (conn == NULL) {
        (void)closesocket(sock);
        return false;
    }
    conn->base.sock = sock;
    conn->base.delay = delay;
    model_enter(&conn->base);
    if (CreateIoCompletionPort((HANDLE)sock, port, (ULONG_PTR)conn, 0) ==
        NULL) {
        model_leave(&conn->base);
        return false;
    }
    if (!receive(conn)) {
        model_leave(&conn->base); /* the peer has gone again */
    }
    return true;
}

static void accept_all(const struct model_options *options)
{
    while (!model_stopping()) {
        SOCKET sock = accept(listener, NULL, NULL);
        bool again;
        if (sock != INVALID_SOCKET) {
            model_nodelay(sock);
            again = begin(sock, model_delay(options));
        } else {
            again = model_accept_again(WSAGetLastError());
        }
        if (!again && !model_stopping()) {
            Sleep(MODEL_PAUSE_MS);
        }
    }
}

/* One packet ends one thread. */
static void end_all(unsigned threads)
{
    while (threads > 0) {
        if (PostQueuedCompletionStatus(port, 0, 0, NULL)) {
            threads--;
        } else {
            Sleep(MODEL_PAUSE_MS); /* there is no memory */
        }
    }
}

int main(int argc, char **argv)
{
    static HANDLE threads[MODEL_THREADS_MOST];
    struct model_options options;
    int status;
    if (!model_begin(&model, argc, argv, &options, &status)) {
        return status;
    }
    port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
    if (port == NULL) {
        return model_fail("cannot create a completion port", UV_ENOMEM);
    }
    if (!model_listen(&options, 0, &listener) ||
        !model_threads_start(threads, options.threads, work)) {
        return TLR_CLI_STATUS_FAILURE; /* it ends those that have started */
    }
    model_on_stop(wake);
    model_announce(&options);
    accept_all(&options);
    model_break_all(); /* each leaves when its last packet has come */
    end_all(options.threads);
    model_threads_join(threads, options.threads);
    (void)CloseHandle(port);
    return model_end();
}
