/* SPDX-License-Identifier: MIT */
/*
 * teller: a TCP server on a pool of libuv loops, one loop per thread.
 *
 * A server listens on the *host loop* (a loop that the program runs itself)
 * and shares the accepted connections out over its workers. A connection
 * stays on its worker for life: all of its callbacks run on that worker's
 * thread, one at a time.
 *
 * Reading and writing are asked for one at a time, and each completes exactly
 * once, through the handler; nothing is read that was not asked for, which is
 * the backpressure. The smallest server is four functions:
 *
 *     static void on_open(struct tlr_conn *conn)
 *     {
 *         (void)tlr_read(conn);            // cannot fail on a new connection
 *     }
 *
 *     static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
 *     {
 *         if (nread < 0 || tlr_write(conn, data, (size_t)nread) != 0) {
 *             tlr_close(conn);             // end of the stream, or an error
 *         }
 *     }
 *
 *     static void on_write(struct tlr_conn *conn, int status)
 *     {
 *         if (status != 0 || tlr_read(conn) != 0) {
 *             tlr_close(conn);
 *         }
 *     }
 *
 *     int main(void)
 *     {
 *         struct tlr_options options;
 *         struct tlr_server *server;
 *         struct sockaddr_in address;
 *         int err;
 *
 *         tlr_options_init(&options);
 *         options.handler.on_open = on_open;
 *         options.handler.on_read = on_read;
 *         options.handler.on_write = on_write;
 *         uv_ip4_addr("127.0.0.1", 7007, &address);
 *         err = tlr_server_create(&server, uv_default_loop(), &options);
 *         if (err == 0) {
 *             err = tlr_server_listen(server, (struct sockaddr *)&address, 0);
 *         }
 *         if (err == 0) {
 *             err = tlr_server_start(server);
 *         }
 *         return err == 0 ? uv_run(uv_default_loop(), UV_RUN_DEFAULT) : 1;
 *     }
 *
 * Errors are libuv's: a function returns 0 or a negative UV_E* code.
 *
 * Contracts. Calling a function on a thread other than the one that its
 * comment names, or with a handle that has ended, is a fault of the program;
 * where the library notices it aborts, as assert() does. It installs no signal
 * handler, never exits, prints nothing else, and has no global state.
 */
#ifndef TLR_TELLER_H
#define TLR_TELLER_H

#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * For a DLL. The build of one defines TLR_BUILDING_SHARED, a program that uses
 * it TLR_USING_SHARED; teller's CMake package and teller.pc do so by
 * themselves. Neither is for other systems.
 */
#if defined(TLR_BUILDING_SHARED)
#define TLR_EXTERN __declspec(dllexport)
#elif defined(TLR_USING_SHARED)
#define TLR_EXTERN __declspec(dllimport)
#elif defined(__GNUC__)
#define TLR_EXTERN __attribute__((visibility("default")))
#else
#define TLR_EXTERN
#endif

#define TLR_VERSION_MAJOR 0
#define TLR_VERSION_MINOR 1
#define TLR_VERSION_PATCH 0
#define TLR_VERSION_HEX                                                        \
    ((TLR_VERSION_MAJOR << 16) | (TLR_VERSION_MINOR << 8) | TLR_VERSION_PATCH)

/* The version of the library that runs, as TLR_VERSION_HEX. Any thread. */
TLR_EXTERN unsigned tlr_version(void);

struct tlr_server;
struct tlr_conn;

/*
 * Memory. Every byte that the library allocates comes through these four;
 * libuv's own memory does not. They are called from every worker's thread and
 * from the host's, so they have to be thread-safe. Their contracts are those
 * of the C library, with `user` added. Either all four are set or none
 * (then the C library's are used).
 */
struct tlr_allocator {
    void *(*malloc)(size_t size, void *user);
    void *(*calloc)(size_t count, size_t size, void *user);
    void *(*realloc)(void *memory, size_t size, void *user);
    void (*free)(void *memory, void *user);
    void *user;
};

/* Why a connection ended; see on_close, and the counters. */
enum tlr_cause {
    TLR_CLOSED_BY_PEER = 0, /* closed by the handler after the peer's end */
    TLR_CLOSED_BY_HANDLER,  /* tlr_close() before the peer's end */
    TLR_CLOSED_BY_RESET,    /* tlr_reset() */
    TLR_CLOSED_BY_ERROR,    /* a read or a write failed (ECONNRESET, …) */
    TLR_CLOSED_BY_STOP,     /* still open when the server had to stop */
    TLR_CAUSES              /* how many there are */
};

/*
 * What a program does with its connections. Every function runs on the
 * connection's worker's thread, never inside the call that asked for the
 * operation, and never while another callback of that worker runs.
 */
struct tlr_handler {
    /* The connection is open. Usually calls tlr_read(). Required. */
    void (*on_open)(struct tlr_conn *conn);

    /*
     * A tlr_read() completed. nread > 0: that many bytes are at `data`.
     * Otherwise there is no data and nread says why: UV_EOF (the peer has
     * half-closed: it sends no more, and is still owed whatever you write),
     * UV_ECANCELED (closed meanwhile), UV_ENOBUFS (no memory for a read
     * buffer: close, or read again, better after a while than at once), or an
     * error of the connection, such as UV_ECONNRESET, after which only
     * tlr_close() or tlr_reset() is left to call.
     *
     * `data` is lent until the function returns, and may be written to.
     * Handing it, or a part of it, to tlr_write() before then (of this
     * connection, of another one on the same worker, or of several) keeps the
     * buffer until the last of these writes has completed: nothing is copied.
     * Required.
     */
    void (*on_read)(struct tlr_conn *conn, ssize_t nread, char *data);

    /*
     * A tlr_write() completed; its memory is yours again. status: 0, all of
     * it was given to the kernel; UV_ECANCELED (closed meanwhile), or the
     * error of the connection (UV_EPIPE, UV_ECONNRESET, …). Required if
     * tlr_write() is used.
     */
    void (*on_write)(struct tlr_conn *conn, int status);

    /* A tlr_shutdown() completed; status as for on_write. May be NULL. */
    void (*on_shutdown)(struct tlr_conn *conn, int status);

    /*
     * The server drains: the connection should finish what it is doing and
     * close. Called once for each connection that is open then, and right
     * after on_open for those that the kernel had queued; not when the server
     * stops at once. May be NULL: then the connection goes on until it ends
     * by itself or the deadline passes.
     */
    void (*on_drain)(struct tlr_conn *conn);

    /*
     * The last callback, exactly once for each on_open. The connection and
     * its user memory are gone when it returns. May be NULL.
     */
    void (*on_close)(struct tlr_conn *conn, enum tlr_cause cause);
};

/* How accepted connections are shared out over the workers. */
enum tlr_balance {
    /* To the worker with the fewest open connections, ties in turn. */
    TLR_BALANCE_LEAST = 0,
    /* To each worker in turn. */
    TLR_BALANCE_ROUND_ROBIN,
    /*
     * A listening socket of its own for each worker (SO_REUSEPORT), and the
     * kernel chooses by a hash: cheapest for very short connections, but
     * uneven. Linux only: elsewhere tlr_server_create() says UV_ENOTSUP.
     */
    TLR_BALANCE_REUSEPORT
};

/* For tlr_options.loops. */
#define TLR_LOOPS_PER_CPU 0
#define TLR_LOOPS_HOST (-1)

/* For tlr_server_drain(): without a deadline. */
#define TLR_NO_DEADLINE UINT64_MAX

/*
 * The options of a server; fill with tlr_options_init() first, then change
 * what is wanted. Nothing in it has to outlive tlr_server_create().
 */
struct tlr_options {
    size_t size; /* sizeof(struct tlr_options), set by tlr_options_init() */

    struct tlr_handler handler;

    /*
     * How many workers, each a thread with a loop of its own: 1 to 1024, or
     * TLR_LOOPS_PER_CPU (the default; as a completion port's concurrency of
     * 0), or TLR_LOOPS_HOST: no thread at all, the connections are served on
     * the host loop itself. In that last mode SIGPIPE is blocked in the host
     * thread's signal mask between tlr_server_start() and on_stopped, since
     * libuv writes to sockets in a way that raises it.
     */
    int loops;

    enum tlr_balance balance;

    /* Length of a listening socket's queue; 0: as long as the OS allows. */
    int backlog;

    /*
     * Most connections open at a time, over all workers, those included that
     * are still closing; 0: no limit. At the limit nothing is accepted;
     * further peers wait in the kernel's queue.
     */
    unsigned max_connections;

    /*
     * Bytes that one read may bring, 1 to 2^30; default 65536. A loop has
     * about as many of these buffers as connections that are waiting to
     * write; an idle connection has none.
     */
    size_t read_buffer;

    /* Bytes of user memory with each connection, zeroed; at most 2^30. */
    size_t conn_data_size;

    struct tlr_allocator allocator;

    /* The program's own; tlr_server_user() and tlr_conn_user() return it. */
    void *user;

    /*
     * The server has stopped: no thread, descriptor or handle of it is left.
     * Called once, on the host loop's thread, after a tlr_server_start() that
     * succeeded. tlr_server_destroy() may be called from here. May be NULL.
     */
    void (*on_stopped)(struct tlr_server *server);
};

/* Sets the defaults, and all callbacks to NULL. Any thread. */
TLR_EXTERN void tlr_options_init(struct tlr_options *options);

/*
 * The life of a server. All of these are called on the thread that runs the
 * host loop.
 *
 *     create ─► listen… ─► start ─► drain or stop ─► on_stopped ─► destroy
 */

/*
 * Allocates a server. No handle is put on the loop yet. Borrows `host` until
 * the server is destroyed.
 *
 * UV_EINVAL: an option is out of range, or a required callback is missing;
 * UV_ENOTSUP: TLR_BALANCE_REUSEPORT on a platform without it; UV_ENOMEM.
 */
TLR_EXTERN int tlr_server_create(struct tlr_server **server, uv_loop_t *host,
                                 const struct tlr_options *options);

/* An IPv6 address only takes IPv6 peers. Without it `::` takes IPv4 too. */
#define TLR_LISTEN_IPV6_ONLY 1u

/*
 * Binds to an address, IPv4 or IPv6, and listens on it; peers can connect
 * from now on, and are served once the server has started. May be called
 * several times, before tlr_server_start(). Port 0 lets the system choose:
 * tlr_server_address() tells the port.
 *
 * flags: 0 or TLR_LISTEN_IPV6_ONLY. Errors: those of socket(), bind() and
 * listen(), most often UV_EADDRINUSE, UV_EADDRNOTAVAIL, UV_EACCES (port below
 * 1024), UV_EMFILE; UV_EINVAL: another address family, an unknown flag;
 * UV_EBUSY: already started; UV_ENOMEM.
 */
TLR_EXTERN int tlr_server_listen(struct tlr_server *server,
                                 const struct sockaddr *address,
                                 unsigned flags);

/* How many addresses tlr_server_listen() has added. */
TLR_EXTERN unsigned tlr_server_addresses(const struct tlr_server *server);

/*
 * The address number `index` (in the order of the calls of
 * tlr_server_listen()) as bound: with the port that the system chose.
 * UV_EINVAL: there is no such index.
 */
TLR_EXTERN int tlr_server_address(const struct tlr_server *server,
                                  unsigned index,
                                  struct sockaddr_storage *address);

/*
 * Starts the workers and begins to accept. When it fails everything that had
 * been started is taken back, on_stopped is not called, and
 * tlr_server_destroy() is all that is left to call (it may be at once).
 *
 * UV_EINVAL: started before; UV_ENOMEM, UV_EMFILE, UV_EAGAIN (no thread), or
 * whatever libuv says.
 */
TLR_EXTERN int tlr_server_start(struct tlr_server *server);

/*
 * Calls on_drain for each connection; stops accepting, once the connections
 * that the kernel has queued are accepted, for which there may have to be room
 * first (max_connections); waits until all have closed, and after `deadline`
 * milliseconds closes what is left (TLR_NO_DEADLINE: waits for ever). Then on_stopped follows. Calling it again can bring the
 * deadline forward, not put it off. Harmless before the start and after the
 * stop. Any callback may call it, of the host loop or, with TLR_LOOPS_HOST,
 * of a connection.
 */
TLR_EXTERN void tlr_server_drain(struct tlr_server *server, uint64_t deadline);

/* tlr_server_drain() with the deadline now: on_stopped follows soon. */
TLR_EXTERN void tlr_server_stop(struct tlr_server *server);

/*
 * Releases a server that was never started, whose start failed, or that has
 * stopped. NULL is ignored.
 */
TLR_EXTERN void tlr_server_destroy(struct tlr_server *server);

/* tlr_options.user. Any thread. */
TLR_EXTERN void *tlr_server_user(const struct tlr_server *server);

/* How many workers there are. Any thread. */
TLR_EXTERN unsigned tlr_server_workers(const struct tlr_server *server);

/*
 * What a worker has done since the start. Each figure only grows, but for
 * `open`; each is exact, but two of them may be some operations apart.
 */
struct tlr_counters {
    uint64_t accepted;           /* connections that on_open was called for */
    uint64_t open;               /* of these, not yet closed */
    uint64_t closed[TLR_CAUSES]; /* of these, closed, by cause */
    uint64_t refused;            /* accepted and closed unserved: no memory … */
    uint64_t reads;              /* reads completed with data */
    uint64_t writes;             /* writes completed without an error */
    uint64_t bytes_in;
    uint64_t bytes_out;
    /*
     * Windows: closed connections whose socket libuv could not put on the
     * worker's own completion port, and emulated one for. Always 0, or
     * something is wrong.
     */
    uint64_t emulated;
};

/* For tlr_server_counters(): the sum over all workers. */
#define TLR_ALL_WORKERS UINT32_MAX

/*
 * Reads the counters of worker number `worker` (from 0), or of all. Any
 * thread, without a lock, until tlr_server_destroy().
 * UV_EINVAL: there is no such worker.
 */
TLR_EXTERN int tlr_server_counters(const struct tlr_server *server,
                                   unsigned worker,
                                   struct tlr_counters *counters);

/*
 * A connection. All of these are called on its worker's thread, between
 * on_open and the end of on_close.
 */

/*
 * Asks for one read; on_read tells. After the end of the stream it completes
 * with UV_EOF again.
 * UV_EBUSY: a read is asked for already; UV_EBADF: closed.
 */
TLR_EXTERN int tlr_read(struct tlr_conn *conn);

/* Bytes that one tlr_write() takes: as many as one system call does. */
#define TLR_WRITE_MOST 0x7ffff000u

/*
 * Writes `size` bytes, at most TLR_WRITE_MOST; on_write tells. Tries at once, and
 * leaves to the loop only what the kernel does not take. Borrows `data` until
 * on_write; a read buffer is kept for it (see on_read).
 * UV_EBUSY: a write is under way; UV_EPIPE: after tlr_shutdown(); UV_EBADF:
 * closed; UV_EINVAL: too large. Errors of the connection come to on_write.
 */
TLR_EXTERN int tlr_write(struct tlr_conn *conn, const void *data, size_t size);

/*
 * Half-closes: sends FIN after a write that is under way; on_shutdown tells.
 * Reading goes on.
 * UV_EPIPE: asked for before; UV_EBADF: closed.
 */
TLR_EXTERN int tlr_shutdown(struct tlr_conn *conn);

/*
 * Closes. A write that is under way is completed first, then the peer gets
 * FIN, and the peer's own end is awaited for up to five seconds, what it still
 * sends being dropped: without that wait the kernel would answer late bytes
 * with RST, and RST takes from the peer what it has not read yet (RFC 1122,
 * 4.2.2.13). A read asked for completes with UV_ECANCELED. Then on_close. A
 * peer that does not read what it was written holds the connection open:
 * tlr_reset() ends that. May be called again, and after tlr_reset().
 */
TLR_EXTERN void tlr_close(struct tlr_conn *conn);

/*
 * Closes at once: what is queued is thrown away and the peer gets RST.
 * Operations under way complete with UV_ECANCELED, then on_close. May be
 * called again, and after tlr_close().
 */
TLR_EXTERN void tlr_reset(struct tlr_conn *conn);

/*
 * The user memory: tlr_options.conn_data_size bytes, aligned as the allocator
 * aligns, to 16 at most.
 */
TLR_EXTERN void *tlr_conn_data(struct tlr_conn *conn);

/* tlr_options.user. */
TLR_EXTERN void *tlr_conn_user(const struct tlr_conn *conn);

/* The number of the connection's worker, from 0. */
TLR_EXTERN unsigned tlr_conn_worker(const struct tlr_conn *conn);

/*
 * The worker's loop, for handles of the program's own. They have to be closed
 * by the end of the on_close of the last connection that uses them: the worker
 * ends when nothing is left on its loop. uv_stop() is not for this loop.
 */
TLR_EXTERN uv_loop_t *tlr_conn_loop(const struct tlr_conn *conn);

/*
 * The peer's address. Errors: those of getpeername(), such as UV_ENOTCONN
 * after a reset; UV_EBADF in on_close, when the socket is gone.
 */
TLR_EXTERN int tlr_conn_peer(const struct tlr_conn *conn,
                             struct sockaddr_storage *address);

#ifdef __cplusplus
}
#endif

#endif
