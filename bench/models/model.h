/* SPDX-License-Identifier: MIT */
/*
 * What the models share: programs that do one thing, to send back what they
 * get, each in another way of serving and in the plain API of its platform. The
 * rest of a model is in its one file, to be read in one sitting.
 *
 *     static const struct model model = {.name = "model_iterative", ...};
 *
 *     int main(int argc, char **argv)
 *     {
 *         struct model_options options;
 *         uv_os_sock_t listener;
 *         int status;
 *
 *         if (!model_begin(&model, argc, argv, &options, &status)) {
 *             return status;
 *         }
 *         if (!model_listen(&options, 0, &listener)) {
 *             return TLR_CLI_STATUS_FAILURE;
 *         }
 *         model_on_stop(wake);
 *         model_announce(&options);
 *         ... serve until model_stopping(), release everything ...
 *         return model_end();
 *     }
 *
 * The rules for all of them, which tests/test_models.c holds them to:
 *
 * - Each byte comes back as it came, also when the kernel takes a write in
 *   parts. A peer that does not read is not read from: what a connection holds
 *   is bounded by one read buffer. The reads of io_uring go on by themselves
 *   until they are cancelled: there it is two of them and what the kernel has
 *   received by then, which may be megabytes.
 * - After the peer's end all that it is owed is written out, then the
 *   connection is closed. An error of a connection ends that connection only.
 * - An accept that fails because of its peer (model_accept_again()) is tried
 *   again at once. One that fails otherwise (EMFILE, ENFILE, ENOMEM, ENOBUFS)
 *   is tried again after MODEL_PAUSE_MS: a model that blocks sleeps, one that
 *   waits for readiness leaves the listener out of its set for that time (struct
 *   model_pause).
 * - Signals interrupt nothing, and nobody dies of SIGPIPE.
 * - Asked to stop, a model ends within a second with status 0, and has released
 *   all memory and all descriptors; connections that are open then are closed.
 * - The handler of the first connection takes --slow MS for each read before it
 *   answers: blocking work that holds up whoever waits for its thread.
 * - A model that has --balance counts the connections of each of its threads.
 */
#ifndef TLR_BENCH_MODEL_H
#define TLR_BENCH_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#include "cli/options.h" /* TLR_CLI_STATUS_OK and its kin */

enum {
    MODEL_BACKLOG = 4096,  /* the kernel takes as much of it as it allows */
    MODEL_BUFFER = 65536,  /* bytes of one read */
    MODEL_PAUSE_MS = 50,   /* after an accept that has failed */
    MODEL_THREADS_MOST = 1024
};

/* For `threads` of struct model: as many as the process may use CPUs. */
#define MODEL_CPUS (MODEL_THREADS_MOST + 1u)

/* What a program tells of itself. */
struct model {
    const char *name;    /* "model_epoll", as messages begin */
    const char *summary; /* a sentence or two at the top of the help */
    unsigned threads;    /* the default; 0: there is no --threads */
    /* For who has threads that have connections of their own: the ways to share
     * these out, values of --balance, the default first, then NULL. NULL: there
     * is no --balance. */
    const char *const *balances;
};

struct model_options {
    struct sockaddr_storage address; /* once it listens: with its port */
    unsigned threads;                /* at least 1 */
    unsigned slow_ms;                /* 0 to 10000; see model_delay() */
    unsigned balance;                /* index in `balances` of struct model */
};

/* ---- model.c: the same everywhere ---- */

/*
 * Reads --listen HOST:PORT (127.0.0.1:7007), --threads N and --balance WAY where
 * the model has them, --slow MS, --help. True: go on. False: leave with *status; what there
 * was to say has been said. SIGPIPE is ignored, and as many descriptors are
 * allowed as may be, from here on. `model` is borrowed for good.
 */
bool model_begin(const struct model *model, int argc, char *const *argv,
    struct model_options *options, int *status);

/* Prints "listening on 127.0.0.1:PORT" from options->address, and flushes. */
void model_announce(const struct model_options *options);

/* Prints "model_x: what: the error's text (ITS_NAME)" on stderr for a UV_E*
 * code. Returns TLR_CLI_STATUS_FAILURE. Any thread. */
int model_fail(const char *what, int err);

/*
 * To be called once for each connection, in the order of accepting: how many
 * milliseconds its handler takes for each read. That is slow_ms for the first
 * one and 0 for all others. Any thread.
 */
unsigned model_delay(const struct model_options *options);

/* The work of a handler that takes `ms`: blocks the calling thread, which uses
 * no CPU for it. Returns at once for 0, and early once model_stopping(). Any
 * thread. */
void model_work(unsigned ms);

/*
 * To be called for each connection that thread number `thread`, from 0, has
 * taken, and for each that it has closed, by that thread. How many each has open
 * model_tell_open() prints, how many it has taken in all model_end().
 */
void model_opened(unsigned thread);
void model_closed(unsigned thread);

/* Prints "open by thread: 3 2 ...", if there is a --balance. Any thread. */
void model_tell_open(void);

/* When to look at the listener again after an accept has failed. All zeroes:
 * there is no pause. One thread's. */
struct model_pause {
    uint64_t until; /* by uv_hrtime(), or 0 */
};

/* MODEL_PAUSE_MS from now on. */
void model_pause_begin(struct model_pause *pause);

/* For poll() and its kin: milliseconds that are left, at least 1, or -1 if there
 * is no pause. */
int model_pause_timeout(const struct model_pause *pause);

/* True once, when a pause's time has come: then there is none any more. */
bool model_pause_over(struct model_pause *pause);

/*
 * For who waits until a socket is ready: what a connection is owed since the
 * kernel has not taken all of an answer. All zeroes: nothing. Who is owed
 * something waits to be written to, and is not read from.
 */
struct model_rest {
    char *bytes; /* from malloc, or NULL; whoever closes frees it */
    size_t begin;
    size_t end;
};

/*
 * Writes, without blocking, to who is owed nothing; what the kernel does not take
 * is copied to `rest`. False: the connection is broken, or there is no memory.
 */
bool model_write(uv_os_sock_t sock, const char *bytes, size_t size,
    struct model_rest *rest);

/* Writes more of it, and frees it when all of it is written. False: the
 * connection is broken. */
bool model_write_rest(uv_os_sock_t sock, struct model_rest *rest);

/* Prints "taken by thread: 13 12 ...", if there is a --balance, and "stopped" as
 * the program's last word. Returns TLR_CLI_STATUS_OK. */
int model_end(void);

/* ---- model_unix.c, model_win.c ---- */

/* For `flags` of model_listen(). */
enum {
    MODEL_NONBLOCKING = 1, /* the listening socket only */
    MODEL_SHARED = 2 /* further sockets may listen at the same address, and the
                        kernel shares connections out (SO_REUSEPORT): the first
                        call finds the port, the next ones use it. Linux only:
                        UV_ENOTSUP elsewhere */
};

/*
 * Gives a socket that listens at options->address, which gets the port that it
 * has. Not inheritable. What is accepted from it has TCP_NODELAY, where a
 * system hands that down (Linux does). On Windows it is fit for overlapped
 * operations. False: it has said why.
 */
bool model_listen(
    struct model_options *options, unsigned flags, uv_os_sock_t *listener);

/*
 * From now on SIGTERM and SIGINT (Windows: Ctrl-C, Ctrl-Break) do not end the
 * process: the first of them has model_stopping() say true and calls `wake`,
 * once, on a thread that is not the model's; what it uses must be ready by now.
 * It may do what any thread may, but not ask for model_stopping(). On Unix this is
 * to be called before the model starts threads, for these are to leave the signals
 * to that one; a child has them blocked, and as they were otherwise. There each
 * SIGUSR1 has model_tell_open() called, too.
 */
void model_on_stop(void (*wake)(void));

/* Whether it was asked to stop. From when it says true `wake` has returned: what
 * that uses may be released. Any thread. */
bool model_stopping(void);

/* Writes without blocking. Returns how many bytes the kernel has taken, which may
 * be 0, or -1 if the connection is broken. */
ptrdiff_t model_write_some(uv_os_sock_t sock, const char *bytes, size_t size);

/* Whether an accept that failed with this code, errno or WSAGetLastError(), is
 * to be tried again at once: it was the peer's doing, or a signal's. */
bool model_accept_again(int error);

#endif
