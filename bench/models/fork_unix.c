/* SPDX-License-Identifier: MIT */
/*
 * A process for each connection: the parent accepts and forks, the child serves
 * its one connection with blocking calls and ends.
 *
 * Serves well: a few long sessions that must not share memory, or that have
 * rights of their own (sshd, inetd's services); a child that crashes takes
 * nobody with it. Ends: with short sessions, whose fork costs more than all they
 * do, and with many, by the memory and the time to switch between processes.
 *
 * From: Stevens, Fenner, Rudoff, "UNIX Network Programming", volume 1,
 * concurrent servers.
 */
#include "model.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct model model = {
    .name = "model_fork",
    .summary = "An echo server with a process for each connection.",
};

/* A child's connection, or the parent's listener: to be shut down at the end. */
static atomic_int current = -1;

/* The children that live. Changed by reap(), and by spawn() while signals
 * are blocked. */
static pid_t *children;
static size_t child_count;
static size_t child_room;

static void wake(void)
{
    (void)shutdown(atomic_load(&current), SHUT_RDWR);
}

static void forget(pid_t pid)
{
    for (size_t i = 0; i < child_count; i++) {
        if (children[i] == pid) {
            children[i] = children[--child_count];
            return;
        }
    }
}

/* Signals do not queue: one may stand for several children. */
static void reap(int number)
{
    int saved = errno;
    pid_t pid;
    (void)number;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
        forget(pid);
    }
    errno = saved;
}

static bool make_room(void)
{
    if (child_count == child_room) {
        size_t room = child_room > 0 ? 2 * child_room : 64;
        pid_t *more = realloc(children, room * sizeof(*more));
        if (more == NULL) {
            return false;
        }
        children = more;
        child_room = room;
    }
    return true;
}

/* ---- the child ---- */

/* A blocking socket takes all, unless something is wrong: but a signal may cut
 * a write short that has begun. */
static bool write_all(int conn, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(conn, bytes, size);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        if (written > 0) {
            bytes += written;
            size -= (size_t)written;
        }
    }
    return true;
}

/* Until the peer's end, or an error. */
static void serve(int conn, unsigned delay)
{
    static char buffer[MODEL_BUFFER];
    for (;;) {
        ssize_t size = read(conn, buffer, sizeof(buffer));
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size <= 0) {
            return;
        }
        model_work(delay);
        if (!write_all(conn, buffer, (size_t)size)) {
            return;
        }
    }
}

/* _exit: what the parent has buffered, or wants done at its end, is its own. */
static _Noreturn void be_child(
    int listener, int conn, unsigned delay, const sigset_t *signals)
{
    atomic_store(&current, conn);
    (void)sigprocmask(SIG_SETMASK, signals, NULL);
    (void)close(listener);
    if (!model_stopping()) { /* the parent was asked before it forked */
        serve(conn, delay);
    }
    _exit(TLR_CLI_STATUS_OK);
}

/* ---- the parent ---- */

/* Returns whether there was a process to have. No signal comes in between: the
 * table is whole when reap() looks at it, and a child that is asked to stop does
 * not take the parent's listener for its own connection. */
static bool spawn(int listener, int conn, unsigned delay)
{
    sigset_t all;
    sigset_t before;
    pid_t pid = -1;
    (void)sigfillset(&all); /* none of these can fail */
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    if (make_room()) {
        pid = fork();
        if (pid == 0) {
            be_child(listener, conn, delay, &before);
        }
        if (pid > 0) {
            children[child_count++] = pid;
        }
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return pid > 0;
}

/* Each child is asked, as the parent was, and waited for. */
static void end_children(void)
{
    (void)signal(SIGCHLD, SIG_DFL); /* reap() would change the table */
    for (size_t i = 0; i < child_count; i++) {
        (void)kill(children[i], SIGTERM); /* ours until it is waited for */
    }
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {
    }
    free(children);
    children = NULL;
    child_count = 0;
}

static void accept_all(int listener, const struct model_options *options)
{
    while (!model_stopping()) {
        int conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        bool well = conn >= 0 ? spawn(listener, conn, model_delay(options))
                              : model_accept_again(errno);
        if (conn >= 0) {
            (void)close(conn); /* the child has its own */
        }
        if (!well && !model_stopping()) {
            uv_sleep(MODEL_PAUSE_MS);
        }
    }
}

int main(int argc, char **argv)
{
    struct sigaction action = {
        .sa_handler = reap, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
    struct model_options options;
    int listener;
    int status;
    if (!model_begin(&model, argc, argv, &options, &status)) {
        return status;
    }
    if (!model_listen(&options, 0, &listener)) {
        return TLR_CLI_STATUS_FAILURE;
    }
    atomic_store(&current, listener);
    (void)sigaction(SIGCHLD, &action, NULL); /* fails for a signal unknown */
    model_on_stop(wake);
    model_announce(&options);
    accept_all(listener, &options);
    end_children();
    (void)close(listener);
    return model_end();
}
