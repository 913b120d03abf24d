/* SPDX-License-Identifier: MIT */
/*
 * One listening socket, watched on one loop: the host's, or a worker's own
 * where each has its listener (SO_REUSEPORT).
 *
 * It accepts raw sockets and gives each to its owner. When descriptors or
 * memory run out it stops watching for RETRY milliseconds, so that no loop
 * spins, and tries again; nothing else has to heal it. When the owner has no
 * room it stops watching until tlr_listener_resume(), and when it is too soon
 * for one more, until it is time; peers wait in the kernel's queue.
 */
#ifndef TLR_LISTENER_H
#define TLR_LISTENER_H

#include <stdbool.h>

#include "handoff.h"

struct tlr_listener;

/* Whether one more connection may be accepted. */
enum tlr_admission {
    TLR_ADMIT_ONE,
    TLR_ADMIT_LATER, /* not before ticket->wait nanoseconds from now */
    TLR_ADMIT_NONE   /* not before tlr_listener_resume() */
};

/* What the owner remembers from admitting one until it is accepted. */
struct tlr_ticket {
    uint64_t wait; /* TLR_ADMIT_LATER */
    void *worker;  /* where room is reserved; NULL: it is turned away */
    uint8_t why;   /* and then: enum tlr_refusal */
    bool token;    /* one was taken of the accept rate */
};

struct tlr_listener_callbacks {
    /* Fills in the ticket, which is all zeroes. */
    enum tlr_admission (*admit)(struct tlr_listener *listener,
                                struct tlr_ticket *ticket);
    /* After TLR_ADMIT_ONE: nothing was there to accept. */
    void (*dismiss)(struct tlr_listener *listener,
                    const struct tlr_ticket *ticket);
    /* Or there was. Takes the socket. */
    void (*accepted)(struct tlr_listener *listener,
                     const struct tlr_ticket *ticket, uv_os_sock_t sock,
                     const struct sockaddr_storage *peer);
    /* Accepting failed, not with TLR_ACCEPT_NONE; err: a UV_E* code. */
    void (*trouble)(struct tlr_listener *listener,
                    enum tlr_accept_result result, int err);
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
    unsigned errors;  /* of accept(), that passed, in a row */
    uint64_t wait;    /* milliseconds: of TLR_ADMIT_LATER */
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

/*
 * Whether it takes what the kernel has queued before it closes: peers that are
 * not to be lost, and no more come.
 */
bool tlr_listener_is_emptying(const struct tlr_listener *listener);

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
