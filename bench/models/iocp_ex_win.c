/* SPDX-License-Identifier: MIT */
/*
 * A completion port with N threads (see iocp_win.c), as it is used where speed
 * counts:
 * - AcceptEx(): accepting, too, is an operation with a packet. ACCEPTS of them
 *   are under way, with their sockets ready, and no thread is kept for it.
 * - GetQueuedCompletionStatusEx(): a call takes up to BATCH packets.
 * - FILE_SKIP_COMPLETION_PORT_ON_SUCCESS: what is done at once has no packet,
 *   and the thread goes on. Nearly all sends are, so a round trip costs one
 *   packet.
 *
 * Serves well: thousands of connections on all processors, silent or not, also
 * if they come and go. Ends: with handlers that block, sooner than iocp: what
 * is in the batch of one that does waits for it, and no other thread can take
 * it. A connection holds its read buffer while it is silent, which Windows
 * keeps in memory as long as the read waits.
 */
#include "model_win.h"

#include <stdlib.h>
#include <string.h>

enum {
    ACCEPTS = 64,
    BATCH = 16,
    TURNS = 16 /* of one connection, before others have theirs */
};

static const struct model model = {
    .name = "model_iocp_ex",
    .summary = "An echo server with N threads at a completion port, AcceptEx, "
               "and packets taken in batches.",
    .threads = MODEL_CPUS,
};

enum direction { RECEIVE, SEND };

/* What GetQueuedCompletionStatusEx() gives back is its first member. */
struct operation {
    OVERLAPPED overlapped;
    enum direction direction;
};

struct conn {
    struct model_conn base;
    struct operation operation; /* one at any time */
    DWORD sent; /* of the size bytes in the buffer */
    DWORD size;
    char buffer[MODEL_BUFFER];
};

/* The key of its packets is 0, those of a connection have its address. */
struct acceptor {
    struct model_accept accept;
    volatile LONG under_way; /* or it has failed, and main() tries again */
};

static struct model_options options;
static SOCKET listener;
static struct acceptor acceptors[ACCEPTS];
static HANDLE port;
static HANDLE asked; /* an event: there is something to do for main() */

static void wake(void)
{
    (void)SetEvent(asked);
}

/* Its operation is done: begins the next one, until one is not done at once. */
static void go_on(struct conn *conn, DWORD size)
{
    struct operation *operation = &conn->operation;
    unsigned turn;
    for (turn = 0; turn < TURNS; turn++) {
        int result;
        if (operation->direction == SEND) {
            conn->sent += size; /* all of it, though that is not documented */
        } else if (size > 0) {
            model_work(conn->base.delay);
            conn->sent = 0;
            conn->size = size;
        } else {
            break; /* the peer's end */
        }
        memset(&operation->overlapped, 0, sizeof(operation->overlapped));
        operation->direction = conn->sent < conn->size ? SEND : RECEIVE;
        if (operation->direction == SEND) {
            WSABUF rest = {conn->size - conn->sent, conn->buffer + conn->sent};
            result = WSASend(conn->base.sock, &rest, 1, &size, 0,
                &operation->overlapped, NULL);
        } else {
            WSABUF buffer = {sizeof(conn->buffer), conn->buffer};
            DWORD flags = 0;
            result = WSARecv(conn->base.sock, &buffer, 1, &size, &flags,
                &operation->overlapped, NULL);
        }
        if (result != 0 && WSAGetLastError() == WSA_IO_PENDING) {
            return; /* and may be another thread's already, or gone */
        }
        if (result != 0) {
            break;
        }
    }
    if (turn < TURNS || !PostQueuedCompletionStatus(port, size, (ULONG_PTR)conn,
                            &operation->overlapped)) { /* behind all others */
        model_leave(&conn->base);
    }
}

/* Takes the socket. */
static void begin(SOCKET sock)
{
    struct conn *conn = malloc(sizeof(*conn));
    if (conn == NULL) {
        (void)closesocket(sock);
        return;
    }
    conn->base.sock = sock;
    conn->base.delay = model_delay(&options);
    conn->sent = conn->size = 0;
    model_enter(&conn->base);
    if (CreateIoCompletionPort((HANDLE)sock, port, (ULONG_PTR)conn, 0) ==
            NULL ||
        !SetFileCompletionNotificationModes((HANDLE)sock,
            FILE_SKIP_COMPLETION_PORT_ON_SUCCESS |
                FILE_SKIP_SET_EVENT_ON_HANDLE)) {
        model_leave(&conn->base);
    } else {
        conn->operation.direction = SEND; /* nothing, so it receives */
        go_on(conn, 0);
    }
}

static void begin_accept(struct acceptor *acceptor)
{
    if (model_stopping() || !model_accept_begin(listener, &acceptor->accept)) {
        (void)InterlockedExchange(&acceptor->under_way, 0);
        (void)SetEvent(asked);
    }
}

/* The next one is begun first: the handler of this one may take its time. */
static void end_accept(struct acceptor *acceptor, bool succeeded)
{
    SOCKET sock = acceptor->accept.sock;
    begin_accept(acceptor);
    sock = model_accept_end(listener, sock, succeeded);
    if (sock != INVALID_SOCKET) {
        begin(sock);
    }
}

/* All of them at first, then what has failed. */
static void begin_all(void)
{
    unsigned i;
    for (i = 0; i < ACCEPTS; i++) {
        if (InterlockedExchange(&acceptors[i].under_way, 1) == 0) {
            begin_accept(&acceptors[i]);
        }
    }
}

static void end_one(void)
{
    while (!PostQueuedCompletionStatus(port, 0, 0, NULL)) {
        Sleep(MODEL_PAUSE_MS); /* there is no memory */
    }
}

/* Until a packet without an operation, which is passed on. It is the only one
 * then. */
static unsigned __stdcall work(void *arg)
{
    (void)arg;
    for (;;) {
        OVERLAPPED_ENTRY entries[BATCH];
        ULONG count = 0;
        ULONG i;
        (void)GetQueuedCompletionStatusEx(
            port, entries, BATCH, &count, INFINITE, FALSE);
        for (i = 0; i < count; i++) {
            OVERLAPPED *overlapped = entries[i].lpOverlapped;
            struct conn *conn = (struct conn *)entries[i].lpCompletionKey;
            bool succeeded;
            if (overlapped == NULL) {
                end_one();
                return 0;
            }
            succeeded = overlapped->Internal == 0; /* STATUS_SUCCESS */
            if (conn == NULL) {
                end_accept((struct acceptor *)overlapped, succeeded);
            } else if (succeeded) {
                go_on(conn, entries[i].dwNumberOfBytesTransferred);
            } else {
                model_leave(&conn->base);
            }
        }
    }
}

/* What is cancelled has its packet, too, and only then its memory is ours again.
 * One that was just begun when all were cancelled is cancelled later. */
static void cancel_all(void)
{
    unsigned i;
    for (i = 0; i < ACCEPTS; i++) {
        while (acceptors[i].under_way != 0) {
            (void)CancelIoEx((HANDLE)listener, NULL); /* there may be none */
            (void)WaitForSingleObject(asked, MODEL_PAUSE_MS);
        }
    }
    model_break_all();
}

int main(int argc, char **argv)
{
    static HANDLE threads[MODEL_THREADS_MOST];
    int status;
    if (!model_begin(&model, argc, argv, &options, &status)) {
        return status;
    }
    if (!model_listen(&options, 0, &listener)) {
        return TLR_CLI_STATUS_FAILURE;
    }
    port = CreateIoCompletionPort((HANDLE)listener, NULL, 0, 0);
    asked = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (port == NULL || asked == NULL ||
        !model_accept_init(listener, options.address.ss_family) ||
        !model_threads_start(threads, options.threads, work)) {
        return model_fail("cannot begin", UV_ENOMEM); /* ends who has */
    }
    begin_all();
    model_on_stop(wake);
    model_announce(&options);
    while (!model_stopping()) {
        (void)WaitForSingleObject(asked, INFINITE);
        if (!model_stopping()) {
            Sleep(MODEL_PAUSE_MS);
            begin_all();
        }
    }
    cancel_all();
    end_one();
    model_threads_join(threads, options.threads);
    (void)closesocket(listener);
    (void)CloseHandle(port);
    (void)CloseHandle(asked);
    return model_end();
}
