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

enum direction { ACCEPT, RECEIVE, SEND };

/* What GetQueuedCompletionStatusEx() gives back is its first member. */
struct operation {
    OVERLAPPED overlapped;
    enum direction direction;
};

struct acceptor {
    struct operation operation;
    SOCKET sock;        /* for who comes next */
    volatile LONG idle; /* it has failed, and main() tries again */
    char addresses[2 * MODEL_ACCEPT_ADDRESS];
};

struct conn {
    struct model_conn base;
    struct operation operation; /* one at any time */
    DWORD sent; /* of the size bytes in the buffer */
    DWORD size;
    char buffer[MODEL_BUFFER];
};

static struct model_options options;
static SOCKET listener;
static LPFN_ACCEPTEX accept_ex;
static struct acceptor acceptors[ACCEPTS];
static HANDLE port;
static HANDLE asked; /* an event: there is something to do for main() */
static SRWLOCK lock = SRWLOCK_INIT; /* see begin_accept() */

static void wake(void)
{
    (void)SetEvent(asked);
}

/* ---- connections ---- */

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
        memset(operation, 0, sizeof(*operation));
        if (conn->sent < conn->size) {
            WSABUF rest = {conn->size - conn->sent, conn->buffer + conn->sent};
            operation->direction = SEND;
            result = WSASend(conn->base.sock, &rest, 1, &size, 0,
                &operation->overlapped, NULL);
        } else {
            WSABUF buffer = {sizeof(conn->buffer), conn->buffer};
            DWORD flags = 0;
            operation->direction = RECEIVE;
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
    conn->sent = 0;
    conn->size = 0;
    model_enter(&conn->base);
    if (CreateIoCompletionPort((HANDLE)sock, port, (ULONG_PTR)conn, 0) ==
            NULL ||
        !SetFileCompletionNotificationModes((HANDLE)sock,
            FILE_SKIP_COMPLETION_PORT_ON_SUCCESS |
                FILE_SKIP_SET_EVENT_ON_HANDLE)) {
        model_leave(&conn->base);
        return;
    }
    conn->operation.direction = SEND; /* nothing, so it receives */
    go_on(conn, 0);
}

/* ---- accepting ---- */

/* By the lock: at the end, an operation is begun before all are cancelled, or
 * not at all. Its packet comes also if it is done at once. */
static void begin_accept(struct acceptor *acceptor)
{
    OVERLAPPED *overlapped = &acceptor->operation.overlapped;
    bool begun = false;
    DWORD size;
    memset(&acceptor->operation, 0, sizeof(acceptor->operation));
    acceptor->operation.direction = ACCEPT;
    acceptor->sock = WSASocketW(options.address.ss_family, SOCK_STREAM,
        IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED);
    AcquireSRWLockShared(&lock);
    if (acceptor->sock != INVALID_SOCKET && !model_stopping()) {
        begun = accept_ex(listener, acceptor->sock, acceptor->addresses, 0,
                    MODEL_ACCEPT_ADDRESS, MODEL_ACCEPT_ADDRESS, &size,
                    overlapped) ||
                WSAGetLastError() == WSA_IO_PENDING;
    }
    ReleaseSRWLockShared(&lock);
    if (!begun) {
        if (acceptor->sock != INVALID_SOCKET) {
            (void)closesocket(acceptor->sock);
        }
        (void)InterlockedExchange(&acceptor->idle, 1);
        (void)SetEvent(asked);
    }
}

/* What AcceptEx() gives is no whole socket before it knows its listener. The
 * next one is begun first: the handler of this one may take its time. */
static void end_accept(struct acceptor *acceptor, bool succeeded)
{
    SOCKET sock = acceptor->sock;
    begin_accept(acceptor);
    if (succeeded && setsockopt(sock, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
                         (const char *)&listener, sizeof(listener)) == 0) {
        model_nodelay(sock);
        begin(sock);
    } else {
        (void)closesocket(sock); /* the peer has gone again */
    }
}

/* ---- threads ---- */

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
            struct operation *operation = (struct operation *)overlapped;
            bool succeeded;
            if (operation == NULL) {
                end_one();
                return 0;
            }
            succeeded = overlapped->Internal == 0; /* STATUS_SUCCESS */
            if (operation->direction == ACCEPT) {
                end_accept((struct acceptor *)operation, succeeded);
            } else if (succeeded) {
                go_on((struct conn *)entries[i].lpCompletionKey,
                    entries[i].dwNumberOfBytesTransferred);
            } else {
                model_leave((struct model_conn *)entries[i].lpCompletionKey);
            }
        }
    }
}

/* All of them at first, then what has failed. */
static void begin_idle(void)
{
    unsigned i;
    for (i = 0; i < ACCEPTS; i++) {
        if (InterlockedExchange(&acceptors[i].idle, 0) != 0) {
            begin_accept(&acceptors[i]);
        }
    }
}

/* What is cancelled has its packet, too, and only then its memory is ours
 * again. An acceptor is idle then. */
static void cancel_all(void)
{
    unsigned i;
    AcquireSRWLockExclusive(&lock);
    (void)CancelIoEx((HANDLE)listener, NULL); /* there may be none */
    ReleaseSRWLockExclusive(&lock);
    for (i = 0; i < ACCEPTS; i++) {
        while (acceptors[i].idle == 0) {
            (void)WaitForSingleObject(asked, INFINITE);
        }
    }
    model_break_all();
}

int main(int argc, char **argv)
{
    static HANDLE threads[MODEL_THREADS_MOST];
    unsigned i;
    int status;
    if (!model_begin(&model, argc, argv, &options, &status)) {
        return status;
    }
    if (!model_listen(&options, 0, &listener)) {
        return TLR_CLI_STATUS_FAILURE;
    }
    port = CreateIoCompletionPort((HANDLE)listener, NULL, 0, 0);
    asked = CreateEventW(NULL, FALSE, FALSE, NULL);
    accept_ex = model_acceptex(listener);
    if (port == NULL || asked == NULL || accept_ex == NULL ||
        !model_threads_start(threads, options.threads, work)) {
        return model_fail("cannot begin", UV_ENOMEM); /* ends who has */
    }
    for (i = 0; i < ACCEPTS; i++) {
        acceptors[i].idle = 1;
    }
    begin_idle();
    model_on_stop(wake);
    model_announce(&options);
    while (!model_stopping()) {
        (void)WaitForSingleObject(asked, INFINITE);
        if (!model_stopping()) {
            Sleep(MODEL_PAUSE_MS);
            begin_idle();
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
