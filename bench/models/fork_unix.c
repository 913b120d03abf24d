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
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct model model = {
    .name = "model_fork",
    .summary = "An echo server with a process for each connection.",
};

static int listener;

static void wake(void)
{
    (void)shutdown(listener, SHUT_RDWR);
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

/* Ends with its parent: by SIGTERM, as anybody may end it. _exit, since what is
 * to be done at the parent's end is not for it. */
static _Noreturn void be_child(int conn, unsigned delay, pid_t parent)
{
    sigset_t none;
    (void)sigemptyset(&none); /* none of these can fail */
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    (void)close(listener);
    if (getppid() == parent) { /* else it has just gone */
        serve(conn, delay);
    }
    _exit(TLR_CLI_STATUS_OK);
}

/* ---- the parent ---- */

/* Returns whether there was a process to have. */
static bool spawn(int conn, unsigned delay)
{
    pid_t self = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        be_child(conn, delay, self);
    }
    return pid > 0;
}

static void accept_all(const struct model_options *options)
{
    while (!model_stopping()) {
        int conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        bool well = conn >= 0 ? spawn(conn, model_delay(options))
                              : model_accept_again(errno);
        if (conn >= 0) {
            (void)close(conn); /* the child has its own */
        }
        if (!well && !model_stopping()) {
            uv_sleep(MODEL_PAUSE_MS);
        }
    }
}

/* Not left to the kernel (SIG_IGN), which would then add none of the time that
 * they took to the parent's account; and on a thread, as it may come at any time
 * while the other one waits in accept(). */
static void *reap(void *signals)
{
    int number;
    while (sigwait(signals, &number) == 0) {
        while (waitpid(-1, NULL, WNOHANG) > 0) { /* however they ended */
        }
    }
    return NULL;
}

/* For all threads, before there are others: who does not wait for it would lose it. */
static void block_signal(sigset_t *signals)
{
    (void)sigemptyset(signals); /* these cannot fail for SIGCHLD */
    (void)sigaddset(signals, SIGCHLD);
    (void)pthread_sigmask(SIG_BLOCK, signals, NULL); /* inherited */
}

/* Returns false if there is no thread to have. */
static bool reap_children(sigset_t *signals)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, reap, signals) != 0) {
        return false;
    }
    (void)pthread_detach(thread); /* ours: cannot fail */
    return true;
}

int main(int argc, char **argv)
{
    static sigset_t signals; /* the thread's, to the very end */
    struct model_options options;
    int status;
    if (!model_begin(&model, argc, argv, &options, &status)) {
        return status;
    }
    if (!model_listen(&options, 0, &listener)) {
        return TLR_CLI_STATUS_FAILURE;
    }
    block_signal(&signals);
    model_on_stop(wake); /* first, for its signals are not for other threads */
    if (!reap_children(&signals)) {
        return TLR_CLI_STATUS_FAILURE;
    }
    model_announce(&options);
    accept_all(&options);
    (void)close(listener);
    return model_end();
}
