/* SPDX-License-Identifier: MIT */
/*
 * An accept thread and one I/O thread: the main thread blocks in accept() and
 * hands each connection to the other, which sleeps alertably and does all I/O
 * by overlapped operations with completion routines. The hand-over is a routine
 * as well: QueueUserAPC() has the I/O thread run it in its sleep, so that there
 * is no queue, no lock and no event of our own.
 *
 * Serves well: many connections, without locks, and newcomers are let in while
 * others are served (see overlapped_alertable_win.c for the opposite). Ends:
 * where sessions are short, for each connection is handed over between two
 * threads; with a handler that blocks, which holds up all connections but not
 * accepting; and at one processor, for accepting leaves the second one idle.
 */
#include "model_win.h"

#include <process.h>
#include <stdlib.h>
#include <string.h>

#include "core/list.h"

static const struct model model = {
    .name = "model_accept_and_io",
    .summary = "An echo server with one thread that accepts, and one with "
               "completion routines that serves.",
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

static SOCKET listener;
static struct tlr_list conns = {&conns, &conns}; /* the I/O thread's */
static bool ending;        /* likewise */

static void wake(void)
{
    (void)closesocket(listener);
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

/* ---- what the main thread has the I/O thread run ---- */

/* An operation is cancelled when the thread that began it ends: so the first
 * one, too, is begun by who stays. */
static void CALLBACK take(ULONG_PTR arg)
{
    struct conn *conn = (struct conn *)arg;
    tlr_list_append(&conns, &conn->link);
    go_on(conn);
}

/* What is cancelled completes, too, and only then its memory is ours again. */
static void CALLBACK cancel_all(ULONG_PTR arg)
{
    struct tlr_list *link;
    (void)arg;
    ending = true;
    for (link = conns.next; link != &conns; link = link->next) {
        struct conn *conn = TLR_CONTAINER_OF(link, struct conn, link);
        (void)CancelIoEx((HANDLE)conn->sock, NULL); /* may be done already */
    }
}

static unsigned __stdcall run(void *arg)
{
    (void)arg;
    while (!ending || !tlr_list_empty(&conns)) {
        (void)SleepEx(INFINITE, TRUE);
    }
    return 0;
}

/* ---- the main thread ---- */

/* Takes the socket. False: there is no memory for it. */
static bool hand_over(HANDLE thread, SOCKET sock, unsigned delay)
{
    struct conn *conn = malloc(sizeof(*conn));
    if (conn != NULL) {
        conn->sock = sock;
        conn->delay = delay;
        conn->sent = conn->size = 0;
        if (QueueUserAPC(take, thread, (ULONG_PTR)conn) != 0) {
            return true;
        }
    }
    free(conn);
    (void)closesocket(sock);
    return false;
}

static void accept_all(HANDLE thread, const struct model_options *options)
{
    while (!model_stopping()) {
        SOCKET sock = accept(listener, NULL, NULL);
        bool again;
        if (sock != INVALID_SOCKET) {
            model_nodelay(sock);
            again = hand_over(thread, sock, model_delay(options));
        } else {
            again = model_accept_again(WSAGetLastError());
        }
        if (!again && !model_stopping()) {
            Sleep(MODEL_PAUSE_MS);
        }
    }
}

int main(int argc, char **argv)
{
    struct model_options options;
    HANDLE thread;
    int status;
    if (!model_begin(&model, argc, argv, &options, &status)) {
        return status;
    }
    if (!model_listen(&options, 0, &listener)) {
        return TLR_CLI_STATUS_FAILURE;
    }
    thread = (HANDLE)_beginthreadex(NULL, 0, run, NULL, 0, NULL);
    if (thread == NULL) {
        return model_fail("cannot start a thread", UV_EAGAIN);
    }
    model_on_stop(wake);
    model_announce(&options);
    accept_all(thread, &options);
    /* Routines run in the order in which they were queued. */
    while (QueueUserAPC(cancel_all, thread, 0) == 0) {
        Sleep(MODEL_PAUSE_MS); /* there is no memory */
    }
    (void)WaitForSingleObject(thread, INFINITE);
    (void)CloseHandle(thread);
    return model_end();
}
