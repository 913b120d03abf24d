/* SPDX-License-Identifier: MIT */
/*
 * One thread, overlapped I/O with completion routines, and AcceptEx(): accepting
 * is an overlapped operation like the others. It sets an event, and the one wait
 * of the thread is both for events and alertable, so that whatever happens first
 * ends it. This is overlapped_alertable_win.c without its fault: nothing waits
 * for a period, and an idle program sleeps.
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

/* The operation that accepts. */
struct acceptor {
    OVERLAPPED overlapped; /* with an event of its own */
    SOCKET listener;
    SOCKET sock; /* for who comes next; INVALID_SOCKET: none is under way */
    LPFN_ACCEPTEX accept_ex;
    const struct model_options *options;
    struct model_pause pause;
    char addresses[2 * MODEL_ACCEPT_ADDRESS];
};

static struct conn *conns;
static HANDLE stop;

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

/* The routine runs later also if the operation is done at once. */
static void receive(struct conn *conn)
{
    WSABUF buffer = {sizeof(conn->buffer), conn->buffer};
    DWORD flags = 0;
    memset(&conn->overlapped, 0, sizeof(conn->overlapped));
    if (model_stopping() ||
        (WSARecv(conn->sock, &buffer, 1, NULL, &flags, &conn->overlapped,
             on_received) != 0 &&
            WSAGetLastError() != WSA_IO_PENDING)) {
        leave(conn);
    }
}

static void send_rest(struct conn *conn)
{
    WSABUF buffer = {conn->size - conn->sent, conn->buffer + conn->sent};
    memset(&conn->overlapped, 0, sizeof(conn->overlapped));
    if (model_stopping() ||
        (WSASend(conn->sock, &buffer, 1, NULL, 0, &conn->overlapped, on_sent) !=
                0 &&
            WSAGetLastError() != WSA_IO_PENDING)) {
        leave(conn);
    }
}

static void CALLBACK on_received(
    DWORD error, DWORD size, LPWSAOVERLAPPED overlapped, DWORD flags)
{
    struct conn *conn = CONTAINING_RECORD(overlapped, struct conn, overlapped);
    (void)flags;
    if (error != 0 || size == 0) {
        leave(conn);
        return;
    }
    model_work(conn->delay);
    conn->sent = 0;
    conn->size = size;
    send_rest(conn);
}

/* Windows sends all or fails. Wine 8 sends a part if the peer's end comes while
 * it waits for room. */
static void CALLBACK on_sent(
    DWORD error, DWORD size, LPWSAOVERLAPPED overlapped, DWORD flags)
{
    struct conn *conn = CONTAINING_RECORD(overlapped, struct conn, overlapped);
    (void)flags;
    if (error != 0) {
        leave(conn);
        return;
    }
    conn->sent += size;
    if (conn->sent < conn->size) {
        send_rest(conn);
    } else {
        receive(conn);
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
    conn->sock = sock;
    conn->delay = delay;
    enter(conn);
    receive(conn);
    return true;
}

/* Begins, or tries again after a pause. It sets its event also if it is done at
 * once. An error of a peer that has gone again is as good as another. */
static void begin_accept(struct acceptor *acceptor)
{
    int family = acceptor->options->address.ss_family;
    HANDLE event = acceptor->overlapped.hEvent;
    DWORD size;
    memset(&acceptor->overlapped, 0, sizeof(acceptor->overlapped));
    acceptor->overlapped.hEvent = event;
    acceptor->sock = WSASocketW(
        family, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED);
    if (acceptor->sock == INVALID_SOCKET) {
        model_pause_begin(&acceptor->pause);
        return;
    }
    if (!acceptor->accept_ex(acceptor->listener, acceptor->sock,
            acceptor->addresses, 0, MODEL_ACCEPT_ADDRESS, MODEL_ACCEPT_ADDRESS,
            &size, &acceptor->overlapped) &&
        WSAGetLastError() != WSA_IO_PENDING) {
        (void)closesocket(acceptor->sock);
        acceptor->sock = INVALID_SOCKET;
        model_pause_begin(&acceptor->pause);
    }
}

/* What AcceptEx() gives is no whole socket before it knows its listener. */
static void end_accept(struct acceptor *acceptor)
{
    SOCKET sock = acceptor->sock;
    DWORD size;
    DWORD flags;
    acceptor->sock = INVALID_SOCKET;
    if (!WSAGetOverlappedResult(acceptor->listener, &acceptor->overlapped,
            &size, FALSE, &flags) ||
        setsockopt(sock, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
            (const char *)&acceptor->listener,
            sizeof(acceptor->listener)) != 0) {
        (void)closesocket(sock); /* the peer has gone again */
        return;
    }
    model_nodelay(sock);
    if (!begin(sock, model_delay(acceptor->options))) {
        model_pause_begin(&acceptor->pause);
    }
}

/* Until the event that wake() sets: it needs that no more then. */
static void serve(struct acceptor *acceptor)
{
    const HANDLE events[] = {stop, acceptor->overlapped.hEvent};
    DWORD what;
    do {
        int ms;
        if (acceptor->sock == INVALID_SOCKET &&
            model_pause_timeout(&acceptor->pause) < 0) {
            begin_accept(acceptor);
        }
        ms = model_pause_timeout(&acceptor->pause);
        what = WSAWaitForMultipleEvents(
            2, events, FALSE, ms < 0 ? INFINITE : (DWORD)ms, TRUE);
        if (what == WSA_WAIT_EVENT_0 + 1) {
            end_accept(acceptor);
            (void)SleepEx(0, TRUE);
        }
        (void)model_pause_over(&acceptor->pause);
    } while (what != WSA_WAIT_EVENT_0);
}

/* What is cancelled completes, too, and only then its memory is ours again. */
static void cancel_all(struct acceptor *acceptor)
{
    struct conn *conn;
    (void)closesocket(acceptor->listener); /* cancels its operation */
    if (acceptor->sock != INVALID_SOCKET) {
        (void)WaitForSingleObject(acceptor->overlapped.hEvent, INFINITE);
        (void)closesocket(acceptor->sock);
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
    struct model_options options;
    struct acceptor acceptor = {
        .sock = INVALID_SOCKET,
        .options = &options,
    };
    int status;
    if (!model_begin(&model, argc, argv, &options, &status)) {
        return status;
    }
    if (!model_listen(&options, 0, &acceptor.listener)) {
        return TLR_CLI_STATUS_FAILURE;
    }
    acceptor.accept_ex = model_acceptex(acceptor.listener);
    /* Both reset themselves. */
    acceptor.overlapped.hEvent = CreateEventW(NULL, FALSE, FALSE, NULL);
    stop = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (acceptor.accept_ex == NULL || acceptor.overlapped.hEvent == NULL ||
        stop == NULL) {
        return model_fail("cannot begin", UV_ENOMEM);
    }
    model_on_stop(wake);
    model_announce(&options);
    serve(&acceptor);
    cancel_all(&acceptor);
    (void)CloseHandle(acceptor.overlapped.hEvent);
    (void)CloseHandle(stop);
    return model_end();
}
