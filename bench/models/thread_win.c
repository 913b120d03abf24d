/* SPDX-License-Identifier: MIT */
/*
 * A thread for each connection: it blocks in recv() and send() and knows of
 * nobody else. The main thread accepts.
 *
 * Serves well: tens to hundreds of connections whose handlers take their time,
 * for a slow one holds up nobody; and whoever wants to write straight on. Ends:
 * where threads are many. Each costs a stack and its kernel part, and each
 * message a switch of threads; a session that is one exchange pays more for the
 * thread than for the exchange.
 *
 * The stack is reserved small (STACK_SIZE_PARAM_IS_A_RESERVATION: else the size
 * is what is committed at once, of a megabyte reserved), for the buffer is not
 * on it. _beginthreadex() and not CreateThread(), because the C library is
 * used.
 */
#include "model_win.h"

#include <process.h>
#include <stdlib.h>

enum { STACK = 131072 };

static const struct model model = {
    .name = "model_thread",
    .summary = "An echo server with a thread for each connection.",
};

struct conn {
    struct model_conn base;
    char buffer[MODEL_BUFFER];
};

static SOCKET listener;

static void wake(void)
{
    (void)closesocket(listener);
}

/* A blocking socket takes all, unless something is wrong; but send() is not
 * documented to do so. */
static bool send_all(SOCKET sock, const char *bytes, int size)
{
    while (size > 0) {
        int sent = send(sock, bytes, size, 0);
        if (sent == SOCKET_ERROR) {
            return false;
        }
        bytes += sent;
        size -= sent;
    }
    return true;
}

static unsigned __stdcall serve(void *arg)
{
    struct conn *conn = arg;
    SOCKET sock = conn->base.sock;
    for (;;) {
        int size = recv(sock, conn->buffer, sizeof(conn->buffer), 0);
        if (size <= 0) {
            break;
        }
        model_work(conn->base.delay);
        if (!send_all(sock, conn->buffer, size)) {
            break;
        }
    }
    model_leave(&conn->base);
    return 0;
}

/* Takes the socket. False: there is no memory for it, or no thread. */
static bool begin(SOCKET sock, unsigned delay)
{
    struct conn *conn = malloc(sizeof(*conn));
    uintptr_t thread;
    if (conn == NULL) {
        (void)closesocket(sock);
        return false;
    }
    conn->base.sock = sock;
    conn->base.delay = delay;
    model_enter(&conn->base);
    thread = _beginthreadex(
        NULL, STACK, serve, conn, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (thread == 0) {
        model_leave(&conn->base);
        return false;
    }
    (void)CloseHandle((HANDLE)thread); /* it runs on */
    return true;
}

int main(int argc, char **argv)
{
    struct model_options options;
    int status;
    if (!model_begin(&model, argc, argv, &options, &status)) {
        return status;
    }
    if (!model_listen(&options, 0, &listener)) {
        return TLR_CLI_STATUS_FAILURE;
    }
    model_on_stop(wake);
    model_announce(&options);
    while (!model_stopping()) {
        SOCKET sock = accept(listener, NULL, NULL);
        bool again;
        if (sock != INVALID_SOCKET) {
            model_nodelay(sock);
            again = begin(sock, model_delay(&options));
        } else {
            again = model_accept_again(WSAGetLastError());
        }
        if (!again && !model_stopping()) {
            Sleep(MODEL_PAUSE_MS);
        }
    }
    model_break_all();
    return model_end();
}
