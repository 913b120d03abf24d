/* SPDX-License-Identifier: MIT */
/*
 * One listening socket.
 *
 * The happy path: the socket becomes readable, connections are accepted until
 * there is none left or BATCH of them, and each is given to the owner.
 *
 * Failures: see tlr_handoff_classify(). A connection that is gone again is
 * skipped. No descriptors (EMFILE, ENFILE), no memory or an error nobody knows:
 * PAUSED for RETRY milliseconds. A spare descriptor, given up to accept and
 * close, still spun in 1 run of 15; a pause never did.
 */
#include "listener.h"

#include "check.h"
#include "handoff.h"
#include "list.h"

/* Accepted in one go before the loop gets its turn. */
#define BATCH 64

/* Milliseconds until the next attempt when the system has run out. */
#define RETRY 50

enum listener_state {
    LISTENER_IDLE,     /* not started */
    LISTENER_WATCHING, /* polls for connections */
    LISTENER_PAUSED,   /* ran out; the timer is running */
    LISTENER_FULL,     /* the owner has no room */
    LISTENER_CLOSING,
    LISTENER_CLOSED
};

#define TO(state) (1u << (state))

static const unsigned successors[] = {
    [LISTENER_IDLE] = TO(LISTENER_WATCHING) | TO(LISTENER_CLOSING),
    [LISTENER_WATCHING] =
        TO(LISTENER_PAUSED) | TO(LISTENER_FULL) | TO(LISTENER_CLOSING),
    [LISTENER_PAUSED] = TO(LISTENER_WATCHING) | TO(LISTENER_CLOSING),
    [LISTENER_FULL] = TO(LISTENER_WATCHING) | TO(LISTENER_CLOSING),
    [LISTENER_CLOSING] = TO(LISTENER_CLOSED),
    [LISTENER_CLOSED] = 0,
};

static void enter_state(struct tlr_listener *listener,
                        enum listener_state next)
{
    TLR_CHECK((successors[listener->state] & TO(next)) != 0);
    listener->state = next;
}

int tlr_listener_open(struct tlr_listener *listener,
                      const struct sockaddr *address, int backlog,
                      unsigned flags)
{
    return tlr_handoff_listen(address, backlog, flags, &listener->sock);
}

void tlr_listener_abandon(struct tlr_listener *listener)
{
    tlr_handoff_close(listener->sock);
}

int tlr_listener_init(struct tlr_listener *listener, uv_loop_t *loop,
                      const struct tlr_listener_callbacks *callbacks,
                      void *owner)
{
    int err = uv_poll_init_socket(loop, &listener->poll, listener->sock);

    if (err != 0) {
        return err;
    }
    listener->poll.data = NULL;
    listener->callbacks = callbacks;
    listener->owner = owner;
    listener->state = LISTENER_IDLE;
    listener->handles = 2;
    listener->take_queued = false;
    TLR_CHECK(uv_timer_init(loop, &listener->retry) == 0);
    return 0;
}

static void on_retry(uv_timer_t *timer);

static void stop_watching(struct tlr_listener *listener,
                          enum listener_state why)
{
    enter_state(listener, why);
    (void)uv_poll_stop(&listener->poll); /* always 0 */
    if (why == LISTENER_PAUSED) {
        TLR_CHECK(uv_timer_start(&listener->retry, on_retry, RETRY, 0) == 0);
    }
}

/* Accepts one, and says whether to go on. */
static bool accept_one(struct tlr_listener *listener)
{
    uv_os_sock_t sock;
    int err;

    if (!listener->callbacks->reserve(listener)) {
        stop_watching(listener, LISTENER_FULL);
        return false;
    }
    err = tlr_handoff_accept(listener->sock, &sock);
    if (err == 0) {
        listener->callbacks->accepted(listener, sock);
        return listener->state == LISTENER_WATCHING;
    }
    listener->callbacks->unreserve(listener);
    switch (tlr_handoff_classify(err)) {
    case TLR_ACCEPT_TRANSIENT:
        return true;
    case TLR_ACCEPT_EXHAUSTED:
        stop_watching(listener, LISTENER_PAUSED);
        return false;
    default:
        return false;
    }
}

static void accept_batch(struct tlr_listener *listener)
{
    unsigned left = BATCH;

    listener->callbacks->enter(listener);
    while (left > 0 && accept_one(listener)) {
        left--;
    }
    listener->callbacks->leave(listener);
}

/* An error of the poll itself is one of the socket's: accept() will tell. */
static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct tlr_listener *listener =
        TLR_CONTAINER_OF(poll, struct tlr_listener, poll);

    (void)status;
    (void)events;
    accept_batch(listener);
}

static void watch(struct tlr_listener *listener)
{
    enter_state(listener, LISTENER_WATCHING);
    TLR_CHECK(uv_poll_start(&listener->poll, UV_READABLE, on_poll) == 0);
}

static void on_retry(uv_timer_t *timer)
{
    watch(TLR_CONTAINER_OF(timer, struct tlr_listener, retry));
}

void tlr_listener_start(struct tlr_listener *listener)
{
    watch(listener);
}

void tlr_listener_resume(struct tlr_listener *listener)
{
    if (listener->state == LISTENER_FULL) {
        watch(listener);
    }
}

static void handle_closed(struct tlr_listener *listener)
{
    listener->handles--;
    if (listener->handles == 0) {
        enter_state(listener, LISTENER_CLOSED);
        listener->callbacks->closed(listener);
    }
}

/*
 * Connections that the kernel has completed and not handed out are reset when
 * the listening socket closes, so they are accepted right before.
 */
static void accept_queued(struct tlr_listener *listener)
{
    uv_os_sock_t sock;

    while (listener->callbacks->reserve(listener)) {
        int err = tlr_handoff_accept(listener->sock, &sock);

        if (err == 0) {
            listener->callbacks->accepted(listener, sock);
            continue;
        }
        listener->callbacks->unreserve(listener);
        if (tlr_handoff_classify(err) != TLR_ACCEPT_TRANSIENT) {
            break;
        }
    }
}

/* The descriptor is libuv's to watch until here. */
static void on_poll_closed(uv_handle_t *handle)
{
    struct tlr_listener *listener =
        TLR_CONTAINER_OF(handle, struct tlr_listener, poll);

    if (listener->take_queued) {
        listener->callbacks->enter(listener);
        accept_queued(listener);
        listener->callbacks->leave(listener);
    }
    tlr_handoff_close(listener->sock);
    handle_closed(listener);
}

static void on_timer_closed(uv_handle_t *handle)
{
    handle_closed(TLR_CONTAINER_OF(handle, struct tlr_listener, retry));
}

void tlr_listener_close(struct tlr_listener *listener, bool take_queued)
{
    if (listener->state >= LISTENER_CLOSING) {
        return;
    }
    enter_state(listener, LISTENER_CLOSING);
    listener->take_queued = take_queued;
    uv_close((uv_handle_t *)&listener->poll, on_poll_closed);
    uv_close((uv_handle_t *)&listener->retry, on_timer_closed);
}
