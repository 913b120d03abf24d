/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into a server, it makes the n-th call of one function fail; see
 * faults.h for who says which. Without a plan it only counts.
 *
 * It also looks how the server ends: descriptors and memory that are left, and
 * the stack of an abort(). Linux with glibc.
 */
#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

int tlr_faults_hit(unsigned function);
void tlr_faults_pause(int on);

static struct tlr_faults early; /* until the memory is mapped */
static struct tlr_faults *faults = &early;
static _Thread_local int paused
    __attribute__((tls_model("initial-exec"))); /* no allocation to get at it */
static _Atomic int blocks;
static int descriptors;

/* glibc's own. dlsym() would be the other way, but allocates by itself. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

/* ---- stacks ---------------------------------------------------------- */

static void describe(struct tlr_fault_frame *frame, void *address)
{
    Dl_info info;

    memset(frame, 0, sizeof(*frame));
    if (dladdr(address, &info) == 0 || info.dli_fname == NULL) {
        return;
    }
    strncpy(frame->module, info.dli_fname, sizeof(frame->module) - 1);
    frame->offset = (uint64_t)((char *)address - (char *)info.dli_fbase);
    if (info.dli_sname != NULL) {
        strncpy(frame->symbol, info.dli_sname, sizeof(frame->symbol) - 1);
    }
}

static void keep_stack(struct tlr_fault_stack *stack)
{
    void *addresses[TLR_FAULT_FRAMES];
    int count = backtrace(addresses, TLR_FAULT_FRAMES);
    int i;

    for (i = 0; i < count; i++) {
        describe(&stack->frames[i], addresses[i]);
    }
    stack->count = (uint32_t)count;
}

static void on_abort(int number)
{
    (void)number;
    paused = 1;
    keep_stack(&faults->death);
    faults->aborted = 1;
    /* The disposition is the default again: returning ends the process. */
}

/* ---- counting -------------------------------------------------------- */

/* Whether this call has to fail. */
int tlr_faults_hit(unsigned function)
{
    uint32_t call;

    if (paused) {
        return 0;
    }
    call = ++faults->calls[function];
    if (function != faults->function || call < faults->from ||
        call > faults->to) {
        return 0;
    }
    paused = 1;
    if (faults->fired++ == 0) {
        keep_stack(&faults->fault);
    }
    paused = 0;
    return 1;
}

void tlr_faults_pause(int on)
{
    paused = on;
}

/* The peer's port, so that the sweep knows which connection was hit. */
static void blame(int fd)
{
    struct sockaddr_in6 peer; /* the port is where it is in sockaddr_in */
    socklen_t length = sizeof(peer);
    uint32_t i;

    if (syscall(SYS_getpeername, fd, &peer, &length) != 0) {
        return;
    }
    for (i = 0; i < TLR_FAULT_PORTS; i++) {
        uint32_t none = 0;

        if (atomic_compare_exchange_strong(&faults->ports[i], &none,
                                           ntohs(peer.sin6_port)) ||
            none == ntohs(peer.sin6_port)) {
            return;
        }
    }
}

static int hit_on(unsigned function, int fd)
{
    int saved = errno;
    int hit = tlr_faults_hit(function);

    if (hit) {
        blame(fd);
    }
    errno = saved;
    return hit;
}

static int fail(void)
{
    errno = faults->error;
    return -1;
}

static int is_socket(int fd)
{
    struct stat status;
    int saved = errno;
    int is = fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);

    errno = saved;
    return is;
}

/* What the server writes to people is its own affair. */
static int is_standard(int fd)
{
    return fd >= 0 && fd <= 2;
}

static size_t shortened(size_t size)
{
    size_t keep = faults->keep == TLR_FAULT_HALF       ? size / 2
                  : faults->keep == TLR_FAULT_LESS_ONE ? size - 1
                                                       : faults->keep;

    return keep < size ? keep : size - 1;
}

/* ---- memory ---------------------------------------------------------- */

/* Sanitizers have their own; there it is the server's allocator that fails. */
#ifndef TLR_FAULTS_NO_MEMORY

static void *born(void *memory)
{
    blocks += memory != NULL;
    return memory;
}

static int no_memory(unsigned function)
{
    int any = tlr_faults_hit(TLR_FAULT_MEMORY);
    int hit = tlr_faults_hit(function) || any;

    if (hit) {
        errno = ENOMEM;
    }
    return hit;
}

void *malloc(size_t size)
{
    return no_memory(TLR_FAULT_MALLOC) ? NULL : born(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return no_memory(TLR_FAULT_CALLOC) ? NULL
                                       : born(__libc_calloc(count, size));
}

void *realloc(void *memory, size_t size)
{
    void *moved;

    if (size > 0 && no_memory(TLR_FAULT_REALLOC)) {
        return NULL;
    }
    moved = __libc_realloc(memory, size);
    blocks += memory == NULL && moved != NULL;
    blocks -= memory != NULL && size == 0;
    return moved;
}

void free(void *memory)
{
    blocks -= memory != NULL;
    __libc_free(memory);
}

void *memalign(size_t alignment, size_t size)
{
    return no_memory(TLR_FAULT_MALLOC)
               ? NULL
               : born(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    void *taken = memalign(alignment, size);

    if (taken == NULL) {
        return ENOMEM;
    }
    *memory = taken;
    return 0;
}

#endif

/* ---- sockets --------------------------------------------------------- */

/* The function that this one stands before. */
#define REAL(name)                                                             \
    static __typeof__(&name) real;                                             \
    if (real == NULL) {                                                        \
        int saved_pause = paused;                                              \
        paused = 1;                                                            \
        real = (__typeof__(&name))dlsym(RTLD_NEXT, #name);                     \
        paused = saved_pause;                                                  \
    }

static int drop(int fd)
{
    struct linger linger = {1, 0};

    if (fd == -1) {
        return -1;
    }
    blame(fd);
    paused = 1;
    (void)syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_LINGER, &linger,
                  sizeof(linger));
    (void)syscall(SYS_close, fd);
    paused = 0;
    return fail();
}

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    REAL(accept4);
    if (!tlr_faults_hit(TLR_FAULT_ACCEPT)) {
        return real(fd, address, length, flags);
    }
    return faults->kind == TLR_FAULT_DROP
               ? drop(real(fd, address, length, flags))
               : fail();
}

int socket(int family, int type, int protocol)
{
    REAL(socket);
    return tlr_faults_hit(TLR_FAULT_SOCKET) ? fail()
                                            : real(family, type, protocol);
}

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
    REAL(bind);
    return tlr_faults_hit(TLR_FAULT_BIND) ? fail()
                                          : real(fd, address, length);
}

int listen(int fd, int backlog)
{
    REAL(listen);
    return tlr_faults_hit(TLR_FAULT_LISTEN) ? fail() : real(fd, backlog);
}

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
    REAL(connect);
    return tlr_faults_hit(TLR_FAULT_CONNECT) ? fail()
                                             : real(fd, address, length);
}

int shutdown(int fd, int how)
{
    REAL(shutdown);
    return hit_on(TLR_FAULT_SHUTDOWN, fd) ? fail() : real(fd, how);
}

int setsockopt(int fd, int level, int name, const void *value,
               socklen_t length)
{
    REAL(setsockopt);
    return hit_on(TLR_FAULT_SETSOCKOPT, fd)
               ? fail()
               : real(fd, level, name, value, length);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
    REAL(getsockopt);
    return hit_on(TLR_FAULT_GETSOCKOPT, fd)
               ? fail()
               : real(fd, level, name, value, length);
}

int getsockname(int fd, struct sockaddr *address, socklen_t *length)
{
    REAL(getsockname);
    return hit_on(TLR_FAULT_GETSOCKNAME, fd) ? fail()
                                             : real(fd, address, length);
}

int getpeername(int fd, struct sockaddr *address, socklen_t *length)
{
    REAL(getpeername);
    return hit_on(TLR_FAULT_GETPEERNAME, fd) ? fail()
                                             : real(fd, address, length);
}

/* ---- bytes ----------------------------------------------------------- */

ssize_t read(int fd, void *data, size_t size)
{
    int on_socket = is_socket(fd);
    REAL(read);

    if (is_standard(fd) ||
        !hit_on(on_socket ? TLR_FAULT_READ : TLR_FAULT_READ_OTHER, fd)) {
        return real(fd, data, size);
    }
    return faults->kind == TLR_FAULT_SHORT && size > 1
               ? real(fd, data, shortened(size))
               : fail();
}

ssize_t write(int fd, const void *data, size_t size)
{
    int on_socket = is_socket(fd);
    REAL(write);

    if (is_standard(fd) ||
        !hit_on(on_socket ? TLR_FAULT_WRITE : TLR_FAULT_WRITE_OTHER, fd)) {
        return real(fd, data, size);
    }
    if (faults->kind == TLR_FAULT_SHORT && size > 1 && shortened(size) > 0) {
        return real(fd, data, shortened(size));
    }
    return fail();
}

static size_t sum(const struct iovec *pieces, size_t count)
{
    size_t size = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        size += pieces[i].iov_len;
    }
    return size;
}

/* So much of it by writev(), or fails. */
static ssize_t write_some(int fd, const struct iovec *pieces, size_t count)
{
    struct iovec some[64];
    size_t size = sum(pieces, count);
    size_t keep = size > 1 ? shortened(size) : 0;
    size_t i;

    if (faults->kind != TLR_FAULT_SHORT || keep == 0) {
        return fail();
    }
    for (i = 0; i < count && i < 64 && keep > 0; i++) {
        some[i] = pieces[i];
        if (some[i].iov_len > keep) {
            some[i].iov_len = keep;
        }
        keep -= some[i].iov_len;
    }
    return syscall(SYS_writev, fd, some, i);
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    REAL(writev);
    return is_standard(fd) || !hit_on(TLR_FAULT_WRITEV, fd)
               ? real(fd, pieces, count)
               : write_some(fd, pieces, (size_t)count);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    REAL(sendmsg);
    return !hit_on(TLR_FAULT_SENDMSG, fd)
               ? real(fd, message, flags)
               : write_some(fd, message->msg_iov, message->msg_iovlen);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    REAL(recvmsg);
    return hit_on(TLR_FAULT_RECVMSG, fd) ? fail() : real(fd, message, flags);
}

/* ---- descriptors ----------------------------------------------------- */

int epoll_create1(int flags)
{
    REAL(epoll_create1);
    return tlr_faults_hit(TLR_FAULT_EPOLL_CREATE) ? fail() : real(flags);
}

/*
 * A descriptor that is on the list already is never refused for want of memory:
 * the kernel looks for that first. Such a call does not count.
 */
static int add(int epoll, int fd, struct epoll_event *event,
               int (*real)(int, int, int, struct epoll_event *))
{
    int result = real(epoll, EPOLL_CTL_ADD, fd, event);

    if (result != 0 || !hit_on(is_socket(fd) ? TLR_FAULT_EPOLL_ADD
                                             : TLR_FAULT_EPOLL_ADD_OTHER,
                               fd)) {
        return result;
    }
    (void)real(epoll, EPOLL_CTL_DEL, fd, event);
    return fail();
}

int epoll_ctl(int epoll, int order, int fd, struct epoll_event *event)
{
    REAL(epoll_ctl);
    if (order == EPOLL_CTL_ADD) {
        return add(epoll, fd, event, real);
    }
    return hit_on(order == EPOLL_CTL_DEL ? TLR_FAULT_EPOLL_DEL
                                         : TLR_FAULT_EPOLL_MOD,
                  fd)
               ? fail()
               : real(epoll, order, fd, event);
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout)
{
    REAL(epoll_wait);
    return tlr_faults_hit(TLR_FAULT_EPOLL_WAIT)
               ? fail()
               : real(epoll, events, most, timeout);
}

int epoll_pwait(int epoll, struct epoll_event *events, int most, int timeout,
                const sigset_t *mask)
{
    REAL(epoll_pwait);
    return tlr_faults_hit(TLR_FAULT_EPOLL_WAIT)
               ? fail()
               : real(epoll, events, most, timeout, mask);
}

int eventfd(unsigned value, int flags)
{
    REAL(eventfd);
    return tlr_faults_hit(TLR_FAULT_EVENTFD) ? fail() : real(value, flags);
}

int pipe2(int fds[2], int flags)
{
    REAL(pipe2);
    return tlr_faults_hit(TLR_FAULT_PIPE) ? fail() : real(fds, flags);
}

int fcntl(int fd, int order, ...)
{
    va_list arguments;
    long argument;
    REAL(fcntl);

    va_start(arguments, order);
    argument = va_arg(arguments, long);
    va_end(arguments);
    return hit_on(TLR_FAULT_FCNTL, fd) ? fail() : real(fd, order, argument);
}

int fcntl64(int fd, int order, ...)
{
    va_list arguments;
    long argument;
    REAL(fcntl64);

    va_start(arguments, order);
    argument = va_arg(arguments, long);
    va_end(arguments);
    return hit_on(TLR_FAULT_FCNTL, fd) ? fail() : real(fd, order, argument);
}

int ioctl(int fd, unsigned long order, ...)
{
    va_list arguments;
    void *argument;
    REAL(ioctl);

    va_start(arguments, order);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    return hit_on(TLR_FAULT_IOCTL, fd) ? fail() : real(fd, order, argument);
}

/* On Linux the descriptor is gone whatever close() says. */
int close(int fd)
{
    REAL(close);
    if (is_standard(fd) || !hit_on(TLR_FAULT_CLOSE, fd)) {
        return real(fd);
    }
    (void)real(fd);
    return fail();
}

/* libuv closes by this one. */
long syscall(long number, ...)
{
    va_list list;
    long arguments[6];
    int i;
    REAL(syscall);

    va_start(list, number);
    for (i = 0; i < 6; i++) {
        arguments[i] = va_arg(list, long);
    }
    va_end(list);
    if (number == SYS_close && hit_on(TLR_FAULT_CLOSE, (int)arguments[0])) {
        (void)real(number, arguments[0]);
        return fail();
    }
    return real(number, arguments[0], arguments[1], arguments[2],
                arguments[3], arguments[4], arguments[5]);
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    int mode;
    REAL(open);

    va_start(arguments, flags);
    mode = va_arg(arguments, int);
    va_end(arguments);
    return tlr_faults_hit(TLR_FAULT_OPEN) ? fail() : real(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list arguments;
    int mode;
    REAL(open64);

    va_start(arguments, flags);
    mode = va_arg(arguments, int);
    va_end(arguments);
    return tlr_faults_hit(TLR_FAULT_OPEN) ? fail() : real(path, flags, mode);
}

/* ---- threads --------------------------------------------------------- */

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                   void *(*start)(void *), void *argument)
{
    REAL(pthread_create);
    return tlr_faults_hit(TLR_FAULT_THREAD)
               ? faults->error
               : real(thread, attributes, start, argument);
}

int pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr)
{
    REAL(pthread_mutex_init);
    return tlr_faults_hit(TLR_FAULT_MUTEX) ? faults->error : real(mutex, attr);
}

int pthread_rwlock_init(pthread_rwlock_t *lock,
                        const pthread_rwlockattr_t *attr)
{
    REAL(pthread_rwlock_init);
    return tlr_faults_hit(TLR_FAULT_RWLOCK) ? faults->error : real(lock, attr);
}

int pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr)
{
    REAL(pthread_cond_init);
    return tlr_faults_hit(TLR_FAULT_COND) ? faults->error : real(cond, attr);
}

int pthread_condattr_init(pthread_condattr_t *attr)
{
    REAL(pthread_condattr_init);
    return tlr_faults_hit(TLR_FAULT_CONDATTR) ? faults->error : real(attr);
}

int pthread_attr_init(pthread_attr_t *attr)
{
    REAL(pthread_attr_init);
    return tlr_faults_hit(TLR_FAULT_ATTR) ? faults->error : real(attr);
}

int pthread_attr_setstacksize(pthread_attr_t *attr, size_t size)
{
    REAL(pthread_attr_setstacksize);
    return tlr_faults_hit(TLR_FAULT_STACKSIZE) ? faults->error
                                               : real(attr, size);
}

/* ---- the beginning and the end ---------------------------------------- */

/* Below a number that no server of the sweep gets to. */
static int count_descriptors(void)
{
    int count = 0;
    int fd;

    for (fd = 0; fd < 512; fd++) {
        count += syscall(SYS_fcntl, fd, F_GETFD) != -1;
    }
    return count;
}

static void catch_abort(void)
{
    struct sigaction action = {.sa_handler = on_abort,
                               .sa_flags = (int)SA_RESETHAND};
    void *some[4];

    (void)backtrace(some, 4); /* its first call loads a library */
    (void)sigaction(SIGABRT, &action, NULL);
#ifndef TLR_FAULTS_NO_MEMORY /* else they are the sanitizer's */
    (void)sigaction(SIGSEGV, &action, NULL);
    (void)sigaction(SIGBUS, &action, NULL);
#endif
}

__attribute__((constructor)) static void begin(void)
{
    const char *variable = getenv(TLR_FAULTS_VARIABLE);
    int fd;
    void *mapped;

    paused = 1;
    catch_abort();
    if (variable != NULL) {
        fd = atoi(variable);
        mapped = mmap(NULL, sizeof(*faults), PROT_READ | PROT_WRITE,
                      MAP_SHARED, fd, 0);
        (void)syscall(SYS_close, fd);
        if (mapped != MAP_FAILED) {
            faults = mapped;
        }
    }
    descriptors = count_descriptors();
    paused = 0;
}

__attribute__((destructor)) static void end(void)
{
    paused = 1;
    faults->blocks = blocks;
    faults->descriptors = count_descriptors() - descriptors;
    faults->ended = 1;
}
