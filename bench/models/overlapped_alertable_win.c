/* SPDX-License-Identifier: MIT */
/*
 * One thread, overlapped I/O with completion routines, and a listener that does
 * not block. WSARecv() and WSASend() begin an operation and name a routine; the
 * system queues it to this thread when the operation is done, and runs it when
 * the thread is in an alertable wait, which is SleepEx() here. Between two
 * waits the thread looks whether somebody wants to connect.
 *
 * Serves well: many connections that talk all the time, on one thread, without
 * locks; nothing of it grows with the connections that are silent but memory.
 *
 * Ends: at its known fault, that accepting and serving wait for each other.
 * accept() is no overlapped operation, so no completion ends the sleep when
 * somebody connects: where nobody talks, a newcomer waits for the rest of
 * PERIOD_MS. While accept() is busy, no routine runs. A shorter period lets
 * newcomers in sooner and wakes an idle program more often (and Windows rounds
 * it up to its clock's tick, 15.6 ms unless somebody has asked for less): there
 * is no right value. See overlapped_acceptex_win.c for the way out. A handler
 * that blocks holds up everybody, and a second processor is of no use.
 */
#include "model_win.h"

#include <stdlib.h>
#include <string.h>

#include "core/list.h"

enum { PERIOD_MS = 10 };

static const struct model model = {
    .name = "model_overlapped_alertable",
    .summary = "An echo server on one thread with completion routines, that "
               "accepts between two alertable waits.",
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

static struct tlr_list conns = {&conns, &conns};

/* Within PERIOD_MS it is seen anyhow. */
static void wake(void)
{
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

/* One at a time, so that whoever waits for a routine waits for one accept() at
 * most. Returns how long to sleep then. */
static DWORD accept_one(SOCKET listener, const struct model_options *options)
{
    static struct model_pause pause;
    SOCKET sock;
    if (model_pause_timeout(&pause) > 0 && !model_pause_over(&pause)) {
        return PERIOD_MS;
    }
    sock = accept(listener, NULL, NULL);
    if (sock != INVALID_SOCKET) {
        model_nodelay(sock);
        if (begin(sock, model_delay(options))) {
            return 0; /* there may be another one */
        }
    } else if (WSAGetLastError() == WSAEWOULDBLOCK) {
        return PERIOD_MS;
    } else if (model_accept_again(WSAGetLastError())) {
        return 0;
    }
    model_pause_begin(&pause);
    return PERIOD_MS;
}

/* What is cancelled completes, too, and only then its memory is ours again. */
static void cancel_all(void)
{
    struct tlr_list *link;
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
    struct model_options options;
    SOCKET listener;
    int status;
    if (!model_begin(&model, argc, argv, &options, &status)) {
        return status;
    }
    if (!model_listen(&options, MODEL_NONBLOCKING, &listener)) {
        return TLR_CLI_STATUS_FAILURE;
    }
    model_on_stop(wake);
    model_announce(&options);
    while (!model_stopping()) {
        DWORD ms = accept_one(listener, &options);
        (void)SleepEx(ms, TRUE);
    }
    (void)closesocket(listener);
    cancel_all();
    return model_end();
}
