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

#include "core/list.h"

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
    struct tlr_list link; /* in `conns` */
    char buffer[MODEL_BUFFER];
};

static struct model_options options;
static struct tlr_list conns = {&conns, &conns};
static SOCKET listener;
static HANDLE stop; /* an event */

static struct model_accept accepting; /* it has an event of its own */
static bool under_way;
static struct model_pause pause_of_accept; /* if it cannot begin */

static void wake(void)
{
    (void)SetEvent(stop);
}

/* No operation is under way: the system writes to the memory of one that is. */
static void leave(struct conn *conn)
{
    tlr_list_remove(&conn->link);
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
    tlr_list_append(&conns, &conn->link);
    go_on(conn);
    return true;
}

static void begin_accept(void)
{
    under_way = model_accept_begin(listener, &accepting);
    if (!under_way) {
        model_pause_begin(&pause_of_accept);
    }
}

static void end_accept(void)
{
    DWORD size;
    DWORD flags;
    SOCKET sock = model_accept_end(listener, accepting.sock,
        WSAGetOverlappedResult(
            listener, &accepting.overlapped, &size, FALSE, &flags));
    under_way = false;
    if (sock != INVALID_SOCKET && !begin(sock, model_delay(&options))) {
        model_pause_begin(&pause_of_accept);
    }
}

static void serve(void)
{
    const HANDLE events[] = {stop, accepting.overlapped.hEvent};
    while (!model_stopping()) {
        DWORD what;
        int ms = model_pause_timeout(&pause_of_accept);
        if (!under_way && ms < 0) {
            begin_accept();
            ms = model_pause_timeout(&pause_of_accept);
        }
        what = WSAWaitForMultipleEvents(
            2, events, FALSE, ms < 0 ? INFINITE : (DWORD)ms, TRUE);
        if (what == WSA_WAIT_EVENT_0 + 1) {
            end_accept();
            (void)SleepEx(0, TRUE);
        }
        (void)model_pause_over(&pause_of_accept);
    }
}

/* What is cancelled completes, too, and only then its memory is ours again. */
static void cancel_all(void)
{
    struct tlr_list *link;
    (void)closesocket(listener); /* cancels what accepts */
    if (under_way) {
        (void)WaitForSingleObject(accepting.overlapped.hEvent, INFINITE);
        (void)closesocket(accepting.sock);
    }
    for (link = conns.next; link != &conns; link = link->next) {
        struct conn *conn = TLR_CONTAINER_OF(link, struct conn, link);
        (void)CancelIoEx((HANDLE)conn->sock, NULL); /* may be done already */
    }
    while (!tlr_list_empty(&conns)) {
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
    if (stop == NULL || accepting.overlapped.hEvent == NULL ||
        !model_accept_init(listener, options.address.ss_family)) {
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
