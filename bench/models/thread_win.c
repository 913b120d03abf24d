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
 * on it. _beginthreadex() and not CreateThread(), because the C library is used.
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
    SOCKET sock;
    unsigned delay;
    struct conn *next;
    struct conn **at; /* what points to it */
    char buffer[MODEL_BUFFER];
};

static SOCKET listener;
static SRWLOCK lock = SRWLOCK_INIT;
static struct conn *conns;                             /* by the lock */
static CONDITION_VARIABLE left = CONDITION_VARIABLE_INIT; /* one has */

static void wake(void)
{
    (void)closesocket(listener);
}

static void enter(struct conn *conn)
{
    AcquireSRWLockExclusive(&lock);
    conn->next = conns;
    conn->at = &conns;
    if (conns != NULL) {
        conns->at = &conn->next;
    }
    conns = conn;
    ReleaseSRWLockExclusive(&lock);
}

/* The socket is closed by the lock too: break_all() must not meet its number
 * when another has it. */
static void leave(struct conn *conn)
{
    AcquireSRWLockExclusive(&lock);
    *conn->at = conn->next;
    if (conn->next != NULL) {
        conn->next->at = conn->at;
    }
    (void)closesocket(conn->sock); /* sends what is left, then a FIN */
    free(conn);
    WakeConditionVariable(&left);
    ReleaseSRWLockExclusive(&lock);
}

/* A blocking socket takes all, unless something is wrong. Wine 8 takes a part
 * if the peer's end comes while it waits for room. */
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
    for (;;) {
        int size = recv(conn->sock, conn->buffer, sizeof(conn->buffer), 0);
        if (size <= 0) {
            break;
        }
        model_work(conn->delay);
        if (!send_all(conn->sock, conn->buffer, size)) {
            break;
        }
    }
    leave(conn);
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
    conn->sock = sock;
    conn->delay = delay;
    enter(conn);
    thread = _beginthreadex(
        NULL, STACK, serve, conn, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (thread == 0) {
        leave(conn);
        return false;
    }
    (void)CloseHandle((HANDLE)thread); /* it runs on */
    return true;
}

/* Only the main thread adds to the list. */
static void break_all(void)
{
    struct conn *conn;
    AcquireSRWLockExclusive(&lock);
    for (conn = conns; conn != NULL; conn = conn->next) {
        model_break(conn->sock);
    }
    while (conns != NULL) {
        (void)SleepConditionVariableSRW(&left, &lock, INFINITE, 0);
    }
    ReleaseSRWLockExclusive(&lock);
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
        bool again = true;
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
    break_all();
    return model_end();
}
