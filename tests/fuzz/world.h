/* SPDX-License-Identifier: MIT */
/*
 * A server, its peers, and what both ends of each connection must see, as
 * teller.h promises it: what is checked here is derived from that header.
 *
 *   program.c  the operations of the bytes: peers, posts, turns, drain, stop
 *   acts.c     calls on a connection, and what each may return
 *   handler.c  the server's callbacks: what may come when, and what they do
 *   peers.c    what the other ends do
 *   memory.c   the library's memory
 *   model.c    streams of bytes, ends of connections, the fault that is found
 *
 * With workers there are several threads: each callback and each operation
 * holds `lock`, and turns of the host's loop do not.
 */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include <uv.h>

#include <stdatomic.h>

#include "core/teller.h"
#include "input.h"
#include "wire.h"

enum {
    LINES_MOST = 24,        /* connections that a run makes */
    ROOM_MOST = 2 * LINES_MOST, /* and those whose peers are not known */
    VOLUME_MOST = 2 << 20, /* bytes of a run that are made */
    WORKERS_MOST = 2,
    PATIENCE = 30000 /* milliseconds, for what has to come */
};

/* One direction: all that was accepted for sending, and how much has come. */
struct stream {
    uint8_t *bytes;
    size_t length;
    size_t maybe; /* more bytes behind these, that may come or not */
    size_t room;
    size_t taken;
};

enum reading { READ_NONE, READ_SOME, READ_EXACTLY, READ_UNTIL };

/* A connection, with both of its ends. */
struct line {
    /* the peer's */
    uv_os_sock_t wire;
    bool wired; /* wire is open */
    bool refused;
    bool late;      /* dialled after drain or stop */
    bool half_closed;
    bool gone;      /* closed or reset by the peer */
    bool torn;      /* so that the server may get RST */
    bool saw_end;
    bool saw_reset;
    unsigned port;  /* the peer's, or 0 */
    struct stream up;   /* peer to server */
    struct stream down; /* server to peer */

    /* the server's */
    struct tlr_conn *conn; /* from on_open, or tlr_connect(), to on_close */
    struct tlr_id id;
    bool named; /* id is one */
    bool outbound;
    bool connecting;
    bool opened;
    bool closed;
    bool adopted;
    bool ghost; /* nobody knows who its peer was: it was reset too early */
    enum reading reading;
    size_t wanted; /* of READ_EXACTLY, READ_UNTIL */
    char delimiter[TLR_DELIMITER_MOST];
    size_t delimiter_length;
    bool writing;
    void *memory; /* lent to the write under way */
    bool shutting;
    bool fin_asked;
    bool close_asked;
    bool close_first; /* before reset_asked */
    bool reset_asked;
    uint64_t close_time; /* of the first tlr_close() or tlr_reset() */
    uint64_t close_turn;
    size_t largest; /* wanted so far */
    bool eof_told;
    bool error_told;
    bool write_failed; /* on_write was told an error */
    bool send_failed; /* of what tlr_send() had queued, or in it */
    size_t sends;     /* accepted by tlr_send() */
    bool doomed; /* tlr_close() and tlr_reset() are all that may be called */
    bool high;   /* on_high_water was the last mark */
    bool open_at_drain;
    bool drain_told;
};

/* The figures of tlr_counters, as the callbacks have seen them. */
struct figures {
    uint64_t opened, connected, closed, reads, bytes_in, writes, posts;
    uint64_t sends, causes[TLR_CAUSES_MOST];
};

struct world {
    uv_mutex_t lock;
    struct input input;
    uv_loop_t loop;
    uv_timer_t keeper; /* keeps the loop turning */
    struct tlr_options options;
    struct tlr_server *server;
    struct sockaddr_storage address;
    uv_os_sock_t listener; /* of peers, for tlr_connect() */
    struct sockaddr_in listening;
    bool on_host; /* TLR_LOOPS_HOST */
    bool started;
    bool referenced;
    bool finishing; /* the rest is about ending well */
    bool drained;   /* tlr_server_drain() and its kin were called */
    bool may_stop;  /* with a deadline that has come, or may have */
    bool limited;   /* peers may be refused, by the options */
    unsigned stopped; /* on_stopped was called */
    unsigned worker_starts, worker_ends;
    bool in_call; /* the host's thread is in a function of the library's */
    unsigned callbacks[WORKERS_MOST]; /* of this worker, running now */
    unsigned trampolines;
    _Atomic uint64_t turns; /* of the host's loop, and without the lock */
    uint64_t turn_of_drain;
    _Atomic uint64_t events; /* things seen to happen; read without the lock */
    size_t volume;
    struct figures seen;

    struct line lines[ROOM_MOST];
    unsigned line_count;
    struct {
        uv_os_sock_t sock;
        unsigned port;
    } guests[LINES_MOST]; /* accepted by the listener, whose is not known */
    unsigned guest_count;

    unsigned posts_waiting[WORKERS_MOST + 1]; /* the last: TLR_HOST's */
    uint64_t posts_made[WORKERS_MOST + 1];
    uint64_t posts_run[WORKERS_MOST + 1];

    /* memory */
    atomic_size_t blocks;
    atomic_size_t bytes;
    atomic_uint fail_in;    /* the n-th allocation from now; 0: none */
    atomic_uint fail_times; /* and so many in a row */
    atomic_uint starved;    /* allocations that have failed */
};

extern struct world world;

/* ---- model.c -------------------------------------------------------- */

/* Says what is wrong, and aborts. */
_Noreturn void fault(const char *file, int at, const struct line *line,
                     const char *format, ...);

#define REQUIRE(line, condition, ...)                          \
    do {                                                       \
        if (!(condition)) {                                    \
            fault(__FILE__, __LINE__, (line), __VA_ARGS__);    \
        }                                                      \
    } while (0)

/* Prints what happens, if FUZZ_TRACE is set. */
void trace(const struct line *line, const char *format, ...);

/* New bytes for a stream: others at each place of each. */
void stream_make(uint8_t *bytes, size_t size, uintptr_t salt, size_t position);
void stream_append(struct stream *stream, const void *bytes, size_t size);
void stream_append_maybe(struct stream *stream, const void *bytes,
                         size_t size);

struct line *line_new(void); /* NULL: there are enough */
struct line *line_of_port(unsigned port, bool adopted);
bool line_is_open(const struct line *line);
unsigned line_index(const struct line *line);

/* What the peer has got. */
void peer_got(struct line *line, const uint8_t *bytes, size_t size);
void peer_got_end(struct line *line);
void peer_got_error(struct line *line, int err);

/* What the server's handler was told of its read. */
void server_got(struct line *line, ssize_t nread, const char *data);

/* on_close. */
void server_closed(struct line *line, enum tlr_cause cause);

/* The server's counters against `seen`. */
void check_counters(bool at_the_end);

/* ---- acts.c --------------------------------------------------------- */

/* A size of a piece of data, from a byte. */
size_t size_from(uint8_t byte);

/* On the connection's thread: some call, as `byte` says. */
void act(struct line *line, uint8_t byte);

void act_read(struct line *line);
void act_close(struct line *line);
void act_reset(struct line *line);

/* Writes what on_read was lent. True if the buffer is kept. */
bool act_write_lent(struct line *line, const char *data, size_t size);
void act_send(struct line *line, const void *data, size_t size);

/* Posts that some act be done. */
void act_post(unsigned worker, uint8_t byte);
void act_post_conn(struct line *line, uint8_t byte);

/* Connects to the peers' listener, or to where nobody listens. */
void act_connect(unsigned worker, bool nobody);

/* ---- memory.c ------------------------------------------------------- */

void memory_init(struct tlr_options *options);

/* ---- peers.c -------------------------------------------------------- */

void peer_dial(uint8_t byte);
void peer_adopt(uint8_t byte);
void peer_send(struct line *line, size_t size);
void peer_half_close(struct line *line);
void peer_close(struct line *line);
void peer_reset(struct line *line);

/* Receives so many bytes at most. False: nothing is there. */
bool peer_receive(struct line *line, size_t size);

/* Gives those that tlr_connect() has connected to the listener their lines. */
void peers_meet(void);

/* Whether both ends have nothing more to tell. */
bool line_is_over(const struct line *line);

/* ---- handler.c ------------------------------------------------------ */

void handler_init(struct tlr_options *options);

#endif
