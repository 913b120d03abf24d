/* SPDX-License-Identifier: MIT */
/*
 * See judge.h. An abort() is judged by its stack: that of the first function
 * behind abort() itself. If it is one of libuv's it was libuv that gave up, and
 * then it must be in a place where the library has no say.
 */
#include "judge.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define ERROR(function, error, loses)                                          \
    {TLR_FAULT_##function, TLR_FAULT_ERROR, error, 0, 1, loses, 0, #error}
#define ROW(function, error, times, loses)                                     \
    {TLR_FAULT_##function, TLR_FAULT_ERROR, error, 0, times, loses, 0,         \
     #error " * " #times}
#define ABORTS(function, error, loses, aborts)                                 \
    {TLR_FAULT_##function, TLR_FAULT_ERROR, error, 0, 1, loses,                \
     ABORTS_##aborts, #error}
#define DROP(error)                                                            \
    {TLR_FAULT_ACCEPT, TLR_FAULT_DROP, error, 0, 1, 1, 0, #error ", dropped"}
#define SHORT(function, keep, name)                                            \
    {TLR_FAULT_##function, TLR_FAULT_SHORT, EAGAIN, keep, 1, 0, 0, name}

const struct fault faults[] = {
    ERROR(ACCEPT, EMFILE, 0),
    ERROR(ACCEPT, ENFILE, 0),
    ERROR(ACCEPT, ENOBUFS, 0),
    ERROR(ACCEPT, ENOMEM, 0),
    ERROR(ACCEPT, EINTR, 0),
    ERROR(ACCEPT, EAGAIN, 0),
    ERROR(ACCEPT, ENETDOWN, 0),
    ERROR(ACCEPT, EIO, 0), /* one that nobody knows */
    ROW(ACCEPT, EMFILE, 4, 0),
    DROP(ECONNABORTED),
    DROP(EPROTO),
    DROP(EPERM),
    ERROR(SOCKET, EMFILE, 1),
    ERROR(SOCKET, ENOBUFS, 1),
    ERROR(BIND, EADDRINUSE, 0),
    ERROR(LISTEN, EADDRINUSE, 0),
    ERROR(CONNECT, ECONNREFUSED, 1),
    ERROR(CONNECT, EADDRNOTAVAIL, 1),
    ERROR(CONNECT, EINTR, 0),
    ERROR(SHUTDOWN, ENOTCONN, 1),
    ERROR(SETSOCKOPT, ENOBUFS, 1),
    ERROR(GETSOCKOPT, ENOBUFS, 1),
    ERROR(GETSOCKNAME, ENOBUFS, 0),
    ERROR(GETPEERNAME, ENOTCONN, 1),
    ERROR(EPOLL_CREATE, EMFILE, 0),
    ERROR(EPOLL_CREATE, ENOMEM, 0),
    ABORTS(EPOLL_ADD, ENOMEM, 1, STARTING),
    ABORTS(EPOLL_ADD, ENOSPC, 1, STARTING),
    /* A loop's own, at its first turn; a worker's may be late. */
    {TLR_FAULT_EPOLL_ADD_OTHER, TLR_FAULT_ERROR, ENOMEM, 0, 1, 0,
     ABORTS_STARTING | ABORTS_SERVING, "ENOMEM"},
    /* The kernel never says so: it needs no memory for that. */
    {TLR_FAULT_EPOLL_MOD, TLR_FAULT_ERROR, ENOMEM, 0, 1, 1,
     ABORTS_STARTING | ABORTS_SERVING, "ENOMEM"},
    ABORTS(EPOLL_DEL, ENOENT, 0, STARTING),
    ERROR(EPOLL_WAIT, EINTR, 0),
    ERROR(EVENTFD, EMFILE, 0),
    ERROR(EVENTFD, ENOMEM, 0),
    ABORTS(PIPE, EMFILE, 0, STARTING),
    ERROR(FCNTL, EMFILE, 1),
    ERROR(IOCTL, EINTR, 0),
    ERROR(IOCTL, ENOTTY, 1),
    {TLR_FAULT_CLOSE, TLR_FAULT_LATE, EINTR, 0, 1, 0, 0, "EINTR"},
    {TLR_FAULT_CLOSE, TLR_FAULT_LATE, EIO, 0, 1, 0, ABORTS_STARTING, "EIO"},
    ERROR(OPEN, EMFILE, 0),
    ERROR(READ, EINTR, 0),
    ERROR(READ, EAGAIN, 0),
    ERROR(READ, ECONNRESET, 1),
    ERROR(READ, ETIMEDOUT, 1),
    SHORT(READ, 1, "1 byte"),
    SHORT(READ, TLR_FAULT_HALF, "half"),
    ERROR(WRITE, EINTR, 0),
    ERROR(WRITE, EAGAIN, 0),
    ERROR(WRITE, ENOBUFS, 0),
    ROW(WRITE, EAGAIN, 5, 0),
    ERROR(WRITE, ECONNRESET, 1),
    ERROR(WRITE, EPIPE, 1),
    SHORT(WRITE, 1, "1 byte"),
    SHORT(WRITE, TLR_FAULT_HALF, "half"),
    SHORT(WRITE, TLR_FAULT_LESS_ONE, "all but 1"),
    ERROR(WRITEV, EINTR, 0),
    ERROR(WRITEV, EAGAIN, 0),
    ERROR(WRITEV, ECONNRESET, 1),
    SHORT(WRITEV, 1, "1 byte"),
    SHORT(WRITEV, TLR_FAULT_HALF, "half"),
    SHORT(WRITEV, TLR_FAULT_LESS_ONE, "all but 1"),
    ERROR(SENDMSG, EAGAIN, 0),
    SHORT(SENDMSG, 1, "1 byte"),
    ERROR(RECVMSG, EINTR, 0),
    ERROR(READ_OTHER, EINTR, 0),
    /* The pipe that is libuv's lock for signals blocks, and so never says it:
     * when the program begins to watch them, and when it ends. */
    {TLR_FAULT_READ_OTHER, TLR_FAULT_ERROR, EAGAIN, 0, 1, 0,
     ABORTS_STARTING | ABORTS_SERVING, "EAGAIN"},
    {TLR_FAULT_READ_OTHER, TLR_FAULT_ERROR, EIO, 0, 1, 0,
     ABORTS_STARTING | ABORTS_SERVING, "EIO"},
    /* Not EAGAIN: an eventfd says that only when it wakes its reader anyway. */
    ERROR(WRITE_OTHER, EINTR, 0),
    {TLR_FAULT_WRITE_OTHER, TLR_FAULT_ERROR, EIO, 0, 1, 0,
     ABORTS_STARTING | ABORTS_SERVING, "EIO"},
    ERROR(THREAD, EAGAIN, 0),
    ERROR(MUTEX, ENOMEM, 0),
    ABORTS(RWLOCK, ENOMEM, 0, STARTING),
    ABORTS(COND, ENOMEM, 0, STARTING),
    ABORTS(CONDATTR, ENOMEM, 0, STARTING),
    ABORTS(ATTR, ENOMEM, 0, STARTING),
    ABORTS(STACKSIZE, EINVAL, 0, STARTING),
    ABORTS(MALLOC, ENOMEM, 1, STARTING),
    ABORTS(CALLOC, ENOMEM, 1, STARTING),
    ABORTS(REALLOC, ENOMEM, 1, STARTING),
    ERROR(ALLOCATOR, ENOMEM, 1),
    /* What is left of a limit of n descriptors. */
    ABORTS(NONE, EMFILE, PEERS, STARTING),
};

const unsigned fault_count = sizeof(faults) / sizeof(faults[0]);

#define TEXT(name, text) text,

const char *fault_function(enum tlr_fault_function function)
{
    static const char *const names[] = {TLR_FAULT_FUNCTIONS(TEXT)};

    return names[function];
}

/* ---- one case ---------------------------------------------------------- */

#define COMPLAIN(outcome, ...)                                                 \
    (void)snprintf((outcome)->complaint, sizeof((outcome)->complaint),         \
                   __VA_ARGS__)

/* Whether the call that failed was about this connection. */
static bool is_blamed(const struct server *server,
                      const struct clients *clients, const struct peer *peer)
{
    unsigned i;

    for (i = 0; i < TLR_FAULT_PORTS; i++) {
        unsigned port = server->faults->ports[i];

        if (port != 0 && (port == peer->port ||
                          (peer->way == WAY_OUTBOUND &&
                           port == clients->listener_port))) {
            return true;
        }
    }
    /* A call that was about none: it may have been about any. */
    return server->faults->ports[0] == 0;
}

static void judge_connections(const struct fault *fault,
                              const struct server *server,
                              const struct clients *clients,
                              struct outcome *outcome)
{
    unsigned i;

    for (i = 0; i < PEERS; i++) {
        const struct peer *peer = &clients->peers[i];

        if (peer->state == PEER_WRONG) {
            COMPLAIN(outcome, "connection %u got a wrong byte after %zu", i,
                     peer->received);
            return;
        }
        if (peer->state != PEER_GOOD) {
            outcome->lost++;
            if (!is_blamed(server, clients, peer)) {
                COMPLAIN(outcome, "connection %u was not hit, and got %zu "
                                  "bytes of %zu",
                         i, peer->received, peer->size);
                return;
            }
        }
    }
    if (outcome->lost > fault->loses) {
        COMPLAIN(outcome, "%u connections are lost, not %u", outcome->lost,
                 fault->loses);
    }
}

static void judge_rest(const struct normal *normal,
                       const struct server *server, struct outcome *outcome)
{
    const struct tlr_faults *left = server->faults;
    /* libuv's, of a failed uv_loop_init(); the program ends then. */
    int forgotten = server->config->echo && outcome->failed_start;

    if (!left->ended) {
        COMPLAIN(outcome, "it did not end by exit()");
    } else if (left->descriptors > normal->descriptors + forgotten) {
        COMPLAIN(outcome, "%d descriptors are left",
                 left->descriptors - normal->descriptors);
    } else if (left->blocks > normal->blocks) {
        COMPLAIN(outcome, "%d blocks of memory are left",
                 left->blocks - normal->blocks);
    }
}

/*
 * The code that the program is told is that of the call; but pthread_create()
 * says EAGAIN when it has no memory.
 */
static bool tells_error(const struct fault *fault, const struct server *server)
{
    size_t length = strlen(server->failed);

    return server->config->echo ||
           (length > 0 && strncmp(fault->name, server->failed, length) == 0) ||
           (fault->function == TLR_FAULT_CALLOC &&
            strcmp(server->failed, "EAGAIN") == 0);
}

static void judge_start(const struct fault *fault, const struct server *server,
                        struct outcome *outcome)
{
    int status = WEXITSTATUS(server->status);

    outcome->failed_start = true;
    if (!outcome->fired) {
        COMPLAIN(outcome, "it did not start, with nothing the matter: %s",
                 server->failed);
    } else if (status != (server->config->echo ? 1 : 3)) {
        COMPLAIN(outcome, "the start failed with status %d", status);
    } else if (!tells_error(fault, server)) {
        COMPLAIN(outcome, "the start failed with \"%s\"", server->failed);
    }
}

void judge(const struct fault *fault, const struct normal *normal,
           const struct server *server, const struct clients *clients,
           bool hung, struct outcome *outcome)
{
    memset(outcome, 0, sizeof(*outcome));
    outcome->fired =
        server->faults->fired > 0 || fault->function == TLR_FAULT_NONE;
    if (hung) {
        COMPLAIN(outcome, "it hangs");
        return;
    }
    if (server->faults->aborted) {
        return; /* see judge_death() */
    }
    if (!WIFEXITED(server->status)) {
        COMPLAIN(outcome, "it was ended by signal %d",
                 WTERMSIG(server->status));
        return;
    }
    if (!server->ready) {
        judge_start(fault, server, outcome);
    } else {
        judge_connections(fault, server, clients, outcome);
        if (outcome->complaint[0] == '\0' &&
            WEXITSTATUS(server->status) != 0) {
            COMPLAIN(outcome, "status %d", WEXITSTATUS(server->status));
        }
    }
    if (outcome->complaint[0] == '\0') {
        judge_rest(normal, server, outcome);
    }
}

/* ---- stacks ------------------------------------------------------------ */

bool same_death(const struct death *a, const struct death *b)
{
    uint32_t i;

    if (a->fault != b->fault || a->serving != b->serving ||
        a->stack.count != b->stack.count) {
        return false;
    }
    for (i = 0; i < a->stack.count; i++) {
        if (a->stack.frames[i].offset != b->stack.frames[i].offset) {
            return false;
        }
    }
    return true;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

/* "function at file:line", or what the module's own table says. */
static void name_frame(const struct tlr_fault_frame *frame, char *text,
                       size_t size)
{
    char command[256];
    FILE *pipe;

    (void)snprintf(command, sizeof(command),
                   "addr2line -fpe '%s' 0x%llx 2>/dev/null", frame->module,
                   (unsigned long long)frame->offset - 1);
    pipe = popen(command, "r");
    if (pipe == NULL || fgets(text, (int)size, pipe) == NULL) {
        text[0] = '\0';
    }
    if (pipe != NULL) {
        (void)pclose(pipe);
    }
    text[strcspn(text, "\n")] = '\0';
    if (text[0] == '\0' || text[0] == '?') {
        (void)snprintf(text, size, "%s+0x%llx%s%s", base_name(frame->module),
                       (unsigned long long)frame->offset,
                       frame->symbol[0] != '\0' ? " near " : "",
                       frame->symbol);
    }
}

static bool is_in(const struct tlr_fault_frame *frame, const char *module)
{
    return strstr(base_name(frame->module), module) != NULL;
}

/* The machinery of signals and of abort() itself. */
static bool is_machinery(const struct tlr_fault_frame *frame)
{
    return is_in(frame, "libteller_faults") || is_in(frame, "libc.so") ||
           is_in(frame, "libasan") || is_in(frame, "libubsan") ||
           is_in(frame, "libtsan") || is_in(frame, "libpthread");
}

static bool is_libuvs(const struct tlr_fault_frame *frame, const char *text)
{
    return is_in(frame, "libuv.so") ||
           strstr(text, "/src/unix/") != NULL ||
           strstr(text, "/src/uv-common.c") != NULL;
}

bool judge_death(const struct death *death)
{
    const struct tlr_fault_stack *stack = &death->stack;
    unsigned allowed = death->serving ? ABORTS_SERVING : ABORTS_STARTING;
    bool found = false;
    bool libuvs = false;
    uint32_t i;

    for (i = 0; i < stack->count; i++) {
        char text[512];

        if (!found && is_machinery(&stack->frames[i])) {
            continue;
        }
        name_frame(&stack->frames[i], text, sizeof(text));
        if (!found) {
            libuvs = is_libuvs(&stack->frames[i], text);
            found = true;
        }
        printf("      %s\n", text);
    }
    return libuvs && (death->fault->aborts & allowed) != 0;
}
