/* SPDX-License-Identifier: MIT */
/*
 * One listening socket, watched on one loop: the host's, or a worker's own
 * where each has its listener (SO_REUSEPORT).
 *
 * It accepts raw sockets and gives each to its owner. When descriptors or
 * memory run out it stops watching for RETRY milliseconds, so that no loop
 * spins, and tries again; nothing else has to heal it. When the owner has no
 * room it stops watching until tlr_listener_resume(); peers wait in the
 * kernel's queue.
 */
#ifndef TLR_LISTENER_H
#define TLR_LISTENER_H

#include <stdbool.h>

#include <uv.h>

struct tlr_listener;

struct tlr_listener_callbacks {
    /* Whether one more connection may be accepted; if so it is reserved. */
    bool (*reserve)(struct tlr_listener *listener);
    /* The reservation is not needed: nothing was there to accept. */
    void (*unreserve)(struct tlr_listener *listener);
    /* A connection, for which room was reserved. Takes the socket. */
    void (*accepted)(struct tlr_listener *listener, uv_os_sock_t sock);
    /* Before and after a batch of those. */
    void (*enter)(struct tlr_listener *listener);
    void (*leave)(struct tlr_listener *listener);
    /* After tlr_listener_close(): the memory is the owner's again. */
    void (*closed)(struct tlr_listener *listener);
};

struct tlr_listener {
    uv_poll_t poll;
    uv_timer_t retry;
    uv_os_sock_t sock;
    int state;        /* enum listener_state */
    unsigned handles; /* not closed yet */
    unsigned left;    /* while emptying: how many more to accept */
    bool bound;       /* and no more: it listens at the start */
    int backlog;      /* for that */
    struct tlr_listener *next; /* the owner's */
    const struct tlr_listener_callbacks *callbacks;
    void *owner;
};

/* Makes a listening socket; no handle yet. See tlr_handoff_listen(). */
int tlr_listener_open(struct tlr_listener *listener,
                      const struct sockaddr *address, int backlog,
                      unsigned flags);

/* Uses a listening socket; no handle yet. Takes it. */
void tlr_listener_use(struct tlr_listener *listener, uv_os_sock_t sock);

/* Closes the socket of a listener that was not put on a loop. */
void tlr_listener_abandon(struct tlr_listener *listener);

/* Puts two handles on the loop, or none when it fails. */
int tlr_listener_init(struct tlr_listener *listener, uv_loop_t *loop,
                      const struct tlr_listener_callbacks *callbacks,
                      void *owner);

/* Begins to accept. Harmless if it has begun, or has been closed. */
void tlr_listener_start(struct tlr_listener *listener);

/* There is room again. */
void tlr_listener_resume(struct tlr_listener *listener);

/*
 * Closes; `closed` follows. take_queued: accepts first what the kernel has
 * queued and would reset, which may take a while: until there is room for it,
 * and descriptors. May be called again, to close at once after all.
 */
void tlr_listener_close(struct tlr_listener *listener, bool take_queued);

/*
 * Accepts what is queued as far as that goes at once, closes, and closes the
 * socket too before it returns: for a loop that may not turn any more. `closed`
 * follows if it does.
 */
void tlr_listener_end(struct tlr_listener *listener);

/* Whether its handles keep their loop alive; they do at first. */
void tlr_listener_ref(struct tlr_listener *listener, bool ref);

#endif
