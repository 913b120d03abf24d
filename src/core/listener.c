/* SPDX-License-Identifier: MIT */
/*
 * One listening socket.
 *
 * The happy path: the socket becomes readable, connections are accepted until
 * there is none left or BATCH of them, and each is given to the owner. At the
 * end the kernel's queue is emptied, since closing the socket resets what is in
 * it: no more than the queue can hold, or peers that connect faster than we
 * accept would keep it open for ever.
 *
 *     IDLE ─► WATCHING ─► EMPTYING ─► CLOSING ─► CLOSED
 *               │  ▲
 *               ▼  │
 *          PAUSED, FULL
 *
 * Failures: see tlr_handoff_classify(). A connection that is gone again is
 * skipped; if BATCH in a row are it may be another kind of trouble, and it is
 * PAUSED for a moment. No descriptors (EMFILE, ENFILE), no memory, an error
 * nobody knows or one of the poll itself, after which libuv polls no more: PAUSED
 * for RETRY milliseconds. A spare descriptor, given up to accept and close, still
 * spun in 1 run of 15; a pause never did.
 */
#include "listener.h"

#include "check.h"
#include "handoff.h"
#include "libuv.h"
#include "list.h"
#include "point.h"
#include "watchers.h"

/* Accepted in one go before the loop gets its turn. */
#define BATCH 64

/* Milliseconds until the next attempt when the system has run out. */
#define RETRY 50

/* Likewise, after many errors that should each have been one connection's. */
#define MOMENT 5

/* So many errors in a row that may stay end the emptying of the queue: a drain
 * without a deadline has to end. */
#define GIVE_UP 20

/*
 * Milliseconds of waiting for the accept rate: as long as the loop does not wake
 * up for each single connection, and as short as nobody notices.
 */
#define WAIT_LEAST 5

#define NO_SOCKET ((uv_os_sock_t)-1)

enum listener_state {
    LISTENER_IDLE,     /* not started */
    LISTENER_WATCHING, /* polls for connections */
    LISTENER_PAUSED,   /* ran out, or too soon; the timer is running */
    LISTENER_FULL,     /* the owner has no room */
    LISTENER_EMPTYING, /* takes what is queued, by the timer */
    LISTENER_CLOSING,
    LISTENER_CLOSED
};

#define TO(state) (1u << (state))

static const unsigned successors[] = {
    [LISTENER_IDLE] =
        TO(LISTENER_WATCHING) | TO(LISTENER_EMPTYING) | TO(LISTENER_CLOSING),
    [LISTENER_WATCHING] = TO(LISTENER_PAUSED) | TO(LISTENER_FULL) |
                          TO(LISTENER_EMPTYING) | TO(LISTENER_CLOSING),
    [LISTENER_PAUSED] =
        TO(LISTENER_WATCHING) | TO(LISTENER_EMPTYING) | TO(LISTENER_CLOSING),
    [LISTENER_FULL] =
        TO(LISTENER_WATCHING) | TO(LISTENER_EMPTYING) | TO(LISTENER_CLOSING),
    [LISTENER_EMPTYING] = TO(LISTENER_CLOSING),
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
    listener->bound = (flags & TLR_HANDOFF_BOUND) != 0;
    listener->backlog = backlog;
    return tlr_handoff_listen(address, backlog, flags, &listener->sock);
}

void tlr_listener_use(struct tlr_listener *listener, uv_os_sock_t sock)
{
    listener->bound = false;
    listener->sock = sock;
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
    TLR_CHECK(uv_timer_init(loop, &listener->retry) == 0);
    return 0;
}

/* ---- accepting ------------------------------------------------------ */

/* Why a batch ended. */
enum verdict {
    MORE,      /* it was full: there may be more */
    NO_MORE,   /* nothing is waiting */
    NO_ROOM,   /* the owner denied it */
    TOO_SOON,  /* likewise; listener->wait */
    TROUBLED,  /* one error after the other */
    EXHAUSTED  /* the system denied it */
};

/* One is off the queue. */
static void count_down(struct tlr_listener *listener)
{
    listener->left -= listener->state == LISTENER_EMPTYING;
}

static enum verdict failed(struct tlr_listener *listener, int err)
{
    enum tlr_accept_result result = tlr_handoff_classify(err);

    if (result == TLR_ACCEPT_NONE) {
        return NO_MORE;
    }
    listener->callbacks->trouble(listener, result, err);
    if (result == TLR_ACCEPT_UNKNOWN && listener->state == LISTENER_EMPTYING &&
        ++listener->errors >= GIVE_UP) {
        listener->left = 0;
    }
    if (result != TLR_ACCEPT_TRANSIENT) {
        return EXHAUSTED;
    }
    count_down(listener);
    listener->errors++;
    if (listener->errors < BATCH) {
        return MORE;
    }
    listener->errors = 0;
    return TROUBLED;
}

static void set_wait(struct tlr_listener *listener, uint64_t nanoseconds)
{
    uint64_t wait = nanoseconds / 1000000 + 1;

    listener->wait = wait < WAIT_LEAST ? WAIT_LEAST : wait;
}

static enum verdict accept_one(struct tlr_listener *listener)
{
    struct tlr_ticket ticket = {0};
    struct sockaddr_storage peer;
    uv_os_sock_t sock;
    int err;

    switch (listener->callbacks->admit(listener, &ticket)) {
    case TLR_ADMIT_NONE:
        return NO_ROOM;
    case TLR_ADMIT_LATER:
        set_wait(listener, ticket.wait);
        return TOO_SOON;
    default:
        break;
    }
    TLR_POINT(listener_reserved);
    err = tlr_handoff_accept(listener->sock, &sock, &peer);
    if (err != 0) {
        listener->callbacks->dismiss(listener, &ticket);
        return failed(listener, err);
    }
    count_down(listener);
    listener->errors = 0;
    listener->callbacks->accepted(listener, &ticket, sock, &peer);
    return MORE;
}

/* The owner may close the listener meanwhile. */
static enum verdict accept_batch(struct tlr_listener *listener, unsigned most)
{
    int state = listener->state;
    enum verdict verdict = MORE;

    listener->callbacks->enter(listener);
    while (most-- > 0 && verdict == MORE && listener->state == state) {
        verdict = accept_one(listener);
    }
    listener->callbacks->leave(listener);
    return verdict;
}

static void on_timer(uv_timer_t *timer);

/* It fails for a closing timer only. */
static void set_timer(struct tlr_listener *listener, uint64_t milliseconds)
{
    TLR_CHECK(
        uv_timer_start(&listener->retry, on_timer, milliseconds, 0) == 0);
}

/* How long until it goes on by itself. */
static uint64_t pause_for(const struct tlr_listener *listener,
                          enum verdict verdict)
{
    switch (verdict) {
    case TOO_SOON:
        return listener->wait;
    case TROUBLED:
        return MOMENT;
    case EXHAUSTED:
        return RETRY;
    default:
        return 0;
    }
}

static void rest(struct tlr_listener *listener, uint64_t milliseconds)
{
    enter_state(listener, LISTENER_PAUSED);
    (void)uv_poll_stop(&listener->poll); /* always 0 */
    set_timer(listener, milliseconds);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct tlr_listener *listener =
        TLR_CONTAINER_OF(poll, struct tlr_listener, poll);
    enum verdict verdict = accept_batch(listener, BATCH);

    (void)events;
    if (listener->state != LISTENER_WATCHING) {
        return;
    }
    if (verdict == NO_ROOM) {
        enter_state(listener, LISTENER_FULL);
        (void)uv_poll_stop(&listener->poll); /* always 0 */
    } else if (status < 0) {
        listener->callbacks->trouble(listener, TLR_ACCEPT_UNKNOWN, status);
        rest(listener, RETRY);
    } else if (verdict != MORE && verdict != NO_MORE) {
        rest(listener, pause_for(listener, verdict));
    }
}

static void watch(struct tlr_listener *listener)
{
    int err;

    enter_state(listener, LISTENER_WATCHING);
    err = tlr_watchers_poll(&listener->poll, UV_READABLE, on_poll);
    if (err != 0) {
        listener->callbacks->trouble(listener, TLR_ACCEPT_MEMORY, err);
        rest(listener, RETRY);
    }
}

bool tlr_listener_is_emptying(const struct tlr_listener *listener)
{
    return listener->state == LISTENER_EMPTYING;
}

/*
 * listen() fails for want of memory, or because another user's socket has come
 * between: accept() fails as well then, and it is tried again with that.
 */
static void begin_to_listen(struct tlr_listener *listener)
{
    if (listener->bound) {
        listener->bound =
            tlr_handoff_begin(listener->sock, listener->backlog) != 0;
    }
}

void tlr_listener_start(struct tlr_listener *listener)
{
    if (listener->state == LISTENER_IDLE) {
        begin_to_listen(listener);
        watch(listener);
    }
}

/* ---- ending --------------------------------------------------------- */

static void handle_closed(struct tlr_listener *listener)
{
    listener->handles--;
    if (listener->handles == 0) {
        enter_state(listener, LISTENER_CLOSED);
        listener->callbacks->closed(listener);
    }
}

/* After uv_close() the descriptor is not libuv's to watch any more. */
static void close_socket(struct tlr_listener *listener)
{
    if (listener->sock != NO_SOCKET) {
        tlr_handoff_close(listener->sock);
        listener->sock = NO_SOCKET;
    }
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct tlr_listener *listener =
        TLR_CONTAINER_OF(handle, struct tlr_listener, poll);

    close_socket(listener);
    handle_closed(listener);
}

static void on_timer_closed(uv_handle_t *handle)
{
    handle_closed(TLR_CONTAINER_OF(handle, struct tlr_listener, retry));
}

static void close_handles(struct tlr_listener *listener)
{
    enter_state(listener, LISTENER_CLOSING);
    tlr_libuv_close((uv_handle_t *)&listener->poll, on_poll_closed);
    tlr_libuv_close((uv_handle_t *)&listener->retry, on_timer_closed);
}

/* Without room, it is tlr_listener_resume() that goes on. */
static void empty_some(struct tlr_listener *listener)
{
    unsigned some = listener->left < BATCH ? listener->left : BATCH;
    enum verdict verdict = accept_batch(listener, some);

    if (listener->state != LISTENER_EMPTYING) {
        return;
    }
    if (verdict == NO_MORE || listener->left == 0) {
        close_handles(listener);
        close_socket(listener); /* at once: who comes now is to be refused */
    } else if (verdict != NO_ROOM) {
        set_timer(listener, pause_for(listener, verdict));
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct tlr_listener *listener =
        TLR_CONTAINER_OF(timer, struct tlr_listener, retry);

    if (listener->state == LISTENER_EMPTYING) {
        empty_some(listener);
    } else {
        begin_to_listen(listener);
        watch(listener);
    }
}

void tlr_listener_resume(struct tlr_listener *listener)
{
    if (listener->state == LISTENER_FULL) {
        watch(listener);
    } else if (listener->state == LISTENER_EMPTYING &&
               !uv_is_active((uv_handle_t *)&listener->retry)) {
        set_timer(listener, 0);
    }
}

void tlr_listener_close(struct tlr_listener *listener, bool take_queued)
{
    if (listener->state >= LISTENER_CLOSING) {
        return;
    }
    if (!take_queued || uv_is_closing((uv_handle_t *)&listener->poll)) {
        close_handles(listener); /* as the host may have done already */
    } else if (listener->state != LISTENER_EMPTYING) {
        enter_state(listener, LISTENER_EMPTYING);
        listener->errors = 0;
        listener->left = tlr_handoff_queue_capacity(listener->sock);
        (void)uv_poll_stop(&listener->poll); /* always 0 */
        set_timer(listener, 0);
    }
}

void tlr_listener_end(struct tlr_listener *listener)
{
    enum verdict verdict = MORE;

    tlr_listener_close(listener, true);
    while (listener->state == LISTENER_EMPTYING && verdict == MORE &&
           listener->left > 0) {
        verdict = accept_batch(listener, 1);
    }
    tlr_listener_close(listener, false);
    close_socket(listener);
}

static void ref_handle(uv_handle_t *handle, bool ref)
{
    if (ref) {
        uv_ref(handle);
    } else {
        uv_unref(handle);
    }
}

void tlr_listener_ref(struct tlr_listener *listener, bool ref)
{
    ref_handle((uv_handle_t *)&listener->poll, ref);
    ref_handle((uv_handle_t *)&listener->retry, ref);
}
