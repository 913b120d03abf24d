/* SPDX-License-Identifier: MIT */
/* See mailbox.h. */
#include "mailbox.h"

#include <string.h>

#include "check.h"

#define FIRST_CAPACITY 64

int tlr_mailbox_init(struct tlr_mailbox *mailbox, uv_loop_t *loop,
                     const struct tlr_allocator *allocator, uv_async_cb wake)
{
    int err;

    memset(&mailbox->filling, 0, sizeof(mailbox->filling));
    memset(&mailbox->emptying, 0, sizeof(mailbox->emptying));
    mailbox->allocator = allocator;
    mailbox->orders = 0;
    mailbox->open = true;
    err = uv_mutex_init(&mailbox->mutex);
    if (err != 0) {
        return err;
    }
    err = uv_async_init(loop, &mailbox->async, wake);
    if (err != 0) {
        uv_mutex_destroy(&mailbox->mutex);
    }
    return err;
}

static int reserve(struct tlr_mailbox *mailbox)
{
    struct tlr_sockets *sockets = &mailbox->filling;
    size_t capacity;
    uv_os_sock_t *items;

    if (sockets->count < sockets->capacity) {
        return 0;
    }
    capacity = sockets->capacity == 0 ? FIRST_CAPACITY : sockets->capacity * 2;
    items = tlr_realloc(mailbox->allocator, sockets->items,
                        capacity * sizeof(*items));
    if (items == NULL) {
        return UV_ENOMEM;
    }
    sockets->items = items;
    sockets->capacity = capacity;
    return 0;
}

static void wake(struct tlr_mailbox *mailbox)
{
    TLR_CHECK(uv_async_send(&mailbox->async) == 0); /* the handle is open */
}

int tlr_mailbox_post_socket(struct tlr_mailbox *mailbox, uv_os_sock_t sock)
{
    int err;

    uv_mutex_lock(&mailbox->mutex);
    err = mailbox->open ? reserve(mailbox) : UV_ECANCELED;
    if (err == 0) {
        mailbox->filling.items[mailbox->filling.count++] = sock;
        wake(mailbox);
    }
    uv_mutex_unlock(&mailbox->mutex);
    return err;
}

void tlr_mailbox_post_orders(struct tlr_mailbox *mailbox, unsigned orders)
{
    uv_mutex_lock(&mailbox->mutex);
    if (mailbox->open) {
        mailbox->orders |= orders;
        wake(mailbox);
    }
    uv_mutex_unlock(&mailbox->mutex);
}

unsigned tlr_mailbox_receive(struct tlr_mailbox *mailbox,
                             const struct tlr_sockets **sockets)
{
    struct tlr_sockets emptied = mailbox->emptying;
    unsigned orders;

    emptied.count = 0;
    uv_mutex_lock(&mailbox->mutex);
    mailbox->emptying = mailbox->filling;
    mailbox->filling = emptied;
    orders = mailbox->orders;
    mailbox->orders = 0;
    uv_mutex_unlock(&mailbox->mutex);
    *sockets = &mailbox->emptying;
    return orders;
}

void tlr_mailbox_shut(struct tlr_mailbox *mailbox)
{
    uv_mutex_lock(&mailbox->mutex);
    mailbox->open = false;
    uv_mutex_unlock(&mailbox->mutex);
}

void tlr_mailbox_close(struct tlr_mailbox *mailbox, uv_close_cb cb)
{
    tlr_mailbox_shut(mailbox);
    uv_close((uv_handle_t *)&mailbox->async, cb);
}

void tlr_mailbox_destroy(struct tlr_mailbox *mailbox)
{
    TLR_CHECK(mailbox->filling.count == 0);
    tlr_free(mailbox->allocator, mailbox->filling.items);
    tlr_free(mailbox->allocator, mailbox->emptying.items);
    uv_mutex_destroy(&mailbox->mutex);
}
