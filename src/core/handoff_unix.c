/* SPDX-License-Identifier: MIT */
/* See handoff.h. */
#include "handoff.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <linux/sockios.h>
#endif

#include "fd_unix.h"

bool tlr_handoff_has_reuseport(void)
{
    /* macOS and most BSDs have the option and do not balance over it. */
#if defined(__linux__)
    return true;
#else
    return false;
#endif
}

static int set_option(int sock, int level, int name, int value)
{
    return setsockopt(sock, level, name, &value, sizeof(value));
}

static int set_options(int sock, const struct sockaddr *address,
                       unsigned flags)
{
    if (set_option(sock, SOL_SOCKET, SO_REUSEADDR, 1) != 0) {
        return -1;
    }
    /* Accepted sockets inherit it: saves a call for each connection. */
    if (set_option(sock, IPPROTO_TCP, TCP_NODELAY, 1) != 0) {
        return -1;
    }
#if defined(SO_REUSEPORT)
    if ((flags & TLR_HANDOFF_REUSEPORT) != 0 &&
        set_option(sock, SOL_SOCKET, SO_REUSEPORT, 1) != 0) {
        return -1;
    }
#endif
    if (address->sa_family == AF_INET6) {
        return set_option(sock, IPPROTO_IPV6, IPV6_V6ONLY,
                          (flags & TLR_HANDOFF_V6ONLY) != 0);
    }
    return 0;
}

int tlr_handoff_listen(const struct sockaddr *address, int backlog,
                       unsigned flags, uv_os_sock_t *listener)
{
    socklen_t length = address->sa_family == AF_INET6
                           ? sizeof(struct sockaddr_in6)
                           : sizeof(struct sockaddr_in);
    int sock;
    int err = tlr_fd_socket(address->sa_family, &sock);

    if (err != 0) {
        return err;
    }
    if (set_options(sock, address, flags) != 0 ||
        bind(sock, address, length) != 0) {
        err = tlr_fd_error();
    } else if ((flags & TLR_HANDOFF_BOUND) == 0) {
        err = tlr_handoff_begin(sock, backlog);
    }
    if (err != 0) {
        close(sock);
        return err;
    }
    *listener = sock;
    return 0;
}

int tlr_handoff_begin(uv_os_sock_t sock, int backlog)
{
    return listen(sock, backlog == 0 ? INT_MAX : backlog) == 0
               ? 0
               : tlr_fd_error();
}

int tlr_handoff_name(uv_os_sock_t sock, struct sockaddr_storage *address)
{
    socklen_t length = sizeof(*address);

    memset(address, 0, sizeof(*address));
    if (getsockname(sock, (struct sockaddr *)address, &length) != 0) {
        return tlr_fd_error();
    }
    return 0;
}

#define CAPACITY 4096 /* of most systems; beyond that, resets are the rule */

/* For a listening socket Linux tells the queue's limit in a field of sacks. */
unsigned tlr_handoff_queue_capacity(uv_os_sock_t listener)
{
#if defined(__linux__)
    struct tcp_info info;
    socklen_t length = sizeof(info);

    if (getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &length) == 0) {
        return info.tcpi_sacked + 1; /* it takes one more than that */
    }
#endif
    (void)listener;
    return CAPACITY;
}

static int get_option(int sock, int level, int name, int *value)
{
    socklen_t length = sizeof(*value);

    return getsockopt(sock, level, name, value, &length) == 0
               ? 0
               : tlr_fd_error();
}

static int check_adopted(int sock, struct sockaddr_storage *peer)
{
    socklen_t length = sizeof(*peer);
    int type;
    int err = get_option(sock, SOL_SOCKET, SO_TYPE, &type);

    if (err != 0) {
        return err;
    }
    if (type != SOCK_STREAM) {
        return UV_ENOTSUP;
    }
    if (getpeername(sock, (struct sockaddr *)peer, &length) != 0) {
        return tlr_fd_error();
    }
    return peer->ss_family == AF_INET || peer->ss_family == AF_INET6
               ? 0
               : UV_ENOTSUP;
}

int tlr_handoff_adopt(uv_os_sock_t sock, bool *inherited,
                      struct sockaddr_storage *peer)
{
    int err = check_adopted(sock, peer);
    int flags;

    if (err != 0) {
        return err;
    }
    flags = fcntl(sock, F_GETFD);
    if (flags == -1 || fcntl(sock, F_SETFD, flags | FD_CLOEXEC) == -1) {
        return tlr_fd_error();
    }
    *inherited = (flags & FD_CLOEXEC) == 0;
    return 0;
}

void tlr_handoff_return(uv_os_sock_t sock, bool inherited)
{
    if (inherited) {
        (void)fcntl(sock, F_SETFD, 0); /* it worked the other way round */
    }
}

bool tlr_handoff_is_listening(uv_os_sock_t sock)
{
    int listening;

    return get_option(sock, SOL_SOCKET, SO_ACCEPTCONN, &listening) == 0 &&
           listening != 0;
}

static int check_listener(int sock, int *family)
{
    struct sockaddr_storage address;
    int type;
    int listening;
    int err = get_option(sock, SOL_SOCKET, SO_TYPE, &type);

    if (err == 0) {
        err = tlr_handoff_name(sock, &address);
    }
    if (err != 0) {
        return err;
    }
    *family = address.ss_family;
    if (type != SOCK_STREAM || (*family != AF_INET && *family != AF_INET6)) {
        return UV_ENOTSUP;
    }
    err = get_option(sock, SOL_SOCKET, SO_ACCEPTCONN, &listening);
    return err == 0 && !listening ? UV_EINVAL : err;
}

static int listener_flags(int sock, int family, unsigned *flags)
{
    int on = 0;
    int err = 0;

    *flags = 0;
    if (family == AF_INET6) {
        err = get_option(sock, IPPROTO_IPV6, IPV6_V6ONLY, &on);
        *flags |= on ? TLR_HANDOFF_V6ONLY : 0;
    }
#if defined(SO_REUSEPORT)
    if (err == 0) {
        err = get_option(sock, SOL_SOCKET, SO_REUSEPORT, &on);
        *flags |= on ? TLR_HANDOFF_REUSEPORT : 0;
    }
#endif
    return err;
}

int tlr_handoff_adopt_listener(uv_os_sock_t sock, unsigned *flags)
{
    int family;
    int err = check_listener(sock, &family);

    if (err == 0) {
        err = listener_flags(sock, family, flags);
    }
    if (err != 0) {
        return err;
    }
    return set_option(sock, IPPROTO_TCP, TCP_NODELAY, 1) == 0
               ? tlr_fd_prepare(sock)
               : tlr_fd_error();
}

int tlr_handoff_accept(uv_os_sock_t listener, uv_os_sock_t *sock,
                       struct sockaddr_storage *peer)
{
    socklen_t length;
    int err;

    peer->ss_family = AF_UNSPEC; /* some systems say nothing if it has gone */
    do {
        length = sizeof(*peer);
        err = tlr_fd_accept(listener, (struct sockaddr *)peer, &length, sock);
    } while (err == UV_EINTR);
    return err;
}

/*
 * accept(2) on Linux also passes on errors that are pending on the new
 * connection, and says to treat them like EAGAIN. EPERM is a firewall's.
 */
enum tlr_accept_result tlr_handoff_classify(int err)
{
    switch (err) {
    case UV_EAGAIN:
        return TLR_ACCEPT_NONE;
    case UV_ECONNABORTED:
    case UV_EPROTO:
    case UV_EPERM:
    case UV_ENETDOWN:
    case UV_ENETUNREACH:
    case UV_EHOSTDOWN:
    case UV_EHOSTUNREACH:
    case UV_ENOPROTOOPT:
    case UV_ENOTSUP:
    case UV_ETIMEDOUT:
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
    /* Not repeated on EINTR: on Linux the descriptor is gone by then. */
    (void)close(sock);
}

void tlr_handoff_reset(uv_os_sock_t sock)
{
    struct linger linger = {1, 0};

    /* It fails when the peer has reset already: then there is no need. */
    (void)setsockopt(sock, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    tlr_handoff_close(sock);
}

/*
 * A limit of a million and more is only looked through so far: the lowest
 * numbers are given out first.
 */
#define LOOKED_THROUGH 65536
#define AT_ONCE 512 /* Linux wants no more at once than the limit */

/* poll() says which are not open, without any memory or descriptor. */
static uint64_t open_from(uint64_t first, uint64_t count)
{
    struct pollfd fds[AT_ONCE];
    uint64_t open = 0;
    uint64_t i;

    for (i = 0; i < count; i++) {
        fds[i].fd = (int)(first + i);
        fds[i].events = 0;
        fds[i].revents = 0;
    }
    if (poll(fds, (nfds_t)count, 0) < 0) {
        return 0;
    }
    for (i = 0; i < count; i++) {
        open += (fds[i].revents & POLLNVAL) == 0;
    }
    return open;
}

bool tlr_handoff_descriptors(uint64_t *limit, uint64_t *open)
{
    struct rlimit rlimit;
    uint64_t most;
    uint64_t i;

    if (getrlimit(RLIMIT_NOFILE, &rlimit) != 0 ||
        rlimit.rlim_cur == RLIM_INFINITY) {
        return false;
    }
    *limit = rlimit.rlim_cur;
    *open = 0;
    most = *limit < LOOKED_THROUGH ? *limit : LOOKED_THROUGH;
    for (i = 0; i < most; i += AT_ONCE) {
        *open += open_from(i, most - i < AT_ONCE ? most - i : AT_ONCE);
    }
    return true;
}

const size_t tlr_handoff_write_at_once = SIZE_MAX;

/*
 * libuv 1.44 counts the request as one of the loop's before it finds out that it
 * has no memory for more than four buffers, and then the loop would never end.
 */
int tlr_handoff_write(uv_write_t *request, uv_stream_t *stream,
                      const uv_buf_t *buffers, unsigned count,
                      uv_write_cb on_written)
{
    unsigned requests = stream->loop->active_reqs.count;
    int err = uv_write(request, stream, buffers, count, on_written);

    if (err != 0) {
        stream->loop->active_reqs.count = requests;
    }
    return err;
}

int tlr_handoff_write_error(const uv_write_t *request)
{
    return request->error; /* libuv's own, and there is no other way */
}

bool tlr_handoff_all_written(const uv_write_t *request)
{
    (void)request; /* libuv has seen to it */
    return true;
}

void tlr_handoff_send_fin(const uv_tcp_t *tcp)
{
    (void)tcp; /* closing does it, whatever is being read */
}

int tlr_handoff_abort_on_close(const uv_tcp_t *tcp)
{
    struct linger linger = {1, 0};
    uv_os_fd_t fd;
    int err = uv_fileno((const uv_handle_t *)tcp, &fd);

    if (err == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) != 0) {
        err = tlr_fd_error();
    }
    return err;
}

static int get_tcp_option(const uv_tcp_t *tcp, int level, int name, int *value)
{
    uv_os_fd_t fd;
    int err = uv_fileno((const uv_handle_t *)tcp, &fd);

    return err == 0 ? get_option(fd, level, name, value) : err;
}

int tlr_handoff_nodelay(const uv_tcp_t *tcp, int *on)
{
    int err = get_tcp_option(tcp, IPPROTO_TCP, TCP_NODELAY, on);

    *on = err == 0 && *on != 0;
    return err;
}

#if !defined(TCP_KEEPIDLE) && defined(TCP_KEEPALIVE) /* macOS */
#define TCP_KEEPIDLE TCP_KEEPALIVE
#endif

int tlr_handoff_keepalive(const uv_tcp_t *tcp, int *seconds)
{
    int err = get_tcp_option(tcp, SOL_SOCKET, SO_KEEPALIVE, seconds);

    if (err == 0 && *seconds != 0) {
        err = get_tcp_option(tcp, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
    }
    return err;
}

/*
 * EPIPE is what a reset behind the peer's FIN leaves: then the end is one, and
 * writing will tell the rest.
 */
int tlr_handoff_pending_error(const uv_tcp_t *tcp)
{
    int pending;
    int err = get_tcp_option(tcp, SOL_SOCKET, SO_ERROR, &pending);

    if (err != 0) {
        return err;
    }
    return pending == EPIPE ? 0 : uv_translate_sys_error(pending);
}

size_t tlr_handoff_unacknowledged(const uv_tcp_t *tcp)
{
#if defined(SIOCOUTQ)
    uv_os_fd_t fd;
    int bytes;

    if (uv_fileno((const uv_handle_t *)tcp, &fd) == 0 &&
        ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0) {
        return (size_t)bytes;
    }
#else
    (void)tcp;
#endif
    return 0;
}

bool tlr_handoff_emulated(const uv_tcp_t *tcp)
{
    (void)tcp;
    return false;
}

void tlr_handoff_clean_failed_loop(const uv_loop_t *loop)
{
    int fd = uv_backend_fd(loop);

    if (fd > 0) { /* 0: it came not as far as that */
        (void)close(fd);
    }
}

bool tlr_handoff_loop_is_closed(const uv_loop_t *loop)
{
    return uv_backend_fd(loop) == -1;
}

int tlr_handoff_thread(uv_thread_t *thread, uv_thread_cb entry, void *arg,
                       size_t stack_size)
{
    uv_thread_options_t options = {0, 0};
    sigset_t all;
    sigset_t before;
    int err;

    sigfillset(&all);
    err = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (err != 0) {
        return uv_translate_sys_error(err);
    }
    if (stack_size > 0) {
        options.flags = UV_THREAD_HAS_STACK_SIZE;
        options.stack_size = stack_size;
    }
    err = uv_thread_create_ex(thread, &options, entry, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL); /* it worked above */
    return err;
}

#define NAME_SIZE 16 /* Linux: with the 0 at the end, or it does nothing */

void tlr_handoff_thread_name(const char *name)
{
    char cut[NAME_SIZE];

    strncpy(cut, name, sizeof(cut) - 1);
    cut[sizeof(cut) - 1] = '\0';
#if defined(__APPLE__)
    (void)pthread_setname_np(cut); /* only people look at it */
#elif defined(__linux__)
    (void)pthread_setname_np(pthread_self(), cut);
#endif
}

uintptr_t tlr_handoff_thread_id(void)
{
    return (uintptr_t)pthread_self();
}

static void sigpipe_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGPIPE);
}

/*
 * The mask is the thread's, so this is too: how many blocks are in force, and
 * whether the signal was blocked before the first.
 */
static _Thread_local unsigned sigpipe_blocks;
static _Thread_local bool sigpipe_was_blocked;

void tlr_handoff_sigpipe_block(void)
{
    sigset_t sigpipe;
    sigset_t before;

    if (sigpipe_blocks++ > 0) {
        return;
    }
    sigpipe_set(&sigpipe);
    sigemptyset(&before);
    (void)pthread_sigmask(SIG_BLOCK, &sigpipe, &before); /* cannot fail */
    sigpipe_was_blocked = sigismember(&before, SIGPIPE) == 1;
}

/* Waits for nothing: another thread may have been faster. */
static void sigpipe_swallow(const sigset_t *sigpipe)
{
#if defined(_POSIX_REALTIME_SIGNALS) && _POSIX_REALTIME_SIGNALS > 0
    const struct timespec at_once = {0, 0};

    (void)sigtimedwait(sigpipe, NULL, &at_once); /* if there is none, good */
#else
    sigset_t pending;
    int signal_number;

    if (sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1) {
        (void)sigwait(sigpipe, &signal_number);
    }
#endif
}

void tlr_handoff_sigpipe_restore(void)
{
    sigset_t sigpipe;

    sigpipe_blocks--;
    if (sigpipe_blocks > 0 || sigpipe_was_blocked) {
        return;
    }
    sigpipe_set(&sigpipe);
    sigpipe_swallow(&sigpipe);
    (void)pthread_sigmask(SIG_UNBLOCK, &sigpipe, NULL);
}
