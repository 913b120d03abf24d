/* SPDX-License-Identifier: MIT */
/* See mailbox.h. */
#include "mailbox.h"

#include "check.h"
#include "libuv.h"
#include "point.h"

#define FIRST_CAPACITY 64

/* After a burst no more than this is kept for the next one. */
#define KEEP 4096

int tlr_mailbox_create(struct tlr_mailbox *mailbox,
                       const struct tlr_allocator *allocator, size_t limit)
{
    mailbox->allocator = allocator;
    mailbox->limit = limit;
    return uv_mutex_init(&mailbox->mutex);
}

int tlr_mailbox_open(struct tlr_mailbox *mailbox, uv_loop_t *loop,
                     uv_async_cb wake)
{
    int err = uv_async_init(loop, &mailbox->async, wake);

    if (err == 0) {
        uv_mutex_lock(&mailbox->mutex);
        TLR_CHECK(mailbox->state == TLR_MAILBOX_CREATED);
        mailbox->state = TLR_MAILBOX_OPEN;
        uv_mutex_unlock(&mailbox->mutex);
    }
    return err;
}

static int reserve(struct tlr_mailbox *mailbox)
{
    struct tlr_messages *messages = &mailbox->filling;
    size_t capacity;
    struct tlr_message *items;

    if (messages->count < messages->capacity) {
        return 0;
    }
    capacity =
        messages->capacity == 0 ? FIRST_CAPACITY : messages->capacity * 2;
    items = tlr_realloc(mailbox->allocator, messages->items,
                        capacity * sizeof(*items));
    if (items == NULL) {
        return UV_ENOMEM;
    }
    messages->items = items;
    messages->capacity = capacity;
    return 0;
}

static void wake(struct tlr_mailbox *mailbox)
{
    TLR_CHECK(uv_async_send(&mailbox->async) == 0); /* the handle is open */
}

static bool is_post(const struct tlr_message *message)
{
    return message->kind == TLR_MESSAGE_POST ||
           message->kind == TLR_MESSAGE_POST_CONN;
}

static int admit(struct tlr_mailbox *mailbox,
                 const struct tlr_message *message)
{
    switch (mailbox->state) {
    case TLR_MAILBOX_OPEN:
        break;
    case TLR_MAILBOX_CREATED:
        return UV_EAGAIN;
    default:
        return UV_ECANCELED;
    }
    if (is_post(message) && mailbox->posts >= mailbox->limit) {
        atomic_fetch_add(&mailbox->denied, 1);
        return UV_ENOBUFS;
    }
    return reserve(mailbox);
}

int tlr_mailbox_post(struct tlr_mailbox *mailbox,
                     const struct tlr_message *message)
{
    int err;

    TLR_POINT(mailbox_post);
    uv_mutex_lock(&mailbox->mutex);
    err = admit(mailbox, message);
    if (err == 0) {
        mailbox->filling.items[mailbox->filling.count++] = *message;
        mailbox->posts += is_post(message);
        wake(mailbox);
    }
    uv_mutex_unlock(&mailbox->mutex);
    return err;
}

void tlr_mailbox_post_orders(struct tlr_mailbox *mailbox, unsigned orders)
{
    TLR_POINT(mailbox_order);
    uv_mutex_lock(&mailbox->mutex);
    if (mailbox->state == TLR_MAILBOX_OPEN) {
        mailbox->orders |= orders;
        wake(mailbox);
    }
    uv_mutex_unlock(&mailbox->mutex);
}

/* Gives back what a burst has made large, once it is over. */
static void trim(struct tlr_mailbox *mailbox, struct tlr_messages *messages)
{
    if (messages->capacity > KEEP && messages->count < KEEP / 2) {
        tlr_free(mailbox->allocator, messages->items);
        messages->items = NULL;
        messages->capacity = 0;
    }
    messages->count = 0;
}

unsigned tlr_mailbox_receive(struct tlr_mailbox *mailbox,
                             const struct tlr_messages **messages)
{
    struct tlr_messages emptied = mailbox->emptying;
    unsigned orders;

    trim(mailbox, &emptied);
    TLR_POINT(mailbox_receive);
    uv_mutex_lock(&mailbox->mutex);
    mailbox->emptying = mailbox->filling;
    mailbox->filling = emptied;
    mailbox->posts = 0;
    orders = mailbox->orders;
    mailbox->orders = 0;
    uv_mutex_unlock(&mailbox->mutex);
    *messages = &mailbox->emptying;
    return orders;
}

void tlr_mailbox_shut(struct tlr_mailbox *mailbox)
{
    uv_mutex_lock(&mailbox->mutex);
    mailbox->state = TLR_MAILBOX_SHUT;
    uv_mutex_unlock(&mailbox->mutex);
}

void tlr_mailbox_close(struct tlr_mailbox *mailbox, uv_close_cb cb)
{
    tlr_mailbox_shut(mailbox);
    TLR_POINT(mailbox_shut);
    tlr_libuv_close((uv_handle_t *)&mailbox->async, cb);
}

void tlr_mailbox_destroy(struct tlr_mailbox *mailbox)
{
    TLR_CHECK(mailbox->filling.count == 0);
    tlr_free(mailbox->allocator, mailbox->filling.items);
    tlr_free(mailbox->allocator, mailbox->emptying.items);
    uv_mutex_destroy(&mailbox->mutex);
}
