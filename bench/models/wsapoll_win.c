/* SPDX-License-Identifier: MIT */
/*
 * WSAPoll on one thread: as select, but the system is given one array, which
 * the program keeps from call to call, with what is wanted of each socket and
 * room for what there is.
 *
 * Serves well: tens to hundreds of connections; there is no limit to their
 * number, and code that uses poll() elsewhere runs with it. Ends: where many
 * are open and few busy, for each call looks through all of them, here and in
 * the system; and with a handler that blocks, for which everybody waits.
 *
 * It tells POLLHUP, also unasked, of a connection that was "disconnected or
 * aborted", and the peer's FIN is enough for that (under Wine 8, too), while
 * for poll() both directions must be over: who waits for room to send to a peer
 * that has half-closed would never sleep. Such a connection is left out (a
 * negative socket is passed over) and tried every RETRY_MS.
 */
#include "model_win.h"

#include <stdlib.h>

enum { RETRY_MS = 10 };

static const struct model model = {
    .name = "model_wsapoll",
    .summary = "An echo server on one thread that waits with WSAPoll.",
};

struct conn {
    SOCKET sock;
    unsigned delay;
    struct model_rest rest;
};

/* Entries of both belong together, but for the first two sockets. */
enum { LISTENER, BELL, FIRST };
static WSAPOLLFD *polled;
static struct conn *conns;
static unsigned count = FIRST;
static unsigned room;
static unsigned left_out;
static struct model_pause pause_of_accept;
static SOCKET bell; /* rings when it is to stop */

static void wake(void)
{
    model_ring(bell);
}

static bool make_room(void)
{
    unsigned more = room == 0 ? 64 : room * 2;
    WSAPOLLFD *new_polled;
    struct conn *new_conns;
    if (count < room) {
        return true;
    }
    new_polled = realloc(polled, more * sizeof(*polled));
    if (new_polled == NULL) {
        return false;
    }
    polled = new_polled;
    new_conns = realloc(conns, more * sizeof(*conns));
    if (new_conns == NULL) {
        return false;
    }
    conns = new_conns;
    room = more;
    return true;
}

/* Takes the socket, which does not block: it has that from its listener. False:
 * there is no memory for it. */
static bool enter(SOCKET sock, unsigned delay)
{
    const struct conn conn = {.sock = sock, .delay = delay};
    const WSAPOLLFD entry = {.fd = sock, .events = POLLRDNORM};
    if (!make_room()) {
        (void)closesocket(sock);
        return false;
    }
    conns[count] = conn;
    polled[count++] = entry;
    return true;
}

/* Waits for room to send, or, with 0, for the next time to try. */
static void want(unsigned i, short events)
{
    left_out -= polled[i].events == 0;
    left_out += events == 0;
    polled[i].fd = events == 0 ? INVALID_SOCKET : conns[i].sock;
    polled[i].events = events;
}

/* The last one takes its place. */
static void leave(unsigned i)
{
    want(i, POLLRDNORM);
    (void)closesocket(conns[i].sock); /* sends what is left, then a FIN */
    free(conns[i].rest.bytes);
    count--;
    conns[i] = conns[count];
    polled[i] = polled[count];
}

/* Returns false if the connection is over: at the peer's end nothing is owed, or
 * it would not have been received. */
static bool on_readable(unsigned i)
{
    static char buffer[MODEL_BUFFER];
    struct conn *conn = &conns[i];
    int size = recv(conn->sock, buffer, sizeof(buffer), 0);
    if (size == SOCKET_ERROR) {
        return WSAGetLastError() == WSAEWOULDBLOCK;
    }
    if (size == 0) {
        return false;
    }
    model_work(conn->delay);
    if (!model_write(conn->sock, buffer, (size_t)size, &conn->rest)) {
        return false;
    }
    if (conn->rest.bytes != NULL) {
        want(i, POLLWRNORM);
    }
    return true;
}

static bool on_writable(unsigned i)
{
    struct conn *conn = &conns[i];
    size_t begin = conn->rest.begin;
    if (!model_write_rest(conn->sock, &conn->rest)) {
        return false;
    }
    if (conn->rest.bytes == NULL) {
        want(i, POLLRDNORM);
    } else if (conn->rest.begin == begin &&
               (polled[i].revents & POLLHUP) != 0) {
        want(i, 0);
    }
    return true;
}

/* All who wait. */
static void accept_all(SOCKET listener, const struct model_options *options)
{
    for (;;) {
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

/* The listener is the first, so that it is easily left out. */
static int wait_ready(void)
{
    int ms = model_pause_timeout(&pause_of_accept);
    unsigned from = ms < 0 ? LISTENER : BELL;
    polled[LISTENER].revents = 0;
    if (left_out > 0 && (ms < 0 || ms > RETRY_MS)) {
        ms = RETRY_MS;
    }
    return WSAPoll(polled + from, count - from, ms);
}

/* From the last one on, whose place may be taken by none that is still to come.
 * A hang-up is told by the call that meets it. */
static int serve(SOCKET listener, const struct model_options *options)
{
    while (!model_stopping()) {
        unsigned i;
        if (wait_ready() == SOCKET_ERROR) {
            return model_fail_wsa("WSAPoll");
        }
        for (i = count; i-- > FIRST;) {
            bool over = false;
            if (conns[i].rest.bytes != NULL) {
                over = (polled[i].revents != 0 || polled[i].events == 0) &&
                       !on_writable(i);
            } else if (polled[i].revents != 0) {
                over = !on_readable(i);
            }
            if (over) {
                leave(i);
            }
        }
        if (model_pause_over(&pause_of_accept) ||
            polled[LISTENER].revents != 0) {
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
    if (!make_room()) {
        return model_fail("cannot begin", UV_ENOMEM);
    }
    polled[LISTENER] = (WSAPOLLFD){.fd = listener, .events = POLLRDNORM};
    polled[BELL] = (WSAPOLLFD){.fd = bell, .events = POLLRDNORM};
    model_on_stop(wake);
    model_announce(&options);
    status = serve(listener, &options);
    while (count > FIRST) {
        leave(count - 1);
    }
    free(polled);
    free(conns);
    (void)closesocket(bell);
    (void)closesocket(listener);
    return status == TLR_CLI_STATUS_OK ? model_end() : status;
}
