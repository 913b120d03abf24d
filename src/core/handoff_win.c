/* SPDX-License-Identifier: MIT */
/* See handoff.h. */
#include "handoff.h"

#include <string.h>

#include <winsock2.h>
#include <ws2tcpip.h>

#if !defined(WSA_FLAG_NO_HANDLE_INHERIT)
#define WSA_FLAG_NO_HANDLE_INHERIT 0x80
#endif

bool tlr_handoff_has_reuseport(void)
{
    return false;
}

static int last_error(void)
{
    return uv_translate_sys_error(WSAGetLastError());
}

static int set_option(SOCKET sock, int level, int name, DWORD value)
{
    return setsockopt(sock, level, name, (const char *)&value, sizeof(value));
}

/*
 * Windows' SO_REUSEADDR lets a second program take the port over, so it is
 * not set; SO_EXCLUSIVEADDRUSE keeps others from doing that to us.
 */
static int set_options(SOCKET sock, const struct sockaddr *address,
                       unsigned flags)
{
    u_long non_blocking = 1;

    if (ioctlsocket(sock, FIONBIO, &non_blocking) != 0 ||
        set_option(sock, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1) != 0) {
        return -1;
    }
    if (address->sa_family == AF_INET6) {
        return set_option(sock, IPPROTO_IPV6, IPV6_V6ONLY,
                          (flags & TLR_HANDOFF_V6ONLY) != 0);
    }
    return 0;
}

int tlr_handoff_listen(const struct sockaddr *address, int backlog,
                       unsigned flags, uv_os_sock_t *listener)
{
    int length = address->sa_family == AF_INET6
                     ? (int)sizeof(struct sockaddr_in6)
                     : (int)sizeof(struct sockaddr_in);
    SOCKET sock = WSASocketW(address->sa_family, SOCK_STREAM, IPPROTO_TCP,
                             NULL, 0,
                             WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    int err = 0;

    if (sock == INVALID_SOCKET) {
        return last_error();
    }
    if (set_options(sock, address, flags) != 0 ||
        bind(sock, address, length) != 0) {
        err = last_error();
    } else if ((flags & TLR_HANDOFF_BOUND) == 0) {
        err = tlr_handoff_begin(sock, backlog);
    }
    if (err != 0) {
        closesocket(sock);
        return err;
    }
    *listener = sock;
    return 0;
}

int tlr_handoff_begin(uv_os_sock_t sock, int backlog)
{
    return listen(sock, backlog == 0 ? SOMAXCONN : backlog) == 0
               ? 0
               : last_error();
}

int tlr_handoff_name(uv_os_sock_t sock, struct sockaddr_storage *address)
{
    int length = sizeof(*address);

    memset(address, 0, sizeof(*address));
    if (getsockname(sock, (struct sockaddr *)address, &length) != 0) {
        return last_error();
    }
    return 0;
}

/* SOMAXCONN stands for a few hundred there, and no number above is kept. */
unsigned tlr_handoff_queue_capacity(uv_os_sock_t listener)
{
    (void)listener;
    return 4096;
}

static int get_option(SOCKET sock, int level, int name, DWORD *value)
{
    int length = sizeof(*value);

    *value = 0; /* some write one byte only */
    return getsockopt(sock, level, name, (char *)value, &length) == 0
               ? 0
               : last_error();
}

static int check_adopted(SOCKET sock, struct sockaddr_storage *peer)
{
    int length = sizeof(*peer);
    DWORD type;
    int err = get_option(sock, SOL_SOCKET, SO_TYPE, &type);

    if (err != 0) {
        return err;
    }
    if (type != SOCK_STREAM) {
        return UV_ENOTSUP;
    }
    if (getpeername(sock, (struct sockaddr *)peer, &length) != 0) {
        return last_error();
    }
    return peer->ss_family == AF_INET || peer->ss_family == AF_INET6
               ? 0
               : UV_ENOTSUP;
}

int tlr_handoff_adopt(uv_os_sock_t sock, bool *inherited,
                      struct sockaddr_storage *peer)
{
    int err = check_adopted(sock, peer);
    DWORD flags;

    if (err != 0) {
        return err;
    }
    if (!GetHandleInformation((HANDLE)sock, &flags) ||
        !SetHandleInformation((HANDLE)sock, HANDLE_FLAG_INHERIT, 0)) {
        return uv_translate_sys_error((int)GetLastError());
    }
    *inherited = (flags & HANDLE_FLAG_INHERIT) != 0;
    return 0;
}

void tlr_handoff_return(uv_os_sock_t sock, bool inherited)
{
    if (inherited) { /* it worked the other way round */
        (void)SetHandleInformation((HANDLE)sock, HANDLE_FLAG_INHERIT,
                                   HANDLE_FLAG_INHERIT);
    }
}

bool tlr_handoff_is_listening(uv_os_sock_t sock)
{
    DWORD listening;

    return get_option(sock, SOL_SOCKET, SO_ACCEPTCONN, &listening) == 0 &&
           listening != 0;
}

static int check_listener(SOCKET sock, int *family)
{
    struct sockaddr_storage address;
    DWORD type;
    DWORD listening;
    int err = get_option(sock, SOL_SOCKET, SO_TYPE, &type);

    if (err == 0 && type != SOCK_STREAM) {
        return UV_ENOTSUP;
    }
    if (err == 0) {
        err = get_option(sock, SOL_SOCKET, SO_ACCEPTCONN, &listening);
    }
    if (err == 0 && !listening) {
        return UV_EINVAL;
    }
    if (err == 0) {
        err = tlr_handoff_name(sock, &address);
    }
    if (err != 0) {
        return err;
    }
    *family = address.ss_family;
    return *family == AF_INET || *family == AF_INET6 ? 0 : UV_ENOTSUP;
}

int tlr_handoff_adopt_listener(uv_os_sock_t sock, unsigned *flags)
{
    u_long non_blocking = 1;
    DWORD only = 0;
    int family;
    int err = check_listener(sock, &family);

    if (err == 0 && family == AF_INET6) {
        err = get_option(sock, IPPROTO_IPV6, IPV6_V6ONLY, &only);
    }
    if (err != 0) {
        return err;
    }
    if (ioctlsocket(sock, FIONBIO, &non_blocking) != 0) {
        return last_error();
    }
    if (!SetHandleInformation((HANDLE)sock, HANDLE_FLAG_INHERIT, 0)) {
        return uv_translate_sys_error((int)GetLastError());
    }
    *flags = only ? TLR_HANDOFF_V6ONLY : 0;
    return 0;
}

/*
 * Winsock's accept() gives a socket that children inherit, and libuv 1.52 no
 * longer clears that in uv_tcp_open(). TCP_NODELAY is not passed on by the
 * listener.
 */
int tlr_handoff_accept(uv_os_sock_t listener, uv_os_sock_t *sock,
                       struct sockaddr_storage *peer)
{
    int length = sizeof(*peer);
    SOCKET accepted;
    int err;

    peer->ss_family = AF_UNSPEC;
    accepted = accept(listener, (struct sockaddr *)peer, &length);
    if (accepted == INVALID_SOCKET) {
        return last_error();
    }
    if (!SetHandleInformation((HANDLE)accepted, HANDLE_FLAG_INHERIT, 0)) {
        err = uv_translate_sys_error((int)GetLastError());
        closesocket(accepted);
        return err;
    }
    /* Only speed is lost if it fails, and it fails if the peer has gone. */
    (void)set_option(accepted, IPPROTO_TCP, TCP_NODELAY, 1);
    *sock = accepted;
    return 0;
}

enum tlr_accept_result tlr_handoff_classify(int err)
{
    switch (err) {
    case UV_EAGAIN:
        return TLR_ACCEPT_NONE;
    case UV_ECONNRESET:
    case UV_ECONNABORTED:
    case UV_ENETDOWN:
        return TLR_ACCEPT_TRANSIENT;
    case UV_EMFILE:
    case UV_ENFILE:
        return TLR_ACCEPT_DESCRIPTORS;
    case UV_ENOMEM:
    case UV_ENOBUFS:
        return TLR_ACCEPT_MEMORY;
    default:
        return TLR_ACCEPT_UNKNOWN;
    }
}

void tlr_handoff_close(uv_os_sock_t sock)
{
    (void)closesocket(sock);
}

void tlr_handoff_reset(uv_os_sock_t sock)
{
    struct linger linger = {1, 0};

    (void)setsockopt(sock, SOL_SOCKET, SO_LINGER, (const char *)&linger,
                     sizeof(linger)); /* the peer may have gone */
    tlr_handoff_close(sock);
}

/* Handles are limited by memory only. */
bool tlr_handoff_descriptors(uint64_t *limit, uint64_t *open)
{
    *limit = 0;
    *open = 0;
    return false;
}

/*
 * A send that does not block takes whatever it is given, into memory that
 * cannot be paged out, or fails with WSAENOBUFS: so not too much of it.
 */
const size_t tlr_handoff_write_at_once = 262144;

int tlr_handoff_write(uv_write_t *request, uv_stream_t *stream,
                      const uv_buf_t *buffers, unsigned count,
                      uv_write_cb on_written)
{
    return uv_write(request, stream, buffers, count, on_written);
}

/* A read has its own. */
int tlr_handoff_write_error(const uv_write_t *request)
{
    (void)request;
    return 0;
}

/*
 * Windows writes all or fails, and libuv relies on that. Wine 8 does not: the
 * peer's FIN ends a send that waits with the status of the hang-up, which is
 * success (sock_dispatch_asyncs in its server/sock.c). What libuv queued itself
 * it counts in queued_bytes; only then does the port say how much was written.
 */
bool tlr_handoff_all_written(const uv_write_t *request)
{
    return request->u.io.queued_bytes == 0 ||
           request->u.io.overlapped.InternalHigh >=
               request->u.io.queued_bytes;
}

/* A read that is cancelled by the close would make an RST of it (libuv#3034). */
void tlr_handoff_send_fin(const uv_tcp_t *tcp)
{
    uv_os_fd_t fd;

    if (uv_fileno((const uv_handle_t *)tcp, &fd) == 0) {
        (void)shutdown((SOCKET)fd, SD_SEND); /* the peer may have gone */
    }
}

int tlr_handoff_abort_on_close(const uv_tcp_t *tcp)
{
    struct linger linger = {1, 0};
    uv_os_fd_t fd;
    int err = uv_fileno((const uv_handle_t *)tcp, &fd);

    if (err == 0 && setsockopt((SOCKET)fd, SOL_SOCKET, SO_LINGER,
                               (const char *)&linger, sizeof(linger)) != 0) {
        err = last_error();
    }
    return err;
}

static int get_tcp_option(const uv_tcp_t *tcp, int level, int name,
                          DWORD *value)
{
    uv_os_fd_t fd;
    int err = uv_fileno((const uv_handle_t *)tcp, &fd);

    return err == 0 ? get_option((SOCKET)fd, level, name, value) : err;
}

int tlr_handoff_nodelay(const uv_tcp_t *tcp, int *on)
{
    DWORD value;
    int err = get_tcp_option(tcp, IPPROTO_TCP, TCP_NODELAY, &value);

    *on = err == 0 && value != 0;
    return err;
}

#if !defined(TCP_KEEPIDLE) /* since Windows 10, 1709 */
#define TCP_KEEPIDLE 3
#endif

int tlr_handoff_keepalive(const uv_tcp_t *tcp, int *seconds)
{
    DWORD value;
    int err = get_tcp_option(tcp, SOL_SOCKET, SO_KEEPALIVE, &value);

    if (err == 0 && value != 0) {
        err = get_tcp_option(tcp, IPPROTO_TCP, TCP_KEEPIDLE, &value);
    }
    *seconds = err == 0 ? (int)value : 0;
    return err;
}

/* Winsock's reads tell a reset from an end by themselves. */
int tlr_handoff_pending_error(const uv_tcp_t *tcp)
{
    (void)tcp;
    return 0;
}

/*
 * libuv creates this event when a read starts on a socket for which it could
 * not set the loop's completion port (UV_HANDLE_EMULATE_IOCP, which is its
 * own), and only then.
 */
size_t tlr_handoff_unacknowledged(const uv_tcp_t *tcp)
{
    (void)tcp;
    return 0;
}

bool tlr_handoff_emulated(const uv_tcp_t *tcp)
{
    return tcp->read_req.event_handle != NULL;
}

void tlr_handoff_clean_failed_loop(const uv_loop_t *loop)
{
    (void)loop;
}

bool tlr_handoff_loop_is_closed(const uv_loop_t *loop)
{
    /* libuv clears this, and in a debug build then overwrites all with 0xff. */
    return loop->internal_fields == NULL ||
           loop->iocp == INVALID_HANDLE_VALUE;
}

int tlr_handoff_thread(uv_thread_t *thread, uv_thread_cb entry, void *arg,
                       size_t stack_size)
{
    uv_thread_options_t options = {0, 0};

    if (stack_size > 0) {
        options.flags = UV_THREAD_HAS_STACK_SIZE;
        options.stack_size = stack_size;
    }
    return uv_thread_create_ex(thread, &options, entry, arg);
}

#define NAME_SIZE 64

typedef HRESULT(WINAPI *set_description_cb)(HANDLE thread, PCWSTR name);

/* Since Windows 10, 1607: so it is looked for. */
void tlr_handoff_thread_name(const char *name)
{
    HMODULE kernel = GetModuleHandleW(L"kernel32.dll");
    wchar_t wide[NAME_SIZE];
    set_description_cb set_description;
    FARPROC found;

    if (kernel == NULL) {
        return;
    }
    found = GetProcAddress(kernel, "SetThreadDescription");
    if (found == NULL || MultiByteToWideChar(CP_UTF8, 0, name, -1, wide,
                                             NAME_SIZE) == 0) {
        return;
    }
    memcpy(&set_description, &found, sizeof(found));
    (void)set_description(GetCurrentThread(), wide); /* only people look */
}

uintptr_t tlr_handoff_thread_id(void)
{
    return GetCurrentThreadId();
}

void tlr_handoff_sigpipe_block(void)
{
}

void tlr_handoff_sigpipe_restore(void)
{
}
