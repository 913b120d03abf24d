/* SPDX-License-Identifier: MIT */
/*
 * What the sweep (sweep.c) and the shim (shim.c) tell each other: one piece of
 * memory that both have mapped. The sweep fills in the plan before the server
 * starts; the shim counts, fails what the plan says, and leaves behind how the
 * server ended.
 */
#ifndef TLR_FAULTS_H
#define TLR_FAULTS_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * What can be made to fail. Calls on a socket and on libuv's own descriptors
 * (eventfd, pipes) are different things, and so are the orders of epoll_ctl().
 */
#define TLR_FAULT_FUNCTIONS(X)                                                 \
    X(NONE, "none")                                                            \
    X(ACCEPT, "accept4")                                                       \
    X(SOCKET, "socket")                                                        \
    X(BIND, "bind")                                                            \
    X(LISTEN, "listen")                                                        \
    X(CONNECT, "connect")                                                      \
    X(SHUTDOWN, "shutdown")                                                    \
    X(SETSOCKOPT, "setsockopt")                                                \
    X(GETSOCKOPT, "getsockopt")                                                \
    X(GETSOCKNAME, "getsockname")                                              \
    X(GETPEERNAME, "getpeername")                                              \
    X(EPOLL_CREATE, "epoll_create1")                                           \
    X(EPOLL_ADD, "epoll_ctl ADD, a socket")                                    \
    X(EPOLL_ADD_OTHER, "epoll_ctl ADD, another")                               \
    X(EPOLL_MOD, "epoll_ctl MOD")                                              \
    X(EPOLL_DEL, "epoll_ctl DEL")                                              \
    X(EPOLL_WAIT, "epoll_wait")                                                \
    X(EVENTFD, "eventfd")                                                      \
    X(PIPE, "pipe2")                                                           \
    X(FCNTL, "fcntl")                                                          \
    X(IOCTL, "ioctl")                                                          \
    X(CLOSE, "close")                                                          \
    X(OPEN, "open")                                                            \
    X(READ, "read")                                                            \
    X(WRITE, "write")                                                          \
    X(WRITEV, "writev")                                                        \
    X(SENDMSG, "sendmsg")                                                      \
    X(RECVMSG, "recvmsg")                                                      \
    X(READ_OTHER, "read, no socket")                                           \
    X(WRITE_OTHER, "write, no socket")                                         \
    X(THREAD, "pthread_create")                                                \
    X(MUTEX, "pthread_mutex_init")                                             \
    X(RWLOCK, "pthread_rwlock_init")                                           \
    X(COND, "pthread_cond_init")                                               \
    X(CONDATTR, "pthread_condattr_init")                                       \
    X(ATTR, "pthread_attr_init")                                               \
    X(STACKSIZE, "pthread_attr_setstacksize")                                  \
    X(MALLOC, "malloc")                                                        \
    X(CALLOC, "calloc")                                                        \
    X(REALLOC, "realloc")                                                      \
    X(MEMORY, "any of these three")                                            \
    X(ALLOCATOR, "tlr_options.allocator")

#define TLR_FAULT_ENUM(name, text) TLR_FAULT_##name,
enum tlr_fault_function { TLR_FAULT_FUNCTIONS(TLR_FAULT_ENUM) TLR_FAULT_COUNT };

enum tlr_fault_kind {
    TLR_FAULT_ERROR, /* nothing is done, and it fails */
    TLR_FAULT_DROP,  /* it is done, and what it gave is thrown away */
    TLR_FAULT_SHORT, /* only `keep` bytes of it are done */
    TLR_FAULT_LATE   /* it is done, and it fails (close) */
};

#define TLR_FAULT_HALF UINT32_MAX           /* for `keep` */
#define TLR_FAULT_LESS_ONE (UINT32_MAX - 1) /* likewise */

#define TLR_FAULT_FRAMES 24
#define TLR_FAULT_PORTS 8

struct tlr_fault_frame {
    char module[128];
    char symbol[64]; /* the nearest that the module exports */
    uint64_t offset; /* in the module */
};

struct tlr_fault_stack {
    uint32_t count;
    struct tlr_fault_frame frames[TLR_FAULT_FRAMES];
};

struct tlr_faults {
    /* the plan */
    uint32_t function; /* enum tlr_fault_function */
    uint32_t from;     /* its calls from this one on, counted from 1 */
    uint32_t to;       /* to this one */
    uint32_t kind;     /* enum tlr_fault_kind */
    int32_t error;     /* errno */
    uint32_t keep;
    /* what came of it */
    _Atomic uint32_t calls[TLR_FAULT_COUNT];
    _Atomic uint32_t fired;                  /* so many calls failed */
    _Atomic uint32_t ports[TLR_FAULT_PORTS]; /* of the peers they were about */
    _Atomic uint32_t ended;                  /* by exit() */
    _Atomic uint32_t aborted;
    int32_t descriptors; /* at the end, more than at the start */
    int32_t blocks;      /* of memory, at the end */
    struct tlr_fault_stack fault; /* of the first call that failed */
    struct tlr_fault_stack death; /* of abort() */
};

#define TLR_FAULTS_VARIABLE "TLR_FAULTS" /* its descriptor */

/*
 * What the shim has for the server that it is in; found by dlsym(). The first
 * counts a call of `function` and says whether it has to fail, the second makes
 * this thread's calls not count (1) or count (0).
 */
typedef int (*tlr_faults_hit_fn)(unsigned function);
typedef void (*tlr_faults_pause_fn)(int on);

#endif
