/* SPDX-License-Identifier: MIT */
/*
 * A completion port with N threads (see iocp_win.c), as it is used where speed
 * counts:
 * - AcceptEx(): accepting, too, is an operation with a packet. ACCEPTS of them
 *   are under way, with their sockets ready, and no thread is kept for it.
 * - GetQueuedCompletionStatusEx(): a call takes up to BATCH packets.
 * - FILE_SKIP_COMPLETION_PORT_ON_SUCCESS: what is done at once has no packet, and
 *   the thread goes on. Nearly all sends are, so a round trip costs one packet.
 *
 * Serves well: thousands of connections on all processors, silent or not, also
 * if they come and go. Ends: with handlers that block, sooner than iocp: what is
 * in the batch of one that does waits for it, and no other thread can take it. A
 * connection holds its read buffer while it is silent, which Windows keeps in
 * memory as long as the read waits.
 */
#include "model_win.h"

#include <process.h>
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
    struct operation operation; /* one at any time */
    SOCKET sock;
    unsigned delay;
    DWORD sent; /* of the size bytes in the buffer */
    DWORD size;
    struct conn *previous;
    struct conn *next;
    char buffer[MODEL_BUFFER];
};

static struct model_options options;
static SOCKET listener;
static LPFN_ACCEPTEX accept_ex;
static struct acceptor acceptors[ACCEPTS];
static HANDLE port;
static HANDLE asked; /* an event: there is something to do for main() */
static SRWLOCK lock = SRWLOCK_INIT;
static struct conn *conns; /* by the lock; for the end only */

static void wake(void)
{
    (void)SetEvent(asked);
}

/* ---- connections ---- */

static void enter(struct conn *conn)
{
    AcquireSRWLockExclusive(&lock);
    conn->previous = NULL;
    conn->next = conns;
    if (conns != NULL) {
        conns->previous = conn;
    }
    conns = conn;
    if (model_stopping()) { /* else break_all() is still to come */
        model_break(conn->sock);
    }
    ReleaseSRWLockExclusive(&lock);
}

/* No operation is under way: the system writes to the memory of one that is. The
 * socket is closed by the lock because break_all() must not meet its number when
 * another has it. */
static void leave(struct conn *conn)
{
    AcquireSRWLockExclusive(&lock);
    if (conn->previous != NULL) {
        conn->previous->next = conn->next;
    } else {
        conns = conn->next;
    }
    if (conn->next != NULL) {
        conn->next->previous = conn->previous;
    }
    (void)closesocket(conn->sock); /* sends what is left, then a FIN */
    free(conn);
    ReleaseSRWLockExclusive(&lock);
    if (model_stopping()) {
        (void)SetEvent(asked);
    }
}

/* These return 0 if it is done at once, and then no packet comes. */
static int receive(struct conn *conn, DWORD *size)
{
    WSABUF buffer = {sizeof(conn->buffer), conn->buffer};
    DWORD flags = 0;
    conn->operation.direction = RECEIVE;
    return WSARecv(conn->sock, &buffer, 1, size, &flags,
        &conn->operation.overlapped, NULL);
}

static int send_rest(struct conn *conn, DWORD *size)
{
    WSABUF buffer = {conn->size - conn->sent, conn->buffer + conn->sent};
    conn->operation.direction = SEND;
    return WSASend(
        conn->sock, &buffer, 1, size, 0, &conn->operation.overlapped, NULL);
}

/* Its operation is done: begins the next one, until one is not done at once. */
static void go_on(struct conn *conn, DWORD size)
{
    unsigned turn;
    for (turn = 0; turn < TURNS; turn++) {
        int result;
        if (conn->operation.direction == SEND) {
            conn->sent += size; /* all, but see on_sent() of iocp_win.c */
        } else if (size > 0) {
            model_work(conn->delay);
            conn->sent = 0;
            conn->size = size;
        } else {
            break; /* the peer's end */
        }
        memset(&conn->operation.overlapped, 0, sizeof(OVERLAPPED));
        result = conn->sent < conn->size ? send_rest(conn, &size)
                                         : receive(conn, &size);
        if (result != 0 && WSAGetLastError() == WSA_IO_PENDING) {
            return; /* and may be another thread's already, or gone */
        }
        if (result != 0) {
            break;
        }
    }
    /* Behind all others. */
    if (turn < TURNS || !PostQueuedCompletionStatus(port, size, (ULONG_PTR)conn,
                            &conn->operation.overlapped)) {
        leave(conn);
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
    conn->sock = sock;
    conn->delay = model_delay(&options);
    conn->sent = 0;
    conn->size = 0;
    enter(conn);
    if (CreateIoCompletionPort((HANDLE)sock, port, (ULONG_PTR)conn, 0) ==
            NULL ||
        !SetFileCompletionNotificationModes((HANDLE)sock,
            FILE_SKIP_COMPLETION_PORT_ON_SUCCESS |
                FILE_SKIP_SET_EVENT_ON_HANDLE)) {
        leave(conn);
        return;
    }
    conn->operation.direction = SEND; /* nothing, so it receives */
    go_on(conn, 0);
}

/* ---- accepting ---- */

static void begin_accept(struct acceptor *acceptor)
{
    DWORD size;
    memset(&acceptor->operation, 0, sizeof(acceptor->operation));
    acceptor->operation.direction = ACCEPT;
    acceptor->sock = WSASocketW(options.address.ss_family, SOCK_STREAM,
        IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED);
    if (acceptor->sock != INVALID_SOCKET &&
        (accept_ex(listener, acceptor->sock, acceptor->addresses, 0,
             MODEL_ACCEPT_ADDRESS, MODEL_ACCEPT_ADDRESS, &size,
             &acceptor->operation.overlapped) ||
            WSAGetLastError() == WSA_IO_PENDING)) {
        return; /* its packet comes also if it is done at once */
    }
    if (acceptor->sock != INVALID_SOCKET) {
        (void)closesocket(acceptor->sock);
    }
    (void)InterlockedExchange(&acceptor->idle, 1);
    (void)SetEvent(asked);
}

/* What AcceptEx() gives is no whole socket before it knows its listener. The
 * next one is begun first: the handler of this one may take its time. */
static void end_accept(struct acceptor *acceptor, bool succeeded)
{
    SOCKET sock = acceptor->sock;
    begin_accept(acceptor);
    if (!succeeded || setsockopt(sock, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
                          (const char *)&listener, sizeof(listener)) != 0) {
        (void)closesocket(sock); /* the peer has gone again */
        return;
    }
    model_nodelay(sock);
    begin(sock);
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
                leave((struct conn *)entries[i].lpCompletionKey);
            }
        }
    }
}

static bool start_all(HANDLE *threads, unsigned count)
{
    unsigned i;
    for (i = 0; i < count; i++) {
        threads[i] = (HANDLE)_beginthreadex(NULL, 0, work, NULL, 0, NULL);
        if (threads[i] == NULL) {
            (void)model_fail("cannot start a thread", UV_EAGAIN);
            return false;
        }
    }
    return true;
}

/* Begins what has failed again, in peace; at first, that is all. */
static void supervise(void)
{
    unsigned i;
    while (!model_stopping()) {
        for (i = 0; i < ACCEPTS; i++) {
            if (InterlockedExchange(&acceptors[i].idle, 0) != 0) {
                begin_accept(&acceptors[i]);
            }
        }
        (void)WaitForSingleObject(asked, INFINITE);
        if (!model_stopping()) {
            Sleep(MODEL_PAUSE_MS);
        }
    }
}

static bool all_gone(void)
{
    bool gone;
    unsigned i;
    AcquireSRWLockExclusive(&lock);
    gone = conns == NULL;
    ReleaseSRWLockExclusive(&lock);
    for (i = 0; i < ACCEPTS; i++) {
        gone = gone && acceptors[i].idle != 0;
    }
    return gone;
}

/* What is cancelled has its packet, too, and only then its memory is ours
 * again. */
static void break_all(void)
{
    struct conn *conn;
    (void)closesocket(listener);
    AcquireSRWLockExclusive(&lock);
    for (conn = conns; conn != NULL; conn = conn->next) {
        model_break(conn->sock);
    }
    ReleaseSRWLockExclusive(&lock);
    while (!all_gone()) {
        (void)WaitForSingleObject(asked, INFINITE);
    }
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
        !start_all(threads, options.threads)) {
        return model_fail("cannot begin", UV_ENOMEM); /* ends who has */
    }
    for (i = 0; i < ACCEPTS; i++) {
        acceptors[i].idle = 1;
    }
    model_on_stop(wake);
    model_announce(&options);
    supervise();
    break_all();
    end_one();
    for (i = 0; i < options.threads; i++) {
        (void)WaitForSingleObject(threads[i], INFINITE);
        (void)CloseHandle(threads[i]);
    }
    (void)CloseHandle(port);
    (void)CloseHandle(asked);
    return model_end();
}
