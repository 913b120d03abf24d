/* SPDX-License-Identifier: MIT */
/**
 * @file
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
 *         tlr_options_init(&options, sizeof(options));
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

/*
 * libuv's header needs more of POSIX than a compiler that was asked for plain
 * C11 shows. It has to come before any other header to be of use.
 */
#if defined(__STRICT_ANSI__) && !defined(_GNU_SOURCE) &&                       \
    !defined(_XOPEN_SOURCE) && !defined(_POSIX_C_SOURCE) &&                    \
    !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE 1
#endif

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

/** The version of this header, MAJOR.MINOR.PATCH. */
#define TLR_VERSION_MAJOR 0
/** See #TLR_VERSION_MAJOR. */
#define TLR_VERSION_MINOR 1
/** See #TLR_VERSION_MAJOR. */
#define TLR_VERSION_PATCH 0
/** All three, as text. */
#define TLR_VERSION_STRING "0.1.0"
/** All three, in one number: 0x010203 would be 1.2.3. */
#define TLR_VERSION_HEX                                                        \
    ((TLR_VERSION_MAJOR << 16) | (TLR_VERSION_MINOR << 8) | TLR_VERSION_PATCH)

/** The version of the library that runs, as TLR_VERSION_HEX. Any thread. */
TLR_EXTERN unsigned tlr_version(void);

/** The version of the library that runs, as TLR_VERSION_STRING. Any thread. */
TLR_EXTERN const char *tlr_version_string(void);

/**
 * Whether the host's loop and the library belong to one libuv, and to one that
 * is new enough: a second libuv in the process (linked into the library, say,
 * while the program has its own) would crash. Returns NULL if all is well, else
 * a sentence that says what is wrong, which is never freed. `host` is only
 * looked at. tlr_server_create() does this by itself. Any thread.
 */
TLR_EXTERN const char *tlr_libuv_mismatch(const uv_loop_t *host);

/**
 * @struct tlr_server
 * A server: its listening sockets and its workers.
 */
struct tlr_server;

/**
 * @struct tlr_conn
 * A connection: accepted, adopted or outbound.
 */
struct tlr_conn;

/**
 * Names a connection to other threads, for as long as anybody likes: it never
 * comes to mean a later connection. Compare with tlr_id_equal(); one that is
 * all zeroes names none. The members are the library's.
 */
struct tlr_id {
    uint64_t server; /**< the library's */
    uint64_t serial; /**< the library's */
    uint32_t worker; /**< the library's */
    uint32_t slot;   /**< the library's */
};

/** Whether two ids name the same connection. Any thread. */
static inline int tlr_id_equal(struct tlr_id a, struct tlr_id b)
{
    return a.server == b.server && a.serial == b.serial &&
           a.worker == b.worker && a.slot == b.slot;
}

/**
 * Memory. Every byte that the library allocates comes through these four;
 * libuv's own memory does not. They are called from every worker's thread and
 * from the host's, so they have to be thread-safe. Their contracts are those
 * of the C library, with `user` added. Either all four are set or none
 * (then the C library's are used).
 */
struct tlr_allocator {
    void *(*malloc)(size_t size, void *user); /**< as malloc() */
    /** As calloc(). */
    void *(*calloc)(size_t count, size_t size, void *user);
    /** As realloc(). */
    void *(*realloc)(void *memory, size_t size, void *user);
    void (*free)(void *memory, void *user); /**< as free() */
    void *user; /**< the program's own: handed to the four */
};

/** Why a connection ended; see on_close, and the counters. */
enum tlr_cause {
    TLR_CLOSED_BY_PEER = 0, /**< closed by the handler after the peer's end */
    TLR_CLOSED_BY_HANDLER,  /**< tlr_close() before the peer's end */
    TLR_CLOSED_BY_RESET,    /**< tlr_reset() */
    TLR_CLOSED_BY_ERROR,    /**< a read or a write failed (ECONNRESET, …) */
    TLR_CLOSED_BY_STOP,     /**< still open when the server had to stop */
    /**
     * Likewise, by tlr_server_stop() or at the deadline of a drain, and the
     * peer was still owed bytes: it got RST.
     */
    TLR_CLOSED_OWING,
    TLR_CLOSED_BY_IDLE,     /**< tlr_options.idle_timeout */
    TLR_CLOSED_BY_READ,     /**< tlr_options.read_timeout */
    TLR_CLOSED_BY_WRITE,    /**< tlr_options.write_timeout */
    TLR_CLOSED_BY_LIFETIME, /**< tlr_options.max_lifetime */
    TLR_CLOSED_BY_QUEUED,   /**< tlr_options.max_queued */
    TLR_CAUSES              /**< how many there are in this version */
};

/** How many there may come to be: arrays by cause have room for so many. */
#define TLR_CAUSES_MOST 16

/**
 * What a program does with its connections. Every function runs on the
 * connection's worker's thread, never inside the call that asked for the
 * operation, and never while another callback of that worker runs.
 */
struct tlr_handler {
    /** The connection is open. Usually begins to read. Required. */
    void (*on_open)(struct tlr_conn *conn);

    /**
     * A tlr_read(), tlr_read_exactly() or tlr_read_until() completed.
     * nread > 0: that many bytes are at `data`. Otherwise there is no data and
     * nread says why: UV_EOF (the peer has half-closed: it sends no more, and
     * is still owed whatever you write), UV_ECANCELED (closed meanwhile),
     * UV_EMSGSIZE (see tlr_read_until()), UV_ETIMEDOUT (see idle_timeout and
     * read_timeout of tlr_options), UV_ENOBUFS (no memory for a read
     * buffer: close, or read again, better after a while than at once), or an
     * error of the connection, such as UV_ECONNRESET, or UV_ENOMEM if there was
     * none to keep what had come, after which only tlr_close() or tlr_reset()
     * is left to call: both send RST then.
     *
     * `data` is lent until the function returns, and may be written to.
     * Handing it, or a part of it, to tlr_write() before then (of this
     * connection, of another one on the same worker, or of several) keeps the
     * buffer until the last of these writes has completed: nothing is copied.
     * Required.
     */
    void (*on_read)(struct tlr_conn *conn, ssize_t nread, char *data);

    /**
     * A tlr_write() or tlr_writev() completed; its memory is yours again.
     * status: 0, all of it was given to the kernel; UV_ECANCELED (closed
     * meanwhile), UV_ENOBUFS (tlr_options.max_queued is reached), UV_ENOMEM, or
     * the error of the connection (UV_EPIPE, UV_ECONNRESET, …). Behind an error
     * nothing more is written: tlr_close() or tlr_reset() is left to call, and
     * both send RST.
     * Also called, with such an error, when something is lost that tlr_send()
     * had queued. May be NULL, if none of these calls is used, or errors are
     * left to be told by the next read.
     */
    void (*on_write)(struct tlr_conn *conn, int status);

    /** A tlr_shutdown() completed; status as for on_write. May be NULL. */
    void (*on_shutdown)(struct tlr_conn *conn, int status);

    /**
     * The server drains: the connection should finish what it is doing and
     * close. Called once for each connection that is open then, and right
     * after on_open for those that the kernel had queued; not when the server
     * stops at once. May be NULL: then the connection goes on until it ends
     * by itself or the deadline passes.
     *
     * Also called when tlr_options.max_lifetime has passed, if it was not
     * before: tlr_server_progress() tells which it is.
     */
    void (*on_drain)(struct tlr_conn *conn);

    /**
     * The last callback, exactly once for each on_open, and for each
     * connection that tlr_connect() or tlr_connect_name() gave. The connection
     * and its user memory are gone when it returns. May be NULL.
     */
    void (*on_close)(struct tlr_conn *conn, enum tlr_cause cause);

    /**
     * A tlr_connect() or tlr_connect_name() completed. status 0: connected, and
     * on_open follows, at once. Otherwise the reason (UV_ECONNREFUSED,
     * UV_ETIMEDOUT, the resolver's error, UV_ECANCELED: closed meanwhile …):
     * nothing but tlr_conn_...() may be called, and on_close is next. May be
     * NULL: on_open and on_close tell the same, but for the reason.
     */
    void (*on_connect)(struct tlr_conn *conn, int status);

    /**
     * tlr_conn_queued() has risen to tlr_options.high_water or more. This and
     * on_low_water take turns, on_high_water first; none is called once the
     * connection closes. May be NULL.
     */
    void (*on_high_water)(struct tlr_conn *conn);

    /**
     * After on_high_water: tlr_conn_queued() has fallen to
     * tlr_options.low_water or less, as seen when one of the writes under way
     * is done: one large write falls to 0 at once. May be NULL.
     */
    void (*on_low_water)(struct tlr_conn *conn);

    void (*reserved[7])(void); /**< NULL; for later versions */
};

/** How accepted connections are shared out over the workers. */
enum tlr_balance {
    /** To the worker with the fewest open connections, ties in turn. */
    TLR_BALANCE_LEAST = 0,
    /** To each worker in turn. */
    TLR_BALANCE_ROUND_ROBIN,
    /**
     * A listening socket of its own for each worker (SO_REUSEPORT), and the
     * kernel chooses by a hash: cheapest for very short connections, but
     * uneven. Linux only: elsewhere tlr_server_create() says UV_ENOTSUP.
     */
    TLR_BALANCE_REUSEPORT
};

/** What is done with a peer that comes when a limit is reached. */
enum tlr_at_limit {
    /** It is not accepted, and waits in the kernel's queue. */
    TLR_AT_LIMIT_WAIT = 0,
    /** It is accepted, and closed at once with RST. */
    TLR_AT_LIMIT_CLOSE
};

/** For a limit: what the library thinks fit; see there. */
#define TLR_AUTO UINT32_MAX

/** A part of the address space, and whether peers from there may come in. */
struct tlr_access_rule {
    uint8_t allow;       /**< 1: they may; 0: they may not */
    uint8_t ipv6;        /**< 1: an IPv6 network; 0: IPv4 */
    uint8_t prefix;      /**< how many bits count: to 32, or 128 */
    uint8_t address[16]; /**< in network order; of IPv4 the first 4 bytes */
};

/** What a warning is about. */
enum tlr_warning_kind {
    /** No descriptor was free (EMFILE, ENFILE): accepting pauses for 50 ms. */
    TLR_WARNING_DESCRIPTORS = 0,
    /** No memory (ENOMEM, ENOBUFS), of the kernel's or the allocator's. */
    TLR_WARNING_MEMORY,
    /** accept() or the poll failed otherwise; it is tried again. */
    TLR_WARNING_ACCEPT,
    TLR_WARNING_CONNECTIONS, /**< max_connections or max_per_worker */
    TLR_WARNING_PEER,        /**< max_per_peer */
    TLR_WARNING_RATE,        /**< accept_rate */
    TLR_WARNING_QUEUED,      /**< max_queued */
    TLR_WARNINGS             /**< how many there are in this version */
};

/** See tlr_options.on_warning. Later versions add members at the end. */
struct tlr_warning {
    enum tlr_warning_kind kind; /**< what it is about */
    int error; /**< the last UV_E* code; 0: a limit of the options */
    uint64_t times; /**< since the last warning of this kind */
};

/** For tlr_options.loops: a worker for each CPU. */
#define TLR_LOOPS_PER_CPU 0
/** For tlr_options.loops: the host loop itself serves. */
#define TLR_LOOPS_HOST (-1)
/** For tlr_options.loops: loops of the program's serve. */
#define TLR_LOOPS_BORROWED (-2)

/** For tlr_server_drain(): without a deadline. */
#define TLR_NO_DEADLINE UINT64_MAX

/**
 * The options of a server; fill with tlr_options_init() first, then change
 * what is wanted. Nothing in it has to outlive tlr_server_create(). Later
 * versions add members at the end, and a program that was compiled with fewer
 * of them goes on to work: `size` tells.
 */
struct tlr_options {
    size_t size; /**< sizeof(struct tlr_options), set by tlr_options_init() */

    /** What is done with the connections; on_open and on_read are required. */
    struct tlr_handler handler;

    /**
     * How many workers, each a thread with a loop of its own: 1 to 1024, or
     * TLR_LOOPS_PER_CPU (the default; as a completion port's concurrency of
     * 0). Or, without a thread of the library's:
     *
     * TLR_LOOPS_HOST: the connections are served on the host loop itself.
     *
     * TLR_LOOPS_BORROWED: on `borrowed` loops that the program runs itself, on
     * threads of its own, each handed over by tlr_server_attach().
     *
     * In these last two modes SIGPIPE is blocked in the signal mask of the
     * threads that run the loops, from tlr_server_start() or
     * tlr_server_attach() until the worker has ended, since libuv writes to
     * sockets in a way that raises it.
     */
    int loops;
    unsigned borrowed; /**< with TLR_LOOPS_BORROWED: 1 to 1024 */

    /** How connections are shared out; default: TLR_BALANCE_LEAST. */
    enum tlr_balance balance;

    /** Length of a listening socket's queue; 0: as long as the OS allows. */
    int backlog;

    /**
     * Most connections open at a time, over all workers, those included that
     * are still closing; 0: no limit. What happens to further peers: see
     * at_limit. TLR_AUTO, the default: as many as the process may have
     * descriptors, less those that are open at the start (of the lowest 65536),
     * and less a 32nd, or 8 if that is more, for the program; where there is no
     * such limit (Windows), none.
     */
    unsigned max_connections;

    /**
     * Bytes that one read may bring, 1 to 2^30; default 65536. A loop has
     * about as many of these buffers as connections that are waiting to
     * write; an idle connection has none.
     */
    size_t read_buffer;

    /** Bytes of user memory with each connection, zeroed; at most 2^30. */
    size_t conn_data_size;

    /** Bytes for each worker, zeroed; at most 2^30. See tlr_server_data(). */
    size_t worker_data_size;

    /** Where memory comes from; all NULL: the C library. */
    struct tlr_allocator allocator;

    /** The program's own; tlr_server_user() and tlr_conn_user() return it. */
    void *user;

    /**
     * The server has stopped: no thread, descriptor or handle of it is left.
     * Called once, on the host loop's thread, after a tlr_server_start() that
     * succeeded. tlr_server_destroy() may be called from here. May be NULL.
     */
    void (*on_stopped)(struct tlr_server *server);

    /**
     * Calls of tlr_post() and its kin that may wait for one worker (or for the
     * host) at a time, 1 to 2^24; default 65536. See UV_ENOBUFS there.
     */
    unsigned mailbox;

    /**
     * Bytes that may be queued (tlr_conn_queued()) on one connection for
     * tlr_send() to take more; default 1 MiB. See UV_ENOBUFS there.
     */
    size_t send_queue;

    /** Of on_low_water, in bytes, below high_water; default 16384. */
    size_t low_water;
    /** Of on_high_water, in bytes; default 65536. */
    size_t high_water;

    /**
     * On each worker's thread, before its first connection. Handles of the
     * program's own on the worker's loop are opened here, or any time later.
     * May be NULL.
     */
    void (*on_worker_start)(struct tlr_server *server, unsigned worker);

    /**
     * On each worker's thread, after its last connection, when no post comes
     * any more. By its end the program's own handles on the worker's loop have
     * to be closed, with uv_close(); what is still open then, on a loop of the
     * library's, is closed for you, without a callback. May be NULL.
     */
    void (*on_worker_end)(struct tlr_server *server, unsigned worker);

    /**
     * The library's threads are called this, "-" and the worker's number, which
     * systems cut off (Linux: after 15 bytes). NULL: "teller". Like the next
     * three it has no meaning for other loops.
     */
    const char *thread_name;

    /**
     * Of the library's threads, in bytes; 0: as libuv does (the system's
     * default). libuv rounds it up to pages and to what the system wants at
     * least.
     */
    size_t stack_size;

    /**
     * Worker i runs on CPU cpus[i % cpu_count] only. UV_ENOTSUP from
     * tlr_server_create() where libuv cannot: before 1.45, and on macOS.
     */
    const int *cpus;
    size_t cpu_count; /**< how many `cpus`; 0: where the system likes */

    /**
     * Called in place of every callback of the program's on the host loop's
     * thread: on_stopped, posts to TLR_HOST, and with TLR_LOOPS_HOST those of
     * connections and workers. It has to call call(argument), once, before it
     * returns: between taking the lock of an interpreter and giving it back,
     * say. NULL: none. `user` is tlr_options.user.
     */
    void (*trampoline)(void (*call)(void *argument), void *argument,
                       void *user);

    /**
     * Resolves a name for tlr_connect_name(), on the worker's thread, and
     * without blocking it: it hands the question to a resolver of the program's
     * (c-ares; uv_getaddrinfo() on the host's loop), which answers with
     * tlr_resolved(), from any thread, now or later. Returns 0, or an error,
     * which on_connect then tells. `node` and `service` are lent until it
     * returns. NULL: names are not resolved.
     */
    int (*resolve)(struct tlr_server *server, struct tlr_id id,
                   const char *node, const char *service);

    /**
     * Most connections open at a time on one worker; 0: no limit. TLR_AUTO,
     * the default: twice an even share of max_connections.
     */
    unsigned max_per_worker;

    /**
     * Most connections open at a time from one peer address; 0: no limit. A
     * further one is closed at once with RST, whatever at_limit says: in the
     * kernel's queue it would hold up the others. TLR_AUTO, the default: 7/8
     * of max_connections if that is 1000 or more, so that no one address takes
     * all, else no limit; and none for loopback addresses, from which a proxy
     * brings everybody. Less is better where peers come from their own
     * addresses. IPv4 peers of an IPv6 socket (mapped ones) are IPv4. An
     * address costs 40 bytes while it has connections, and they cost 8 bytes
     * each on loops that are not the library's.
     */
    unsigned max_per_peer;

    /** What one IPv4 address is for that, in bits, 1 to 32; default 32. */
    unsigned peer_prefix_ipv4;
    /** What one IPv6 address is for that, in bits, 1 to 128; default 64. */
    unsigned peer_prefix_ipv6;

    /**
     * Most connections that are accepted in a second (a token bucket), over
     * all listening sockets; 0: no limit; default 50000. Those that are closed
     * at once are not counted, and a drain accepts what the kernel has queued
     * without regard to it: it would be reset else.
     */
    unsigned accept_rate;

    /**
     * How many may be accepted at once after a quiet time (the size of that
     * bucket); 0, the default: accept_rate, a second's worth. It is at least a
     * 20th of accept_rate, and 2: timers are not so fine that less would do.
     */
    unsigned accept_burst;

    /**
     * At max_connections, max_per_worker (when all have reached it) and
     * accept_rate; default: TLR_AT_LIMIT_WAIT. With TLR_BALANCE_REUSEPORT it is
     * the kernel that has chosen the worker: there one that has reached
     * max_per_worker is enough, though others have room.
     */
    enum tlr_at_limit at_limit;

    /**
     * Bytes of output that all connections together may have queued: those of
     * tlr_conn_queued(), and the whole of read buffers that writes keep. SIZE_MAX:
     * no limit. 0, the default: an eighth of the memory that the process may
     * use.
     *
     * When more would be queued it is refused, so that peers that do not read
     * cannot take all memory: to the connections that have more than an even
     * share of it (max_queued by the connections that have some queued), and
     * beyond twice the limit to all. So a peer that is slow in a moment does not
     * pay for a few that take much; against many that take little there are
     * max_per_peer and write_timeout. What the kernel takes at once is never
     * refused.
     *
     * A tlr_write() that is refused completes with UV_ENOBUFS, and as a part of
     * it may have gone nothing more can follow: the connection is closed with
     * RST (TLR_CLOSED_BY_QUEUED). See tlr_send() for what is said there. The sum
     * over the workers may be wrong by a 16th of the limit.
     */
    size_t max_queued;

    /**
     * Who may come in: of the rules that a peer's address is within the one
     * with the longest prefix decides, and if two are as long, the one that
     * denies. A peer that none is about may come in, unless there is a rule
     * that allows. IPv4 peers of an IPv6 socket (mapped ones) are seen as
     * IPv4. Others are closed with RST right after accept(), before anything
     * is allocated. Copied. See tlr_access_parse().
     */
    const struct tlr_access_rule *access;
    size_t access_count; /**< how many rules; at most 65536 */

    /**
     * Milliseconds without a byte read from the peer, or taken by the kernel,
     * after which a connection is ended; 0, the default: none. Time in which
     * the program asks for no read counts, too, and so does that after
     * tlr_close(), as long as the peer is owed something.
     *
     * When it passes on_read gets UV_ETIMEDOUT if a read is asked for. A last
     * word may be written then, and tlr_close() or tlr_reset() is to be called:
     * further reads complete with UV_ETIMEDOUT, too, and if the connection is not
     * closed in as long again it is reset. Where no read is asked for it is reset
     * at once. on_close gets TLR_CLOSED_BY_IDLE, whoever has closed it then,
     * unless an error of the connection comes first (TLR_CLOSED_BY_ERROR).
     *
     * A connection that connects (tlr_connect()) may take as long for that:
     * on_connect gets UV_ETIMEDOUT.
     *
     * Of all timeouts: none passes early, but that `jitter` shortens this one and
     * max_lifetime; each may pass some 20 ms late, or more on a worker that is
     * busy, and this one a sixteenth of its time late while output is queued.
     * tlr_conn_set_timeout() changes those of one connection. If all four
     * are 0 (idle, read, write, lifetime) a connection needs no memory for them,
     * else about 140 bytes.
     */
    unsigned idle_timeout;

    /**
     * Milliseconds that one read may take, from the call that asks for it until
     * it completes: for tlr_read_exactly() and tlr_read_until() the whole of
     * it. 0, the default: none. When it passes on_read gets UV_ETIMEDOUT, and
     * what follows is as for idle_timeout: TLR_CLOSED_BY_READ.
     */
    unsigned read_timeout;

    /**
     * Milliseconds in which a peer that has output queued for it has to take
     * some: write_rate bytes for each second of them, or all it was owed at
     * their beginning if that is less, at least one. Else it is reset:
     * TLR_CLOSED_BY_WRITE. Then the next such time begins, as long as something
     * is queued, after tlr_close(), too. 0, the default: none.
     *
     * What the peer has acknowledged counts where the system tells (Linux), else
     * what the kernel has taken of what was queued. Windows takes each write as a
     * whole, when it is done: there the timeout has to be long enough for the
     * largest.
     */
    unsigned write_timeout;
    unsigned write_rate; /**< bytes a second, see write_timeout; default 1 */

    /**
     * Milliseconds after on_open when a connection that is still open is
     * ended: on_drain is called (unless it was before), and after
     * lifetime_grace it is reset if it has not closed: TLR_CLOSED_BY_LIFETIME,
     * whoever closes it in between. 0, the default: none.
     */
    unsigned max_lifetime;
    unsigned lifetime_grace; /**< milliseconds; default 5000 */

    /**
     * By how much of them max_lifetime and idle_timeout are shortened at most,
     * in percent, 0 to 100, at random for each connection, so that those that
     * came together do not all go together; default 10.
     */
    unsigned jitter;

    /**
     * Milliseconds that a worker's loop may take for one turn before it counts
     * as stalled: on_stall is called, and it gets no further connections (with
     * TLR_BALANCE_REUSEPORT it does: the kernel chooses) until it turns again.
     * It is looked at every quarter of this time, from the host loop. 0: never;
     * default 1000.
     */
    unsigned stall_time;

    /**
     * On the host loop's thread: worker number `worker` has not turned for
     * `milliseconds`; over: it turns again, that long it did not. May be NULL.
     */
    void (*on_stall)(struct tlr_server *server, unsigned worker,
                     uint64_t milliseconds, int over);

    /**
     * On the host loop's thread: something runs out, or a limit is reached. At
     * most once a second for each kind; what comes in between is in `times` of
     * the next. `warning` is lent until it returns. May be NULL.
     */
    void (*on_warning)(struct tlr_server *server,
                       const struct tlr_warning *warning);
};

/**
 * Sets the defaults, and all callbacks to NULL. size: sizeof(*options), as the
 * program knows it. Any thread.
 */
TLR_EXTERN void tlr_options_init(struct tlr_options *options, size_t size);

/**
 * Makes a rule of text: an IPv4 or IPv6 address, such as "192.0.2.7" or "::1",
 * or a network, such as "10.0.0.0/8" or "2001:db8::/32". IPv4 as IPv6 sockets
 * see it ("::ffff:10.0.0.0/104") becomes IPv4. allow: 1 or 0, see
 * tlr_access_rule. Any thread.
 * UV_EINVAL: it is none, or an address with bits set beyond the prefix; then
 * *rule is unchanged.
 */
TLR_EXTERN int tlr_access_parse(const char *network, int allow,
                                struct tlr_access_rule *rule);

/**
 * @name The life of a server
 * Where nothing else is said these are called on the host's thread: the one
 * that runs the host loop.
 *
 *     create ─► listen… ─► start ─► drain or stop ─► on_stopped ─► destroy
 *
 * @{
 */

/**
 * Allocates a server. No handle is put on the loop yet. Borrows `host` until
 * the server is destroyed. Its `data` is never touched.
 *
 * UV_EINVAL: an option is out of range, its size is none of a version's, or a
 * required callback is missing; UV_E2BIG: options that this version of the
 * library does not know are set; UV_ENOTSUP: TLR_BALANCE_REUSEPORT or `cpus`
 * where there is no such thing; UV_EXDEV: see tlr_libuv_mismatch(); UV_EBADF:
 * the loop has been closed; UV_ENOMEM, or whatever uv_loop_init() says.
 */
TLR_EXTERN int tlr_server_create(struct tlr_server **server, uv_loop_t *host,
                                 const struct tlr_options *options);

/** An IPv6 address only takes IPv6 peers. Without it `::` takes IPv4 too. */
#define TLR_LISTEN_IPV6_ONLY 1u

/**
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

/**
 * Listens on a listening TCP socket that the program has from elsewhere:
 * inherited (systemd's socket activation, say), or passed on by another process.
 * Makes it non-blocking (for all who share it) and non-inheritable. Takes it,
 * unless it fails: then it is still the caller's. Before tlr_server_start(), and
 * several times, as tlr_server_listen(); sockets of the same address count as
 * one address.
 *
 * With TLR_BALANCE_REUSEPORT the sockets of an address are shared out over the
 * workers. If they are fewer than workers and SO_REUSEPORT is on, what is missing
 * is opened by tlr_server_start(). If that is not on, or the socket is another
 * user's so that the system says no, the address is accepted on by the host
 * loop, as with TLR_BALANCE_LEAST.
 *
 * UV_EINVAL: it does not listen; UV_ENOTSUP: not a stream over IPv4 or IPv6;
 * UV_ENOTSOCK, UV_EBADF: no socket; UV_EBUSY: already started; UV_ENOMEM.
 */
TLR_EXTERN int tlr_server_listen_socket(struct tlr_server *server,
                                        uv_os_sock_t sock);

/**
 * How many addresses tlr_server_listen(), tlr_server_listen_socket() and
 * tlr_server_take_over() have added.
 */
TLR_EXTERN unsigned tlr_server_addresses(const struct tlr_server *server);

/**
 * The address number `index` (in the order in which they were added) as bound:
 * with the port that the system chose.
 * UV_EINVAL: there is no such index.
 */
TLR_EXTERN int tlr_server_address(const struct tlr_server *server,
                                  unsigned index,
                                  struct sockaddr_storage *address);

/**
 * The listening sockets of address number `index`, for passing them on. *count
 * is the room in `socks`, and becomes how many there are: one, or one for each
 * worker with TLR_BALANCE_REUSEPORT, or more if more were given. They are
 * borrowed, until the server drains: duplicate them. As long as any process has
 * one, connections that the kernel has queued for it are safe.
 *
 * UV_EINVAL: there is no such index; UV_ENOBUFS: there is less room than that;
 * UV_ECANCELED: the server drains or has stopped, or its start has failed.
 */
TLR_EXTERN int tlr_server_sockets(const struct tlr_server *server,
                                  unsigned index, uv_os_sock_t *socks,
                                  size_t *count);

/** The longest time limit of tlr_server_take_over() and of an offer, an hour. */
#define TLR_TAKEOVER_TIMEOUT_MOST 3600000u
/** Bytes that the path of an offer may have. */
#define TLR_TAKEOVER_PATH_MOST 94

/**
 * Takes the listening sockets over from the process that offers them at `path`
 * (tlr_server_offer()), usually an older version of the same program: in place
 * of tlr_server_listen(). The other process goes on to serve. Once
 * tlr_server_start() can fail no more it tells the other one, which then accepts
 * no more and drains, and this server begins to accept: no connection is refused
 * or reset. If the start fails, or this process ends before, the other one has
 * lost nothing and can be taken over by the next.
 *
 * Blocks, up to `timeout` milliseconds (1 to TLR_TAKEOVER_TIMEOUT_MOST), and so
 * does tlr_server_start() once more, while it waits for the other one's answer.
 * If another process is just taking over this one waits for how that ends. *pid
 * becomes the other process's id, as it says; NULL: it is not wanted.
 *
 * The server must have no address yet, and has none if it fails: UV_ENOENT or
 * UV_ECONNREFUSED say that nobody offers anything there, and tlr_server_listen()
 * is the thing to do (UV_ECONNREFUSED if it was so for 100 milliseconds or up to
 * the time limit: when two others change places nobody is there for a moment).
 * UV_EPERM: it is a process of another user, who is not root (root may take over
 * from anybody: it shall choose a path where only the right ones may write);
 * UV_EACCES: likewise, by the file's mode; UV_ECONNRESET: it went away meanwhile,
 * or another process was faster; UV_ETIMEDOUT; UV_EPROTONOSUPPORT, UV_EPROTO: it is
 * another version of the library, or something else; UV_EMFILE: no descriptors
 * for so many sockets; UV_ENAMETOOLONG; UV_EBUSY: started already; UV_EINVAL: there are addresses, or
 * no such timeout; UV_ENOTSUP: Windows; UV_ENOMEM.
 *
 * tlr_server_start() can then fail with UV_ETIMEDOUT, too: the other one had
 * given up waiting, and goes on; or with what sending to it says (UV_ENOBUFS,
 * UV_ENOMEM): then it goes on as well.
 */
TLR_EXTERN int tlr_server_take_over(struct tlr_server *server,
                                    const char *path, uint64_t timeout,
                                    int64_t *pid);

/** Default of tlr_offer.timeout. */
#define TLR_OFFER_TIMEOUT 30000u

/** How a server is to be taken over; fill with tlr_offer_init() first. */
struct tlr_offer {
    size_t size; /**< sizeof(struct tlr_offer), set by tlr_offer_init() */

    /**
     * Where: a UNIX socket, of 1 to TLR_TAKEOVER_PATH_MOST bytes, in a folder
     * that is there, and where nobody else may write. Copied. Required.
     */
    const char *path;

    /**
     * Milliseconds that a new process may take from when it has the sockets
     * until it is ready, 1 to TLR_TAKEOVER_TIMEOUT_MOST. Then it is refused.
     */
    unsigned timeout;

    /**
     * Milliseconds, as for tlr_server_drain(), which is called once another
     * process has taken over. Default: TLR_NO_DEADLINE.
     */
    uint64_t deadline;

    /**
     * On the host loop's thread: process `pid` (as it says) has taken over, and
     * the drain has begun; tlr_server_drain() can bring the deadline forward.
     * May be NULL.
     */
    void (*on_taken_over)(struct tlr_server *server, int64_t pid);
};

/**
 * Sets the defaults. size: sizeof(*offer), as the program knows it. Any thread.
 */
TLR_EXTERN void tlr_offer_init(struct tlr_offer *offer, size_t size);

/**
 * Offers the listening sockets at a path, to a process that calls
 * tlr_server_take_over() there: of the same user, or of root. From the start on,
 * if it is called before; then a path that will not do is told before anything
 * else happens. Until the server drains; it then removes the socket's file if it
 * is still its own. A file that a process has left there which is no more is
 * replaced. Once in a server's life.
 *
 * With `timeout` the time is bounded in which one process can keep the others
 * from taking over. The host loop never blocks.
 *
 * UV_EADDRINUSE: another process offers something at the path, and it is not the
 * one that this server takes over from; UV_EEXIST: there is something that is no
 * socket; UV_ENAMETOOLONG; UV_EINVAL: no path, or no such timeout; UV_E2BIG:
 * members that this version of the library does not know; UV_EBUSY: it offers
 * already; UV_ECANCELED: it drains, has stopped, or its start has failed;
 * UV_ENOTSUP: Windows; UV_ENOMEM, or whatever socket(), bind() and chmod() say.
 */
TLR_EXTERN int tlr_server_offer(struct tlr_server *server,
                                const struct tlr_offer *offer);

/**
 * Starts the workers and begins to accept. When it fails everything that had
 * been started is taken back, on_stopped is not called, and
 * tlr_server_destroy() is all that is left to call (it may be at once).
 *
 * UV_EINVAL: started before; UV_EBADF: the host loop has been closed;
 * UV_ENOMEM, UV_EMFILE, UV_EAGAIN (no thread), or whatever libuv says; and see
 * tlr_server_take_over().
 */
TLR_EXTERN int tlr_server_start(struct tlr_server *server);

/**
 * With TLR_LOOPS_BORROWED, after the start, and on the thread that runs `loop`
 * or is about to: worker number `worker` serves on that loop from now on.
 * Nothing is accepted before each worker has its loop. Borrows the loop until
 * on_worker_end has returned and the loop has turned once more; it has to be
 * run until then, and not before uv_run() has returned because nothing is
 * active on it may its thread end. At the latest on_stopped says so.
 *
 * UV_EINVAL: no such worker, or not that mode; UV_EBUSY: it has a loop already;
 * UV_ECANCELED: the server is not running, or no longer; UV_EXDEV, UV_EBADF: as
 * for tlr_server_create(); UV_ENOMEM, or whatever libuv says.
 */
TLR_EXTERN int tlr_server_attach(struct tlr_server *server, unsigned worker,
                                 uv_loop_t *loop);

/**
 * Calls on_drain for each connection; stops accepting, once the connections
 * that the kernel has queued are accepted, for which there may have to be room
 * first (max_connections); waits until all have closed, and after `deadline`
 * milliseconds closes what is left (TLR_NO_DEADLINE: waits for ever). Then
 * on_stopped follows. Calling it again can bring the deadline forward, not put
 * it off. Harmless before the start and after the stop. Any thread, until
 * tlr_server_destroy(), and any callback.
 */
TLR_EXTERN void tlr_server_drain(struct tlr_server *server, uint64_t deadline);

/** tlr_server_drain() with the deadline now: on_stopped follows soon. */
TLR_EXTERN void tlr_server_stop(struct tlr_server *server);

/**
 * tlr_server_drain(), and waits until every worker has ended: for a program
 * that ends and will not run its loop again. When it returns 0 no thread of the
 * library is left, nothing listens, and every connection has had its on_close.
 * What the kernel has queued is accepted as far as there is room. The few
 * handles on the host loop are closing: they, and so on_stopped, take a few more
 * turns of the loop, and tlr_server_destroy() has to wait for that; a process
 * that exits without it only leaves memory. A host that ends may have closed
 * them itself by then (all that uv_walk() finds, say), and right before this call
 * the loop too (not long before: a worker that has something to say to the host
 * would find no loop there): threads and sockets end all the same, but on_stopped
 * is never called. Harmless before the start, after the stop and in the middle of
 * another drain. Not for a callback of a connection, a worker or a post.
 *
 * UV_EAGAIN: TLR_LOOPS_HOST, where the connections are the host loop's own, or
 * a borrowed loop is run on this thread, too: it was as tlr_server_drain().
 * UV_EINVAL: on another thread; then nothing is done.
 */
TLR_EXTERN int tlr_server_stop_wait(struct tlr_server *server,
                                    uint64_t deadline);

/**
 * What the server has on the host loop keeps uv_run() from returning: this is
 * so at first. As uv_ref(), and as often as you like; from tlr_server_create()
 * on.
 */
TLR_EXTERN void tlr_server_ref(struct tlr_server *server);

/** The contrary of tlr_server_ref(). */
TLR_EXTERN void tlr_server_unref(struct tlr_server *server);

/**
 * Releases a server that was never started, whose start failed, or that has
 * stopped. NULL is ignored.
 */
TLR_EXTERN void tlr_server_destroy(struct tlr_server *server);

/** What a server is doing. */
enum tlr_phase {
    TLR_PHASE_NEW = 0,  /**< created, and not started */
    TLR_PHASE_RUNNING,  /**< it serves */
    TLR_PHASE_DRAINING, /**< no more come, and those that are there finish */
    TLR_PHASE_STOPPING, /**< everything closes now */
    TLR_PHASE_STOPPED   /**< nothing is left; or the start has failed */
};

/** How far a drain has got. */
struct tlr_progress {
    uint64_t phase;     /**< enum tlr_phase */
    uint64_t open;      /**< connections, as tlr_counters.open */
    uint64_t queued;    /**< bytes they are owed, as tlr_counters.queued */
    uint64_t remaining; /**< milliseconds until the deadline, or
                             TLR_NO_DEADLINE */
};

/**
 * Says how far it has got. size: sizeof(*progress), as the program knows it. To
 * hurry call tlr_server_drain() again with a shorter deadline, or
 * tlr_server_stop(). Any thread, without a lock, from tlr_server_create() until
 * tlr_server_destroy().
 */
TLR_EXTERN void tlr_server_progress(const struct tlr_server *server,
                                    struct tlr_progress *progress,
                                    size_t size);

/** tlr_options.user. Any thread. */
TLR_EXTERN void *tlr_server_user(const struct tlr_server *server);

/** How many workers there are. Any thread. */
TLR_EXTERN unsigned tlr_server_workers(const struct tlr_server *server);

/** @} */

/**
 * What a worker has done since the start. Each figure only grows, but for
 * `open`; each is exact, but two of them may be some operations apart.
 */
struct tlr_counters {
    uint64_t accepted; /**< connections that on_open was called for */
    uint64_t open;     /**< of these, not yet closed */
    uint64_t refused;  /**< accepted and closed unserved: no memory … */
    uint64_t reads;     /**< reads completed with data */
    uint64_t writes;    /**< writes completed without an error */
    uint64_t bytes_in;  /**< that reads have brought */
    /**
     * That the kernel has taken: of a write what it took at once, and the rest
     * when all of it is done. Of one that fails the rest is not counted.
     */
    uint64_t bytes_out;
    /**
     * Windows: closed connections whose socket libuv could not put on the
     * worker's own completion port, and emulated one for. Always 0, or
     * something is wrong.
     */
    uint64_t emulated;
    uint64_t closed[TLR_CAUSES_MOST]; /**< of `accepted`, by enum tlr_cause */
    uint64_t connected; /**< of `accepted`: by tlr_connect() */
    uint64_t posts;     /**< calls of tlr_post() and its kin that have run */
    uint64_t posts_refused; /**< those that were answered UV_ENOBUFS */
    uint64_t refused_access;  /**< of `refused`: by tlr_options.access */
    uint64_t refused_peer;    /**< of `refused`: by max_per_peer */
    uint64_t refused_limit;   /**< of `refused`: by max_connections, or _worker */
    uint64_t refused_rate;    /**< of `refused`: by accept_rate */
    uint64_t refused_memory;  /**< of `refused`: no memory */
    uint64_t accept_errors;   /**< accept() or the poll failed otherwise than
                                   for the next two */
    uint64_t out_of_descriptors; /**< times that accepting paused for that */
    uint64_t out_of_memory;      /**< likewise */
    uint64_t waited_limit; /**< times that accepting waited for room */
    uint64_t waited_rate;  /**< times that it waited for accept_rate */
    /**
     * Bytes of writes and sends that wait for the kernel now; each write counts
     * until all of it is taken. Falls, too.
     */
    uint64_t queued;
    uint64_t queue_refused; /**< writes and sends refused by max_queued */
    uint64_t stalls;       /**< times that a worker's loop stalled */
};

/**
 * For tlr_server_counters(): the sum over all workers, and what the listeners on
 * the host's loop have counted (whom they refused, and when they waited, in
 * refused and in refused_access to waited_rate), which is no worker's.
 */
#define TLR_ALL_WORKERS UINT32_MAX

/**
 * Reads the counters of worker number `worker` (from 0), or of all. size:
 * sizeof(*counters), as the program knows it. Any thread, without a lock, until
 * tlr_server_destroy().
 * UV_EINVAL: there is no such worker.
 */
TLR_EXTERN int tlr_server_counters(const struct tlr_server *server,
                                   unsigned worker,
                                   struct tlr_counters *counters, size_t size);

/**
 * @name Getting across threads
 * These four functions are for any thread, from tlr_server_create() until
 * tlr_server_destroy(), and never block: whatever the worker is doing, they
 * take a lock that is held for a few instructions.
 * @{
 */

/** In place of a worker's number: the host loop. */
#define TLR_HOST (UINT32_MAX - 1)
/** In place of a worker's number: whichever is next. */
#define TLR_NEXT_WORKER (UINT32_MAX - 2)

/** Runs on the worker's thread, or on the host's. */
typedef void (*tlr_post_cb)(struct tlr_server *server, unsigned worker,
                            void *data);

/**
 * Has a worker (or TLR_HOST) call `fn`. When it returns 0, fn is called exactly
 * once, later, never from inside this call, not while another callback of that
 * worker runs, and in the order in which this thread has posted to it; also
 * when the server stops meanwhile: then before on_worker_end (for TLR_HOST:
 * before on_stopped). Otherwise it is never called. While the server drains all
 * workers go on taking posts, until none of them has a connection left.
 *
 * UV_EINVAL: no such worker; UV_EAGAIN: not started, or has no loop yet;
 * UV_ENOBUFS: tlr_options.mailbox calls are waiting already: the worker is slow
 * or stuck, and it is for the caller to wait or to drop; UV_ENOMEM;
 * UV_ECANCELED: the worker has ended, or is about to.
 */
TLR_EXTERN int tlr_post(struct tlr_server *server, unsigned worker,
                        tlr_post_cb fn, void *data);

/**
 * Runs on the connection's worker's thread. status 0: that is it. UV_ENOTCONN:
 * it has gone (on_close was called), and `conn` is NULL.
 */
typedef void (*tlr_post_conn_cb)(struct tlr_conn *conn, int status,
                                 void *data);

/**
 * tlr_post() to a connection, by the name that tlr_conn_id() gave.
 * UV_EINVAL: not an id of this server; and the others of tlr_post().
 */
TLR_EXTERN int tlr_post_conn(struct tlr_server *server, struct tlr_id id,
                             tlr_post_conn_cb fn, void *data);

/**
 * Gives a worker, or TLR_NEXT_WORKER (by tlr_options.balance), a connected TCP
 * socket that the program has from elsewhere: accepted by itself, inherited, or
 * passed on by another process. on_open follows, and from then on it is a
 * connection like any other. Takes the socket, unless it fails: then it is
 * still the caller's, unchanged.
 *
 * On Windows it must not be tied to a completion port (a socket that uv_accept()
 * gave is).
 *
 * UV_EINVAL: no such worker; UV_ENOTSOCK, UV_EBADF: no socket; UV_ENOTSUP: not
 * a stream over IPv4 or IPv6; UV_ENOTCONN: not connected; UV_ENOBUFS:
 * max_connections, max_per_worker or max_per_peer; UV_EAGAIN, UV_ECANCELED,
 * UV_ENOMEM: as for tlr_post().
 */
TLR_EXTERN int tlr_adopt(struct tlr_server *server, unsigned worker,
                         uv_os_sock_t sock);

/**
 * Answers tlr_options.resolve. status 0: `count` addresses, IPv4 or IPv6 with
 * their ports, which are tried in this order until one connects; they are
 * copied. Otherwise an error, which on_connect tells. Answers to what was closed
 * meanwhile, or was answered before, are ignored.
 *
 * UV_EINVAL: not an id of this server, no address, or more than 64, or another
 * family; UV_ENOMEM: call it again, or close the connection (tlr_post_conn());
 * UV_ECANCELED: the worker has ended.
 */
TLR_EXTERN int tlr_resolved(struct tlr_server *server, struct tlr_id id,
                            int status,
                            const struct sockaddr_storage *addresses,
                            size_t count);

/** @} */

/**
 * @name On a worker
 * These are called on that worker's thread, in or between its callbacks.
 * @{
 */

/**
 * The worker's memory: tlr_options.worker_data_size bytes for the program's own
 * data of that worker, aligned as the allocator aligns, to 16 at most. Any
 * thread may call this, from tlr_server_create() until tlr_server_destroy(); it
 * is for the worker's own to look at what is there. NULL: no such worker, or no
 * bytes.
 */
TLR_EXTERN void *tlr_server_data(const struct tlr_server *server,
                                 unsigned worker);

/**
 * The worker's loop, for handles of the program's own: see on_worker_start.
 * TLR_HOST: the host loop, on the host's thread. NULL: no such worker, or it
 * has no loop (yet, or any more).
 */
TLR_EXTERN uv_loop_t *tlr_server_loop(const struct tlr_server *server,
                                      unsigned worker);

/**
 * Connects to an address, IPv4 or IPv6. Gives *conn at once, so that its user
 * memory can be filled in; on_connect tells how it went, and until then only
 * tlr_close(), tlr_reset() and the tlr_conn_...() functions may be called on
 * it. Then it is a connection like any other, and stays on this worker.
 * handler: whose callbacks are called, borrowed until on_close has returned;
 * NULL: tlr_options.handler. It may take as long as tlr_options.idle_timeout says,
 * or tlr_conn_set_timeout(), called on *conn right after this; without both there
 * is no limit but the system's. max_connections does not count it.
 *
 * UV_EINVAL: no such worker, another address family, or a required callback is
 * missing; UV_EAGAIN: it has no loop yet; UV_ECANCELED: it stops; UV_ENOMEM.
 * Errors of socket() and connect() come to on_connect.
 */
TLR_EXTERN int tlr_connect(struct tlr_server *server, unsigned worker,
                           const struct sockaddr *address,
                           const struct tlr_handler *handler,
                           struct tlr_conn **conn);

/**
 * tlr_connect() by name, which tlr_options.resolve resolves: the library has no
 * resolver, since libuv's would put the loops' work on the thread pool that the
 * host may be using, or ending.
 * UV_ENOTSUP: there is no tlr_options.resolve; and those of tlr_connect().
 */
TLR_EXTERN int tlr_connect_name(struct tlr_server *server, unsigned worker,
                                const char *node, const char *service,
                                const struct tlr_handler *handler,
                                struct tlr_conn **conn);

/**
 * The connection of an id of this worker's.
 * UV_ENOTCONN: it has gone; UV_EINVAL: not an id of this server.
 */
TLR_EXTERN int tlr_server_find(struct tlr_server *server, struct tlr_id id,
                               struct tlr_conn **conn);

/** @} */

/**
 * @name A connection
 * All of these are called on its worker's thread, between on_open and the end
 * of on_close.
 * @{
 */

/**
 * Asks for one read; on_read tells. After the end of the stream it completes
 * with UV_EOF again.
 * UV_EBUSY: a read is asked for already; UV_EBADF: not open (any more).
 */
TLR_EXTERN int tlr_read(struct tlr_conn *conn);

/** Bytes that one read of the following two kinds brings at most. */
#define TLR_READ_MOST ((size_t)1 << 30)

/**
 * Asks for a read of exactly `size` bytes, from 1 to TLR_READ_MOST, in one
 * piece. What the peer has sent beyond them stays for the next read. If the
 * stream ends before, on_read gets UV_EOF, and the next tlr_read() what there
 * was of them. While it waits the connection holds a buffer of `size` bytes, or
 * of tlr_options.read_buffer if that is more.
 * UV_EINVAL: no such size; UV_ENOMEM; UV_EBUSY, UV_EBADF: as for tlr_read().
 */
TLR_EXTERN int tlr_read_exactly(struct tlr_conn *conn, size_t size);

/** Bytes that a delimiter may have. */
#define TLR_DELIMITER_MOST 16

/**
 * Asks for a read up to the first `delimiter`, of `length` bytes (1 to
 * TLR_DELIMITER_MOST, copied), which is the end of what on_read gets. Not more
 * than `most` bytes, the delimiter included (at least `length`, at most
 * TLR_READ_MOST): if there is none in so many, on_read gets UV_EMSGSIZE, and all
 * that was read stays for the next read. The end of the stream, what is left
 * over, and the buffer: as for tlr_read_exactly(), with `most` for `size`.
 * Errors: as for tlr_read_exactly().
 */
TLR_EXTERN int tlr_read_until(struct tlr_conn *conn, const void *delimiter,
                              size_t length, size_t most);

/** Bytes that one tlr_write() takes: as many as one system call does. */
#define TLR_WRITE_MOST 0x7ffff000u

/** Buffers that one tlr_writev() takes. */
#define TLR_WRITE_BUFFERS_MOST 1024u

/**
 * Writes `size` bytes, at most TLR_WRITE_MOST; on_write tells. Tries at once,
 * and leaves to the loop only what the kernel does not take. Borrows `data`
 * until on_write; a read buffer is kept for it (see on_read).
 * UV_EBUSY: a write is under way; UV_EPIPE: after tlr_shutdown(), or after a
 * write or a send that failed (what came now would be taken for what is missing);
 * UV_EBADF: not open (any more); UV_EINVAL: too large; UV_ENOMEM: only if
 * something that tlr_send() has queued is before it. Errors of the connection
 * come to on_write.
 */
TLR_EXTERN int tlr_write(struct tlr_conn *conn, const void *data, size_t size);

/**
 * tlr_write() from several buffers at once, in their order, by one system call
 * (writev): at most TLR_WRITE_BUFFERS_MOST, and TLR_WRITE_MOST bytes in all. The
 * array is borrowed until it returns, the memory that it names until on_write.
 */
TLR_EXTERN int tlr_writev(struct tlr_conn *conn, const uv_buf_t *buffers,
                          unsigned count);

/**
 * Sends a copy of `size` bytes: tries at once, and queues what the kernel does
 * not take, behind all that is under way. May be called again at once, and
 * nothing is called back when it is done: the water marks tell how the peer
 * keeps up. If what was queued is lost to an error, on_write says so, once.
 *
 * UV_ENOBUFS: more than tlr_options.send_queue bytes would be queued, and there
 * are some already: the peer does not read; or max_queued is reached, and the
 * kernel has taken none of them. Nothing of `data` was sent. UV_EPIPE, UV_EBADF:
 * as for tlr_write(). UV_ENOMEM (also when the kernel has taken some, and
 * max_queued does not let the rest be queued), or an error of the connection: it
 * is not known how much was sent; what is left to do is tlr_close() or
 * tlr_reset().
 */
TLR_EXTERN int tlr_send(struct tlr_conn *conn, const void *data, size_t size);

/** Bytes of writes and sends that the kernel has not taken yet. */
TLR_EXTERN size_t tlr_conn_queued(const struct tlr_conn *conn);

/**
 * Half-closes: sends FIN after all writes that are under way; on_shutdown
 * tells. Reading goes on.
 * UV_EPIPE: asked for before, or after a write or a send that failed; UV_EBADF:
 * not open (any more).
 */
TLR_EXTERN int tlr_shutdown(struct tlr_conn *conn);

/**
 * Closes. Writes that are under way are completed first, then the peer gets
 * FIN, and the peer's own end is awaited for up to five seconds, what it still
 * sends being dropped: without that wait the kernel would answer late bytes
 * with RST, and RST takes from the peer what it has not read yet (RFC 1122,
 * 4.2.2.13). A read asked for completes with UV_ECANCELED. Then on_close. A
 * peer that does not read what it was written holds the connection open:
 * tlr_options.write_timeout or idle_timeout, or tlr_reset(), ends that. May be
 * called again, and after tlr_reset().
 */
TLR_EXTERN void tlr_close(struct tlr_conn *conn);

/**
 * Closes at once: what is queued is thrown away and the peer gets RST.
 * Operations under way complete with UV_ECANCELED, then on_close. May be
 * called again, and after tlr_close().
 */
TLR_EXTERN void tlr_reset(struct tlr_conn *conn);

/**
 * Names the connection to other threads, see tlr_post_conn(): the same each
 * time. UV_ENOMEM: for the first time only.
 */
TLR_EXTERN int tlr_conn_id(struct tlr_conn *conn, struct tlr_id *id);

/**
 * The user memory: tlr_options.conn_data_size bytes, aligned as the allocator
 * aligns, to 16 at most.
 */
TLR_EXTERN void *tlr_conn_data(struct tlr_conn *conn);

/** tlr_options.user. */
TLR_EXTERN void *tlr_conn_user(const struct tlr_conn *conn);

/** Its server. */
TLR_EXTERN struct tlr_server *tlr_conn_server(const struct tlr_conn *conn);

/** The number of its worker, from 0. */
TLR_EXTERN unsigned tlr_conn_worker(const struct tlr_conn *conn);

/** The worker's loop, as tlr_server_loop() gives it. */
TLR_EXTERN uv_loop_t *tlr_conn_loop(const struct tlr_conn *conn);

/**
 * The peer's address. Errors: those of getpeername(), such as UV_ENOTCONN after
 * a reset; UV_EBADF before it is connected, and in on_close, when the socket is
 * gone.
 */
TLR_EXTERN int tlr_conn_peer(const struct tlr_conn *conn,
                             struct sockaddr_storage *address);

/** Our own address. Errors: those of getsockname(); as for tlr_conn_peer(). */
TLR_EXTERN int tlr_conn_local(const struct tlr_conn *conn,
                              struct sockaddr_storage *address);

/** A connection's timeouts that tlr_conn_set_timeout() sets. */
enum tlr_timeout {
    TLR_TIMEOUT_IDLE = 0, /**< as tlr_options.idle_timeout, without jitter */
    TLR_TIMEOUT_READ,     /**< as tlr_options.read_timeout */
    TLR_TIMEOUT_WRITE,    /**< as tlr_options.write_timeout */
    /**
     * As tlr_options.max_lifetime, from now on. Set in on_drain, when the life
     * has just passed, it lets the connection live on.
     */
    TLR_TIMEOUT_LIFETIME
};

/**
 * Sets a timeout of this one connection, in milliseconds, 0: none: a shorter
 * read_timeout until the peer has said who it is, say. It counts at once, for a
 * read that is under way from when that was asked for; and while the connection
 * connects, where TLR_TIMEOUT_IDLE is a limit for that.
 *
 * UV_ENOTSUP: all four of these timeouts are 0 in the options: connections have
 * no memory for them (UINT32_MAX, 49 days, gets it); UV_EINVAL: no such timeout;
 * UV_EBADF: closed.
 */
TLR_EXTERN int tlr_conn_set_timeout(struct tlr_conn *conn,
                                    enum tlr_timeout which,
                                    unsigned milliseconds);

/** The options of a socket that can be set and read. */
enum tlr_socket_option {
    /**
     * TCP_NODELAY: 1, small writes are sent at once, the default here, but for
     * adopted sockets, which stay as they were; 0.
     */
    TLR_NODELAY = 0,
    /** SO_KEEPALIVE: after so many idle seconds; 0: off, the default. */
    TLR_KEEPALIVE,
    /**
     * SO_SNDBUF: bytes, at least 1. The system rounds, limits, and on Linux
     * doubles them.
     */
    TLR_SEND_BUFFER,
    /** SO_RCVBUF: as TLR_SEND_BUFFER. */
    TLR_RECEIVE_BUFFER
};

/**
 * Sets an option. UV_EINVAL: no such option, or a value that it cannot have;
 * UV_EBADF: no socket (before it is connected, in on_close); else what
 * setsockopt() says.
 */
TLR_EXTERN int tlr_conn_set(struct tlr_conn *conn,
                            enum tlr_socket_option option, int value);

/** Reads an option. Errors: as for tlr_conn_set(), and of getsockopt(). */
TLR_EXTERN int tlr_conn_get(const struct tlr_conn *conn,
                            enum tlr_socket_option option, int *value);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
