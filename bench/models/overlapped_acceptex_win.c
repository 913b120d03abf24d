/* SPDX-License-Identifier: MIT */
/*
 * One thread, overlapped I/O with completion routines, and AcceptEx():
 * accepting is an overlapped operation like the others. It sets an event, and
 * the one wait of the thread is both for events and alertable, so that whatever
 * happens first ends it. This is overlapped_alertable_win.c without its fault:
 * nothing waits for a period, and an idle program sleeps.
 *
 * Serves well: many connections on one thread, without locks, whether they talk
 * or come and go. Ends: with a handler that blocks, which holds up everybody,
 * and at one processor. A connection holds its read buffer while it is silent,
 * and Windows keeps it in memory as long as the read waits.
 *
 * One AcceptEx() at a time is enough: who connects meanwhile waits in the
 * system's queue, and the next call is done at once. A wait that finds an event
 * set returns without running routines, so that a flood of newcomers would keep
 * all others waiting: after each of them the routines have their turn.
 */
#include "model_win.h"

#include <stdlib.h>
#include <string.h>

static const struct model model = {
    .name = "model_overlapped_acceptex",
    .summary = "An echo server on one thread with completion routines, that "
               "accepts by AcceptEx.",
};

struct conn {
    OVERLAPPED overlapped; /* of its one operation, whose routine finds it */
    SOCKET sock;
    unsigned delay;
    DWORD sent; /* of the size bytes in the buffer */
    DWORD size;
    struct conn *next;
    struct conn **at; /* what points to it */
    char buffer[MODEL_BUFFER];
};

static struct model_options options;
static struct conn *conns;
static SOCKET listener;
static HANDLE stop; /* an event */

/* The operation that accepts: one, again and again. */
static struct {
    OVERLAPPED overlapped; /* with an event of its own */
    SOCKET sock; /* for who comes next; INVALID_SOCKET: none is under way */
    LPFN_ACCEPTEX begin;
    struct model_pause pause;
    char addresses[2 * MODEL_ACCEPT_ADDRESS];
} accepting = {.sock = INVALID_SOCKET};

static void wake(void)
{
    (void)SetEvent(stop);
}

static void enter(struct conn *conn)
{
    conn->next = conns;
    conn->at = &conns;
    if (conns != NULL) {
        conns->at = &conn->next;
    }
    conns = conn;
}

/* No operation is under way: the system writes to the memory of one that is. */
static void leave(struct conn *conn)
{
    *conn->at = conn->next;
    if (conn->next != NULL) {
        conn->next->at = conn->at;
    }
    (void)closesocket(conn->sock); /* sends what is left, then a FIN */
    free(conn);
}

static void CALLBACK on_received(
    DWORD error, DWORD size, LPWSAOVERLAPPED overlapped, DWORD flags);
static void CALLBACK on_sent(
    DWORD error, DWORD size, LPWSAOVERLAPPED overlapped, DWORD flags);

/* Begins the next operation. Its routine runs in a later wait also if it is
 * done at once. */
static void go_on(struct conn *conn)
{
    int result;
    memset(&conn->overlapped, 0, sizeof(conn->overlapped));
    if (conn->sent < conn->size) {
        WSABUF rest = {conn->size - conn->sent, conn->buffer + conn->sent};
        result =
            WSASend(conn->sock, &rest, 1, NULL, 0, &conn->overlapped, on_sent);
    } else {
        WSABUF buffer = {sizeof(conn->buffer), conn->buffer};
        DWORD flags = 0;
        result = WSARecv(conn->sock, &buffer, 1, NULL, &flags,
            &conn->overlapped, on_received);
    }
    if (result != 0 && WSAGetLastError() != WSA_IO_PENDING) {
        leave(conn);
    }
}

static void CALLBACK on_received(
    DWORD error, DWORD size, LPWSAOVERLAPPED overlapped, DWORD flags)
{
    struct conn *conn = CONTAINING_RECORD(overlapped, struct conn, overlapped);
    (void)flags;
    if (error != 0 || size == 0 || model_stopping()) {
        leave(conn);
        return;
    }
    model_work(conn->delay);
    conn->sent = 0;
    conn->size = size;
    go_on(conn);
}

/* All is sent, or it has failed; but that is not documented. */
static void CALLBACK on_sent(
    DWORD error, DWORD size, LPWSAOVERLAPPED overlapped, DWORD flags)
{
    struct conn *conn = CONTAINING_RECORD(overlapped, struct conn, overlapped);
    (void)flags;
    if (error != 0 || model_stopping()) {
        leave(conn);
        return;
    }
    conn->sent += size;
    go_on(conn);
}

/* Takes the socket. False: there is no memory for it. */
static bool begin(SOCKET sock, unsigned delay)
{
    struct conn *conn = malloc(sizeof(*conn));
    if (conn == NULL) {
        (void)closesocket(sock);
        return false;
    }
    conn->sock = sock;
    conn->delay = delay;
    conn->sent = conn->size = 0;
    enter(conn);
    go_on(conn);
    return true;
}

/* It sets its event also if it is done at once. If it fails it is tried again
 * after a pause. */
static void begin_accept(void)
{
    HANDLE event = accepting.overlapped.hEvent;
    DWORD size;
    memset(&accepting.overlapped, 0, sizeof(accepting.overlapped));
    accepting.overlapped.hEvent = event;
    accepting.sock = WSASocketW(options.address.ss_family, SOCK_STREAM,
        IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED);
    if (accepting.sock != INVALID_SOCKET) {
        if (accepting.begin(listener, accepting.sock, accepting.addresses, 0,
                MODEL_ACCEPT_ADDRESS, MODEL_ACCEPT_ADDRESS, &size,
                &accepting.overlapped) ||
            WSAGetLastError() == WSA_IO_PENDING) {
            return;
        }
        (void)closesocket(accepting.sock);
        accepting.sock = INVALID_SOCKET;
    }
    model_pause_begin(&accepting.pause);
}

/* What AcceptEx() gives is no whole socket before it knows its listener. */
static void end_accept(void)
{
    SOCKET sock = accepting.sock;
    DWORD size;
    DWORD flags;
    accepting.sock = INVALID_SOCKET;
    if (!WSAGetOverlappedResult(
            listener, &accepting.overlapped, &size, FALSE, &flags) ||
        setsockopt(sock, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
            (const char *)&listener, sizeof(listener)) != 0) {
        (void)closesocket(sock); /* the peer has gone again */
        return;
    }
    model_nodelay(sock);
    if (!begin(sock, model_delay(&options))) {
        model_pause_begin(&accepting.pause);
    }
}

static void serve(void)
{
    const HANDLE events[] = {stop, accepting.overlapped.hEvent};
    while (!model_stopping()) {
        DWORD what;
        int ms = model_pause_timeout(&accepting.pause);
        if (accepting.sock == INVALID_SOCKET && ms < 0) {
            begin_accept();
            ms = model_pause_timeout(&accepting.pause);
        }
        what = WSAWaitForMultipleEvents(
            2, events, FALSE, ms < 0 ? INFINITE : (DWORD)ms, TRUE);
        if (what == WSA_WAIT_EVENT_0 + 1) {
            end_accept();
            (void)SleepEx(0, TRUE);
        }
        (void)model_pause_over(&accepting.pause);
    }
}

/* What is cancelled completes, too, and only then its memory is ours again. */
static void cancel_all(void)
{
    struct conn *conn;
    (void)closesocket(listener); /* cancels what accepts */
    if (accepting.sock != INVALID_SOCKET) {
        (void)WaitForSingleObject(accepting.overlapped.hEvent, INFINITE);
        (void)closesocket(accepting.sock);
    }
    for (conn = conns; conn != NULL; conn = conn->next) {
        (void)CancelIoEx((HANDLE)conn->sock, NULL); /* may be done already */
    }
    while (conns != NULL) {
        (void)SleepEx(INFINITE, TRUE);
    }
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
    stop = CreateEventW(NULL, FALSE, FALSE, NULL); /* both reset themselves */
    accepting.overlapped.hEvent = CreateEventW(NULL, FALSE, FALSE, NULL);
    accepting.begin = model_acceptex(listener);
    if (stop == NULL || accepting.overlapped.hEvent == NULL ||
        accepting.begin == NULL) {
        return model_fail("cannot begin", UV_ENOMEM);
    }
    model_on_stop(wake);
    model_announce(&options);
    serve();
    cancel_all();
    (void)CloseHandle(accepting.overlapped.hEvent);
    (void)CloseHandle(stop);
    return model_end();
}
