/* SPDX-License-Identifier: MIT */
/*
 * How another thread reaches a loop: sockets to open there, and orders.
 *
 * Owned by a worker; posted to from any thread, received on the worker's.
 * Pushing, waking the loop and looking whether the mailbox is still open
 * happen under one lock: whoever was told 0 knows that the worker will see the
 * socket, and nobody wakes a handle that is being closed. (Done apart, 4 to 22
 * descriptors were lost in 4 runs of 12.)
 *
 * Two vectors take turns, one being filled while the other is worked through,
 * so that a message costs no allocation once they have grown.
 */
#ifndef TLR_MAILBOX_H
#define TLR_MAILBOX_H

#include <stdbool.h>

#include "memory.h"

struct tlr_sockets {
    uv_os_sock_t *items;
    size_t count;
    size_t capacity;
};

struct tlr_mailbox {
    uv_async_t async;
    uv_mutex_t mutex;
    const struct tlr_allocator *allocator;
    bool open;
    unsigned orders;            /* bits, the worker's own */
    struct tlr_sockets filling; /* under the mutex, as the two above */
    struct tlr_sockets emptying; /* the receiver's */
};

/* Leaves nothing behind when it fails. `wake` runs on the loop's thread. */
int tlr_mailbox_init(struct tlr_mailbox *mailbox, uv_loop_t *loop,
                     const struct tlr_allocator *allocator, uv_async_cb wake);

/* From any thread. Takes the socket, unless: UV_ENOMEM; UV_ECANCELED: shut. */
int tlr_mailbox_post_socket(struct tlr_mailbox *mailbox, uv_os_sock_t sock);

/* From any thread: sets these bits; nothing happens once it is shut. */
void tlr_mailbox_post_orders(struct tlr_mailbox *mailbox, unsigned orders);

/*
 * On the loop's thread: takes all that has come. Returns the orders; the
 * sockets are lent until the next call.
 */
unsigned tlr_mailbox_receive(struct tlr_mailbox *mailbox,
                             const struct tlr_sockets **sockets);

/* On the loop's thread: from now on posting answers UV_ECANCELED. */
void tlr_mailbox_shut(struct tlr_mailbox *mailbox);

/* Shuts it and closes the handle. */
void tlr_mailbox_close(struct tlr_mailbox *mailbox, uv_close_cb cb);

/* Releases the memory, when the handle is closed and nobody posts any more. */
void tlr_mailbox_destroy(struct tlr_mailbox *mailbox);

#endif
