/* SPDX-License-Identifier: MIT */
/*
 * select on one thread: the system is asked which of all the sockets are ready,
 * and these are served, without blocking, one after the other.
 *
 * Serves well: tens of connections, and code that is to run everywhere; no
 * thread waits for another, and nothing has to be locked. Ends: where many are
 * open and few busy, for each call copies and looks through all of them, here
 * and in the system; with a handler that blocks, for which everybody waits; and
 * at FD_SETSIZE.
 *
 * An fd_set of Windows is no set of bits but an array of sockets with a count.
 * So FD_SETSIZE, which is 64, may be defined as any number, and FD_SET() and
 * FD_ISSET() look through the array: the sets are filled directly here, and who
 * is ready is taken from them in turn, with a table to find its connection.
 */
#define FD_SETSIZE 16384

#include "model_win.h"

#include <stdlib.h>

enum {
    BUCKETS = 4096,
    CONNS_MOST = FD_SETSIZE - 2, /* the listener and the bell are there, too */
    LOOK_MS = 500
};

static const struct model model = {
    .name = "model_select",
    .summary = "An echo server on one thread that waits with select.",
};

struct conn {
    SOCKET sock;
    unsigned delay;
    unsigned index; /* in conns */
    struct model_rest rest;
    struct conn *next; /* in its bucket */
};

static struct conn *conns[CONNS_MOST];
static unsigned count;
static struct conn *buckets[BUCKETS];
static struct model_pause pause_of_accept;
static SOCKET bell; /* rings when it is to stop */

static void wake(void)
{
    model_ring(bell);
}

/* Where a socket is, or its place behind all others. Handles are multiples of
 * four. */
static struct conn **find(SOCKET sock)
{
    struct conn **at = &buckets[sock / 4 % BUCKETS];
    while (*at != NULL && (*at)->sock != sock) {
        at = &(*at)->next;
    }
    return at;
}

/* Takes the socket, which does not block: it has that from its listener. False:
 * there is no memory for it. */
static bool enter(SOCKET sock, unsigned delay)
{
    struct conn *conn = calloc(1, sizeof(*conn));
    if (conn == NULL) {
        (void)closesocket(sock);
        return false;
    }
    conn->sock = sock;
    conn->delay = delay;
    conn->index = count;
    conns[count++] = conn;
    *find(sock) = conn;
    return true;
}

static void leave(struct conn *conn)
{
    *find(conn->sock) = conn->next;
    conns[conn->index] = conns[--count];
    conns[conn->index]->index = conn->index;
    (void)closesocket(conn->sock); /* sends what is left, then a FIN */
    free(conn->rest.bytes);
    free(conn);
}

/* Returns false if the connection is over: at the peer's end nothing is owed, or
 * it would not have been received. */
static bool on_readable(struct conn *conn)
{
    static char buffer[MODEL_BUFFER];
    int size = recv(conn->sock, buffer, sizeof(buffer), 0);
    if (size == SOCKET_ERROR) {
        return WSAGetLastError() == WSAEWOULDBLOCK;
    }
    if (size == 0) {
        return false;
    }
    model_work(conn->delay);
    return model_write(conn->sock, buffer, (size_t)size, &conn->rest);
}

/* All who wait, as long as there is room in the sets. */
static void accept_all(SOCKET listener, const struct model_options *options)
{
    while (count < CONNS_MOST) {
        SOCKET sock = accept(listener, NULL, NULL);
        if (sock != INVALID_SOCKET) {
            model_nodelay(sock);
            if (enter(sock, model_delay(options))) {
                continue;
            }
        } else if (WSAGetLastError() == WSAEWOULDBLOCK) {
            return;
        } else if (model_accept_again(WSAGetLastError())) {
            continue;
        }
        model_pause_begin(&pause_of_accept);
        return;
    }
}

/* The listener, if it is there, is the second of those to read. */
static int wait_ready(SOCKET listener, fd_set *readable, fd_set *writable)
{
    int ms = model_pause_timeout(&pause_of_accept);
    struct timeval timeout = {0, 0};
    unsigned i;
    writable->fd_count = 0;
    readable->fd_count = 0;
    readable->fd_array[readable->fd_count++] = bell;
    if (ms < 0 && count < CONNS_MOST) {
        readable->fd_array[readable->fd_count++] = listener;
    }
    for (i = 0; i < count; i++) {
        fd_set *set = conns[i]->rest.bytes == NULL ? readable : writable;
        set->fd_array[set->fd_count++] = conns[i]->sock;
    }
    if (ms < 0 && writable->fd_count > 0) {
        ms = LOOK_MS;
    }
    timeout.tv_usec = ms * 1000;
    return select(0, readable, writable, NULL, ms < 0 ? NULL : &timeout);
}

/* A reset is documented to make a socket readable, and nothing is said of
 * writable: who waits for room is tried uncalled now and then. */
static void look_at_waiting(void)
{
    static ULONGLONG looked;
    ULONGLONG now = GetTickCount64();
    unsigned i;
    if (now - looked < LOOK_MS) {
        return;
    }
    looked = now;
    for (i = count; i-- > 0;) { /* the last one takes the place of who leaves */
        if (conns[i]->rest.bytes != NULL &&
            !model_write_rest(conns[i]->sock, &conns[i]->rest)) {
            leave(conns[i]);
        }
    }
}

/* Newcomers come last: they may have numbers of those who have just left. */
static int serve(SOCKET listener, const struct model_options *options)
{
    static fd_set readable;
    static fd_set writable;
    while (!model_stopping()) {
        bool newcomers = false;
        u_int i;
        if (wait_ready(listener, &readable, &writable) == SOCKET_ERROR) {
            return model_fail_wsa("select");
        }
        for (i = 0; i < readable.fd_count; i++) {
            SOCKET sock = readable.fd_array[i];
            if (sock == listener) {
                newcomers = true;
            } else if (sock != bell && !on_readable(*find(sock))) {
                leave(*find(sock));
            }
        }
        for (i = 0; i < writable.fd_count; i++) {
            struct conn *conn = *find(writable.fd_array[i]);
            if (!model_write_rest(conn->sock, &conn->rest)) {
                leave(conn);
            }
        }
        look_at_waiting();
        if (model_pause_over(&pause_of_accept) || newcomers) {
            accept_all(listener, options);
        }
    }
    return TLR_CLI_STATUS_OK;
}

int main(int argc, char **argv)
{
    struct model_options options;
    SOCKET listener;
    int status;
    if (!model_begin(&model, argc, argv, &options, &status)) {
        return status;
    }
    if (!model_listen(&options, MODEL_NONBLOCKING, &listener) ||
        !model_bell_create(&bell)) {
        return TLR_CLI_STATUS_FAILURE;
    }
    model_on_stop(wake);
    model_announce(&options);
    status = serve(listener, &options);
    while (count > 0) {
        leave(conns[count - 1]);
    }
    (void)closesocket(bell);
    (void)closesocket(listener);
    return status == TLR_CLI_STATUS_OK ? model_end() : status;
}
