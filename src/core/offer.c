/* SPDX-License-Identifier: MIT */
/*
 * The old process's side: see takeover.h. It offers its listening sockets at a
 * path, on the host's loop, and never blocks.
 *
 *     BOUND ─► PUT ─► UNNAMED ─► WAITING ─► HELLO ─► SENDING ─► GIVEN ─► CLOSED
 *                                  │  ▲       │         │         │
 *                              RESTING└──────ENDING ◄───┴─────────┘
 *
 * One process at a time: the others wait in the queue of the UNIX socket, up to
 * their own time limits, and get their turn if the one before them fails.
 *
 * Failures: what is no message of ours, the end of the link or a time limit ends
 * the session, and the next one may come. No descriptor to accept with, or no
 * memory to watch with: RESTING for REST milliseconds. The path is somebody else's when the server starts:
 * UNNAMED, and tried again. CLOSED from any state, when the server drains; then
 * a session just ends, and the new process serves, if it has the sockets.
 */
#include <string.h>

#include "check.h"
#include "handoff.h"
#include "libuv.h"
#include "list.h"
#include "server.h"
#include "watchers.h"

#define REST 1000     /* milliseconds */
#define PATIENCE 5000 /* milliseconds until HELLO has to be there */

enum offer_state {
    OFFER_BOUND,   /* no handle yet */
    OFFER_PUT,     /* the handles are on the loop */
    OFFER_UNNAMED, /* the path is not free; the timer is running */
    OFFER_WAITING, /* for somebody to come */
    OFFER_RESTING, /* no descriptor; the timer is running */
    OFFER_HELLO,   /* somebody has come, and says so soon */
    OFFER_SENDING, /* the sockets */
    OFFER_GIVEN,   /* READY is to come */
    OFFER_ENDING,  /* the session's handle is closing */
    OFFER_CLOSED
};

#define NO_SOCKET ((uv_os_sock_t)-1)

#define TO(state) (1u << (state))

static const unsigned successors[] = {
    [OFFER_BOUND] = TO(OFFER_PUT),
    [OFFER_PUT] = TO(OFFER_UNNAMED) | TO(OFFER_WAITING) | TO(OFFER_CLOSED),
    [OFFER_UNNAMED] = TO(OFFER_WAITING) | TO(OFFER_CLOSED),
    [OFFER_WAITING] = TO(OFFER_RESTING) | TO(OFFER_HELLO) | TO(OFFER_CLOSED),
    [OFFER_RESTING] = TO(OFFER_WAITING) | TO(OFFER_CLOSED),
    [OFFER_HELLO] = TO(OFFER_SENDING) | TO(OFFER_ENDING) | TO(OFFER_CLOSED),
    [OFFER_SENDING] = TO(OFFER_GIVEN) | TO(OFFER_ENDING) | TO(OFFER_CLOSED),
    [OFFER_GIVEN] = TO(OFFER_ENDING) | TO(OFFER_CLOSED),
    [OFFER_ENDING] = TO(OFFER_WAITING) | TO(OFFER_CLOSED),
    [OFFER_CLOSED] = 0,
};

struct tlr_offering {
    struct tlr_server *server;
    uv_poll_t poll;    /* for those who come */
    uv_poll_t session; /* with the one who is there */
    uv_timer_t timer;
    uv_os_sock_t sock;
    uv_os_sock_t link;
    int state;
    struct tlr_takeover_file file;
    struct tlr_takeover_reader reader;
    uv_os_sock_t *socks; /* borrowed from the listeners, while they are sent */
    size_t total;
    size_t sent;
    bool all; /* there are no others */
    int64_t pid; /* of the one who is there */
    uint64_t timeout;
    uint64_t deadline;
    void (*on_taken_over)(struct tlr_server *server, int64_t pid);
};

static void enter_state(struct tlr_offering *offering, enum offer_state next)
{
    TLR_CHECK((successors[offering->state] & TO(next)) != 0);
    offering->state = next;
}

static void on_timer(uv_timer_t *timer);

/* It fails for a closing timer only: then the host ends. */
static void set_timer(struct tlr_offering *offering, uint64_t milliseconds)
{
    (void)uv_timer_start(&offering->timer, on_timer, milliseconds, 0);
}

/* ---- a session ------------------------------------------------------- */

static void on_visitor(uv_poll_t *poll, int status, int events);

static void rest(struct tlr_offering *offering)
{
    enter_state(offering, OFFER_RESTING);
    (void)uv_poll_stop(&offering->poll);
    set_timer(offering, REST);
}

static void wait_for_visitors(struct tlr_offering *offering)
{
    enter_state(offering, OFFER_WAITING);
    (void)uv_timer_stop(&offering->timer); /* always 0 */
    if (!uv_is_closing((uv_handle_t *)&offering->poll) && /* by the host */
        tlr_watchers_poll(&offering->poll, UV_READABLE, on_visitor) != 0) {
        rest(offering);
    }
}

/* After uv_close() the descriptor is not libuv's to watch any more. */
static void close_socket(uv_os_sock_t *sock)
{
    if (*sock != NO_SOCKET) {
        tlr_handoff_close(*sock);
        *sock = NO_SOCKET;
    }
}

static void forget_sockets(struct tlr_offering *offering)
{
    tlr_free(&offering->server->config.allocator, offering->socks);
    offering->socks = NULL;
}

static void on_session_closed(uv_handle_t *handle)
{
    struct tlr_offering *offering =
        TLR_CONTAINER_OF(handle, struct tlr_offering, session);

    close_socket(&offering->link);
    if (offering->state == OFFER_ENDING) {
        wait_for_visitors(offering);
    }
    tlr_server_handle_closed(offering->server);
}

static void close_session(struct tlr_offering *offering)
{
    forget_sockets(offering);
    tlr_libuv_close((uv_handle_t *)&offering->session, on_session_closed);
}

static void end_session(struct tlr_offering *offering)
{
    enter_state(offering, OFFER_ENDING);
    (void)uv_timer_stop(&offering->timer);
    close_session(offering);
}

static void say(struct tlr_offering *offering, enum tlr_takeover_kind kind,
                int error)
{
    struct tlr_takeover_message message;

    tlr_takeover_fill(&message, kind);
    message.error = error;
    /* A few bytes to somebody who may have gone: it can do without. */
    (void)tlr_takeover_send(offering->link, &message, NULL);
}

static void refuse(struct tlr_offering *offering, int error)
{
    say(offering, TLR_TAKEOVER_REFUSED, error);
    end_session(offering);
}

struct taken {
    struct tlr_server *server;
    void (*on_taken_over)(struct tlr_server *server, int64_t pid);
    int64_t pid;
};

static void call_taken(void *argument)
{
    struct taken *taken = argument;

    taken->on_taken_over(taken->server, taken->pid);
}

static void close_handles(struct tlr_offering *offering);

/* Sockets that the new one has not may have got connections meanwhile. */
static void leave(struct tlr_offering *offering)
{
    if (offering->all) {
        tlr_server_leave(offering->server, offering->deadline);
    } else {
        tlr_server_drain(offering->server, offering->deadline);
    }
}

/* The file stays: the new process puts its own in its place. */
static void is_taken(struct tlr_offering *offering)
{
    struct tlr_server *server = offering->server;
    struct taken taken = {server, offering->on_taken_over, offering->pid};

    say(offering, TLR_TAKEOVER_TAKEN, 0);
    enter_state(offering, OFFER_CLOSED);
    close_session(offering);
    close_handles(offering);
    leave(offering);
    if (taken.on_taken_over != NULL) {
        tlr_config_call(&server->config, call_taken, &taken);
    }
}

static int send_some(struct tlr_offering *offering)
{
    size_t left = offering->total - offering->sent;
    struct tlr_takeover_message message;
    int err;

    tlr_takeover_fill(&message, TLR_TAKEOVER_SOCKETS);
    message.total = (uint32_t)offering->total;
    message.count =
        (uint32_t)(left < TLR_TAKEOVER_AT_ONCE ? left : TLR_TAKEOVER_AT_ONCE);
    err = tlr_takeover_send(offering->link, &message,
                            offering->socks + offering->sent);
    offering->sent += err == 0 ? message.count : 0;
    return err;
}

static void on_link(uv_poll_t *poll, int status, int events);

static void watch_link(struct tlr_offering *offering, int events)
{
    if (tlr_watchers_poll(&offering->session, events, on_link) != 0) {
        (void)uv_poll_stop(&offering->session); /* the time limit ends it */
    }
}

static void send_sockets(struct tlr_offering *offering)
{
    int err;

    do {
        err = send_some(offering);
    } while (err == 0 && offering->sent < offering->total);
    if (err == UV_EAGAIN) {
        watch_link(offering, UV_WRITABLE);
    } else if (err != 0) {
        refuse(offering, err);
    } else {
        enter_state(offering, OFFER_GIVEN);
        watch_link(offering, UV_READABLE);
    }
}

/* They stay open: as long as there is a session the server has not drained. */
static void begin_to_send(struct tlr_offering *offering)
{
    struct tlr_server *server = offering->server;
    size_t most = tlr_endpoints_sockets(server);

    enter_state(offering, OFFER_SENDING);
    set_timer(offering, offering->timeout);
    if (most > TLR_TAKEOVER_MOST) {
        refuse(offering, UV_E2BIG);
        return;
    }
    offering->socks = tlr_calloc(&server->config.allocator,
                                 (most + 1) * sizeof(uv_os_sock_t));
    if (offering->socks == NULL) {
        refuse(offering, UV_ENOMEM);
        return;
    }
    offering->total = tlr_endpoints_listening(server, offering->socks);
    offering->all = offering->total == most;
    offering->sent = 0;
    send_sockets(offering);
}

/* UV_EAGAIN if it is not all there. */
static int receive(struct tlr_offering *offering, enum tlr_takeover_kind kind)
{
    int err = tlr_takeover_receive(offering->link, false, &offering->reader);

    if (err == 0 && offering->reader.message.kind != kind) {
        err = UV_EPROTO;
    }
    return err;
}

static void greeted(struct tlr_offering *offering)
{
    int err = receive(offering, TLR_TAKEOVER_HELLO);

    if (err == 0) {
        offering->pid = offering->reader.message.pid;
        memset(&offering->reader, 0, sizeof(offering->reader));
        begin_to_send(offering);
    } else if (err != UV_EAGAIN) {
        refuse(offering, err == UV_EOF ? UV_ECANCELED : err);
    }
}

/* late: there will be no further look. */
static void look_for_ready(struct tlr_offering *offering, bool late)
{
    int err = receive(offering, TLR_TAKEOVER_READY);

    if (err == 0) {
        is_taken(offering);
    } else if (err == UV_EAGAIN && late) {
        refuse(offering, UV_ETIMEDOUT);
    } else if (err != UV_EAGAIN) {
        end_session(offering);
    }
}

static void on_link(uv_poll_t *poll, int status, int events)
{
    struct tlr_offering *offering =
        TLR_CONTAINER_OF(poll, struct tlr_offering, session);

    (void)status; /* whatever it is, the next call tells, too */
    (void)events;
    if (offering->state == OFFER_HELLO) {
        greeted(offering);
    } else if (offering->state == OFFER_SENDING) {
        send_sockets(offering);
    } else if (offering->state == OFFER_GIVEN) {
        look_for_ready(offering, status < 0);
    }
}

/* ---- who comes ------------------------------------------------------- */

static int begin_session(struct tlr_offering *offering, uv_os_sock_t link)
{
    int err = uv_poll_init_socket(offering->server->host, &offering->session,
                                  link);

    if (err != 0) {
        tlr_handoff_close(link);
        return err;
    }
    offering->link = link;
    offering->session.data = NULL;
    uv_unref((uv_handle_t *)&offering->session);
    offering->server->handles++;
    memset(&offering->reader, 0, sizeof(offering->reader));
    (void)uv_poll_stop(&offering->poll);
    enter_state(offering, OFFER_HELLO);
    set_timer(offering, PATIENCE);
    watch_link(offering, UV_READABLE);
    return 0;
}

static void on_visitor(uv_poll_t *poll, int status, int events)
{
    struct tlr_offering *offering =
        TLR_CONTAINER_OF(poll, struct tlr_offering, poll);
    uv_os_sock_t link;
    int err = status;

    (void)events;
    if (err == 0) {
        err = tlr_takeover_accept(offering->sock, &link);
    }
    if (err == 0) {
        err = begin_session(offering, link);
    }
    if (err != 0 && err != UV_EAGAIN && err != UV_ECONNABORTED &&
        err != UV_EPERM) {
        rest(offering);
    }
}

/* The path may have become something that is not to be replaced: it waits. */
static void take_name(struct tlr_offering *offering)
{
    if (tlr_takeover_publish(&offering->file) == 0) {
        wait_for_visitors(offering);
        return;
    }
    if (offering->state == OFFER_PUT) {
        enter_state(offering, OFFER_UNNAMED);
    }
    set_timer(offering, REST);
}

static void on_timer(uv_timer_t *timer)
{
    struct tlr_offering *offering =
        TLR_CONTAINER_OF(timer, struct tlr_offering, timer);

    switch (offering->state) {
    case OFFER_UNNAMED:
        take_name(offering);
        break;
    case OFFER_RESTING:
        wait_for_visitors(offering);
        break;
    case OFFER_HELLO:
    case OFFER_SENDING:
        refuse(offering, UV_ETIMEDOUT);
        break;
    case OFFER_GIVEN:
        look_for_ready(offering, true);
        break;
    default:
        break;
    }
}

/* ---- its life -------------------------------------------------------- */

void tlr_offer_init(struct tlr_offer *offer, size_t size)
{
    memset(offer, 0, size);
    if (size >= sizeof(*offer)) {
        offer->size = size;
        offer->timeout = TLR_OFFER_TIMEOUT;
        offer->deadline = TLR_NO_DEADLINE;
    }
}

static int check(const struct tlr_server *server,
                 const struct tlr_offer *offer)
{
    if (offer->size > sizeof(*offer)) {
        return UV_E2BIG;
    }
    if (offer->size < sizeof(*offer) || offer->path == NULL ||
        offer->timeout == 0 || offer->timeout > TLR_TAKEOVER_TIMEOUT_MOST) {
        return UV_EINVAL;
    }
    if (server->offering != NULL) {
        return UV_EBUSY;
    }
    return (server->state == SERVER_NEW && !server->failed) ||
                   server->state == SERVER_RUNNING
               ? 0
               : UV_ECANCELED;
}

static int put_on_loop(struct tlr_offering *offering)
{
    struct tlr_server *server = offering->server;
    int err = uv_poll_init_socket(server->host, &offering->poll,
                                  offering->sock);

    if (err != 0) {
        return err;
    }
    TLR_CHECK(uv_timer_init(server->host, &offering->timer) == 0);
    offering->poll.data = NULL;
    offering->timer.data = NULL;
    uv_unref((uv_handle_t *)&offering->poll);
    uv_unref((uv_handle_t *)&offering->timer);
    server->handles += 2;
    enter_state(offering, OFFER_PUT);
    return 0;
}

/* Before the start it has no handle, and so can be thrown away. */
static void discard(struct tlr_offering *offering)
{
    tlr_takeover_remove(&offering->file);
    tlr_handoff_close(offering->sock);
    tlr_free(&offering->server->config.allocator, offering);
}

/* For a server that runs already. */
static int begin_late(struct tlr_offering *offering)
{
    int err = tlr_takeover_publish(&offering->file);

    if (err == 0) {
        err = put_on_loop(offering);
    }
    if (err == 0) {
        wait_for_visitors(offering);
    }
    return err;
}

int tlr_server_offer(struct tlr_server *server, const struct tlr_offer *offer)
{
    struct tlr_offering *offering;
    int err = check(server, offer);

    if (err != 0) {
        return err;
    }
    offering = tlr_calloc(&server->config.allocator, sizeof(*offering));
    if (offering == NULL) {
        return UV_ENOMEM;
    }
    offering->server = server;
    offering->state = OFFER_BOUND;
    offering->link = NO_SOCKET;
    offering->timeout = offer->timeout;
    offering->deadline = offer->deadline;
    offering->on_taken_over = offer->on_taken_over;
    err = tlr_takeover_bind(offer->path, &server->successor.file,
                            &offering->file, &offering->sock);
    if (err != 0) {
        tlr_free(&server->config.allocator, offering);
        return err;
    }
    if (server->state == SERVER_RUNNING) {
        err = begin_late(offering);
    }
    if (err != 0) {
        discard(offering);
        return err;
    }
    server->offering = offering;
    return 0;
}

int tlr_offer_put(struct tlr_server *server)
{
    return server->offering == NULL ? 0 : put_on_loop(server->offering);
}

void tlr_offer_begin(struct tlr_server *server)
{
    if (server->offering != NULL) {
        take_name(server->offering);
    }
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct tlr_offering *offering =
        TLR_CONTAINER_OF(handle, struct tlr_offering, poll);

    close_socket(&offering->sock);
    tlr_server_handle_closed(offering->server);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct tlr_offering *offering =
        TLR_CONTAINER_OF(handle, struct tlr_offering, timer);

    tlr_server_handle_closed(offering->server);
}

static void close_handles(struct tlr_offering *offering)
{
    tlr_libuv_close((uv_handle_t *)&offering->poll, on_poll_closed);
    tlr_libuv_close((uv_handle_t *)&offering->timer, on_timer_closed);
}

void tlr_offer_close(struct tlr_server *server)
{
    struct tlr_offering *offering = server->offering;
    int state;

    if (offering == NULL || offering->state == OFFER_BOUND ||
        offering->state == OFFER_CLOSED) {
        return;
    }
    state = offering->state;
    enter_state(offering, OFFER_CLOSED);
    tlr_takeover_remove(&offering->file);
    if (state == OFFER_HELLO || state == OFFER_SENDING ||
        state == OFFER_GIVEN) {
        close_session(offering);
    }
    close_handles(offering);
}

void tlr_offer_end(struct tlr_server *server)
{
    if (server->offering != NULL) {
        close_socket(&server->offering->sock);
        close_socket(&server->offering->link);
    }
}

void tlr_offer_release(struct tlr_server *server)
{
    struct tlr_offering *offering = server->offering;

    if (offering == NULL) {
        return;
    }
    server->offering = NULL;
    if (offering->state == OFFER_BOUND) {
        discard(offering);
    } else {
        tlr_free(&server->config.allocator, offering);
    }
}
