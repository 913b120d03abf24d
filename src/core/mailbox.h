/* SPDX-License-Identifier: MIT */
/*
 * How another thread reaches a loop: messages, in order, and orders.
 *
 * Owned by a worker, or by the server for the host's loop. Posted to from any
 * thread, received on the loop's. Pushing, waking the loop and looking whether
 * the mailbox is open happen under one lock: whoever was told 0 knows that the
 * message will be received, and nobody wakes a handle that is being closed.
 * (Done apart, 4 to 22 descriptors were lost in 4 runs of 12.)
 *
 *     CREATED ─► OPEN ─► SHUT ─► destroyed
 *
 * The lock lives from creating to destroying, so that posting is allowed all the
 * time, and answers with an error while the mailbox is not open.
 *
 * Two vectors take turns, one being filled while the other is worked through,
 * so that a message costs no allocation once they have grown.
 */
#ifndef TLR_MAILBOX_H
#define TLR_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>

#include "memory.h"

/* What a message is; the mailbox only counts those that are posts. */
enum tlr_message_kind {
    TLR_MESSAGE_SOCKET,    /* to open a connection on */
    TLR_MESSAGE_POST,      /* tlr_post() */
    TLR_MESSAGE_POST_CONN, /* tlr_post_conn() */
    TLR_MESSAGE_RESOLVED   /* tlr_resolved(): data is a struct tlr_resolution */
};

struct tlr_message {
    enum tlr_message_kind kind;
    uint32_t slot; /* of an id: TLR_MESSAGE_POST_CONN and _RESOLVED */
    uint64_t serial;
    union {
        uv_os_sock_t sock;
        tlr_post_cb post;
        tlr_post_conn_cb post_conn;
    } to;
    void *data;
};

struct tlr_messages {
    struct tlr_message *items;
    size_t count;
    size_t capacity;
};

enum tlr_mailbox_state {
    TLR_MAILBOX_CREATED,
    TLR_MAILBOX_OPEN,
    TLR_MAILBOX_SHUT
};

struct tlr_mailbox {
    uv_async_t async;
    uv_mutex_t mutex;
    const struct tlr_allocator *allocator;
    size_t limit; /* posts in `filling` */
    _Atomic uint64_t denied; /* posts, at the limit */
    /* Under the mutex: */
    enum tlr_mailbox_state state;
    unsigned orders; /* bits, the receiver's own */
    size_t posts;
    struct tlr_messages filling;
    /* The receiver's: */
    struct tlr_messages emptying;
};

/* Fills in a mailbox that is all zeroes. Borrows `allocator`. */
int tlr_mailbox_create(struct tlr_mailbox *mailbox,
                       const struct tlr_allocator *allocator, size_t limit);

/* On the loop's thread, or before it runs. `wake` runs on the loop's thread. */
int tlr_mailbox_open(struct tlr_mailbox *mailbox, uv_loop_t *loop,
                     uv_async_cb wake);

/*
 * From any thread. Takes what the message holds, unless: UV_ENOBUFS: a post,
 * and there are `limit` of them; UV_ENOMEM; UV_EAGAIN: not open yet;
 * UV_ECANCELED: shut.
 */
int tlr_mailbox_post(struct tlr_mailbox *mailbox,
                     const struct tlr_message *message);

/* From any thread: sets these bits; nothing happens while it is not open. */
void tlr_mailbox_post_orders(struct tlr_mailbox *mailbox, unsigned orders);

/*
 * On the loop's thread: takes all that has come. Returns the orders; the
 * messages are lent until the next call.
 */
unsigned tlr_mailbox_receive(struct tlr_mailbox *mailbox,
                             const struct tlr_messages **messages);

/*
 * On the loop's thread, or when it never opened: from now on posting answers
 * UV_ECANCELED. What has been posted is there to be received.
 */
void tlr_mailbox_shut(struct tlr_mailbox *mailbox);

/* Shuts it and closes the handle. */
void tlr_mailbox_close(struct tlr_mailbox *mailbox, uv_close_cb cb);

/* Releases the memory, when the handle is closed and nobody posts any more. */
void tlr_mailbox_destroy(struct tlr_mailbox *mailbox);

#endif
