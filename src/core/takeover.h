/* SPDX-License-Identifier: MIT */
/*
 * From one process to the next without losing a connection: the messages, and
 * the seam to the platform (takeover_unix.c, takeover_win.c).
 *
 * A process that serves offers its listening sockets at a path (offer.c), and
 * one that is about to start takes them over there (takeover.c):
 *
 *     new: HELLO     ─►  old
 *          SOCKETS  ◄─        as many messages as it takes
 *          …starts…
 *          READY     ─►       when nothing can fail any more
 *          TAKEN    ◄─        the old one leaves: it accepts no more, and drains
 *
 * Until READY is there the old one serves as if nothing were. If the new one
 * goes before it, or takes too long, nothing has happened: the sockets are
 * shared, and nothing that the new one closes ends them. READY decides: the old
 * one looks for it once more before it says REFUSED, so that there is never
 * neither, and both only until the old one looks.
 *
 * If the old one goes (it crashed, or was stopped) the new one serves: it has
 * the sockets.
 */
#ifndef TLR_TAKEOVER_H
#define TLR_TAKEOVER_H

#include <stdbool.h>

#include <uv.h>

enum tlr_takeover_kind {
    TLR_TAKEOVER_HELLO = 1,
    TLR_TAKEOVER_SOCKETS,
    TLR_TAKEOVER_READY,
    TLR_TAKEOVER_TAKEN,
    TLR_TAKEOVER_REFUSED
};

/* Sockets that one message brings at most: Linux allows 253. */
#define TLR_TAKEOVER_AT_ONCE 64

/* Sockets in all: more than that is a mistake, or malice. */
#define TLR_TAKEOVER_MOST 16384

/* Both ends are on one machine: no order of bytes. */
struct tlr_takeover_message {
    char magic[8];
    uint32_t version;
    uint32_t kind;  /* enum tlr_takeover_kind */
    int32_t error;  /* REFUSED: UV_E* */
    uint32_t count; /* SOCKETS: with this message */
    uint32_t total; /* SOCKETS: in all messages */
    uint32_t zero;
    int64_t pid; /* the sender's */
};

/* A message on its way in. Starts with all zeroes. */
struct tlr_takeover_reader {
    struct tlr_takeover_message message;
    size_t length; /* bytes that have come */
    unsigned count;
    uv_os_sock_t socks[TLR_TAKEOVER_AT_ONCE]; /* that came with it */
};

/* Which file it is, whatever its name. All zeroes: none. */
struct tlr_takeover_id {
    uint64_t device;
    uint64_t number;
};

/* What a server that has taken over knows of the other process. */
struct tlr_successor {
    struct tlr_takeover_id file; /* where that has offered; it stays known */
    bool linked; /* it waits to be told */
    uv_os_sock_t link;
    uint64_t timeout; /* milliseconds, for its answer */
};

struct tlr_offering; /* offer.c */

/* Sets all but what belongs to the kind. */
void tlr_takeover_fill(struct tlr_takeover_message *message,
                       enum tlr_takeover_kind kind);

/*
 * 0: it is a message of ours. UV_EPROTO, or UV_EPROTONOSUPPORT: of another
 * version.
 */
int tlr_takeover_check(const struct tlr_takeover_message *message);

/* ---- the seam ------------------------------------------------------- */

/*
 * All of these say UV_ENOTSUP where there is no such thing. Nothing blocks but
 * tlr_takeover_connect() and _wait(), nothing raises a signal, and no
 * descriptor is inherited.
 */

/* Bytes that a path has room for, with the ending of its temporary name. */
#define TLR_TAKEOVER_PATH_SIZE 104

/* A socket's file: while it is made, and afterwards. */
struct tlr_takeover_file {
    char path[TLR_TAKEOVER_PATH_SIZE];
    char temporary[TLR_TAKEOVER_PATH_SIZE]; /* beside it; "": it is no more */
    struct tlr_takeover_id id; /* and which file is ours */
};

/*
 * Listens at a temporary name beside `path`, as nobody else but us may. If it
 * is `mine` that has the path, whoever listens there leaves, or has left; else
 * UV_EADDRINUSE if there is somebody. UV_EEXIST: there is something that is no
 * socket. UV_ENAMETOOLONG.
 */
int tlr_takeover_bind(const char *path, const struct tlr_takeover_id *mine,
                      struct tlr_takeover_file *file, uv_os_sock_t *sock);

/* Gives it its name, in place of a socket that has it. UV_EEXIST as above. */
int tlr_takeover_publish(struct tlr_takeover_file *file);

/* Removes the file, whatever its name is now, if it is still ours. */
void tlr_takeover_remove(struct tlr_takeover_file *file);

/*
 * UV_EAGAIN: nobody is there. UV_EPERM: somebody was, of another user who is not
 * root; they have been told.
 */
int tlr_takeover_accept(uv_os_sock_t sock, uv_os_sock_t *link);

/*
 * And says at which file: all zeroes if it has gone already.
 * UV_ENOENT, UV_ECONNREFUSED: nobody is there, the latter also a moment later,
 * 100 milliseconds at most. UV_EPERM: a process of another user, who is not
 * root; and neither are we. UV_ETIMEDOUT: it is busy for longer than
 * `milliseconds`.
 */
int tlr_takeover_connect(const char *path, uint64_t milliseconds,
                         uv_os_sock_t *link, struct tlr_takeover_id *id);

/* UV_EAGAIN: no room now; then nothing was sent. message->count sockets go too. */
int tlr_takeover_send(uv_os_sock_t link,
                      const struct tlr_takeover_message *message,
                      const uv_os_sock_t *socks);

/*
 * Gives a whole message, checked, and its sockets: those are the caller's, also
 * after an error. `socks`: none are wanted if false. UV_EAGAIN: more is to come;
 * UV_EOF; UV_EMFILE: no descriptors for the sockets; UV_EPROTO,
 * UV_EPROTONOSUPPORT.
 */
int tlr_takeover_receive(uv_os_sock_t link, bool socks,
                         struct tlr_takeover_reader *reader);

/* Blocks until there is something to receive; UV_ETIMEDOUT. */
int tlr_takeover_wait(uv_os_sock_t link, uint64_t milliseconds);

#endif
