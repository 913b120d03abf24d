/* SPDX-License-Identifier: MIT */
#include "model_win.h"

#include <process.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if !defined(WSA_FLAG_NO_HANDLE_INHERIT)
#define WSA_FLAG_NO_HANDLE_INHERIT 0x80
#endif

int model_fail_wsa(const char *what)
{
    return model_fail(what, uv_translate_sys_error(WSAGetLastError()));
}

/* ---- listening ---- */

static void end_winsock(void)
{
    (void)WSACleanup(); /* nothing is left to be done about it */
}

static bool begin_winsock(void)
{
    WSADATA data;
    int err = WSAStartup(MAKEWORD(2, 2), &data);
    if (err != 0) {
        (void)model_fail("cannot start Winsock", uv_translate_sys_error(err));
        return false;
    }
    return atexit(end_winsock) == 0;
}

/* SO_REUSEADDR would let another program take the port over: here the opposite
 * is wanted, and a port is free again at once without it. */
static bool set_options(SOCKET sock, unsigned flags)
{
    BOOL on = TRUE;
    u_long non_blocking = (flags & MODEL_NONBLOCKING) != 0;
    return setsockopt(sock, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&on,
               sizeof(on)) == 0 &&
           ioctlsocket(sock, FIONBIO, &non_blocking) == 0;
}

bool model_listen(
    struct model_options *options, unsigned flags, uv_os_sock_t *listener)
{
    struct sockaddr *address = (struct sockaddr *)&options->address;
    int length = address->sa_family == AF_INET6
                     ? (int)sizeof(struct sockaddr_in6)
                     : (int)sizeof(struct sockaddr_in);
    SOCKET sock;
    if ((flags & MODEL_SHARED) != 0) {
        (void)model_fail("cannot share a listener", UV_ENOTSUP);
        return false;
    }
    if (!begin_winsock()) {
        return false;
    }
    sock = WSASocketW(address->sa_family, SOCK_STREAM, IPPROTO_TCP, NULL, 0,
        WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (sock != INVALID_SOCKET && set_options(sock, flags) &&
        bind(sock, address, length) == 0 && listen(sock, MODEL_BACKLOG) == 0 &&
        getsockname(sock, address, &length) == 0) {
        *listener = sock;
        return true;
    }
    (void)model_fail_wsa("cannot listen");
    if (sock != INVALID_SOCKET) {
        (void)closesocket(sock);
    }
    return false;
}

/* A new connection that its peer has reset is told here. WSAENETDOWN is no
 * peer's doing: it may stay for long. */
bool model_accept_again(int error)
{
    return error == WSAECONNRESET || error == WSAECONNABORTED;
}

/* ---- connections ---- */

void model_nodelay(SOCKET sock)
{
    BOOL on = TRUE;
    /* It fails if the peer has gone: the next call tells. */
    (void)setsockopt(
        sock, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof(on));
}

/* The first is for calls to come, the second for those that wait: in this order
 * none falls between. Each fails where there is nothing to do for it. */
void model_break(SOCKET sock)
{
    (void)shutdown(sock, SD_BOTH);
    (void)CancelIoEx((HANDLE)sock, NULL);
}

static SRWLOCK lock = SRWLOCK_INIT;
static struct model_conn *conns; /* by the lock */
static volatile LONG live; /* are there, or still leaving */
static CONDITION_VARIABLE left = CONDITION_VARIABLE_INIT;

/* Either model_break_all() still comes and finds it, or it comes too late. */
void model_enter(struct model_conn *conn)
{
    (void)InterlockedIncrement(&live);
    AcquireSRWLockExclusive(&lock);
    conn->next = conns;
    conn->at = &conns;
    if (conns != NULL) {
        conns->at = &conn->next;
    }
    conns = conn;
    if (model_stopping()) {
        model_break(conn->sock);
    }
    ReleaseSRWLockExclusive(&lock);
}

/* Out of the list first: model_break_all() must not meet the number of a socket
 * that another one may have by then. */
void model_leave(struct model_conn *conn)
{
    AcquireSRWLockExclusive(&lock);
    *conn->at = conn->next;
    if (conn->next != NULL) {
        conn->next->at = conn->at;
    }
    ReleaseSRWLockExclusive(&lock);
    (void)closesocket(conn->sock);
    free(conn);
    if (InterlockedDecrement(&live) == 0 && model_stopping()) {
        AcquireSRWLockExclusive(&lock); /* not before it sleeps */
        WakeConditionVariable(&left);
        ReleaseSRWLockExclusive(&lock);
    }
}

void model_break_all(void)
{
    struct model_conn *conn;
    AcquireSRWLockExclusive(&lock);
    for (conn = conns; conn != NULL; conn = conn->next) {
        model_break(conn->sock);
    }
    while (live > 0) {
        (void)SleepConditionVariableSRW(&left, &lock, INFINITE, 0);
    }
    ReleaseSRWLockExclusive(&lock);
}

ptrdiff_t model_write_some(uv_os_sock_t sock, const char *bytes, size_t size)
{
    int sent = send(sock, bytes, (int)size, 0); /* a read buffer's at most */
    return sent == SOCKET_ERROR && WSAGetLastError() == WSAEWOULDBLOCK ? 0
                                                                       : sent;
}

/* ---- AcceptEx ---- */

static LPFN_ACCEPTEX accept_ex;
static int accept_family;

bool model_accept_init(SOCKET listener, int family)
{
    GUID id = WSAID_ACCEPTEX;
    DWORD size;
    accept_family = family;
    if (WSAIoctl(listener, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof(id),
            &accept_ex, sizeof(accept_ex), &size, NULL, NULL) != 0) {
        (void)model_fail_wsa("cannot find AcceptEx");
        return false;
    }
    return true;
}

bool model_accept_begin(SOCKET listener, struct model_accept *accept)
{
    const DWORD address = sizeof(accept->addresses) / 2;
    HANDLE event = accept->overlapped.hEvent;
    DWORD size;
    memset(&accept->overlapped, 0, sizeof(accept->overlapped));
    accept->overlapped.hEvent = event;
    accept->sock = WSASocketW(accept_family, SOCK_STREAM, IPPROTO_TCP, NULL, 0,
        WSA_FLAG_OVERLAPPED);
    if (accept->sock == INVALID_SOCKET) {
        return false;
    }
    if (accept_ex(listener, accept->sock, accept->addresses, 0, address,
            address, &size, &accept->overlapped) ||
        WSAGetLastError() == WSA_IO_PENDING) {
        return true;
    }
    (void)closesocket(accept->sock);
    return false;
}

/* What AcceptEx() gives is no whole socket before it knows its listener. */
SOCKET model_accept_end(SOCKET listener, SOCKET sock, bool succeeded)
{
    if (!succeeded ||
        setsockopt(sock, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
            (const char *)&listener, sizeof(listener)) != 0) {
        (void)closesocket(sock);
        return INVALID_SOCKET;
    }
    model_nodelay(sock);
    return sock;
}

/* ---- threads ---- */

bool model_threads_start(
    HANDLE *threads, unsigned count, unsigned(__stdcall *run)(void *))
{
    unsigned i;
    for (i = 0; i < count; i++) {
        threads[i] = (HANDLE)_beginthreadex(NULL, 0, run, NULL, 0, NULL);
        if (threads[i] == NULL) {
            (void)model_fail("cannot start a thread", UV_EAGAIN);
            return false;
        }
    }
    return true;
}

/* One by one: WaitForMultipleObjects() takes 64 at most. */
void model_threads_join(HANDLE *threads, unsigned count)
{
    unsigned i;
    for (i = 0; i < count; i++) {
        (void)WaitForSingleObject(threads[i], INFINITE);
        (void)CloseHandle(threads[i]);
    }
}

/* ---- stopping ---- */

enum { RUNNING, ASKED, WOKEN };

static atomic_int state = RUNNING;
static void (*wake_up)(void);

/* On a thread that the system makes for it. */
static BOOL WINAPI on_event(DWORD event)
{
    int running = RUNNING;
    if (event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT) {
        return FALSE;
    }
    if (atomic_compare_exchange_strong(&state, &running, ASKED)) {
        wake_up();
        atomic_store(&state, WOKEN);
    }
    return TRUE;
}

void model_on_stop(void (*wake)(void))
{
    wake_up = wake;
    (void)SetConsoleCtrlHandler(on_event, TRUE); /* fails without memory */
}

bool model_stopping(void)
{
    int now = atomic_load(&state);
    while (now == ASKED) {
        (void)SwitchToThread(); /* for a few system calls */
        now = atomic_load(&state);
    }
    return now == WOKEN;
}

/* A datagram to itself: select() and WSAPoll() know sockets only. */
bool model_bell_create(SOCKET *bell)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int length = sizeof(address);
    SOCKET sock = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (sock != INVALID_SOCKET &&
        bind(sock, (const struct sockaddr *)&address, length) == 0 &&
        getsockname(sock, (struct sockaddr *)&address, &length) == 0 &&
        connect(sock, (const struct sockaddr *)&address, length) == 0) {
        *bell = sock;
        return true;
    }
    (void)model_fail_wsa("cannot create a socket");
    if (sock != INVALID_SOCKET) {
        (void)closesocket(sock);
    }
    return false;
}

void model_ring(SOCKET bell)
{
    (void)send(bell, "", 1, 0); /* one that is full is readable already */
}
