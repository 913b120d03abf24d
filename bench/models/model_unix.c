/* SPDX-License-Identifier: MIT */
#include "model.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- listening ---- */

static socklen_t length_of(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                          : sizeof(struct sockaddr_in);
}

/* What is accepted has TCP_NODELAY from its listener. */
static bool set_options(int sock, unsigned flags)
{
    int on = 1;
    return fcntl(sock, F_SETFD, FD_CLOEXEC) == 0 &&
           ((flags & MODEL_NONBLOCKING) == 0 ||
               fcntl(sock, F_SETFL, O_NONBLOCK) == 0) &&
           setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
           setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
           ((flags & MODEL_SHARED) == 0 ||
               setsockopt(sock, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) ==
                   0);
}

bool model_listen(
    struct model_options *options, unsigned flags, uv_os_sock_t *listener)
{
    struct sockaddr *address = (struct sockaddr *)&options->address;
    socklen_t length = length_of(&options->address);
    int sock = socket(address->sa_family, SOCK_STREAM, 0);
    if (sock >= 0 && set_options(sock, flags) &&
        bind(sock, address, length) == 0 && listen(sock, MODEL_BACKLOG) == 0 &&
        getsockname(sock, address, &length) == 0) {
        *listener = sock;
        return true;
    }
    (void)model_fail("cannot listen", uv_translate_sys_error(errno));
    if (sock >= 0) {
        (void)close(sock);
    }
    return false;
}

ptrdiff_t model_write_some(uv_os_sock_t sock, const char *bytes, size_t size)
{
    ssize_t written = write(sock, bytes, size);
    return written < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : written;
}

/* On Linux accept tells what is wrong with the new connection: accept(2). */
bool model_accept_again(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETDOWN:
    case ENETUNREACH:
    case EPERM: /* a firewall's rules */
        return true;
    default:
        return false;
    }
}

/* ---- stopping ---- */

enum { RUNNING, ASKED, WOKEN };

static atomic_int state = RUNNING;
static void (*wake_up)(void);

static sigset_t stop_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set); /* these fail for a signal unknown */
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGUSR1);
    return set;
}

static void *wait_for_signal(void *arg)
{
    const sigset_t set = stop_signals();
    int number;
    (void)arg;
    while (sigwait(&set, &number) == 0 && number == SIGUSR1) { /* likewise */
        model_tell_open();
    }
    atomic_store(&state, ASKED);
    wake_up();
    atomic_store(&state, WOKEN);
    return NULL;
}

/* A thread, not a handler: handlers interrupt system calls. ThreadSanitizer holds
 * them back, too, until some blocking calls return that wait for them. Without
 * one the signals end the process as they did. */
void model_on_stop(void (*wake)(void))
{
    const sigset_t set = stop_signals();
    pthread_t thread;
    wake_up = wake;
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL); /* inherited */
    if (pthread_create(&thread, NULL, wait_for_signal, NULL) != 0) {
        (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
        return;
    }
    (void)pthread_detach(thread); /* ours: cannot fail */
}

bool model_stopping(void)
{
    int now = atomic_load(&state);
    while (now == ASKED) {
        (void)sched_yield(); /* for a few system calls */
        now = atomic_load(&state);
    }
    return now == WOKEN;
}
