/* SPDX-License-Identifier: MIT */
/*
 * See client.h. Plain poll(): it must not share a fault with what it tests.
 *
 *     SERVING ─► DRAINING ─► STOPPING
 *
 * Each phase ends when every connection has done what it does in it. One that
 * ends before its time is PEER_LOST, whose fault that was is for the sweep to
 * say.
 */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEADER 4 /* bytes before a frame: see host.c */

static const struct {
    enum peer_kind kind;
    enum peer_way way;
    size_t size;  /* in bytes; 0: as the scale says */
    size_t piece; /* 0: no matter; of frames: their size */
} peers[PEERS] = {
    {PEER_ROUNDS, WAY_ECHO, 1500, 500},
    {PEER_ROUNDS, WAY_ECHO, 64, 1},
    {PEER_ROUNDS, WAY_ECHO, 192, 64},
    {PEER_ROUNDS, WAY_ECHO, 40000, 20000},
    {PEER_AT_ONCE, WAY_ECHO, 100, 0},
    {PEER_AT_ONCE, WAY_ECHO, 100000, 0},
    {PEER_AT_ONCE, WAY_ECHO, 0, 0},
    {PEER_LATE, WAY_ECHO, 0, 0},
    {PEER_RESETS, WAY_ECHO, 5000, 0},
    {PEER_RESETS, WAY_ECHO, 300000, 0},
    {PEER_GONE, WAY_ECHO, 1, 0},
    {PEER_DRAINED, WAY_ECHO, 3000, 1000},
    {PEER_STOPPED, WAY_ECHO, 200, 100},
    {PEER_ROUNDS, WAY_FRAMES, 6000, 1500},
    {PEER_AT_ONCE, WAY_FRAMES, 30000, 700},
    {PEER_LATE, WAY_FRAMES, 0, 150000},
    {PEER_RESETS, WAY_FRAMES, 9000, 3000},
    {PEER_DRAINED, WAY_FRAMES, 3000, 1000},
    {PEER_STOPPED, WAY_FRAMES, 1000, 250},
    {PEER_ROUNDS, WAY_ADOPTED, 2000, 1000},
    {PEER_ROUNDS, WAY_OUTBOUND, 2000, 1000},
    {PEER_AT_ONCE, WAY_OUTBOUND, 50000, 0},
};

static char *data_of[PEERS];
static size_t size_of[PEERS];

/* ---- data ------------------------------------------------------------ */

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void put_headers(char *data, size_t size, size_t piece)
{
    size_t at;

    for (at = 0; at < size; at += piece) {
        size_t left = size - at < piece ? size - at : piece;
        uint32_t length = (uint32_t)(left - HEADER);

        memcpy(data + at, &length, HEADER);
    }
}

void clients_make_data(size_t scale)
{
    uint64_t state = 20260101;
    size_t i;
    size_t at;

    for (i = 0; i < PEERS; i++) {
        size_of[i] = peers[i].size != 0 ? peers[i].size : scale * 1024;
        data_of[i] = malloc(size_of[i] + 8);
        for (at = 0; data_of[i] != NULL && at < size_of[i]; at += 8) {
            uint64_t random = next_random(&state);

            memcpy(data_of[i] + at, &random, 8);
        }
        if (peers[i].way == WAY_FRAMES) {
            size_of[i] -= size_of[i] % peers[i].piece;
            put_headers(data_of[i], size_of[i], peers[i].piece);
        }
    }
}

/* ---- sockets ---------------------------------------------------------- */

static struct sockaddr_in loopback(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static unsigned own_port(int fd)
{
    struct sockaddr_in address = {0};
    socklen_t length = sizeof(address);

    (void)getsockname(fd, (struct sockaddr *)&address, &length);
    return ntohs(address.sin_port);
}

static int dial(unsigned port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd != -1 &&
        connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 &&
        errno != EINPROGRESS) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

static void reset(int fd)
{
    struct linger linger = {1, 0};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    (void)close(fd);
}

/* ---- one connection --------------------------------------------------- */

static void end_peer(struct peer *peer, enum peer_state state)
{
    if (peer->state == PEER_RUNNING && peer->fd != -1) {
        if (peer->kind == PEER_RESETS || peer->kind == PEER_GONE) {
            reset(peer->fd);
        } else {
            (void)close(peer->fd);
        }
        peer->fd = -1;
    }
    peer->state = state;
}

static void begin(struct peer *peer, int fd)
{
    peer->fd = fd;
    peer->state = PEER_RUNNING;
    if (fd == -1) {
        end_peer(peer, PEER_LOST);
    } else {
        peer->port = own_port(fd);
    }
}

/* Up to where it may send now. */
static size_t may_send(const struct clients *clients, const struct peer *peer)
{
    size_t most = peer->size;

    if (peer->kind == PEER_DRAINED && clients->phase == PHASE_SERVING) {
        most = peer->piece;
    }
    if (peer->piece != 0 && peer->kind != PEER_AT_ONCE &&
        peer->kind != PEER_LATE) {
        size_t next = (peer->received / peer->piece + 1) * peer->piece;

        return next < most ? next : most;
    }
    return most;
}

/* What it owes and what it is owed is done, but for the end. */
static bool is_through(const struct peer *peer)
{
    return peer->received == peer->size;
}

static bool sends_fin(const struct peer *peer)
{
    switch (peer->kind) {
    case PEER_ROUNDS:
    case PEER_DRAINED:
        return is_through(peer);
    case PEER_AT_ONCE:
    case PEER_LATE:
        return peer->sent == peer->size;
    default:
        return false;
    }
}

static void send_some(struct clients *clients, struct peer *peer)
{
    size_t most = may_send(clients, peer);
    ssize_t size;

    while (peer->sent < most) {
        size = send(peer->fd, peer->data + peer->sent, most - peer->sent,
                    MSG_NOSIGNAL);
        if (size == -1 && errno == EAGAIN) {
            peer->stalled = true;
            return;
        }
        if (size == -1) {
            return; /* reading tells */
        }
        peer->sent += (size_t)size;
    }
    if (!peer->finished && sends_fin(peer)) {
        (void)shutdown(peer->fd, SHUT_WR);
        peer->finished = true;
    }
}

/* The stream has ended, or broken. */
static void at_end(const struct clients *clients, struct peer *peer)
{
    bool expected = peer->kind == PEER_STOPPED
                        ? clients->phase == PHASE_STOPPING
                        : peer->finished;

    end_peer(peer, expected && is_through(peer) ? PEER_GOOD : PEER_LOST);
}

static bool may_read(const struct peer *peer)
{
    return peer->kind != PEER_LATE || peer->stalled ||
           peer->sent == peer->size;
}

static void read_some(const struct clients *clients, struct peer *peer)
{
    static char some[256 * 1024];
    ssize_t size = recv(peer->fd, some, sizeof(some), 0);

    if (size == -1 && errno == EAGAIN) {
        return;
    }
    if (size <= 0) {
        peer->error = size == 0 ? 0 : errno;
        at_end(clients, peer);
        return;
    }
    if ((size_t)size > peer->sent - peer->received ||
        memcmp(some, peer->data + peer->received, (size_t)size) != 0) {
        end_peer(peer, PEER_WRONG);
        return;
    }
    peer->received += (size_t)size;
    if (peer->kind == PEER_RESETS) {
        end_peer(peer, PEER_GOOD);
    }
}

static short wants(const struct clients *clients, const struct peer *peer)
{
    bool sends = peer->sent < may_send(clients, peer) ||
                 (!peer->finished && sends_fin(peer));

    return (short)((sends ? POLLOUT : 0) | (may_read(peer) ? POLLIN : 0));
}

static void serve(struct clients *clients, struct peer *peer, short events)
{
    if (peer->kind == PEER_GONE) {
        if ((events & (POLLOUT | POLLERR | POLLHUP)) != 0) {
            end_peer(peer, PEER_GOOD);
        }
        return;
    }
    if ((events & POLLOUT) != 0) {
        send_some(clients, peer);
    }
    if ((events & (POLLIN | POLLERR | POLLHUP)) != 0) {
        read_some(clients, peer);
    }
}

/* Whether it has done what it does in this phase. */
static bool has_done(const struct clients *clients, const struct peer *peer)
{
    if (peer->state >= PEER_GOOD) {
        return true;
    }
    if (clients->phase == PHASE_STOPPING || peer->state == PEER_WAITING) {
        return false;
    }
    return (peer->kind == PEER_STOPPED && is_through(peer)) ||
           (peer->kind == PEER_DRAINED && clients->phase == PHASE_SERVING &&
            peer->received == peer->piece);
}

/* ---- all of them ------------------------------------------------------- */

static void accept_some(struct clients *clients)
{
    size_t i;

    for (i = 0; i < PEERS; i++) {
        struct peer *peer = &clients->peers[i];

        if (peer->state == PEER_WAITING && peer->way == WAY_OUTBOUND) {
            int fd = accept4(clients->listener, NULL, NULL,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);

            if (fd != -1) {
                begin(peer, fd);
            }
            return;
        }
    }
}

/* The server says that it has begun again to connect, or has given up. */
static void hear_of_connects(struct clients *clients)
{
    size_t i;

    for (i = PEERS; i-- > 0;) {
        struct peer *peer = &clients->peers[i];

        if (peer->way != WAY_OUTBOUND) {
            continue;
        }
        if (clients->server->again > 0 && peer->state == PEER_LOST &&
            peer->received == 0) {
            peer->state = PEER_WAITING;
            peer->sent = 0;
            peer->finished = false;
            clients->server->again--;
        }
        if (clients->server->lost > 0 && peer->state == PEER_WAITING) {
            end_peer(peer, PEER_LOST);
            clients->server->lost--;
        }
    }
}

static bool all_done(const struct clients *clients)
{
    size_t i;

    for (i = 0; i < PEERS; i++) {
        if (!has_done(clients, &clients->peers[i])) {
            return false;
        }
    }
    return true;
}

/* One turn; whether anything has happened. */
static bool turn(struct clients *clients, int timeout)
{
    struct pollfd fds[PEERS + 2];
    struct peer *whose[PEERS];
    nfds_t count = 0;
    nfds_t watched;
    nfds_t i;
    int ready;

    for (i = 0; i < PEERS; i++) {
        struct peer *peer = &clients->peers[i];

        if (peer->state == PEER_RUNNING) {
            whose[count] = peer;
            fds[count++] = (struct pollfd){
                .fd = peer->fd, .events = wants(clients, peer)};
        }
    }
    watched = count;
    fds[count++] =
        (struct pollfd){.fd = clients->listener, .events = POLLIN};
    fds[count++] =
        (struct pollfd){.fd = clients->server->output, .events = POLLIN};
    ready = poll(fds, count, timeout);
    for (i = 0; i < watched; i++) {
        if (fds[i].revents != 0) {
            serve(clients, whose[i], fds[i].revents);
        }
    }
    if (fds[watched].revents != 0) {
        accept_some(clients);
    }
    server_look(clients->server);
    hear_of_connects(clients);
    return ready > 0;
}

static uint64_t now(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* What is still open when the server has gone hears of it at once. */
static void hear_of_end(struct clients *clients)
{
    size_t i;

    for (i = 0; i < PEERS; i++) {
        struct peer *peer = &clients->peers[i];

        if (peer->state == PEER_WAITING) {
            end_peer(peer, PEER_LOST);
        }
        peer->stalled = true;
    }
    while (clients_count(clients, PEER_RUNNING) > 0 && turn(clients, 1000)) {
    }
    for (i = 0; i < PEERS; i++) {
        if (clients->peers[i].state == PEER_RUNNING) {
            end_peer(&clients->peers[i], PEER_LOST);
        }
    }
}

/* Turns until it is so, or patience (in ms without any event) is at an end. */
static bool run_until(struct clients *clients, unsigned patience,
                      bool (*is_so)(const struct clients *clients))
{
    uint64_t last = now();

    while (!is_so(clients) && !clients->server->ended) {
        /* Its end is no event: it is looked for. */
        if (turn(clients, 2)) {
            last = now();
        } else if (now() - last > patience) {
            return false;
        }
    }
    if (clients->server->ended) {
        hear_of_end(clients);
    }
    return true;
}

static bool is_ready(const struct clients *clients)
{
    return clients->server->ready;
}

static bool has_ended(const struct clients *clients)
{
    return clients->server->ended;
}

void clients_open(struct clients *clients, int *adopted)
{
    struct sockaddr_in address = loopback(0);
    int end;
    size_t i;

    memset(clients, 0, sizeof(*clients));
    for (i = 0; i < PEERS; i++) {
        clients->peers[i].kind = peers[i].kind;
        clients->peers[i].way = peers[i].way;
        clients->peers[i].data = data_of[i];
        clients->peers[i].size = size_of[i];
        clients->peers[i].piece = peers[i].piece;
        clients->peers[i].fd = -1;
    }
    clients->listener =
        socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (clients->listener == -1 ||
        bind(clients->listener, (struct sockaddr *)&address,
             sizeof(address)) != 0 ||
        listen(clients->listener, 8) != 0) {
        perror("listen");
        exit(2);
    }
    clients->listener_port = own_port(clients->listener);
    end = dial(clients->listener_port);
    *adopted = accept4(clients->listener, NULL, NULL, SOCK_CLOEXEC);
    (void)fcntl(clients->listener, F_SETFL, O_NONBLOCK);
    for (i = 0; i < PEERS; i++) {
        if (peers[i].way == WAY_ADOPTED) {
            begin(&clients->peers[i], end);
        }
    }
}

static void dial_all(struct clients *clients)
{
    bool echo = clients->server->config->echo;
    size_t i;

    for (i = 0; i < PEERS; i++) {
        struct peer *peer = &clients->peers[i];

        if (peer->way == WAY_ECHO || (echo && peer->way == WAY_FRAMES)) {
            begin(peer, dial(clients->server->ports[0]));
        } else if (peer->way == WAY_FRAMES) {
            begin(peer, dial(clients->server->ports[1]));
        } else if (echo) { /* it does neither */
            end_peer(peer, PEER_GOOD);
        }
    }
}

#define STARVED 1500 /* milliseconds */

/* Who waits for a descriptor that another one holds is let go on. */
static bool serve_phase(struct clients *clients, unsigned patience)
{
    return run_until(clients, clients->may_starve ? STARVED : patience,
                     all_done) ||
           clients->may_starve;
}

bool clients_run(struct clients *clients, struct server *server,
                 unsigned patience)
{
    clients->server = server;
    if (!run_until(clients, patience, is_ready)) {
        return false;
    }
    if (server->ended && !server->ready) {
        return true;
    }
    dial_all(clients);
    if (!serve_phase(clients, patience)) {
        return false;
    }
    clients->phase = PHASE_DRAINING;
    server_order(server, 0);
    if (!serve_phase(clients, patience)) {
        return false;
    }
    clients->phase = PHASE_STOPPING;
    server_order(server, 1);
    return run_until(clients, patience, has_ended);
}

unsigned clients_count(const struct clients *clients, enum peer_state state)
{
    unsigned count = 0;
    size_t i;

    for (i = 0; i < PEERS; i++) {
        count += clients->peers[i].state == state;
    }
    return count;
}

void clients_close(struct clients *clients)
{
    size_t i;

    for (i = 0; i < PEERS; i++) {
        if (clients->peers[i].fd != -1) {
            (void)close(clients->peers[i].fd);
        }
    }
    (void)close(clients->listener);
}
